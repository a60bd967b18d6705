//! The baseline of files: made of what is there, kept in the state directory, compared, accepted.

mod view;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use mailward_audit::integrity::{Change, Digest, Entries, Entry, Role, Seen, compare, digest_of};
use mailward_model::Timestamp;
use mailward_probe::integrity::Watcher;
use mailward_store::StoreError;
use mailward_store::integrity::{Baselines, File, Head, Update};

use crate::config::Settings;

pub(crate) use view::report;

/// The baseline's file in the state directory.
const FILE: &str = "integrity.db";

/// What somebody said is right.
#[derive(Clone, Debug)]
pub(crate) struct Baseline {
    pub(crate) entries: Entries,
    pub(crate) head: Head,
}

impl Baseline {
    /// Whether the file was written by another than Mailward: its digest is not the one that it names.
    pub(crate) fn is_forged(&self) -> bool {
        digest_of(&self.entries).to_string() != self.head.digest
    }

    /// Lets go the texts, but for those that tell how bad a change is.
    pub(crate) fn forget_texts(&mut self) {
        let rest = self.entries.values_mut().filter(|entry| entry.role != Role::UserFilter);
        rest.for_each(|entry| entry.text = None);
    }
}

/// Who accepts, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acceptance<'a> {
    pub(crate) by: &'a str,
    pub(crate) now: Timestamp,
}

/// What is watched on this host, as the configuration says.
pub(crate) fn watcher(settings: &Settings) -> anyhow::Result<Watcher> {
    let options = crate::cli::deployed(settings)?;
    let mut ignored = settings.integrity.ignore.clone();
    ignored.push(settings.guard.state_directory.clone());
    Ok(Watcher::new(&options, &settings.integrity.paths, &ignored))
}

/// The baseline of this state directory; none before the first time.
pub(crate) fn load(state: &Path, texts: bool) -> anyhow::Result<Option<Baseline>> {
    let path = state.join(FILE);
    let Some(mut baselines) = Baselines::existing(&path).map_err(|error| of_store(error, &path))? else {
        return Ok(None);
    };
    match baselines.load(texts).map_err(|error| of_store(error, &path))? {
        Some((head, files)) => Ok(Some(Baseline { entries: entries(files, &path)?, head })),
        None => Ok(None),
    }
}

/// Takes over what is there now of these files, or of all; tells what that changed.
pub(crate) fn accept(
    state: &Path,
    seen: &Seen,
    watcher: &Watcher,
    is_meant: impl Fn(&Path) -> bool,
    who: Acceptance<'_>,
) -> anyhow::Result<(Baseline, Vec<Change>)> {
    rewrite(state, who, |before| {
        let changes = changes(before, seen, watcher);
        changes.into_iter().filter(|change| is_meant(&change.path)).collect()
    })
}

/// Takes what is there as right, and tells its digest, and how many files it has; none where there is a baseline, which stays.
pub(crate) fn begin(
    state: &Path,
    seen: Seen,
    who: Acceptance<'_>,
) -> anyhow::Result<Option<(String, usize)>> {
    let path = state.join(FILE);
    let failed = |error| of_store(error, &path);
    let digest = digest_of(&seen.entries).to_string();
    let head = Head { digest: digest.clone(), taken: who.now, by: who.by.to_owned() };
    let taken = |(path, mut entry): (PathBuf, Entry)| {
        let text = entry.text.take();
        file(&path, &entry, text)
    };
    let put: Vec<File> = seen.entries.into_iter().map(taken).collect();
    let files = put.len();
    let update = Update { put, remove: Vec::new(), head };
    let mut begun = None;
    let begin = |before: Option<_>| {
        begun = before.is_none().then_some((digest, files));
        begun.is_some().then_some(update)
    };
    Baselines::open(&path).and_then(|mut baselines| baselines.change(begin)).map_err(failed)?;
    Ok(begun)
}

/// What differs, without what is not watched.
pub(crate) fn changes(baseline: &Entries, seen: &Seen, watcher: &Watcher) -> Vec<Change> {
    let mut changes = compare(baseline, seen);
    changes.retain(|change| !watcher.ignores(&change.path));
    changes
}

/// A file that Mailward itself wrote.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The file on this host.
    pub(crate) path: PathBuf,
    /// What it held before; none if it was not there.
    pub(crate) before: Option<Digest>,
}

/// Accepts what Mailward itself wrote. A file in which somebody else had changed something before stays a change: writing it anew
/// does not make that right.
pub(crate) fn accept_written(
    settings: &Settings,
    written: &[Written],
    who: Acceptance<'_>,
) -> anyhow::Result<()> {
    let state = &settings.guard.state_directory;
    if load(state, false)?.is_none() {
        return Ok(());
    }
    let before: BTreeMap<PathBuf, Option<Digest>> = written
        .iter()
        .map(|file| (std::fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone()), file.before))
        .collect();
    let mut watcher = watcher(settings)?;
    let seen = watcher.look(&Entries::new());
    let was_right = |baseline: &Entries, path: &Path| {
        before.get(path).is_some_and(|digest| *digest == baseline.get(path).and_then(|entry| entry.digest))
    };
    rewrite(state, who, |baseline| {
        let changes = changes(baseline, &seen, &watcher);
        changes.into_iter().filter(|change| was_right(baseline, &change.path)).collect()
    })?;
    Ok(())
}

/// Puts changes into the baseline, in one step.
fn rewrite(
    state: &Path,
    who: Acceptance<'_>,
    decide: impl FnOnce(&Entries) -> Vec<Change>,
) -> anyhow::Result<(Baseline, Vec<Change>)> {
    let path = state.join(FILE);
    let failed = |error| of_store(error, &path);
    let mut baselines = Baselines::open(&path).map_err(failed)?;
    let mut done = Err(anyhow::anyhow!("the baseline was not written"));
    baselines
        .change(|before| {
            let files = before.map(|(_, files)| files).unwrap_or_default();
            match entries(files, &path) {
                Ok(entries) => {
                    let (baseline, changes, update) = updated(entries, decide, who);
                    done = Ok((baseline, changes));
                    Some(update)
                }
                Err(error) => {
                    done = Err(error);
                    None
                }
            }
        })
        .map_err(failed)?;
    done
}

fn updated(
    mut entries: Entries,
    decide: impl FnOnce(&Entries) -> Vec<Change>,
    who: Acceptance<'_>,
) -> (Baseline, Vec<Change>, Update) {
    let changes = decide(&entries);
    let (mut put, mut remove) = (Vec::new(), Vec::new());
    for change in &changes {
        match &change.after {
            Some(entry) => {
                put.push(file(&change.path, entry, entry.text.clone()));
                entries.insert(change.path.clone(), entry.clone());
            }
            None => {
                remove.push(change.path.as_os_str().as_bytes().to_vec());
                entries.remove(&change.path);
            }
        }
    }
    let head = Head { digest: digest_of(&entries).to_string(), taken: who.now, by: who.by.to_owned() };
    (Baseline { entries, head: head.clone() }, changes, Update { put, remove, head })
}

fn file(path: &Path, entry: &Entry, text: Option<String>) -> File {
    let record = serde_json::to_string(entry).unwrap_or_default();
    File { path: path.as_os_str().as_bytes().to_vec(), record, text }
}

fn entries(files: Vec<File>, database: &Path) -> anyhow::Result<Entries> {
    let entry = |file: File| {
        let entry: Entry = serde_json::from_str(&file.record).with_context(|| damaged(database))?;
        Ok((PathBuf::from(OsString::from_vec(file.path)), Entry { text: file.text, ..entry }))
    };
    files.into_iter().map(entry).collect()
}

fn of_store(error: StoreError, path: &Path) -> anyhow::Error {
    match error {
        StoreError::Corrupt { detail, .. } => anyhow::anyhow!("{} ({detail})", damaged(path)),
        error => error.into(),
    }
}

/// What to do about a damaged baseline.
fn damaged(path: &Path) -> String {
    format!(
        "the baseline {0} is damaged, so nobody can tell what has changed since. Look through what it watches (docs/integrity.md), \
         then begin anew: mv {0} {0}.damaged; rm -f {0}-wal {0}-shm; mailward integrity accept",
        path.display()
    )
}

/// The changes that were told of; none where that cannot be known.
pub(crate) fn told(state: &Path) -> Vec<String> {
    let baselines = Baselines::existing(&state.join(FILE)).ok().flatten();
    baselines.and_then(|baselines| baselines.told().ok()).unwrap_or_default()
}

/// Remembers which changes were told of.
pub(crate) fn set_told(state: &Path, fingerprints: &[String]) -> Result<(), StoreError> {
    match Baselines::existing(&state.join(FILE))? {
        Some(mut baselines) => baselines.set_told(fingerprints),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second beginning changes nothing, and tells nothing else than what is kept.
    #[test]
    fn a_baseline_that_is_there_stays() {
        let state = tempfile::tempdir().unwrap();
        let who = Acceptance { by: "somebody", now: Timestamp::from_secs(1) };
        let seen = |path: &str| {
            let entries = Entries::from([(PathBuf::from(path), Entry::default())]);
            Seen { entries, ..Seen::default() }
        };
        let (digest, files) = begin(state.path(), seen("/etc/a"), who).unwrap().unwrap();
        assert_eq!((files, begin(state.path(), seen("/etc/b"), who).unwrap()), (1, None));
        assert_eq!(load(state.path(), false).unwrap().unwrap().head.digest, digest);
    }
}
