//! A log in pieces, parsed by several threads, given out in order.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::Context as _;
use mailward_engine::Digest;
use mailward_model::{Event, EventKind, Program, Timestamp};
use mailward_parse::{Context, Parser, split_lines};
use mailward_source::{Chunk, chunks};

/// What a piece of a log holds.
#[derive(Debug)]
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

/// Bytes of a piece.
const SIZE: usize = 1 << 20;

/// Gives out the pieces of a log, in order, while threads parse the next ones.
pub(super) fn each(path: &Path, context: &Context, mut take: impl FnMut(&Piece)) -> anyhow::Result<()> {
    let log = crate::cli::open(path)?;
    let threads = thread::available_parallelism().map_or(1, usize::from).clamp(1, 8);
    thread::scope(|scope| {
        // Each thread has a lane in, a lane out, and a way back for what can be used again.
        let lanes: Vec<Lane> = (0..threads).map(|_| Lane::spawn(scope, context)).collect();
        let mut log = chunks(log, SIZE);
        // Two pieces a lane: one is parsed while the other is given out.
        let most = 2 * threads;
        let (mut turn, mut waiting) = (0, 0);
        while let Some(lane) = lanes.get(turn % threads) {
            let piece = if waiting == most { Some(lane.collect()?) } else { None };
            waiting -= usize::from(piece.is_some());
            let mut chunk = lane.spare.try_recv().unwrap_or_default();
            let more = log.read(&mut chunk).with_context(|| format!("cannot read {}", path.display()))?;
            if more {
                lane.work.send(chunk).context("a parsing thread ended")?;
                (turn, waiting) = (turn + 1, waiting + 1);
            }
            if let Some(piece) = piece {
                take(&piece);
                lane.give_back(piece);
            }
            if !more {
                break;
            }
        }
        // What is still out, the oldest first.
        for number in turn - waiting..turn {
            if let Some(lane) = lanes.get(number % threads) {
                take(&lane.collect()?);
            }
        }
        Ok(())
    })
}

/// A parsing thread, seen from outside.
struct Lane {
    work: SyncSender<Chunk>,
    done: Receiver<Piece>,
    spare: Receiver<Chunk>,
    reuse: SyncSender<Piece>,
}

impl Lane {
    fn spawn<'scope>(scope: &'scope thread::Scope<'scope, '_>, context: &Context) -> Self {
        let (work, chunks) = sync_channel::<Chunk>(1);
        let (finished, done) = sync_channel(1);
        let (back, spare) = sync_channel(2);
        let (reuse, used) = sync_channel::<Piece>(2);
        let mut parser = Parser::new(context.clone());
        scope.spawn(move || {
            while let Ok(chunk) = chunks.recv() {
                let digest = used.try_recv().map(|piece| piece.digest).unwrap_or_default();
                let piece = parse(&mut parser, chunk.lines(), digest);
                let _ = back.try_send(chunk);
                if finished.send(piece).is_err() {
                    return;
                }
            }
        });
        Self { work, done, spare, reuse }
    }

    fn collect(&self) -> anyhow::Result<Piece> {
        self.done.recv().context("a parsing thread ended")
    }

    fn give_back(&self, piece: Piece) {
        // Where there are enough to use again, this one is not kept.
        let _ = self.reuse.try_send(piece);
    }
}

fn parse(parser: &mut Parser, lines: &[u8], mut digest: Digest) -> Piece {
    digest.clear();
    let mut counts = Counts { bytes: lines.len() as u64, ..Counts::default() };
    for line in split_lines(lines) {
        let event = parser.parse(line);
        counts.event(&event);
        digest.push(&event);
    }
    Piece { counts, digest }
}
