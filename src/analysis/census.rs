//! Everything that is counted over a log, and the report made of it.

use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::thread;

use foldhash::quality::RandomState;
use mailward_decide::NeverBan;
use mailward_engine::{Effect, Refused};
use mailward_model::{Account, Event, EventKind, Network, Offence, OffenceKind, Program, Timestamp};
use mailward_report::attacks::{
    AccountCount, Attack, AttackReport, Banned, Decision, KindCount, Logins, NetworkCount, ProgramLines,
    SourceCount, Timeline, Window,
};
use mailward_report::{At, Tally};

use super::failures::Failures;
use super::pattern::{ByPattern, Pattern, pattern};
use super::pieces::Counts;

/// The most sources, networks and accounts that a report lists.
const LISTED: usize = 50;

/// A hash table whose keys an attacker may choose.
pub(super) type Table<K, V> = HashMap<K, V, RandomState>;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Census {
    counts: Counts,
    /// The services in the groups, by number.
    services: Vec<Cow<'static, str>>,
    failures: Failures,
    logins: Table<IpAddr, u64>,
    logins_by_account: Table<Account, u64>,
    logins_by_service: Few<String>,
    deliveries: HashSet<IpAddr, RandomState>,
    /// Offences by the minute since the epoch and kind.
    minutes: BTreeMap<i64, Few<OffenceKind>>,
    sources: Table<IpAddr, SourceSum>,
    decisions: Vec<Decision>,
    /// The latest decision on each network that is more than an address, by its number.
    decided: Table<Network, usize>,
    refusals: Vec<Decision>,
}

/// Offences that are told alike; the last is the number of the service.
type Group = (OffenceKind, EventKind, mailward_model::Reason, mailward_model::Weight, usize);

/// What is known of things of which there are so few that none is worth a hash.
#[derive(Clone, Debug)]
pub(super) struct Few<K, V = u64>(Vec<(K, V)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K, V: Default> Few<K, V> {
    pub(super) fn entry<Q>(&mut self, thing: &Q) -> &mut V
    where
        Q: ToOwned<Owned = K> + PartialEq + ?Sized,
        K: Borrow<Q>,
    {
        let Self(all) = self;
        let at = all.iter().position(|(known, _)| known.borrow() == thing).unwrap_or_else(|| {
            all.push((thing.to_owned(), V::default()));
            all.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found there or put there")]
        &mut all[at].1
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(thing, value)| (thing, value))
    }
}

/// How often, and from when to when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) count: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
}

impl Sum {
    pub(super) fn add(&mut self, count: u64, time: Timestamp) {
        self.count += count;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = self.last.max(Some(time));
    }

    pub(super) fn join(&mut self, other: Self) {
        self.count += other.count;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

#[derive(Debug, Default)]
struct SourceSum {
    /// Offences that count.
    sum: Sum,
    kinds: Few<OffenceKind>,
    /// Offences that are no failed logins, by what they are; also those that do not count.
    groups: Few<Group, Sum>,
    banned: Option<Banned>,
    /// The latest decision on it alone, by its number.
    decided: Option<usize>,
}

impl Census {
    pub(super) fn counts(&mut self, counts: &Counts) {
        self.counts.add(counts);
    }

    /// What the engine does not tell: how often people log in by which service, and who delivers.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        let Some(address) = event.address() else { return };
        let login = match event.kind {
            EventKind::LoginSucceeded => true,
            EventKind::MessageBegun => !event.user.is_empty(),
            _ => return,
        };
        if login {
            *self.logins.entry(address).or_default() += 1;
            *self.logins_by_service.entry(&*event.service.lossy()) += 1;
        } else {
            self.deliveries.insert(address);
        }
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Offence(offence) => self.offence(&offence),
            Effect::Login(login) => *self.logins_by_account.entry(login.account).or_default() += 1,
            Effect::Ban(cleared) => self.ban(cleared.ban()),
            Effect::Refused(Refused::Protected(protected)) => self.refusals.push(Decision {
                time: At(self.counts.last.unwrap_or_default()),
                target: protected.target.to_string(),
                reason: protected.to_string(),
                ..Decision::default()
            }),
            Effect::Refused(_) | Effect::Signal(_) => {}
        }
    }

    fn offence(&mut self, offence: &Offence) {
        let count = u64::from(offence.count);
        let counts = count > 0 && offence.weight != mailward_model::Weight::Noted;
        let is_failure = offence.kind == OffenceKind::AuthFailure;
        let service = if is_failure { 0 } else { self.service(&offence.service) };
        let source = self.sources.entry(offence.address).or_default();
        if is_failure {
            self.failures.add(offence);
        } else {
            let group = (offence.kind, offence.event, offence.reason, offence.weight, service);
            source.groups.entry(&group).add(count, offence.time);
        }
        if !counts {
            return;
        }
        source.sum.add(count, offence.time);
        *source.kinds.entry(&offence.kind) += count;
        let minute = offence.time.secs().div_euclid(60);
        *self.minutes.entry(minute).or_default().entry(&offence.kind) += count;
        let number = source.decided.max(within(&self.decided, offence.address));
        if let Some(decision) = number.and_then(|number| self.decisions.get_mut(number)) {
            decision.prevented += count;
        }
    }

    /// The number of a service.
    fn service(&mut self, name: &str) -> usize {
        self.services.iter().position(|known| known == name).unwrap_or_else(|| {
            self.services.push(name.to_owned().into());
            self.services.len() - 1
        })
    }

    fn ban(&mut self, ban: &mailward_model::Ban) {
        let seconds = ban.until.map_or(0, |until| until.since(ban.from).secs());
        let decision = Decision {
            time: At(ban.from),
            target: ban.target.to_string(),
            seconds,
            rule: ban.by.to_string(),
            reason: ban.reason.to_string(),
            prevented: 0,
        };
        if ban.target.is_host() {
            let source = self.sources.entry(ban.target.address()).or_default();
            let after = source.sum.count;
            source.banned.get_or_insert_with(|| Banned {
                time: At(ban.from),
                rule: ban.by.to_string(),
                after,
            });
            source.decided = Some(self.decisions.len());
        } else {
            self.decided.insert(ban.target, self.decisions.len());
        }
        self.decisions.push(decision);
    }

    /// The report of all that was counted.
    pub(super) fn report(self, inputs: Vec<String>, never: &NeverBan) -> AttackReport {
        let mut report = thread::scope(|scope| {
            // Half of the work, for another processor.
            let attacks = scope.spawn(|| self.attacks());
            let mut report = AttackReport {
                inputs,
                window: self.window(),
                programs: self.programs(),
                by_kind: self.by_kind(),
                sources: self.sources.values().filter(|source| source.sum.count > 0).count() as u64,
                by_source: self.by_source(never),
                by_network: self.by_network(),
                by_account: self.by_account(),
                by_hour: Timeline::hourly(self.moments()),
                timeline: Timeline::fitting(self.moments()),
                logins: self.logins(),
                ..AttackReport::default()
            };
            (report.attacks, report.not_attacks) =
                attacks.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            report
        });
        (report.decisions, report.refusals) = (self.decisions, self.refusals);
        report
    }

    fn window(&self) -> Window {
        let counts = &self.counts;
        Window {
            first: counts.first.map(At),
            last: counts.last.map(At),
            lines: counts.lines,
            bytes: counts.bytes,
        }
    }

    fn programs(&self) -> Vec<ProgramLines> {
        let counts = Program::ALL.iter().zip(&self.counts.programs).filter(|(_, (lines, _))| *lines > 0);
        let mut programs: Vec<_> = counts
            .map(|(program, (lines, unknown))| ProgramLines {
                program: program.name().into(),
                lines: *lines,
                unknown: *unknown,
            })
            .collect();
        programs.sort_by_key(|program| std::cmp::Reverse(program.lines));
        programs
    }

    /// Every source judged as a whole.
    fn attacks(&self) -> (Vec<Attack>, Vec<Attack>) {
        let mut found: ByPattern<Found> = ByPattern::new();
        let groups = self.sources.iter().flat_map(|(address, source)| {
            source.groups.iter().map(move |(group, sum)| (address, group, sum))
        });
        for (address, (kind, event, reason, weight, service), sum) in groups {
            let offence = Offence {
                time: Timestamp::default(),
                kind: *kind,
                event: *event,
                reason: *reason,
                address: *address,
                account: None,
                guess: None,
                service: self.services.get(*service).cloned().unwrap_or_default(),
                count: 1,
                weight: *weight,
            };
            let (logs_in, delivers) = (self.logins.contains_key(address), self.deliveries.contains(address));
            let found = found.entry(pattern(&offence, logs_in, delivers)).or_default();
            found.source(*address, *sum, reason.name(), &offence.service);
        }
        self.failures.judge(&self.logins, &mut found);
        let (attacks, not_attacks): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(pattern, _)| pattern.hostile);
        let finish = |all: Vec<(Pattern, Found)>| {
            let mut all: Vec<Attack> =
                all.into_iter().map(|(pattern, found)| found.finish(pattern)).collect();
            all.sort_by(|a, b| (b.severity, b.count, &a.id).cmp(&(a.severity, a.count, &b.id)));
            all
        };
        (finish(attacks), finish(not_attacks))
    }

    fn by_kind(&self) -> Vec<KindCount> {
        let mut kinds: Table<OffenceKind, KindCount> = Table::default();
        for source in self.sources.values() {
            for (kind, count) in source.kinds.iter() {
                let entry = kinds.entry(*kind).or_default();
                entry.kind = kind.name().into();
                entry.count += count;
                entry.sources += 1;
            }
        }
        let mut kinds: Vec<_> = kinds.into_values().collect();
        kinds.sort_by(|a, b| (b.count, &a.kind).cmp(&(a.count, &b.kind)));
        kinds
    }

    fn by_source(&self, never: &NeverBan) -> Vec<SourceCount> {
        let mut all: Vec<_> = self.sources.iter().filter(|(_, source)| source.sum.count > 0).collect();
        all.sort_by_key(|(address, source)| (std::cmp::Reverse(source.sum.count), **address));
        let row = |(address, source): (&IpAddr, &SourceSum)| SourceCount {
            address: address.to_string(),
            count: source.sum.count,
            kinds: source.kinds.iter().map(|(kind, count)| (kind.name(), *count)).collect(),
            first: source.sum.first.map(At),
            last: source.sum.last.map(At),
            logins: self.logins.get(address).copied().unwrap_or(0),
            banned: source.banned.clone().or_else(|| self.banned_with_network(*address)),
            protected: never.protection(*address, Timestamp::default()).map(ToString::to_string),
        };
        all.into_iter().take(LISTED).map(row).collect()
    }

    fn banned_with_network(&self, address: IpAddr) -> Option<Banned> {
        let decision = self.decisions.get(within(&self.decided, address)?)?;
        Some(Banned { time: decision.time, rule: decision.rule.clone(), after: 0 })
    }

    fn by_network(&self) -> Vec<NetworkCount> {
        let around = |address: &IpAddr| Network::around(*address, if address.is_ipv4() { 24 } else { 48 });
        let mut networks: Table<Network, (u64, u64, Table<OffenceKind, u64>)> = Table::default();
        for (address, source) in self.sources.iter().filter(|(_, source)| source.sum.count > 0) {
            let (count, sources, kinds) = networks.entry(around(address)).or_default();
            (*count, *sources) = (*count + source.sum.count, *sources + 1);
            source.kinds.iter().for_each(|(kind, count)| *kinds.entry(*kind).or_default() += count);
        }
        let mut logins: Table<Network, u64> = Table::default();
        for (address, count) in &self.logins {
            *logins.entry(around(address)).or_default() += count;
        }
        let mut all: Vec<_> = networks.into_iter().collect();
        all.sort_by_key(|(network, (count, ..))| (std::cmp::Reverse(*count), *network));
        let row = |(network, (count, sources, kinds)): (Network, (u64, u64, Table<OffenceKind, u64>))| {
            NetworkCount {
                network: network.to_string(),
                count,
                sources,
                kinds: kinds.iter().map(|(kind, count)| (kind.name(), *count)).collect(),
                logins: logins.get(&network).copied().unwrap_or(0),
            }
        };
        all.into_iter().take(LISTED).map(row).collect()
    }

    fn by_account(&self) -> Vec<AccountCount> {
        let mut all = self.failures.by_account();
        all.sort_by(|a, b| (b.failures, &a.account).cmp(&(a.failures, &b.account)));
        all.truncate(LISTED);
        for account in &mut all {
            let name = Account::of(account.account.as_str().into());
            account.logins = name.and_then(|name| self.logins_by_account.get(&name).copied()).unwrap_or(0);
        }
        all
    }

    fn moments(&self) -> impl Iterator<Item = (At, &'static str, u64)> + '_ {
        let at = |minute: i64| At(Timestamp::from_secs(minute * 60));
        self.minutes.iter().flat_map(move |(minute, kinds)| {
            kinds.iter().map(move |(kind, count)| (at(*minute), kind.name(), *count))
        })
    }

    fn logins(&self) -> Logins {
        let of = |service: &str| {
            self.logins_by_service.iter().find(|(known, _)| *known == service).map_or(0, |(_, count)| *count)
        };
        let (imap_ok, pop3_ok, sieve_ok) = (of("imap"), of("pop3"), of("sieve"));
        let all: u64 = self.logins.values().sum();
        let attacking =
            |address: &&IpAddr| self.sources.get(*address).is_some_and(|source| source.banned.is_some());
        let mut suspects: Vec<String> =
            self.logins.keys().filter(attacking).map(ToString::to_string).collect();
        suspects.sort();
        Logins {
            imap_ok,
            pop3_ok,
            sieve_ok,
            smtp_auth_ok: all - imap_ok - pop3_ok - sieve_ok,
            distinct_addresses: self.logins.len() as u64,
            addresses: self.logins.iter().map(|(address, count)| (address.to_string(), *count)).collect(),
            successful_login_from_attacking_address: suspects,
        }
    }
}

/// The latest decision on a network around an address.
fn within(decided: &Table<Network, usize>, address: IpAddr) -> Option<usize> {
    if decided.is_empty() {
        return None;
    }
    let prefixes: &[u8] = if address.is_ipv4() { &[24] } else { &[64, 56, 48] };
    prefixes.iter().filter_map(|prefix| decided.get(&Network::around(address, *prefix)).copied()).max()
}

/// Adds to the count of a name.
pub(super) fn add(table: &mut Table<Box<str>, u64>, name: &str, more: u64) {
    if let Some(count) = table.get_mut(name) {
        *count += more;
    } else {
        table.insert(name.into(), more);
    }
}

/// What was found of one pattern.
#[derive(Debug, Default)]
pub(super) struct Found {
    sum: Sum,
    pub(super) sources: Table<IpAddr, u64>,
    pub(super) accounts: Table<Box<str>, u64>,
    reasons: Table<&'static str, u64>,
    services: Table<Box<str>, u64>,
    pub(super) guesses: HashSet<u64, RandomState>,
}

impl Found {
    pub(super) fn source(&mut self, address: IpAddr, sum: Sum, reason: &'static str, service: &str) {
        self.sum.join(sum);
        *self.sources.entry(address).or_default() += sum.count;
        if reason != "none" {
            *self.reasons.entry(reason).or_default() += sum.count;
        }
        if !service.is_empty() {
            add(&mut self.services, service, sum.count);
        }
    }

    fn finish(self, pattern: Pattern) -> Attack {
        let count = self.sum.count;
        let mean = match (self.sum.first, self.sum.last) {
            (Some(first), Some(last)) if count > 1 => {
                Some(last.since(first).micros() as f64 / 1e6 / (count - 1) as f64)
            }
            _ => None,
        };
        Attack {
            id: pattern.id.into(),
            title: pattern.title.into(),
            kind: pattern.kind.name().into(),
            severity: pattern.severity,
            count,
            distinct_sources: self.sources.len() as u64,
            first: self.sum.first.map(At),
            last: self.sum.last.map(At),
            source_network: common_network(self.sources.keys().copied()),
            per_source: tally(self.sources.iter().map(|(address, count)| (address.to_string(), *count))),
            per_account: tally(self.accounts.iter().map(|(account, count)| (account.to_string(), *count))),
            by_reason: tally(self.reasons.iter().map(|(reason, count)| ((*reason).to_owned(), *count))),
            by_service: tally(self.services.iter().map(|(service, count)| (service.to_string(), *count))),
            interval_seconds_mean: mean,
            distinct_passwords: (!self.guesses.is_empty()).then_some(self.guesses.len() as u64),
            note: pattern.note.into(),
        }
    }
}

fn tally(counts: impl Iterator<Item = (String, u64)>) -> Tally {
    counts.collect()
}

/// The /24 or /48 that all of several sources lie in.
fn common_network(mut sources: impl Iterator<Item = IpAddr>) -> Option<String> {
    let around = |address: IpAddr| Network::around(address, if address.is_ipv4() { 24 } else { 48 });
    let network = around(sources.next()?);
    let mut others = 0;
    for source in sources {
        if around(source) != network {
            return None;
        }
        others += 1;
    }
    (others > 0).then(|| network.to_string())
}
