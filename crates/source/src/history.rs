//! The files that a log was rotated into.
//!
//! logrotate(8) with numbers (`mail.log.1`, `mail.log.2.gz`), with `dateext` (`mail.log-20261121.gz`) and any digits of
//! `dateformat`, with `extension` (`mail.1.log`); savelog(8), whose newest is `mail.log.0`; rsyslog's and cronolog's dated names.

use std::cmp::Reverse;
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The rotated files of a log, oldest first, without the log itself. What cannot be looked at is left out.
#[must_use]
pub fn history(path: &Path) -> Vec<PathBuf> {
    let mut files = scan(path).unwrap_or_default();
    files.retain(|file| !file.live);
    files.into_iter().map(|file| file.path).collect()
}

/// What a file is, whatever its name: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId(u64, u64);

impl FileId {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

/// A file of a log at the moment of the look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) path: PathBuf,
    pub(crate) id: FileId,
    /// It had nothing in it.
    pub(crate) empty: bool,
    /// It is the log itself.
    pub(crate) live: bool,
}

/// All files of a log, oldest first, the log itself last if it is there. A rotation renames several files one after the other,
/// so it looks until it sees the same twice.
pub(crate) fn list(path: &Path) -> io::Result<Vec<Listed>> {
    let mut files = scan(path)?;
    for _ in 0..8 {
        let again = scan(path)?;
        if again.iter().map(|file| (&file.path, file.id)).eq(files.iter().map(|file| (&file.path, file.id))) {
            return Ok(again);
        }
        files = again;
    }
    Ok(files)
}

fn scan(path: &Path) -> io::Result<Vec<Listed>> {
    let mut found = siblings(path)?;
    if let Some(target) = elsewhere(path) {
        found.extend(siblings(&target)?);
    }
    sort(&mut found);
    let mut files: Vec<Listed> = found.into_iter().map(|found| found.file).collect();
    let live = std::fs::metadata(path).ok().filter(Metadata::is_file).map(|metadata| Listed {
        path: path.to_path_buf(),
        id: FileId::of(&metadata),
        empty: metadata.len() == 0,
        live: true,
    });
    if let Some(live) = live {
        files.retain(|file| file.id != live.id);
        files.push(live);
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.id));
    Ok(files)
}

/// The file itself, where the path is a link.
pub(crate) fn elsewhere(path: &Path) -> Option<PathBuf> {
    if !path.is_symlink() {
        return None;
    }
    let target = path.canonicalize().ok()?;
    let here = directory(path).canonicalize().ok()?.join(path.file_name()?);
    (target != here).then_some(target)
}

pub(crate) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A rotated file and what its name and inode say about its place in the order.
struct Found {
    file: Listed,
    age: Age,
    packed: bool,
    modified: SystemTime,
}

/// The part of a name that a rotation added.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// A count of rotations: more is older.
    Count(Reverse<u32>),
    /// A date or a time: more is newer.
    Date(String),
}

/// A directory that may not be listed has no history; one that cannot be listed for now is an error.
fn siblings(path: &Path) -> io::Result<Vec<Found>> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    match std::fs::read_dir(directory(path)) {
        Ok(entries) => Ok(entries.filter_map(|entry| found(name, &entry.ok()?).ok().flatten()).collect()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

fn found(name: &str, entry: &std::fs::DirEntry) -> io::Result<Option<Found>> {
    let other = entry.file_name();
    let Some((age, packed)) = other.to_str().and_then(|other| age(name, other)) else { return Ok(None) };
    let path = entry.path();
    let metadata = std::fs::metadata(&path)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let file = Listed { path, id: FileId::of(&metadata), empty: metadata.len() == 0, live: false };
    Ok(Some(Found { file, age, packed, modified: metadata.modified()? }))
}

const PACKED: [&str; 6] = [".gz", ".bz2", ".xz", ".zst", ".zstd", ".z"];

/// What tells `other` from `name`, if it is one of its rotations, and whether it is compressed.
fn age(name: &str, other: &str) -> Option<(Age, bool)> {
    let plain = PACKED.iter().find_map(|suffix| other.strip_suffix(suffix));
    let packed = plain.is_some();
    let plain = plain.unwrap_or(other);
    let added = plain.strip_prefix(name).or_else(|| between(name, plain))?;
    let digits = added.strip_prefix(['.', '-', '_'])?;
    let shaped = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || "-_.:T".contains(c));
    if !shaped {
        return None;
    }
    // logrotate counts with a dot, and nobody keeps 10,000 of them.
    let count =
        added.strip_prefix('.').filter(|digits| digits.len() <= 4).and_then(|digits| digits.parse().ok());
    let age = match count {
        Some(count) => Age::Count(Reverse(count)),
        None => Age::Date(digits.chars().filter(char::is_ascii_digit).collect()),
    };
    Some((age, packed))
}

/// `.1` of `mail.1.log`, for `mail.log`.
fn between<'a>(name: &str, other: &'a str) -> Option<&'a str> {
    let (stem, extension) = name.rsplit_once('.')?;
    other.strip_prefix(stem)?.strip_suffix(extension)?.strip_suffix('.').filter(|added| !added.is_empty())
}

/// Oldest first. Of a plain file and its half-made compressed copy only the plain one counts: the compressor removes it when it
/// is done. Where both kinds of names are there, the configuration was changed: the kind that is written now is the newer.
fn sort(found: &mut Vec<Found>) {
    let newest = |counted: bool| {
        let kind = found.iter().filter(|found| matches!(found.age, Age::Count(_)) == counted);
        kind.map(|found| found.modified).max()
    };
    let dates_first = newest(true) > newest(false);
    found.sort_by(|a, b| {
        let kind = |found: &Found| matches!(found.age, Age::Count(_)) == dates_first;
        (kind(a), &a.age, a.packed).cmp(&(kind(b), &b.age, b.packed))
    });
    found.dedup_by(|later, earlier| later.packed && later.age == earlier.age);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    fn check(name: &str, given: &[&str], expected: &[&str]) {
        let place = tempfile::tempdir().unwrap();
        for (i, given) in given.iter().enumerate() {
            let file = fs::File::create(place.path().join(given)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + i as u64))
                .unwrap();
        }
        let got = history(&place.path().join(name));
        let got: Vec<_> = got.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(got, expected, "{name} among {given:?}");
    }

    #[test]
    fn is_in_order() {
        let numbers =
            ["mail.log", "mail.log.10.gz", "mail.log.2.gz", "mail.log.1", "mail.log.3.xz", "mail.log.0"];
        let ordered = ["mail.log.10.gz", "mail.log.3.xz", "mail.log.2.gz", "mail.log.1", "mail.log.0"];
        check("mail.log", &numbers, &ordered);
        check(
            "mail.log",
            &["mail.log-20261101.gz", "mail.log-20251231"],
            &["mail.log-20251231", "mail.log-20261101.gz"],
        );
        check(
            "mail.log",
            &["mail.log-1700000001", "mail.log-1700000000.zst"],
            &["mail.log-1700000000.zst", "mail.log-1700000001"],
        );
        check(
            "mail.log",
            &["mail.1.log", "mail.2.log.gz", "mail-20261121.log"],
            &["mail.2.log.gz", "mail.1.log", "mail-20261121.log"],
        );
        check(
            "mail.log",
            &["mail.log.2026-11-21", "mail.log.2026-11-20"],
            &["mail.log.2026-11-20", "mail.log.2026-11-21"],
        );
    }

    #[test]
    fn strangers_stay_out() {
        let strangers = [
            "mail.log.bak",
            "mail.log.gz",
            "mail.logs.1",
            "mail.err.1",
            "mail.log.1x",
            "mail.log.",
            "mail.log~",
            "mail.log-x",
        ];
        check("mail.log", &strangers, &[]);
        check("mail", &["mail.log", "mail.log.1", "mail.1"], &["mail.1"]);
    }

    #[test]
    fn a_half_made_copy_does_not_count() {
        check(
            "mail.log",
            &["mail.log.1", "mail.log.1.gz", "mail.log.2.gz"],
            &["mail.log.2.gz", "mail.log.1"],
        );
    }

    #[test]
    fn a_changed_configuration_keeps_the_order() {
        let before = ["mail.log.2", "mail.log.1", "mail.log-20261120", "mail.log-20261121"];
        check("mail.log", &before, &before);
        let back = ["mail.log-20261120", "mail.log-20261121", "mail.log.2", "mail.log.1"];
        check("mail.log", &back, &back);
    }

    #[test]
    fn a_link_leads_to_the_files_beside_its_target() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        fs::create_dir(&data).unwrap();
        for name in ["mail.log", "mail.log.1"] {
            fs::write(data.join(name), name).unwrap();
        }
        let link = place.path().join("mail.log");
        std::os::unix::fs::symlink("data/mail.log", &link).unwrap();
        assert_eq!(history(&link), [data.canonicalize().unwrap().join("mail.log.1")]);
        let all: Vec<_> = list(&link).unwrap().into_iter().map(|file| (file.path, file.live)).collect();
        assert_eq!(all, [(data.canonicalize().unwrap().join("mail.log.1"), false), (link, true)]);
    }
}
