//! A log file with all its rotations: every line once, in order.
//!
//! The position is always in one file, the current one. At its end the directory is listed, and the next file is the one after
//! it there; so any number of rotations of any kind may happen between two looks, or between two runs. Where the current file
//! is not what it was (truncated, or replaced in place), it is looked for by its content: the copy that `copytruncate` made has
//! it. The file before the current one is kept open, because a writer may go on with it until it is told of the rotation; only one
//! that was still empty when its successor already had lines is not.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::Start;
use crate::cursor::{Cursor, HEAD, Position, Previous, digest};
use crate::generation::{Cut, Generation, Got, Match, Partial};
use crate::history::{FileId, Listed, list};
use crate::search::{find, has_moved, is_live, may_pass};

/// How often something that changes under the hand is looked at in one go.
const PATIENCE: u32 = 16;

/// A log file.
pub(crate) struct LogFile {
    path: PathBuf,
    /// Where to begin where there is no cursor; none once begun.
    start: Option<Start>,
    /// Whether there is a first cursor that nobody was told of.
    begun: bool,
    current: Option<Generation>,
    /// Where to go on when no file is open.
    position: Position,
    before: Option<Before>,
    /// What the path leads to, at the last look.
    live: Option<FileId>,
    pub(crate) tally: Tally,
}

/// What happened to a log file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rotations: u64,
    pub(crate) cut: u64,
    pub(crate) lost: u64,
    /// Why something was lost, the last time.
    pub(crate) note: Option<String>,
}

/// The file before the current one.
struct Before {
    position: Position,
    closed: bool,
    /// Open while a late line may come.
    late: Option<Generation>,
}

/// How the next file relates to the one that was read.
enum Next {
    /// It holds the same, under another inode.
    Same(Generation),
    /// It is newer.
    After(Generation),
    /// A shorter copy is there, and perhaps one that is newer.
    AfterCopy(Option<Generation>),
    /// The current one is gone; this is the one before it.
    Back(Generation),
    /// There is none yet.
    None,
}

impl LogFile {
    pub(crate) fn new(path: &Path, cursor: Option<Cursor>, start: Start) -> Self {
        let start = if cursor.is_none() { Some(start) } else { None };
        let Cursor { current: position, previous } = cursor.unwrap_or_default();
        let before = previous.map(|Previous { position, closed }| Before { position, closed, late: None });
        let tally = Tally::default();
        let mut file = Self {
            path: path.to_path_buf(),
            start,
            begun: false,
            current: None,
            position,
            before,
            live: None,
            tally,
        };
        file.reopen_before();
        // The end is that of now. What keeps it from being found is told by the first look.
        let _ = file.begin();
        file
    }

    /// The next lines, in this part of the buffer. An empty part only says that there is a first cursor.
    pub(crate) fn look(&mut self, buffer: &mut [u8]) -> io::Result<Option<Range<usize>>> {
        self.begin()?;
        if std::mem::take(&mut self.begun) {
            return Ok(Some(0..0));
        }
        if let Some(lines) = self.late_lines(buffer) {
            return Ok(Some(lines));
        }
        let mut replaced = 0;
        loop {
            let Some(current) = &mut self.current else {
                if !self.resume()? {
                    return Ok(None);
                }
                continue;
            };
            match current.read(buffer, Partial::Waits)? {
                Got::Lines(lines, cut) => {
                    if let Some(lines) = self.tally.take(lines, cut) {
                        return Ok(Some(lines));
                    }
                }
                Got::Replaced if replaced == PATIENCE => {
                    return Err(io::Error::other("it is replaced all the time"));
                }
                Got::Replaced => {
                    replaced += 1;
                    self.let_go();
                }
                Got::End => match self.next()? {
                    Next::None => {
                        self.forget_unread();
                        return Ok(None);
                    }
                    Next::Same(generation) => self.current = Some(generation),
                    next => {
                        if let Some(lines) = self.finish(buffer, next)? {
                            return Ok(Some(lines));
                        }
                    }
                },
            }
        }
    }

    /// What to store once the lines that were given out are processed.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor {
            current: self.current.as_ref().map_or_else(|| self.position.clone(), Generation::position),
            previous: self.before.as_ref().map(Before::remembered),
        }
    }

    /// What the path leads to, at the last look.
    pub(crate) fn live(&self) -> Option<FileId> {
        self.live
    }

    /// The files that are open.
    pub(crate) fn open(&self) -> impl Iterator<Item = FileId> {
        let late = self.before.as_ref().and_then(|before| before.late.as_ref());
        self.current.iter().chain(late).map(|generation| generation.id)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes are there that were not read; files between the current one and the newest are not counted.
    pub(crate) fn lag(&self) -> u64 {
        let current = self.current.as_ref().map_or(0, Generation::lag);
        let newest = std::fs::metadata(&self.path).ok();
        let other = newest
            .filter(|newest| self.current.as_ref().is_none_or(|current| current.id != FileId::of(newest)));
        current + other.map_or(0, |other| other.len())
    }

    /// Decides where to begin without a cursor.
    fn begin(&mut self) -> io::Result<()> {
        let Some(start) = self.start else { return Ok(()) };
        let files = list(&self.path)?;
        let live = files.last().filter(|file| file.live);
        self.live = live.map(|live| live.id);
        if let (Some(live), Start::End) = (live, start) {
            let mut generation = Generation::open(live)?;
            generation.seek_end()?;
            self.current = Some(generation);
        }
        let older = files.iter().rev().filter(|file| !file.live && !file.empty);
        self.before = older.filter_map(|file| Before::anchor(file).ok()).next();
        self.start = None;
        self.begun = true;
        Ok(())
    }

    /// After a restart: the file before the current one may have late lines.
    fn reopen_before(&mut self) {
        let Some(before) = self.before.as_mut().filter(|before| !before.closed) else { return };
        let found = list(&self.path).and_then(|files| find(&files, &before.position));
        if let Ok(Some((_, Match::Exact, generation))) = found {
            before.late = Some(generation);
        }
    }

    /// Lines that came to the file before the current one after its rotation.
    fn late_lines(&mut self, buffer: &mut [u8]) -> Option<Range<usize>> {
        let before = self.before.as_mut()?;
        let late = before.late.as_mut()?;
        match late.read(buffer, Partial::Waits) {
            Ok(Got::Lines(lines, cut)) => return self.tally.take(lines, cut),
            Ok(Got::End) if late.may_grow() => return None,
            Ok(Got::End | Got::Replaced) | Err(_) => before.close(),
        }
        None
    }

    /// Finds where to go on when no file is open; whether it did.
    fn resume(&mut self) -> io::Result<bool> {
        let position = self.position.clone();
        match self.settled(|file, files| file.go_on_from(files, &position))? {
            Next::Same(generation) => self.current = Some(generation),
            Next::AfterCopy(next) => {
                self.before =
                    Some(Before { position: std::mem::take(&mut self.position), closed: true, late: None });
                self.current = next;
            }
            Next::After(generation) => {
                self.miss();
                self.current = Some(generation);
            }
            Next::Back(generation) => {
                self.miss();
                self.before = None;
                self.current = Some(generation);
            }
            // Perhaps its directory is not mounted yet: nothing is given up before something new is there.
            Next::None => {}
        }
        Ok(self.current.is_some())
    }

    /// What was being read is nowhere any more.
    fn miss(&mut self) {
        if self.position.offset > 0 {
            self.tally.lose(format!(
                "{} was truncated or removed, and no copy of it is there",
                self.path.display()
            ));
        }
        self.position = Position::default();
    }

    /// The file after the current one, which is at its end.
    fn next(&mut self) -> io::Result<Next> {
        self.live = std::fs::metadata(&self.path).ok().map(|metadata| FileId::of(&metadata));
        let Some(current) = &self.current else { return Ok(Next::None) };
        let id = current.id;
        if self.live == Some(id) {
            return Ok(Next::None);
        }
        let position = current.position();
        self.settled(|file, files| match files.iter().position(|listed| listed.id == id) {
            Some(at) => file.first(files, at + 1).map(|next| next.map_or(Next::None, Next::After)),
            // Compressed, replaced or removed. As long as nothing newer is there, a writer may still have it open.
            None => match file.find_again(files, &position)? {
                Next::None => file.newer(files),
                found => Ok(found),
            },
        })
    }

    /// Reads what came to the current file up to now, and goes to the next when there is nothing. The next has content, so the
    /// writer has gone there: a partial line here stays one.
    fn finish(&mut self, buffer: &mut [u8], next: Next) -> io::Result<Option<Range<usize>>> {
        let Some(current) = &mut self.current else { return Ok(None) };
        match current.read(buffer, Partial::Counts)? {
            Got::Lines(lines, cut) => return Ok(self.tally.take(lines, cut)),
            Got::Replaced => self.let_go(),
            Got::End => {
                if let Some(damage) = current.damage() {
                    self.tally
                        .lose(format!("a rotated file of {} is damaged: {damage}", self.path.display()));
                }
                self.go_on(next);
            }
        }
        Ok(None)
    }

    fn go_on(&mut self, next: Next) {
        match next {
            Next::Same(generation) => self.current = Some(generation),
            Next::After(generation) => {
                self.tally.rotations += 1;
                self.leave(false);
                self.current = Some(generation);
            }
            Next::AfterCopy(generation) => {
                self.tally.rotations += 1;
                self.leave(true);
                self.current = generation;
            }
            Next::Back(_) | Next::None => {}
        }
    }

    /// Makes the current file the one before, by which the next one is found. An empty one or a removed one cannot be found.
    fn leave(&mut self, closed: bool) {
        self.position = Position::default();
        let Some(left) = self.current.take().filter(|left| left.position().offset > 0 && !left.is_removed())
        else {
            return;
        };
        self.before =
            Some(Before { position: left.position(), closed, late: Some(left).filter(|_| !closed) });
    }

    /// A file of which nothing was read has nothing to know it by, when it is truncated or replaced: it is found anew.
    fn forget_unread(&mut self) {
        if self.current.take_if(|current| current.position().offset == 0).is_some() {
            self.position = Position::default();
        }
    }

    /// Closes the current file, to look for what it held.
    fn let_go(&mut self) {
        if let Some(current) = self.current.take() {
            self.position = current.position();
        }
    }

    /// Asks the same again while files change their names between the listing and the opening.
    fn settled(&mut self, ask: impl Fn(&mut Self, &[Listed]) -> io::Result<Next>) -> io::Result<Next> {
        let mut answer = Ok(Next::None);
        for _ in 0..PATIENCE {
            let files = list(&self.path)?;
            self.live = files.last().filter(|file| file.live).map(|file| file.id);
            answer = ask(self, &files);
            match &answer {
                Err(error) if has_moved(error) => {}
                _ => break,
            }
        }
        answer
    }

    /// Finds where to go on with nothing but a position.
    fn go_on_from(&mut self, files: &[Listed], position: &Position) -> io::Result<Next> {
        match self.find_again(files, position)? {
            Next::None => {}
            found => return Ok(found),
        }
        if let Some(before) = self.before.as_ref().filter(|before| !before.closed)
            && let Some((_, Match::Exact, generation)) = find(files, &before.last())?
        {
            return Ok(Next::Back(generation));
        }
        self.newer(files)
    }

    /// Finds the file that was read up to a position, by its content.
    fn find_again(&mut self, files: &[Listed], position: &Position) -> io::Result<Next> {
        if position.offset == 0 {
            return Ok(Next::None);
        }
        match find(files, position)? {
            None => Ok(Next::None),
            Some((_, Match::Exact, generation)) => Ok(Next::Same(generation)),
            Some((at, _, generation)) if is_live(files, at) => self.go_behind(generation),
            Some((at, _, _)) => Ok(Next::AfterCopy(self.first(files, at + 1)?)),
        }
    }

    /// The first file that is newer than the one before the current one; any, where there was none.
    fn newer(&mut self, files: &[Listed]) -> io::Result<Next> {
        let before = self.before.as_ref().map(Before::last);
        let found = before.map(|before| find(files, &before)).transpose()?.flatten();
        let start = found.map_or(0, |(at, _, _)| at + 1);
        Ok(self.first(files, start)?.map_or(Next::None, Next::After))
    }

    /// The log begins as before, but what was read last is not there: its end was lost in a crash, or somebody edited it. What
    /// came since cannot be told from what was read; nothing is counted twice.
    fn go_behind(&mut self, mut generation: Generation) -> io::Result<Next> {
        generation.seek_end()?;
        self.tally.lose(format!("{} was cut or edited within what had been read", self.path.display()));
        Ok(Next::Same(generation))
    }

    /// The first file with content. A rotated one that cannot be read must not stop the log; one that is a copy of the log, made
    /// a moment before the log is truncated, is not yet history.
    fn first(&mut self, files: &[Listed], start: usize) -> io::Result<Option<Generation>> {
        let live = files.last().filter(|file| file.live);
        let live = live.map(|live| Generation::open(live)?.head(HEAD)).transpose()?.unwrap_or_default();
        for file in files.iter().skip(start).filter(|file| !file.empty) {
            let opened =
                Generation::open(file).and_then(|mut generation| Ok((generation.head(HEAD)?, generation)));
            match opened {
                Ok((head, _)) if !file.live && live.starts_with(&head) => {}
                Ok((_, generation)) => return Ok(Some(generation)),
                Err(error) if file.live || may_pass(&error) => return Err(error),
                Err(error) => self.tally.lose(format!("cannot read {}: {error}", file.path.display())),
            }
        }
        Ok(None)
    }
}

impl Tally {
    /// Lines that were read, if there are any.
    fn take(&mut self, lines: Range<usize>, cut: Cut) -> Option<Range<usize>> {
        self.cut += u64::from(cut.0);
        Some(lines).filter(|lines| !lines.is_empty())
    }

    fn lose(&mut self, note: String) {
        self.lost += 1;
        self.note = Some(note);
    }
}

impl Before {
    /// A rotated file that was there before reading began.
    fn anchor(file: &Listed) -> io::Result<Self> {
        let head = Generation::open(file)?.head(HEAD)?;
        let position = Position { offset: head.len() as u64, skipping: false, tail: digest(&head), head };
        Ok(Self { position, closed: true, late: None })
    }

    fn last(&self) -> Position {
        self.late.as_ref().map_or_else(|| self.position.clone(), Generation::position)
    }

    fn remembered(&self) -> Previous {
        Previous { position: self.last(), closed: self.closed }
    }

    fn close(&mut self) {
        self.position = self.last();
        self.closed = true;
        self.late = None;
    }
}
