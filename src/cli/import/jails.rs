//! What a jail becomes: the rules that do its work, and which of its numbers they take over.
//!
//! A rule is never made weaker by an import. Where guessing is counted, the lower threshold of the two and the longer ban hold
//! afterwards; elsewhere only the longer ban, because Mailward's own thresholds keep real mail servers from being banned.

use std::collections::BTreeMap;

use mailward_audit::fail2ban::{Fail2ban, Jail};
use mailward_decide::NeverBan;
use mailward_detect::rules::{Measure, Scope};
use mailward_detect::{Rule, judge};
use mailward_model::{Network, OffenceKind, Span, Timestamp};
use mailward_parse::{Context, Parser};

use super::samples::LINES;
use crate::config::Settings;
use crate::config::edit::Edit;

/// The longest ban that can be set.
const LONGEST: Span = Span::from_days(3_640);

/// The jails, and what is to be set.
pub(super) struct Mapped {
    pub(super) jails: Vec<Row>,
    pub(super) edits: Vec<Edit>,
}

/// A jail, and what does its work.
pub(super) struct Row {
    pub(super) name: String,
    /// How many in how long, and for how long.
    pub(super) numbers: String,
    /// What it does to ban, and at which ports.
    pub(super) action: String,
    pub(super) rules: Vec<String>,
    /// What is taken over, or why not.
    pub(super) note: String,
}

/// What each jail becomes.
pub(super) fn mapped(fail2ban: &Fail2ban, settings: &Settings, is_here: bool) -> Mapped {
    let samples = samples();
    let mut wanted: BTreeMap<&'static str, Wish> = BTreeMap::new();
    let mut longest = settings.ladder.most;
    let jails = fail2ban.jails.iter().map(|jail| {
        let kinds = kinds(jail, &samples);
        let rules: Vec<&Rule> = kinds.iter().filter_map(|kind| rule(*kind, jail, settings)).collect();
        let mut taken = Vec::new();
        for rule in &rules {
            let wish = wanted.entry(rule.id.0).or_insert_with(|| Wish::of(rule));
            taken.extend(wish.take(jail, rule, &mut longest));
        }
        row(jail, &rules, &taken)
    });
    let jails: Vec<Row> = jails.collect();
    let mut edits: Vec<Edit> = wanted.into_values().flat_map(Wish::edits).collect();
    if longest > settings.ladder.most && !edits.is_empty() {
        edits.push(Edit {
            section: vec!["ladder".into()],
            key: "most".into(),
            value: format!("\"{longest}\""),
            comment: "as long as the longest of fail2ban's bans".into(),
        });
    }
    edits.extend(all_ports(&jails, settings).filter(|_| is_here));
    Mapped { jails, edits }
}

/// Where every jail for mail closes all ports, Mailward does, too. Those of a container can only close the container's.
fn all_ports(jails: &[Row], settings: &Settings) -> Option<Edit> {
    let mut of_mail = jails.iter().filter(|row| !row.rules.is_empty()).peekable();
    let some = settings.firewall.options.ports.is_some() && of_mail.peek().is_some();
    (some && of_mail.all(|row| row.action.contains("allports"))).then(|| Edit {
        section: vec!["firewall".into()],
        key: "ports".into(),
        value: "\"all\"".into(),
        comment: "as fail2ban's jails for mail: they close every port".into(),
    })
}

/// Sample lines, and what kind of attack each is.
fn samples() -> Vec<(&'static str, OffenceKind)> {
    let mut parser = Parser::new(Context { reference: Timestamp::default(), zone: jiff::tz::TimeZone::UTC });
    let kind = |line: &'static str| Some((line, judge(&parser.parse(line.as_bytes()))?.0));
    LINES.iter().copied().filter_map(kind).collect()
}

/// What a jail counts.
fn kinds(jail: &Jail, samples: &[(&str, OffenceKind)]) -> Vec<OffenceKind> {
    let mut kinds = Vec::new();
    for (line, kind) in samples {
        if !kinds.contains(kind) && jail.filter.counts(line).is_some() {
            kinds.push(*kind);
        }
    }
    kinds
}

/// The rule that counts the same for at least as long as the jail; or for the longest time of all.
fn rule<'a>(kind: OffenceKind, jail: &Jail, settings: &'a Settings) -> Option<&'a Rule> {
    let counts = |rule: &&Rule| {
        rule.kind == kind && rule.scope == Scope::Source && rule.measure == Measure::Offences && rule.enabled
    };
    let mut rules: Vec<&Rule> = settings.rules.0.iter().filter(counts).collect();
    rules.sort_by_key(|rule| rule.window);
    let time = u64::try_from(jail.find_time).unwrap_or(0);
    rules.iter().find(|rule| rule.window.secs() >= time).or(rules.last()).copied()
}

/// What is to be set of a rule.
struct Wish {
    id: &'static str,
    before: (u32, Span),
    threshold: u32,
    ban: Span,
    from: Vec<String>,
}

impl Wish {
    fn of(rule: &Rule) -> Self {
        let now = (rule.threshold, rule.ban);
        Self { id: rule.id.0, before: now, threshold: now.0, ban: now.1, from: Vec::new() }
    }

    /// Takes over what is stricter; tells what that is.
    fn take(&mut self, jail: &Jail, rule: &Rule, longest: &mut Span) -> Vec<String> {
        let mut taken = Vec::new();
        if rule.kind == OffenceKind::AuthFailure && jail.max_retry >= 1 && jail.max_retry < self.before.0 {
            self.threshold = self.threshold.min(jail.max_retry);
            taken.push(format!("{}: threshold {} → {}", self.id, self.before.0, jail.max_retry));
        }
        let ban = u64::try_from(jail.ban_time).map_or(LONGEST, Span::from_secs).min(LONGEST);
        if ban > self.before.1 {
            self.ban = self.ban.max(ban);
            *longest = (*longest).max(ban);
            taken.push(format!("{}: ban {} → {ban}", self.id, self.before.1));
        }
        if !taken.is_empty() {
            self.from.push(jail.name.clone());
        }
        taken
    }

    fn edits(self) -> Vec<Edit> {
        let comment = format!("as in fail2ban's {}", self.from.join(", "));
        let edit = |key: &str, value: String| Edit {
            section: vec!["rules".into(), self.id.into()],
            key: key.into(),
            value,
            comment: comment.clone(),
        };
        let mut edits = Vec::new();
        if self.threshold != self.before.0 {
            edits.push(edit("threshold", self.threshold.to_string()));
        }
        if self.ban != self.before.1 {
            edits.push(edit("ban", format!("\"{}\"", self.ban)));
        }
        edits
    }
}

fn row(jail: &Jail, rules: &[&Rule], taken: &[String]) -> Row {
    let mut note = if rules.is_empty() {
        "no counterpart: it is about another service; leave it in fail2ban".to_owned()
    } else if taken.is_empty() {
        "Mailward's own numbers are as strict".to_owned()
    } else {
        taken.join("; ")
    };
    if jail.filter.is_empty() && rules.is_empty() {
        note = "its filter is not known; leave it in fail2ban".to_owned();
    }
    if jail.name == "recidive" {
        note = "bans of those who come again grow by themselves: [ladder]".to_owned();
    } else if jail.grows && !rules.is_empty() {
        note += "; bantime.increment is [ladder], always on";
    }
    Row {
        name: jail.name.clone(),
        numbers: format!("{} in {}, {}", jail.max_retry, time(jail.find_time), time(jail.ban_time)),
        action: [jail.actions.join(" "), jail.ports.clone()].join(" ").trim().to_owned(),
        rules: rules.iter().map(|rule| rule.id.to_string()).collect(),
        note,
    }
}

fn time(seconds: i64) -> String {
    u64::try_from(seconds).map_or_else(|_| "for ever".to_owned(), |secs| Span::from_secs(secs).to_string())
}

/// Whom fail2ban never bans.
pub(super) struct Ignored {
    /// Those that Mailward would ban.
    pub(super) networks: Vec<Allowed>,
    /// What cannot be brought along.
    pub(super) left_out: Vec<String>,
}

/// A network to allow.
pub(super) struct Allowed {
    pub(super) network: Network,
    pub(super) comment: String,
}

/// The ignore lists of all jails, without what is never banned anyway.
pub(super) fn ignored(fail2ban: &Fail2ban, never: &NeverBan, now: Timestamp) -> Ignored {
    let mut by_entry: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for jail in &fail2ban.jails {
        for entry in &jail.ignored {
            by_entry.entry(entry).or_default().push(&jail.name);
        }
    }
    let mut ignored = Ignored { networks: Vec::new(), left_out: Vec::new() };
    for (entry, mut jails) in by_entry {
        jails.dedup();
        match network(entry) {
            Some(network) if !is_protected(network, never, now) => {
                let comment = format!("fail2ban ignoreip of {}", jails.join(", "));
                ignored.networks.push(Allowed { network, comment });
            }
            Some(_) => {}
            None => ignored.left_out.push(format!(
                "{entry} (ignoreip of {}) is a name; give its address: mailward allow ADDRESS --comment '{entry}'",
                jails.join(", ")
            )),
        }
    }
    ignored
}

/// fail2ban takes `127.0.0.1/8`, too.
fn network(entry: &str) -> Option<Network> {
    let (address, prefix) =
        entry.split_once('/').map_or((entry, None), |(address, bits)| (address, Some(bits)));
    let address: std::net::IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = prefix.map_or(Some(most), |bits| bits.parse().ok().filter(|bits| *bits <= most))?;
    Some(Network::around(address, bits))
}

/// Whether both ends, and so nearly always all of it, are protected already.
fn is_protected(network: Network, never: &NeverBan, now: Timestamp) -> bool {
    [network.address(), network.last()].iter().all(|address| never.protection(*address, now).is_some())
}

#[cfg(test)]
mod tests {
    use mailward_audit::Known;
    use mailward_audit::facts::{Facts, Said};

    use super::*;

    #[test]
    fn each_sample_is_an_attack() {
        assert_eq!(samples().len(), LINES.len());
    }

    /// What a jail with these commands becomes: rules, and settings.
    fn check(commands: &str, rules: &[&str], edits: &[&str]) {
        let dump = format!("['add', 'x', 'auto']\n{commands}\n");
        let said = Said { status: Some(0), stdout: dump, ..Said::default() };
        let facts =
            Facts { said: [("fail2ban-client -d".to_owned(), Known::Is(said))].into(), ..Facts::default() };
        let fail2ban = Fail2ban::read(&facts).unwrap();
        let mapped = mapped(&fail2ban, &Settings::default(), true);
        assert_eq!(
            mapped.jails.iter().flat_map(|row| row.rules.clone()).collect::<Vec<_>>(),
            rules,
            "{commands}"
        );
        let written = |edit: &Edit| format!("{}.{} = {}", edit.section.join("."), edit.key, edit.value);
        assert_eq!(mapped.edits.iter().map(written).collect::<Vec<_>>(), edits, "{commands}");
    }

    const SASL: &str = "['set', 'x', 'addfailregex', '^.*postfix/\\\\S+\\\\[\\\\d+\\\\]: warning: [^[]*\\\\[<HOST>\\\\]: SASL ']";
    const SSH: &str =
        "['set', 'x', 'addfailregex', '^.*sshd\\\\[\\\\d+\\\\]: Failed password for .* from <HOST>']";
    const RELAY: &str =
        "['set', 'x', 'addfailregex', 'reject: RCPT from [^[]*\\\\[<HOST>\\\\]: 454 .*Relay access denied']";

    #[test]
    fn jails_become_rules_that_are_never_weaker() {
        let with = |regex: &str, numbers: &str| format!("{regex}\n{numbers}");
        // fail2ban's defaults: 5 in 10 minutes, 10 minutes.
        check(&with(SASL, "['set', 'x', 'maxretry', 5]"), &["auth-failure-fast"], &[]);
        check(
            &with(SASL, "['set', 'x', 'maxretry', 2]\n['set', 'x', 'bantime', '1d']"),
            &["auth-failure-fast"],
            &["rules.auth-failure-fast.threshold = 2", "rules.auth-failure-fast.ban = \"1d\""],
        );
        // docker-mailserver's: 6 in a week, for a week.
        check(
            &with(
                SASL,
                "['set', 'x', 'maxretry', 6]\n['set', 'x', 'findtime', '1w']\n['set', 'x', 'bantime', '1w']",
            ),
            &["auth-failure-week"],
            &["rules.auth-failure-week.threshold = 6"],
        );
        check(
            &with(SASL, "['set', 'x', 'bantime', '-1']"),
            &["auth-failure-fast"],
            &["rules.auth-failure-fast.ban = \"520w\"", "ladder.most = \"520w\""],
        );
        check(
            &with(SASL, "['set', 'x', 'addaction', 'nftables-allports']"),
            &["auth-failure-fast"],
            &["firewall.ports = \"all\""],
        );
        check(&with(RELAY, "['set', 'x', 'maxretry', 1]"), &["relay-probe"], &[]);
        check(SSH, &[], &[]);
    }

    #[test]
    fn ignored_networks_are_taken_as_fail2ban_takes_them() {
        let found = |text: &str| network(text).map(|network| network.to_string());
        assert_eq!(found("127.0.0.1/8").as_deref(), Some("127.0.0.0/8"));
        assert_eq!(found("2001:db8::/32").as_deref(), Some("2001:db8::/32"));
        assert_eq!(found("198.51.100.7").as_deref(), Some("198.51.100.7"));
        assert_eq!(found("198.51.100.7/33"), None);
        assert_eq!(found("mail.example.org"), None);
    }
}
