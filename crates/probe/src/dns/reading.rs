//! Files of signers, where the mail server's programs see them: on this machine, or behind the prefix.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use mailward_audit::Known;
use mailward_host::run::{Limits, Output};

use super::signing;
use crate::Tree;

/// Tables and keys are smaller.
const LARGEST: u64 = 1 << 20;

type Content = Result<Vec<u8>, Option<String>>;

/// Files of a tree, each read once: a container is a process away.
pub(super) struct Files<'a> {
    tree: &'a Tree,
    seen: RefCell<BTreeMap<String, Content>>,
}

impl<'a> Files<'a> {
    pub(super) const fn of(tree: &'a Tree) -> Self {
        Self { tree, seen: RefCell::new(BTreeMap::new()) }
    }

    fn inside(&self, words: &[&str]) -> Result<Output, Option<String>> {
        match self.tree.place().raw(words, Limits::default()) {
            Known::Is(output) if output.status.success() => Ok(output),
            Known::Is(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let missing = said.contains("No such file");
                Err((!missing).then(|| format!("`{}` failed: {}", words.join(" "), said.trim())))
            }
            Known::Absent => Err(None),
            Known::Unread(why) => Err(Some(why)),
            Known::Unasked => Err(Some("it was not looked at".to_owned())),
        }
    }

    fn content(&self, path: &str) -> Content {
        let Some(host) = self.tree.host(path) else {
            return self.inside(&["cat", path]).map(|output| output.stdout);
        };
        let mut bytes = Vec::new();
        match File::open(&host).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes)) {
            Ok(_) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(None),
            Err(error) => Err(Some(format!("{} cannot be read: {error}", host.display()))),
        }
    }
}

impl signing::Tree for Files<'_> {
    fn list(&self, directory: &str) -> Option<Vec<String>> {
        let Some(host) = self.tree.host(directory) else {
            let output = self.inside(&["ls", "-1", directory]).ok()?;
            return Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect());
        };
        let entries = std::fs::read_dir(host).ok()?;
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        Some(names)
    }

    fn read(&self, path: &str) -> Content {
        if let Some(content) = self.seen.borrow().get(path) {
            return content.clone();
        }
        let content = self.content(path);
        self.seen.borrow_mut().insert(path.to_owned(), content.clone());
        content
    }

    fn modified(&self, path: &str) -> i64 {
        match self.tree.host(path) {
            Some(host) => std::fs::metadata(host).map_or(0, |metadata| metadata.mtime()),
            None => self
                .inside(&["stat", "-c", "%Y", path])
                .ok()
                .and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse().ok())
                .unwrap_or(0),
        }
    }
}
