//! Random schedules of writing, rotating, reading and dying, against the obvious: what was written, in order, once.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_source::{Next, Reader, Spec, Start, history};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Whole lines, so many with so much text each.
    Write(u16, u16),
    /// A line in two writes; the second comes with the next write.
    WriteHalf,
    /// logrotate's default; whether it creates the new file.
    Rename {
        create: bool,
    },
    /// What `postrotate` tells the writer.
    Reopen,
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
        8 => (1_u16..20, 0_u16..200).prop_map(|(lines, text)| Step::Write(lines, text)),
        1 => (1_u16..200, 1000_u16..9000).prop_map(|(lines, text)| Step::Write(lines, text)),
        1 => Just(Step::Write(1, 65_000)),
        2 => Just(Step::WriteHalf),
        3 => any::<bool>().prop_map(|create| Step::Rename { create }),
        4 => Just(Step::Reopen),
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

/// The machine: a log, its writer, its rotation, and its reader.
struct World {
    place: tempfile::TempDir,
    dated: bool,
    rotations: u32,
    writer: File,
    /// Where the writer's file is, if it has a name that is written to.
    at: Option<PathBuf>,
    half: String,
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
    fn new(dated: bool) -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("mail.log");
        let writer = append(&path);
        let mut world = Self {
            place,
            dated,
            rotations: 0,
            writer,
            at: Some(path),
            half: String::new(),
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

    fn write(&mut self, lines: u16, text: u16) {
        self.finish_half();
        let mut piece = String::new();
        for _ in 0..lines {
            let line = format!("{:07} {}", self.written.len(), "x".repeat(text.into()));
            piece.push_str(&line);
            piece.push('\n');
            self.written.push(line);
        }
        self.writer.write_all(piece.as_bytes()).unwrap();
    }

    fn write_half(&mut self) {
        self.finish_half();
        let line = format!("{:07} in two halves", self.written.len());
        let (first, second) = line.split_at(12);
        self.writer.write_all(first.as_bytes()).unwrap();
        self.half = format!("{second}\n");
        self.written.push(line);
    }

    fn finish_half(&mut self) {
        let half = std::mem::take(&mut self.half);
        self.writer.write_all(half.as_bytes()).unwrap();
    }

    /// Makes room for a newly rotated file; its name.
    fn shift(&mut self) -> PathBuf {
        self.rotations += 1;
        if self.dated {
            return self.place.path().join(format!("mail.log-{}", 20_260_000 + self.rotations));
        }
        for old in history(&self.path()) {
            let name = old.file_name().unwrap().to_str().unwrap();
            let (count, packed) =
                name["mail.log.".len()..].split_once('.').map_or((&name[9..], None), |(a, b)| (a, Some(b)));
            let next = count.parse::<u32>().unwrap() + 1;
            let next =
                packed.map_or(format!("mail.log.{next}"), |packed| format!("mail.log.{next}.{packed}"));
            fs::rename(&old, self.place.path().join(next)).unwrap();
        }
        self.place.path().join("mail.log.1")
    }

    fn rename(&mut self, create: bool) {
        let path = self.path();
        if !path.exists() {
            return;
        }
        let to = self.shift();
        fs::rename(&path, &to).unwrap();
        if self.at.as_ref() == Some(&path) {
            self.at = Some(to);
        } else if !self.dated {
            self.follow();
        }
        if create {
            File::create(&path).unwrap();
        }
    }

    /// The writer's file was renamed once more.
    fn follow(&mut self) {
        use std::os::unix::fs::MetadataExt;
        let inode = self.writer.metadata().unwrap().ino();
        let found = history(&self.path()).into_iter().find(|path| fs::metadata(path).unwrap().ino() == inode);
        self.at = found;
    }

    fn reopen(&mut self) {
        self.finish_half();
        self.writer = append(&self.path());
        self.at = Some(self.path());
    }

    fn copy_truncate(&mut self) {
        self.reopen();
        let path = self.path();
        let to = self.shift();
        fs::copy(&path, to).unwrap();
        self.writer.set_len(0).unwrap();
    }

    fn replace(&mut self) {
        self.reopen();
        let copy = self.place.path().join(".mail.log.x");
        fs::copy(self.path(), &copy).unwrap();
        fs::rename(copy, self.path()).unwrap();
        self.reopen();
    }

    /// As with `delaycompress`: not what is still written to.
    fn compress(&mut self, which: usize, how: u8) {
        let mut files = history(&self.path());
        files.retain(|path| Some(path) != self.at.as_ref() && !path.to_str().unwrap().ends_with('z'));
        files.retain(|path| path.extension().is_none_or(|end| end != "bz2" && end != "zst"));
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
        self.finish_half();
        self.start();
        self.read(u8::MAX);
        self.commit();
        let first = self.committed.iter().zip(&self.written).position(|(got, written)| got != written);
        let at = first.unwrap_or(self.committed.len().min(self.written.len()));
        let shown = |lines: &[String]| {
            lines
                .iter()
                .skip(at)
                .take(3)
                .map(|line| line[..20.min(line.len())].to_owned())
                .collect::<Vec<_>>()
        };
        assert!(
            self.committed == self.written,
            "{} lines read, {} written; from {at}: {:?} for {:?}; {:?}",
            self.committed.len(),
            self.written.len(),
            shown(&self.committed),
            shown(&self.written),
            self.reader.as_ref().unwrap().status(),
        );
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Write(lines, text) => self.write(lines, text),
            Step::WriteHalf => self.write_half(),
            Step::Rename { create } => self.rename(create),
            Step::Reopen => self.reopen(),
            Step::CopyTruncate => self.copy_truncate(),
            Step::Truncate => {
                self.catch_up();
                self.reopen();
                self.writer.set_len(0).unwrap();
                self.doubtful = true;
            }
            Step::Delete => {
                self.catch_up();
                let _ = fs::remove_file(self.path());
                self.reopen();
                self.doubtful = true;
            }
            Step::Replace => self.replace(),
            Step::Compress(which, how) => self.compress(which, how),
            Step::Prune => {
                self.catch_up();
                let oldest = history(&self.path()).into_iter().find(|path| Some(path) != self.at.as_ref());
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

fn run(dated: bool, steps: &[Step]) {
    let mut world = World::new(dated);
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
    fn every_line_once(dated in any::<bool>(), steps in prop::collection::vec(step(), 1..80)) {
        run(dated, &steps);
    }
}
