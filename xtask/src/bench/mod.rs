//! `cargo xtask bench`: one machine, one run, one log, and everything that reads logs.
//!
//! The log is made up ([`log`]), each contender is a process of its own ([`contenders`]), and what it costs is what the
//! kernel says that it cost ([`measure`]). The table is Markdown, as it stands in the README.

mod contenders;
mod log;
mod measure;
mod rooms;
mod table;

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};

use crate::tool;
use contenders::Contender;
use measure::Cost;

/// Measures the speed of everything that reads logs, ours and the others', over the same made-up log.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// 100 MB instead of 1 GB.
    #[arg(long)]
    quick: bool,
    /// The size of the log in MB.
    #[arg(long, value_name = "MB")]
    size: Option<u64>,
    /// How its lines begin.
    #[arg(long, value_enum, default_value = "rfc3339")]
    format: log::Format,
    /// Where the log is written; by default target/bench.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only contenders and rooms whose name contains this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Only the readers of the log, not the benches of the single rooms.
    #[arg(long)]
    readers: bool,
    /// Only writes the log.
    #[arg(long)]
    log_only: bool,
}

/// A megabyte, as speed is told in.
const MB: u64 = 1_000_000;

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let dir = args.dir.clone().map_or_else(default_dir, Ok)?;
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let size = args.size.unwrap_or(if args.quick { 100 } else { 1_000 }) * MB;
    let log = dir.join(format!("mail-{}.log", size / MB));
    let written = write_log(&log, size, args.format)?;
    if args.log_only {
        return Ok(ExitCode::SUCCESS);
    }
    let place = contenders::Place { root: tool::root()?, dir, format: args.format };
    let mut rows = Vec::new();
    for contender in contenders::all(&place)? {
        if args.only.as_ref().is_none_or(|only| contender.name.contains(only.as_str())) {
            rows.push(measured(contender, &log, written.bytes)?);
        }
    }
    print!("{}", table::speeds(&written, &rows));
    if !args.readers {
        rooms::run(args.only.as_deref())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A contender and what it cost, or why it did not run.
struct Row {
    contender: Contender,
    result: Result<Cost, String>,
    bytes: u64,
}

fn measured(contender: Contender, log: &Path, size: u64) -> Result<Row> {
    let bytes = contender.slice.map_or(size, |slice| slice.min(size));
    let log = if bytes < size { slice(log, bytes)? } else { log.to_owned() };
    let result = match (contender.command)(&log) {
        Err(why) => Err(format!("{why:#}")),
        Ok(mut command) => {
            println!("measuring {}: {}", contender.name, tool::shown(&command));
            let input = contender.input.then_some(log.as_path());
            measure::cost(&mut command, input, contender.tells).map_err(|why| format!("{why:#}"))
        }
    };
    if let Err(why) = &result {
        println!("SKIPPED: {}: {why}", contender.name);
    }
    let bytes = fs::metadata(&log)?.len();
    Ok(Row { contender, result, bytes })
}

fn default_dir() -> Result<PathBuf> {
    Ok(tool::target()?.join("bench"))
}

fn write_log(path: &Path, size: u64, format: log::Format) -> Result<log::Written> {
    println!("writing {} MB of log to {}", size / MB, path.display());
    let file = File::create(path).with_context(|| path.display().to_string())?;
    let mut to = BufWriter::with_capacity(1 << 20, file);
    let written = log::write(&mut to, size, format, 2025)?;
    to.flush()?;
    ensure!(written.hostile > 0, "a log without attacks measures nothing");
    Ok(written)
}

/// The first lines of a log, about so many bytes, as a file beside it.
fn slice(log: &Path, bytes: u64) -> Result<PathBuf> {
    let path = log.with_extension(format!("first-{}.log", bytes / MB));
    let mut text = Vec::new();
    BufReader::new(File::open(log)?).take(bytes).read_to_end(&mut text)?;
    let end = text.iter().rposition(|&byte| byte == b'\n').context("a log without a line")?;
    text.truncate(end + 1);
    fs::write(&path, text).with_context(|| path.display().to_string())?;
    Ok(path)
}
