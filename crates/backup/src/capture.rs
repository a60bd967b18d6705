//! Making a snapshot.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustic_core::repofile::SnapshotFile;
use rustic_core::{BackupOptions, ParentOptions, SnapshotGroupCriterion, SnapshotOptions};

use crate::repository::guarded;
use crate::source::{Losses, Source};
use crate::{BackupError, Repository, Snapshot};

/// What is saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Files and directories, by absolute path without links.
    pub roots: Vec<PathBuf>,
    /// What of them is left out.
    pub excludes: Vec<PathBuf>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// How often all was gone through: once, and again where files were changed while they were read.
    pub passes: u32,
    /// Files that were changed while they were read, each time.
    pub restless: Vec<PathBuf>,
    /// What could not be read, and why.
    pub unread: Vec<(PathBuf, String)>,
    /// Files that were removed before they could be read.
    pub gone: u64,
    /// Databases that were copied by SQLite itself.
    pub databases: Vec<PathBuf>,
}

/// Marks our snapshots: others in the same repository are neither parents nor forgotten.
pub(crate) const LABEL: &str = "mailward";

/// A file that is written all the time is never read in one piece, however often one tries.
const PASSES: u32 = 3;

impl Repository {
    /// Saves a selection. Files that are changed while they are read are read again, in a second pass that goes through what else was
    /// changed, too. Databases are copied into `scratch` first.
    ///
    /// # Errors
    /// When the snapshot could not be written. What could not be read is no error, and told.
    pub fn capture(
        &self,
        selection: &Selection,
        scratch: &Path,
        host: &str,
    ) -> Result<Captured, BackupError> {
        self.settle()?;
        let mut before: Option<SnapshotFile> = None;
        let mut passes = 0;
        loop {
            passes += 1;
            let losses = Arc::new(Losses::default());
            let source = Source::new(selection, self.place(), scratch, &losses);
            let snapshot = self.pass(&source, host, before.as_ref())?;
            if let Some(before) = before.replace(snapshot.clone()) {
                self.remove(&[before.id])?;
            }
            let restless = losses.changed();
            if restless.is_empty() || passes == PASSES {
                return Ok(Captured {
                    snapshot: Snapshot::of(&snapshot),
                    passes,
                    restless,
                    unread: losses.unread(),
                    gone: losses.gone(),
                    databases: losses.databases(),
                });
            }
        }
    }

    fn pass(
        &self,
        source: &Source,
        host: &str,
        before: Option<&SnapshotFile>,
    ) -> Result<SnapshotFile, BackupError> {
        let by_label = SnapshotGroupCriterion::new().hostname(true).label(true);
        let parents = before.map(|before| before.id.to_hex().to_string()).into_iter().collect::<Vec<_>>();
        let parent = ParentOptions::default().group_by(by_label).parents(parents);
        let options = BackupOptions::default().parent_opts(parent);
        // The command line is left out: it is nobody's business in the repository.
        let snapshot =
            SnapshotOptions::default().label(LABEL.to_owned()).host(host.to_owned()).command(String::new());
        let paths = source.roots().to_vec();
        let indexed = self.ask(|_| self.again()?.to_indexed_ids())?;
        let answer = guarded(|| {
            snapshot.to_snapshot().and_then(|snapshot| indexed.archive(&options, source, snapshot, &paths))
        });
        self.judge(answer)
    }

    /// Takes over what a killed run had saved already, and no longer trusts in what was lost.
    fn settle(&self) -> Result<(), BackupError> {
        self.directory().sweep();
        self.mend_index()
    }
}
