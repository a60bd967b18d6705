//! Names of users and groups by number, as the mail server's programs see them.

use std::collections::BTreeMap;

use mailward_audit::Known;

use super::text;
use crate::files::{Files, Tree};

/// Names by number.
#[derive(Debug, Default)]
pub(crate) struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    /// Those of a place.
    pub(crate) fn of(tree: &Tree) -> Self {
        let read = |path: &str| match tree.host(path) {
            Some(host) => std::fs::read_to_string(host).unwrap_or_default(),
            None => text::<()>(tree.place(), &["cat", path]).unwrap_or_default(),
        };
        Self { users: numbered(&read("/etc/passwd")), groups: numbered(&read("/etc/group")) }
    }

    /// A user's name, or the number.
    pub(crate) fn user(&self, uid: u32) -> String {
        name(&self.users, uid)
    }

    /// Gives names to the owners of files that have none yet.
    pub(crate) fn give(&self, files: &mut Files) {
        for file in files.values_mut() {
            let Known::Is(file) = file else { continue };
            if file.owner.is_empty() {
                file.owner = self.user(file.uid);
                file.group = name(&self.groups, file.gid);
            }
        }
    }
}

fn name(names: &BTreeMap<u32, String>, number: u32) -> String {
    match names.get(&number) {
        Some(name) => name.clone(),
        None if number == 0 => "root".to_owned(),
        None => number.to_string(),
    }
}

/// `name:x:number:...`; the first name that a number has is its usual one.
fn numbered(text: &str) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(Ok(number))) = (fields.next(), fields.nth(1).map(str::parse)) {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}
