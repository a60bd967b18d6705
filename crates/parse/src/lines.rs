//! Lines of a log.

/// The lines of a piece of log; see [`split_lines`].
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: &'a [u8],
}

/// Splits at `\n` and nowhere else: U+2028, U+0085, vertical tab and a lone `\r` are text, because the logger ended its
/// line with `\n` and whatever else stands in it came from a client. One `\r` right before the `\n` is taken off, as
/// terminals and Docker add it. A last line without `\n` counts; an empty piece has no lines.
#[must_use]
pub const fn split_lines(bytes: &[u8]) -> Lines<'_> {
    Lines { rest: bytes }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        // Lines are long enough for vectors from their first byte on.
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..).unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::split_lines;

    #[test]
    fn only_newlines_end_lines() {
        let got: Vec<&[u8]> = split_lines("a\u{2028}b\u{85}c\rd\r\n\ne".as_bytes()).collect();
        assert_eq!(got, ["a\u{2028}b\u{85}c\rd".as_bytes(), b"", b"e"]);
        assert_eq!(split_lines(b"").count(), 0);
        assert_eq!(split_lines(b"a\n").count(), 1);
    }
}
