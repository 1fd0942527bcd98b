//! What a script does to the real kernel's settings, taken over: upstream's scripts begin with commands
//! like `sysctl -q net.ipv4.tcp_timestamps=0`, and these go to the machine's kernel, not to us.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where Linux shows its settings of TCP.
const FOLDER: &str = "/proc/sys/net/ipv4";

/// The kernel's settings of TCP at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot(BTreeMap<String, String>);

impl Snapshot {
    /// The settings now; none where they cannot be read.
    pub(crate) fn take() -> Self {
        Self::of(Path::new(FOLDER))
    }

    fn of(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let settings = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let value = fs::read_to_string(entry.path()).ok()?;
            let words = value.split_whitespace().collect::<Vec<_>>().join(" ");
            name.starts_with("tcp_").then(|| (format!("net.ipv4.{name}"), words))
        });
        Self(settings.collect())
    }

    /// What is other than in `before`.
    pub(crate) fn changed_since(&self, before: &Self) -> Vec<(&str, &str)> {
        let changed = self.0.iter().filter(|(name, value)| before.0.get(*name) != Some(value));
        changed.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_taken_over() {
        let folder = std::env::temp_dir().join(format!("fyke-sysctl-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, value: &str| fs::write(folder.join(name), value).unwrap();
        write("tcp_timestamps", "1\n");
        write("tcp_wmem", "4096\t16384\t4194304\n");
        write("ip_forward", "0\n");
        let before = Snapshot::of(&folder);
        write("tcp_wmem", "4096\t5\t6\n");
        write("ip_forward", "1\n");
        let after = Snapshot::of(&folder);
        assert_eq!(after.changed_since(&before), [("net.ipv4.tcp_wmem", "4096 5 6")]);
        assert!(before.changed_since(&before).is_empty());
        fs::remove_dir_all(&folder).unwrap();
    }
}
