//! What users and other servers do that a stricter configuration would end: a plan warns of it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use mailward_audit::facts::LoggedHabit;
use mailward_model::{Account, Event, EventKind, Program, Text};

/// Accounts and addresses that are kept of one habit.
const WHO: usize = 10_000;
/// Of them, how many are told.
const EXAMPLES: usize = 5;
/// The log does not say which version somebody speaks.
const UNKNOWN: &str = "tls-unknown";
/// What no mail program of the last ten years needs.
const OLD: [&str; 4] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1"];

/// What was seen.
#[derive(Default)]
pub(super) struct Habits {
    /// Who does it, by kind and service.
    seen: BTreeMap<(&'static str, String), HashMap<Who, u64>>,
    /// What Postfix's processes spoke with whom last: the line of a login does not tell.
    spoken: HashMap<(u32, IpAddr), Option<&'static str>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Who {
    Account(String),
    Address(IpAddr),
}

impl Habits {
    pub(super) fn event(&mut self, event: &Event<'_>) {
        let Some(address) = event.address() else { return };
        match event.kind {
            EventKind::TlsEstablished if event.program == Program::Smtpd => self.established(event, address),
            EventKind::LoginSucceeded => self.login(event, address),
            _ => {}
        }
    }

    /// At port 25 it is servers that speak TLS. Elsewhere it counts with the login that follows: scanners speak every version.
    fn established(&mut self, event: &Event<'_>, address: IpAddr) {
        let kind = event.tls.and_then(|tls| dated(&tls.protocol.lossy()));
        let process = (event.pid, address);
        if self.spoken.len() < WHO || self.spoken.contains_key(&process) {
            self.spoken.insert(process, kind);
        }
        // From here audits speak every version, ours first; and programs on this host have the server's own OpenSSL.
        if let Some(kind) = kind.filter(|_| is_port_25(event) && !address.is_loopback()) {
            self.add(kind, event, Who::Address(address));
        }
    }

    fn login(&mut self, event: &Event<'_>, address: IpAddr) {
        let Some(account) = Account::of(event.user) else { return };
        let who = || Who::Account(account.name().to_owned());
        if let Some(kind) = self.spoken_by(event, address).filter(|_| !address.is_loopback()) {
            self.add(kind, event, who());
        }
        match event.program {
            // Only Dovecot's line of a login tells of TLS. What comes from this machine needs none.
            Program::DovecotLogin if event.tls.is_none() && !address.is_loopback() => {
                self.add("login-without-tls", event, who());
            }
            Program::Smtpd if is_port_25(event) => self.add("login-on-25", event, who()),
            _ => {}
        }
    }

    /// The habit that a newer TLS alone would end for whoever logs in; that it is not known where nothing was logged of it.
    fn spoken_by(&mut self, event: &Event<'_>, address: IpAddr) -> Option<&'static str> {
        match event.program {
            Program::DovecotLogin => match event.tls?.protocol {
                Text::EMPTY => Some(UNKNOWN),
                protocol => dated(&protocol.lossy()),
            },
            Program::Smtpd if !is_port_25(event) => {
                self.spoken.get(&(event.pid, address)).copied().unwrap_or(Some(UNKNOWN))
            }
            _ => None,
        }
    }

    fn add(&mut self, kind: &'static str, event: &Event<'_>, who: Who) {
        let seen = self.seen.entry((kind, event.service.lossy().into_owned())).or_default();
        if seen.len() < WHO || seen.contains_key(&who) {
            *seen.entry(who).or_default() += 1;
        }
    }

    /// The habits of those who use the server: scanners speak old TLS, too.
    pub(super) fn facts(&self, uses: impl Fn(IpAddr) -> bool) -> Vec<LoggedHabit> {
        let mut habits = Vec::new();
        for ((kind, service), seen) in &self.seen {
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

fn is_port_25(event: &Event<'_>) -> bool {
    event.service.lossy() == "smtp"
}

#[cfg(test)]
mod tests {
    use mailward_model::{Client, Timestamp, Tls};

    use super::*;

    fn event(
        program: Program,
        kind: EventKind,
        service: &'static str,
        from: &str,
        tls: &str,
    ) -> Event<'static> {
        let mut event = Event::new(Timestamp::from_secs(1_000), program);
        event.kind = kind;
        event.service = service.into();
        event.client = Some(Client { address: from.parse().unwrap(), port: 0, name: Text::EMPTY });
        let protocol = ["TLSv1", "TLSv1.2", "TLSv1.3"].into_iter().find(|known| *known == tls);
        let protocol = protocol.map_or(Text::EMPTY, Into::into);
        event.tls = (tls != "none").then_some(Tls { protocol, cipher: Text::EMPTY });
        event
    }

    fn check(events: &[Event<'_>], expected: &[(&str, &str, &str)]) {
        let mut habits = Habits::default();
        events.iter().for_each(|event| habits.event(event));
        let facts = habits.facts(|_| true);
        let found = facts.iter().flat_map(|habit| {
            habit.examples.iter().map(|who| (habit.kind.as_str(), habit.service.as_str(), who.as_str()))
        });
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    fn spoken(service: &'static str, from: &str, tls: &str) -> Event<'static> {
        event(Program::Smtpd, EventKind::TlsEstablished, service, from, tls)
    }

    fn login(program: Program, service: &'static str, user: &'static str, tls: &str) -> Event<'static> {
        let mut login = event(program, EventKind::LoginSucceeded, service, "203.0.113.10", tls);
        login.user = user.into();
        login
    }

    #[test]
    fn an_audit_on_this_host_locks_nobody_out() {
        let smtp = |from| spoken("smtp", from, "TLSv1.2");
        check(&[smtp("127.0.0.1"), smtp("203.0.113.10")], &[("tls-1.2", "smtp", "203.0.113.10")]);
    }

    #[test]
    fn postfix_tells_of_tls_before_the_login() {
        let nora = || login(Program::Smtpd, "submission", "nora", "none");
        let submission = |tls| spoken("submission", "203.0.113.10", tls);
        check(&[submission("TLSv1.2"), nora()], &[("tls-1.2", "submission", "nora")]);
        check(&[submission("TLSv1.2"), submission("TLSv1.3"), nora()], &[]);
        // A scanner does not log in.
        check(&[submission("TLSv1")], &[]);
        // smtpd_tls_loglevel = 0
        check(&[nora()], &[("tls-unknown", "submission", "nora")]);
        let other = spoken("submission", "203.0.113.99", "TLSv1.3");
        check(&[other, nora()], &[("tls-unknown", "submission", "nora")]);
    }

    #[test]
    fn dovecot_tells_the_version_or_does_not() {
        let imap = |user, tls| login(Program::DovecotLogin, "imap", user, tls);
        check(&[imap("nora", "TLSv1.3")], &[]);
        check(&[imap("nora", "TLSv1.2")], &[("tls-1.2", "imap", "nora")]);
        check(&[imap("nora", "TLS"), imap("sam", "TLSv1.3")], &[("tls-unknown", "imap", "nora")]);
        check(&[imap("nora", "none")], &[("login-without-tls", "imap", "nora")]);
    }
}
