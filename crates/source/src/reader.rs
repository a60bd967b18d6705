//! All sources at once, one batch after the other.

use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::source::Source;
use crate::wake::Waker;
use crate::watch::Watches;
use crate::{SourceError, SourceStatus, Spec, Start};

/// The largest batch, and what a look at a source costs in memory.
const BATCH: usize = 256 << 10;

/// Reads lines from several sources, fairly: each in turn gives a batch, if it has one.
pub struct Reader {
    sources: Vec<Source>,
    /// Whose turn it is.
    turn: usize,
    buffer: Vec<u8>,
    watches: Option<Watches>,
    waker: Waker,
}

/// What a wait ended with.
#[derive(Debug)]
pub enum Next<'a> {
    /// Lines.
    Batch(Batch<'a>),
    /// The time is over.
    Idle,
    /// Somebody used a [`Waker`].
    Woken,
    /// All sources have ended, and nothing more comes.
    Ended,
}

/// Lines of one source.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The name of the source.
    pub source: &'a str,
    /// Whole lines, each ending in a newline. It may be empty, once: to store the cursor of a source that had none.
    pub lines: &'a [u8],
    /// How many lines.
    pub count: usize,
    /// What to store when these lines are processed, together with what they led to, and to give back at the next start. Empty
    /// for a source that cannot be read twice.
    pub cursor: String,
}

impl Reader {
    /// Opens sources, each where its cursor says. A file that is not there, or may not be read, is no error: it is waited for.
    ///
    /// # Errors
    /// When a cursor is not one of ours, or a source is given twice.
    pub fn open(
        specs: &[Spec],
        cursor: impl Fn(&str) -> Option<String>,
        start: Start,
    ) -> Result<Self, SourceError> {
        let mut names = HashSet::new();
        if let Some(twice) = specs.iter().find(|spec| !names.insert(spec.name())) {
            return Err(SourceError::Twice { name: twice.name() });
        }
        let open = |spec: &Spec| Source::open(spec, cursor(&spec.name()), start);
        let sources = specs.iter().map(open).collect::<Result<_, _>>()?;
        let waker = Waker::new().map_err(|source| SourceError::Wait { source })?;
        Ok(Self { sources, turn: 0, buffer: vec![0; BATCH], watches: Watches::new(), waker })
    }

    /// Waits for lines, at most for `timeout`; with none as long as it takes, with zero not at all.
    ///
    /// # Errors
    /// When the system refuses to wait. What is wrong with a source is told by [`Reader::status`].
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Next<'_>, SourceError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if self.waker.take() {
                return Ok(Next::Woken);
            }
            if let Some((source, lines)) = self.look() {
                return Ok(self.batch(source, lines));
            }
            if self.sources.iter().all(Source::has_ended) {
                return Ok(Next::Ended);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Next::Idle);
            }
            self.wait(left)?;
        }
    }

    /// Something to end the wait with from another thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// How each source is.
    #[must_use]
    pub fn status(&self) -> Vec<SourceStatus> {
        self.sources.iter().map(Source::status).collect()
    }

    /// Asks each source, beginning with the one whose turn it is.
    fn look(&mut self) -> Option<(usize, Range<usize>)> {
        let (later, first) = self.sources.split_at_mut_checked(self.turn)?;
        let mut order = first.iter_mut().chain(later);
        let (passed, lines) = order
            .by_ref()
            .enumerate()
            .find_map(|(passed, source)| Some((passed, source.look(&mut self.buffer, &mut self.watches)?)))?;
        let found = (self.turn + passed) % self.sources.len();
        self.turn = (found + 1) % self.sources.len();
        Some((found, lines))
    }

    fn batch(&mut self, source: usize, lines: Range<usize>) -> Next<'_> {
        let lines = self.buffer.get(lines).unwrap_or_default();
        let Some(source) = self.sources.get_mut(source) else { return Next::Idle };
        let count = memchr::memchr_iter(b'\n', lines).count();
        source.count(count as u64, lines.len() as u64);
        Next::Batch(Batch { source: &source.name, lines, count, cursor: source.cursor() })
    }

    /// Waits until a source may have something.
    fn wait(&self, left: Option<Duration>) -> Result<(), SourceError> {
        let patience = self.sources.iter().filter_map(Source::patience).chain(left).min();
        let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let inotify = self.watches.as_ref().map(Watches::fd);
        let others = self.sources.iter().filter_map(Source::fd);
        let fds = [self.waker.fd()].into_iter().chain(inotify).chain(others);
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(SourceError::Wait { source: error.into() }),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        if ready.next() == Some(true) {
            self.waker.drain();
        }
        if let (Some(watches), Some(true)) = (&self.watches, ready.next()) {
            watches.drain();
        }
        Ok(())
    }
}
