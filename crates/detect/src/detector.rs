//! The detector: what one event adds to all that is remembered, and what follows from it.

mod known;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::quality::FixedState;
use mailward_model::{
    Account, Event, EventKind, Guess, Network, Offence, OffenceKind, Program, Signal, Span, Subject,
    Timestamp, Weight,
};

use crate::bounded::{Bounded, Worth};
use crate::gateway::Gateway;
use crate::joins::Joins;
use crate::judge::{judge, matters};
use crate::names::Names;
use crate::networks::Networks;
use crate::places::{Places, Record, Standing};
use crate::rules::{Capacity, Measure, Patience, Response, Rule, Rules, Scope};
use crate::source::Source;
use crate::window::{Facts, History, Query, is_light, seconds};

pub use known::Known;

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

/// Names are told apart by 64 bits of hash, and within one source by 16. The seed is fixed, so that a replay decides what
/// the live run decided; the tables themselves hash with a seed of the process.
const SEED: u64 = 0x6d61_696c_7761_7264;

/// Remembers what matters and applies the rules.
#[derive(Debug)]
pub struct Detector {
    rules: Rules,
    /// The enabled rules that count offences, by kind.
    by_kind: Vec<Arc<[Rule]>>,
    special: Special,
    patience: Patience,
    sources: Bounded<History>,
    /// How many marks of one source are kept.
    marks: usize,
    spilled: usize,
    networks: Networks,
    accounts: Bounded<Record>,
    places: Places,
    joins: Joins,
    gateway: Gateway,
    guesses: Bounded<GuessedAt>,
    strangers: VecDeque<Stranger>,
    undecided_elsewhere: u32,
    names: Names,
    hasher: FixedState,
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

/// How long a source that failed is not a new stranger.
const STRANGER: Span = Span::from_mins(10);

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
    const STRANGERS: usize = 4_096;
    /// How long a guess is known as one that was made before.
    const GUESS: Span = Span::from_days(7);
    /// With fewer digits of a hash too many guesses look alike: one in 16 with a single digit.
    const DIGITS: usize = 6;
    /// How long trouble of the login service at a source that never failed speaks for an outage of our own.
    const OUTAGE: u32 = 300;

    /// A detector that remembers nothing yet.
    #[must_use]
    pub fn new(rules: Rules, patience: Patience, capacity: Capacity) -> Self {
        Self {
            by_kind: by_kind(&rules),
            special: Special::of(&rules),
            marks: marks(&rules, patience.factor),
            rules,
            patience,
            sources: Bounded::new(capacity.sources),
            spilled: 0,
            networks: Networks::new(capacity.networks),
            accounts: Bounded::new(capacity.accounts),
            places: Places::new(capacity.places, patience.memory),
            joins: Joins::new(Self::PENDING),
            gateway: Gateway::default(),
            guesses: Bounded::new(capacity.places),
            strangers: VecDeque::new(),
            undecided_elsewhere: 0,
            names: Names::new(),
            hasher: FixedState::with_seed(SEED),
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
    pub fn is_precious(&self, network: Network, time: Timestamp) -> bool {
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
        let Some(history) = self.sources.get(source) else { return Vec::new() };
        let standing = self.places.standing(source, time);
        let rules =
            self.by_kind.iter().flat_map(|rules| rules.iter()).filter(|rule| rule.scope == Scope::Source);
        rules
            .map(|rule| {
                let count = history.measure(rule.measure, query(rule, time, standing.precious));
                (*rule, count, threshold(rule, standing, self.patience.factor))
            })
            .filter(|(_, count, _)| *count > 0)
            .collect()
    }

    /// Takes in an event; appends to `out` what there is to tell.
    ///
    /// What a source does while it is banned is told and not counted: in a live log these are lines that were under way,
    /// in an old one they would not have come.
    #[inline]
    pub fn observe<N: From<Notice>>(
        &mut self,
        event: &Event<'_>,
        is_banned: impl Fn(IpAddr) -> bool,
        out: &mut Vec<N>,
    ) {
        if matters(event.kind)
            && let Some(client) = event.client
            && !client.address.is_loopback()
        {
            self.take(event, client.address, is_banned, out);
        }
    }

    fn take<N: From<Notice>>(
        &mut self,
        event: &Event<'_>,
        address: IpAddr,
        is_banned: impl Fn(IpAddr) -> bool,
        out: &mut Vec<N>,
    ) {
        let source = Source::of(address);
        self.learn(event, address, source, out);
        if event.kind == EventKind::LoginUndecided {
            self.undecided(event, source, is_banned, out);
        } else if let Some((kind, weight)) = judge(event) {
            let account = self.account_of(event, kind);
            let count = self.joins.new_attempts(event, source, account.as_ref());
            self.offend(event, source, Judged { kind, weight, account, count }, is_banned, out);
        }
    }

    /// Forgets what counts against a source, an account, or both.
    pub fn pardon(&mut self, address: Option<IpAddr>, account: Option<&Account>) {
        if let Some(address) = address {
            let gone = self.sources.remove(Source::of(address)).map_or(0, |history| history.spilled());
            self.spilled = self.spilled.saturating_sub(gone);
        }
        if let Some(account) = account
            && let Some(record) = self.accounts.get_mut(self.hash(account))
        {
            record.pardon();
        }
    }

    /// Forgets what counts against the sources of a network, and against them as neighbours.
    pub fn pardon_network(&mut self, network: Network) {
        let is_in = |source: Source| network.covers(source.network()) || source.network().covers(network);
        let pardoned = self.sources.remove_those(|key| is_in(Source::of_key(key)));
        let gone: usize = pardoned.iter().map(History::spilled).sum();
        self.spilled = self.spilled.saturating_sub(gone);
        self.networks.pardon(is_in);
    }

    /// Brings back an offence of before a restart.
    pub fn restore_offence(&mut self, offence: &Offence) {
        if let (Some(guess), Some(account)) = (offence.guess, &offence.account) {
            self.repeats_guess(offence.address, account, guess, offence.time);
        }
        if matches!(
            offence.event,
            EventKind::PasswordRefused | EventKind::RefusalReported | EventKind::LoginFailed
        ) {
            // The line that repeats it may still come, or has come.
            self.joins.restore(offence, Source::of(offence.address));
        }
        if offence.count > 0 && offence.weight >= Weight::Light {
            let source = Source::of(offence.address);
            let standing = self.places.standing(source, offence.time);
            self.count(offence, source, standing, &mut Vec::<Notice>::new());
        }
    }

    /// Brings back a login of before a restart.
    pub fn restore_login(&mut self, login: &Login) {
        self.logged_in(login, &mut Vec::<Notice>::new());
    }

    /// What is known from an event without judging it.
    fn learn<N: From<Notice>>(
        &mut self,
        event: &Event<'_>,
        address: IpAddr,
        source: Source,
        out: &mut Vec<N>,
    ) {
        match event.kind {
            EventKind::Connect => self.connected(event, address, source, out),
            // A client that passed postscreen, or is on its allowlist, is handed to smtpd, which opens it again.
            EventKind::Disconnect | EventKind::ScreenPass | EventKind::ScreenAllowlisted
                if is_smtp_server(event.program) =>
            {
                self.places.closed(source);
            }
            EventKind::LoginSucceeded => self.login(event, address, out),
            EventKind::MessageBegun if !event.user.is_empty() => self.login(event, address, out),
            EventKind::MessageBegun if event.service.bytes() == b"smtp" => {
                self.places.delivery(source, event.time);
            }
            _ => {}
        }
    }

    fn connected<N: From<Notice>>(
        &mut self,
        event: &Event<'_>,
        address: IpAddr,
        source: Source,
        out: &mut Vec<N>,
    ) {
        if let Some(rule) = self.special.clients_hidden
            && let Some((gateway, share)) =
                self.gateway.connected(address, event.time, rule.window, rule.threshold)
        {
            tell(out, Notice::Signal(signal(&rule, event.time, Subject::Address(gateway), share)));
        }
        if !is_smtp_server(event.program) {
            return;
        }
        // Only smtpd looks names up.
        let named =
            event.client.filter(|_| event.program == Program::Smtpd).map(|client| !client.name.is_empty());
        let (open, standing) = self.places.opened(source, named, event.time);
        if let Some(rule) = self.special.open_connections
            && open >= threshold(&rule, standing, self.patience.factor)
        {
            tell(out, Notice::Signal(signal(&rule, event.time, subject(source), open)));
        }
    }

    fn login<N: From<Notice>>(&mut self, event: &Event<'_>, address: IpAddr, out: &mut Vec<N>) {
        let Some(account) = self.names.account(event.user) else { return };
        let login = Login { time: event.time, account, address };
        self.logged_in(&login, out);
        tell(out, Notice::Login(login));
    }

    fn logged_in<N: From<Notice>>(&mut self, login: &Login, out: &mut Vec<N>) {
        let source = Source::of(login.address);
        self.places.login(source, login.time);
        let rule = self.special.account_suspect;
        let since = start(login.time, rule.map_or(Span::ZERO, |rule| rule.window));
        let key = self.hash(&login.account);
        let record = self.accounts.entry(key, Record::default);
        let failures = record.succeeded(source, seconds(login.time), since);
        if let Some(rule) = rule
            && failures >= rule.threshold
        {
            let subject = Subject::Account(login.account.clone());
            tell(out, Notice::Signal(signal(&rule, login.time, subject, failures)));
        }
    }

    /// Our login service had trouble, or a guess outlasted Postfix's patience with Dovecot's penalty: of a source that
    /// just failed it is a guess, unless others that never failed have the trouble, too.
    fn undecided<N: From<Notice>>(
        &mut self,
        event: &Event<'_>,
        source: Source,
        is_banned: impl Fn(IpAddr) -> bool,
        out: &mut Vec<N>,
    ) {
        let now = seconds(event.time);
        let kind = OffenceKind::AuthFailure;
        let window = Span::from_mins(10);
        let query = Query { kind, now, window, strict: true, per_account: None };
        let guilty = self.sources.get(source).is_some_and(|h| h.measure(Measure::Offences, query) > 0);
        let account = self.account_of(event, kind);
        let count = self.joins.new_attempts(event, source, account.as_ref());
        if !guilty {
            self.undecided_elsewhere = now;
        } else if now.saturating_sub(self.undecided_elsewhere) > Self::OUTAGE {
            let judged = Judged { kind, weight: Weight::Full, account, count };
            self.offend(event, source, judged, is_banned, out);
        }
    }

    fn offend<N: From<Notice>>(
        &mut self,
        event: &Event<'_>,
        source: Source,
        judged: Judged,
        is_banned: impl Fn(IpAddr) -> bool,
        out: &mut Vec<N>,
    ) {
        let Some(client) = event.client else { return };
        let Judged { kind, weight, account, mut count } = judged;
        if kind == OffenceKind::AuthProbe && count == 0 {
            return;
        }
        let standing = self.places.standing(source, event.time);
        let weight = weigh(event, standing, kind, weight);
        let digits = event.password_digits;
        // What Dovecot reports is salted: nobody can choose guesses that look alike.
        let is_salted = event.kind == EventKind::RefusalReported;
        let is_enough = is_salted || digits.bytes().len() >= Self::DIGITS;
        let guess = is_enough.then(|| Guess::of(digits)).flatten();
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
            service: service(event),
            count,
            weight,
        };
        let at = out.len();
        if count > 0 && weight >= Weight::Light && !is_banned(client.address) {
            self.count(&offence, source, standing, out);
        }
        if out.len() == at {
            tell(out, Notice::Offence(offence));
        } else {
            out.insert(at, Notice::Offence(offence).into());
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

    /// Counts an offence in every window and appends the signals that follow.
    fn count<N: From<Notice>>(
        &mut self,
        offence: &Offence,
        source: Source,
        standing: Standing,
        out: &mut Vec<N>,
    ) {
        let scene = Scene { offence, source, standing };
        let rules = self.by_kind.get(offence.kind as usize).cloned().unwrap_or_default();
        let again = self.by_source(&rules, scene, out);
        // Those that log in are judged by what they do themselves.
        if offence.weight != Weight::Full || standing.precious {
            return;
        }
        self.by_network(&rules, scene, out);
        if offence.kind == OffenceKind::AuthFailure {
            self.by_account(&rules, scene, again, out);
        }
    }

    /// Adds an offence to what its source did. Tells whether the source committed the same lately.
    fn by_source<N: From<Notice>>(&mut self, rules: &[Rule], scene: Scene<'_>, out: &mut Vec<N>) -> bool {
        let Scene { offence, source, standing } = scene;
        let (time, precious) = (offence.time, standing.precious);
        self.make_room();
        let facts = self.facts(offence);
        let factor = self.patience.factor;
        let history = self.sources.entry(source, History::default);
        let before = history.spilled();
        let again = history.last_of(offence.kind).is_some_and(|last| last > start(time, STRANGER));
        history.push(facts, self.marks);
        self.spilled += history.spilled().saturating_sub(before);
        let most = history.total();
        for rule in rules.iter().filter(|rule| rule.scope == Scope::Source && rule.threshold <= most) {
            let query = query(rule, time, precious);
            let count = history.measure(rule.measure, query);
            if count >= threshold(rule, standing, factor) {
                let whole = !precious && history.hops(query);
                let subject = if whole { subject(source) } else { Subject::Address(offence.address) };
                tell(out, Notice::Signal(signal(rule, time, subject, count)));
            }
        }
        again
    }

    /// Adds a guilty source to its networks.
    fn by_network<N: From<Notice>>(&mut self, rules: &[Rule], scene: Scene<'_>, out: &mut Vec<N>) {
        let Scene { offence, source, .. } = scene;
        for network in source.neighbourhoods() {
            let most = self.networks.push(network, source, offence.kind, seconds(offence.time));
            let mine = |rule: &&Rule| rule.scope == Scope::Network && rule.threshold as usize <= most;
            for rule in rules.iter().filter(mine) {
                let since = start(offence.time, rule.window);
                let guilty = self.networks.guilty(network, rule.kind, since);
                let count = guilty.clone().count() as u32;
                match rule.response {
                    _ if count < rule.threshold => {}
                    Response::BanNetwork
                        if self.places.is_precious_network(network.network(), offence.time) => {}
                    Response::BanNetwork => {
                        let subject = Subject::Network(network.network());
                        tell(out, Notice::Signal(signal(rule, offence.time, subject, count)));
                    }
                    _ => self.siege(rule, scene, count, guilty, out),
                }
            }
        }
    }

    /// Adds a stranger to those that failed on an account, and on the server.
    fn by_account<N: From<Notice>>(
        &mut self,
        rules: &[Rule],
        scene: Scene<'_>,
        again: bool,
        out: &mut Vec<N>,
    ) {
        let Scene { offence, source, .. } = scene;
        let (time, now) = (offence.time, seconds(offence.time));
        let Some(account) = &offence.account else { return };
        let key = self.hash(account);
        let record = self.accounts.entry(key, Record::default);
        record.failed(source, now, offence.count);
        let (is_used, most) = (record.is_used(), record.strangers.len());
        if most > 1
            && let Some(record) = self.accounts.get(key)
        {
            let mine = |rule: &&Rule| rule.scope == Scope::Account && rule.threshold as usize <= most;
            for rule in rules.iter().filter(mine) {
                let strangers = record.strangers_since(start(time, rule.window));
                let count = strangers.clone().count() as u32;
                if count >= rule.threshold {
                    self.siege(rule, scene, count, strangers, out);
                }
            }
        }
        if !again {
            if self.strangers.len() >= Self::STRANGERS {
                self.strangers.pop_front();
            }
            self.strangers.push_back(Stranger { source, secs: now, account_is_used: is_used });
        }
        if !is_used {
            self.by_server(rules, scene, out);
        }
    }

    /// Strangers are in the order of their time, each once in a window; one that tries a name that somebody logs in with
    /// may be its owner, and is left out.
    fn by_server<N: From<Notice>>(&self, rules: &[Rule], scene: Scene<'_>, out: &mut Vec<N>) {
        for rule in rules.iter().filter(|rule| rule.scope == Scope::Server) {
            let since = start(scene.offence.time, rule.window);
            // In order of time; a siege adds thousands, so that they are not counted one by one.
            let old = self.strangers.partition_point(|stranger| stranger.secs <= since);
            let count = (self.strangers.len() - old) as u32;
            if count < rule.threshold {
                continue;
            }
            let recent = self.strangers.range(old..).rev();
            let strangers =
                recent.filter(|stranger| !stranger.account_is_used).map(|stranger| stranger.source);
            self.siege(rule, scene, count, strangers, out);
        }
    }

    fn facts(&self, offence: &Offence) -> Facts {
        let key = offence.account.as_ref().map(|account| self.hash(account));
        Facts {
            secs: seconds(offence.time),
            account: key.map_or(0, |key| (key >> 48) as u16 | 1),
            address: Source::tag(offence.address),
            kind: offence.kind,
            light: is_light(offence.weight),
            number: offence.count.min(31) as u8,
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

    /// A siege goes on: the source of this offence is banned; where the siege has just begun, so are those that made it.
    fn siege<N: From<Notice>>(
        &self,
        rule: &Rule,
        scene: Scene<'_>,
        count: u32,
        strangers: impl Iterator<Item = Source>,
        out: &mut Vec<N>,
    ) {
        let time = scene.offence.time;
        let mut ban = |source| tell(out, Notice::Signal(signal(rule, time, subject(source), count)));
        if count == rule.threshold {
            let others = strangers.filter(|stranger| *stranger != scene.source);
            others.filter(|stranger| !self.places.is_precious(*stranger, time)).for_each(&mut ban);
        }
        ban(scene.source);
    }

    /// Only offences about logins name an account.
    fn account_of(&mut self, event: &Event<'_>, kind: OffenceKind) -> Option<Account> {
        matches!(kind, OffenceKind::AuthFailure | OffenceKind::AuthProbe)
            .then(|| self.names.account(event.user))?
    }

    fn hash(&self, account: &Account) -> u64 {
        self.hasher.hash_one(account)
    }
}

fn tell<N: From<Notice>>(out: &mut Vec<N>, notice: Notice) {
    out.push(notice.into());
}

const fn counts_offences(rule: &Rule) -> bool {
    !matches!(rule.response, Response::Tell) && !matches!(rule.measure, Measure::OpenConnections)
}

/// As many marks as the greatest threshold takes, with patience; there are few of such sources.
fn marks(rules: &Rules, factor: u32) -> usize {
    let of_sources =
        rules.0.iter().filter(|rule| rule.enabled && rule.scope == Scope::Source && counts_offences(rule));
    let most = of_sources.map(|rule| rule.threshold.saturating_mul(factor)).max().unwrap_or(0);
    most.clamp(64, Rule::OF_SOURCE) as usize
}

/// The enabled rules that count offences, by the number of the kind.
fn by_kind(rules: &Rules) -> Vec<Arc<[Rule]>> {
    let of = |kind: &OffenceKind| {
        let mine = rules.0.iter().filter(|rule| rule.enabled && rule.kind == *kind && counts_offences(rule));
        mine.copied().collect()
    };
    OffenceKind::ALL.iter().map(of).collect()
}

/// An offence that counts, and who committed it.
#[derive(Clone, Copy)]
struct Scene<'a> {
    offence: &'a Offence,
    source: Source,
    standing: Standing,
}

/// What an offence weighs for a source of this standing.
fn weigh(event: &Event<'_>, standing: Standing, kind: OffenceKind, weight: Weight) -> Weight {
    let excused = match kind {
        OffenceKind::TlsProbe => standing.precious || standing.delivers,
        OffenceKind::AuthProbe => standing.precious,
        // What passes through a mail server, or comes from a place where people log in, is not the place's doing: a ban
        // would lose the good mail with the bad.
        OffenceKind::Spam
        | OffenceKind::Malware
        | OffenceKind::Policy
        | OffenceKind::SenderAbuse
        | OffenceKind::Dnsbl => standing.precious || standing.delivers,
        _ => false,
    };
    // smtpd writes the client's confirmed name or `unknown`; postscreen and Dovecot look no names up.
    let nameless = match event.program {
        Program::Smtpd => event.client.is_some_and(|client| client.name.is_empty()),
        _ => standing.nameless,
    };
    match weight {
        _ if excused => Weight::Noted,
        Weight::Weak if nameless => Weight::Full,
        Weight::Weak => Weight::Noted,
        other => other,
    }
}

/// How much it takes for a source of this standing.
fn threshold(rule: &Rule, standing: Standing, factor: u32) -> u32 {
    let known = match rule.kind {
        OffenceKind::AuthFailure | OffenceKind::AuthProbe | OffenceKind::TlsProbe => standing.precious,
        _ => standing.precious || standing.delivers,
    };
    if known { rule.threshold.saturating_mul(factor.max(1)).min(rule.most()) } else { rule.threshold }
}

/// What a rule asks of a source's history.
fn query(rule: &Rule, time: Timestamp, precious: bool) -> Query {
    // Where people log in, one device with an old password fails for ever.
    let per_account = precious.then_some(rule.threshold);
    Query { kind: rule.kind, now: seconds(time), window: rule.window, strict: rule.strict, per_account }
}

/// What was judged of one event.
struct Judged {
    kind: OffenceKind,
    weight: Weight,
    account: Option<Account>,
    count: u32,
}

const fn is_smtp_server(program: Program) -> bool {
    matches!(program, Program::Smtpd | Program::Postscreen)
}

/// The service's name; nearly always one that needs no memory.
fn service(event: &Event<'_>) -> Cow<'static, str> {
    Cow::Borrowed(match event.service.bytes() {
        b"" => "",
        b"smtp" => "smtp",
        b"submission" => "submission",
        b"submissions" => "submissions",
        b"smtps" => "smtps",
        b"imap" => "imap",
        b"pop3" => "pop3",
        b"sieve" => "sieve",
        b"auth" => "auth",
        _ => return Cow::Owned(event.service.lossy().into_owned()),
    })
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
