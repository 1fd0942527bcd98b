//! The hex dump of logs, laid out like Netty's.

use core::fmt;

const ROW_BYTES: usize = 16;

/// Bytes as a table when displayed: offset, 16 bytes in hexadecimal, the same as ASCII.
///
/// ```
/// use fyke_buffer::HexDump;
///
/// let expected = "\
///          +-------------------------------------------------+
///          |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |
/// +--------+-------------------------------------------------+----------------+
/// |00000000| 47 45 54 20 2f 0d 0a                            |GET /..         |
/// +--------+-------------------------------------------------+----------------+";
/// # // The doctest strips one leading space of each line; compare without the margin.
/// # let strip = |text: &str| text.lines().map(|l| l.trim().to_owned()).collect::<Vec<_>>();
/// assert_eq!(strip(&HexDump(b"GET /\r\n").to_string()), strip(expected));
/// ```
#[derive(Clone, Copy)]
pub struct HexDump<'a>(pub &'a [u8]);

const HEAD: &str = "         +-------------------------------------------------+
         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |
";
const RULE: &str = "+--------+-------------------------------------------------+----------------+";

impl fmt::Display for HexDump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}{RULE}")?;
        for (row, bytes) in self.0.chunks(ROW_BYTES).enumerate() {
            write!(f, "|{:08x}| ", row * ROW_BYTES)?;
            for byte in bytes {
                write!(f, "{byte:02x} ")?;
            }
            let missing = ROW_BYTES - bytes.len();
            write!(f, "{:width$}|", "", width = 3 * missing)?;
            for &byte in bytes {
                let shown = if byte == b' ' || byte.is_ascii_graphic() { byte } else { b'.' };
                write!(f, "{}", char::from(shown))?;
            }
            writeln!(f, "{:missing$}|", "")?;
        }
        f.write_str(RULE)
    }
}

impl fmt::Debug for HexDump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
