//! Tables that Postfix reads through an index: the index is made of the new text on a copy, and becomes a file of the plan.

use std::fs;
use std::path::Path;

use mailward_audit::plan::Program;

use super::copy::Copy;
use super::{Trial, Tried};
use crate::prepared::{File, Prepared};
use crate::state::{Content, State};
use crate::{ApplyError, Complaint};

/// Kinds of tables with an index, and what its name ends in (DATABASE_README).
const INDEXES: [(&str, &str); 5] =
    [("hash", ".db"), ("btree", ".db"), ("lmdb", ".lmdb"), ("cdb", ".cdb"), ("dbm", ".pag")];

/// The indexes of the tables that a plan changes, and what is wrong with these tables.
pub(super) fn made(
    prepared: &Prepared,
    tried: &Tried<'_>,
) -> Result<(Vec<File>, Vec<Complaint>), ApplyError> {
    let (mut made, mut wrong) = (Vec::new(), Vec::new());
    // A container's tables are read as they are (texthash), or made when it is.
    if tried.site.is_container() || !tried.site.has("postmap") {
        return Ok((made, wrong));
    }
    let tables = prepared.files.iter().filter(|file| file.after.text().is_some());
    let named = tables.filter(|file| !file.path.ends_with("main.cf") && !file.path.ends_with("master.cf"));
    let used = if named.clone().next().is_some() { configuration(prepared, tried)? } else { String::new() };
    for file in named {
        for (kind, end) in INDEXES.iter().filter(|(kind, _)| is_named(&used, kind, &file.path)) {
            match index(file, kind, end, tried)? {
                Ok(index) => made.push(index),
                Err(complaints) => wrong.extend(complaints),
            }
        }
    }
    Ok((made, wrong))
}

/// All that names tables: what Postfix has in force, and what the plan adds to it.
fn configuration(prepared: &Prepared, tried: &Tried<'_>) -> Result<String, ApplyError> {
    let mut all = String::new();
    for flag in ["-n", "-P"] {
        all.push_str(&tried.site.run(&["postconf", flag])?.out);
    }
    // aliases(5) are compiled of what the default of alias_database names.
    all.push_str(&tried.site.run(&["postconf", "alias_database", "alias_maps"])?.out);
    all.extend(prepared.files.iter().filter_map(|file| file.after.text()));
    Ok(all)
}

fn is_named(used: &str, kind: &str, path: &str) -> bool {
    let named = format!("{kind}:{path}");
    used.match_indices(&named).any(|(at, _)| {
        let next = used.get(at + named.len()..).and_then(|rest| rest.chars().next());
        next.is_none_or(|c| c.is_whitespace() || ",})".contains(c))
    })
}

/// The index of a table's new text, or what is wrong with it.
fn index(
    file: &File,
    kind: &str,
    end: &str,
    tried: &Tried<'_>,
) -> Result<Result<File, Vec<Complaint>>, ApplyError> {
    let folder = file.path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let copy = Copy::empty(tried.site, folder)?;
    let Some(path) = copy.path(&file.path) else { return Ok(Err(Vec::new())) };
    copy.put(&path, file.after.text())?;
    let program = if file.path.ends_with("/aliases") { "postalias" } else { "postmap" };
    let said = copy.ask(&[program, &format!("{kind}:{path}")])?;
    if !said.is_fine() || !said.err.is_empty() {
        let trial = tried.files.iter().find(|trial| trial.path == file.path);
        let complaints = said.err.lines().filter_map(|line| Some(complaint(trial?, line)));
        return Ok(Err(complaints.collect()));
    }
    let host = Path::new(&format!("{}{end}", file.host.display())).to_path_buf();
    let made = format!("{path}{end}");
    let bytes = fs::read(&made).map_err(|error| ApplyError::disk(Path::new(&made), "read", error))?;
    let before = State::read(&host, true).map_err(|error| ApplyError::disk(&host, "read", error))?;
    let Some(rights) = before.rights().or_else(|| file.after.rights()) else { return Ok(Err(Vec::new())) };
    let after = State::File { content: Content::of(bytes), rights, times: None };
    let programs = [Program::Postfix].into();
    let path = format!("{}{end}", file.path);
    Ok(Ok(File { path, host, programs, before, after, steps: file.steps.clone(), made: true }))
}

/// `postmap: warning: /etc/postfix/x, line 3: expected format: key whitespace value`.
fn complaint(trial: &Trial, line: &str) -> Complaint {
    match super::numbered(line) {
        Some((number, says)) => trial.at(number, says),
        None => trial.about("\0", line),
    }
}
