//! What has changed.

use std::path::{Path, PathBuf};

use super::digest::Sum;
use super::{Digest, Entries, Entry, Kind, Role, Seen};
use crate::Severity;

/// A file that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file.
    pub path: PathBuf,
    /// As it was; none if it is new.
    pub before: Option<Entry>,
    /// As it is; none if it is gone.
    pub after: Option<Entry>,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It was not there.
    New,
    /// It is not as it was.
    Changed,
    /// It is not there any more.
    Gone,
}

/// In what a file is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// It is a file, directory or link where it was another.
    Kind(Kind, Kind),
    /// What it holds.
    Content,
    /// Where a link leads.
    Target(String, String),
    /// Permission bits.
    Mode(u32, u32),
    /// The owner's number.
    Owner(u32, u32),
    /// The group's number.
    Group(u32, u32),
}

impl What {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }
}

/// What is not as the baseline says. Of what could not be looked at nothing is said.
#[must_use]
pub fn compare(baseline: &Entries, seen: &Seen) -> Vec<Change> {
    let mut changes = Vec::new();
    for (path, after) in &seen.entries {
        let before = baseline.get(path);
        if before.is_none_or(|before| !aspects(before, after).is_empty()) {
            let (before, after) = (before.cloned(), Some(after.clone()));
            changes.push(Change { path: path.clone(), before, after });
        }
    }
    let gone = baseline.iter().filter(|(path, _)| !seen.entries.contains_key(*path) && !seen.hides(path));
    changes.extend(gone.map(|(path, before)| Change {
        path: path.clone(),
        before: Some(before.clone()),
        after: None,
    }));
    changes.sort_by(|one, other| one.path.cmp(&other.path));
    changes
}

impl Seen {
    /// Whether nothing is known of a path that was not seen.
    fn hides(&self, path: &Path) -> bool {
        self.cut || path.ancestors().any(|above| self.unread.contains_key(above))
    }
}

/// In what two entries differ. What could not be read on one of the sides is no difference.
fn aspects(before: &Entry, after: &Entry) -> Vec<Aspect> {
    if before.kind != after.kind {
        return vec![Aspect::Kind(before.kind, after.kind)];
    }
    let mut found = Vec::new();
    let differs = match (before.digest, after.digest) {
        (Some(one), Some(other)) => one != other,
        _ => before.kind == Kind::File && before.size != after.size,
    };
    if differs {
        let target = |entry: &Entry| entry.link.clone().unwrap_or_default();
        found.push(match before.kind {
            Kind::Link => Aspect::Target(target(before), target(after)),
            _ => Aspect::Content,
        });
    }
    // A link's own mode and owner mean nothing (symlink(7)).
    if before.kind != Kind::Link {
        if before.mode != after.mode {
            found.push(Aspect::Mode(before.mode, after.mode));
        }
        if before.uid != after.uid {
            found.push(Aspect::Owner(before.uid, after.uid));
        }
        if before.gid != after.gid {
            found.push(Aspect::Group(before.gid, after.gid));
        }
    }
    found
}

impl Change {
    /// What happened.
    #[must_use]
    pub const fn what(&self) -> What {
        match (&self.before, &self.after) {
            (None, _) => What::New,
            (Some(_), Some(_)) => What::Changed,
            (Some(_), None) => What::Gone,
        }
    }

    /// In what it is different; nothing for what is new or gone.
    #[must_use]
    pub fn aspects(&self) -> Vec<Aspect> {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => aspects(before, after),
            _ => Vec::new(),
        }
    }

    /// What the file is for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.after.as_ref().or(self.before.as_ref()).map(|entry| entry.role).unwrap_or_default()
    }

    /// How bad it is. A user's filter that sends mail elsewhere is what a thief of passwords leaves behind.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let sends = |entry: &Option<Entry>| {
            entry.as_ref().and_then(|entry| entry.text.as_deref()).map_or(0, actions_that_send)
        };
        if self.role() == Role::UserFilter && sends(&self.after) > sends(&self.before) {
            return Severity::High;
        }
        self.role().severity()
    }

    /// Names this very change: the same until the file changes again.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        let mut sum = Sum::default();
        sum.add(self.path.as_os_str().as_encoded_bytes());
        for entry in [&self.before, &self.after] {
            sum.add(entry.as_ref().map(Entry::record).unwrap_or_default().as_bytes());
        }
        sum.done()
    }
}

/// Actions of a filter that let mail out (RFC 5228 section 4.2, RFC 5435, RFC 6558, Pigeonhole's extprograms), and addresses of a
/// forward file.
fn actions_that_send(text: &str) -> usize {
    let words = ["redirect", "notify", "pipe", "execute", "filter", "deliverby", "vnd.dovecot"];
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .filter(|line| {
            let sieve = words.iter().any(|word| line.contains(word)) && !line.starts_with("require");
            sieve || line.starts_with(['|', '/', '"', '\\']) || (line.contains('@') && !line.contains(' '))
        })
        .count()
}

impl core::fmt::Display for Aspect {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Kind(before, after) => write!(f, "{} → {}", before.name(), after.name()),
            Self::Content => f.write_str("content"),
            Self::Target(before, after) => write!(f, "leads to {after}, not to {before}"),
            Self::Mode(before, after) => write!(f, "mode {before:04o} → {after:04o}"),
            Self::Owner(before, after) => write!(f, "owner {before} → {after}"),
            Self::Group(before, after) => write!(f, "group {before} → {after}"),
        }
    }
}
