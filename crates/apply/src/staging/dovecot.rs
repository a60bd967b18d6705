//! Dovecot: `doveconf` must load the new configuration, keep every setting that nobody asked to change, and show those that
//! somebody did.

use std::collections::BTreeMap;

use mailward_audit::dms::CONFIG;
use mailward_audit::dovecot::{Block, is_yes, seconds};
use mailward_audit::plan::Change;

use super::copy::Copy;
use super::{Trial, Tried, numbered};
use crate::{ApplyError, Complaint};

const DIRECTORY: &str = "/etc/dovecot";

/// Settings by the blocks that they stand in: `service imap-login/inet_listener imap/port`.
type Settings = BTreeMap<String, String>;

/// What is said against the new configuration.
pub(super) fn complaints(tried: &Tried<'_>) -> Result<Vec<Complaint>, ApplyError> {
    let files: Vec<&Trial> =
        tried.files.iter().filter(|trial| trial.becomes.starts_with(&format!("{DIRECTORY}/"))).collect();
    if files.is_empty() || !tried.site.has("doveconf") {
        return Ok(Vec::new());
    }
    let copy = Copy::of(tried.site, DIRECTORY)?;
    stay_inside(&copy)?;
    let before = copy.ask(&["doveconf", "-c", "@/dovecot.conf", "-n"])?;
    for file in &files {
        if let Some(path) = copy.path(&file.becomes) {
            copy.put(&path, file.after.as_deref())?;
        }
    }
    stay_inside(&copy)?;
    let after = copy.ask(&["doveconf", "-c", "@/dovecot.conf", "-n"])?;
    if !after.is_fine() {
        let fatal = after.err.lines().filter(|line| line.contains("Fatal: "));
        let complaints: Vec<_> = fatal.map(|line| complaint(line, &files)).collect();
        let silent = || whole(format!("`doveconf` failed: {}", after.first()));
        return Ok(if complaints.is_empty() { vec![silent()] } else { complaints });
    }
    Ok(unkept(tried, &files, &settings(&before.out), &settings(&after.out)))
}

/// Files that are included by their whole path are included from the copy.
fn stay_inside(copy: &Copy<'_>) -> Result<(), ApplyError> {
    let inside = format!("s#^([[:space:]]*!include(_try)?[[:space:]]+){DIRECTORY}/#\\1{}/#", copy.folder());
    let folder = copy.folder();
    copy.ask(&[
        "find", folder, "-type", "f", "-name", "*.conf*", "-exec", "sed", "-i", "-E", &inside, "{}", "+",
    ])
    .map(drop)
}

/// `doveconf: Fatal: Error in configuration file /etc/dovecot/local.conf line 3: Unknown setting: foo`.
fn complaint(message: &str, files: &[&Trial]) -> Complaint {
    let named = files.iter().find(|file| message.contains(&format!("{} ", file.becomes)));
    match (named, numbered(message)) {
        (Some(file), Some((number, says))) => file.at(number, says),
        _ => whole(message.split_once("Fatal: ").map_or(message, |(_, says)| says).to_owned()),
    }
}

fn whole(says: String) -> Complaint {
    Complaint { place: DIRECTORY.to_owned(), line: String::new(), says }
}

fn settings(printed: &str) -> Settings {
    let mut all = Settings::new();
    gather(&Block::parse(printed), "", &mut all);
    all
}

fn gather(block: &Block, path: &str, all: &mut Settings) {
    // What a program is able to do is found out by starting it, and is no setting of anybody's.
    for (name, value) in block.settings.iter().filter(|(name, _)| !name.ends_with("_capability")) {
        all.insert(format!("{path}{name}"), value.clone());
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for inner in &block.blocks {
        // Two passdbs are two things; a block may be said again.
        let count = seen.entry(inner.title()).or_default();
        *count += 1;
        let twice = if inner.name.is_empty() && *count > 1 { format!(" {count}") } else { String::new() };
        gather(inner, &format!("{path}{}{twice}/", inner.title()), all);
    }
}

/// Settings that would change unasked, and those that would not be as asked.
fn unkept(tried: &Tried<'_>, files: &[&Trial], before: &Settings, after: &Settings) -> Vec<Complaint> {
    let mut asked: BTreeMap<String, Option<&str>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.starts_with(CONFIG)) {
        let names = settings(file.after.as_deref().unwrap_or_default());
        asked.extend(names.into_keys().map(|name| (name, None)));
    }
    for change in &tried.changes {
        if let Change::Dovecot { blocks, name, value, .. } = change {
            let path: String = blocks.iter().map(|block| format!("{block}/")).collect();
            asked.insert(format!("{path}{name}"), Some(value));
        }
    }
    let by_hand = tried
        .changes
        .iter()
        .any(|change| matches!(change, Change::Lines { file, .. } if file.starts_with(DIRECTORY)));
    let lost = before.iter().filter(|(name, value)| {
        !by_hand && !asked.contains_key(*name) && after.get(*name).is_none_or(|now| !means(value, now))
    });
    let mut complaints: Vec<_> = lost
        .map(|(name, value)| {
            let now = after.get(name).map_or("its default", String::as_str);
            whole(format!("{name} was `{value}` and would be `{now}`, which nobody asked for"))
        })
        .collect();
    for (name, value) in asked {
        // What is not shown is what it is by default, and Dovecot would have refused a name that it does not know.
        let (Some(value), Some(is)) = (value, after.get(&name)) else { continue };
        // `doveconf` keeps secrets to itself: `# hidden, use -P to show it`.
        if !value.contains('$') && !is.starts_with("# hidden") && !means(value, is) {
            complaints.push(whole(format!(
                "{name} would be `{is}` and not `{value}`; a later file says something else"
            )));
        }
    }
    complaints
}

/// Whether two spellings mean the same: `2s` and `2 secs`, `yes` and `y`.
fn means(one: &str, other: &str) -> bool {
    let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    let words = ["yes", "no", "y", "n", "1", "0"];
    let flags = words.contains(&one) && words.contains(&other) && is_yes(one) == is_yes(other);
    let same = |read: fn(&str) -> Option<u64>| read(one).is_some() && read(one) == read(other);
    spaced(one) == spaced(other) || flags || same(size) || same(seconds)
}

/// A size as Dovecot writes it: `100 M`, `1G`, `512`.
fn size(value: &str) -> Option<u64> {
    let value = value.trim().to_ascii_lowercase();
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    let factor: u64 = match unit.trim() {
        "b" | "" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        "t" | "tb" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_mean_the_same() {
        for (one, other) in
            [("2s", "2 secs"), ("yes", "y"), ("1024 M", "1 G"), ("a  b", "a b"), ("1 mins", "60 secs")]
        {
            assert!(means(one, other), "{one} {other}");
        }
        for (one, other) in [("2s", "3 secs"), ("yes", "no"), ("required", "yes"), ("TLSv1", "TLSv1.2")] {
            assert!(!means(one, other), "{one} {other}");
        }
    }
}
