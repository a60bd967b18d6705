//! Values of settings: how each type is read from TOML, and printed as TOML.

mod audit;
mod choice;
mod host_firewall;
mod list;
mod notify;
mod policy;
mod schedule;

use std::ops::RangeInclusive;
use std::path::PathBuf;

use mailward_model::Span;
use toml::Spanned;
use toml::de::DeValue;

use super::mistake::Mistakes;
use super::settings::Auto;

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

integers!(u8, u16, u32, u64, usize, i32);

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
