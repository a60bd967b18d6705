//! The systemd journal, as `journalctl --output=json` writes it: one entry a line, with its cursor in it.
//!
//! journalctl(1) is the reader that comes with the journal's files, whatever their version and compression.

use std::io::ErrorKind;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mailward_host::run::{Limits, output};
use mailward_host::stream::Stream;

use crate::Start;
use crate::pipe::Lines;

const JOURNALCTL: &str = "/usr/bin/journalctl";
/// What a line is made from, and what the journal itself knows of the writer, which the writer cannot forge.
const FIELDS: &str = "--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,SYSLOG_PID,SYSLOG_FACILITY,SYSLOG_TIMESTAMP,\
    _PID,_UID,_COMM,_EXE,_SYSTEMD_UNIT,_HOSTNAME,_TRANSPORT,_SOURCE_REALTIME_TIMESTAMP";
/// The cursor of a journal that had no entry yet.
const BEFORE_ALL: &str = "-";
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The journal.
pub(crate) struct Journal {
    matches: Vec<String>,
    directory: Option<PathBuf>,
    start: Start,
    cursor: Option<String>,
    child: Option<Child>,
    lines: Lines,
    wait: Duration,
    again: Option<Instant>,
    trouble: Option<String>,
}

/// A running journalctl.
struct Child {
    stream: Stream,
    since: Instant,
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

    /// The next entries, in this part of the buffer. An empty part only says that there is a first cursor.
    pub(crate) fn look(&mut self, buffer: &mut [u8]) -> Option<Range<usize>> {
        if self.child.is_none() && self.again.is_none_or(|again| again <= Instant::now()) {
            if self.cursor.is_none() && self.start == Start::End {
                return self.skip_to_end().map(|()| 0..0);
            }
            self.launch();
        }
        let Child { stream, .. } = self.child.as_mut()?;
        match self.lines.read(buffer, |room| stream.read(room)) {
            Ok(Some(lines)) => {
                self.wait = FIRST_WAIT;
                if let Some(cursor) = buffer.get(lines.clone()).and_then(last_cursor) {
                    self.cursor = Some(cursor);
                }
                return Some(lines);
            }
            Ok(None) => self.died(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => self.failed(&error.to_string()),
        }
        None
    }

    /// What to store once the entries that were given out are processed.
    pub(crate) fn cursor(&self) -> String {
        self.cursor.clone().unwrap_or_default()
    }

    pub(crate) fn cut(&self) -> u64 {
        self.lines.cut
    }

    /// What keeps it from being read, while it does.
    pub(crate) fn trouble(&self) -> Option<&str> {
        let runs = self.child.as_ref().is_some_and(|child| child.since.elapsed() >= FIRST_WAIT);
        self.trouble.as_deref().filter(|_| !runs)
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.child.as_ref().and_then(|child| child.stream.fd())
    }

    /// How long until the next try to start it.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let again = self.again.filter(|_| self.child.is_none())?;
        Some(again.saturating_duration_since(Instant::now()))
    }

    /// Finds the cursor of the last entry, so that what comes from now on is not lost if it ends before the first.
    fn skip_to_end(&mut self) -> Option<()> {
        let mut args = self.common_args();
        args.extend(["--lines=1".to_owned(), "--output-fields=MESSAGE".to_owned()]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        match output(Path::new(JOURNALCTL), &args, Limits::default()) {
            Ok(last) if last.status.success() => {
                self.cursor = Some(last_cursor(&last.stdout).unwrap_or_else(|| BEFORE_ALL.to_owned()));
                return Some(());
            }
            Ok(last) => {
                let complaint = String::from_utf8_lossy(&last.stderr);
                self.failed(&format!("{}: {}", last.status, complaint.trim()));
            }
            Err(error) => self.failed(&error.to_string()),
        }
        None
    }

    fn launch(&mut self) {
        let mut args = self.common_args();
        args.extend(["--follow", "--no-tail", FIELDS].map(str::to_owned));
        if let Some(cursor) = self.cursor.as_ref().filter(|cursor| *cursor != BEFORE_ALL) {
            args.push(format!("--after-cursor={cursor}"));
        }
        args.push("--".to_owned());
        args.extend_from_slice(&self.matches);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        // What the last one had not finished is read again.
        self.lines.forget();
        match Stream::start(Path::new(JOURNALCTL), &args) {
            Ok(stream) => self.child = Some(Child { stream, since: Instant::now() }),
            Err(error) => self.failed(&error.to_string()),
        }
    }

    fn common_args(&self) -> Vec<String> {
        let directory = self.directory.iter().map(|directory| format!("--directory={}", directory.display()));
        ["--output=json", "--quiet", "--no-pager"].map(str::to_owned).into_iter().chain(directory).collect()
    }

    fn died(&mut self) {
        let Some(child) = self.child.take() else { return };
        let (status, complaint) = child.stream.finish();
        let status = status.map_or_else(|| "closed its output".to_owned(), |status| status.to_string());
        self.failed(&format!("{status}: {complaint}"));
    }

    fn failed(&mut self, why: &str) {
        self.child = None;
        let wait = self.wait;
        self.trouble = Some(format!(
            "{JOURNALCTL} failed ({why}); it is started again in {} s. `journalctl --verify` checks the journal",
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
