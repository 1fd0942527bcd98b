//! What a transport can do beyond moving bytes, so that a handler may choose the cheaper way.

/// How a transport does what all of them do in some way. Asked for by
/// [`Ctx::capabilities`](crate::Ctx::capabilities).
///
/// Nothing fails for want of one: what a transport lacks is done by copying, in the same order, with
/// the same promises and errors.
///
/// | transport | [`send_file`](Self::send_file) | [`splice`](Self::splice) | [`zero_copy`](Self::zero_copy) | [`mapped_file`](Self::mapped_file) |
/// |---|---|---|---|---|
/// | kernel, TCP | `sendfile` | yes | yes | yes |
/// | kernel, Unix streams | `sendfile` | yes | no | yes |
/// | blocking (BIO) | copied: `sendfile` would block | no | no | no |
/// | in memory, userspace stack | copied | no | no | no |
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// [File regions](crate::FileRegion) go from the page cache to the socket inside the kernel. A
    /// transport without this reads them on its loop, piece by piece as there is room; where that must
    /// not wait for a disk, put [`ChunkedFiles`](crate::handlers::ChunkedFiles) into the pipeline.
    pub send_file: bool,
    /// Bytes can be carried from one channel to another without entering the program
    /// ([`Ctx::splice_reads`](crate::Ctx::splice_reads)).
    pub splice: bool,
    /// Large writes can leave from where they lie
    /// ([`SocketOptions::zero_copy`](crate::SocketOptions::zero_copy)).
    pub zero_copy: bool,
    /// Files that are mapped into memory are sent from there.
    pub mapped_file: bool,
}

impl Capabilities {
    /// None of them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident),*) => {
        impl Capabilities {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(mut self, able: bool) -> Self {
                self.$name = able;
                self
            })*
        }
    };
}

setters!(
    /// Sets [`Self::send_file`].
    send_file,
    /// Sets [`Self::splice`].
    splice,
    /// Sets [`Self::zero_copy`].
    zero_copy,
    /// Sets [`Self::mapped_file`].
    mapped_file
);
