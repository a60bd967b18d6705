//! Texts of configuration files, rewritten so that a change holds and nothing else is touched: not a comment, not a blank, not the
//! end of a line. What is so already is left as it stands, so that rewriting twice is rewriting once.

mod compose;
mod dovecot;
mod environment;
mod lines;
mod main_cf;
mod marked;
mod master_cf;
mod setting;
mod text;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Change;
pub(crate) use dovecot::{put, quoted};
use text::Text;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `main.cf`: see postconf(5).
    MainCf,
    /// `master.cf`: see master(5).
    MasterCf,
    /// Dovecot's, in a marked part of ours.
    Dovecot,
    /// docker-mailserver's `postfix-main.cf`: lines that it appends to `main.cf`.
    OverridesOfMain,
    /// docker-mailserver's `postfix-master.cf`: a line of `service/type/name=value` each.
    OverridesOfMaster,
    /// `NAME=value`, as docker reads it.
    Environment,
    /// The mail server's `environment:` in a compose file.
    Compose,
    /// `name = value` below `[section]`.
    Sections,
    /// `name = value;`, the last line being `1;` where it is Perl.
    Statements,
    /// `name value`.
    Words,
    /// Lines, whatever they mean.
    Lines,
}

/// Why a change could not be written. Trying again does not help; the file, or what is asked for, has to be another one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Clash {
    /// A line to take out is not there.
    #[error(
        "{file} has no line `{line}`, which was there when the plan was made; make the plan again: mailward harden plan"
    )]
    Missing {
        /// The file.
        file: String,
        /// The line.
        line: String,
    },
    /// There is no such thing to change.
    #[error("{file} has no {thing}; see what it holds, and make the plan again: mailward harden plan")]
    Nowhere {
        /// The file.
        file: String,
        /// What is not there.
        thing: String,
    },
    /// A line that is not understood stands where we write.
    #[error("{file}:{line}: `{text}` is not understood; mend that line by hand, then: mailward harden plan")]
    Unreadable {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// The format has no way to say it.
    #[error("{file}: `{what}` cannot be written there: {why}")]
    Unwritable {
        /// The file.
        file: String,
        /// What was to be written.
        what: String,
        /// Why not.
        why: &'static str,
    },
}

/// The text of `file`, which is written in `format`, once `change` is made. No text is a file that is not there yet.
///
/// # Errors
/// When the change cannot be made in it.
pub fn rewrite(format: Format, file: &str, text: Option<&str>, change: &Change) -> Result<String, Clash> {
    one_line_each(file, change)?;
    let text = text.unwrap_or_default();
    let edited = match (change, format) {
        (Change::Parameter { name, value }, Format::OverridesOfMain) => {
            marked::set(Text::read(text), name, value.as_deref(), " = ")
        }
        (Change::Parameter { name, value }, _) => {
            main_cf::set(Text::read(text), name, value.as_deref(), " = ")
        }
        (Change::Override { service, name, value }, Format::OverridesOfMaster) => {
            let value = value.as_deref().map(|value| master_cf::unspaced(file, value)).transpose()?;
            marked::set(Text::read(text), &format!("{service}/{name}"), value.as_deref(), "=")
        }
        (Change::Override { service, name, value }, _) => {
            master_cf::set(file, Text::read(text), service, name, value.as_deref())?
        }
        (Change::Service { service, line }, _) => {
            master_cf::service(file, Text::read(text), service, line.as_deref())?
        }
        (Change::Dovecot { blocks, name, value }, _) => dovecot::set(file, text, blocks, name, value)?,
        (Change::Variable { name, value }, Format::Compose) => {
            compose::set(file, text, name, value.as_deref())?
        }
        (Change::Variable { name, value }, _) => environment::set(Text::read(text), name, value.as_deref()),
        (Change::Setting { section, name, value, .. }, _) => {
            setting::set(format, Text::read(text), section, name, value.as_deref())
        }
        (Change::Lines { remove, add, .. }, _) => lines::replace(file, Text::read(text), remove, add)?,
        (Change::Access { .. } | Change::Key { .. } | Change::Remove { .. }, _) => Text::read(text),
    };
    Ok(edited.to_string())
}

/// The words of a service's line in master.cf, without its overrides.
pub(crate) fn service_words(text: &str, service: &str) -> Option<Vec<String>> {
    master_cf::line_of(&Text::read(text), service)
}

/// What is written is one line: an end of line in it would begin another one, which nobody asked for.
fn one_line_each(file: &str, change: &Change) -> Result<(), Clash> {
    let words: Vec<&str> = match change {
        Change::Parameter { name, value } | Change::Variable { name, value } => {
            [Some(name), value.as_ref()].into_iter().flatten().map(String::as_str).collect()
        }
        Change::Override { service, name, value } => {
            [Some(service), Some(name), value.as_ref()].into_iter().flatten().map(String::as_str).collect()
        }
        Change::Service { service, line } => {
            [Some(service), line.as_ref()].into_iter().flatten().map(String::as_str).collect()
        }
        Change::Dovecot { blocks, name, value } => {
            blocks.iter().chain([name, value]).map(String::as_str).collect()
        }
        Change::Setting { section, name, value, .. } => {
            [Some(section), Some(name), value.as_ref()].into_iter().flatten().map(String::as_str).collect()
        }
        Change::Lines { remove, add, .. } => remove.iter().chain(add).map(String::as_str).collect(),
        Change::Access { .. } | Change::Key { .. } | Change::Remove { .. } => Vec::new(),
    };
    match words.into_iter().find(|word| word.contains(['\n', '\r', '\0'])) {
        Some(word) => Err(Clash::Unwritable {
            file: file.to_owned(),
            what: word.escape_debug().to_string(),
            why: "it is more than one line",
        }),
        None => Ok(()),
    }
}
