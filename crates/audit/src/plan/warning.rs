//! Who does today what a plan ends, as the log shows.

use std::collections::BTreeSet;

use super::{Step, Warning};
use crate::Facts;
use crate::facts::LoggedHabit;

/// A habit, what ends it, and how a warning tells of it: `{n}` is how many, `{s}` the service.
struct Ending {
    kind: &'static str,
    /// Endings of the targets of changes.
    targets: &'static [&'static str],
    text: &'static str,
}

const ENDINGS: &[Ending] = &[
    Ending {
        kind: "old-tls",
        targets: &[
            "tls_protocols",
            "mandatory_protocols",
            "ssl_min_protocol",
            "ciphers",
            "cipherlist",
            "ssl_cipher_list",
        ],
        text: "{n} users or servers that this server works with speak TLS before 1.2 at {s}: a user is locked out, and a \
               server sends without TLS, or not at all, until its software is renewed",
    },
    Ending {
        kind: "login-without-tls",
        targets: &["ssl", "disable_plaintext_auth", "auth_allow_cleartext"],
        text: "{n} users log in without TLS over {s}: they are locked out until TLS is switched on in their mail program",
    },
    Ending {
        kind: "login-on-25",
        targets: &["smtpd_sasl_auth_enable", "smtpd_tls_auth_only"],
        text: "{n} users send over port 25: they cannot send until their mail program uses port 465 or 587",
    },
];

/// The warnings that these steps call for, what concerns most people first.
pub(super) fn warnings(facts: &Facts, steps: &[Step]) -> Vec<Warning> {
    let mut warnings: Vec<_> = facts.log.habits.iter().filter_map(|habit| ended(habit, steps)).collect();
    warnings.sort_by_key(|warning| core::cmp::Reverse(warning.count));
    warnings
}

fn ended(habit: &LoggedHabit, steps: &[Step]) -> Option<Warning> {
    let ending = ENDINGS.iter().find(|ending| ending.kind == habit.kind)?;
    let target = |step: &Step| {
        let target = step.change.target();
        ending.targets.iter().any(|end| {
            target == *end
                || target.ends_with(&format!("/{end}"))
                || end.contains('_') && target.ends_with(end)
        })
    };
    let checks = checks(steps.iter().filter(|step| target(step)));
    let text = ending.text.replace("{n}", &habit.distinct.to_string()).replace("{s}", &habit.service);
    (!checks.is_empty()).then(|| Warning {
        text,
        count: habit.count,
        examples: habit.examples.clone(),
        checks,
    })
}

fn checks<'a>(steps: impl Iterator<Item = &'a Step>) -> Vec<String> {
    let ids: BTreeSet<_> = steps.flat_map(|step| &step.reasons).map(|reason| reason.check.clone()).collect();
    ids.into_iter().collect()
}
