//! What a file is for, and so what it is worth to an intruder.

use serde::{Deserialize, Serialize};

use crate::Severity;

/// What a file is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Configuration of the mail server and its filters: tables, aliases, virtual addresses.
    #[default]
    MailConfiguration,
    /// Who may log in to the mail server, and as whom.
    Accounts,
    /// Filters that are run for everybody.
    GlobalFilter,
    /// A user's own filter or forward.
    UserFilter,
    /// A program that the mail server runs, or docker-mailserver at its start.
    Program,
    /// What is run by itself: cron, timers, services.
    Schedule,
    /// Who may log in to the host, and become root.
    Login,
    /// What is run or loaded with every program, login or start.
    Startup,
    /// What is run when a certificate is renewed, a package installed, a network comes up.
    Hook,
    /// What the operator asked to watch.
    Asked,
}

impl Role {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MailConfiguration => "mail configuration",
            Self::Accounts => "accounts",
            Self::GlobalFilter => "global filter",
            Self::UserFilter => "user's filter",
            Self::Program => "program",
            Self::Schedule => "schedule",
            Self::Login => "login",
            Self::Startup => "startup",
            Self::Hook => "hook",
            Self::Asked => "watched",
        }
    }

    /// What an intruder gains by it.
    #[must_use]
    pub const fn gain(self) -> &'static str {
        match self {
            Self::MailConfiguration => "it decides where mail goes and who may send",
            Self::Accounts => "it decides who may log in, a master user into every mailbox",
            Self::GlobalFilter => "it sees everybody's mail, and may send it elsewhere or run programs",
            Self::UserFilter => "it sees this user's mail, and may send it elsewhere",
            Self::Program => "the mail server runs it",
            Self::Schedule => "it is run by itself, mostly as root",
            Self::Login => "it decides who gets into this host",
            Self::Startup => "it is run or loaded without anybody asking, mostly as root",
            Self::Hook => "it is run as root when a certificate is renewed or a package installed",
            Self::Asked => "the operator asked to watch it",
        }
    }

    /// How bad a change is that nobody knows of. Users change their filters all the time.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::MailConfiguration | Self::Asked => Severity::Medium,
            Self::UserFilter => Severity::Low,
            _ => Severity::High,
        }
    }
}
