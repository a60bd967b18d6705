//! What is on disk: the ruleset that was confirmed, and a note about the one on trial.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use mailward_host::atomic;
use mailward_host::lock::{Lock, LockError};
use serde::{Deserialize, Serialize};

/// The files in the state directory.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
}

/// A note about the ruleset on trial. It is written when the ruleset acts: without it nothing can be confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    version: u32,
    /// What the trial is called in the kernel.
    pub(super) id: String,
    /// When the ruleset acted already, in ticks since the machine was started.
    pub(super) began: u64,
    /// Which start of the machine that is about.
    pub(super) boot: String,
    /// What is to be saved when it is confirmed.
    pub(super) file: String,
}

const VERSION: u32 = 1;

impl Note {
    pub(super) fn new(id: String, began: u64, boot: String, file: String) -> Self {
        Self { version: VERSION, id, began, boot, file }
    }
}

impl Files {
    pub(super) fn at(directory: &Path) -> Self {
        Self { directory: directory.to_path_buf() }
    }

    /// The ruleset that was confirmed, for nft(8).
    pub(super) fn saved_path(&self) -> PathBuf {
        self.directory.join("firewall.nft")
    }

    /// How nft(8) listed it then.
    fn listing_path(&self) -> PathBuf {
        self.directory.join("firewall.listing")
    }

    fn note_path(&self) -> PathBuf {
        self.directory.join("firewall.trial")
    }

    /// Keeps other commands from changing the filter meanwhile.
    pub(super) fn lock(&self) -> anyhow::Result<Lock> {
        fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot make {}; try as root (sudo)", self.directory.display()))?;
        let path = self.directory.join("firewall.lock");
        Lock::acquire(&path).map_err(|error| match error {
            LockError::Held { owner, .. } => anyhow::anyhow!(
                "process {owner} is changing the packet filter at this moment; try again when it is done"
            ),
            other => other.into(),
        })
    }

    pub(super) fn saved(&self) -> anyhow::Result<Option<String>> {
        read(&self.saved_path())
    }

    pub(super) fn listing(&self) -> anyhow::Result<Option<String>> {
        read(&self.listing_path())
    }

    /// The note about the ruleset on trial; one that cannot be read is none.
    pub(super) fn note(&self) -> anyhow::Result<Option<Note>> {
        let text = read(&self.note_path())?;
        let note = text.and_then(|text| serde_json::from_str(&text).ok());
        Ok(note.filter(|note: &Note| note.version == VERSION))
    }

    pub(super) fn save(&self, text: &str) -> anyhow::Result<()> {
        Ok(atomic::write(&self.saved_path(), text.as_bytes(), Some(0o600))?)
    }

    pub(super) fn save_listing(&self, text: &str) -> anyhow::Result<()> {
        Ok(atomic::write(&self.listing_path(), text.as_bytes(), Some(0o600))?)
    }

    pub(super) fn write_note(&self, note: &Note) -> anyhow::Result<()> {
        Ok(atomic::write(&self.note_path(), serde_json::to_string(note)?.as_bytes(), Some(0o600))?)
    }

    pub(super) fn forget_note(&self) -> anyhow::Result<()> {
        remove(&self.note_path())
    }

    pub(super) fn forget_saved(&self) -> anyhow::Result<()> {
        remove(&self.saved_path())?;
        remove(&self.listing_path())
    }
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("cannot read {}; try as root (sudo)", path.display()))
        }
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
