//! What is remembered of a log file between two runs: how far it was read, and how to know it again under another name.
//!
//! A file is known by its content, not by its name or inode: the first bytes and those before the offset. So it is found after
//! a rename, in a copy, compressed, restored, or synced from elsewhere, and an inode that is used again fools nobody.

use std::fmt;
use std::str::{FromStr, SplitAsciiWhitespace};

/// How many bytes from the start of a file tell it from others: a time stamp, a program, a process id.
pub(crate) const HEAD: usize = 128;
/// How many bytes before the offset tell that the file is still the one that was read.
pub(crate) const TAIL: usize = 512;

/// How far a file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// All before it is done with.
    pub(crate) offset: u64,
    /// Whether it is within a line that was cut.
    pub(crate) skipping: bool,
    /// The first bytes, as many as were read, at most [`HEAD`].
    pub(crate) head: Vec<u8>,
    /// [`digest`] of the bytes before the offset, at most [`TAIL`].
    pub(crate) tail: u64,
}

/// The file before the one that is read: where all that is newer begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Previous {
    /// How far it was read.
    pub(crate) position: Position,
    /// Whether it is not to be read any more, however long it is.
    pub(crate) closed: bool,
}

/// The memory of a file source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The file that is being read; an offset of 0 means none yet, the next after the previous one.
    pub(crate) current: Position,
    /// The file before it; none where there was none when reading began.
    pub(crate) previous: Option<Previous>,
}

/// A text that is no cursor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoCursor;

/// FNV-1a: it tells logs apart and need not withstand anyone, since their time stamps are the logger's.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file1 {}", self.current)?;
        match &self.previous {
            Some(Previous { position, closed: false }) => write!(f, " open {position}"),
            Some(Previous { position, closed: true }) => write!(f, " closed {position}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let mut words = text.split_ascii_whitespace();
        if words.next() != Some("file1") {
            return Err(NoCursor);
        }
        let current = Position::parse(&mut words)?;
        let closed = match words.next() {
            None => return Ok(Self { current, previous: None }),
            Some("open") => false,
            Some("closed") => true,
            Some(_) => return Err(NoCursor),
        };
        let previous = Previous { position: Position::parse(&mut words)?, closed };
        if words.next().is_some() { Err(NoCursor) } else { Ok(Self { current, previous: Some(previous) }) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:x} =", self.offset, if self.skipping { "cut" } else { "line" }, self.tail)?;
        self.head.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Position {
    fn parse(words: &mut SplitAsciiWhitespace<'_>) -> Result<Self, NoCursor> {
        let mut word = || words.next().ok_or(NoCursor);
        let offset: u64 = word()?.parse().map_err(|_| NoCursor)?;
        let skipping = match word()? {
            "cut" => true,
            "line" => false,
            _ => return Err(NoCursor),
        };
        let tail = u64::from_str_radix(word()?, 16).map_err(|_| NoCursor)?;
        let head = unhex(word()?.strip_prefix('=').ok_or(NoCursor)?)?;
        let fits = u64::try_from(head.len()).is_ok_and(|length| length == offset.min(HEAD as u64));
        if fits { Ok(Self { offset, skipping, head, tail }) } else { Err(NoCursor) }
    }
}

fn unhex(text: &str) -> Result<Vec<u8>, NoCursor> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(NoCursor);
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if !odd.is_empty() {
        return Err(NoCursor);
    }
    pairs.iter().map(|[high, low]| Ok(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn position() -> impl Strategy<Value = Position> {
        (any::<u64>(), any::<bool>(), any::<u64>(), any::<[u8; HEAD]>()).prop_map(
            |(offset, skipping, tail, head)| {
                let length = usize::try_from(offset).unwrap_or(HEAD).min(HEAD);
                Position { offset, skipping, head: head[..length].to_vec(), tail }
            },
        )
    }

    proptest! {
        #[test]
        fn survives_being_text(current in position(), previous in prop::option::of((position(), any::<bool>()))) {
            let previous = previous.map(|(position, closed)| Previous { position, closed });
            let cursor = Cursor { current, previous };
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }

        #[test]
        fn nonsense_is_told(text in "(file1 )?[a-z0-9= ]{0,40}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
            }
        }
    }

    #[test]
    fn is_a_short_line() {
        let current = Position { offset: 2, skipping: false, head: b"a\n".to_vec(), tail: digest(b"a\n") };
        let cursor = Cursor { current, previous: None };
        assert_eq!(cursor.to_string(), "file1 2 line 89bdc07b544e7b2 =610a");
        for wrong in
            ["", "file2 0 line 0 =", "file1 2 line 0 =61", "file1 0 line 0 = open", "file1 0 line 0 = shut"]
        {
            assert_eq!(wrong.parse::<Cursor>(), Err(NoCursor), "{wrong}");
        }
    }
}
