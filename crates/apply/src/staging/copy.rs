//! A copy of a program's configuration, where the program is.

use std::fs;

use crate::site::Said;
use crate::{ApplyError, Site};

/// A folder that goes away with this.
pub(super) struct Copy<'a> {
    site: &'a Site<'a>,
    folder: String,
    /// What it is a copy of.
    of: String,
}

impl<'a> Copy<'a> {
    /// A copy of a folder that is there.
    pub(super) fn of(site: &'a Site<'a>, folder: &str) -> Result<Self, ApplyError> {
        let copy = Self::empty(site, folder)?;
        // Keys and other secrets come along, readable by us alone.
        copy.must(&["cp", "-a", &format!("{folder}/."), &copy.folder])?;
        Ok(copy)
    }

    /// An empty folder that stands for another.
    pub(super) fn empty(site: &'a Site<'a>, of: &str) -> Result<Self, ApplyError> {
        let pattern =
            if site.is_container() { "/tmp/staging.XXXXXX".to_owned() } else { beside_plans(site)? };
        let said = site.run(&["mktemp", "-d", &pattern])?;
        let folder = said.out.trim().to_owned();
        if !said.is_fine() || !folder.starts_with('/') {
            return Err(ApplyError::Program(format!("no folder for a copy of {of}: {}", said.first())));
        }
        Ok(Self { site, folder, of: of.to_owned() })
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// Where a file of the original is in it; none if it is not below the original.
    pub(super) fn path(&self, original: &str) -> Option<String> {
        let below = original.strip_prefix(&self.of)?.strip_prefix('/')?;
        Some(format!("{}/{below}", self.folder))
    }

    /// Puts a file's new text into it, or takes it out.
    pub(super) fn put(&self, path: &str, text: Option<&str>) -> Result<(), ApplyError> {
        let Some(text) = text else { return self.must(&["rm", "-f", "--", path]).map(drop) };
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.must(&["mkdir", "-p", "--", parent])?;
        }
        // It may be a link to somewhere else; what it leads to is not ours to write.
        self.must(&["rm", "-f", "--", path])?;
        let said = self.site.run_with(&["tee", "--", path], text.as_bytes())?;
        if said.is_fine() {
            Ok(())
        } else {
            Err(ApplyError::Program(format!("cannot write {path}: {}", said.first())))
        }
    }

    /// Runs a program, whose words may hold `@` for the copy. What it says of the copy is said of the original.
    pub(super) fn ask(&self, words: &[&str]) -> Result<Said, ApplyError> {
        let words: Vec<String> = words.iter().map(|word| word.replace('@', &self.folder)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = self.site.run(&words)?;
        let named = |text: &str| text.replace(&self.folder, &self.of);
        Ok(Said { code: said.code, out: named(&said.out), err: named(&said.err) })
    }

    fn must(&self, words: &[&str]) -> Result<Said, ApplyError> {
        let said = self.site.run(words)?;
        if said.is_fine() {
            Ok(said)
        } else {
            Err(ApplyError::Program(format!("`{}`: {}", words.join(" "), said.first())))
        }
    }
}

/// Among the plans, where only we look, and where the next plan sweeps away what a killed one left.
fn beside_plans(site: &Site<'_>) -> Result<String, ApplyError> {
    let plans = site.state.join("plans");
    fs::create_dir_all(&plans).map_err(|error| ApplyError::disk(&plans, "make", error))?;
    Ok(plans.join("staging.XXXXXX").to_string_lossy().into_owned())
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        // A folder that stays behind takes space and does no harm.
        let _ = self.site.run(&["rm", "-rf", "--", &self.folder]);
    }
}
