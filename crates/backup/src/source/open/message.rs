//! Messages in a Maildir, whose names change with their flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::source::{bytes_of, sorted_names};

/// As often is a directory listed that is changed meanwhile.
const TRIES: u8 = 5;

/// The messages in `new` and in `cur`, each message once.
pub(in crate::source) fn list(mailbox: &Path) -> (Vec<OsString>, Vec<OsString>) {
    // Messages move from `new` to `cur`: looked at in this order, none is missed.
    let mut new = listed(&mailbox.join("new"));
    let current = listed(&mailbox.join("cur"));
    new.retain(|base, _| !current.contains_key(base));
    (sorted(new), sorted(current))
}

fn sorted(messages: BTreeMap<Vec<u8>, OsString>) -> Vec<OsString> {
    let mut names: Vec<OsString> = messages.into_values().collect();
    names.sort();
    names
}

/// Names by the part that stays. readdir(3) may pass over a file that is renamed meanwhile, so that it is listed again until nothing was.
fn listed(directory: &Path) -> BTreeMap<Vec<u8>, OsString> {
    let mut all = BTreeMap::new();
    for _ in 0..TRIES {
        let before = changed(directory);
        for name in sorted_names(directory).unwrap_or_default() {
            all.insert(base(bytes_of(&name)).to_vec(), name);
        }
        if changed(directory) == before {
            break;
        }
    }
    all
}

fn changed(directory: &Path) -> Option<SystemTime> {
    fs::metadata(directory).and_then(|found| found.modified()).ok()
}

/// What stays of a message's name: flags follow `:2,`.
fn base(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == b':').next().unwrap_or(name)
}

/// Uses a file, and a message under the name that it has now, if it was listed under another one.
pub(in crate::source) fn with<T>(path: &Path, using: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    let mut used = using(path);
    for _ in 0..MOVES {
        match &used {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => break,
        }
        if let Some(now) = moved(path) {
            used = using(&now);
        } else if !is_of_maildir(path) {
            break;
        }
    }
    used
}

/// As often may a message move on between being found and being used.
const MOVES: u8 = 20;

fn is_of_maildir(path: &Path) -> bool {
    let directory = path.parent().and_then(Path::file_name);
    directory.is_some_and(|name| name == "cur" || name == "new")
}

/// Where a message is now that was listed under another name.
fn moved(path: &Path) -> Option<PathBuf> {
    let (directory, name) = (path.parent()?, path.file_name()?);
    let mailbox = directory.parent().filter(|_| is_of_maildir(path))?;
    let base_of_it = base(bytes_of(name));
    ["new", "cur"].iter().map(|part| mailbox.join(part)).find_map(|directory| {
        let names = sorted_names(&directory).ok()?;
        let name = names.into_iter().find(|name| base(bytes_of(name)) == base_of_it)?;
        Some(directory.join(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_listed_once_and_found_again() {
        let place = tempfile::tempdir().unwrap();
        for (directory, name) in
            [("new", "1.host"), ("cur", "2.host:2,S"), ("new", "3.host"), ("cur", "3.host:2,")]
        {
            fs::create_dir_all(place.path().join(directory)).unwrap();
            fs::write(place.path().join(directory).join(name), name).unwrap();
        }
        let (new, current) = list(place.path());
        assert_eq!(new, ["1.host"]);
        assert_eq!(current, ["2.host:2,S", "3.host:2,"]);
        let listed = place.path().join("new/1.host");
        fs::rename(&listed, place.path().join("cur/1.host:2,RS")).unwrap();
        assert_eq!(moved(&listed), Some(place.path().join("cur/1.host:2,RS")));
        assert_eq!(moved(&place.path().join("cur/9.host:2,")), None);
        assert_eq!(moved(&place.path().join("1.host")), None, "files elsewhere have one name");
    }
}
