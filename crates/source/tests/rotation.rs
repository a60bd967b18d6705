//! Random schedules of writing, rotating, reading and dying, against the obvious: what was written, in order, once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may"
)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_source::{Next, Reader, SourceStatus, Spec, Start, history};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Whole lines of one writer, so many with so much text each.
    Write(usize, u16, u16),
    /// A line in two writes; the second comes with the next write.
    WriteHalf,
    /// logrotate's default; whether it creates the new file.
    Rename {
        create: bool,
    },
    /// What `postrotate` tells a writer.
    Reopen(usize),
    /// logrotate's `copytruncate`.
    CopyTruncate,
    /// `: > mail.log`, when all is read.
    Truncate,
    /// `rm mail.log`, when all is read, and a new one.
    Delete,
    /// The file is replaced by its copy, as rsync(1) does.
    Replace,
    /// One of the rotated files, in one of the formats.
    Compress(usize, u8),
    /// The oldest goes, when all is read.
    Prune,
    /// So many batches.
    Read(u8),
    /// What was read is stored with its cursor.
    Commit,
    /// `kill -9`, and a new start after so many further steps.
    Kill,
    Start,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<usize>(), 1_u16..20, 0_u16..200).prop_map(|(who, lines, text)| Step::Write(who, lines, text)),
        1 => (any::<usize>(), 1_u16..200, 1000_u16..9000).prop_map(|(who, lines, text)| Step::Write(who, lines, text)),
        1 => any::<usize>().prop_map(|who| Step::Write(who, 1, 65_000)),
        2 => Just(Step::WriteHalf),
        3 => any::<bool>().prop_map(|create| Step::Rename { create }),
        4 => any::<usize>().prop_map(Step::Reopen),
        3 => Just(Step::CopyTruncate),
        1 => Just(Step::Truncate),
        1 => Just(Step::Delete),
        1 => Just(Step::Replace),
        3 => (any::<usize>(), 0_u8..3).prop_map(|(which, how)| Step::Compress(which, how)),
        1 => Just(Step::Prune),
        8 => (1_u8..4).prop_map(Step::Read),
        4 => Just(Step::Commit),
        2 => Just(Step::Kill),
        3 => Just(Step::Start),
    ]
}

/// A process that writes to the log, or to what it was when it opened it.
struct Writer {
    file: File,
    half: String,
    lines: usize,
}

impl Writer {
    fn finish_half(&mut self) {
        let half = std::mem::take(&mut self.half);
        self.file.write_all(half.as_bytes()).unwrap();
    }

    fn inode(&self) -> u64 {
        self.file.metadata().unwrap().ino()
    }
}

/// The machine: a log, its writers, its rotation, and its reader.
struct World {
    place: tempfile::TempDir,
    dated: bool,
    rotations: u32,
    writers: Vec<Writer>,
    written: Vec<String>,
    reader: Option<Reader>,
    uncommitted: Vec<String>,
    committed: Vec<String>,
    next_cursor: Option<String>,
    cursor: Option<String>,
    /// Whether something happened after which nobody can know that all was read.
    doubtful: bool,
}

impl World {
    fn new(dated: bool, writers: usize) -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("mail.log");
        let writer = || Writer { file: append(&path), half: String::new(), lines: 0 };
        let mut world = Self {
            writers: (0..writers).map(|_| writer()).collect(),
            place,
            dated,
            rotations: 0,
            written: Vec::new(),
            reader: None,
            uncommitted: Vec::new(),
            committed: Vec::new(),
            next_cursor: None,
            cursor: None,
            doubtful: false,
        };
        world.start();
        world.read(1);
        world.commit();
        world
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("mail.log")
    }

    fn writer(&mut self, who: usize) -> (usize, &mut Writer) {
        let who = who % self.writers.len();
        (who, &mut self.writers[who])
    }

    fn write(&mut self, who: usize, lines: u16, text: u16) {
        let (who, writer) = self.writer(who);
        writer.finish_half();
        let mut new = Vec::new();
        for _ in 0..lines {
            new.push(format!("{who} {:07} {}", writer.lines, "x".repeat(text.into())));
            writer.lines += 1;
        }
        writer.file.write_all((new.join("\n") + "\n").as_bytes()).unwrap();
        self.written.extend(new);
    }

    /// With several writers, another one's line would come between the halves.
    fn write_half(&mut self) {
        if self.writers.len() > 1 {
            return;
        }
        let (who, writer) = self.writer(0);
        writer.finish_half();
        let line = format!("{who} {:07} in two halves", writer.lines);
        let (first, second) = line.split_at(14);
        writer.file.write_all(first.as_bytes()).unwrap();
        writer.half = format!("{second}\n");
        writer.lines += 1;
        self.written.push(line);
    }

    /// Makes room for a newly rotated file; its name.
    fn shift(&mut self) -> PathBuf {
        self.rotations += 1;
        if self.dated {
            return self.place.path().join(format!("mail.log-{}", 20_260_000 + self.rotations));
        }
        for old in history(&self.path()) {
            let name = old.file_name().unwrap().to_str().unwrap().strip_prefix("mail.log.").unwrap();
            let (count, packed) =
                name.split_once('.').map_or((name, ""), |(count, _)| (count, &name[count.len()..]));
            let next = count.parse::<u32>().unwrap() + 1;
            fs::rename(&old, self.place.path().join(format!("mail.log.{next}{packed}"))).unwrap();
        }
        self.place.path().join("mail.log.1")
    }

    /// Nobody rotates twice before all writers know of the first.
    fn rename(&mut self, create: bool) {
        let path = self.path();
        if !path.exists() {
            return;
        }
        let (inode, empty) = fs::metadata(&path).map(|log| (log.ino(), log.len() == 0)).unwrap();
        if empty && self.writers.len() > 1 {
            // A late line of one writer, after another's in the new log, is not looked for in a file that was over when empty.
            return;
        }
        for who in 0..self.writers.len() {
            if self.writers.len() > 1 && self.writers[who].inode() != inode {
                self.reopen(who);
            }
        }
        let to = self.shift();
        fs::rename(&path, &to).unwrap();
        if create {
            File::create(&path).unwrap();
        }
    }

    fn reopen(&mut self, who: usize) {
        let path = self.path();
        let (_, writer) = self.writer(who);
        writer.finish_half();
        writer.file = append(&path);
    }

    fn reopen_all(&mut self) {
        (0..self.writers.len()).for_each(|who| self.reopen(who));
    }

    fn copy_truncate(&mut self) {
        self.reopen_all();
        let path = self.path();
        let to = self.shift();
        fs::copy(&path, to).unwrap();
        append(&path).set_len(0).unwrap();
    }

    fn replace(&mut self) {
        self.reopen_all();
        let copy = self.place.path().join(".mail.log.x");
        fs::copy(self.path(), &copy).unwrap();
        fs::rename(copy, self.path()).unwrap();
        self.reopen_all();
    }

    fn is_written_to(&self, path: &Path) -> bool {
        let inode = fs::metadata(path).unwrap().ino();
        self.writers.iter().any(|writer| writer.inode() == inode)
    }

    /// As with `delaycompress`: not what is still written to.
    fn compress(&mut self, which: usize, how: u8) {
        let mut files = history(&self.path());
        let is_packed = |path: &Path| {
            path.extension().is_some_and(|end| ["gz", "bz2", "zst"].iter().any(|packed| end == *packed))
        };
        files.retain(|path| !self.is_written_to(path) && !is_packed(path));
        if files.is_empty() {
            return;
        }
        let path = &files[which % files.len()];
        let plain = fs::read(path).unwrap();
        let (packed, suffix) = pack(&plain, how);
        fs::write(format!("{}.{suffix}", path.display()), packed).unwrap();
        fs::remove_file(path).unwrap();
    }

    fn start(&mut self) {
        if self.reader.is_none() {
            let cursor = self.cursor.clone();
            let specs = [Spec::File(self.path())];
            self.reader = Some(Reader::open(&specs, |_| cursor.clone(), Start::Beginning).unwrap());
        }
    }

    fn read(&mut self, batches: u8) {
        let Some(reader) = &mut self.reader else { return };
        for _ in 0..batches {
            match reader.next(Some(Duration::ZERO)).unwrap() {
                Next::Batch(batch) => {
                    let lines = batch.lines.split_inclusive(|byte| *byte == b'\n');
                    let before = self.uncommitted.len();
                    self.uncommitted.extend(lines.map(|line| {
                        let line = line.strip_suffix(b"\n").unwrap();
                        String::from_utf8(line.to_vec()).unwrap()
                    }));
                    assert_eq!(self.uncommitted.len() - before, batch.count);
                    self.next_cursor = Some(batch.cursor);
                }
                Next::Idle => return,
                other => panic!("{other:?}"),
            }
        }
    }

    fn commit(&mut self) {
        self.committed.append(&mut self.uncommitted);
        self.cursor.clone_from(&self.next_cursor);
    }

    fn kill(&mut self) {
        self.reader = None;
        self.uncommitted.clear();
        self.next_cursor.clone_from(&self.cursor);
    }

    /// Reads and stores all that is there.
    fn catch_up(&mut self) {
        self.writers.iter_mut().for_each(Writer::finish_half);
        self.start();
        self.read(u8::MAX);
        self.commit();
        for who in 0..self.writers.len() {
            let of = |lines: &[String]| -> Vec<String> {
                lines.iter().filter(|line| line.starts_with(&format!("{who} "))).cloned().collect()
            };
            compare(&of(&self.committed), &of(&self.written), &self.reader.as_ref().unwrap().status());
        }
        assert_eq!(self.committed.len(), self.written.len());
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Write(who, lines, text) => self.write(who, lines, text),
            Step::WriteHalf => self.write_half(),
            Step::Rename { create } => self.rename(create),
            Step::Reopen(who) => self.reopen(who),
            Step::CopyTruncate => self.copy_truncate(),
            Step::Truncate => {
                self.catch_up();
                self.reopen_all();
                append(&self.path()).set_len(0).unwrap();
                self.doubtful = true;
            }
            Step::Delete => {
                self.catch_up();
                let _ = fs::remove_file(self.path());
                self.reopen_all();
                self.doubtful = true;
            }
            Step::Replace => self.replace(),
            Step::Compress(which, how) => self.compress(which, how),
            Step::Prune => {
                self.catch_up();
                let oldest = history(&self.path()).into_iter().find(|path| !self.is_written_to(path));
                oldest.into_iter().for_each(|path| fs::remove_file(path).unwrap());
                self.doubtful = true;
            }
            Step::Read(batches) => self.read(batches),
            Step::Commit => self.commit(),
            Step::Kill => self.kill(),
            Step::Start => self.start(),
        }
    }
}

fn compare(got: &[String], written: &[String], status: &[SourceStatus]) {
    let differs = got.iter().zip(written).position(|(got, written)| got != written);
    let at = differs.unwrap_or(got.len().min(written.len()));
    let shown = |lines: &[String]| -> Vec<String> {
        lines.iter().skip(at).take(3).map(|line| line.chars().take(20).collect()).collect()
    };
    assert!(
        got == written,
        "{} lines read, {} written; from {at}: {:?} for {:?}; {status:?}",
        got.len(),
        written.len(),
        shown(got),
        shown(written),
    );
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

fn pack(plain: &[u8], how: u8) -> (Vec<u8>, &'static str) {
    match how {
        0 => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(plain).unwrap();
            (packer.finish().unwrap(), "gz")
        }
        1 => {
            let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            packer.write_all(plain).unwrap();
            (packer.finish().unwrap(), "bz2")
        }
        _ => {
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            (ruzstd::encoding::compress_to_vec(plain, level), "zst")
        }
    }
}

fn run(dated: bool, writers: usize, steps: &[Step]) {
    let mut world = World::new(dated, writers);
    for step in steps {
        world.act(*step);
    }
    world.catch_up();
    let status = world.reader.as_ref().unwrap().status();
    assert!(world.doubtful || status[0].lost == 0, "{status:?}");
    assert_eq!(status[0].lag, 0, "{status:?}");
}

/// More with `PROPTEST_CASES`.
fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200);
    Config {
        cases,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_line_once_and_in_order(dated in any::<bool>(), steps in prop::collection::vec(step(), 1..80)) {
        run(dated, 1, &steps);
    }

    /// Each writer's lines are in order; nobody knows that of all of them.
    #[test]
    fn every_line_once_of_several_writers(dated in any::<bool>(), steps in prop::collection::vec(step(), 1..80)) {
        run(dated, 3, &steps);
    }
}
