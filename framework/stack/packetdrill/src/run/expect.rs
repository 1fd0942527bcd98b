//! Packets: those the script sends, and those it expects.

use std::net::SocketAddr;
use std::time::Duration;

use super::compare::{self, TimestampRule};
use super::flow::{Flow, Stage};
use super::host::Sent;
use super::icmp;
use super::inbound::{self, pattern};
use super::outcome::{Cause, Relaxation, SkipReason};
use super::runner::{Runner, Stop};
use crate::packet::{Packet, Payload, Segment, flag};
use crate::script::{Body, IcmpSpec, OptionSpec, OptionsSpec, PacketSpec, Quoted, TcpSpec};

/// How long a packet with `*` for its time is waited for.
const ANY_TIME_MAX: Duration = Duration::from_secs(3600);

impl Runner<'_> {
    /// Sends a packet of the script to the stack.
    pub(super) fn inbound(&mut self, spec: &PacketSpec) -> Result<(), Stop> {
        skip(spec)?;
        let bare = matches!(&spec.body, Body::Tcp(tcp) if tcp.flags.bits & (flag::SYN | flag::ACK) == flag::SYN
            && tcp.seq.length > 0);
        if bare && fast_open(spec) != Some(true) && self.kernel.settings.listeners_need_no_cookie()
        {
            return Err(Stop::Skip(SkipReason::FastOpenBare));
        }
        let mut flow = self.flow_of(spec);
        if let Body::Tcp(tcp) = &spec.body {
            flow.learn_received(tcp.flags.bits, tcp.seq.start.unwrap_or(0));
        }
        let packet = inbound::packet(spec, &flow, pattern);
        let packet = packet.map(|mut packet| {
            if let Payload::Tcp(segment) = &mut packet.payload
                && fast_open(spec).is_some()
            {
                self.kernel.cookie_to_live(&flow, segment);
            }
            packet
        });
        self.kernel.flow = Some(flow);
        let packet = packet.map_err(|error| Stop::Fail(Cause::Script, error.to_string()))?;
        self.kernel.host().receive(packet.to_bytes())?;
        Ok(())
    }

    /// The connection a packet of the script belongs to: the one under test, or that of the ports
    /// it names, which stand for themselves.
    fn flow_of(&mut self, spec: &PacketSpec) -> Flow {
        let (bind, local, remote) =
            (self.kernel.config.bind_port, self.kernel.config.local, self.kernel.config.remote);
        if let Body::Tcp(TcpSpec { ports: Some((source, destination)), .. }) = &spec.body {
            let (far, near) = match spec.direction {
                crate::script::Direction::Inbound => (*source, *destination),
                crate::script::Direction::Outbound => (*destination, *source),
            };
            let (near, far) = (SocketAddr::new(local, near), SocketAddr::new(remote, far));
            if let Some(current) = self.kernel.flow.take() {
                if (current.local, current.remote) == (near, far) {
                    return current;
                }
                self.kernel.others.insert((current.local, current.remote), current);
            }
            let known = self.kernel.others.remove(&(near, far));
            return known.unwrap_or_else(|| Flow::new(Stage::Passive, near, far));
        }
        match self.kernel.flow.take() {
            Some(flow) => flow,
            None => {
                let port = self.kernel.remote_port();
                let near = SocketAddr::new(local, bind);
                Flow::new(Stage::Passive, near, SocketAddr::new(remote, port))
            }
        }
    }

    /// Waits for a packet of the stack and compares it. `times` is `None` for any time.
    pub(super) fn outbound(
        &mut self,
        spec: &PacketSpec,
        times: Option<(Duration, Duration)>,
        tolerance: Duration,
    ) -> Result<(), Stop> {
        skip(spec)?;
        if let Body::Tcp(TcpSpec { options: OptionsSpec::Exact(options), .. }) = &spec.body
            && options.iter().any(|o| matches!(o, OptionSpec::FastOpenExperimental(_)))
        {
            return Err(Stop::Skip(SkipReason::FastOpenExperiment));
        }
        let flow = self.flow_of(spec);
        self.kernel.flow = Some(flow);
        let limit = match times {
            Some((_, to)) => to + tolerance,
            None => self.kernel.host().elapsed() + ANY_TIME_MAX,
        };
        let (at, packet) = self.next_sent(limit, |packet| match &spec.body {
            Body::Icmp(_) => matches!(packet.payload, Payload::Icmp(_)),
            _ => false,
        })?;
        let mut wrong = Vec::new();
        compare::ip(&spec.ip, &packet.ip, &mut wrong);
        let shown = match (&spec.body, packet.payload.clone()) {
            (Body::Tcp(tcp), Payload::Tcp(segment)) => {
                let segment = self.whole(tcp, segment, limit)?;
                self.compare(tcp, &packet, segment, &mut wrong)
            }
            (Body::Icmp(icmp), Payload::Icmp(_)) => {
                compare_icmp(icmp, &packet, &mut wrong);
                packet.to_string()
            }
            _ => {
                wrong.push("it is of another protocol".to_owned());
                packet.to_string()
            }
        };
        self.trace.push(format!("{:>12.6}      sent: {shown}", at.as_secs_f64()));
        if !wrong.is_empty() {
            let detail = format!("{}; sent: {shown}", wrong.join("; "));
            return Err(Stop::Fail(Cause::Packet, detail));
        }
        self.checks += 1;
        match times {
            Some((from, to)) => self.check_time(at, from, to, tolerance),
            None => Ok(()),
        }
    }

    fn check_time(
        &mut self,
        at: Duration,
        from: Duration,
        to: Duration,
        tolerance: Duration,
    ) -> Result<(), Stop> {
        let off = from.saturating_sub(at).max(at.saturating_sub(to));
        if off > tolerance {
            let (at, from) = (at.as_secs_f64(), from.as_secs_f64());
            let detail = format!("sent at {at:.6}, expected {from:.6}");
            return Err(Stop::Fail(Cause::Time, detail));
        }
        self.note_time(off);
        Ok(())
    }

    /// The next packet of the connection under test, or one that `also` wants.
    fn next_sent(
        &mut self,
        limit: Duration,
        also: impl Fn(&Packet) -> bool,
    ) -> Result<(Duration, Packet), Stop> {
        loop {
            while let Some(Sent { at, packet, .. }) = self.kernel.host().sent.pop_front() {
                let at = self.kernel.host().since_start(at);
                let packet = match packet {
                    Ok(packet) => packet,
                    Err(error) => return Err(Stop::Fail(Cause::Packet, error.to_string())),
                };
                let ours = self.kernel.flow.as_ref().is_some_and(|flow| flow.sends(&packet));
                if ours || also(&packet) {
                    return Ok((at, packet));
                }
                self.trace.push(format!("{:>12.6}     other: {packet}", at.as_secs_f64()));
            }
            if !self.step(limit)? {
                return Err(Stop::Fail(Cause::Missing, "nothing was sent".to_owned()));
            }
        }
    }

    /// A segment of the script may stand for several: the kernel it was written for let its device
    /// cut it.
    fn whole(
        &mut self,
        spec: &TcpSpec,
        mut segment: Segment,
        limit: Duration,
    ) -> Result<Segment, Stop> {
        let wanted = usize::from(spec.seq.length);
        if self.kernel.config.strict_segments || segment.data.is_empty() {
            return Ok(segment);
        }
        while segment.data.len() < wanted {
            let host = self.kernel.host();
            let next = host.sent.front().and_then(|sent| sent.packet.as_ref().ok());
            let Some(Packet { payload: Payload::Tcp(next), .. }) = next else {
                if self.kernel.host().sent.is_empty() && self.step(limit)? {
                    continue;
                }
                break;
            };
            let ends = segment.has(flag::FIN | flag::RST);
            if next.seq != segment.data_end() || next.data.is_empty() || ends {
                break;
            }
            segment.flags |= next.flags;
            segment.ack = next.ack;
            segment.window = next.window;
            segment.data.extend_from_slice(&next.data);
            host.sent.pop_front();
            self.relaxations.insert(Relaxation::Segmentation);
        }
        Ok(segment)
    }

    /// Compares a segment; says it in the script's numbers.
    fn compare(
        &mut self,
        spec: &TcpSpec,
        packet: &Packet,
        segment: Segment,
        wrong: &mut Vec<String>,
    ) -> String {
        let Some(mut flow) = self.kernel.flow.take() else { return String::new() };
        let mut segment = segment;
        self.kernel.cookie_to_script(&flow, &mut segment);
        flow.learn_sent(packet, &segment, spec.seq);
        self.compare_data(&flow, &segment, wrong);
        let expected_timestamp = match &spec.options {
            OptionsSpec::Exact(options) => options.iter().find_map(|option| match option {
                OptionSpec::Timestamp { value, .. } => *value,
                _ => None,
            }),
            _ => None,
        };
        let segment = flow.in_script(segment, spec.seq.absolute, expected_timestamp);
        let elapsed = self.kernel.host().elapsed();
        let tolerance = self.kernel.config.tolerance(elapsed);
        let rule = TimestampRule {
            tick_micros: self.kernel.config.timestamp_tick_micros,
            tolerance_micros: u64::try_from(tolerance.as_micros()).unwrap_or(u64::MAX),
        };
        let mut spec = spec.clone();
        // With strict segments a kernel's large one is told in pieces, PSH at its end.
        let least = self.segment_size() + u32::from(!self.kernel.config.strict_segments);
        let large = u32::from(spec.seq.length) >= least;
        if large && (spec.flags.bits ^ segment.flags) == flag::PSH {
            // Where a kernel's large segments end is where it sets PSH; ours end elsewhere.
            spec.flags.bits ^= flag::PSH;
            self.relaxations.insert(Relaxation::Segmentation);
        }
        compare::segment(&spec, &segment, rule, wrong);
        self.kernel.flow = Some(flow);
        segment.to_string()
    }

    /// The size of a full segment of the connection under test.
    fn segment_size(&mut self) -> u32 {
        let id = self.kernel.connection_under_test();
        let info = id.and_then(|id| self.kernel.host().stack.info(id));
        info.map_or(u32::from(u16::MAX), |info| info.send_mss)
    }

    /// The bytes must be those that were written, at their place.
    fn compare_data(&self, flow: &Flow, segment: &Segment, wrong: &mut Vec<String>) {
        let written = self.kernel.written.get(&(flow.local, flow.remote));
        let (Some(written), Some(isn)) = (written, flow.live_local_isn()) else { return };
        let first = segment.seq.wrapping_add(u32::from(segment.has(flag::SYN)));
        let start = first.wrapping_sub(isn).wrapping_sub(1) as usize;
        let there = written.get(start..).unwrap_or(&[]);
        let differs = segment.data.iter().zip(there).position(|(sent, written)| sent != written);
        if let Some(at) = differs {
            wrong.push(format!("byte {} of the stream is not the one written", start + at));
        }
    }
}

fn compare_icmp(spec: &IcmpSpec, packet: &Packet, wrong: &mut Vec<String>) {
    let Payload::Icmp(found) = &packet.payload else { return };
    match icmp::numbers(&spec.kind, spec.code.as_deref(), packet.ip.source.is_ipv6()) {
        Ok(wanted) if wanted == (found.kind, found.code) => {}
        Ok((kind, code)) => wrong.push(format!("expected type {kind} code {code}")),
        Err(error) => wrong.push(error.to_string()),
    }
}

/// Whether a packet has an option of fast open, and if so with a cookie.
fn fast_open(spec: &PacketSpec) -> Option<bool> {
    let Body::Tcp(TcpSpec { options: OptionsSpec::Exact(options), .. }) = &spec.body else {
        return None;
    };
    options.iter().find_map(|option| match option {
        OptionSpec::FastOpen(cookie) | OptionSpec::FastOpenExperimental(cookie) => {
            Some(!cookie.is_empty())
        }
        _ => None,
    })
}

/// Packets that need what is not there.
fn skip(spec: &PacketSpec) -> Result<(), Stop> {
    let reason = match &spec.body {
        Body::Other(_) => Some(SkipReason::Protocol),
        Body::Icmp(IcmpSpec { quoted: Some(Quoted::Other(_)), .. }) => Some(SkipReason::Protocol),
        _ if spec.outer.contains(&crate::script::OuterHeader::Psp) => Some(SkipReason::Psp),
        _ if !spec.outer.is_empty() => Some(SkipReason::Tunnel),
        Body::Tcp(TcpSpec { udp: Some(_), .. }) => Some(SkipReason::TcpOverUdp),
        Body::Tcp(tcp) if tcp.flags.ace.is_some() || tcp.flags.ae => Some(SkipReason::AccurateEcn),
        Body::Tcp(tcp) => match &tcp.options {
            OptionsSpec::Exact(options) => options.iter().find_map(|option| match option {
                OptionSpec::Md5(_) => Some(SkipReason::Md5),
                OptionSpec::NoCheck => Some(SkipReason::PrivateKernel),
                _ => None,
            }),
            _ => None,
        },
        _ => None,
    };
    reason.map_or(Ok(()), |reason| Err(Stop::Skip(reason)))
}
