//! Settings that are one of a few names.

use mailward_decide::{Clients, policy};
use mailward_enforce::Action;
use mailward_notify::Security;
use mailward_report::Severity;
use mailward_source::Start;

use super::super::mistake::{Mistakes, meant};
use super::super::settings::Mode;
use super::{Field, Value, quoted, text, wrong};

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

/// Settings that are one of these names.
macro_rules! choices {
    ($($type:ty = [$(($name:expr, $choice:expr)),+]);+) => {$(
        impl Field for $type {
            fn valid() -> String {
                either(&[$(($name, $choice)),+])
            }

            fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
                choice(key, &[$(($name, $choice)),+], value, mistakes)
            }

            fn show(&self) -> String {
                named(&[$(($name, $choice)),+], self)
            }
        }
    )+};
}

choices!(
    Mode = [(Mode::Enforce.name(), Mode::Enforce), (Mode::DryRun.name(), Mode::DryRun)];
    Start = [("beginning", Start::Beginning), ("end", Start::End)];
    Action = [("drop", Action::Drop), ("reset", Action::Reset)];
    policy::Mode = [("on", policy::Mode::On), ("warn-only", policy::Mode::WarnOnly), ("off", policy::Mode::Off)];
    Clients = [("doubtful", Clients::Doubtful), ("all", Clients::All)];
    Security = [("none", Security::None), ("starttls", Security::StartTls), ("tls", Security::Tls)];
    Severity = [
        (Severity::Info.name(), Severity::Info),
        (Severity::Low.name(), Severity::Low),
        (Severity::Medium.name(), Severity::Medium),
        (Severity::High.name(), Severity::High),
        (Severity::Critical.name(), Severity::Critical)
    ]
);
