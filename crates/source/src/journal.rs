//! The systemd journal, as `journalctl --output=json` writes it: one entry a line, with its cursor in it.
//!
//! journalctl(1) is the reader that comes with the journal's files, whatever their version and compression.

use std::io::ErrorKind;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mailward_host::stream::Stream;

use crate::Start;
use crate::pipe::Lines;

const JOURNALCTL: &str = "/usr/bin/journalctl";
/// What a line is made from, and what the journal itself knows of the writer, which the writer cannot forge.
const FIELDS: &str = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,SYSLOG_PID,SYSLOG_FACILITY,SYSLOG_TIMESTAMP,\
    _PID,_UID,_COMM,_EXE,_SYSTEMD_UNIT,_HOSTNAME,_TRANSPORT,_SOURCE_REALTIME_TIMESTAMP";
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The journal.
pub(crate) struct Journal {
    matches: Vec<String>,
    directory: Option<PathBuf>,
    start: Start,
    cursor: Option<String>,
    child: Option<Stream>,
    lines: Lines,
    wait: Duration,
    again: Option<Instant>,
    pub(crate) trouble: Option<String>,
}

/// The one field of an entry that is read here.
#[derive(serde::Deserialize)]
struct Entry {
    #[serde(rename = "__CURSOR")]
    cursor: String,
}

impl Journal {
    pub(crate) fn new(
        matches: &[String],
        directory: Option<&Path>,
        cursor: Option<String>,
        start: Start,
    ) -> Self {
        Self {
            matches: matches.to_vec(),
            directory: directory.map(Path::to_path_buf),
            start,
            cursor: cursor.filter(|cursor| !cursor.is_empty()),
            child: None,
            lines: Lines::default(),
            wait: FIRST_WAIT,
            again: None,
            trouble: None,
        }
    }

    /// The next entries, in this part of the buffer.
    pub(crate) fn look(&mut self, buffer: &mut [u8]) -> Option<Range<usize>> {
        if self.child.is_none() && self.again.is_none_or(|again| again <= Instant::now()) {
            self.launch();
        }
        let child = self.child.as_mut()?;
        match self.lines.read(buffer, |room| child.read(room)) {
            Ok(Some(lines)) => {
                self.wait = FIRST_WAIT;
                self.trouble = None;
                if let Some(cursor) = buffer.get(lines.clone()).and_then(last_cursor) {
                    self.cursor = Some(cursor);
                }
                Some(lines)
            }
            Ok(None) => {
                self.died();
                None
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
            Err(error) => {
                self.failed(&error.to_string());
                None
            }
        }
    }

    /// What to store once the entries that were given out are processed.
    pub(crate) fn cursor(&self) -> String {
        self.cursor.clone().unwrap_or_default()
    }

    pub(crate) fn cut(&self) -> u64 {
        self.lines.cut
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.child.as_ref().and_then(Stream::fd)
    }

    /// How long until the next try to start it.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let again = self.again.filter(|_| self.child.is_none())?;
        Some(again.saturating_duration_since(Instant::now()))
    }

    fn launch(&mut self) {
        let args = self.args();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        // What the last one had not finished is read again.
        self.lines.forget();
        match Stream::start(Path::new(JOURNALCTL), &args) {
            Ok(child) => self.child = Some(child),
            Err(error) => self.failed(&error.to_string()),
        }
    }

    fn args(&self) -> Vec<String> {
        let mut args: Vec<String> =
            ["--output=json", "--follow", "--quiet", "--no-pager", "--no-tail"].map(str::to_owned).to_vec();
        args.push(format!("--output-fields={FIELDS}"));
        if let Some(directory) = &self.directory {
            args.push(format!("--directory={}", directory.display()));
        }
        match (&self.cursor, self.start) {
            (Some(cursor), _) => args.push(format!("--after-cursor={cursor}")),
            (None, Start::Beginning) => {}
            (None, Start::End) => args.push("--lines=0".to_owned()),
        }
        args.push("--".to_owned());
        args.extend_from_slice(&self.matches);
        args
    }

    fn died(&mut self) {
        let Some(child) = self.child.take() else { return };
        let (status, complaint) = child.finish();
        let status = status.map_or_else(|| "killed".to_owned(), |status| status.to_string());
        self.failed(&format!("{status}: {complaint}"));
    }

    fn failed(&mut self, why: &str) {
        self.child = None;
        let wait = self.wait;
        self.trouble = Some(format!(
            "{JOURNALCTL} ended ({why}); it is started again in {} s. `journalctl --verify` checks the journal",
            wait.as_secs()
        ));
        self.again = Some(Instant::now() + wait);
        self.wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// The cursor of the last entry that has one.
fn last_cursor(lines: &[u8]) -> Option<String> {
    let mut entries = lines.rsplit(|byte| *byte == b'\n');
    entries.find_map(|entry| serde_json::from_slice::<Entry>(entry).ok()).map(|entry| entry.cursor)
}
