//! What the facts will be once changes are made, as far as files and effective settings tell. What was seen on the network will
//! have to be seen anew.

use super::edit::{Format, rewrite};
use super::{Change, Layout};
use crate::Facts;
use crate::facts::{File, FileKind, Known, Said};

/// The facts after these changes.
#[must_use]
pub fn foretold<'a>(facts: &Facts, layout: &Layout, changes: impl IntoIterator<Item = &'a Change>) -> Facts {
    let mut after = facts.clone();
    after.talks.clear();
    after.tls.clear();
    after.host.listeners = Known::Unasked;
    after.files.retain(|_, file| file.known().is_none_or(|file| file.kind != FileKind::Socket));
    for change in changes {
        write(&mut after, layout, change);
        match change {
            Change::Parameter { name, .. } => {
                say(&mut after, "postconf -n", Format::MainCf, change);
                if let Some(said) = heard(&mut after, "postconf -n") {
                    said.stderr = without_warning(&said.stderr, name);
                }
            }
            Change::Override { service, name, value } => {
                say(&mut after, "postconf -M", Format::MasterCf, change);
                let printed = Change::Parameter { name: format!("{service}/{name}"), value: value.clone() };
                say(&mut after, "postconf -P", Format::MainCf, &printed);
            }
            Change::Service { .. } => say(&mut after, "postconf -M", Format::MasterCf, change),
            Change::Dovecot { blocks, name, value } => {
                after.said.remove("doveadm quota get -A");
                if let Some(said) = heard(&mut after, "doveconf -n") {
                    said.stdout = crate::dovecot::with(&said.stdout, blocks, name, value);
                }
            }
            Change::Variable { .. } => {
                say(&mut after, "cat /etc/dms-settings", Format::Environment, change);
                edit(&mut after, "/etc/dms-settings", Format::Environment, change);
            }
            Change::Access { file, mode, owner, group } => {
                if let Some(Known::Is(file)) = after.files.get_mut(file) {
                    file.mode = mode.unwrap_or(file.mode);
                    file.owner = owner.clone().unwrap_or_else(|| file.owner.clone());
                    file.group = group.clone().unwrap_or_else(|| file.group.clone());
                }
            }
            // What stopped a program may be among the lines.
            Change::Lines { .. } => {
                after.said.retain(|_, said| said.known().is_none_or(|said| said.status == Some(0)));
            }
            Change::Setting { .. } | Change::Key { .. } | Change::Remove { .. } => {}
        }
    }
    after
}

/// What is written into the file that a change goes to.
fn write(facts: &mut Facts, layout: &Layout, change: &Change) {
    let Some(path) = layout.file(change) else { return };
    if matches!(change, Change::Access { .. }) {
        return;
    }
    // docker-mailserver copies files of its volume into the container.
    if let Change::Setting { file, .. } | Change::Lines { file, .. } = change
        && *file != path
    {
        edit(facts, file, layout.format(change), change);
    }
    let makes = matches!(change, Change::Lines { .. } | Change::Setting { .. } | Change::Dovecot { .. });
    if makes && !matches!(facts.files.get(&path), Some(Known::Is(_))) {
        facts.files.insert(path.clone(), Known::Is(File::of("")));
    }
    edit(facts, &path, layout.format(change), change);
}

fn edit(facts: &mut Facts, path: &str, format: Format, change: &Change) {
    let Some(Known::Is(file)) = facts.files.get_mut(path) else { return };
    let Known::Is(text) = &mut file.text else { return };
    if let Ok(new) = rewrite(format, path, Some(text), change) {
        file.size = new.len() as u64;
        *text = new;
    }
}

/// What a program said, without its warning of a parameter that nobody uses.
fn without_warning(said: &str, parameter: &str) -> String {
    let warning = format!("unused parameter: {parameter}=");
    said.lines().filter(|line| !line.contains(&warning)).map(|line| format!("{line}\n")).collect()
}

fn heard<'f>(facts: &'f mut Facts, command: &str) -> Option<&'f mut Said> {
    match facts.said.get_mut(command) {
        Some(Known::Is(said)) => Some(said),
        _ => None,
    }
}

/// What a program will say.
fn say(facts: &mut Facts, command: &str, format: Format, change: &Change) {
    if let Some(said) = heard(facts, command)
        && let Ok(new) = rewrite(format, command, Some(&said.stdout), change)
    {
        said.stdout = new;
    }
}
