//! Logs named on the command line.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use mailward_model::Timestamp;
use mailward_parse::Context;
use mailward_source::{Chunk, chunks, open_any};

use super::Usage;

/// Which logs, and how to read stamps that do not tell their year or zone.
#[derive(Debug, clap::Args)]
pub(crate) struct Logs {
    /// Log files in the order of their time, also compressed ones; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Zone of stamps without an offset, such as Europe/Berlin [default: the system's]
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    /// Take stamps without a year as the latest before this date [default: each file's time of change]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) before: Option<jiff::civil::Date>,
}

impl Logs {
    /// These files, with nothing else said.
    pub(crate) const fn of(files: Vec<PathBuf>) -> Self {
        Self { files, zone: None, before: None }
    }

    /// What the parser needs to know of a file.
    pub(crate) fn context(&self, path: &Path) -> anyhow::Result<Context> {
        let zone = match &self.zone {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).map_err(|_| {
                Usage(format!("--zone {name}: no such time zone; write one like Europe/Berlin or UTC"))
            })?,
        };
        let reference = match self.before {
            Some(date) => {
                let end = date.to_zoned(zone.clone()).with_context(|| format!("--before {date}"))?;
                Timestamp::from_micros(end.timestamp().as_microsecond())
            }
            None => changed(path),
        };
        Ok(Context { reference, zone })
    }
}

/// When a file was last changed; now, for standard input.
fn changed(path: &Path) -> Timestamp {
    let time = std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let since = time.unwrap_or_else(std::time::SystemTime::now).duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_micros(since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
}

/// Reads a log in blocks of whole lines; compressed ones, too.
pub(crate) fn each_block(
    path: &Path,
    mut block: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut log = chunks(open(path)?, BLOCK);
    let mut chunk = Chunk::default();
    while log.read(&mut chunk).with_context(|| format!("cannot read {}", path.display()))? {
        block(chunk.lines())?;
    }
    Ok(())
}

/// Opens a log, or standard input for `-`.
pub(crate) fn open(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    Ok(open_any(path)?)
}

/// Bytes of a block.
const BLOCK: usize = 1 << 20;
