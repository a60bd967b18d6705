//! The rules, as one table: what counts, for whom, how much in how long, and what follows.

use mailward_model::{OffenceKind, RuleId, Span};

/// Over whom a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One source: an IPv4 address, or an IPv6 /64 (a customer gets at least that much).
    Source,
    /// Sources that are neighbours: an IPv4 /24, an IPv6 /56 or /48.
    Network,
    /// One account, whoever tries it.
    Account,
    /// The whole server.
    Server,
}

impl Scope {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Network => "network",
            Self::Account => "account",
            Self::Server => "server",
        }
    }
}

/// What a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Offences.
    Offences,
    /// Distinct accounts that were tried.
    Accounts,
    /// Distinct sources.
    Sources,
    /// Connections that are open at once.
    OpenConnections,
}

impl Measure {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offences => "offences",
            Self::Accounts => "accounts",
            Self::Sources => "sources",
            Self::OpenConnections => "open connections",
        }
    }
}

/// What follows when a window is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// The source is banned.
    BanSource,
    /// It is a siege: every source that counted towards it, and each further one at its first offence of the kind, is
    /// banned; one that logs in from there lately is not.
    BanEachSource,
    /// The whole network is banned, unless somebody logs in from it.
    BanNetwork,
    /// It is only told.
    Tell,
}

impl Response {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BanSource => "ban the source",
            Self::BanEachSource => "ban each source at its first offence",
            Self::BanNetwork => "ban the network",
            Self::Tell => "tell",
        }
    }
}

/// A detection rule. Every number can be overridden in the configuration, `[rules.<id>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The stable id.
    pub id: RuleId,
    /// The kind of offence that counts.
    pub kind: OffenceKind,
    /// Over whom.
    pub scope: Scope,
    /// What is counted.
    pub measure: Measure,
    /// How much fills the window; at least 1.
    pub threshold: u32,
    /// How long the window is; at most 28 days.
    pub window: Span,
    /// What follows.
    pub response: Response,
    /// How long the first ban is; it grows with each repeat.
    pub ban: Span,
    /// Whether only full offences count, and not those that mail programs and monitoring commit now and then.
    pub strict: bool,
    /// Whether the rule is applied.
    pub enabled: bool,
    /// In a few words.
    pub title: &'static str,
    /// Why it is there and what it costs the innocent.
    pub why: &'static str,
}

impl Rule {
    /// Offences that are remembered of one source.
    pub(crate) const OF_SOURCE: u32 = 4_096;

    /// The most that can be in its window, because no more is remembered: a greater threshold would never be reached.
    #[must_use]
    pub const fn most(&self) -> u32 {
        match (self.scope, self.measure, self.response) {
            (_, _, Response::Tell) | (_, Measure::OpenConnections, _) => u32::MAX,
            (Scope::Source | Scope::Server, ..) => Self::OF_SOURCE,
            (Scope::Network | Scope::Account, ..) => 32,
        }
    }
}

/// With how much patience the known are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long a successful login makes its place precious, and a delivered message its server known.
    pub memory: Span,
    /// A rule's threshold is multiplied by this for sources that somebody logged in from lately, and for mail servers
    /// that deliver.
    pub factor: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { memory: Span::from_days(14), factor: 10 }
    }
}

/// How much is remembered, whatever an attacker sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Sources with offences; the oldest and least guilty go first.
    pub sources: usize,
    /// Networks with guilty sources.
    pub networks: usize,
    /// Accounts that were tried.
    pub accounts: usize,
    /// Places of successful logins and known mail servers.
    pub places: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { sources: 1_000_000, networks: 250_000, accounts: 100_000, places: 200_000 }
    }
}

/// The rules as they are applied: the table with its overrides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules(pub Vec<Rule>);

impl Default for Rules {
    fn default() -> Self {
        Self(RULES.to_vec())
    }
}

impl Rules {
    /// The rule of an id.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.id.0 == id)
    }

    /// The rule of an id, to override its numbers.
    pub fn rule_mut(&mut self, id: &str) -> Option<&mut Rule> {
        self.0.iter_mut().find(|rule| rule.id.0 == id)
    }
}

const fn rule(id: &'static str, kind: OffenceKind, title: &'static str, why: &'static str) -> Rule {
    Rule {
        id: RuleId(id),
        kind,
        scope: Scope::Source,
        measure: Measure::Offences,
        threshold: 3,
        window: Span::from_mins(10),
        response: Response::BanSource,
        ban: Span::from_hours(1),
        strict: false,
        enabled: true,
        title,
        why,
    }
}

/// The default rules.
pub const RULES: &[Rule] = &[
    rule(
        "auth-failure-fast",
        OffenceKind::AuthFailure,
        "A password guesser at work",
        "Three wrong passwords in ten minutes from a place where nobody logs in. One failed login counts once, however \
         many lines it writes; the same wrong password again does not count again.",
    ),
    Rule {
        threshold: 10,
        window: Span::from_hours(24),
        ban: Span::from_hours(24),
        ..rule(
            "auth-failure-day",
            OffenceKind::AuthFailure,
            "A patient password guesser",
            "One guess every two hours stays under every window of minutes; over a day it does not.",
        )
    },
    Rule {
        threshold: 20,
        window: Span::from_days(7),
        ban: Span::from_days(7),
        ..rule(
            "auth-failure-week",
            OffenceKind::AuthFailure,
            "A very patient password guesser",
            "One guess every eight hours. Nobody mistypes twenty different passwords in a week where he never logs in.",
        )
    },
    Rule {
        measure: Measure::Accounts,
        threshold: 4,
        window: Span::from_hours(24),
        ban: Span::from_hours(24),
        ..rule(
            "auth-spray",
            OffenceKind::AuthFailure,
            "One source tries many accounts",
            "Spraying one password over many accounts keeps each account below its own limit.",
        )
    },
    Rule {
        scope: Scope::Account,
        measure: Measure::Sources,
        threshold: 4,
        window: Span::from_hours(1),
        response: Response::BanEachSource,
        ..rule(
            "account-siege",
            OffenceKind::AuthFailure,
            "Many sources try one account",
            "Distributed guessing: each address tries once or twice. Once four have, every new one is banned at its first \
             failure on that account. The places where its owner logs in stay open.",
        )
    },
    Rule {
        scope: Scope::Account,
        measure: Measure::Sources,
        threshold: 10,
        window: Span::from_hours(24),
        response: Response::BanEachSource,
        ..rule(
            "account-siege-day",
            OffenceKind::AuthFailure,
            "Many sources try one account, slowly",
            "The same over a day, for botnets that wait between guesses.",
        )
    },
    Rule {
        scope: Scope::Network,
        measure: Measure::Sources,
        threshold: 4,
        window: Span::from_hours(1),
        response: Response::BanEachSource,
        ..rule(
            "network-guessing",
            OffenceKind::AuthFailure,
            "Guesses from all over a network",
            "One guess from each address of a rented network. Once four neighbours failed, each further one is banned at \
             its first failure; addresses that log in are not.",
        )
    },
    Rule {
        scope: Scope::Network,
        measure: Measure::Sources,
        threshold: 12,
        window: Span::from_hours(24),
        response: Response::BanNetwork,
        ban: Span::from_hours(24),
        ..rule(
            "network-guessing-ban",
            OffenceKind::AuthFailure,
            "A network of guessers",
            "Twelve guilty neighbours in a day and nobody who ever logs in from there: the whole network is banned.",
        )
    },
    Rule {
        scope: Scope::Server,
        measure: Measure::Sources,
        threshold: 20,
        window: Span::from_mins(10),
        response: Response::BanEachSource,
        ..rule(
            "server-spray",
            OffenceKind::AuthFailure,
            "A botnet sprays the server",
            "Twenty strangers failed in ten minutes. Until it ends, a stranger is banned at its first failure on a name \
             that nobody logs in with.",
        )
    },
    Rule {
        ban: Span::from_hours(24),
        ..rule(
            "tls-probe-fast",
            OffenceKind::TlsProbe,
            "Broken TLS handshakes",
            "Scanners break off or garble the handshake. A phone that does it once, or a named host that only connects \
             and leaves, does not count.",
        )
    },
    Rule {
        threshold: 6,
        window: Span::from_hours(24),
        ban: Span::from_hours(24),
        ..rule(
            "tls-probe-day",
            OffenceKind::TlsProbe,
            "Broken TLS handshakes, slowly",
            "The same over a day.",
        )
    },
    Rule {
        scope: Scope::Network,
        measure: Measure::Sources,
        threshold: 4,
        window: Span::from_hours(1),
        response: Response::BanEachSource,
        ban: Span::from_hours(24),
        ..rule(
            "network-tls-probe",
            OffenceKind::TlsProbe,
            "TLS probes from all over a network",
            "A scanner that spreads its probes over a /24 keeps every address below its own limit.",
        )
    },
    Rule {
        threshold: 8,
        window: Span::from_mins(1),
        ..rule(
            "auth-probe-fast",
            OffenceKind::AuthProbe,
            "Connects to log in and never does",
            "Looks around, tries without TLS, or hangs up in the middle of a login. Mail programs and monitoring do it now \
             and then, hence eight in a minute.",
        )
    },
    Rule {
        threshold: 30,
        window: Span::from_hours(24),
        strict: true,
        ..rule(
            "auth-probe-day",
            OffenceKind::AuthProbe,
            "Gives up logins, slowly",
            "Logins begun and given up, or tried without TLS, over a day. Connections that only look do not count: \
             monitoring makes one every minute.",
        )
    },
    Rule {
        window: Span::from_hours(1),
        ban: Span::from_hours(24),
        ..rule(
            "pregreet",
            OffenceKind::Pregreet,
            "Talks before the greeting",
            "RFC 5321 section 4.3.1: a client waits for the greeting. Bots do not; postscreen refuses them each time.",
        )
    },
    rule(
        "protocol-abuse",
        OffenceKind::ProtocolAbuse,
        "Breaks the protocol",
        "HTTP or SIP into SMTP, commands without waiting, bare newlines, too many errors.",
    ),
    Rule {
        threshold: 10,
        window: Span::from_hours(24),
        ban: Span::from_hours(24),
        ..rule(
            "protocol-abuse-day",
            OffenceKind::ProtocolAbuse,
            "Breaks the protocol, slowly",
            "The same over a day.",
        )
    },
    Rule {
        threshold: 4,
        window: Span::from_hours(1),
        ban: Span::from_hours(6),
        ..rule(
            "dnsbl",
            OffenceKind::Dnsbl,
            "Listed, and keeps coming",
            "A blocklist's answer alone never bans: it takes four refusals in an hour, and a list's error codes \
             (127.255.255.x) never count.",
        )
    },
    Rule {
        window: Span::from_hours(1),
        ban: Span::from_hours(24),
        ..rule(
            "relay-probe",
            OffenceKind::RelayProbe,
            "Looks for an open relay",
            "A server that only mistook us for somebody's MX gives up; a prober tries tricks.",
        )
    },
    Rule {
        threshold: 10,
        ..rule(
            "user-harvest",
            OffenceKind::UserHarvest,
            "Tries which names exist",
            "Ten unknown recipients in ten minutes. A mail server that delivers other mail to us is judged with patience: \
             mailing lists have dead members.",
        )
    },
    Rule {
        threshold: 40,
        window: Span::from_hours(24),
        ban: Span::from_hours(24),
        ..rule(
            "user-harvest-day",
            OffenceKind::UserHarvest,
            "Tries which names exist, slowly",
            "The same over a day.",
        )
    },
    Rule {
        threshold: 4,
        ..rule(
            "helo-abuse",
            OffenceKind::HeloAbuse,
            "A HELO name that is refused",
            "Bots say our own name or none; they do not learn from a refusal.",
        )
    },
    Rule {
        threshold: 10,
        window: Span::from_hours(1),
        ..rule(
            "sender-abuse",
            OffenceKind::SenderAbuse,
            "Senders that are refused",
            "Forged or not existing senders. A domain that could not be looked up may be our own resolver's fault and \
             never counts.",
        )
    },
    Rule {
        threshold: 10,
        ..rule(
            "rate-excess",
            OffenceKind::RateExcess,
            "Over the limits",
            "Postfix or Dovecot refused it for the number or rate of its connections, again and again.",
        )
    },
    Rule {
        measure: Measure::OpenConnections,
        threshold: 30,
        ..rule(
            "open-connections",
            OffenceKind::RateExcess,
            "Holds many connections open",
            "Thirty at once use up the processes that mail needs. A server that delivers, or a place where people log \
             in, is judged with patience.",
        )
    },
    Rule {
        window: Span::from_hours(24),
        ban: Span::from_hours(24),
        ..rule("malware", OffenceKind::Malware, "Sends malware", "Three infected messages in a day.")
    },
    Rule {
        threshold: 20,
        window: Span::from_hours(24),
        ban: Span::from_hours(6),
        ..rule(
            "spam",
            OffenceKind::Spam,
            "Sends spam",
            "Twenty refused messages in a day; tagged ones do not count, filters err.",
        )
    },
    Rule {
        threshold: 10,
        window: Span::from_hours(1),
        ..rule(
            "policy",
            OffenceKind::Policy,
            "Refused by local policy, again and again",
            "Access maps, milters and policy servers refuse for good; who does not stop is a bot.",
        )
    },
    Rule {
        scope: Scope::Account,
        threshold: 3,
        window: Span::from_hours(24),
        response: Response::Tell,
        ban: Span::ZERO,
        ..rule(
            "account-suspect",
            OffenceKind::AuthFailure,
            "A login after failures, from a new place",
            "Somebody guessed at the account and then a login succeeded from where its owner never was. Nobody is \
             banned: a person must look.",
        )
    },
    Rule {
        scope: Scope::Account,
        threshold: 1,
        response: Response::Tell,
        ban: Span::ZERO,
        ..rule(
            "password-stolen",
            OffenceKind::AuthFailure,
            "A right password that was refused",
            "Somebody at a strange place who guessed at other accounts, or at one under attack, has the right password. The \
             login guard refused him; give the account a new password.",
        )
    },
    Rule {
        scope: Scope::Account,
        threshold: 1_000,
        window: Span::from_hours(4),
        response: Response::Tell,
        ban: Span::ZERO,
        ..rule(
            "impossible-travel",
            OffenceKind::AuthFailure,
            "Logged in here, and too soon far away",
            "An account logged in from two places faster than anybody travels; the threshold is a speed in km an hour, over 500 km. \
             Where [geoip] tells only countries: another one within the window. Nobody is refused: a VPN looks the same.",
        )
    },
    Rule {
        scope: Scope::Server,
        threshold: 90,
        response: Response::Tell,
        ban: Span::ZERO,
        ..rule(
            "clients-hidden",
            OffenceKind::Policy,
            "One private address stands for everybody",
            "Nine of ten connections come from one private address: a proxy or container gateway hides the clients, and \
             a ban would cut everybody off. The threshold is a share in percent.",
        )
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_sound() {
        let rules = Rules::default();
        for rule in &rules.0 {
            assert_eq!(rules.0.iter().filter(|other| other.id == rule.id).count(), 1, "{} twice", rule.id);
            assert!(rule.threshold >= 1 && rule.window <= Span::from_days(28), "{}", rule.id);
            assert_eq!(rule.response == Response::Tell, rule.ban == Span::ZERO, "{}", rule.id);
            assert!(rule.title.len() < 60 && rule.why.len() >= 20, "{}", rule.id);
        }
        assert!(rules.rule("tls-probe-fast").is_some() && rules.rule("nonsense").is_none());
    }
}
