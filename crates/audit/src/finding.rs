//! What is wrong, what shows it, and what mends it.

use core::fmt;
use std::collections::BTreeSet;

use crate::Server;
use crate::plan::{Change, Layout, Program};

/// How bad a weakness is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Mend it when you are there anyway.
    Low,
    /// Mend it soon.
    Medium,
    /// Mend it today.
    High,
    /// Mend it now: somebody can use it, or mail is being lost.
    Critical,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A weakness that is there. Its check's id and `subject` make its fingerprint, so neither may hold what changes by itself (a
/// count, a date).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is here.
    pub severity: Severity,
    /// What has it: a service and port, a file, a domain, an account; empty for the server as a whole.
    pub subject: String,
    /// What is wrong here, in a sentence: the check's title with this server's names and values.
    pub summary: String,
    /// The setting, file or record that causes it, if one does.
    pub cause: String,
    /// What shows it, the decisive one first.
    pub evidence: Vec<Evidence>,
    /// What mends it here.
    pub remedy: Remedy,
}

/// Something seen that shows a weakness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Where: `main.cf:12`, `port 587 (submission)`, `dig TXT example.org`.
    pub place: String,
    /// What was seen there, as it stood; never a secret.
    pub seen: String,
}

/// What mends a finding: edits, the command that puts them in force, and the one that proves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedy {
    /// What to do, in a sentence.
    pub advice: String,
    /// The edits that a person makes, in order.
    pub edits: Vec<Edit>,
    /// The changes that `mailward harden` makes; they are shown as edits, too.
    pub changes: Vec<Change>,
    /// The command that puts them in force.
    pub apply: String,
    /// The command that shows that it worked.
    pub prove: String,
}

/// A concrete change of a file, or of a record to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file, or `DNS`.
    pub target: String,
    /// Lines to take out, as they stand.
    pub remove: Vec<String>,
    /// Lines to put in.
    pub add: Vec<String>,
}

impl Finding {
    /// A finding about a subject; add evidence and a remedy.
    #[must_use]
    pub fn new(severity: Severity, subject: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            severity,
            subject: subject.into(),
            summary: summary.into(),
            cause: String::new(),
            evidence: Vec::new(),
            remedy: Remedy::default(),
        }
    }

    /// With the setting, file or record that causes it.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    /// With something seen.
    #[must_use]
    pub fn seen(mut self, place: impl Into<String>, seen: impl Into<String>) -> Self {
        self.evidence.push(Evidence { place: place.into(), seen: seen.into() });
        self
    }

    /// With all of these seen.
    #[must_use]
    pub fn all_seen(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// With settings seen where they stand; the last one is the cause.
    #[must_use]
    pub fn all_set(mut self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        for (place, seen) in settings {
            self.cause.clone_from(&place);
            self.evidence.push(Evidence { place, seen });
        }
        self
    }

    /// With what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: Remedy) -> Self {
        self.remedy = remedy;
        self
    }
}

impl Remedy {
    /// What to do, in a sentence.
    #[must_use]
    pub fn new(advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..Self::default() }
    }

    /// With lines put into a file.
    #[must_use]
    pub fn add(self, target: impl Into<String>, lines: &[&str]) -> Self {
        self.edit(target, &[], lines)
    }

    /// With lines taken out of a file and others put in.
    #[must_use]
    pub fn edit(mut self, target: impl Into<String>, remove: &[&str], add: &[&str]) -> Self {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        self.edits.push(Edit { target: target.into(), remove: lines(remove), add: lines(add) });
        self
    }

    /// With a change.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// With several changes.
    #[must_use]
    pub fn changes(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        self.changes.extend(changes);
        self
    }

    /// All edits as a person sees them: the changes, each where it goes on this server, and those that are his own.
    #[must_use]
    pub fn shown(&self, layout: &Layout, server: &Server<'_>) -> Vec<Edit> {
        let changes = self.changes.iter().filter(|change| change.chmod().is_none());
        let changes = changes.map(|change| change.shown(layout, server));
        changes.chain(self.edits.iter().cloned()).fold(Vec::new(), joined)
    }

    /// The command that puts them in force: its own, or the one for the programs that read what is changed.
    #[must_use]
    pub fn applied(&self, layout: &Layout) -> String {
        if !self.apply.is_empty() {
            return self.apply.clone();
        }
        let programs: BTreeSet<_> = self.changes.iter().map(|change| layout.program(change)).collect();
        let programs = programs.into_iter().filter_map(Program::command).map(str::to_owned);
        self.changes.iter().filter_map(Change::chmod).chain(programs).collect::<Vec<_>>().join(" && ")
    }

    /// With the command that puts the edits in force.
    #[must_use]
    pub fn apply(mut self, command: impl Into<String>) -> Self {
        self.apply = command.into();
        self
    }

    /// With the command that shows that it worked.
    #[must_use]
    pub fn prove(mut self, command: impl Into<String>) -> Self {
        self.prove = command.into();
        self
    }
}

/// Edits of the same file, one after the other, are one edit.
fn joined(mut edits: Vec<Edit>, edit: Edit) -> Vec<Edit> {
    match edits.last_mut() {
        Some(last) if last.target == edit.target => {
            last.remove.extend(edit.remove);
            last.add.extend(edit.add);
        }
        _ => edits.push(edit),
    }
    edits
}

/// The parts of a server that a report sums up one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// TLS and certificates.
    Encryption,
    /// SMTP, Postfix.
    Smtp,
    /// IMAP, POP3, Sieve, Dovecot.
    Mailboxes,
    /// Accounts, aliases, filters.
    Accounts,
    /// Names, SPF, DKIM, DMARC, MTA-STS, reputation.
    Dns,
    /// Content filtering.
    Content,
    /// Bans, firewall, logs.
    Defence,
    /// Files, queue, space, backup, versions, container.
    Host,
}

impl Area {
    /// All, in the order of a report.
    pub const ALL: [Self; 8] = [
        Self::Encryption,
        Self::Smtp,
        Self::Mailboxes,
        Self::Accounts,
        Self::Dns,
        Self::Content,
        Self::Defence,
        Self::Host,
    ];

    /// What people call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Encryption => "Encryption",
            Self::Smtp => "SMTP and Postfix",
            Self::Mailboxes => "Mailboxes and Dovecot",
            Self::Accounts => "Accounts and aliases",
            Self::Dns => "DNS and reputation",
            Self::Content => "Content filtering",
            Self::Defence => "Bans, firewall and logs",
            Self::Host => "Files, queue, backup and versions",
        }
    }
}
