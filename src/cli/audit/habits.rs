//! What users and other servers do that a stricter configuration would end: a plan warns of it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use mailward_audit::facts::LoggedHabit;
use mailward_model::{Account, Event, EventKind, Program};

/// Accounts and addresses that are kept of one habit.
const WHO: usize = 10_000;
/// Of them, how many are told.
const EXAMPLES: usize = 5;
/// What no mail program of the last ten years needs.
const OLD: [&str; 4] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1"];

/// What was seen, by kind and service.
#[derive(Default)]
pub(super) struct Habits(BTreeMap<(&'static str, String), HashMap<Who, u64>>);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Who {
    Account(String),
    Address(IpAddr),
}

impl Habits {
    pub(super) fn event(&mut self, event: &Event<'_>) {
        let Some(address) = event.address() else { return };
        let kind = event.tls.and_then(|tls| dated(&tls.protocol.lossy()));
        match (event.kind, kind) {
            // From here audits speak every version, ours first; and programs on this host have the server's own OpenSSL.
            (EventKind::TlsEstablished, Some(kind)) if !address.is_loopback() => {
                self.add(kind, event, Who::Address(address));
            }
            (EventKind::LoginSucceeded, kind) => self.login(event, address, kind),
            _ => {}
        }
    }

    fn login(&mut self, event: &Event<'_>, address: IpAddr, dated: Option<&'static str>) {
        let Some(account) = Account::of(event.user) else { return };
        let who = || Who::Account(account.name().to_owned());
        if let Some(kind) = dated {
            self.add(kind, event, who());
        }
        match event.program {
            // Only Dovecot's line of a login tells of TLS. What comes from this machine needs none.
            Program::DovecotLogin if event.tls.is_none() && !address.is_loopback() => {
                self.add("login-without-tls", event, who());
            }
            Program::Smtpd if event.service.lossy() == "smtp" => self.add("login-on-25", event, who()),
            _ => {}
        }
    }

    fn add(&mut self, kind: &'static str, event: &Event<'_>, who: Who) {
        let seen = self.0.entry((kind, event.service.lossy().into_owned())).or_default();
        if seen.len() < WHO || seen.contains_key(&who) {
            *seen.entry(who).or_default() += 1;
        }
    }

    /// The habits of those who use the server: scanners speak old TLS, too.
    pub(super) fn facts(&self, uses: impl Fn(IpAddr) -> bool) -> Vec<LoggedHabit> {
        let mut habits = Vec::new();
        for ((kind, service), seen) in &self.0 {
            let mut all: Vec<_> = seen
                .iter()
                .filter_map(|(who, count)| match who {
                    Who::Account(name) => Some((*count, name.clone())),
                    Who::Address(address) => uses(*address).then(|| (*count, address.to_string())),
                })
                .collect();
            all.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            if all.is_empty() {
                continue;
            }
            habits.push(LoggedHabit {
                kind: (*kind).to_owned(),
                service: service.clone(),
                count: all.iter().map(|(count, _)| count).sum(),
                distinct: all.len() as u64,
                examples: all.into_iter().take(EXAMPLES).map(|(_, name)| name).collect(),
            });
        }
        habits
    }
}

/// The habit of whom a newer TLS alone would lock out.
fn dated(protocol: &str) -> Option<&'static str> {
    match protocol {
        "TLSv1.2" => Some("tls-1.2"),
        old => OLD.contains(&old).then_some("old-tls"),
    }
}

#[cfg(test)]
mod tests {
    use mailward_model::{Client, Text, Timestamp, Tls};

    use super::*;

    #[test]
    fn an_audit_on_this_host_locks_nobody_out() {
        let mut habits = Habits::default();
        for address in ["127.0.0.1", "203.0.113.10"] {
            let mut event = Event::new(Timestamp::from_secs(1_000), Program::Smtpd);
            event.kind = EventKind::TlsEstablished;
            event.service = "submission".into();
            event.client = Some(Client { address: address.parse().unwrap(), port: 0, name: Text::EMPTY });
            event.tls = Some(Tls { protocol: "TLSv1.2".into(), cipher: Text::EMPTY });
            habits.event(&event);
        }
        let facts = habits.facts(|_| true);
        assert_eq!(facts.iter().map(|habit| &habit.examples).collect::<Vec<_>>(), [&["203.0.113.10"]]);
    }
}
