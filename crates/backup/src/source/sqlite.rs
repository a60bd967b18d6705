//! SQLite databases: a copy that SQLite itself makes is whole, whoever writes meanwhile.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::open::Content;
use super::{Losses, bytes_of};

/// Copies of the databases of a directory.
#[derive(Default)]
pub(super) struct Copies(BTreeMap<OsString, Content>);

impl Copies {
    /// The copy of a file, if it is a database.
    pub(super) fn copy(&self, name: &OsStr) -> Option<Content> {
        self.0.get(name).cloned()
    }

    /// Whether a file is a part of one of them that its copy has taken in.
    pub(super) fn belongs(&self, name: &OsStr) -> bool {
        let name = bytes_of(name);
        let main = PARTS.iter().find_map(|end| name.strip_suffix(end.as_bytes()));
        main.is_some_and(|main| self.0.keys().any(|own| bytes_of(own) == main))
    }
}

/// What lies beside a database while it is open (<https://sqlite.org/tempfiles.html>).
const PARTS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// How databases are called; who reads the first bytes of every file reads every file.
const ENDS: [&str; 4] = [".db", ".sqlite", ".sqlite3", ".db3"];

/// Copies the databases of a directory. Where that fails, the files are saved as they lie, which is right as long as nobody writes.
pub(super) fn copies(directory: &Path, names: &[OsString], scratch: &Path, losses: &Losses) -> Copies {
    let named = |name: &&OsString| ENDS.iter().any(|end| bytes_of(name).ends_with(end.as_bytes()));
    let mut copies = Copies::default();
    if scratch.as_os_str().is_empty() {
        return copies;
    }
    for name in names.iter().filter(named) {
        let path = directory.join(name);
        if !is_database(&path) {
            continue;
        }
        losses.note_database(&path);
        if let Ok(content) = copy(&path, scratch) {
            copies.0.insert(name.clone(), content);
        }
    }
    copies
}

fn is_database(path: &Path) -> bool {
    let mut head = [0; 16];
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
        && File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok()
        && head == *b"SQLite format 3\0"
}

fn copy(path: &Path, scratch: &Path) -> io::Result<Content> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(scratch)?;
    let name: String =
        path.to_string_lossy().chars().map(|letter| if letter == '/' { '_' } else { letter }).collect();
    let target = scratch.join(name);
    remove(&target)?;
    let newest = newest(path);
    by_sqlite(path, &target).map_err(io::Error::other)?;
    Ok(Content::Copy(target.clone(), fs::metadata(&target)?.len(), newest))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// As many pages at a time, with as much room for a writer in between.
const PAGES: i32 = 4096;

fn by_sqlite(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let source = Connection::open_with_flags(
        from,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    source.busy_timeout(Duration::from_secs(5))?;
    let mut target = Connection::open(to)?;
    // It is read once and removed: nothing is lost with it.
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    Backup::new(&source, &mut target)?.run_to_completion(PAGES, Duration::ZERO, None)
}

/// When the database or its log was changed last.
fn newest(path: &Path) -> Option<Timestamp> {
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let time = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Timestamp::new(found.mtime(), i32::try_from(found.mtime_nsec()).ok()?).ok()
    };
    time(path).max(time(&log))
}
