//! Settings of the audit: who is asked for DNS records, and what was accepted.

use jiff::civil::Date;
use mailward_audit::FAMILIES;
use toml::de::DeValue;

use super::super::mistake::{Mistakes, meant};
use super::super::settings::{Accepted, Resolver};
use super::list::list;
use super::{Field, Value, quoted, text, wrong};

impl Field for Resolver {
    fn valid() -> String {
        "\"system\", \"none\", or an address and port such as \"127.0.0.1:53\"".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let read = text(value).and_then(Self::named);
        if read.is_none() {
            wrong(key, &Self::valid(), value, None, mistakes);
        }
        read
    }

    fn show(&self) -> String {
        match self {
            Self::System => quoted("system"),
            Self::None => quoted("none"),
            Self::At(server) => quoted(&server.to_string()),
        }
    }
}

impl Resolver {
    /// By its name in the configuration and on the command line.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "system" => Some(Self::System),
            "none" => Some(Self::None),
            server => {
                let server = server.parse().ok();
                server.or_else(|| Some((name.parse::<std::net::IpAddr>().ok()?, 53).into())).map(Self::At)
            }
        }
    }
}

/// The keys of an accepted finding.
const KEYS: [&str; 5] = ["check", "subject", "reason", "owner", "until"];

impl Field for Vec<Accepted> {
    fn valid() -> String {
        "a list such as [{ check = \"SMT-011\", reason = \"…\", owner = \"alice\", until = \"2027-01-31\" }]"
            .into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        list(key, &Self::valid(), value, mistakes, |item, mistakes| accepted(key, item, mistakes))
    }

    fn show(&self) -> String {
        if self.is_empty() {
            return "[]".into();
        }
        let items = self.iter().map(|item| {
            let Accepted { check, subject, reason, owner, until } = item;
            let subject =
                if subject.is_empty() { String::new() } else { format!(", subject = {}", quoted(subject)) };
            format!(
                "    {{ check = {}{subject}, reason = {}, owner = {}, until = \"{until}\" }},\n",
                quoted(check),
                quoted(reason),
                quoted(owner),
            )
        });
        format!("[\n{}]", items.collect::<String>())
    }
}

fn accepted(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Accepted> {
    let DeValue::Table(table) = value.get_ref() else {
        wrong(key, &Vec::<Accepted>::valid(), value, None, mistakes);
        return None;
    };
    let mut accepted = Accepted::default();
    let mut sound = true;
    for (name, inner) in table {
        let read = match name.get_ref().as_ref() {
            "check" => check(inner, mistakes).map(|id| accepted.check = id),
            "subject" => words("subject", inner, mistakes).map(|text| accepted.subject = text),
            "reason" => words("reason", inner, mistakes).map(|text| accepted.reason = text),
            "owner" => words("owner", inner, mistakes).map(|text| accepted.owner = text),
            "until" => day(inner, mistakes).map(|day| accepted.until = day),
            other => {
                let help = match meant(other, KEYS) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("it has: {}", KEYS.join(", ")),
                };
                mistakes.add(name.span(), format!("an entry of {key} has no \"{other}\""), help);
                None
            }
        };
        sound &= read.is_some();
    }
    for needed in ["check", "reason", "owner", "until"] {
        if !table.iter().any(|(name, _)| name.get_ref() == needed) {
            mistakes.add(
                value.span(),
                format!("an entry of {key} needs {needed}"),
                "a finding is accepted for a reason, by somebody, until a day",
            );
            sound = false;
        }
    }
    sound.then_some(accepted)
}

fn check(value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<String> {
    let ids = || FAMILIES.iter().flat_map(|family| family.checks).map(|check| check.id);
    let id = text(value).unwrap_or_default().to_uppercase();
    if ids().any(|other| other == id) {
        return Some(id);
    }
    wrong("check", "a check's id such as \"SMT-011\"", value, meant(&id, ids()), mistakes);
    None
}

fn words(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<String> {
    let read = text(value).filter(|text| !text.trim().is_empty() && !text.chars().any(char::is_control));
    if read.is_none() {
        wrong(key, "a text in quotes", value, None, mistakes);
    }
    read.map(str::to_owned)
}

/// TOML has dates of its own; both ways of writing one are taken.
fn day(value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Date> {
    let read: Option<Date> = match value.get_ref() {
        DeValue::Datetime(day) => day.to_string().parse().ok(),
        _ => text(value).and_then(|day| day.parse().ok()),
    };
    if read.is_none() {
        wrong("until", "a day such as \"2027-01-31\"", value, None, mistakes);
    }
    read
}
