//! What follows from a line, as a JSON line: the same for `guard` and `replay`.

use std::net::IpAddr;

use mailward_engine::{Effect, Refused};
use mailward_model::{Ban, Offence, Signal, Subject, Timestamp};
use serde::Serialize;

/// One effect as JSON. `event` tells which fields there are.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Record {
    pub(crate) time: String,
    /// `offence`, `login`, `signal`, `ban`, `refused`, `unban`, `integrity`.
    pub(crate) event: &'static str,
    /// The number of the line that decided it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
    /// The source of an offence or login; the target of a ban, where that is one address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<IpAddr>,
    /// The address or network that is banned, or that a signal is about; the file that was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) weight: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threshold: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) window: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// The end of a ban; absent where it holds until lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Decided and not enforced.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dry_run: bool,
}

impl Record {
    /// The record of an effect at a time.
    pub(crate) fn of(effect: &Effect, time: Timestamp) -> Self {
        match effect {
            Effect::Offence(offence) => Self::offence(offence),
            Effect::Login(login) => Self {
                address: Some(login.address),
                account: Some(login.account.to_string()),
                ..Self::at("login", login.time)
            },
            Effect::Signal(signal) => Self::signal(signal),
            Effect::Ban(cleared) => Self::ban(cleared.ban()),
            Effect::Refused(refused) => Self::refused(refused, time),
        }
    }

    /// The record of a ban.
    pub(crate) fn ban(ban: &Ban) -> Self {
        Self {
            address: ban.target.is_host().then(|| ban.target.address()),
            target: Some(ban.target.to_string()),
            rule: Some(ban.by.to_string()),
            from: Some(ban.from.to_string()),
            until: ban.until.map(|until| until.to_string()),
            step: Some(ban.step),
            origin: Some(ban.origin.name()),
            reason: Some(ban.reason.to_string()),
            ..Self::at("ban", ban.from)
        }
    }

    /// The record of a ban that ended or was lifted.
    pub(crate) fn unban(ban: &Ban, time: Timestamp) -> Self {
        Self { event: "unban", time: time.to_string(), ..Self::ban(ban) }
    }

    /// The record of a file that is `new`, `changed` or `gone`.
    pub(crate) fn integrity(what: &'static str, file: String, how: String, time: Timestamp) -> Self {
        Self { kind: Some(what), target: Some(file), reason: Some(how), ..Self::at("integrity", time) }
    }

    /// The record in a line of text, for people and the journal.
    pub(crate) fn sentence(&self) -> String {
        let (who, why) = (self.who(), self.reason.as_deref().unwrap_or_default());
        let count = self.count.unwrap_or_default();
        match self.event {
            "ban" => {
                let would = if self.dry_run { "would ban" } else { "ban" };
                let until = self.until.as_deref().unwrap_or("lifted");
                format!("{would} {who} until {until}: {why} [{}]", self.rule.as_deref().unwrap_or_default())
            }
            "unban" => format!("unban {who}: {why}"),
            "refused" => format!("no ban of {who}: {why}"),
            "signal" => format!(
                "signal {} about {who}: {count} × {} in {}",
                self.rule.as_deref().unwrap_or_default(),
                self.kind.unwrap_or_default(),
                self.window.as_deref().unwrap_or_default()
            ),
            "integrity" => format!(
                "{} outside of a plan: {who} ({why}); see: mailward integrity status",
                self.kind.unwrap_or_default()
            ),
            "offence" => format!("offence of {who}: {count} × {} ({why})", self.kind.unwrap_or_default()),
            other => format!("{other} of {} from {who}", self.account.as_deref().unwrap_or_default()),
        }
    }

    fn who(&self) -> String {
        match (&self.target, self.address, &self.account) {
            (Some(target), _, _) => target.clone(),
            (None, Some(address), _) => address.to_string(),
            (None, None, account) => account.clone().unwrap_or_default(),
        }
    }

    fn at(event: &'static str, time: Timestamp) -> Self {
        Self { time: time.to_string(), event, ..Self::default() }
    }

    fn offence(offence: &Offence) -> Self {
        Self {
            kind: Some(offence.kind.name()),
            address: Some(offence.address),
            account: offence.account.as_ref().map(ToString::to_string),
            service: (!offence.service.is_empty()).then(|| offence.service.to_string()),
            count: Some(offence.count),
            weight: Some(offence.weight.name()),
            reason: Some(offence.reason.name().to_owned()),
            ..Self::at("offence", offence.time)
        }
    }

    fn signal(signal: &Signal) -> Self {
        let address = match &signal.subject {
            Subject::Address(address) => Some(*address),
            Subject::Network(_) | Subject::Account(_) => None,
        };
        let (target, account) = match &signal.subject {
            Subject::Account(account) => (None, Some(account.to_string())),
            other => (Some(other.to_string()), None),
        };
        Self {
            kind: Some(signal.kind.name()),
            address,
            target,
            account,
            rule: Some(signal.rule.to_string()),
            count: Some(signal.count),
            threshold: Some(signal.threshold),
            window: Some(signal.window.to_string()),
            ..Self::at("signal", signal.time)
        }
    }

    fn refused(refused: &Refused, time: Timestamp) -> Self {
        let target = match refused {
            Refused::Protected(protected) => protected.target.to_string(),
            Refused::Precious(network) => network.to_string(),
            Refused::OverBudget(subject, _) => subject.to_string(),
        };
        let reason = why_refused(refused);
        Self { target: Some(target), reason: Some(reason), ..Self::at("refused", time) }
    }
}

/// Why a signal led to no ban, in words.
pub(crate) fn why_refused(refused: &Refused) -> String {
    match refused {
        Refused::Protected(protected) => protected.to_string(),
        Refused::Precious(_) => {
            "somebody logged in from this network lately; its addresses are judged one by one".to_owned()
        }
        Refused::OverBudget(_, limit) => {
            format!("the budget is used up ([budget] {}); no further bans by rules for now", limit.name())
        }
    }
}
