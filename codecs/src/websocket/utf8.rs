//! UTF-8, checked as it arrives: the first byte that cannot be right is an error at once.

/// A checker that remembers a character cut in two.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8Check {
    held: [u8; 4],
    len: u8,
}

impl Utf8Check {
    /// Takes the next bytes; `false` when the text cannot be UTF-8, whatever follows.
    #[inline]
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while self.len > 0 {
            let [byte, rest @ ..] = bytes else { return true };
            self.held[usize::from(self.len)] = *byte;
            self.len += 1;
            bytes = rest;
            match core::str::from_utf8(&self.held[..usize::from(self.len)]) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match simdutf8::compat::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let cut = &bytes[error.valid_up_to()..];
                self.held[..cut.len()].copy_from_slice(cut);
                self.len = cut.len() as u8;
                true
            }
        }
    }

    /// Whether the text may end here; starts over.
    #[inline]
    pub(crate) fn finish(&mut self) -> bool {
        core::mem::take(&mut self.len) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]]) -> bool {
        let mut check = Utf8Check::default();
        pieces.iter().all(|piece| check.feed(piece)) && check.finish()
    }

    #[test]
    fn agrees_with_the_standard_library_at_every_cut() {
        let texts: [&[u8]; 12] = [
            b"",
            b"plain",
            "\u{e4}\u{20ac}\u{1f41f}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}".as_bytes(),
            b"\xc0\xaf",
            b"\xe0\x9f\xbf",
            b"\xed\xa0\x80",
            b"\xf0\x8f\xbf\xbf",
            b"\xf4\x90\x80\x80",
            b"\xf8\x88\x80\x80\x80",
            b"a\x80",
            b"\xe2\x82",
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64",
        ];
        for text in texts {
            let expected = core::str::from_utf8(text).is_ok();
            for a in 0..=text.len() {
                for b in a..=text.len() {
                    assert_eq!(check(&[&text[..a], &text[a..b], &text[b..]]), expected, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn fails_on_the_first_byte_that_is_wrong() {
        let mut check = Utf8Check::default();
        assert!(check.feed(b"\xf4"));
        assert!(!check.feed(b"\x90"));
        let mut check = Utf8Check::default();
        assert!(!check.feed(b"ok\xf4\x90"));
    }
}
