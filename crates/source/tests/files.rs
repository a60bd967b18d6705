//! Single cases of what happens to log files, each with real files.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may"
)]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use mailward_source::{LINE_MAX, Next, Reader, SourceError, SourceStatus, Spec, Start, State, open_any};

/// A log in a directory of its own, and its reader.
struct Log {
    place: tempfile::TempDir,
    reader: Reader,
    cursor: Option<String>,
}

impl Log {
    fn new() -> Self {
        Self::with(Start::Beginning, |_| {})
    }

    /// With something there before reading begins.
    fn with(start: Start, prepare: impl Fn(&Path)) -> Self {
        let place = tempfile::tempdir().unwrap();
        prepare(place.path());
        let reader = Reader::open(&[Spec::File(place.path().join("mail.log"))], |_| None, start).unwrap();
        let mut log = Self { place, reader, cursor: None };
        if start == Start::End {
            assert_eq!(log.read(), "");
        }
        log
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        append(&self.path(name)).write_all(text.as_ref()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// All that is there now.
    fn read(&mut self) -> String {
        let mut all = Vec::new();
        while let Next::Batch(batch) = self.reader.next(Some(Duration::ZERO)).unwrap() {
            all.extend_from_slice(batch.lines);
            self.cursor = Some(batch.cursor);
        }
        String::from_utf8(all).unwrap()
    }

    /// Dies and starts again.
    fn restart(&mut self) {
        let cursor = self.cursor.clone();
        self.reader =
            Reader::open(&[Spec::File(self.path("mail.log"))], |_| cursor.clone(), Start::End).unwrap();
    }

    fn status(&self) -> SourceStatus {
        self.reader.status().remove(0)
    }
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

#[test]
fn a_partial_line_waits_for_its_end() {
    let mut log = Log::new();
    log.append("mail.log", "one\ntw");
    assert_eq!(log.read(), "one\n");
    log.append("mail.log", "o");
    assert_eq!(log.read(), "");
    log.append("mail.log", "\nthree\n");
    assert_eq!(log.read(), "two\nthree\n");
    assert_eq!((log.status().lines, log.status().bytes), (3, 14));
}

#[test]
fn a_long_line_is_cut_even_across_a_restart() {
    let mut log = Log::new();
    let long = "x".repeat(500_000);
    log.append("mail.log", format!("one\n{long}"));
    assert_eq!(log.read(), format!("one\n{}\n", &long[..LINE_MAX]));
    assert_eq!(log.status().cut, 1);
    log.restart();
    log.append("mail.log", &long);
    assert_eq!(log.read(), "");
    log.append("mail.log", "\ntwo\n");
    assert_eq!(log.read(), "two\n");
}

#[test]
fn blocks_of_nul_are_nothing() {
    let mut log = Log::new();
    log.append("mail.log", [b"one\ntor".to_vec(), vec![0; 300_000], b"two\n".to_vec(), vec![0; 10]].concat());
    assert_eq!(log.read(), "one\ntor\ntwo\n");
    log.append("mail.log", "three\n");
    assert_eq!(log.read(), "three\n");
}

#[test]
fn a_writer_that_does_not_append_leaves_a_hole() {
    let mut log = Log::new();
    let mut writer = File::create(log.path("mail.log")).unwrap();
    writer.write_all(b"one\ntwo\n").unwrap();
    assert_eq!(log.read(), "one\ntwo\n");
    fs::copy(log.path("mail.log"), log.path("mail.log.1")).unwrap();
    writer.set_len(0).unwrap();
    writer.write_all(b"three\n").unwrap();
    assert_eq!(log.read(), "three\n");
    assert_eq!(log.status().lost, 0);
}

#[test]
fn a_file_that_grows_back_beyond_the_offset_is_seen() {
    let mut log = Log::new();
    log.append("mail.log", "one\ntwo\n");
    assert_eq!(log.read(), "one\ntwo\n");
    log.append("mail.log", "three\n");
    fs::copy(log.path("mail.log"), log.path("mail.log-20261121")).unwrap();
    append(&log.path("mail.log")).set_len(0).unwrap();
    log.append("mail.log", "ONE\nTWO\nTHREE\nFOUR\n");
    assert_eq!(log.read(), "three\nONE\nTWO\nTHREE\nFOUR\n");
    assert_eq!((log.status().lost, log.status().rotations), (0, 1));
}

#[test]
fn several_writers_may_be_late_and_the_reader_may_die() {
    let mut log = Log::new();
    let mut first = append(&log.path("mail.log"));
    let mut second = append(&log.path("mail.log"));
    first.write_all(b"one\n").unwrap();
    assert_eq!(log.read(), "one\n");
    log.rename("mail.log", "mail.log.1");
    second.write_all(b"two\n").unwrap();
    log.append("mail.log", "three\n");
    assert_eq!(log.read(), "two\nthree\n");
    first.write_all(b"late one\n").unwrap();
    log.append("mail.log", "four\n");
    assert_eq!(log.read(), "late one\nfour\n");
    second.write_all(b"late two\n").unwrap();
    log.restart();
    log.append("mail.log", "five\n");
    assert_eq!(log.read(), "late two\nfive\n");
    first.write_all(b"late three\n").unwrap();
    assert_eq!(log.read(), "late three\n");
}

#[test]
fn half_a_line_of_a_dead_writer_is_a_line_when_its_file_is_over() {
    let mut log = Log::new();
    log.append("mail.log", "one\ntorn");
    log.rename("mail.log", "mail.log.1");
    log.append("mail.log", "");
    assert_eq!(log.read(), "one\n");
    log.append("mail.log", "two\n");
    assert_eq!(log.read(), "torn\ntwo\n");
    log.restart();
    assert_eq!(log.read(), "");
}

#[test]
fn what_was_read_between_copy_and_truncation_is_not_read_again() {
    for (restarts, early) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut log = Log::new();
        log.append("mail.log", "one\n");
        let before = if early { log.read() } else { String::new() };
        fs::copy(log.path("mail.log"), log.path("mail.log.1")).unwrap();
        log.append("mail.log", "two\n");
        assert_eq!(before + &log.read(), "one\ntwo\n");
        append(&log.path("mail.log")).set_len(0).unwrap();
        if restarts {
            log.restart();
        }
        assert_eq!(log.read(), "");
        log.append("mail.log", "three\n");
        assert_eq!(log.read(), "three\n");
        assert_eq!(log.status().lost, 0);
    }
}

#[test]
fn a_longer_copy_in_its_place_is_the_same_log() {
    let mut log = Log::new();
    log.append("mail.log", "one\ntw");
    assert_eq!(log.read(), "one\n");
    for (text, expected) in [("one\ntwo\nth", "two\n"), ("one\ntwo\nthree\n", "three\n")] {
        // As rsync(1) does.
        fs::write(log.path(".mail.log.x"), text).unwrap();
        log.rename(".mail.log.x", "mail.log");
        assert_eq!(log.read(), expected);
    }
    assert_eq!((log.status().lost, log.status().rotations), (0, 0));
}

#[test]
fn a_removed_log_does_not_take_the_order_along() {
    let mut log = Log::new();
    log.append("mail.log", "one\n");
    log.rename("mail.log", "mail.log.1");
    log.append("mail.log", "two\n");
    assert_eq!(log.read(), "one\ntwo\n");
    fs::remove_file(log.path("mail.log")).unwrap();
    log.append("mail.log", "three\n");
    assert_eq!(log.read(), "three\n");
    append(&log.path("mail.log")).set_len(0).unwrap();
    log.append("mail.log", "four\n");
    assert_eq!(log.read(), "four\n");
}

#[test]
fn many_rotations_while_away() {
    let mut log = Log::new();
    log.append("mail.log", "one\n");
    assert_eq!(log.read(), "one\n");
    log.append("mail.log", "two\n");
    for n in 3..40 {
        for old in (1..n).rev().filter(|old| log.path(&format!("mail.log.{old}")).exists()) {
            log.rename(&format!("mail.log.{old}"), &format!("mail.log.{}", old + 1));
        }
        log.rename("mail.log", "mail.log.1");
        log.append("mail.log", format!("{n}\n"));
    }
    log.restart();
    let expected: String = (3..40).map(|n| format!("{n}\n")).collect();
    assert_eq!(log.read(), format!("two\n{expected}"));
}

#[test]
fn the_end_is_the_end_of_the_last_whole_line() {
    let mut log = Log::with(Start::End, |place| {
        fs::write(place.join("mail.log.1"), "old\n").unwrap();
        fs::write(place.join("mail.log"), "one\nhal").unwrap();
    });
    log.append("mail.log", "f\ntwo\n");
    assert_eq!(log.read(), "half\ntwo\n");
}

#[test]
fn a_first_cursor_is_given_before_anything_comes() {
    for before in [None, Some("old\n")] {
        let mut log = Log::with(Start::End, |place| {
            if let Some(text) = before {
                fs::write(place.join("mail.log"), text).unwrap();
            }
        });
        assert!(log.cursor.is_some());
        log.append("mail.log", "one\n");
        log.rename("mail.log", "mail.log.1");
        log.append("mail.log", "two\n");
        log.restart();
        assert_eq!(log.read(), "one\ntwo\n");
    }
}

#[test]
fn an_inode_that_is_used_again_fools_nobody() {
    let mut log = Log::new();
    log.append("mail.log", "one\ntwo\n");
    assert_eq!(log.read(), "one\ntwo\n");
    // The closest to a reused inode that does not depend on the file system: the same inode, another content.
    fs::copy(log.path("mail.log"), log.path("mail.log.1")).unwrap();
    let mut file = OpenOptions::new().write(true).truncate(true).open(log.path("mail.log")).unwrap();
    file.write_all(b"three\nfour\nfive\n").unwrap();
    log.restart();
    assert_eq!(log.read(), "three\nfour\nfive\n");
}

#[test]
fn a_copy_that_is_just_being_made_is_not_read_twice() {
    let mut log = Log::new();
    assert_eq!(log.read(), "");
    log.append("mail.log", "one\ntwo\n");
    fs::copy(log.path("mail.log"), log.path("mail.log.1")).unwrap();
    log.restart();
    assert_eq!(log.read(), "one\ntwo\n");
    append(&log.path("mail.log")).set_len(0).unwrap();
    assert_eq!(log.read(), "");
    log.append("mail.log", "three\n");
    assert_eq!(log.read(), "three\n");
    assert_eq!(log.status().lost, 0);
}

#[test]
fn a_log_that_lost_its_end_in_a_crash_is_not_read_twice() {
    let mut log = Log::new();
    log.append("mail.log", "one\ntwo\nthree\n");
    assert_eq!(log.read(), "one\ntwo\nthree\n");
    append(&log.path("mail.log")).set_len(8).unwrap();
    log.restart();
    assert_eq!(log.read(), "");
    log.append("mail.log", "four\n");
    assert_eq!(log.read(), "four\n");
    assert_eq!(log.status().lost, 1);
    assert!(log.status().note.unwrap().contains("cut or edited"));
}

#[test]
fn a_directory_that_is_not_mounted_yet_loses_nothing() {
    let mut log = Log::new();
    log.append("mail.log", "one\n");
    assert_eq!(log.read(), "one\n");
    let hidden = log.place.path().with_extension("hidden");
    fs::rename(log.place.path(), &hidden).unwrap();
    log.restart();
    assert_eq!(log.read(), "");
    assert_eq!(log.status().state, State::Missing);
    fs::rename(&hidden, log.place.path()).unwrap();
    log.append("mail.log", "two\n");
    assert_eq!(log.read(), "two\n");
    assert_eq!(log.status().lost, 0);
}

#[test]
fn links_are_followed_when_they_change() {
    let mut log = Log::with(Start::Beginning, |place| {
        fs::create_dir(place.join("data")).unwrap();
        symlink("data/mail.log", place.join("mail.log")).unwrap();
    });
    log.append("data/mail.log", "one\n");
    assert_eq!(log.read(), "one\n");
    log.append("data/mail.log", "two\n");
    log.rename("data/mail.log", "data/mail.log.1");
    log.append("data/mail.log", "three\n");
    assert_eq!(log.read(), "two\nthree\n");
    // cronolog's way: a dated file, and a link to the newest.
    log.append("mail.log.2026-11-21", "four\n");
    fs::remove_file(log.path("mail.log")).unwrap();
    symlink("mail.log.2026-11-21", log.path("mail.log")).unwrap();
    assert_eq!(log.read(), "four\n");
    log.append("mail.log.2026-11-21", "five\n");
    log.append("mail.log.2026-11-22", "six\n");
    fs::remove_file(log.path("mail.log")).unwrap();
    symlink("mail.log.2026-11-22", log.path("mail.log")).unwrap();
    log.restart();
    assert_eq!(log.read(), "five\nsix\n");
}

#[test]
fn what_cannot_be_a_log_is_told_and_tried_again() {
    let mut log = Log::with(Start::Beginning, |place| fs::create_dir(place.join("mail.log")).unwrap());
    assert_eq!(log.read(), "");
    assert_eq!(log.status().state, State::Missing);
    fs::remove_dir(log.path("mail.log")).unwrap();
    log.append("mail.log", "one\n");
    assert_eq!(log.read(), "one\n");
    assert_eq!(log.status().state, State::Reading);
}

#[test]
fn a_log_that_may_not_be_read_is_told_and_tried_again() {
    if !rustix::process::geteuid().is_root() {
        eprintln!(
            "SKIPPED: a_log_that_may_not_be_read_is_told_and_tried_again needs root, to become somebody else"
        );
        return;
    }
    use std::os::unix::fs::{PermissionsExt, chown};
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = place.path().join("mail.log");
    fs::write(&path, "one\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let (ask, asked) = mpsc::channel();
    let (answer, answered) = mpsc::channel();
    let as_nobody = path.clone();
    let nobody = std::thread::spawn(move || {
        // Of this thread alone.
        let uid = rustix::process::Uid::from_raw(65534);
        rustix::thread::set_thread_res_uid(Some(uid), Some(uid), Some(uid)).unwrap();
        let mut reader = Reader::open(&[Spec::File(as_nobody)], |_| None, Start::Beginning).unwrap();
        while asked.recv().is_ok() {
            let mut lines = Vec::new();
            while let Next::Batch(batch) = reader.next(Some(Duration::ZERO)).unwrap() {
                lines.extend_from_slice(batch.lines);
            }
            answer.send((lines, reader.status().remove(0).state)).unwrap();
        }
    });
    ask.send(()).unwrap();
    let (lines, state) = answered.recv().unwrap();
    let State::Failed(why) = state else { panic!("{state:?}, {lines:?}") };
    assert!(why.contains("Permission denied") && why.contains("namei -l"), "{why}");
    chown(&path, Some(65534), None).unwrap();
    ask.send(()).unwrap();
    assert_eq!(answered.recv().unwrap(), (b"one\n".to_vec(), State::Reading));
    drop(ask);
    nobody.join().unwrap();
}

#[test]
fn damaged_history_does_not_stop_the_log() {
    let mut log = Log::new();
    log.append("mail.log", "one\n");
    assert_eq!(log.read(), "one\n");
    log.rename("mail.log", "mail.log.2");
    let lines: String = (0..20_000).map(|n| format!("line {n} {}\n", n * 7919 % 1_000_003)).collect();
    fs::write(log.path("mail.log.1"), lines).unwrap();
    assert!(Command::new("/bin/gzip").arg(log.path("mail.log.1")).status().unwrap().success());
    let packed = OpenOptions::new().write(true).open(log.path("mail.log.1.gz")).unwrap();
    packed.set_len(packed.metadata().unwrap().len() / 2).unwrap();
    log.append("mail.log", "two\n");
    let read = log.read();
    assert!(read.starts_with("line 0 ") && read.ends_with("\ntwo\n"), "{}", &read[read.len() - 100..]);
    assert_eq!(log.status().lost, 1);
    assert!(log.status().note.unwrap().contains("damaged"));
}

#[test]
fn sources_take_turns() {
    let place = tempfile::tempdir().unwrap();
    let paths = ["a.log", "b.log", "c.log"].map(|name| place.path().join(name));
    for path in &paths {
        fs::write(path, "a line of text\n".repeat(100_000)).unwrap();
    }
    let specs = paths.clone().map(Spec::File);
    let mut reader = Reader::open(&specs, |_| None, Start::Beginning).unwrap();
    let mut order = Vec::new();
    while let Next::Batch(batch) = reader.next(Some(Duration::ZERO)).unwrap() {
        assert!(batch.lines.len() <= 256 << 10);
        order.push(batch.source.to_owned());
    }
    let names = paths.map(|path| path.display().to_string());
    let expected = names.iter().cycle().take(order.len());
    assert!(order.len() > 18 && order.iter().eq(expected), "{order:?}");
}

#[test]
fn wrong_use_is_told() {
    let spec = Spec::File("/var/log/mail.log".into());
    let Err(error) = Reader::open(std::slice::from_ref(&spec), |_| Some("nonsense".to_owned()), Start::End)
    else {
        panic!()
    };
    assert!(
        matches!(error, SourceError::Cursor { .. }) && error.to_string().contains("`nonsense`"),
        "{error}"
    );
    let Err(error) = Reader::open(&[spec.clone(), spec], |_| None, Start::End) else { panic!() };
    assert!(matches!(error, SourceError::Twice { .. }), "{error}");
}

#[test]
fn a_write_a_new_file_and_a_waker_end_the_wait() {
    let place = tempfile::tempdir().unwrap();
    // Not even the directory is there at first.
    let directory = place.path().join("log");
    let path = directory.join("mail.log");
    let mut reader = Reader::open(&[Spec::File(path.clone())], |_| None, Start::End).unwrap();
    let waker = reader.waker();
    let (go, steps) = mpsc::channel();
    let other = std::thread::spawn(move || {
        let mut steps = steps.into_iter();
        steps.next();
        fs::create_dir(&directory).unwrap();
        append(&path).write_all(b"one\n").unwrap();
        steps.next();
        append(&path).write_all(b"two\n").unwrap();
        steps.next();
        fs::rename(&path, directory.join("mail.log.1")).unwrap();
        append(&path).write_all(b"three\n").unwrap();
        steps.next();
        waker.wake();
        waker.wake();
    });
    let first = reader.next(None).unwrap();
    assert!(matches!(first, Next::Batch(batch) if batch.lines.is_empty()));
    for expected in ["one\n", "two\n", "three\n"] {
        go.send(()).unwrap();
        let Next::Batch(batch) = reader.next(Some(Duration::from_secs(60))).unwrap() else {
            panic!("{expected}")
        };
        assert_eq!(batch.lines, expected.as_bytes());
    }
    go.send(()).unwrap();
    assert!(matches!(reader.next(None).unwrap(), Next::Woken));
    other.join().unwrap();
    while let Next::Woken = reader.next(Some(Duration::ZERO)).unwrap() {}
    assert!(matches!(reader.next(Some(Duration::from_millis(5))).unwrap(), Next::Idle));
}

#[test]
fn standard_input_ends() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "print_standard_input", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for piece in ["one\ntw", "o\n", "three"] {
        stdin.write_all(piece.as_bytes()).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = output.lines().filter_map(|line| line.strip_prefix("got ")).collect();
    assert_eq!(lines, ["one", "two", "three", "Ended"]);
}

#[test]
#[ignore = "the child of standard_input_ends"]
fn print_standard_input() {
    let mut reader = Reader::open(&[Spec::Stdin], |_| None, Start::End).unwrap();
    while let Next::Batch(batch) = reader.next(None).unwrap() {
        for line in String::from_utf8_lossy(batch.lines).lines() {
            println!("got {line}");
        }
    }
    println!("got {:?}", reader.status()[0].state);
}

#[test]
fn what_the_compressors_write_is_read() {
    let place = tempfile::tempdir().unwrap();
    let text: String = (0..10_000).map(|n| format!("line {n} {}\n", n * 7919 % 1_000_003)).collect();
    let cases: [(&str, &[&str]); 6] = [
        ("/bin/gzip", &["-9"]),
        ("/bin/bzip2", &[]),
        ("/usr/bin/xz", &["-6"]),
        ("/usr/bin/xz", &["-9"]),
        ("/usr/bin/zstd", &["-q", "-12"]),
        ("/bin/cat", &[]),
    ];
    for (program, args) in cases {
        if !Path::new(program).exists() {
            eprintln!("SKIPPED: what_the_compressors_write_is_read: {program} is not installed");
            continue;
        }
        let path = place.path().join("mail.log.1");
        // Two after one another, as logs are that were joined with cat(1).
        let mut file = File::create(&path).unwrap();
        for _ in 0..2 {
            let mut command = Command::new(program);
            let mut child =
                command.args(args).stdin(Stdio::piped()).stdout(file.try_clone().unwrap()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
            file.seek(SeekFrom::End(0)).unwrap();
        }
        let mut got = String::new();
        open_any(&path).unwrap().read_to_string(&mut got).unwrap();
        assert!(got == text.repeat(2), "{program} {args:?}: {} bytes", got.len());
    }
    let error = open_any(&place.path().join("none")).err().unwrap();
    assert!(error.to_string().contains("No such file"), "{error}");
}
