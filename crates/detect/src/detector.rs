//! The detector: what one event adds to all that is remembered, and what follows from it.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::quality::RandomState;
use mailward_model::{
    Account, Event, EventKind, Guess, Offence, OffenceKind, Program, Signal, Span, Subject, Timestamp, Weight,
};

use crate::bounded::{Bounded, Worth};
use crate::connections::Connections;
use crate::gateway::Gateway;
use crate::joins::Joins;
use crate::judge::judge;
use crate::networks::Networks;
use crate::places::{Places, Record};
use crate::rules::{Capacity, Measure, Patience, Response, Rule, Rules, Scope};
use crate::source::Source;
use crate::window::{Facts, History, Query, is_light, seconds};

/// What the detector has to tell about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It is an offence. One with a `count` of 0, or of weight `noted`, is only for the record.
    Offence(Offence),
    /// Somebody logged in.
    Login(Login),
    /// A rule's window is full.
    Signal(Signal),
}

/// A successful login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub account: Account,
    /// From where.
    pub address: IpAddr,
}

/// How full the tables are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Sources with offences.
    pub sources: usize,
    /// Sources that had to make room.
    pub evicted: u64,
}

/// Remembers what matters and applies the rules.
#[derive(Debug)]
pub struct Detector {
    rules: Rules,
    special: Special,
    patience: Patience,
    sources: Bounded<Source, History>,
    spilled: usize,
    networks: Networks,
    accounts: Bounded<u64, Record>,
    places: Places,
    joins: Joins,
    connections: Connections,
    gateway: Gateway,
    guesses: Bounded<u64, GuessedAt>,
    strangers: VecDeque<Stranger>,
    undecided_elsewhere: u32,
    hasher: RandomState,
}

/// The rules that are not about offences in a window, where they are enabled; asked at every connection and login.
#[derive(Clone, Copy, Debug)]
struct Special {
    clients_hidden: Option<Rule>,
    open_connections: Option<Rule>,
    account_suspect: Option<Rule>,
}

impl Special {
    fn of(rules: &Rules) -> Self {
        let find = |id| rules.rule(id).filter(|rule| rule.enabled).copied();
        Self {
            clients_hidden: find("clients-hidden"),
            open_connections: find("open-connections"),
            account_suspect: find("account-suspect"),
        }
    }
}

/// When a guess was last made.
#[derive(Debug, Default)]
struct GuessedAt(u32);

impl Worth for GuessedAt {
    fn worth(&self) -> (u32, u32) {
        (0, self.0)
    }
}

/// A stranger that failed lately, anywhere on the server.
#[derive(Clone, Copy, Debug)]
struct Stranger {
    source: Source,
    secs: u32,
    account_is_used: bool,
}

impl Detector {
    /// Sources with something pending between two lines.
    const PENDING: usize = 65_536;
    /// Marks that sources may hold beyond the two in place: 16 MiB.
    const SPILLED: usize = 1 << 21;
    /// Strangers that are remembered for the server as a whole.
    const STRANGERS: usize = 256;
    /// How long a guess is known as one that was made before.
    const GUESS: Span = Span::from_days(7);
    /// How long trouble of the login service at a source that never failed speaks for an outage of our own.
    const OUTAGE: u32 = 300;

    /// A detector that remembers nothing yet.
    #[must_use]
    pub fn new(rules: Rules, patience: Patience, capacity: Capacity) -> Self {
        Self {
            special: Special::of(&rules),
            rules,
            patience,
            sources: Bounded::new(capacity.sources),
            spilled: 0,
            networks: Networks::new(capacity.networks),
            accounts: Bounded::new(capacity.accounts),
            places: Places::new(capacity.places, patience.memory),
            joins: Joins::new(Self::PENDING),
            connections: Connections::new(Self::PENDING),
            gateway: Gateway::default(),
            guesses: Bounded::new(capacity.places),
            strangers: VecDeque::new(),
            undecided_elsewhere: 0,
            hasher: RandomState::default(),
        }
    }

    /// The rules that are applied.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How full the tables are.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        Occupancy { sources: self.sources.len(), evicted: self.sources.evicted() }
    }

    /// Whether somebody logged in lately from this network, or from a neighbour of it.
    #[must_use]
    pub fn is_precious(&self, network: mailward_model::Network, time: Timestamp) -> bool {
        let source = Source::of(network.address());
        if network == source.network() || network.is_host() {
            return self.places.is_precious(source, time);
        }
        self.places.is_precious_network(network, time)
    }

    /// How full the windows of a source are at a time: each rule over sources that something counted for, with how much is
    /// in its window and how much it takes.
    #[must_use]
    pub fn windows(&self, address: IpAddr, time: Timestamp) -> Vec<(Rule, u32, u32)> {
        let source = Source::of(address);
        let Some(history) = self.sources.get(&source) else { return Vec::new() };
        let rules = self.rules.0.iter().filter(|rule| rule.enabled && rule.scope == Scope::Source);
        rules
            .filter(|rule| counts_offences(rule))
            .map(|rule| {
                let count = history.measure(rule.measure, self.query(rule, source, time));
                (*rule, count, self.threshold(rule, source, time))
            })
            .filter(|(_, count, _)| *count > 0)
            .collect()
    }

    /// Takes in an event; appends to `out` what there is to tell.
    pub fn observe(&mut self, event: &Event<'_>, out: &mut Vec<Notice>) {
        let Some(client) = event.client else { return };
        if client.address.is_loopback() {
            return;
        }
        let source = Source::of(client.address);
        self.learn(event, client.address, source, out);
        if event.kind == EventKind::LoginUndecided {
            self.undecided(event, source, out);
        } else if let Some((kind, weight)) = judge(event) {
            let account = account_of(event, kind);
            let count = self.joins.new_attempts(event, source, account.as_ref());
            self.offend(event, source, Judged { kind, weight, account, count }, out);
        }
    }

    /// Brings back an offence of before a restart.
    pub fn restore_offence(&mut self, offence: &Offence) {
        if let (Some(guess), Some(account)) = (offence.guess, &offence.account) {
            self.repeats_guess(offence.address, account, guess, offence.time);
        }
        if offence.event == EventKind::PasswordRefused {
            // The line that repeats it may still come.
            self.joins.restore(offence, Source::of(offence.address));
        }
        if offence.count > 0 && offence.weight >= Weight::Light {
            self.count(offence, &mut Vec::new());
        }
    }

    /// Brings back a login of before a restart.
    pub fn restore_login(&mut self, login: &Login) {
        self.logged_in(login, &mut Vec::new());
    }

    /// What is known from an event without judging it.
    fn learn(&mut self, event: &Event<'_>, address: IpAddr, source: Source, out: &mut Vec<Notice>) {
        match event.kind {
            EventKind::Connect => self.connected(event, address, source, out),
            EventKind::Disconnect | EventKind::ScreenPass => {
                self.connections.follow(event, source);
            }
            EventKind::LoginSucceeded => self.login(event, address, out),
            EventKind::MessageBegun if !event.user.is_empty() => self.login(event, address, out),
            EventKind::MessageBegun if event.service.bytes() == b"smtp" => {
                self.places.delivery(source, event.time);
            }
            _ => {}
        }
    }

    fn connected(&mut self, event: &Event<'_>, address: IpAddr, source: Source, out: &mut Vec<Notice>) {
        if event.program == Program::Smtpd {
            let named = event.client.is_some_and(|client| !client.name.is_empty());
            self.places.name(source, named, event.time);
        }
        if let Some(rule) = self.special.clients_hidden
            && let Some((gateway, share)) =
                self.gateway.connected(address, event.time, rule.window, rule.threshold)
        {
            out.push(Notice::Signal(signal(&rule, event.time, Subject::Address(gateway), share)));
        }
        let Some(open) = self.connections.follow(event, source) else { return };
        if let Some(rule) = self.special.open_connections
            && open >= self.threshold(&rule, source, event.time)
        {
            out.push(Notice::Signal(signal(&rule, event.time, subject(source), open)));
        }
    }

    fn login(&mut self, event: &Event<'_>, address: IpAddr, out: &mut Vec<Notice>) {
        let Some(account) = Account::of(event.user) else { return };
        let login = Login { time: event.time, account, address };
        self.logged_in(&login, out);
        out.push(Notice::Login(login));
    }

    fn logged_in(&mut self, login: &Login, out: &mut Vec<Notice>) {
        let source = Source::of(login.address);
        self.places.login(source, login.time);
        let Some(rule) = self.special.account_suspect else { return };
        let key = self.hash(&login.account);
        let record = self.accounts.entry(key, Record::default);
        let failures = record.succeeded(source, seconds(login.time), start(login.time, rule.window));
        if failures >= rule.threshold {
            let subject = Subject::Account(login.account.clone());
            out.push(Notice::Signal(signal(&rule, login.time, subject, failures)));
        }
    }

    /// Our login service had trouble, or a guess outlasted Postfix's patience with Dovecot's penalty: of a source that
    /// just failed it is a guess, unless others that never failed have the trouble, too.
    fn undecided(&mut self, event: &Event<'_>, source: Source, out: &mut Vec<Notice>) {
        let now = seconds(event.time);
        let kind = OffenceKind::AuthFailure;
        let window = Span::from_mins(10);
        let query = Query { kind, now, window, strict: true, per_account: None };
        let guilty = self.sources.get(&source).is_some_and(|h| h.measure(Measure::Offences, query) > 0);
        let account = account_of(event, kind);
        let count = self.joins.new_attempts(event, source, account.as_ref());
        if !guilty {
            self.undecided_elsewhere = now;
        } else if now.saturating_sub(self.undecided_elsewhere) > Self::OUTAGE {
            self.offend(event, source, Judged { kind, weight: Weight::Full, account, count }, out);
        }
    }

    fn offend(&mut self, event: &Event<'_>, source: Source, judged: Judged, out: &mut Vec<Notice>) {
        let Some(client) = event.client else { return };
        let Judged { kind, weight, account, mut count } = judged;
        if kind == OffenceKind::AuthProbe && count == 0 {
            return;
        }
        let weight = self.weigh(event, source, kind, weight);
        let guess = Guess::of(event.password_digits);
        if let (Some(guess), Some(account)) = (guess, &account)
            && self.repeats_guess(client.address, account, guess, event.time)
        {
            count = 0;
        }
        let offence = Offence {
            time: event.time,
            kind,
            event: event.kind,
            reason: event.reason,
            address: client.address,
            account,
            guess,
            service: event.service.lossy().into(),
            count,
            weight,
        };
        let counts = count > 0 && weight >= Weight::Light;
        let signals = if counts { Some(self.count(&offence, out)) } else { None };
        let at = out.len() - signals.unwrap_or(0);
        out.insert(at, Notice::Offence(offence));
    }

    /// What an offence weighs for this source.
    fn weigh(&self, event: &Event<'_>, source: Source, kind: OffenceKind, weight: Weight) -> Weight {
        let time = event.time;
        let excused = match kind {
            OffenceKind::TlsProbe => {
                self.places.is_precious(source, time) || self.places.delivers(source, time)
            }
            OffenceKind::AuthProbe => self.places.is_precious(source, time),
            _ => false,
        };
        match weight {
            _ if excused => Weight::Noted,
            Weight::Weak if self.is_nameless(event, source) => Weight::Full,
            Weight::Weak => Weight::Noted,
            other => other,
        }
    }

    /// smtpd writes the client's confirmed name or `unknown`; postscreen and Dovecot look no names up.
    fn is_nameless(&self, event: &Event<'_>, source: Source) -> bool {
        match event.program {
            Program::Smtpd => event.client.is_some_and(|client| client.name.is_empty()),
            _ => self.places.is_nameless(source),
        }
    }

    /// Whether the same password was tried from the same address on the same account before: a device with an old
    /// password. It tells an attacker nothing new either.
    fn repeats_guess(&mut self, address: IpAddr, account: &Account, guess: Guess, time: Timestamp) -> bool {
        let key = self.hasher.hash_one((address, account, guess));
        let now = seconds(time);
        let seen = self.guesses.entry(key, GuessedAt::default);
        let known = seen.0 > 0 && seen.0 > start(time, Self::GUESS);
        seen.0 = now;
        known
    }

    /// Counts an offence in every window and appends the signals that follow; returns how many.
    fn count(&mut self, offence: &Offence, out: &mut Vec<Notice>) -> usize {
        let before = out.len();
        let source = Source::of(offence.address);
        self.push(offence, source);
        for at in 0..self.rules.0.len() {
            let Some(rule) = self.rules.0.get(at).copied() else { break };
            if !rule.enabled || rule.kind != offence.kind || !counts_offences(&rule) {
                continue;
            }
            match rule.scope {
                Scope::Source => self.by_source(&rule, offence, source, out),
                Scope::Network => self.by_network(&rule, offence, source, out),
                Scope::Account => self.by_account(&rule, offence, source, out),
                Scope::Server => self.by_server(&rule, offence, source, out),
            }
        }
        out.len() - before
    }

    /// Adds an offence to what is remembered of its source, its networks, its account and the server.
    fn push(&mut self, offence: &Offence, source: Source) {
        let now = seconds(offence.time);
        let key = offence.account.as_ref().map(|account| self.hash(account));
        let facts = Facts {
            secs: now,
            account: key.map_or(0, |key| (key >> 52) as u16 | 1),
            address: Source::tag(offence.address),
            kind: offence.kind,
            light: is_light(offence.weight),
            number: offence.count.min(127) as u8,
        };
        self.make_room();
        let history = self.sources.entry(source, History::default);
        let before = history.spilled();
        history.push(facts);
        self.spilled += history.spilled().saturating_sub(before);
        if offence.weight != Weight::Full || self.places.is_precious(source, offence.time) {
            return;
        }
        for network in source.neighbourhoods() {
            self.networks.push(network, source, offence.kind, now);
        }
        if let (Some(key), OffenceKind::AuthFailure) = (key, offence.kind) {
            let record = self.accounts.entry(key, Record::default);
            record.failed(source, now, offence.count);
            let account_is_used = record.is_used();
            self.strangers.retain(|stranger| stranger.source != source);
            self.strangers.push_back(Stranger { source, secs: now, account_is_used });
            if self.strangers.len() > Self::STRANGERS {
                self.strangers.pop_front();
            }
        }
    }

    /// Keeps the memory of long histories within its bound.
    fn make_room(&mut self) {
        while self.spilled > Self::SPILLED && self.sources.len() > 1 {
            let evicted = self.sources.evict().map_or(0, |history| history.spilled());
            // Sources of little guilt hold nothing beyond the two marks in place; they go first all the same.
            self.spilled = self.spilled.saturating_sub(evicted.max(1));
        }
    }

    fn by_source(&self, rule: &Rule, offence: &Offence, source: Source, out: &mut Vec<Notice>) {
        let Some(history) = self.sources.get(&source) else { return };
        let query = self.query(rule, source, offence.time);
        let precious = query.per_account.is_some();
        let count = history.measure(rule.measure, query);
        if count >= self.threshold(rule, source, offence.time) {
            let whole = !precious && history.hops(query);
            let subject = if whole { subject(source) } else { Subject::Address(offence.address) };
            out.push(Notice::Signal(signal(rule, offence.time, subject, count)));
        }
    }

    /// What a rule asks of a source's history.
    fn query(&self, rule: &Rule, source: Source, time: Timestamp) -> Query {
        // Where people log in, one device with an old password fails for ever.
        let per_account = self.places.is_precious(source, time).then_some(rule.threshold);
        Query { kind: rule.kind, now: seconds(time), window: rule.window, strict: rule.strict, per_account }
    }

    fn by_network(&self, rule: &Rule, offence: &Offence, source: Source, out: &mut Vec<Notice>) {
        if offence.weight != Weight::Full || self.places.is_precious(source, offence.time) {
            return;
        }
        for network in source.neighbourhoods() {
            let guilty = self.networks.guilty(network, rule.kind, start(offence.time, rule.window));
            let count = guilty.len() as u32;
            if count < rule.threshold {
                continue;
            }
            match rule.response {
                Response::BanNetwork if self.places.is_precious_network(network, offence.time) => {}
                Response::BanNetwork => {
                    let subject = Subject::Network(network);
                    out.push(Notice::Signal(signal(rule, offence.time, subject, count)));
                }
                _ => self.siege(rule, offence, &guilty, count == rule.threshold, out),
            }
        }
    }

    fn by_account(&self, rule: &Rule, offence: &Offence, source: Source, out: &mut Vec<Notice>) {
        let Some(account) = &offence.account else { return };
        if self.places.is_precious(source, offence.time) {
            return;
        }
        let Some(record) = self.accounts.get(&self.hash(account)) else { return };
        let strangers: Vec<Source> = record.strangers_since(start(offence.time, rule.window)).collect();
        if strangers.len() as u32 >= rule.threshold {
            self.siege(rule, offence, &strangers, strangers.len() as u32 == rule.threshold, out);
        }
    }

    fn by_server(&self, rule: &Rule, offence: &Offence, source: Source, out: &mut Vec<Notice>) {
        let start = start(offence.time, rule.window);
        let recent = || self.strangers.iter().filter(|stranger| stranger.secs > start);
        let all = recent().count() as u32;
        if all < rule.threshold {
            return;
        }
        let strangers: Vec<Source> = recent().filter(|s| !s.account_is_used).map(|s| s.source).collect();
        if strangers.contains(&source) {
            self.siege(rule, offence, &strangers, all == rule.threshold, out);
        }
    }

    /// A siege goes on: the source of this offence is banned; where the siege has just begun, so are those that made it.
    fn siege(
        &self,
        rule: &Rule,
        offence: &Offence,
        strangers: &[Source],
        begun: bool,
        out: &mut Vec<Notice>,
    ) {
        let (source, count) = (Source::of(offence.address), strangers.len() as u32);
        for stranger in strangers {
            let concerned = *stranger == source || begun;
            if concerned && !self.places.is_precious(*stranger, offence.time) {
                out.push(Notice::Signal(signal(rule, offence.time, subject(*stranger), count)));
            }
        }
    }

    /// How much it takes for this source.
    fn threshold(&self, rule: &Rule, source: Source, time: Timestamp) -> u32 {
        let known = match rule.kind {
            OffenceKind::AuthFailure | OffenceKind::AuthProbe | OffenceKind::TlsProbe => {
                self.places.is_precious(source, time)
            }
            _ => self.places.is_precious(source, time) || self.places.delivers(source, time),
        };
        if known { rule.threshold.saturating_mul(self.patience.factor.max(1)) } else { rule.threshold }
    }

    fn hash(&self, account: &Account) -> u64 {
        self.hasher.hash_one(account)
    }
}

const fn counts_offences(rule: &Rule) -> bool {
    !matches!(rule.response, Response::Tell) && !matches!(rule.measure, Measure::OpenConnections)
}

/// What was judged of one event.
struct Judged {
    kind: OffenceKind,
    weight: Weight,
    account: Option<Account>,
    count: u32,
}

/// Only offences about logins name an account.
fn account_of(event: &Event<'_>, kind: OffenceKind) -> Option<Account> {
    matches!(kind, OffenceKind::AuthFailure | OffenceKind::AuthProbe).then(|| Account::of(event.user))?
}

fn subject(source: Source) -> Subject {
    let network = source.network();
    if network.is_host() { Subject::Address(network.address()) } else { Subject::Network(network) }
}

/// The second after which a window begins.
fn start(time: Timestamp, window: Span) -> u32 {
    seconds(time.minus(window))
}

fn signal(rule: &Rule, time: Timestamp, subject: Subject, count: u32) -> Signal {
    Signal {
        time,
        rule: rule.id,
        subject,
        kind: rule.kind,
        count,
        threshold: rule.threshold,
        window: rule.window,
        ban: rule.ban,
    }
}
