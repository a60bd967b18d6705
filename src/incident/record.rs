//! What was done in an incident, kept so that it can be taken back. It is written before each act: whoever is interrupted finds what was
//! begun.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use mailward_host::atomic;
use mailward_host::lock::Turn;
use mailward_report::At;
use serde::{Deserialize, Serialize};

/// How long one waits for somebody else who is at an incident.
const PATIENCE: Duration = Duration::from_secs(10);

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// When it was begun, as a name: `20261122-015101`.
    pub(crate) id: String,
    /// The account.
    pub(crate) account: String,
    /// When it was contained first.
    pub(crate) begun: At,
    /// Who did it.
    pub(crate) by: String,
    /// Whether the account was open before, so that it is opened again when the incident is closed.
    pub(crate) was_open: bool,
    /// The queue ids that were put on hold.
    pub(crate) held: Vec<String>,
    /// How it ended; none while it lasts.
    #[serde(default)]
    pub(crate) closed: Option<Closed>,
}

/// The end of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Closed {
    /// When.
    pub(crate) time: At,
    /// Who closed it.
    pub(crate) by: String,
    /// Whether the account got a new password.
    pub(crate) new_password: bool,
}

/// Where incidents are kept: a directory of the state directory, for root alone.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The one in a state directory.
    pub(crate) fn of(state: &Path) -> Self {
        Self { path: state.join("incidents") }
    }

    /// Nobody else is at incidents while it lives.
    pub(crate) fn turn(&self) -> anyhow::Result<Turn> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .with_context(|| format!("cannot make {}; be root", self.path.display()))?;
        Ok(Turn::wait(&self.path, PATIENCE)?)
    }

    /// All of them, the newest first.
    pub(crate) fn all(&self) -> anyhow::Result<Vec<Record>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.path.display())),
        };
        let mut records = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                records.push(read(&path)?);
            }
        }
        records.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(records)
    }

    /// The one of an account that lasts.
    pub(crate) fn open_of(&self, account: &str) -> anyhow::Result<Option<Record>> {
        let mut all = self.all()?.into_iter();
        Ok(all.find(|record| record.closed.is_none() && record.account.eq_ignore_ascii_case(account)))
    }

    /// A new one; its name is that of no other.
    pub(crate) fn begin(&self, account: &str, now: At, by: &str) -> anyhow::Result<Record> {
        let stamp =
            jiff::Timestamp::from_microsecond(now.0.micros()).context("a clock that tells no time")?;
        let first = stamp.strftime("%Y%m%d-%H%M%S").to_string();
        let names = std::iter::once(first.clone()).chain((2..1_000).map(|n| format!("{first}-{n}")));
        let Some(id) = names.into_iter().find(|id| !self.file(id).exists()) else {
            bail!("{} is full of incidents of this second", self.path.display());
        };
        let account = account.to_owned();
        let by = by.to_owned();
        Ok(Record { id, account, begun: now, by, was_open: false, held: Vec::new(), closed: None })
    }

    /// Writes one.
    pub(crate) fn save(&self, record: &Record) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(record)? + "\n";
        Ok(atomic::write(&self.file(&record.id), text.as_bytes(), Some(0o600))?)
    }

    fn file(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.json"))
    }
}

fn read(path: &Path) -> anyhow::Result<Record> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} is no record of an incident; move it away, and what it did has to be taken back by hand",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_model::Timestamp;

    #[test]
    fn what_was_done_is_found_again_until_it_is_closed() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::of(state.path());
        let now = At(Timestamp::from_micros(1_795_312_261_000_000));
        assert_eq!(folder.all().unwrap(), []);
        let _turn = folder.turn().unwrap();
        let mut first = folder.begin("Rosa@example.org", now, "root").unwrap();
        first.held = vec!["4F1A2B3C4D".to_owned()];
        folder.save(&first).unwrap();
        let second = folder.begin("sam@example.net", now, "root").unwrap();
        assert_eq!((first.id.as_str(), second.id.as_str()), ("20261122-015101", "20261122-015101-2"));
        folder.save(&second).unwrap();
        assert_eq!(folder.open_of("rosa@example.org").unwrap().unwrap(), first);
        first.closed = Some(Closed { time: now, by: "root".to_owned(), new_password: true });
        folder.save(&first).unwrap();
        assert_eq!(folder.open_of("rosa@example.org").unwrap(), None);
        assert_eq!(folder.all().unwrap().len(), 2);
        fs::write(state.path().join("incidents/x.json"), "{").unwrap();
        assert!(folder.all().unwrap_err().to_string().contains("no record of an incident"));
    }
}
