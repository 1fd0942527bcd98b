//! Waiting for several descriptors: poll and epoll.

use std::collections::BTreeMap;
use std::time::Duration;

use fyke_stack::tcp::State;

use super::open::new_descriptor;
use super::{Attempt, File, Kernel, Place, Progress, args};
use crate::script::{CallSpec, Expr, Field};

/// What a descriptor is ready for, in the words of both calls without their first letters.
pub(crate) type Ready = Vec<&'static str>;

/// The descriptors an epoll watches.
#[derive(Debug, Default)]
pub(crate) struct Epoll {
    watched: BTreeMap<i64, Watched>,
}

#[derive(Debug, Clone, Default)]
struct Watched {
    /// What it is watched for: IN, OUT, ...
    events: Vec<String>,
    /// Reported only when something new happened (EPOLLET).
    edge: bool,
    /// Reported once (EPOLLONESHOT).
    once: bool,
    /// Told, until something new happens.
    told: Option<(Ready, [u64; 3], u64)>,
    silent: bool,
    /// What the application wants to be told by: `fd`, `ptr`, `u32` or `u64`.
    data: Option<i64>,
}

impl Kernel {
    /// What a descriptor is ready for.
    pub(crate) fn ready(&mut self, descriptor: i64) -> Ready {
        let Ok(socket) = self.socket(descriptor) else { return vec!["NVAL"] };
        let (read_shut, write_shut) = (socket.read_shut, socket.write_shut);
        let told = socket.told;
        let noticed = !socket.notices.is_empty();
        let deferred = socket.deferred.is_some();
        let id = match socket.place {
            Place::Tcp(id) => id,
            Place::Listening(listener, _) => {
                let stack = &self.host().stack;
                let address = stack.listener_address(listener);
                let waiting = stack.listing().any(|line| {
                    line.remote.is_none() && Some(line.local) == address && line.unread > 0
                });
                return if waiting { vec!["IN"] } else { Vec::new() };
            }
            _ if deferred => return vec!["OUT"],
            _ => return vec!["OUT", "HUP"],
        };
        let host = self.host();
        let now = host.now();
        let closed = host.closed.get(&id).copied();
        let state = host.stack.state(id);
        let at_end = matches!(host.stack.read(now, id, 0), Ok(None)) || closed.is_some();
        let readable = host.stack.readable(id) > 0 || at_end || read_shut;
        let opening = matches!(state, Some(State::SynSent));
        let writable = host.stack.writable(id) > 0 || closed.is_some() || write_shut;
        let system = self.settings.system;
        let error = closed.and_then(|reason| super::socket::errno(reason, system)).is_some();
        let mut ready = Vec::new();
        if readable && !opening {
            ready.push("IN");
        }
        if writable && !opening {
            ready.push("OUT");
        }
        if (error && !told) || noticed {
            ready.push("ERR");
        }
        if closed.is_some() || (at_end && write_shut) {
            ready.push("HUP");
        }
        let peer_is_done = matches!(
            state,
            Some(State::CloseWait | State::LastAck | State::Closing | State::TimeWait)
        );
        if (at_end || peer_is_done) && !opening {
            ready.push("RDHUP");
        }
        ready
    }

    pub(super) fn call_poll(
        &mut self,
        call: &CallSpec,
        progress: &Progress,
    ) -> Result<Attempt, Attempt> {
        let a = call.arguments.as_slice();
        let Expr::List(list) = args::at(a, 0)? else {
            return Ok(Attempt::Unknown("poll without a list".to_owned()));
        };
        let timeout = self.number_at(a, 2)?;
        let mut count = 0;
        let mut wrong = Vec::new();
        for item in list {
            let Some(descriptor) = args::field(item, "fd") else {
                return Ok(Attempt::Unknown("a pollfd without fd".to_owned()));
            };
            let descriptor = args::number(descriptor, self.settings.system).unwrap_or(-1);
            let asked = args::field(item, "events").map(args::words).unwrap_or_default();
            let wanted = args::field(item, "revents").map(args::words).unwrap_or_default();
            let always = ["ERR", "HUP", "NVAL"];
            let names = |kind: &str| format!("POLL{kind}");
            let ready = self.ready(descriptor);
            let shown =
                |kind: &&&str| always.contains(*kind) || asked.contains(&names(kind).as_str());
            let found: Vec<String> = ready.iter().filter(shown).map(|kind| names(kind)).collect();
            count += i64::from(!found.is_empty());
            if !same(&wanted, &found) {
                wrong.push(format!("revents of {descriptor} are {found:?}, expected {wanted:?}"));
            }
        }
        if count == 0 && !self.is_over(progress, timeout) {
            return Ok(Attempt::Blocked);
        }
        Ok(if wrong.is_empty() { Attempt::Done(count) } else { Attempt::Wrong(wrong.join("; ")) })
    }

    fn is_over(&mut self, progress: &Progress, timeout_millis: i64) -> bool {
        let waited = self.host().elapsed().saturating_sub(progress.since);
        u64::try_from(timeout_millis).is_ok_and(|limit| waited >= Duration::from_millis(limit))
    }

    pub(super) fn call_epoll_create(&mut self, call: &CallSpec) -> Result<Attempt, Attempt> {
        let descriptor = new_descriptor(call)?;
        self.files.insert(descriptor, File::Epoll(Epoll::default()));
        Ok(Attempt::Done(descriptor))
    }

    fn epoll(&mut self, descriptor: i64) -> Result<&mut Epoll, Attempt> {
        match self.files.get_mut(&descriptor) {
            Some(File::Epoll(epoll)) => Ok(epoll),
            Some(_) => Err(Attempt::Error("EINVAL")),
            None => Err(Attempt::Error("EBADF")),
        }
    }

    pub(super) fn call_epoll_ctl(&mut self, a: &[Expr]) -> Result<Attempt, Attempt> {
        let epoll = args::descriptor(a)?;
        let operation = args::word(args::at(a, 1)?).unwrap_or("").to_owned();
        let descriptor = self.number_at(a, 2)?;
        let events = a.get(3).and_then(|event| args::field(event, "events"));
        let words = events.map(args::words).unwrap_or_default();
        let watched = Watched {
            events: words
                .iter()
                .filter_map(|w| w.strip_prefix("EPOLL"))
                .map(str::to_owned)
                .collect(),
            edge: words.contains(&"EPOLLET"),
            once: words.contains(&"EPOLLONESHOT"),
            told: None,
            silent: false,
            data: a.get(3).and_then(|event| self.epoll_data(event)),
        };
        if !self.files.contains_key(&descriptor) {
            return Ok(Attempt::Error("EBADF"));
        }
        let known = self.epoll(epoll)?.watched.contains_key(&descriptor);
        let table = &mut self.epoll(epoll)?.watched;
        match (operation.as_str(), known) {
            ("EPOLL_CTL_ADD", true) => return Ok(Attempt::Error("EEXIST")),
            ("EPOLL_CTL_MOD" | "EPOLL_CTL_DEL", false) => return Ok(Attempt::Error("ENOENT")),
            ("EPOLL_CTL_ADD" | "EPOLL_CTL_MOD", _) => {
                table.insert(descriptor, watched);
            }
            ("EPOLL_CTL_DEL", _) => {
                table.remove(&descriptor);
            }
            _ => return Ok(Attempt::Unknown(format!("epoll_ctl {operation}"))),
        }
        Ok(Attempt::Done(0))
    }

    pub(super) fn call_epoll_wait(
        &mut self,
        a: &[Expr],
        progress: &Progress,
    ) -> Result<Attempt, Attempt> {
        let epoll = args::descriptor(a)?;
        let timeout = self.number_at(a, 3)?;
        let watched: Vec<(i64, Watched)> =
            self.epoll(epoll)?.watched.iter().map(|(d, w)| (*d, w.clone())).collect();
        let mut found = Vec::new();
        for (descriptor, mut watch) in watched {
            if let Some(events) = self.report(descriptor, &mut watch) {
                found.push((watch.data, events));
            }
            self.epoll(epoll)?.watched.insert(descriptor, watch);
        }
        if found.is_empty() {
            let over = self.is_over(progress, timeout);
            return Ok(if over { Attempt::Done(0) } else { Attempt::Blocked });
        }
        let expected = args::at(a, 1)?;
        let events = args::field(expected, "events").map(args::words).unwrap_or_default();
        let wanted = self.epoll_data(expected);
        let fits = found.iter().any(|(data, kinds)| same(&events, kinds) && *data == wanted);
        let ignored = matches!(expected, Expr::Ellipsis) || is_zero(expected);
        Ok(if fits || ignored {
            Attempt::Done(found.len() as i64)
        } else {
            Attempt::Wrong(format!("epoll tells {found:?}, expected {events:?}"))
        })
    }

    /// The member of `epoll_event` that is the application's own, whichever of its names a script uses.
    fn epoll_data(&self, event: &Expr) -> Option<i64> {
        let names = ["fd", "ptr", "u32", "u64"];
        let data = names.iter().find_map(|name| args::field(event, name));
        data.and_then(|data| args::number(data, self.settings.system))
    }

    /// What is to be told about a watched descriptor, if anything.
    fn report(&mut self, descriptor: i64, watch: &mut Watched) -> Option<Vec<String>> {
        let ready = self.ready(descriptor);
        let activity = match self.socket(descriptor).ok()?.place {
            Place::Tcp(id) => self.host().activity.get(&id).copied().unwrap_or_default(),
            _ => [0; 3],
        };
        let shown = |kind: &&&str| {
            matches!(**kind, "ERR" | "HUP") || watch.events.iter().any(|asked| asked == **kind)
        };
        let names: Vec<String> =
            ready.iter().filter(shown).map(|kind| format!("EPOLL{kind}")).collect();
        let notices = self.socket(descriptor).map_or(0, |socket| socket.notices.count);
        let state = (ready, activity, notices);
        let again = watch.edge && watch.told.as_ref() == Some(&state);
        if names.is_empty() || again || watch.silent {
            if names.is_empty() {
                watch.told = None;
            }
            return None;
        }
        watch.told = Some(state);
        watch.silent = watch.once;
        Some(names)
    }
}

/// The same words, in whatever order.
fn same(wanted: &[&str], found: &[String]) -> bool {
    wanted.len() == found.len() && wanted.iter().all(|w| found.iter().any(|f| f == w))
}

/// `{events=0, ptr=0}`: nothing is to be told.
fn is_zero(expected: &Expr) -> bool {
    let zero = |field: &Field| field.value == Expr::Integer(0);
    matches!(expected, Expr::Struct(fields) if fields.iter().all(zero))
}
