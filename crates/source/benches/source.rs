//! How fast logs are read, and how soon a line is seen: `cargo bench -p mailward-source`.
//!
//! A figure is the best of several runs, from the page cache; latencies are from before write(2) to the return of `next`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mailward_source::{Chunk, Next, Reader, Spec, Start, chunks, open_any};

const LINE: &str = "Nov 21 10:00:00 mx postfix/smtpd[4711]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6";
const LINES: usize = 4_500_000;
const RUNS: usize = 5;

fn main() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("mail.log");
    write_log(&path);
    let size = fs::metadata(&path).unwrap().len();
    println!("{} MB, {LINES} lines, best of {RUNS}", size >> 20);
    let rate = |name: &str, size: u64, (took, worked): (Duration, Duration)| {
        let rate = |time: Duration| size as f64 / time.as_secs_f64() / 1e9;
        // A child's processor time is not ours.
        let own = if worked * 10 > took {
            format!("{:6.2} GB/s of processor time", rate(worked))
        } else {
            String::new()
        };
        println!("{name:36} {:6.2} GB/s {own}", rate(took));
    };
    rate("wc -l", size, best(|| count_with_wc(&path)));
    for kib in [256, 512, 1024, 2048] {
        rate(&format!("chunks of {kib} KiB"), size, best(|| read_chunks(&path, kib << 10, false)));
    }
    rate("chunks of 256 KiB, lines counted", size, best(|| read_chunks(&path, 256 << 10, true)));
    rate("batches of a reader, lines counted", size, best(|| read_batches(&path)));
    for (program, suffix) in
        [("/bin/gzip", "gz"), ("/usr/bin/zstd", "zst"), ("/usr/bin/xz", "xz"), ("/bin/bzip2", "bz2")]
    {
        unpack(place.path(), program, suffix, &rate);
    }
    wake_latency(place.path());
    idle(place.path());
}

fn write_log(path: &Path) {
    let mut file = std::io::BufWriter::new(File::create(path).unwrap());
    for n in 0..LINES {
        writeln!(file, "{LINE} {n}").unwrap();
    }
}

/// The shortest time, of the clock and of the processor: other work on the machine disturbs the first more.
fn best(mut run: impl FnMut()) -> (Duration, Duration) {
    let timed = (0..RUNS).map(|_| {
        let (start, worked) = (Instant::now(), processor_time());
        run();
        (start.elapsed(), processor_time() - worked)
    });
    let timed: Vec<_> = timed.collect();
    (timed.iter().map(|run| run.0).min().unwrap(), timed.iter().map(|run| run.1).min().unwrap())
}

fn count_with_wc(path: &Path) {
    assert!(
        Command::new("/usr/bin/wc").arg("-l").arg(path).stdout(Stdio::null()).status().unwrap().success()
    );
}

fn read_chunks(path: &Path, size: usize, count: bool) {
    let mut chunks = chunks(open_any(path).unwrap(), size);
    let mut chunk = Chunk::default();
    let (mut bytes, mut lines) = (0, 0);
    while chunks.read(&mut chunk).unwrap() {
        bytes += chunk.lines().len() as u64;
        lines += if count { memchr::memchr_iter(b'\n', chunk.lines()).count() } else { 0 };
    }
    assert_eq!(bytes, fs::metadata(path).unwrap().len());
    assert!(!count || lines == LINES);
}

fn read_batches(path: &Path) {
    let mut reader = Reader::open(&[Spec::File(path.to_owned())], |_| None, Start::Beginning).unwrap();
    let mut lines = 0;
    while let Next::Batch(batch) = reader.next(Some(Duration::ZERO)).unwrap() {
        lines += batch.count;
    }
    assert_eq!(lines, LINES);
}

/// On a part of the log: the compressors are slow.
fn unpack(place: &Path, program: &str, suffix: &str, rate: &impl Fn(&str, u64, (Duration, Duration))) {
    if !Path::new(program).exists() {
        println!("SKIPPED: {program} is not installed");
        return;
    }
    let part = place.join("part");
    let text: String =
        (0..400_000).map(|n: u32| format!("{LINE} {}\n", n.wrapping_mul(2_654_435_761))).collect();
    fs::write(&part, &text).unwrap();
    assert!(Command::new(program).arg(&part).stderr(Stdio::null()).status().unwrap().success());
    let packed = place.join(format!("part.{suffix}"));
    rate(
        &format!("chunks of .{suffix}"),
        text.len() as u64,
        best(|| {
            let mut chunks = chunks(open_any(&packed).unwrap(), 256 << 10);
            let mut chunk = Chunk::default();
            while chunks.read(&mut chunk).unwrap() {}
        }),
    );
    let _ = fs::remove_file(&part);
}

fn wake_latency(place: &Path) {
    const SAMPLES: usize = 3000;
    let path = place.join("wake.log");
    let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
    let mut reader = Reader::open(&[Spec::File(path)], |_| None, Start::Beginning).unwrap();
    assert!(matches!(reader.next(None).unwrap(), Next::Batch(batch) if batch.lines.is_empty()));
    let (sent, times) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        for () in gone {
            // Long enough for the reader to sleep.
            std::thread::sleep(Duration::from_micros(500));
            sent.send(Instant::now()).unwrap();
            file.write_all(b"Nov 21 10:00:00 mx postfix/smtpd[4711]: connect from unknown[192.0.2.1]\n")
                .unwrap();
        }
    });
    let sample = |_| {
        go.send(()).unwrap();
        let seen = match reader.next(None).unwrap() {
            Next::Batch(batch) if batch.count == 1 => Instant::now(),
            other => unreachable!("{other:?}"),
        };
        seen - times.recv().unwrap()
    };
    let mut latencies: Vec<Duration> = (0..SAMPLES).map(sample).collect();
    drop(go);
    writer.join().unwrap();
    latencies.sort_unstable();
    let percent = |percent: usize| latencies.get(SAMPLES * percent / 100).copied().unwrap_or_default();
    println!("write to return: p50 {:?}, p90 {:?}, p99 {:?}", percent(50), percent(90), percent(99));
}

fn idle(place: &Path) {
    const SECONDS: u64 = 21;
    let path = place.join("idle.log");
    fs::write(&path, "one\n").unwrap();
    let mut reader = Reader::open(&[Spec::File(path)], |_| None, Start::End).unwrap();
    reader.next(None).unwrap();
    let before = processor_time();
    assert!(matches!(reader.next(Some(Duration::from_secs(SECONDS))).unwrap(), Next::Idle));
    println!("idle: {:?} of processor time in {SECONDS} s", processor_time() - before);
}

fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}
