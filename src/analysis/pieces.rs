//! A log in pieces, parsed by several threads, given out in order.

use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::Context as _;
use mailward_engine::Digest;
use mailward_model::{Event, EventKind, Program, Timestamp};
use mailward_parse::{Context, Parser, split_lines};
use mailward_source::{Chunk, Chunks, chunks};

/// What a piece of a log holds.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) counts: Counts,
    pub(super) digest: Digest,
}

/// How much there is of what.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    /// Lines and unknown lines by program.
    pub(super) programs: Vec<(u64, u64)>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { lines: 0, bytes: 0, first: None, last: None, programs: vec![(0, 0); Program::ALL.len()] }
    }
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        for (mine, theirs) in self.programs.iter_mut().zip(&other.programs) {
            (mine.0, mine.1) = (mine.0 + theirs.0, mine.1 + theirs.1);
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        self.lines += 1;
        self.first = Some(self.first.map_or(event.time, |first| first.min(event.time)));
        self.last = self.last.max(Some(event.time));
        if let Some((lines, unknown)) = self.programs.get_mut(event.program as usize) {
            *lines += 1;
            *unknown += u64::from(event.kind == EventKind::Unknown);
        }
    }
}

/// Bytes of a piece: with what is made of it, it stays in the cache of the processor that reads it.
const SIZE: usize = 1 << 18;

/// Pieces of each thread: one is parsed while the other is given out.
const PIECES: usize = 2;

/// Gives out the pieces of a log, in order, while threads read and parse the next ones.
pub(super) fn each(path: &Path, context: &Context, mut take: impl FnMut(&Piece)) -> anyhow::Result<()> {
    let log = chunks(crate::cli::open(path)?, SIZE);
    let threads = thread::available_parallelism().map_or(1, usize::from).clamp(1, 8);
    thread::scope(|scope| {
        let lanes = ring(scope, threads, context, log);
        // Each thread in turn, as they read; one that has ended in its turn has found the end.
        for lane in lanes.iter().cycle() {
            let Ok(piece) = lane.done.recv() else { break };
            let piece = piece.with_context(|| format!("cannot read {}", path.display()))?;
            take(&piece);
            // It is of no use to a thread that has ended.
            let _ = lane.spare.send(piece);
        }
        Ok(())
    })
}

/// A log that is read in pieces.
type Log = Chunks<Box<dyn Read + Send>>;

/// A thread that reads and parses, seen from outside.
struct Lane {
    done: Receiver<io::Result<Piece>>,
    spare: SyncSender<Piece>,
}

/// The same thread from inside. Who has the log reads a piece of it, hands the log on, and parses what was read where it
/// was read. So each thread has every so manieth piece, in every run the same.
struct Turn {
    log: Receiver<Log>,
    next: SyncSender<Log>,
    spare: Receiver<Piece>,
    done: SyncSender<io::Result<Piece>>,
    parser: Parser,
}

/// Threads that hand the log on to each other, the last one to the first.
fn ring<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    threads: usize,
    context: &Context,
    log: Log,
) -> Vec<Lane> {
    let (first, mut turn) = sync_channel(1);
    // Nobody has ended yet.
    let _ = first.send(log);
    let mut lanes = Vec::new();
    for number in 1..=threads {
        let (next, turn_of_next) = sync_channel(1);
        let next = if number == threads { first.clone() } else { next };
        let (spare, spare_pieces) = sync_channel(PIECES);
        let (done, done_pieces) = sync_channel(PIECES);
        for _ in 0..PIECES {
            // It holds so many.
            let _ = spare.try_send(Piece::default());
        }
        let log = std::mem::replace(&mut turn, turn_of_next);
        let parser = Parser::new(context.clone());
        scope.spawn(move || Turn { log, next, spare: spare_pieces, done, parser }.run());
        lanes.push(Lane { done: done_pieces, spare });
    }
    lanes
}

impl Turn {
    /// Until the log, or who takes the pieces, has ended.
    fn run(mut self) {
        let mut chunk = Chunk::default();
        while let Ok(mut piece) = self.spare.recv()
            && let Ok(mut log) = self.log.recv()
        {
            let read = match log.read(&mut chunk) {
                Ok(false) => return,
                Ok(true) => {
                    // Where nobody takes it, nobody takes this piece either.
                    let _ = self.next.send(log);
                    piece.parse(&mut self.parser, chunk.lines());
                    Ok(piece)
                }
                Err(error) => Err(error),
            };
            let is_last = read.is_err();
            if self.done.send(read).is_err() || is_last {
                return;
            }
        }
    }
}

impl Piece {
    fn parse(&mut self, parser: &mut Parser, lines: &[u8]) {
        self.digest.clear();
        self.counts = Counts { bytes: lines.len() as u64, ..Counts::default() };
        for line in split_lines(lines) {
            let mut event = Event::new(Timestamp::default(), Program::Other);
            parser.parse_into(line, &mut event);
            self.counts.event(&event);
            self.digest.push(&event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn every_line_is_given_out_once_and_in_order() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let (lines, mut text) = (40_000_u32, String::new());
        for n in 0..lines {
            let (minute, second) = (n / 60 % 60, n % 60);
            text += &format!(
                "2025-10-06T{:02}:{minute:02}:{second:02}.000000+00:00 mx postfix/smtpd[{n}]: connect from unknown[192.0.2.7]\n",
                n / 3_600
            );
        }
        file.write_all(text.as_bytes()).unwrap();
        let context = Context { reference: Timestamp::from_secs(1_800_000_000), zone: TimeZone::UTC };
        let (mut counted, mut pids) = (Counts::default(), Vec::new());
        each(file.path(), &context, |piece| {
            counted.add(&piece.counts);
            pids.extend(piece.digest.events().map(|event| event.pid));
        })
        .unwrap();
        assert!(pids.into_iter().eq(0..lines), "the events of some line are missing, or not in their place");
        assert_eq!((counted.lines, counted.bytes), (u64::from(lines), text.len() as u64));
    }
}
