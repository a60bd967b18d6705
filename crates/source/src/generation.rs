//! One file of a log, from its creation to the rotation that ends it.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};

use crate::cursor::{HEAD, Position, TAIL, digest};
use crate::frame::{Frame, LINE_MAX};
use crate::history::{FileId, Listed};
use crate::unpack::{Packing, open};

/// An open file of a log, and how far it was read.
pub(crate) struct Generation {
    content: Content,
    pub(crate) id: FileId,
    offset: u64,
    skipping: bool,
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// What a look at a file gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// Whole lines, in this part of the buffer.
    Lines(Range<usize>, Cut),
    /// No whole line is left.
    End,
    /// The bytes before the offset are others now: it was truncated or written anew.
    Replaced,
}

/// Whether the last line was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut(pub(crate) bool);

/// Whether a file is the one that a [`Position`] tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// It holds all that was read.
    Exact,
    /// It begins the same, but what was read last is not there: a shorter copy, or an edited one.
    Begins,
    /// It is another.
    Other,
}

/// What is done with a partial line at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partial {
    /// The rest of it may still come.
    Waits,
    /// Nothing more comes: it is a line.
    Counts,
}

enum Content {
    Plain(File),
    Packed(Packed),
}

impl Generation {
    /// Opens a listed file at its start. A name that is another file by now is [`io::ErrorKind::StaleNetworkFileHandle`].
    pub(crate) fn open(listed: &Listed) -> io::Result<Self> {
        let file = open(&listed.path)?;
        let id = FileId::of(&file.metadata()?);
        if id != listed.id {
            return Err(io::ErrorKind::StaleNetworkFileHandle.into());
        }
        // The log itself is being written and never compressed.
        let packing = if listed.live { None } else { Packing::of(&file)? };
        let content = match packing {
            Some(packing) => Content::Packed(Packed::new(packing.unpack(file))),
            None => Content::Plain(file),
        };
        Ok(Self { content, id, offset: 0, skipping: false, head: Vec::new(), tail: Vec::new() })
    }

    /// Goes to where the position says, if this is the file that it tells of.
    pub(crate) fn seek(&mut self, position: &Position) -> io::Result<Match> {
        let mut head = vec![0; position.head.len()];
        let length = self.content.read_at(&mut head, 0)?;
        head.truncate(length);
        if length == 0 || !position.head.starts_with(&head) {
            return Ok(Match::Other);
        }
        if length < position.head.len() {
            return Ok(Match::Begins);
        }
        let tail = self.content.before(position.offset)?;
        if tail.as_deref().map(digest) != Some(position.tail) {
            return Ok(Match::Begins);
        }
        self.offset = position.offset;
        self.skipping = position.skipping;
        self.head = head;
        self.tail = tail.unwrap_or_default();
        Ok(Match::Exact)
    }

    /// Goes behind the last whole line.
    pub(crate) fn seek_end(&mut self) -> io::Result<()> {
        let Content::Plain(file) = &self.content else { return Ok(()) };
        let length = file.metadata()?.len();
        let mut last = vec![0; usize::try_from(length.min(LINE_MAX as u64)).unwrap_or(LINE_MAX)];
        let start = length - last.len() as u64;
        let read = file.read_at(&mut last, start)?;
        let partial = last.iter().take(read).rev().take_while(|byte| **byte != b'\n').count();
        // A partial line that is as long as a line can be is cut, as it were.
        self.skipping = partial == LINE_MAX;
        self.offset = if self.skipping { length } else { length - partial as u64 };
        self.head = vec![0; HEAD.min(usize::try_from(self.offset).unwrap_or(HEAD))];
        file.read_exact_at(&mut self.head, 0)?;
        self.tail = self.content.before(self.offset)?.unwrap_or_default();
        Ok(())
    }

    /// Reads whole lines that follow the offset, and goes behind them.
    pub(crate) fn read(&mut self, buffer: &mut [u8], partial: Partial) -> io::Result<Got> {
        // One byte stays free for the newline that a last line may lack.
        let room = buffer.len().saturating_sub(1);
        let read = match self.content.read_at(buffer.get_mut(..room).unwrap_or_default(), self.offset) {
            // Removed on the file server.
            Err(error) if error.kind() == io::ErrorKind::StaleNetworkFileHandle => return Ok(Got::Replaced),
            read => read?,
        };
        // After reading, so that what was read is known to be of this file.
        if !self.is_same()? {
            return Ok(Got::Replaced);
        }
        let mut end = read;
        let mut frame = Frame::of(buffer.get(..end).unwrap_or_default(), self.skipping);
        if frame.consumed == 0 && partial == Partial::Counts {
            end = end_line(buffer, read);
            frame = Frame::of(buffer.get(..end).unwrap_or_default(), self.skipping);
            frame.consumed = if end == 0 { 0 } else { read };
        }
        if frame.consumed == 0 {
            return Ok(Got::End);
        }
        self.absorb(buffer.get(..frame.consumed).unwrap_or_default());
        self.skipping = frame.skipping;
        let lines = frame.tidy(buffer.get_mut(..end).unwrap_or_default());
        Ok(Got::Lines(lines, Cut(frame.cut)))
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> Position {
        Position {
            offset: self.offset,
            skipping: self.skipping,
            head: self.head.clone(),
            tail: digest(&self.tail),
        }
    }

    /// How many bytes are still to be read; 0 where that is not known, as in a compressed file.
    pub(crate) fn lag(&self) -> u64 {
        match &self.content {
            Content::Plain(file) => {
                file.metadata().map_or(0, |metadata| metadata.len().saturating_sub(self.offset))
            }
            Content::Packed(_) => 0,
        }
    }

    /// Whether a writer may still add to it. One that no name leads to takes up space as long as it is open here.
    pub(crate) fn may_grow(&self) -> bool {
        match &self.content {
            Content::Plain(_) => !self.is_removed(),
            Content::Packed(_) => false,
        }
    }

    /// Whether no name leads to it any more.
    pub(crate) fn is_removed(&self) -> bool {
        match &self.content {
            Content::Plain(file) => file.metadata().is_ok_and(|metadata| metadata.nlink() == 0),
            Content::Packed(_) => false,
        }
    }

    /// The first bytes.
    pub(crate) fn head(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut head = vec![0; length];
        let read = self.content.read_at(&mut head, 0)?;
        head.truncate(read);
        Ok(head)
    }

    /// Why the rest of it cannot be unpacked.
    pub(crate) fn damage(&mut self) -> Option<io::Error> {
        match &mut self.content {
            Content::Plain(_) => None,
            Content::Packed(packed) => packed.damage.take(),
        }
    }

    fn is_same(&self) -> io::Result<bool> {
        let Content::Plain(file) = &self.content else { return Ok(true) };
        let tail = self.offset - self.tail.len() as u64;
        Ok(holds(file, tail, &self.tail)? && (tail == 0 || holds(file, 0, &self.head)?))
    }

    fn absorb(&mut self, bytes: &[u8]) {
        let missing = HEAD.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(missing));
        self.tail.extend_from_slice(bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default());
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.offset += bytes.len() as u64;
    }
}

/// Whether a file has these bytes at an offset.
fn holds(file: &File, offset: u64, bytes: &[u8]) -> io::Result<bool> {
    let mut now = [0; TAIL];
    let now = now.get_mut(..bytes.len()).unwrap_or_default();
    Ok(file.read_at(now, offset)? == bytes.len() && now == bytes)
}

/// Makes a line of what stands at the start of the buffer; its length. NULs at its end were never written.
fn end_line(buffer: &mut [u8], length: usize) -> usize {
    let text = buffer.get(..length).unwrap_or_default();
    let text = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    match buffer.get_mut(text) {
        Some(after) if text > 0 => *after = b'\n',
        _ => return 0,
    }
    text + 1
}

impl Content {
    /// Fills the buffer from an offset, as far as there is something. A compressed file must not be asked for what lies before
    /// the last answer.
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read_at(buffer, offset),
            Self::Packed(packed) => packed.read_at(buffer, offset),
        }
    }

    /// The bytes before an offset, if the file is that long.
    fn before(&mut self, offset: u64) -> io::Result<Option<Vec<u8>>> {
        let length = offset.min(TAIL as u64);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(TAIL)];
        let read = self.read_at(&mut bytes, offset - length)?;
        Ok((read == bytes.len()).then_some(bytes))
    }
}

/// The content of a compressed file, of which only a window can be seen.
struct Packed {
    reader: Box<dyn Read + Send>,
    window: Vec<u8>,
    /// The offset of the window's first byte.
    start: u64,
    damage: Option<io::Error>,
}

impl Packed {
    fn new(reader: Box<dyn Read + Send>) -> Self {
        Self { reader, window: Vec::new(), start: 0, damage: None }
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.skip_to(offset)?;
        let missing = buffer.len().saturating_sub(self.window.len());
        self.fill(missing);
        let length = buffer.len().min(self.window.len());
        for (to, from) in buffer.iter_mut().zip(&self.window) {
            *to = *from;
        }
        Ok(if self.start == offset { length } else { 0 })
    }

    fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let ahead = offset.checked_sub(self.start).ok_or(io::ErrorKind::InvalidInput)?;
        let seen = ahead.min(self.window.len() as u64);
        self.window.drain(..usize::try_from(seen).unwrap_or(0));
        self.start += seen;
        let skipped = io::copy(&mut (&mut self.reader).take(ahead - seen), &mut io::sink());
        self.start += self.note(skipped);
        Ok(())
    }

    /// Reads on; a damaged file ends where the damage begins.
    fn fill(&mut self, missing: usize) {
        let read = (&mut self.reader).take(missing as u64).read_to_end(&mut self.window);
        self.note(read);
    }

    fn note<T: Default>(&mut self, result: io::Result<T>) -> T {
        result.unwrap_or_else(|error| {
            self.damage.get_or_insert(error);
            T::default()
        })
    }
}
