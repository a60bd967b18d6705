//! A plan tried on a copy, by the server's own programs, before its first byte is written.
//!
//! What a program complained of before is not the plan's fault: each is asked twice, and what is new counts. Files of a
//! docker-mailserver take effect all together when its container is made anew, so all of them are tried, also those that the plan
//! leaves as they are.

mod copy;
mod dovecot;
mod environment;
mod postfix;
mod programs;
mod tables;

use std::fs;

use mailward_audit::dms::{self, CONFIG};
use mailward_audit::plan::{Change, Program};

use crate::prepared::{File, Prepared};
use crate::state::State;
use crate::{ApplyError, Complaint, Site};

/// A file to be tried.
pub(crate) struct Trial {
    /// Its path, as people know it.
    path: String,
    /// The file that it becomes for the program.
    becomes: String,
    /// How it was; none if it was not there.
    before: Option<String>,
    /// How it shall be; none if it shall not be there.
    after: Option<String>,
}

/// What is tried.
pub(crate) struct Tried<'a> {
    site: &'a Site<'a>,
    files: Vec<Trial>,
    changes: Vec<&'a Change>,
}

/// Tries a plan; the indexes of tables that it changes are made by the way.
pub(crate) fn validate(prepared: &Prepared, site: &Site<'_>) -> Result<Vec<File>, ApplyError> {
    let changes = prepared.plan.steps.iter().map(|step| &step.change).collect();
    let tried = Tried { site, files: trials(prepared, site), changes };
    let mut complaints = environment::complaints(&tried);
    complaints.extend(postfix::complaints(&tried)?);
    complaints.extend(dovecot::complaints(&tried)?);
    complaints.extend(programs::complaints(&tried)?);
    let (made, wrong) = tables::made(prepared, &tried)?;
    complaints.extend(wrong);
    complaints.sort();
    complaints.dedup();
    if complaints.is_empty() { Ok(made) } else { Err(ApplyError::Refused(complaints)) }
}

fn trials(prepared: &Prepared, site: &Site<'_>) -> Vec<Trial> {
    let text = |state: &State| state.text().map(str::to_owned);
    let folder = |file: &&File| matches!(file.after, State::Folder { .. });
    let whole = prepared.files.iter().filter(|file| file.before.is_whole() && !folder(file));
    let mut all: Vec<Trial> = whole
        .map(|file| Trial {
            path: file.path.clone(),
            becomes: becomes(&file.path),
            before: text(&file.before),
            after: text(&file.after),
        })
        .collect();
    if prepared.programs().contains(&Program::Container) {
        all.extend(unchanged(&all, site));
    }
    all
}

/// Files of the volume that take effect with those that are changed.
fn unchanged(changed: &[Trial], site: &Site<'_>) -> Vec<Trial> {
    let names = dms::READ.iter().filter(|read| !read.becomes.is_empty()).map(|read| read.path);
    let paths = names.chain(["postfix-main.cf", "postfix-master.cf"]).map(|name| format!("{CONFIG}/{name}"));
    let new = paths.filter(|path| changed.iter().all(|trial| trial.path != *path));
    new.filter_map(|path| {
        let text = fs::read_to_string(site.resolve(&path).ok()?).ok()?;
        Some(Trial { becomes: becomes(&path), path, before: Some(text.clone()), after: Some(text) })
    })
    .collect()
}

/// The file that a file of the volume becomes in the container.
fn becomes(path: &str) -> String {
    let below = path.strip_prefix(CONFIG).map(|path| path.trim_start_matches('/'));
    let read = below.and_then(dms::reads).filter(|read| !read.becomes.is_empty());
    read.map_or_else(|| path.to_owned(), |read| read.becomes.to_owned())
}

impl Trial {
    /// Whether its new text names another file that is new or changed.
    fn names(&self, other: &Self) -> bool {
        let text = self.after.as_deref().unwrap_or_default();
        other.after.is_some() && text.contains(other.becomes.as_str())
    }

    /// A complaint about a line of it, counted from one.
    fn at(&self, number: usize, says: impl Into<String>) -> Complaint {
        let text = self.after.as_deref().unwrap_or_default();
        let line = number.checked_sub(1).and_then(|at| text.lines().nth(at)).unwrap_or_default();
        Complaint { place: format!("{}:{number}", self.path), line: shown(line), says: says.into() }
    }

    /// A complaint about the last line that holds something, or about the whole.
    fn about(&self, wanted: &str, says: impl Into<String>) -> Complaint {
        let lines = self.after.as_deref().unwrap_or_default().lines();
        let found = lines
            .enumerate()
            .filter(|(_, line)| line.contains(wanted) && !line.trim_start().starts_with('#'));
        match found.last() {
            Some((at, _)) => self.at(at + 1, says),
            None => Complaint { place: self.path.clone(), line: String::new(), says: says.into() },
        }
    }
}

/// A line, unless it may hold a secret.
fn shown(line: &str) -> String {
    let line = line.trim();
    let lower = line.to_ascii_lowercase();
    let secret = ["pass", "secret", "key", "token", "$6$", "$2"].iter().any(|word| lower.contains(word));
    if secret { String::new() } else { line.chars().take(120).collect() }
}

/// The number after `line` in a message, and what is said after it.
fn numbered(message: &str) -> Option<(usize, &str)> {
    let (_, rest) = message.split_once("line ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, says) = rest.split_at(end);
    Some((number.parse().ok()?, says.trim_start_matches([':', ' '])))
}
