//! Names of sockets: a slab index and a generation, so that a late call never meets a stranger.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $short:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            pub(crate) index: u32,
            pub(crate) generation: u32,
        }

        impl $name {
            pub(crate) const fn new((index, generation): (u32, u32)) -> Self {
                Self { index, generation }
            }

            /// The name that [`as_u64`](Self::as_u64) made a number of. Another number names no
            /// socket, or at worst one of the same stack.
            #[must_use]
            pub const fn from_u64(number: u64) -> Self {
                Self { index: number as u32, generation: (number >> 32) as u32 }
            }

            /// The slot and the generation as one number, for tables of the caller.
            #[must_use]
            pub const fn as_u64(self) -> u64 {
                ((self.generation as u64) << 32) | self.index as u64
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($short, "{}.{}"), self.index, self.generation)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    };
}

id! {
    /// A TCP connection of one [`Stack`](crate::Stack).
    TcpId, "tcp#"
}
id! {
    /// A TCP listener of one [`Stack`](crate::Stack).
    ListenerId, "listener#"
}
id! {
    /// An ICMP endpoint of one [`Stack`](crate::Stack).
    IcmpId, "icmp#"
}
id! {
    /// A tunnel of one [`Stack`](crate::Stack).
    TunnelId, "tunnel#"
}
id! {
    /// A UDP socket of one [`Stack`](crate::Stack).
    UdpId, "udp#"
}
