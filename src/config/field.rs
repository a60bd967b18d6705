//! Values of settings: how each type is read from TOML, and printed as TOML.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use mailward_enforce::Action;
use mailward_model::{Network, Span};
use mailward_source::Start;
use toml::Spanned;
use toml::de::DeValue;

use super::mistake::{Mistakes, meant};
use super::settings::{Auto, Mode, NamedNetwork};

/// A value with its place in the text.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A type that a setting may have.
pub(super) trait Field: Sized {
    /// What is valid, in words.
    fn valid() -> String;
    /// The value, or a mistake.
    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self>;
    /// As TOML.
    fn show(&self) -> String;
}

/// A type that has an order and limits.
pub(super) trait Measured: Field {
    /// As a number: durations in seconds.
    fn number(&self) -> u64;
    /// A limit, in words.
    fn words(number: u64) -> String {
        grouped(number, ',')
    }
}

/// The value, if it lies within limits; a mistake otherwise.
pub(super) fn within<T: Measured>(
    key: &str,
    limits: &RangeInclusive<u64>,
    value: &Value<'_>,
    mistakes: &mut Mistakes<'_>,
) -> Option<T> {
    let valid = format!("{} from {} to {}", T::valid(), T::words(*limits.start()), T::words(*limits.end()));
    let read = number::<T>(value).filter(|read| limits.contains(&read.number()));
    if read.is_none() {
        wrong(key, &valid, value, None, mistakes);
    }
    read
}

fn number<T: Field>(value: &Value<'_>) -> Option<T> {
    // Its own mistake would not tell the limits.
    T::read("", value, &mut Mistakes::new(""))
}

fn wrong(key: &str, valid: &str, value: &Value<'_>, near: Option<&str>, mistakes: &mut Mistakes<'_>) {
    let problem = format!("{key} must be {valid}, not {}", mistakes.given(value.span()));
    mistakes.add(
        value.span(),
        problem,
        near.map(|near| format!("did you mean \"{near}\"?")).unwrap_or_default(),
    );
}

/// A string in TOML's quotes.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn text<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value.get_ref() {
        DeValue::String(text) => Some(text),
        _ => None,
    }
}

fn integer(value: &Value<'_>) -> Option<u64> {
    match value.get_ref() {
        DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        _ => None,
    }
}

/// `1_000_000`: digits in groups of three.
fn grouped(number: u64, mark: char) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(digit);
    }
    out
}

impl Field for bool {
    fn valid() -> String {
        "true or false".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        if let DeValue::Boolean(read) = value.get_ref() {
            return Some(*read);
        }
        wrong(key, &Self::valid(), value, None, mistakes);
        None
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        impl Field for $type {
            fn valid() -> String {
                "a number".into()
            }

            fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
                let read = integer(value).and_then(|number| Self::try_from(number).ok());
                if read.is_none() {
                    wrong(key, &Self::valid(), value, None, mistakes);
                }
                read
            }

            fn show(&self) -> String {
                grouped(self.number(), '_')
            }
        }

        impl Measured for $type {
            fn number(&self) -> u64 {
                u64::try_from(*self).unwrap_or(u64::MAX)
            }
        }
    )+};
}

integers!(u16, u32, u64, usize);

impl Field for Span {
    fn valid() -> String {
        "a duration such as \"90s\", \"10m\", \"24h\" or \"4w\",".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let read = text(value).and_then(Self::parse);
        if read.is_none() {
            wrong(key, Self::valid().trim_end_matches(','), value, None, mistakes);
        }
        read
    }

    fn show(&self) -> String {
        quoted(&in_one_unit(self.secs()))
    }
}

impl Measured for Span {
    fn number(&self) -> u64 {
        self.secs()
    }

    fn words(number: u64) -> String {
        in_one_unit(number)
    }
}

/// `90d` rather than `12w6d`: the largest unit that divides it.
fn in_one_unit(secs: u64) -> String {
    const UNITS: [(char, u64); 4] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60)];
    match UNITS.into_iter().find(|(_, unit)| secs > 0 && secs.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", secs / unit),
        None => format!("{secs}s"),
    }
}

impl Field for String {
    fn valid() -> String {
        "a text in quotes".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let read = text(value).filter(|text| !text.is_empty() && !text.chars().any(char::is_control));
        if read.is_none() {
            wrong(key, &Self::valid(), value, None, mistakes);
        }
        read.map(str::to_owned)
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

impl Field for PathBuf {
    fn valid() -> String {
        "a path that begins with / in quotes".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let read = text(value).filter(|path| path.starts_with('/') && !path.chars().any(char::is_control));
        if read.is_none() {
            wrong(key, &Self::valid(), value, None, mistakes);
        }
        read.map(Self::from)
    }

    fn show(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

impl Field for Option<PathBuf> {
    fn valid() -> String {
        format!("{}, or \"none\"", PathBuf::valid())
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        if text(value) == Some("none") {
            return Some(None);
        }
        let read = number::<PathBuf>(value);
        if read.is_none() {
            wrong(key, &Self::valid(), value, None, mistakes);
        }
        read.map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| quoted("none"), Field::show)
    }
}

/// A list, in which each mistake is told.
fn list<T>(
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
    Span = "a list of durations such as [\"1h\", \"6h\", \"24h\"]"
);

impl<T: Field> Field for Auto<T> {
    fn valid() -> String {
        format!("{}, or \"auto\"", T::valid())
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        match (text(value), value.get_ref()) {
            (Some("auto"), _) => Some(Self::Auto),
            // A list tells its own mistakes.
            (_, DeValue::Array(_)) => T::read(key, value, mistakes).map(Self::Set),
            _ => {
                let read = number::<T>(value);
                if read.is_none() {
                    wrong(key, &Self::valid(), value, None, mistakes);
                }
                read.map(Self::Set)
            }
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Auto => quoted("auto"),
            Self::Set(value) => value.show(),
        }
    }
}

/// One of a few names.
fn choice<T: Copy>(
    key: &str,
    names: &[(&str, T)],
    value: &Value<'_>,
    mistakes: &mut Mistakes<'_>,
) -> Option<T> {
    let given = text(value).unwrap_or_default();
    let found = names.iter().find(|(name, _)| *name == given).map(|(_, choice)| *choice);
    if found.is_none() {
        wrong(key, &either(names), value, meant(given, names.iter().map(|(name, _)| *name)), mistakes);
    }
    found
}

fn named<T: PartialEq>(names: &[(&str, T)], choice: &T) -> String {
    names.iter().find(|(_, other)| other == choice).map(|(name, _)| quoted(name)).unwrap_or_default()
}

fn either<T>(names: &[(&str, T)]) -> String {
    names.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(" or ")
}

const MODES: [(&str, Mode); 2] = [(Mode::Enforce.name(), Mode::Enforce), (Mode::DryRun.name(), Mode::DryRun)];

impl Field for Mode {
    fn valid() -> String {
        either(&MODES)
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        choice(key, &MODES, value, mistakes)
    }

    fn show(&self) -> String {
        quoted(self.name())
    }
}

const STARTS: [(&str, Start); 2] = [("beginning", Start::Beginning), ("end", Start::End)];

impl Field for Start {
    fn valid() -> String {
        either(&STARTS)
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        choice(key, &STARTS, value, mistakes)
    }

    fn show(&self) -> String {
        named(&STARTS, self)
    }
}

const ACTIONS: [(&str, Action); 2] = [("drop", Action::Drop), ("reset", Action::Reset)];

impl Field for Action {
    fn valid() -> String {
        either(&ACTIONS)
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        choice(key, &ACTIONS, value, mistakes)
    }

    fn show(&self) -> String {
        named(&ACTIONS, self)
    }
}

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
