//! What a directory is, and what of it is worth saving, told by names.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use super::{bytes_of, sorted_names};

/// What becomes of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is saved.
    Saved,
    /// The directory is saved, what passes through it is not: deliveries that are not finished.
    Passing,
    /// Left out, because its program makes it anew: caches, full-text indexes, locks.
    Anew,
}

/// The names in a directory.
pub(super) struct Listing {
    names: Vec<OsString>,
    of_dbox: bool,
}

/// What Dovecot makes anew from the mails, and restic need not carry about: `dovecot.index.cache` (Dovecot, "Index Files"), and the
/// directories of its full-text search plugins.
const ANEW: [&str; 7] = [
    "dovecot.index.cache",
    "dovecot-uidlist.lock",
    "dovecot-uidlist.tmp",
    "lucene-indexes",
    "xapian-indexes",
    "fts-flatcurve",
    ".mailward-part",
];

impl Listing {
    pub(super) fn of(directory: &Path) -> io::Result<Self> {
        let of_dbox = directory.file_name().is_some_and(|name| name == "dbox-Mails");
        Ok(Self { names: sorted_names(directory)?, of_dbox })
    }

    pub(super) fn names(&self) -> &[OsString] {
        &self.names
    }

    fn has(&self, name: &str) -> bool {
        self.names.binary_search_by(|own| bytes_of(own).cmp(name.as_bytes())).is_ok()
    }

    /// Whether messages are in files of their own, in `cur` and `new`.
    pub(super) fn is_maildir(&self) -> bool {
        self.has("cur") && self.has("new")
    }

    /// Whether Dovecot's indexes in it are part of the mails.
    pub(super) fn is_dbox(&self) -> bool {
        self.of_dbox || self.has("dovecot.map.index") || self.has("dovecot.map.index.log")
    }

    pub(super) fn kind(&self, name: &OsStr) -> Kind {
        if ANEW.iter().any(|anew| name == *anew) {
            Kind::Anew
        } else if name == "tmp" && self.is_maildir() {
            Kind::Passing
        } else {
            Kind::Saved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str]) -> Listing {
        let mut names: Vec<OsString> = names.iter().map(OsString::from).collect();
        names.sort();
        Listing { names, of_dbox: false }
    }

    #[test]
    fn what_is_left_out_is_made_anew() {
        let mailbox = listing(&["cur", "new", "tmp", "dovecot.index.cache", "dovecot.index.log"]);
        for (name, kind) in [
            ("cur", Kind::Saved),
            ("tmp", Kind::Passing),
            ("dovecot.index.cache", Kind::Anew),
            ("dovecot.index.log", Kind::Saved),
            ("dovecot-uidlist", Kind::Saved),
        ] {
            assert_eq!(mailbox.kind(OsStr::new(name)), kind, "{name}");
        }
        assert_eq!(listing(&["tmp"]).kind(OsStr::new("tmp")), Kind::Saved, "a folder of that name elsewhere");
    }

    #[test]
    fn formats_are_told_by_their_names() {
        assert!(listing(&["cur", "new"]).is_maildir());
        assert!(!listing(&["cur"]).is_maildir());
        assert!(listing(&["dovecot.map.index.log", "m.1"]).is_dbox());
        assert!(!listing(&["cur", "new", "dovecot.index"]).is_dbox());
    }
}
