//! What is to be said of each account: what the audit finds, account by account.

use mailward_audit::facts::Account;
use mailward_audit::{Facts, judge};

/// An account, and what is to be said of it. No secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its login name.
    pub name: String,
    /// Where it stands: file and line.
    pub place: String,
    /// How its password is stored.
    pub scheme: String,
    /// Whether it is locked.
    pub locked: bool,
    /// Whether it opens everybody's mailbox.
    pub master: bool,
    /// When somebody logged in last, seconds since 1970, as far as the logs go back.
    pub last: Option<i64>,
    /// What the audit finds of it: the check's id, and a word for it.
    pub marks: Vec<(&'static str, &'static str)>,
}

/// The checks that are about single accounts, and what they say in a word.
const MARKS: [(&str, &str); 10] = [
    ("ACC-001", "readable"),
    ("ACC-002", "weak hash"),
    ("ACC-003", "cheap hash"),
    ("ACC-004", "guessable"),
    ("ACC-005", "shared password"),
    ("ACC-006", "no password"),
    ("ACC-007", "role or test"),
    ("ACC-008", "dormant"),
    ("ACC-009", "listed twice"),
    ("ACC-010", "foreign domain"),
];

/// All accounts that files hold, in their order.
#[must_use]
pub fn rows(facts: &Facts) -> Vec<Row> {
    let audit = judge(facts, |check| word(check.id).is_some());
    let findings = audit.findings();
    let marks = |account: &Account| {
        let mut marks: Vec<_> = findings
            .iter()
            .filter(|(_, finding)| finding.evidence.iter().any(|seen| seen.place == account.place))
            .filter_map(|(check, _)| Some((check.id, word(check.id)?)))
            .collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    };
    let last = |account: &Account| {
        facts.usage.known().and_then(|usage| usage.last.get(&account.name.to_ascii_lowercase())).copied()
    };
    let row = |account: &Account| Row {
        name: account.name.clone(),
        place: account.place.clone(),
        scheme: account.scheme.clone(),
        locked: account.locked,
        master: account.master,
        last: last(account),
        marks: marks(account),
    };
    facts.accounts.known().map_or_else(Vec::new, |accounts| accounts.iter().map(row).collect())
}

fn word(id: &str) -> Option<&'static str> {
    MARKS.iter().find(|(check, _)| *check == id).map(|(_, word)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_audit::Known;
    use mailward_audit::facts::Usage;

    const DAY: i64 = 86_400;

    fn account(line: u32, name: &str, scheme: &str) -> Account {
        Account {
            name: name.into(),
            place: format!("/etc/dovecot/users:{line}"),
            scheme: scheme.into(),
            cost: 100_000,
            digest: format!("{line}"),
            ..Account::default()
        }
    }

    #[test]
    fn what_the_audit_finds_is_said_of_its_accounts() {
        let mut facts = Facts::default();
        facts.about.taken = "2026-11-21T12:00:00Z".into();
        let now = "2026-11-21T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
        let same = |account: Account| Account { digest: "equal".into(), ..account };
        facts.accounts = Known::Is(vec![
            account(1, "nora@example.org", "SHA512-CRYPT"),
            account(2, "test@example.org", "PLAIN"),
            same(account(3, "one@example.org", "SHA512-CRYPT")),
            same(account(4, "two@example.org", "SHA512-CRYPT")),
            Account { locked: true, ..account(5, "gone@example.org", "SHA512-CRYPT") },
        ]);
        let last = ["nora", "one", "two"].map(|name| (format!("{name}@example.org"), now - DAY));
        facts.usage =
            Known::Is(Usage { from: now - 365 * DAY, to: now, last: last.into(), ..Usage::default() });
        let words: Vec<Vec<&str>> =
            rows(&facts).iter().map(|row| row.marks.iter().map(|(_, word)| *word).collect()).collect();
        let expected: [&[&str]; 5] =
            [&[], &["readable", "role or test", "dormant"], &["shared password"], &["shared password"], &[]];
        assert_eq!(words, expected);
        let rows = rows(&facts);
        assert_eq!(rows.iter().map(|row| row.locked).collect::<Vec<_>>(), [false, false, false, false, true]);
        assert_eq!(rows.first().and_then(|row| row.last), Some(now - DAY));
    }
}
