//! Our rooms over a log, without the daemon around them: `pipeline parse FILE` makes every line an event, `pipeline chain
//! FILE` goes on to offences, signals and bans. `cargo xtask bench` measures both from outside; each prints what it found.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench tells its results on the terminal")]

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;

use jiff::tz::TimeZone;
use mailward_decide::{Bans, Budget, Ladder, NeverBan};
use mailward_detect::{Capacity, Detector, Patience, Rules};
use mailward_engine::{Effect, Engine, Now};
use mailward_model::{Event, EventKind, Program, Timestamp};
use mailward_parse::{Context, Parser, split_lines};

/// A log is read in pieces of this size.
const PIECE: usize = 1 << 18;

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    let read: fn(&str) -> io::Result<String> = match args.first().map(String::as_str) {
        Some("parse") => parse,
        Some("chain") => chain,
        _ => {
            eprintln!("SKIPPED: usage: pipeline parse|chain FILE; `cargo xtask bench` calls it");
            return ExitCode::SUCCESS;
        }
    };
    match args.get(1).map_or_else(|| Err(io::ErrorKind::NotFound.into()), |path| read(path)) {
        Ok(found) => {
            println!("{found}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(path: &str) -> io::Result<String> {
    let mut parser = Parser::new(context());
    let (mut lines, mut unknown, mut clients) = (0_u64, 0_u64, 0_u64);
    for_each_line(path, |line| {
        let mut event = Event::new(Timestamp::default(), Program::Other);
        parser.parse_into(line, &mut event);
        lines += 1;
        unknown += u64::from(event.kind == EventKind::Unknown);
        clients += u64::from(event.client.is_some());
    })?;
    Ok(format!("{lines} lines, {unknown} unknown, {clients} with a client"))
}

fn chain(path: &str) -> io::Result<String> {
    let detector = Detector::new(Rules::default(), Patience::default(), Capacity::default());
    let bans = Bans::new(NeverBan::default(), Ladder::default(), Budget::default());
    let mut engine = Engine::new(context(), detector, bans);
    let (mut lines, mut offences, mut signals, mut bans) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut effects = Vec::new();
    for_each_line(path, |line| {
        engine.step(0, line, Now::Logged, &mut effects);
        lines += 1;
        for effect in effects.drain(..) {
            match effect {
                Effect::Offence(_) => offences += 1,
                Effect::Signal(_) => signals += 1,
                Effect::Ban(_) => bans += 1,
                Effect::Login(_) | Effect::Refused(_) => {}
            }
        }
    })?;
    Ok(format!("{lines} lines, {offences} offences, {signals} signals, {bans} bans"))
}

fn context() -> Context {
    // The day after the log of `cargo xtask bench` begins, for stamps without a year.
    Context { reference: Timestamp::from_secs(1_759_795_200), zone: TimeZone::UTC }
}

/// Reads a file in pieces; what is left of the last line of one goes before the next.
fn for_each_line(path: &str, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut piece = vec![0_u8; PIECE];
    let mut filled = 0;
    loop {
        if filled == piece.len() {
            piece.resize(piece.len() * 2, 0);
        }
        let read = file.read(piece.get_mut(filled..).unwrap_or_default())?;
        filled += read;
        let whole = piece.get(..filled).unwrap_or_default();
        let end = match memchr::memrchr(b'\n', whole) {
            _ if read == 0 => filled,
            Some(at) => at + 1,
            None => 0,
        };
        split_lines(whole.get(..end).unwrap_or_default()).for_each(&mut take);
        if read == 0 {
            return Ok(());
        }
        piece.copy_within(end..filled, 0);
        filled -= end;
    }
}
