//! What the settings and routes of scripts say of path MTUs.

use std::time::Duration;

use fyke_stack::tcp::{MtuConfig, MtuProbing};

use super::kernel::Kernel;

/// Sets what Linux has `net.ipv4.tcp_*` for; none when the value is none.
pub(super) fn set(mtu: &mut MtuConfig, name: &str, value: i64) -> Option<()> {
    let bytes = u16::try_from(value);
    match name {
        "mtu_probing" => {
            mtu.probing = match value {
                0 => MtuProbing::Off,
                1 => MtuProbing::AfterBlackHole,
                2 => MtuProbing::Always,
                _ => return None,
            };
        }
        "base_mss" => mtu.base_mss = bytes.ok()?,
        "mtu_probe_floor" => mtu.floor_mss = bytes.ok()?,
        "probe_threshold" => mtu.threshold_bytes = bytes.ok()?,
        "probe_interval" => mtu.interval = Duration::from_secs(u64::try_from(value).ok()?),
        _ => return None,
    }
    Some(())
}

/// What a route to the peer says of the packets on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RouteHabits {
    mtu: Option<u16>,
    advertised_mss: Option<u16>,
    initial_window: Option<u32>,
}

impl RouteHabits {
    /// `route change PEER via GATEWAY dev tun0 advmss 600 mtu lock 640 initcwnd 11`, when it says
    /// something that is understood.
    pub(super) fn read(arguments: &[String]) -> Option<Self> {
        let mut words = arguments.iter().filter(|word| *word != "-6" && *word != "lock");
        words.next().filter(|word| *word == "route")?;
        words.next().filter(|word| *word == "change" || *word == "replace")?;
        let _peer = words.next()?;
        let mut habits = Self::default();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            match name.as_str() {
                "mtu" => habits.mtu = Some(value.parse().ok()?),
                "advmss" => habits.advertised_mss = Some(value.parse().ok()?),
                "initcwnd" => habits.initial_window = Some(value.parse().ok()?),
                "via" | "dev" => {}
                _ => return None,
            }
        }
        // What is advertised is what the MTU leaves: there is no word for anything else.
        let (mtu, mss) = (habits.mtu?, habits.advertised_mss);
        let leaves = |headers| mtu.checked_sub(headers) == mss;
        (mss.is_none() || leaves(40) || leaves(60)).then_some(habits)
    }
}

impl Kernel {
    /// The route to the peer has other habits from now on.
    pub(super) fn change_route(&mut self, habits: RouteHabits) {
        if let Some(mtu) = habits.mtu {
            self.config.mtu = mtu;
            if self.host_if_made().is_some() {
                self.host().set_mtu(mtu);
            }
        }
        if let Some(segments) = habits.initial_window {
            let congestion = &mut self.settings.stack.tcp.congestion;
            congestion.initial_window_segments = segments;
            congestion.initial_window_bytes = u32::MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<RouteHabits> {
        RouteHabits::read(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn routes_say_what_they_carry() {
        let route = read("route change 192.0.2.1 via 1.2.3.4 dev tun0 mtu lock 640 initcwnd 11");
        let route = route.unwrap();
        assert_eq!((route.mtu, route.initial_window), (Some(640), Some(11)));
        assert!(read("-6 route change ::1 via ::2 dev tun0 advmss 600 mtu lock 660").is_some());
        for other in ["route change x", "route change x advmss 600 mtu 700", "link set", "route"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn settings_reach_the_search() {
        let mut mtu = MtuConfig::linux();
        for (name, value) in [("mtu_probing", 2), ("base_mss", 512), ("probe_threshold", 9)] {
            assert_eq!(set(&mut mtu, name, value), Some(()));
        }
        assert_eq!(set(&mut mtu, "probe_interval", 60), Some(()));
        assert_eq!((mtu.probing, mtu.base_mss), (MtuProbing::Always, 512));
        assert_eq!((mtu.threshold_bytes, mtu.interval), (9, Duration::from_secs(60)));
        assert_eq!(set(&mut mtu, "mtu_probing", 3), None);
        assert_eq!(set(&mut mtu, "base_mss", -1), None);
    }
}
