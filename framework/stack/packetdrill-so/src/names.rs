//! Linux's numbers, by name.

use libc::c_int;

/// The number of an error.
pub(crate) fn errno(name: &str) -> c_int {
    match name {
        "EAGAIN" | "EWOULDBLOCK" => libc::EAGAIN,
        "EADDRINUSE" => libc::EADDRINUSE,
        "EADDRNOTAVAIL" => libc::EADDRNOTAVAIL,
        "EALREADY" => libc::EALREADY,
        "EBADF" => libc::EBADF,
        "ECONNABORTED" => libc::ECONNABORTED,
        "ECONNREFUSED" => libc::ECONNREFUSED,
        "ECONNRESET" => libc::ECONNRESET,
        "EFAULT" => libc::EFAULT,
        "EHOSTUNREACH" => libc::EHOSTUNREACH,
        "EINPROGRESS" => libc::EINPROGRESS,
        "EINVAL" => libc::EINVAL,
        "EISCONN" => libc::EISCONN,
        "EMSGSIZE" => libc::EMSGSIZE,
        "ENETUNREACH" => libc::ENETUNREACH,
        "ENOBUFS" => libc::ENOBUFS,
        "ENOENT" => libc::ENOENT,
        "ENOPROTOOPT" => libc::ENOPROTOOPT,
        "ENOTCONN" => libc::ENOTCONN,
        "ENOTSOCK" => libc::ENOTSOCK,
        "EOPNOTSUPP" => libc::EOPNOTSUPP,
        "EPIPE" => libc::EPIPE,
        "EPROTO" => libc::EPROTO,
        "ETIMEDOUT" => libc::ETIMEDOUT,
        _ => libc::EIO,
    }
}

/// Tell with each message how much is left.
const TCP_INQ: c_int = 36;
/// How much memory a socket holds.
const SO_MEMINFO: c_int = 55;

/// The name of a socket option.
pub(crate) fn option(level: c_int, number: c_int) -> Option<&'static str> {
    let found = OPTIONS.iter().find(|(l, n, _)| (*l, *n) == (level, number));
    found.map(|(_, _, name)| *name)
}

const OPTIONS: &[(c_int, c_int, &str)] = &[
    (libc::SOL_SOCKET, libc::SO_ERROR, "SO_ERROR"),
    (libc::SOL_SOCKET, libc::SO_REUSEADDR, "SO_REUSEADDR"),
    (libc::SOL_SOCKET, libc::SO_REUSEPORT, "SO_REUSEPORT"),
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE, "SO_KEEPALIVE"),
    (libc::SOL_SOCKET, libc::SO_SNDBUF, "SO_SNDBUF"),
    (libc::SOL_SOCKET, libc::SO_RCVBUF, "SO_RCVBUF"),
    (libc::SOL_SOCKET, libc::SO_LINGER, "SO_LINGER"),
    (libc::SOL_SOCKET, libc::SO_MARK, "SO_MARK"),
    (libc::SOL_SOCKET, libc::SO_PRIORITY, "SO_PRIORITY"),
    (libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE, "SO_MAX_PACING_RATE"),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY, "TCP_NODELAY"),
    (libc::IPPROTO_TCP, libc::TCP_CORK, "TCP_CORK"),
    (libc::IPPROTO_TCP, libc::TCP_MAXSEG, "TCP_MAXSEG"),
    (libc::IPPROTO_TCP, libc::TCP_QUICKACK, "TCP_QUICKACK"),
    (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT"),
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, "TCP_KEEPIDLE"),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, "TCP_KEEPINTVL"),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, "TCP_KEEPCNT"),
    (libc::IPPROTO_TCP, libc::TCP_SYNCNT, "TCP_SYNCNT"),
    (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT"),
    (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, "TCP_NOTSENT_LOWAT"),
    (libc::IPPROTO_TCP, libc::TCP_CONGESTION, "TCP_CONGESTION"),
    (libc::IPPROTO_TCP, libc::TCP_FASTOPEN, "TCP_FASTOPEN"),
    (libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, "TCP_FASTOPEN_CONNECT"),
    (libc::IPPROTO_TCP, libc::TCP_INFO, "TCP_INFO"),
    (libc::IPPROTO_TCP, TCP_INQ, "TCP_INQ"),
    (libc::IPPROTO_TCP, libc::TCP_CC_INFO, "TCP_CC_INFO"),
    (libc::SOL_SOCKET, SO_MEMINFO, "SO_MEMINFO"),
    (libc::IPPROTO_IP, libc::IP_TOS, "IP_TOS"),
    (libc::IPPROTO_IP, libc::IP_TTL, "IP_TTL"),
    (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, "IP_MTU_DISCOVER"),
    (libc::IPPROTO_IP, libc::IP_FREEBIND, "IP_FREEBIND"),
    (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, "IPV6_TCLASS"),
    (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, "IPV6_UNICAST_HOPS"),
];

/// The names of the flags of a call that sends or receives.
pub(crate) fn flags(bits: c_int) -> Vec<&'static str> {
    let names = [
        (libc::MSG_PEEK, "MSG_PEEK"),
        (libc::MSG_DONTWAIT, "MSG_DONTWAIT"),
        (libc::MSG_MORE, "MSG_MORE"),
        (libc::MSG_OOB, "MSG_OOB"),
        (libc::MSG_EOR, "MSG_EOR"),
        (libc::MSG_ERRQUEUE, "MSG_ERRQUEUE"),
        (libc::MSG_ZEROCOPY, "MSG_ZEROCOPY"),
        (libc::MSG_FASTOPEN, "MSG_FASTOPEN"),
    ];
    names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect()
}

/// The words of `struct tcp_info` behind its eight bytes, in Linux's order.
pub(crate) const TCP_INFO_WORDS: &[&str] = &[
    "rto",
    "ato",
    "snd_mss",
    "rcv_mss",
    "unacked",
    "sacked",
    "lost",
    "retrans",
    "fackets",
    "last_data_sent",
    "last_ack_sent",
    "last_data_recv",
    "last_ack_recv",
    "pmtu",
    "rcv_ssthresh",
    "rtt",
    "rttvar",
    "snd_ssthresh",
    "snd_cwnd",
    "advmss",
    "reordering",
    "rcv_rtt",
    "rcv_space",
    "total_retrans",
];
