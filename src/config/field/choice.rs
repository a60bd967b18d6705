//! Settings that are one of a few names.

use mailward_enforce::Action;
use mailward_source::Start;

use super::super::mistake::{Mistakes, meant};
use super::super::settings::Mode;
use super::{Field, Value, quoted, text, wrong};

/// One of a few names.
pub(super) fn choice<T: Copy>(
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

pub(super) fn named<T: PartialEq>(names: &[(&str, T)], choice: &T) -> String {
    names.iter().find(|(_, other)| other == choice).map(|(name, _)| quoted(name)).unwrap_or_default()
}

pub(super) fn either<T>(names: &[(&str, T)]) -> String {
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
