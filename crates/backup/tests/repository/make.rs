//! Files, keys and repositories for the tests.

use std::fs;
use std::path::{Path, PathBuf};

use mailward_backup::{Captured, Key, Meter, Repository, Selection};
use tempfile::TempDir;

/// A tree to save, a key, and a place for a repository.
pub(crate) struct Bench {
    pub(crate) directory: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.path("mail")).unwrap();
        Key::make(&bench.path("key")).unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        // Without links, as the caller of the crate hands them in.
        fs::canonicalize(self.directory.path()).unwrap().join(name)
    }

    pub(crate) fn key(&self) -> Key {
        Key::read(&self.path("key")).unwrap()
    }

    pub(crate) fn create(&self) -> Repository {
        Repository::create(&self.path("repository"), &self.key(), &Meter::silent()).unwrap()
    }

    pub(crate) fn open(&self) -> Repository {
        Repository::open(&self.path("repository"), &self.key(), None, &Meter::silent()).unwrap()
    }

    pub(crate) fn selection(&self) -> Selection {
        selection_of(&self.path(""))
    }

    pub(crate) fn capture(&self, repository: &Repository) -> Captured {
        repository.capture(&self.selection(), &self.path("scratch"), "mail.example.org").unwrap()
    }

    /// A mailbox with so many messages, read and unread, below `mail`.
    pub(crate) fn mailbox(&self, account: &str, messages: usize) -> PathBuf {
        let mailbox = self.path("mail").join(account);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(mailbox.join(part)).unwrap();
        }
        for number in 0..messages {
            let (part, flags) = if number % 3 == 0 { ("new", "") } else { ("cur", ":2,S") };
            let name = format!("{}.M{number}P7.mail{flags}", 1_760_000_000 + number);
            fs::write(mailbox.join(part).join(name), message(account, number)).unwrap();
        }
        fs::write(mailbox.join("dovecot-uidlist"), "3 V1 N1 G0\n").unwrap();
        mailbox
    }
}

/// What is saved of a bench.
pub(crate) fn selection_of(place: &Path) -> Selection {
    Selection { roots: vec![place.join("mail")], excludes: Vec::new() }
}

pub(crate) fn message(account: &str, number: usize) -> String {
    let body = format!("Line {number} of what was said.\r\n").repeat(20 + number % 50);
    format!(
        "From: Ada <ada{number}@example.net>\r\nTo: {account}@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= {number}\r\n\
         Message-ID: <{number}.{account}@example.net>\r\nDate: Fri, 10 Oct 2025 01:33:12 +0200\r\n\r\n{body}"
    )
}

/// Every file below a directory with its bytes, by its path from there.
pub(crate) fn files(below: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut directories = vec![below.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let found = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(below).unwrap().to_path_buf();
            if found.is_dir() {
                directories.push(path);
            } else if found.is_symlink() {
                all.push((name, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()));
            } else {
                all.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

/// Where a tree that was saved comes to when it is restored.
pub(crate) fn restored(into: &Path, path: &Path) -> PathBuf {
    into.join(path.strip_prefix("/").unwrap())
}
