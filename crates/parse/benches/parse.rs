//! How fast lines become events: `cargo bench -p mailward-parse [-- FILE...]`.
//!
//! Without files it takes the fixtures beside the repository, and without those the golden lines of the tests, repeated to
//! about 200 MB. It prints the best of some runs for each and all of them, with every field filled, in processor time of its
//! one thread, which other work on the machine disturbs less than the clock on the wall.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use mailward_model::{Event, EventKind, Program, Timestamp};
use mailward_parse::{Context, Parser, split_lines};
use rustix::time::{ClockId, clock_gettime};

const SIZE: usize = 200_000_000;
const RUNS: usize = 5;

const FIXTURES: [&str; 4] = [
    "dms-incident/docker-data/dms/mail-logs/mail.log",
    "dms-incident/variants/mail.log.rfc3164",
    "lab-real/mail.log",
    "lab-real/rfc3339-verbose/mail.log",
];

fn main() -> std::io::Result<()> {
    let mut all = Vec::new();
    for file in files() {
        let Ok(log) = std::fs::read(&file) else {
            eprintln!("SKIPPED: no file {}", file.display());
            continue;
        };
        measure(&name(&file), &repeated(&log, SIZE / 4));
        all.extend_from_slice(&log);
    }
    if all.is_empty() {
        all = golden()?;
    }
    measure("together", &repeated(&all, SIZE));
    Ok(())
}

fn files() -> Vec<PathBuf> {
    let named: Vec<PathBuf> =
        std::env::args_os().skip(1).filter(|a| a != "--bench").map(Into::into).collect();
    if !named.is_empty() {
        return named;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    FIXTURES.iter().map(|file| root.join(file)).collect()
}

fn name(file: &Path) -> String {
    let parts: Vec<_> = file.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

fn golden() -> std::io::Result<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut lines = Vec::new();
    for file in ["postfix.txt", "dovecot.txt", "programs.txt"] {
        let text = std::fs::read(folder.join(file))?;
        for line in split_lines(&text).filter(|line| !line.starts_with(b"    ") && !line.starts_with(b"#")) {
            lines.extend_from_slice(line);
            lines.push(b'\n');
        }
    }
    Ok(lines)
}

fn repeated(log: &[u8], size: usize) -> Vec<u8> {
    log.repeat(size.div_ceil(log.len().max(1)))
}

fn measure(name: &str, log: &[u8]) {
    let mut best = Duration::MAX;
    let (mut lines, mut unknown) = (0_u32, 0_u32);
    for _ in 0..RUNS {
        let start = processor_time();
        (lines, unknown) = run(log);
        best = best.min(processor_time().saturating_sub(start));
    }
    let megabytes = log.len() as f64 / 1e6;
    println!(
        "{name:32} {:7.0} MB/s {:6.1} ns/line {megabytes:6.0} MB {lines:9} lines {unknown:6} unknown",
        megabytes / best.as_secs_f64(),
        best.as_nanos() as f64 / f64::from(lines),
    );
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos)
}

fn run(log: &[u8]) -> (u32, u32) {
    // The end of 2026, after every line of the fixtures.
    let context = Context { reference: Timestamp::from_secs(1_798_718_400), zone: TimeZone::UTC };
    let mut parser = Parser::new(context);
    let (mut lines, mut unknown) = (0, 0);
    for line in split_lines(log) {
        let mut event = Event::new(Timestamp::default(), Program::Other);
        parser.parse_into(black_box(line), &mut event);
        unknown += u32::from(black_box(&event).kind == EventKind::Unknown);
        lines += 1;
    }
    (lines, unknown)
}
