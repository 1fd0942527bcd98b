//! Why a device could not be opened, in one line that says what to do.

use std::error::Error;
use std::fmt;
use std::io;

/// A TAP device could not be opened or set up. It comes inside of an [`io::Error`] of the same kind.
#[derive(Debug)]
pub struct TapError {
    name: String,
    step: Step,
    source: io::Error,
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// To open a queue.
    Open,
    /// To agree on headers and offload.
    Negotiate,
    /// To set an address, the MTU, or the interface up.
    Configure,
}

impl Step {
    /// The error of this step with the device called `name`.
    pub(super) fn failed(self, name: &str, source: io::Error) -> io::Error {
        let kind = source.kind();
        io::Error::new(kind, TapError { name: name.to_owned(), step: self, source })
    }
}

impl TapError {
    fn advice(&self) -> Option<String> {
        let name = &self.name;
        Some(match (self.source.kind(), self.step) {
            (io::ErrorKind::PermissionDenied, _) => format!(
                "it needs the right CAP_NET_ADMIN: run it in a namespace of its own (unshare -Urn \
                 COMMAND), or have the device made for you (ip tuntap add dev {name} mode tap user \
                 YOU) and leave its address as it is"
            ),
            (io::ErrorKind::NotFound, Step::Open) => "there is no /dev/net/tun here: load the \
                 kernel's module tun, or pass the device into the container; creating devices also \
                 needs the right CAP_NET_ADMIN (unshare -Urn COMMAND gives it)"
                .into(),
            (io::ErrorKind::ResourceBusy, Step::Open) => "another program uses it".into(),
            (io::ErrorKind::InvalidInput, Step::Open) => {
                "it is no TAP device, or its name is none".into()
            }
            _ => return None,
        })
    }
}

impl fmt::Display for TapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Open => "open",
            Step::Negotiate => "negotiate the offload of",
            Step::Configure => "configure",
        };
        write!(f, "cannot {step} the TAP device {}: {}", self.name, self.source)?;
        match self.advice() {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl Error for TapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_named_with_the_way_to_it() {
        let refused = io::Error::from_raw_os_error(1); // EPERM
        let error = Step::Open.failed("fyke0", refused);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let text = error.to_string();
        for part in ["fyke0", "CAP_NET_ADMIN", "unshare -Urn COMMAND", "ip tuntap add dev fyke0"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        assert!(!text.contains('\n') && !text.contains("  "), "{text}");
        assert!(error.get_ref().and_then(Error::source).is_some());
    }

    #[test]
    fn what_is_not_there_and_what_is_taken_say_so() {
        let text = |kind: io::ErrorKind| Step::Open.failed("t0", kind.into()).to_string();
        assert!(text(io::ErrorKind::NotFound).contains("/dev/net/tun"));
        assert!(text(io::ErrorKind::ResourceBusy).contains("another program"));
    }
}
