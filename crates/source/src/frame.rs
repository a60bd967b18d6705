//! Which part of a piece of log is whole lines.
//!
//! The rules, byte by byte, so that they do not depend on where one piece ends and the next begins: `\n` ends a line. A run of
//! NUL bytes in the middle of a line ends it too, and at the start of a line is nothing: no log writer writes NUL, it is what
//! a file system leaves in blocks that were never written before a crash, or a writer without `O_APPEND` leaves before its old
//! offset after a truncation. Of a line longer than [`LINE_MAX`] the rest is dropped.

use std::ops::Range;

use memchr::{memchr, memchr2, memrchr};

/// The longest line that is handed on whole, without its newline.
pub const LINE_MAX: usize = 64 << 10;

/// What can be taken from the start of a piece of log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where the lines are.
    lines: Range<usize>,
    /// How many bytes are done with; the rest is to be looked at again with what follows it.
    pub(crate) consumed: usize,
    /// Whether what follows is the rest of a line that was cut.
    pub(crate) skipping: bool,
    /// Whether the last line was cut.
    pub(crate) cut: bool,
}

impl Frame {
    /// Finds the lines in a piece of log.
    pub(crate) fn of(bytes: &[u8], skipping: bool) -> Self {
        let skipped = if skipping { memchr2(b'\n', 0, bytes).map(|end| end + 1) } else { Some(0) };
        let Some(skipped) = skipped else {
            return Self { skipping: true, ..Self::new(0..0, bytes.len()) };
        };
        let zeros = leading_zeros(from(bytes, skipped));
        let start = skipped + zeros;
        if start == bytes.len() {
            // More of them may be data that the file system shows late; a whole line's worth is not.
            return Self::new(0..0, if zeros > LINE_MAX { start } else { skipped });
        }
        match whole(from(bytes, start)) {
            0 => Self::without_newline(bytes, start),
            length => Self::new(start..start + length, start + length),
        }
    }

    /// Makes the lines contiguous and well-formed; where they are then.
    pub(crate) fn tidy(&self, bytes: &mut [u8]) -> Range<usize> {
        let Some(lines) = bytes.get_mut(self.lines.clone()) else { return 0..0 };
        if let Some(last) = lines.last_mut() {
            *last = b'\n';
        }
        self.lines.start..self.lines.start + break_at_zeros(lines)
    }

    const fn new(lines: Range<usize>, consumed: usize) -> Self {
        Self { lines, consumed, skipping: false, cut: false }
    }

    /// No newline within the longest line: it is torn by NULs, or too long, or simply not yet there.
    fn without_newline(bytes: &[u8], start: usize) -> Self {
        let rest = from(bytes, start);
        if let Some(torn) = memchr(0, upto(rest, LINE_MAX + 1)) {
            let after = torn + leading_zeros(from(rest, torn));
            let waits = after == rest.len() && after <= LINE_MAX;
            let end = start + torn + 1;
            return if waits { Self::new(0..0, start) } else { Self::new(start..end, start + after) };
        }
        if rest.len() <= LINE_MAX {
            return Self::new(0..0, start);
        }
        let end = start + LINE_MAX + 1;
        match memchr2(b'\n', 0, from(bytes, end)) {
            Some(newline) => Self { cut: true, ..Self::new(start..end, end + newline + 1) },
            None => Self { cut: true, skipping: true, ..Self::new(start..end, bytes.len()) },
        }
    }
}

/// The length of the whole lines at the start, each of them no longer than allowed. It goes from window to window instead of
/// looking at each line.
fn whole(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(newline) = memrchr(b'\n', upto(from(bytes, end), LINE_MAX + 1)) {
        end += newline + 1;
    }
    end
}

/// Turns each run of NULs within a line into a newline and takes out those at the start of one; the length that is left.
fn break_at_zeros(lines: &mut [u8]) -> usize {
    let Some(first) = memchr(0, lines) else { return lines.len() };
    let mut to = first;
    let mut at_start = first == 0 || lines.get(first - 1) == Some(&b'\n');
    for from in first..lines.len() {
        let byte = lines.get(from).copied().unwrap_or_default();
        if byte == 0 && at_start {
            continue;
        }
        let byte = if byte == 0 { b'\n' } else { byte };
        at_start = byte == b'\n';
        if let Some(slot) = lines.get_mut(to) {
            *slot = byte;
            to += 1;
        }
    }
    to
}

fn leading_zeros(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == 0).count()
}

fn from(bytes: &[u8], start: usize) -> &[u8] {
    bytes.get(start..).unwrap_or_default()
}

fn upto(bytes: &[u8], end: usize) -> &[u8] {
    bytes.get(..end).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rules of the module's head, one byte at a time.
    fn oracle(bytes: &[u8]) -> Vec<u8> {
        let (mut out, mut line, mut skipping) = (Vec::new(), 0, false);
        for byte in bytes {
            match byte {
                b'\n' | 0 if skipping => (line, skipping) = (0, false),
                0 if line == 0 => {}
                b'\n' | 0 => {
                    out.push(b'\n');
                    line = 0;
                }
                _ if skipping => {}
                _ if line == LINE_MAX => {
                    out.push(b'\n');
                    skipping = true;
                }
                byte => {
                    out.push(*byte);
                    line += 1;
                }
            }
        }
        out.truncate(memrchr(b'\n', &out).map_or(0, |end| end + 1));
        out
    }

    /// Reads the log as the sources do: a window that starts after what is consumed and shows more each time.
    fn framed(log: &[u8], steps: &[usize]) -> Vec<u8> {
        let (mut out, mut offset, mut shown, mut skipping) = (Vec::new(), 0, 0, false);
        let mut steps = steps.iter().cycle();
        loop {
            let mut window = log[offset..shown].to_vec();
            let frame = Frame::of(&window, skipping);
            let lines = frame.tidy(&mut window);
            assert!(frame.lines.end <= frame.consumed || frame.lines.is_empty());
            out.extend_from_slice(&window[lines]);
            offset += frame.consumed;
            let progress = frame.consumed > 0 || frame.skipping != skipping;
            skipping = frame.skipping;
            if !progress && shown == log.len() {
                return out;
            }
            if !progress || shown - offset < 1000 {
                shown = log.len().min(shown + steps.next().unwrap());
            }
        }
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            8 => "[a-z]{0,20}\n".prop_map(String::into_bytes),
            2 => "[a-z]{1,20}".prop_map(String::into_bytes),
            2 => (0_usize..20).prop_map(|n| vec![0; n]),
            1 => (LINE_MAX - 20..LINE_MAX + 20).prop_map(|n| vec![b'x'; n]),
            1 => (LINE_MAX - 20..2 * LINE_MAX).prop_map(|n| vec![0; n]),
            1 => Just(b"\n".to_vec()),
        ]
    }

    proptest! {
        #[test]
        fn does_not_depend_on_the_pieces(
            log in prop::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.concat()),
            steps in prop::collection::vec(1_usize..100_000, 1..8),
        ) {
            let mut log = log;
            // What waits at the end for more is not part of the comparison.
            log.extend_from_slice(b"end\n");
            prop_assert!(framed(&log, &steps) == oracle(&log));
        }
    }

    #[test]
    fn a_partial_line_waits() {
        assert_eq!(Frame::of(b"a\nb", false), Frame::new(0..2, 2));
        assert_eq!(Frame::of(b"b", false), Frame::new(0..0, 0));
        assert_eq!(Frame::of(b"b\0", false), Frame::new(0..0, 0));
        assert_eq!(Frame::of(b"", true), Frame { skipping: true, ..Frame::new(0..0, 0) });
    }
}
