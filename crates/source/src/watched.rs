//! What is watched for a log file, as its names and inodes change.

use std::io;

use crate::file::LogFile;
use crate::history::{FileId, directory, elsewhere};
use crate::watch::{Watch, Watches, is_remote};

/// What is watched for a file.
#[derive(Default)]
pub(crate) struct Watched {
    directories: Vec<(FileId, Watch)>,
    files: Vec<(FileId, Watch)>,
    /// Whether something of it is not, so that it takes looking.
    blind: bool,
}

impl Watched {
    /// Watches what the file is now; whether something is watched that was not before.
    pub(crate) fn renew(&mut self, file: &LogFile, watches: Option<&mut Watches>) -> bool {
        let Some(watches) = watches else {
            self.blind = true;
            return false;
        };
        self.blind = false;
        let directories = self.renew_directories(file, watches);
        self.renew_files(file, watches) || directories
    }

    /// Whether changes may go unnoticed.
    pub(crate) fn is_blind(&self) -> bool {
        self.blind
    }

    fn renew_directories(&mut self, file: &LogFile, watches: &mut Watches) -> bool {
        let target = elsewhere(file.path());
        let wanted = [Some(directory(file.path())), target.as_deref().map(directory)];
        let (mut ids, mut added) = (Vec::new(), false);
        for path in wanted.into_iter().flatten() {
            let Ok(metadata) = std::fs::metadata(path) else {
                self.blind = true;
                continue;
            };
            let id = FileId::of(&metadata);
            ids.push(id);
            if self.directories.iter().all(|(watched, _)| *watched != id) {
                added |= self
                    .note(watches.directory(path))
                    .map(|watch| self.directories.push((id, watch)))
                    .is_some();
            }
            self.blind |= is_remote(path);
        }
        release(&mut self.directories, &ids, watches);
        added
    }

    fn renew_files(&mut self, file: &LogFile, watches: &mut Watches) -> bool {
        let open: Vec<FileId> = file.open().collect();
        let Some(live) = file.live() else {
            release(&mut self.files, &open, watches);
            return false;
        };
        // An inode that is not held open may be another file by now, which is not watched although its number is.
        let held = open.contains(&live);
        let known = self.files.iter().position(|(watched, _)| *watched == live);
        let mut added = false;
        if (known.is_none() || !held)
            && let Some(watch) = self.note(watches.file(file.path()))
        {
            let old = known.map(|at| self.files.swap_remove(at).1);
            added = old.as_ref() != Some(&watch);
            self.files.push((live, watch));
            old.into_iter().for_each(|old| watches.release(&old));
        }
        let wanted: Vec<FileId> = open.into_iter().chain([live]).collect();
        release(&mut self.files, &wanted, watches);
        added
    }

    fn note(&mut self, watch: io::Result<Watch>) -> Option<Watch> {
        self.blind |= watch.is_err();
        watch.ok()
    }
}

fn release(watched: &mut Vec<(FileId, Watch)>, wanted: &[FileId], watches: &mut Watches) {
    let (kept, gone) = std::mem::take(watched).into_iter().partition(|(id, _)| wanted.contains(id));
    *watched = kept;
    let gone: Vec<_> = gone;
    gone.into_iter().for_each(|(_, watch)| watches.release(&watch));
}
