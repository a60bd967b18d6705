//! Logs named on the command line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use mailward_model::Timestamp;
use mailward_parse::Context;

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

/// Reads a log in blocks of whole lines; the last block may end without a newline.
pub(crate) fn each_block(
    path: &Path,
    mut block: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(|| {
            format!("cannot read {}; check the path and that you may read it (try sudo)", path.display())
        })?)
    };
    let mut buffer = vec![0; 1 << 20];
    let mut held = 0;
    loop {
        if held == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let free = buffer.get_mut(held..).unwrap_or_default();
        let read = input.read(free).with_context(|| format!("cannot read {}", path.display()))?;
        let (from, end) = (held, held + read);
        let filled = buffer.get(..end).unwrap_or_default();
        if read == 0 {
            return if filled.is_empty() { Ok(()) } else { block(filled) };
        }
        let Some(last) = filled.get(from..).and_then(|new| new.iter().rposition(|byte| *byte == b'\n'))
        else {
            held = end;
            continue;
        };
        let whole = from + last + 1;
        block(filled.get(..whole).unwrap_or_default())?;
        buffer.copy_within(whole..end, 0);
        held = end - whole;
    }
}
