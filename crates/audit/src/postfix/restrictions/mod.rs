//! What Postfix would say to a mail: the restriction lists of a service, walked in its order. See SMTPD_ACCESS_README and
//! postconf(5), smtpd_recipient_restrictions.
//!
//! Rules that ask the DNS are taken to let the mail pass: the client is one that has a name and is on no list. What hangs on a
//! policy service or on a table that is not known becomes a [`Doubt`].

mod access;
mod rule;
mod walk;

use std::net::IpAddr;

pub(crate) use rule::takes_argument;
pub use rule::{Rule, rules};

use super::{Postfix, Service, elements};
use crate::Untold;
use walk::Walk;

/// A mail that somebody hands in.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The client's address.
    pub client: IpAddr,
    /// Its name; `unknown` if it has none.
    pub client_name: &'r str,
    /// What it says after HELO.
    pub helo: &'r str,
    /// Who is logged in.
    pub login: Option<&'r str>,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// The envelope sender; empty for a bounce.
    pub sender: &'r str,
    /// The recipient.
    pub recipient: &'r str,
}

/// What Postfix would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Its answer.
    pub verdict: Verdict,
    /// How each list ended, in the order in which they were asked; the last one decided if it is no acceptance.
    pub ends: Vec<End>,
    /// What the answer hangs on and is not known.
    pub doubts: Vec<Doubt>,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The mail is taken.
    Accepted,
    /// It is refused for now (4xx).
    Deferred,
    /// It is refused (5xx).
    Refused,
}

/// How a list ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The list: `smtpd_relay_restrictions`.
    pub list: &'static str,
    /// Where it is set.
    pub place: String,
    /// The rule that ended it, as written; none if the list has no more rules, which permits.
    pub rule: Option<String>,
    /// What the rule found: an entry of a table, a network; empty if the rule says it all.
    pub because: String,
    /// Where `because` stands, if it does anywhere: `/etc/postfix/access:3`.
    pub found_at: String,
    /// What it said.
    pub verdict: Verdict,
}

/// Something that is not known and could change the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The list it is in.
    pub list: &'static str,
    /// The rule, as written.
    pub rule: String,
    /// Why nobody knows.
    pub why: String,
    /// Whether it could have permitted: in the relay list that would admit the mail.
    pub may_permit: bool,
}

impl Ruling {
    /// The end that decided: the refusing list, or else the one that lets mail be relayed.
    #[must_use]
    pub fn decisive(&self) -> Option<&End> {
        let refusal = self.ends.iter().find(|end| end.verdict != Verdict::Accepted);
        let list = |name| self.ends.iter().find(move |end| end.list == name && end.rule.is_some());
        refusal.or_else(|| list("smtpd_relay_restrictions")).or_else(|| list("smtpd_recipient_restrictions"))
    }

    /// Whether one of these lists ended because of a client's network, a login, a table's entry.
    pub fn ended_by<'a>(&'a self, rule: &'a str) -> impl Iterator<Item = &'a End> {
        self.ends.iter().filter(move |end| end.rule.as_deref().is_some_and(|ended| ended.starts_with(rule)))
    }
}

/// `smtpd_relay_restrictions (main.cf:12): check_sender_access hash:/etc/postfix/access, /etc/postfix/access:3: example.org OK`.
impl core::fmt::Display for End {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ({}): {}", self.list, self.place, self.rule.as_deref().unwrap_or("end of the list"))?;
        match (self.because.as_str(), self.found_at.as_str()) {
            ("", _) => Ok(()),
            (because, "") => write!(f, ", {because}"),
            (because, place) => write!(f, ", {place}: {because}"),
        }
    }
}

/// The lists that decide on a message, in the order in which a client meets them.
pub const LISTS: [&str; 7] = [
    "smtpd_client_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
];

/// Rules of which the relay or the recipient list must have one: without, smtpd gives up.
const RELAY_CONTROL: [&str; 6] = [
    "reject_unauth_destination",
    "defer_unauth_destination",
    "reject",
    "defer",
    "defer_if_permit",
    "check_relay_domains",
];

impl Postfix<'_> {
    /// What a service would say to a mail.
    ///
    /// # Errors
    /// When a parameter that decides has a default that is not known.
    pub fn ruling(&self, service: &Service, request: &Request<'_>) -> Result<Ruling, Untold> {
        let mut ruling = Ruling { verdict: Verdict::Accepted, ends: Vec::new(), doubts: Vec::new() };
        if self.tls_required(service)? == Some(true) && !request.encrypted {
            ruling.refuse(End::of_service("smtpd_tls_security_level", &service.place(), "TLS is required"));
            return Ok(ruling);
        }
        if !self.has_relay_control(service)? {
            let why = "neither this list nor smtpd_recipient_restrictions guards relaying, so smtpd gives up";
            ruling.refuse(End::of_service("smtpd_relay_restrictions", &service.place(), why));
            return Ok(ruling);
        }
        let mut deferred = false;
        for list in self.lists(service)? {
            let mut walk = Walk::new(self, service, request, list, &mut ruling.doubts)?;
            let end = walk.list()?;
            deferred |= walk.defers_if_permitted();
            ruling.verdict = end.verdict;
            ruling.ends.push(end);
            if ruling.verdict != Verdict::Accepted {
                return Ok(ruling);
            }
        }
        if deferred {
            ruling.verdict = Verdict::Deferred;
        }
        Ok(ruling)
    }

    /// The rules of a list in a service, restriction classes as their names.
    ///
    /// # Errors
    /// When the list's default is not known.
    pub fn rules_of(&self, service: &Service, list: &str) -> Result<Vec<Rule>, Untold> {
        Ok(rules(&self.in_service(service, list)?.value))
    }

    /// Whether smtpd knows a rule: if not, it answers 451 to everybody who gets that far.
    ///
    /// # Errors
    /// When the default of `smtpd_restriction_classes` is not known.
    pub fn knows_rule(&self, service: &Service, rule: &Rule) -> Result<bool, Untold> {
        let classes = self.in_service(service, "smtpd_restriction_classes")?.value;
        Ok(rule.is_known() || elements(&classes).iter().any(|class| class.eq_ignore_ascii_case(&rule.name)))
    }

    /// The names of the lists, in the order in which the service asks them.
    fn lists(&self, service: &Service) -> Result<[&'static str; 7], Untold> {
        let mut lists = LISTS;
        let before = self.in_service(service, "smtpd_relay_before_recipient_restrictions");
        // Unknown before Postfix 3.6, which asks the recipient list first.
        if !before.is_ok_and(|effective| effective.value.eq_ignore_ascii_case("yes")) {
            lists.swap(3, 4);
        }
        Ok(lists)
    }

    fn has_relay_control(&self, service: &Service) -> Result<bool, Untold> {
        let classes = self.in_service(service, "smtpd_restriction_classes")?.value;
        let guards = |rules: Vec<Rule>| {
            // What only warns does not count; what `permit` hides does.
            let working = rules.into_iter().filter(|rule| !rule.only_warns);
            let mut working = working.map(|rule| rule.name);
            working.any(|name| {
                let guard = |name: &str| RELAY_CONTROL.contains(&name);
                let class = elements(&classes).contains(&name.as_str());
                let inner =
                    class.then(|| self.rules_of(service, &name)).and_then(Result::ok).unwrap_or_default();
                guard(&name) || inner.iter().any(|rule| guard(&rule.name))
            })
        };
        let relay = self.rules_of(service, "smtpd_relay_restrictions")?;
        Ok(guards(relay) || guards(self.rules_of(service, "smtpd_recipient_restrictions")?))
    }
}

impl Ruling {
    fn refuse(&mut self, end: End) {
        self.verdict = end.verdict;
        self.ends.push(end);
    }
}

impl End {
    fn of_service(list: &'static str, place: &str, because: &str) -> Self {
        Self {
            list,
            place: place.to_owned(),
            rule: None,
            because: because.to_owned(),
            found_at: String::new(),
            verdict: Verdict::Refused,
        }
    }
}
