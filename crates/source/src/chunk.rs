//! Whole logs in large pieces, for those who want all of one and no more.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;

use crate::frame::{Frame, LINE_MAX};

/// Reads a log in pieces of whole lines; see [`chunks`].
pub struct Chunks<R> {
    reader: R,
    size: usize,
    rest: Vec<u8>,
    skipping: bool,
    ended: bool,
}

/// A piece of a log. Its memory is used again when it is read into again.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    lines: Range<usize>,
}

impl Chunk {
    /// Whole lines, each ending in a newline and no longer than [`LINE_MAX`].
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        self.bytes.get(self.lines.clone()).unwrap_or_default()
    }
}

/// Cuts what it reads into pieces of about `size` bytes (at least 256 KiB) of whole lines. A last line without newline gets one.
/// Memory is one piece, whatever the log holds.
pub fn chunks<R: Read>(reader: R, size: usize) -> Chunks<R> {
    Chunks { reader, size: size.max(4 * LINE_MAX), rest: Vec::new(), skipping: false, ended: false }
}

impl<R: Read> Chunks<R> {
    /// Reads the next piece; false at the end.
    ///
    /// # Errors
    /// What the reader says. It can be asked again.
    pub fn read(&mut self, chunk: &mut Chunk) -> io::Result<bool> {
        chunk.bytes.resize(self.size, 0);
        chunk.lines = 0..0;
        while !self.ended && chunk.lines.is_empty() {
            let filled = self.fill(&mut chunk.bytes)?;
            chunk.lines = self.cut(chunk.bytes.get_mut(..filled).unwrap_or_default());
        }
        Ok(!chunk.lines.is_empty())
    }

    /// Fills the piece with what is left of the last one and as much as there is; its length.
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut filled = self.rest.len();
        bytes.get_mut(..filled).unwrap_or_default().copy_from_slice(&self.rest);
        // One byte stays free for the newline that the last line may lack.
        let room = bytes.len() - 1;
        while filled < room && !self.ended {
            match self.reader.read(bytes.get_mut(filled..room).unwrap_or_default()) {
                Ok(read) => {
                    self.ended = read == 0;
                    filled += read;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.rest = bytes.get(..filled).unwrap_or_default().to_vec();
                    return Err(error);
                }
            }
        }
        Ok(if self.ended { close(bytes, filled) } else { filled })
    }

    /// Moves all whole lines together and keeps the rest.
    fn cut(&mut self, bytes: &mut [u8]) -> Range<usize> {
        let (mut at, mut end) = (0, 0);
        loop {
            let piece = bytes.get_mut(at..).unwrap_or_default();
            let frame = Frame::of(piece, self.skipping);
            self.skipping = frame.skipping;
            if frame.consumed == 0 {
                break;
            }
            let lines = frame.tidy(piece);
            let lines = at + lines.start..at + lines.end;
            at += frame.consumed;
            let length = lines.len();
            if lines.start != end {
                bytes.copy_within(lines, end);
            }
            end += length;
        }
        self.rest.clear();
        self.rest.extend_from_slice(bytes.get(at..).unwrap_or_default());
        0..end
    }
}

/// Ends the last line.
fn close(bytes: &mut [u8], filled: usize) -> usize {
    let last = filled.checked_sub(1).and_then(|last| bytes.get(last));
    if last.is_none_or(|last| matches!(last, b'\n' | 0)) {
        return filled;
    }
    bytes.get_mut(filled).map_or(filled, |after| {
        *after = b'\n';
        filled + 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(log: &[u8]) -> Vec<u8> {
        let mut chunks = chunks(log, 0);
        let mut chunk = Chunk::default();
        let mut all = Vec::new();
        while chunks.read(&mut chunk).unwrap() {
            assert!(chunk.lines().ends_with(b"\n"));
            all.extend_from_slice(chunk.lines());
        }
        all
    }

    #[test]
    fn gives_all_lines() {
        let line = |n: usize| [vec![b'a'; n % 300], b"\n".to_vec()].concat();
        let log: Vec<u8> = (0..10_000).flat_map(line).collect();
        assert!(read_all(&log) == log);
        assert!(read_all(&log[..log.len() - 1]) == log);
        assert!(read_all(b"").is_empty());
        assert_eq!(read_all(b"a"), b"a\n");
    }

    #[test]
    fn cuts_what_is_too_long() {
        let long = [vec![b'x'; 3_000_000], b"\n".to_vec()].concat();
        let log = [b"a\n", &long[..], b"b\n", &long, &long, b"c"].concat();
        let cut = [vec![b'x'; LINE_MAX], b"\n".to_vec()].concat();
        assert!(read_all(&log) == [b"a\n", &cut[..], b"b\n", &cut, &cut, b"c\n"].concat());
    }

    #[test]
    fn holes_are_nothing() {
        let hole = vec![0; 1_000_000];
        assert_eq!(read_all(&[&hole[..], b"a\nb", &hole, b"c\n", &hole].concat()), b"a\nb\nc\n");
    }
}
