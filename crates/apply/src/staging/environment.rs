//! docker-mailserver's environment: a line without `=` and a name that it does not know have no effect, or the wrong one.

use std::collections::BTreeSet;

use mailward_audit::dms::variable;

use super::{Trial, Tried};
use crate::Complaint;

/// What is said against new environment files.
pub(super) fn complaints(tried: &Tried<'_>) -> Vec<Complaint> {
    let is_environment = |trial: &&Trial| trial.path.starts_with("/compose/") && trial.path.ends_with(".env");
    tried.files.iter().filter(is_environment).flat_map(wrong).collect()
}

fn wrong(file: &Trial) -> Vec<Complaint> {
    let old: BTreeSet<&str> = file.before.as_deref().unwrap_or_default().lines().collect();
    let text = file.after.as_deref().unwrap_or_default();
    let new = text.lines().enumerate().filter(|(_, line)| !old.contains(line));
    new.filter_map(|(at, line)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        match line.split_once('=') {
            None => Some(file.at(at + 1, "a variable without `=` and a value")),
            Some((name, _)) if variable(name.trim_end_matches("__FILE")).is_none() => {
                Some(file.at(at + 1, format!("docker-mailserver knows no variable {name}")))
            }
            Some(_) => None,
        }
    })
    .collect()
}
