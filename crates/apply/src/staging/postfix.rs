//! Postfix: `postconf` must take the new configuration, keep every parameter that nobody asked to change, and show those that
//! somebody did. `postfix check` alone is not enough: it passes with an empty `main.cf`.

use std::collections::{BTreeMap, BTreeSet};

use mailward_audit::dms::CONFIG;
use mailward_audit::plan::Change;

use super::copy::Copy;
use super::{Trial, Tried, numbered};
use crate::{ApplyError, Complaint};

/// What Postfix reads in a directory.
#[derive(Default)]
struct Effective {
    /// `postconf -n`.
    parameters: BTreeMap<String, String>,
    /// `postconf -F`: the fields of each service.
    fields: BTreeMap<String, String>,
    /// `postconf -P`: the overrides of each service.
    overrides: BTreeMap<String, String>,
    /// What was said against it.
    errors: Vec<String>,
    is_read: bool,
}

/// What is said against the new configuration.
pub(super) fn complaints(tried: &Tried<'_>) -> Result<Vec<Complaint>, ApplyError> {
    let directory = directory(tried)?;
    let own = |trial: &&Trial| {
        trial.path.starts_with(&format!("{directory}/"))
            || as_override(trial, "postfix-main.cf")
            || as_override(trial, "postfix-master.cf")
    };
    let files: Vec<&Trial> = tried.files.iter().filter(own).collect();
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let copy = Copy::of(tried.site, &directory)?;
    let before = Effective::of(&copy)?;
    let mut complaints = Vec::new();
    let base = put(&files, &copy, &directory, &mut complaints)?;
    let after = Effective::of(&copy)?;
    let known: BTreeSet<&String> = before.errors.iter().collect();
    let new = after.errors.iter().filter(|line| !known.contains(line));
    complaints.extend(new.map(|line| complaint(line, &files, &directory, base)));
    if complaints.is_empty() && before.is_read && !after.is_read {
        complaints.push(whole(&directory, "`postconf` does not read it any more"));
    }
    if complaints.is_empty() {
        complaints.extend(unkept(tried, &files, &before, &after, &directory));
    }
    Ok(complaints)
}

fn directory(tried: &Tried<'_>) -> Result<String, ApplyError> {
    if !tried.site.has("postconf") {
        return Ok("/etc/postfix".to_owned());
    }
    let said = tried.site.run(&["postconf", "-h", "config_directory"])?;
    let directory = said.out.trim();
    Ok(if directory.starts_with('/') { directory } else { "/etc/postfix" }.to_owned())
}

fn as_override(trial: &Trial, name: &str) -> bool {
    trial.path.strip_prefix(CONFIG).is_some_and(|path| path == format!("/{name}"))
}

/// Puts the new files into the copy, as the program, or docker-mailserver's start, would. How many lines of `main.cf` come before
/// those of an override file.
fn put(
    files: &[&Trial],
    copy: &Copy<'_>,
    directory: &str,
    complaints: &mut Vec<Complaint>,
) -> Result<usize, ApplyError> {
    let mut base = 0;
    for file in files {
        if as_override(file, "postfix-main.cf") {
            // setup.d/postfix.sh appends the whole file, and takes what `postconf -n` makes of it.
            let main = format!("{directory}/main.cf");
            let path = copy.path(&main).unwrap_or_default();
            let text = copy.ask(&["cat", "--", &path])?.out;
            let text = if text.ends_with('\n') || text.is_empty() { text } else { text + "\n" };
            base = text.lines().count();
            copy.put(&path, Some(&(text + file.after.as_deref().unwrap_or_default())))?;
        } else if as_override(file, "postfix-master.cf") {
            complaints.extend(overrides(file, copy)?);
        } else if let Some(path) = copy.path(&file.path) {
            copy.put(&path, file.after.as_deref())?;
        }
    }
    Ok(base)
}

/// docker-mailserver gives each line that begins with a letter to `postconf -P`.
fn overrides(file: &Trial, copy: &Copy<'_>) -> Result<Vec<Complaint>, ApplyError> {
    let mut complaints = Vec::new();
    for (at, line) in file.after.as_deref().unwrap_or_default().lines().enumerate() {
        if !line.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            continue;
        }
        let said = copy.ask(&["postconf", "-c", "@", "-P", line.trim_end()])?;
        // What it cannot make anything of it only warns about.
        if !said.is_fine() || !said.err.is_empty() {
            complaints.push(file.at(at + 1, words(&said.first())));
        }
    }
    Ok(complaints)
}

impl Effective {
    fn of(copy: &Copy<'_>) -> Result<Self, ApplyError> {
        let mut whole = Self { is_read: true, ..Self::default() };
        let mut ask = |flag| -> Result<BTreeMap<String, String>, ApplyError> {
            let said = copy.ask(&["postconf", "-c", "@", flag])?;
            whole.is_read &= said.is_fine();
            whole.errors.extend(said.err.lines().map(str::to_owned));
            // Postfix 3.10 tells at times where it was told to look.
            Ok(said
                .out
                .lines()
                .filter_map(assignment)
                .filter(|(name, _)| name != "config_directory")
                .collect())
        };
        let (parameters, fields, overrides) = (ask("-n")?, ask("-F")?, ask("-P")?);
        Ok(Self { parameters, fields, overrides, ..whole })
    }
}

fn assignment(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(" =")?;
    Some((name.to_owned(), spaced(value)))
}

/// A value, however its blanks are set.
fn spaced(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What Postfix says, with the file and line that it means.
fn complaint(message: &str, files: &[&Trial], directory: &str, base: usize) -> Complaint {
    let main = files.iter().find(|file| file.path == format!("{directory}/main.cf"));
    let over = files.iter().find(|file| as_override(file, "postfix-main.cf"));
    let says = words(message);
    if let Some((_, rest)) = message.split_once("unused parameter: ") {
        let name = rest.split('=').next().unwrap_or(rest);
        let unknown = format!("Postfix knows no parameter {name}");
        return match over.or(main) {
            Some(file) => file.about(name, unknown),
            None => whole(directory, unknown),
        };
    }
    match numbered(message) {
        Some((number, says)) if message.contains("main.cf") => match (over, main) {
            (Some(over), _) if number > base => over.at(number - base, says),
            (_, Some(main)) => main.at(number, says),
            _ => whole(directory, says),
        },
        Some((number, says)) => match files.iter().find(|file| message.contains(&file.path)) {
            Some(file) => file.at(number, says),
            None => whole(directory, says),
        },
        None => whole(directory, says),
    }
}

fn whole(directory: &str, says: impl Into<String>) -> Complaint {
    Complaint { place: directory.to_owned(), line: String::new(), says: says.into() }
}

/// A message without who said it.
fn words(message: &str) -> &str {
    ["postconf: ", "warning: ", "fatal: ", "error: "]
        .iter()
        .fold(message, |rest, start| rest.strip_prefix(start).unwrap_or(rest))
}

/// Parameters that would change unasked, and those that would not be as asked.
fn unkept(
    tried: &Tried<'_>,
    files: &[&Trial],
    before: &Effective,
    after: &Effective,
    directory: &str,
) -> Vec<Complaint> {
    let asked = Asked::of(tried, files);
    let mut complaints = Vec::new();
    let mut compare =
        |before: &BTreeMap<String, String>, after: &BTreeMap<String, String>, may: &dyn Fn(&str) -> bool| {
            for (name, value) in before.iter().filter(|(name, _)| !may(name)) {
                if after.get(name) != Some(value) {
                    let now = after.get(name).map_or("gone", String::as_str);
                    complaints.push(whole(
                        directory,
                        format!("{name} was `{value}` and would be `{now}`, which nobody asked for"),
                    ));
                }
            }
        };
    compare(&before.parameters, &after.parameters, &|name| asked.names.contains(name));
    compare(&before.overrides, &after.overrides, &|name| asked.has_override(name));
    compare(&before.fields, &after.fields, &|name| asked.has_field(name));
    let overridden = files.iter().any(|file| as_override(file, "postfix-main.cf"));
    for change in &tried.changes {
        let (name, wanted, is) = match change {
            Change::Parameter { name, value } => (name.clone(), value, after.parameters.get(name)),
            Change::Override { service, name, value } => {
                let name = format!("{service}/{name}");
                let is = after.overrides.get(&name);
                (name, value, is)
            }
            _ => continue,
        };
        let wanted = wanted.as_deref().map(spaced);
        // What an override file no longer says is still in the container's main.cf.
        if is != wanted.as_ref() && !(wanted.is_none() && overridden) {
            let is = is.map_or("its default", String::as_str);
            complaints.push(whole(directory, format!("{name} would be `{is}` and not as asked")));
        }
    }
    complaints
}

/// What a plan may change.
#[derive(Default)]
struct Asked {
    names: BTreeSet<String>,
    overrides: BTreeSet<String>,
    services: BTreeSet<String>,
    /// Lines of `master.cf` are changed as they stand.
    any_service: bool,
}

impl Asked {
    fn of(tried: &Tried<'_>, files: &[&Trial]) -> Self {
        let mut asked = Self::default();
        for change in &tried.changes {
            match change {
                Change::Parameter { name, .. } => asked.names.extend([name.clone()]),
                Change::Override { service, name, .. } => {
                    asked.overrides.extend([format!("{service}/{name}")]);
                }
                Change::Service { service, .. } => asked.services.extend([service.clone()]),
                Change::Lines { file, remove, add } => {
                    asked.any_service |= file.ends_with("/master.cf");
                    asked.names.extend(remove.iter().chain(add).filter_map(|line| name(line)));
                }
                _ => {}
            }
        }
        for file in files.iter().filter(|file| file.path.starts_with(CONFIG)) {
            let lines = file.after.as_deref().unwrap_or_default().lines().filter_map(name);
            let (overrides, names): (Vec<_>, Vec<_>) = lines.partition(|name| name.contains('/'));
            asked.names.extend(names);
            asked.overrides.extend(overrides);
        }
        asked
    }

    fn has_override(&self, name: &str) -> bool {
        self.overrides.contains(name) || self.has_service(name)
    }

    /// The command of a service tells its overrides, too.
    fn has_field(&self, name: &str) -> bool {
        let overridden =
            |service: &str| self.overrides.iter().any(|name| name.starts_with(&format!("{service}/")));
        self.has_service(name) || name.strip_suffix("/command").is_some_and(overridden)
    }

    fn has_service(&self, name: &str) -> bool {
        self.any_service || self.services.iter().any(|service| name.starts_with(&format!("{service}/")))
    }
}

fn name(line: &str) -> Option<String> {
    let (name, _) = line.split_once('=')?;
    let name = name.trim();
    (!name.starts_with('#')).then(|| name.to_owned())
}
