//! Lines that come through a pipe, once and never again.

use std::io::{self, ErrorKind};
use std::ops::Range;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::frame::{Frame, LINE_MAX};

/// Cuts what is read into whole lines.
#[derive(Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
    skipping: bool,
    pub(crate) cut: u64,
}

impl Lines {
    /// Reads until there are whole lines, in this part of the buffer; none at the end.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        mut source: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Option<Range<usize>>> {
        loop {
            let kept = self.rest.len();
            let read = if self.has_lines() { 0 } else { source(buffer.get_mut(kept..).unwrap_or_default())? };
            if read == 0 && !self.has_lines() {
                return Ok(self.last(buffer));
            }
            if let Some(place) = buffer.get_mut(..kept) {
                place.copy_from_slice(&self.rest);
            }
            let lines = self.take(buffer, kept + read);
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
        }
    }

    /// Whether there was more in the last piece than could be given out at once.
    fn has_lines(&self) -> bool {
        self.rest.len() > LINE_MAX || memchr::memchr(b'\n', &self.rest).is_some()
    }

    /// Drops the beginning of a line.
    pub(crate) fn forget(&mut self) {
        self.rest.clear();
        self.skipping = false;
    }

    fn take(&mut self, buffer: &mut [u8], length: usize) -> Range<usize> {
        let bytes = buffer.get_mut(..length).unwrap_or_default();
        let frame = Frame::of(bytes, self.skipping);
        self.skipping = frame.skipping;
        self.cut += u64::from(frame.cut);
        self.rest.clear();
        self.rest.extend_from_slice(bytes.get(frame.consumed..).unwrap_or_default());
        frame.tidy(bytes)
    }

    /// The last line may lack its newline.
    fn last(&mut self, buffer: &mut [u8]) -> Option<Range<usize>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.push(b'\n');
        buffer.get_mut(..rest.len())?.copy_from_slice(&rest);
        let lines = self.take(buffer, rest.len());
        self.rest.clear();
        Some(lines).filter(|lines| !lines.is_empty())
    }
}

/// Standard input.
#[derive(Default)]
pub(crate) struct Stdin {
    lines: Lines,
    pub(crate) ended: bool,
    pub(crate) trouble: Option<String>,
}

impl Stdin {
    /// The next lines, in this part of the buffer.
    pub(crate) fn look(&mut self, buffer: &mut [u8]) -> Option<Range<usize>> {
        if self.ended {
            return None;
        }
        match self.lines.read(buffer, read_if_ready) {
            Ok(lines) => {
                self.ended = lines.is_none();
                lines
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
            Err(error) => {
                self.ended = true;
                self.trouble = Some(format!("cannot read standard input: {error}"));
                None
            }
        }
    }

    pub(crate) fn cut(&self) -> u64 {
        self.lines.cut
    }
}

/// Does not wait. The file stays in blocking mode, which it shares with whoever gave it to us.
fn read_if_ready(room: &mut [u8]) -> io::Result<usize> {
    let stdin = rustix::stdio::stdin();
    let mut fds = [PollFd::from_borrowed_fd(stdin, PollFlags::IN)];
    if poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? == 0 {
        return Err(ErrorKind::WouldBlock.into());
    }
    Ok(rustix::io::read(stdin, room)?)
}
