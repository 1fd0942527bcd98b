//! Options of sockets that scripts give as numbers: older than the name, or not in packetdrill's table.

use super::super::system::System;
use super::args;
use crate::script::Expr;

/// Linux's numbers of options of TCP (level 6).
const LINUX_TCP: &[(i64, &str)] = &[
    (1, "TCP_NODELAY"),
    (2, "TCP_MAXSEG"),
    (3, "TCP_CORK"),
    (4, "TCP_KEEPIDLE"),
    (5, "TCP_KEEPINTVL"),
    (6, "TCP_KEEPCNT"),
    (7, "TCP_SYNCNT"),
    (8, "TCP_LINGER2"),
    (9, "TCP_DEFER_ACCEPT"),
    (10, "TCP_WINDOW_CLAMP"),
    (12, "TCP_QUICKACK"),
    (13, "TCP_CONGESTION"),
    (14, "TCP_MD5SIG"),
    (18, "TCP_USER_TIMEOUT"),
    (19, "TCP_REPAIR"),
    (23, "TCP_FASTOPEN"),
    (24, "TCP_TIMESTAMP"),
    (25, "TCP_NOTSENT_LOWAT"),
    (30, "TCP_FASTOPEN_CONNECT"),
    (33, "TCP_FASTOPEN_KEY"),
    (34, "TCP_FASTOPEN_NO_COOKIE"),
    (36, "TCP_INQ"),
];

/// FreeBSD's.
const FREEBSD_TCP: &[(i64, &str)] = &[
    (1, "TCP_NODELAY"),
    (2, "TCP_MAXSEG"),
    (4, "TCP_NOPUSH"),
    (8, "TCP_NOOPT"),
    (16, "TCP_MD5SIG"),
    (64, "TCP_CONGESTION"),
    (128, "TCP_KEEPINIT"),
    (256, "TCP_KEEPIDLE"),
    (512, "TCP_KEEPINTVL"),
    (1024, "TCP_KEEPCNT"),
    (1025, "TCP_FASTOPEN"),
    (8192, "TCP_FUNCTION_BLK"),
];

/// Linux's numbers of options of all sockets (level 1).
const LINUX_SOCKET: &[(i64, &str)] = &[
    (2, "SO_REUSEADDR"),
    (4, "SO_ERROR"),
    (7, "SO_SNDBUF"),
    (8, "SO_RCVBUF"),
    (9, "SO_KEEPALIVE"),
    (12, "SO_PRIORITY"),
    (13, "SO_LINGER"),
    (15, "SO_REUSEPORT"),
    (36, "SO_MARK"),
    (37, "SO_TIMESTAMPING"),
    (47, "SO_MAX_PACING_RATE"),
    (60, "SO_ZEROCOPY"),
];

/// The name of the option that the arguments of setsockopt or getsockopt are about; of one without a
/// name, its level and number.
pub(super) fn option(a: &[Expr], system: System) -> String {
    let (level, option) = (a.get(1), a.get(2));
    if let Some(word) = option.and_then(args::word) {
        return word.to_owned();
    }
    let Some(Expr::Integer(number)) = option else { return format!("{option:?}") };
    let is = |names: &[&str], value: i64| match level {
        Some(Expr::Word(word)) => names.contains(&word.as_str()),
        Some(Expr::Integer(level)) => *level == value,
        _ => false,
    };
    let table: &[(i64, &str)] = match system {
        System::Linux if is(&["SOL_SOCKET"], 1) => LINUX_SOCKET,
        System::Linux if is(&["SOL_TCP", "IPPROTO_TCP"], 6) => LINUX_TCP,
        System::FreeBsd if is(&["SOL_TCP", "IPPROTO_TCP"], 6) => FREEBSD_TCP,
        _ => &[],
    };
    let known = table.iter().find(|(n, _)| n == number);
    known.map_or_else(|| format!("number {number}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_names_of_their_system_and_level() {
        let word = |text: &str| Expr::Word(text.to_owned());
        let name = |level, number, system| option(&[Expr::Integer(3), level, number], system);
        let tcp = || word("IPPROTO_TCP");
        assert_eq!(name(tcp(), Expr::Integer(23), System::Linux), "TCP_FASTOPEN");
        assert_eq!(name(Expr::Integer(6), Expr::Integer(1), System::Linux), "TCP_NODELAY");
        assert_eq!(name(tcp(), Expr::Integer(1025), System::FreeBsd), "TCP_FASTOPEN");
        assert_eq!(name(word("SOL_SOCKET"), Expr::Integer(13), System::Linux), "SO_LINGER");
        assert_eq!(name(tcp(), Expr::Integer(99), System::Linux), "number 99");
        assert_eq!(name(tcp(), word("TCP_CORK"), System::Linux), "TCP_CORK");
    }
}
