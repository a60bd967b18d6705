//! Carrying a plan out, and taking it back. All new files and all old ones lie whole beside their targets before the first
//! target is touched, so that neither way needs space once it is begun.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{self, Disk};
use crate::history::{Entry, History, Note, Recovered, Stage, beside, now};
use crate::prepared::{File, Prepared};
use crate::prove::{Live, Witness};
use crate::state::{Content, Rights, State};
use crate::{ApplyError, Site, reload, staging};

/// A plan that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Its name, for `harden undo`.
    pub id: String,
    /// The files that were changed, as the server's programs see them.
    pub files: Vec<String>,
    /// What a person has to do besides.
    pub warnings: Vec<String>,
}

/// What is done around the writing of files.
pub(crate) trait Around {
    /// Tells programs of their new files.
    fn reload(&mut self) -> Result<(), String>;
    /// Whether the plan did what it should, and nothing else.
    fn prove(&mut self) -> Result<(), String>;
}

/// Carries out a plan that is not empty, of a history that holds nothing broken. `say` hears what is being done.
///
/// # Errors
/// When it was refused, or failed and was taken back.
pub fn apply(
    history: &History,
    prepared: &Prepared,
    site: &Site<'_>,
    witness: &dyn Witness,
    say: &dyn Fn(&str),
) -> Result<Done, ApplyError> {
    prepared.is_fresh(site)?;
    say("trying it on a copy");
    let mut whole = prepared.clone();
    whole.files.extend(staging::validate(prepared, site)?);
    say("looking what works");
    let mut live = Live::new(site, &whole, witness, say);
    let (id, mut warnings) = carry(history, &whole, &mut disk::Real, &mut live)?;
    warnings.append(&mut live.warnings);
    Ok(Done { id, files: whole.files.iter().map(|file| file.path.clone()).collect(), warnings })
}

/// Tries a plan on a copy, and changes nothing.
///
/// # Errors
/// When something changed since it was made, or the server's programs refuse it.
pub fn tried(prepared: &Prepared, site: &Site<'_>) -> Result<(), ApplyError> {
    prepared.is_fresh(site)?;
    staging::validate(prepared, site).map(drop)
}

/// Everything from the first byte in the history to the last; the plan's name and warnings.
pub(crate) fn carry(
    history: &History,
    prepared: &Prepared,
    disk: &mut dyn Disk,
    around: &mut dyn Around,
) -> Result<(String, Vec<String>), ApplyError> {
    history.sweep(disk);
    let folder = history.fresh(&now());
    let kept = keep(&folder, prepared, disk).and_then(|()| {
        let journal = folder.join("journal");
        let begun = disk.note(&journal, &Note::now(Stage::Begun).line());
        begun.map_err(|error| ApplyError::disk(&journal, "write", error))
    });
    if let Err(error) = kept {
        // Without a journal that says otherwise nothing was begun, and the next plan sweeps it away.
        let _ = disk.remove(&folder.join("journal"));
        let _ = disk.forget(&folder);
        return Err(error);
    }
    let journal = folder.join("journal");
    match forward(prepared, &journal, disk, around) {
        Ok(()) => Ok((name(&folder), finish(&prepared.files, &journal, disk))),
        Err(failed) => Err(back(prepared, &folder, disk, around, failed)),
    }
}

/// The plan, and every file as it was.
fn keep(folder: &Path, prepared: &Prepared, disk: &mut dyn Disk) -> Result<(), ApplyError> {
    let wrong = |path: &Path| {
        let path = path.to_path_buf();
        move |error| ApplyError::disk(&path, "write", error)
    };
    let saved = folder.join("before");
    disk.folder(folder).map_err(wrong(folder))?;
    disk.folder(&saved).map_err(wrong(&saved))?;
    for (n, file) in prepared.files.iter().enumerate() {
        let path = saved.join(n.to_string());
        disk.stage(&path, &file.before, Some(&file.host)).map_err(wrong(&path))?;
    }
    let text = serde_json::to_string(prepared).unwrap_or_default();
    let ours = Rights {
        mode: 0o600,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    let plan = folder.join("plan.json");
    let state = State::File { content: Content::Text(text), rights: ours, times: None };
    disk.stage(&plan, &state, None).map_err(wrong(&plan))
}

/// Why a plan goes no further.
enum Failed {
    /// It was refused by what is around: told in words.
    Because(String),
    /// A file could not be changed.
    At(ApplyError),
}

fn forward(
    prepared: &Prepared,
    journal: &Path,
    disk: &mut dyn Disk,
    around: &mut dyn Around,
) -> Result<(), Failed> {
    let at = |path: &Path, doing| {
        let path = path.to_path_buf();
        move |error: io::Error| Failed::At(ApplyError::disk(&path, doing, error))
    };
    for file in prepared.files.iter().filter(|file| file.is_new_folder()) {
        make(file, disk).map_err(at(&file.host, "make"))?;
    }
    for file in prepared.files.iter().filter(|file| file.is_replaced()) {
        disk.stage(&beside(file, "new"), &file.after, Some(&file.host))
            .map_err(at(&file.host, "make the new"))?;
        disk.stage(&beside(file, "old"), &file.before, Some(&file.host))
            .map_err(at(&file.host, "keep the old"))?;
    }
    for file in prepared.files.iter().filter(|file| !file.is_new_folder()) {
        if !file.is(&file.before).map_err(Failed::At)? {
            return Err(Failed::At(ApplyError::Stale { path: file.path.clone() }));
        }
    }
    let noted = |stage, file| {
        let note = Note { file, ..Note::now(stage) };
        move |disk: &mut dyn Disk| disk.note(journal, &note.line()).map_err(at(journal, "write"))
    };
    for (n, file) in prepared.files.iter().enumerate() {
        put(file, &file.after, "new", disk).map_err(at(&file.host, "change"))?;
        noted(Stage::Written, Some(n))(disk)?;
    }
    around.reload().map_err(Failed::Because)?;
    noted(Stage::Reloaded, None)(disk)?;
    around.prove().map_err(Failed::Because)?;
    noted(Stage::Proved, None)(disk)
}

/// Makes a folder, for us alone until it is its owner's.
fn make(file: &File, disk: &mut dyn Disk) -> io::Result<()> {
    let State::Folder { rights } = &file.after else { return Ok(()) };
    disk.folder(&file.host)?;
    disk.own(&file.host, *rights)
}

/// Puts a file into a state, of which a whole copy lies beside it where its content changes.
fn put(file: &File, state: &State, copy: &str, disk: &mut dyn Disk) -> io::Result<()> {
    match state {
        // Other files lie in it: it was made before them, and goes after them.
        _ if file.is_new_folder() => Ok(()),
        State::Absent => disk.remove(&file.host),
        State::File { .. } if file.is_replaced() => disk.place(&beside(file, copy), &file.host),
        State::File { rights, .. } | State::Folder { rights } | State::Rights { rights } => {
            disk.own(&file.host, *rights)
        }
    }
}

/// What was proved holds, whatever becomes of the rest: it is only tidying up, and the next start does it again.
fn finish(files: &[File], journal: &Path, disk: &mut dyn Disk) -> Vec<String> {
    let tidied = tidy(files, disk).and_then(|()| disk.note(journal, &Note::now(Stage::Done).line()));
    tidied
        .err()
        .map(|error| format!("the plan holds, and its journal could not be closed: {error}"))
        .into_iter()
        .collect()
}

/// Removes what lies beside the files.
fn tidy(files: &[File], disk: &mut dyn Disk) -> io::Result<()> {
    for file in files.iter().filter(|file| file.is_replaced()) {
        for copy in ["new", "old"] {
            let path = beside(file, copy);
            disk.remove(&disk::part_of(&path))?;
            disk.remove(&path)?;
        }
    }
    Ok(())
}

/// Removes what lies beside the files, then the folders that were made for them.
fn cleared(files: &[File], disk: &mut dyn Disk) -> io::Result<()> {
    tidy(files, disk)?;
    files.iter().rev().filter(|file| file.is_new_folder()).try_for_each(|file| disk.unfold(&file.host))
}

/// Takes back what failed; what to tell of it.
fn back(
    prepared: &Prepared,
    folder: &Path,
    disk: &mut dyn Disk,
    around: &mut dyn Around,
    failed: Failed,
) -> ApplyError {
    let because = match &failed {
        Failed::Because(because) => because.clone(),
        Failed::At(error) => error.to_string(),
    };
    let journal = folder.join("journal");
    // A journal that cannot be written does not end in `done`, and that is enough to take the plan back.
    let _ = disk.note(&journal, &Note { why: Some(because.clone()), ..Note::now(Stage::Undoing) }.line());
    let restored = match restore(&prepared.files, disk) {
        Ok(restored) => restored,
        Err(error) => return ApplyError::Stuck { because, why: error.to_string() },
    };
    let told = if restored.any { around.reload() } else { Ok(()) };
    if let Err(why) = told.and_then(|()| cleared(&prepared.files, disk).map_err(|error| error.to_string())) {
        return ApplyError::Stuck { because, why };
    }
    let _ = disk.note(&journal, &Note::now(Stage::Undone).line());
    match (failed, restored.foreign(folder, &prepared.files).as_str()) {
        (Failed::At(error @ ApplyError::Stale { .. }), _) | (Failed::At(error), "") => error,
        (_, left) => ApplyError::TakenBack { because: format!("{because}{left}") },
    }
}

/// What became of files that were to be restored.
struct Restored {
    /// Whether any had to be.
    any: bool,
    /// Those that somebody else had changed, by their number.
    left: Vec<usize>,
}

impl Restored {
    fn foreign(&self, folder: &Path, files: &[File]) -> String {
        let named = self.named(folder, files).into_iter();
        named
            .map(|(path, saved)| {
                format!(
                    "; {} was changed by somebody else meanwhile and left alone, it was {}",
                    path.display(),
                    saved.display()
                )
            })
            .collect()
    }

    fn named(&self, folder: &Path, files: &[File]) -> Vec<(PathBuf, PathBuf)> {
        let saved =
            |n: &usize| Some((files.get(*n)?.host.clone(), folder.join("before").join(n.to_string())));
        self.left.iter().filter_map(saved).collect()
    }
}

/// Puts every file back that is not as it was, the last one first. What somebody else changed since is his.
fn restore(files: &[File], disk: &mut dyn Disk) -> Result<Restored, ApplyError> {
    let mut restored = Restored { any: false, left: Vec::new() };
    for (n, file) in files.iter().enumerate().rev() {
        let now = file.now()?;
        if file.is_new_folder() || now.is_like(&file.before) {
            continue;
        }
        if !file.is_ours(&now) {
            restored.left.push(n);
            continue;
        }
        restored.any = true;
        let wrong = |error| ApplyError::disk(&file.host, "restore", error);
        if file.is_replaced() && file.before.content().is_some() && !beside(file, "old").exists() {
            disk.stage(&beside(file, "old"), &file.before, Some(&file.host)).map_err(wrong)?;
        }
        put(file, &file.before, "old", disk).map_err(wrong)?;
    }
    Ok(restored)
}

impl File {
    /// Whether it is a folder that the plan makes.
    fn is_new_folder(&self) -> bool {
        matches!((&self.before, &self.after), (State::Absent, State::Folder { .. }))
    }

    /// Whether it becomes another file, or only another's.
    fn is_replaced(&self) -> bool {
        self.before.content() != self.after.content()
    }

    /// Whether a state is one that we made: the one after, or on the way there.
    fn is_ours(&self, now: &State) -> bool {
        let rights = |state: &State| state.rights();
        let (Some(is), Some(was), Some(shall)) = (rights(now), rights(&self.before), rights(&self.after))
        else {
            return self.made || now.is_like(&self.after);
        };
        let between = (is.mode == was.mode || is.mode == shall.mode)
            && (is.uid == was.uid || is.uid == shall.uid)
            && (is.gid == was.gid || is.gid == shall.gid);
        let known = now.content() == self.before.content() || now.content() == self.after.content();
        self.made || (between && known)
    }
}

/// Takes back, or finishes, what was ended in the middle, the newest first.
pub(crate) fn recover(
    history: &History,
    site: &Site<'_>,
    disk: &mut dyn Disk,
) -> Result<Vec<Recovered>, ApplyError> {
    history.sweep(disk);
    let broken = history.entries().into_iter().rev().filter(|entry| !entry.is_over());
    broken.map(|entry| mended(&entry, site, disk)).collect()
}

fn mended(entry: &Entry, site: &Site<'_>, disk: &mut dyn Disk) -> Result<Recovered, ApplyError> {
    if entry.stage == Stage::Proved {
        let warnings = finish(&entry.prepared.files, &entry.journal(), disk);
        return Ok(Recovered { finished: true, warnings, ..recovered(entry, Vec::new()) });
    }
    let restored = restore(&entry.prepared.files, disk)?;
    let warnings = told(entry, site);
    over(entry, disk)?;
    Ok(Recovered { warnings, ..recovered(entry, restored.named(&entry.folder, &entry.prepared.files)) })
}

fn recovered(entry: &Entry, left: Vec<(PathBuf, PathBuf)>) -> Recovered {
    let title = entry.prepared.plan.title.clone();
    Recovered { id: entry.id.clone(), title, finished: false, left, warnings: Vec::new() }
}

/// Programs are told of their old files; what cannot be told is told to the person.
fn told(entry: &Entry, site: &Site<'_>) -> Vec<String> {
    reload::all(site, &entry.prepared).unwrap_or_else(|why| vec![why])
}

/// Tidies up, and says that it was taken back.
fn over(entry: &Entry, disk: &mut dyn Disk) -> Result<(), ApplyError> {
    let closed = cleared(&entry.prepared.files, disk)
        .and_then(|()| disk.note(&entry.journal(), &Note::now(Stage::Undone).line()));
    closed.map_err(|error| ApplyError::disk(&entry.journal(), "close", error))
}

/// Takes a plan back that holds.
pub(crate) fn undo(
    history: &History,
    site: &Site<'_>,
    id: Option<&str>,
    disk: &mut dyn Disk,
) -> Result<Recovered, ApplyError> {
    let entries = history.entries();
    let wanted = |entry: &&Entry| entry.stage == Stage::Done && id.is_none_or(|id| entry.id == id);
    let none = || ApplyError::NoPlan { id: id.map(|id| format!(" {id}")).unwrap_or_default() };
    let entry = entries.iter().rev().find(wanted).ok_or_else(none)?;
    is_newest(entry, &entries)?;
    for (n, file) in entry.prepared.files.iter().enumerate() {
        let now = file.now()?;
        if !file.made && !file.is_new_folder() && !now.is_like(&file.after) && !now.is_like(&file.before) {
            return Err(ApplyError::Foreign {
                path: file.host.clone(),
                id: entry.id.clone(),
                saved: entry.saved(n),
            });
        }
    }
    ready(entry, disk).inspect_err(|_| drop(tidy(&entry.prepared.files, disk)))?;
    let restored = restore(&entry.prepared.files, disk)?;
    let warnings = told(entry, site);
    over(entry, disk)?;
    Ok(Recovered { warnings, ..recovered(entry, restored.named(&entry.folder, &entry.prepared.files)) })
}

/// A later plan that holds was made of what this one left.
fn is_newest(entry: &Entry, entries: &[Entry]) -> Result<(), ApplyError> {
    let later = entries.iter().filter(|other| other.stage == Stage::Done && other.id > entry.id);
    for other in later {
        let shared = other
            .prepared
            .files
            .iter()
            .find(|file| entry.prepared.files.iter().any(|own| own.host == file.host));
        if let Some(file) = shared {
            let (id, later) = (entry.id.clone(), other.id.clone());
            return Err(ApplyError::Later { id, later, path: file.host.clone() });
        }
    }
    Ok(())
}

/// Every old file lies beside the one that it is to replace, and the journal says what is going on.
fn ready(entry: &Entry, disk: &mut dyn Disk) -> Result<(), ApplyError> {
    for file in entry.prepared.files.iter().filter(|file| file.is_replaced()) {
        let made = disk.stage(&beside(file, "old"), &file.before, Some(&file.host));
        made.map_err(|error| ApplyError::disk(&file.host, "make the old", error))?;
    }
    let noted = disk.note(&entry.journal(), &Note::now(Stage::Undoing).line());
    noted.map_err(|error| ApplyError::disk(&entry.journal(), "write", error))
}

fn name(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
