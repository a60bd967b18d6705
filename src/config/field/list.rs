//! Settings that are lists; each mistake in them is told.

use std::path::PathBuf;

use mailward_audit::firewall::{Opening, Port};
use mailward_decide::lists::DnsList;
use mailward_decide::login::Limit;
use mailward_decide::policy::Exception;
use mailward_model::{Network, Span};
use toml::de::DeValue;

use super::super::mistake::{Mistakes, meant};
use super::super::settings::{InterfaceName, NamedNetwork};
use super::{Field, Value, quoted, text, within, wrong};

/// A list, in which each mistake is told.
pub(super) fn list<T>(
    key: &str,
    valid: &str,
    value: &Value<'_>,
    mistakes: &mut Mistakes<'_>,
    mut read: impl FnMut(&Value<'_>, &mut Mistakes<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let DeValue::Array(items) = value.get_ref() else {
        wrong(key, valid, value, None, mistakes);
        return None;
    };
    let read: Vec<_> = items.iter().map(|item| read(item, mistakes)).collect();
    read.into_iter().collect()
}

fn show_list<T: Field>(items: &[T]) -> String {
    let shown: Vec<_> = items.iter().map(Field::show).collect();
    format!("[{}]", shown.join(", "))
}

/// As [`list`], without anything twice.
fn list_without_repeats<T: PartialEq>(
    key: &str,
    value: &Value<'_>,
    mistakes: &mut Mistakes<'_>,
    items: Vec<T>,
) -> Option<Vec<T>> {
    let DeValue::Array(values) = value.get_ref() else { return Some(items) };
    let twice = items
        .iter()
        .enumerate()
        .filter(|(place, item)| items.iter().take(*place).any(|other| other == *item));
    let twice: Vec<_> = twice.filter_map(|(place, _)| values.get(place)).collect();
    for item in &twice {
        mistakes.add(
            item.span(),
            format!("{} stands in {key} twice", mistakes.given(item.span())),
            "leave one out",
        );
    }
    twice.is_empty().then_some(items)
}

macro_rules! lists {
    ($($type:ty = $valid:literal),+) => {$(
        impl Field for Vec<$type> {
            fn valid() -> String {
                $valid.into()
            }

            fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
                let item = format!("each of {key}");
                let items = list(key, &Self::valid(), value, mistakes, |value, mistakes| {
                    <$type as Field>::read(&item, value, mistakes)
                })?;
                list_without_repeats(key, value, mistakes, items)
            }

            fn show(&self) -> String {
                show_list(self)
            }
        }
    )+};
}

lists!(
    PathBuf = "a list of paths such as [\"/var/log/mail.log\"]",
    String = "a list of texts such as [\"SYSLOG_FACILITY=2\"]",
    Span = "a list of durations such as [\"1h\", \"6h\", \"24h\"]",
    Opening = "a list of ports such as [\"tcp/443\", \"tcp/9100 from 192.0.2.0/24\"]",
    Port = "a list of ports such as [\"tcp/111\", \"udp/111\"]",
    InterfaceName = "a list of interfaces such as [\"wg0\"]",
    Exception = "a list of exceptions such as [\"greylist for client 192.0.2.0/24\"]",
    Limit = "a list of limits such as [\"scanner@example.org only smtp\"]",
    DnsList = "a list of lists such as [\"zen.spamhaus.org=127.0.0.[2..11]*8\"]"
);

/// Ports; none is all.
impl Field for Option<Vec<u16>> {
    fn valid() -> String {
        "a list of port numbers such as [25, 465, 587], or \"all\"".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        if text(value) == Some("all") {
            return Some(None);
        }
        let item = format!("each of {key}");
        let ports = list(key, &Self::valid(), value, mistakes, |value, mistakes| {
            within::<u16>(&item, &(1..=65_535), value, mistakes)
        })?;
        if ports.is_empty() {
            mistakes.add(
                value.span(),
                format!("{key} is empty: no ban would do anything"),
                "give ports, or \"all\"",
            );
            return None;
        }
        list_without_repeats(key, value, mistakes, ports).map(Some)
    }

    fn show(&self) -> String {
        match self {
            None => quoted("all"),
            Some(ports) => format!("[{}]", ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl Field for Vec<NamedNetwork> {
    fn valid() -> String {
        "a list such as [\"192.0.2.1\", { network = \"2001:db8::/48\", comment = \"office\" }]".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let items = list(key, &Self::valid(), value, mistakes, |item, mistakes| match item.get_ref() {
            DeValue::Table(_) => named_network(key, item, mistakes),
            _ => Some(NamedNetwork { network: network(key, item, mistakes)?, comment: String::new() }),
        })?;
        let networks = items.iter().map(|item| item.network).collect();
        list_without_repeats(key, value, mistakes, networks).map(|_| items)
    }

    fn show(&self) -> String {
        if self.is_empty() {
            return "[]".into();
        }
        let items = self.iter().map(|item| {
            let (network, comment) = (quoted(&item.network.to_string()), quoted(&item.comment));
            format!("    {{ network = {network}, comment = {comment} }},\n")
        });
        format!("[\n{}]", items.collect::<String>())
    }
}

fn network(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Network> {
    let Some(text) = text(value) else {
        wrong(key, &Vec::<NamedNetwork>::valid(), value, None, mistakes);
        return None;
    };
    text.parse().map_err(|error| mistakes.add(value.span(), format!("{key}: {error}"), "")).ok()
}

fn named_network(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<NamedNetwork> {
    let DeValue::Table(table) = value.get_ref() else { return None };
    let (mut found, mut comment, mut sound) = (None, String::new(), true);
    for (name, inner) in table {
        match name.get_ref().as_ref() {
            "network" => found = network("network", inner, mistakes),
            "comment" => match text(inner).filter(|text| !text.chars().any(char::is_control)) {
                Some(text) => comment = text.to_owned(),
                None => {
                    wrong("comment", "a text in quotes", inner, None, mistakes);
                    sound = false;
                }
            },
            other => {
                let help = match meant(other, ["network", "comment"]) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "it has: network, comment".into(),
                };
                mistakes.add(name.span(), format!("an entry of {key} has no \"{other}\""), help);
                sound = false;
            }
        }
    }
    if !table.iter().any(|(name, _)| name.get_ref() == "network") {
        mistakes.add(
            value.span(),
            format!("an entry of {key} needs a network"),
            "such as { network = \"192.0.2.0/24\" }",
        );
    }
    Some(NamedNetwork { network: found?, comment }).filter(|_| sound)
}
