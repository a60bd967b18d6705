//! What a plan changes, for people: a diff per file.

use std::collections::BTreeSet;

use mailward_audit::plan::Reason;
use serde::Serialize;

use crate::prepared::{File, Prepared};
use crate::state::State;

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Its path as the mail server's programs see it.
    pub path: String,
    /// Where it is on this machine, if that is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The lines, as a unified diff; empty where its content stays.
    pub lines: Vec<String>,
    /// What becomes of its rights: `mode 0644 → 0640`.
    pub rights: Vec<String>,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// What becomes of each file. Each text goes through `mask` first, which hides its secrets and keeps its lines.
#[must_use]
pub fn diffs(prepared: &Prepared, mask: &dyn Fn(&str, &str) -> String) -> Vec<Diff> {
    prepared.files.iter().map(|file| diff(prepared, file, mask)).collect()
}

fn diff(prepared: &Prepared, file: &File, mask: &dyn Fn(&str, &str) -> String) -> Diff {
    let masked = |state: &State| mask(&file.path, state.text().unwrap_or_default());
    let (before, after) = (masked(&file.before), masked(&file.after));
    let changed = similar::TextDiff::from_lines(before.as_str(), after.as_str());
    let unified = changed.unified_diff().context_radius(2).missing_newline_hint(false).to_string();
    let mut lines: Vec<String> = unified.lines().map(str::to_owned).collect();
    if lines.is_empty() && file.before.content() != file.after.content() {
        lines.push("(a secret, which is not shown)".to_owned());
    }
    let host = file.host.to_string_lossy();
    Diff {
        path: file.path.clone(),
        host: (host != file.path).then(|| host.into_owned()),
        lines,
        rights: rights(&file.before, &file.after),
        reasons: reasons(prepared, file),
    }
}

fn reasons(prepared: &Prepared, file: &File) -> Vec<Reason> {
    let steps = file.steps.iter().filter_map(|at| prepared.plan.steps.get(*at));
    let all: BTreeSet<_> = steps.flat_map(|step| step.reasons.iter().cloned()).collect();
    all.into_iter().collect()
}

fn rights(before: &State, after: &State) -> Vec<String> {
    let (was, shall) = match (before.rights(), after.rights()) {
        (Some(was), Some(shall)) => (was, shall),
        (None, Some(shall)) => return vec![format!("new, mode {:04o}", shall.mode)],
        (Some(_), None) => return vec!["removed".to_owned()],
        _ => return Vec::new(),
    };
    let mut all = Vec::new();
    if was.mode != shall.mode {
        all.push(format!("mode {:04o} → {:04o}", was.mode, shall.mode));
    }
    if was.uid != shall.uid {
        all.push(format!("owner {} → {}", was.uid, shall.uid));
    }
    if was.gid != shall.gid {
        all.push(format!("group {} → {}", was.gid, shall.gid));
    }
    all
}
