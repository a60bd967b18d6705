//! The daemon's state as the documents that people and programs read.

use std::collections::HashMap;
use std::net::IpAddr;

use mailward_model::{Network, Span, Subject, Timestamp};
use mailward_parse::{Context, Parser};
use mailward_report::bans::{BanRow, Dropped};
use mailward_report::explain::{ChainStep, DecisionView, Explanation, SignalView, WindowFill};
use mailward_report::status::{BanCounts, BudgetStatus, FirewallStatus, Remembered, SourceStatus, Status};
use mailward_report::top::{Top, TopRow};
use mailward_report::{At, Tally};
use mailward_source::Reader;
use mailward_store::{BanFilter, Chain, Counter, PastOffence};
use mailward_web::Response;

use super::control::failed;
use super::status::last_line;
use super::{Guard, clock, health};
use crate::explanation::{event_view, offence_view, title};

/// Lines that are shown of one subject.
const CHAIN: usize = 24;
/// Offences that are looked at for `top`.
const TOP: Span = Span::from_hours(1);

impl Guard {
    pub(super) fn status(&mut self, reader: &Reader) -> Status {
        let now = clock();
        let day = now.minus(Span::from_days(1));
        let hourly = self.keeper.store().hourly(day, now).unwrap_or_default();
        let offences_24h = hourly
            .iter()
            .filter_map(|tally| match tally.counter {
                Counter::Offences(kind) => Some((kind.name(), tally.count)),
                _ => None,
            })
            .fold(HashMap::<&str, u64>::new(), |mut sum, (kind, count)| {
                *sum.entry(kind).or_default() += count;
                sum
            })
            .into_iter()
            .collect();
        let mut logins_24h = 0;
        let _ = self.keeper.store().logins_since(day, |past| logins_24h += past.count);
        let firewall = self.firewall_status();
        let occupancy = self.engine.detector().occupancy();
        Status {
            now: At(now),
            version: env!("CARGO_PKG_VERSION").into(),
            mode: self.mode().into(),
            pid: std::process::id(),
            uptime_seconds: now.since(self.stats.started).secs(),
            memory_bytes: health::resident_bytes(),
            sources: self.source_status(reader),
            lines: self.stats.lines,
            lines_per_second: self.stats.lines_per_second(now),
            programs: self.stats.programs(),
            offences_24h,
            logins_24h,
            bans: self.ban_counts(day),
            last_bans: self.stats.last_bans().map(BanRow::from).collect(),
            findings: health::findings(self, reader),
            firewall,
            budget: self.budget_status(now),
            never_banned: self.engine.bans().never_ban().len() as u64,
            remembered: Remembered {
                sources: occupancy.sources as u64,
                capacity: self.setup.capacity.sources as u64,
                evicted: occupancy.evicted,
            },
        }
    }

    fn source_status(&self, reader: &Reader) -> Vec<SourceStatus> {
        reader
            .status()
            .into_iter()
            .map(|source| {
                let at = self.sources.iter().position(|known| *known == source.source);
                let stats = at.map(|at| self.stats.source(at)).unwrap_or_default();
                SourceStatus {
                    lines: stats.lines,
                    behind_bytes: source.lag,
                    lag_ms: stats.lag.micros() / 1_000,
                    last_line: last_line(stats),
                    trouble: health::trouble(&source),
                    name: source.source,
                }
            })
            .collect()
    }

    fn ban_counts(&self, day: Timestamp) -> BanCounts {
        let (mut counts, filter) =
            (BanCounts::default(), BanFilter { since: Some(day), ..BanFilter::default() });
        let _ = self.keeper.store().each_ban(&filter, |_| counts.last_24h += 1);
        for ban in self.engine.bans().active() {
            *(if ban.target.is_host() { &mut counts.addresses } else { &mut counts.networks }) += 1;
        }
        counts
    }

    fn firewall_status(&mut self) -> FirewallStatus {
        let (repairs, last_repair) = self.shield.repairs();
        let desired = self.engine.bans().len() as u64;
        let enabled = self.shield.has_firewall();
        let table = self.setup.firewall.as_ref().map(|options| format!("inet {}", options.table));
        let firewall = self.shield.firewall();
        let (mut elements, mut dropped) = (0, Dropped::default());
        if let Some(firewall) = firewall {
            elements = firewall.elements().map_or(0, |all| all.len() as u64);
            if let Ok(counters) = firewall.counters() {
                dropped = Dropped { packets: counters.packets, bytes: counters.bytes };
            }
        }
        FirewallStatus {
            enabled,
            table: table.unwrap_or_default(),
            elements,
            desired: if enabled { desired } else { 0 },
            dropped,
            repairs,
            last_repair: last_repair.map(At),
        }
    }

    fn budget_status(&self, now: Timestamp) -> BudgetStatus {
        let (budget, used) = (self.setup.budget, self.engine.bans().usage(now));
        BudgetStatus {
            bans_this_minute: used.bans_this_minute.into(),
            bans_per_minute: budget.bans_per_minute.into(),
            active_bans: used.active_bans.into(),
            active_bans_most: budget.active_bans.into(),
            ipv4_addresses: used.ipv4_addresses,
            ipv4_addresses_most: budget.ipv4_addresses,
            refused: self.stats.over_budget,
        }
    }

    /// Why a subject is banned, or is not.
    pub(super) fn explain(&self, subject: &Subject) -> Result<Explanation, Response> {
        let now = clock();
        let store = self.keeper.store();
        let mut past = store.offences_of(subject, 1_000).map_err(|error| failed(&error))?;
        past.sort_by_key(|past| (past.offence.time, past.id));
        let target = network_of(subject);
        let bans = target.map_or_else(|| Ok(Vec::new()), |target| store.bans_of(target));
        let bans = bans.map_err(|error| failed(&error))?;
        let holding = target.and_then(|target| self.engine.bans().covering(target));
        let chains: Vec<Chain> =
            bans.iter().take(8).filter_map(|ban| store.chain(ban.id).ok().flatten()).collect();
        let left_out = past.len().saturating_sub(CHAIN);
        let mut parser = Parser::new(Context { reference: now, zone: self.setup.zone.clone() });
        let chain = past.iter().skip(left_out).map(|past| step(past, &chains, &mut parser)).collect();
        let mut explanation = Explanation {
            subject: subject.to_string(),
            now: At(now),
            mode: self.mode().into(),
            ban: holding.map(BanRow::from),
            protected: target
                .filter(|target| target.is_host())
                .and_then(|target| self.engine.bans().never_ban().protection(target.address(), now))
                .map(ToString::to_string),
            offences: by_kind(&past),
            first: past.first().map(|past| At(past.offence.time)),
            last: past.last().map(|past| At(past.offence.time)),
            chain,
            left_out: left_out as u64,
            windows: self.window_fills(subject, now),
            earlier: bans
                .iter()
                .filter(|ban| !ban.is_active(now))
                .map(|ban| BanRow::from(&ban.ban))
                .collect(),
            ..Explanation::default()
        };
        self.add_logins(subject, &mut explanation)?;
        explanation.outlook = outlook(&explanation);
        Ok(explanation)
    }

    fn add_logins(&self, subject: &Subject, explanation: &mut Explanation) -> Result<(), Response> {
        let store = self.keeper.store();
        let (logins, by_account) = match subject {
            Subject::Account(account) => (store.logins_of(account, 100), false),
            Subject::Address(address) => (store.logins_from(Network::host(*address), 100), true),
            Subject::Network(network) => (store.logins_from(*network, 100), true),
        };
        let logins = logins.map_err(|error| failed(&error))?;
        explanation.last_login = logins.iter().map(|past| At(past.last)).max();
        explanation.logins = logins
            .iter()
            .map(|past| {
                let who = if by_account { past.account.to_string() } else { past.address.to_string() };
                (who, past.count)
            })
            .collect();
        Ok(())
    }

    fn window_fills(&self, subject: &Subject, now: Timestamp) -> Vec<WindowFill> {
        let Subject::Address(address) = subject else { return Vec::new() };
        let windows = self.engine.detector().windows(*address, now);
        windows
            .into_iter()
            .map(|(rule, count, threshold)| WindowFill {
                rule: rule.id.to_string(),
                count,
                threshold,
                window_seconds: rule.window.secs(),
            })
            .collect()
    }

    /// What is going on right now.
    pub(super) fn top(&mut self) -> Result<Top, Response> {
        let now = clock();
        let mut sources: HashMap<IpAddr, Rows> = HashMap::new();
        let mut networks: HashMap<Network, Rows> = HashMap::new();
        let (mut kinds, mut accounts) = (HashMap::new(), HashMap::new());
        let mut offences = 0;
        let gather = |offence: &mailward_model::Offence| {
            let count = u64::from(offence.count);
            offences += count;
            let prefix = if offence.address.is_ipv4() { 24 } else { 48 };
            sources.entry(offence.address).or_default().add(offence);
            networks.entry(Network::around(offence.address, prefix)).or_default().add(offence);
            *kinds.entry(offence.kind.name()).or_insert(0) += count;
            if let Some(account) = &offence.account {
                *accounts.entry(account.to_string()).or_insert(0) += count;
            }
        };
        self.keeper.store().offences_since(now.minus(TOP), gather).map_err(|error| failed(&error))?;
        let bans = self.engine.bans();
        Ok(Top {
            now: At(now),
            window_seconds: TOP.secs(),
            lines_per_second: self.stats.lines_per_second(now),
            offences,
            bans: bans.len() as u64,
            packets_per_second: None,
            by_kind: kinds.into_iter().collect(),
            by_source: rows(sources.into_iter().map(|(address, rows)| (Network::host(address), rows)), bans),
            by_network: rows(networks.into_iter(), bans),
            by_account: accounts.into_iter().collect(),
            last_bans: self.stats.last_bans().map(BanRow::from).collect(),
        })
    }
}

/// Offences of one source or network.
#[derive(Debug, Default)]
struct Rows {
    count: u64,
    kinds: HashMap<&'static str, u64>,
    last: Timestamp,
}

impl Rows {
    fn add(&mut self, offence: &mailward_model::Offence) {
        let count = u64::from(offence.count);
        self.count += count;
        *self.kinds.entry(offence.kind.name()).or_default() += count;
        self.last = self.last.max(offence.time);
    }
}

/// The ten with the most.
fn rows(all: impl Iterator<Item = (Network, Rows)>, bans: &mailward_decide::Bans) -> Vec<TopRow> {
    let mut all: Vec<(Network, Rows)> = all.collect();
    all.sort_by_key(|(network, rows)| (std::cmp::Reverse(rows.count), *network));
    all.into_iter()
        .take(10)
        .map(|(network, rows)| TopRow {
            name: network.to_string(),
            count: rows.count,
            kinds: rows.kinds.into_iter().collect::<Tally>(),
            last: Some(At(rows.last)),
            banned: bans.covering(network).is_some(),
        })
        .collect()
}

/// Offences by kind.
fn by_kind(past: &[PastOffence]) -> Tally {
    let mut sums: HashMap<&str, u64> = HashMap::new();
    for past in past {
        *sums.entry(past.offence.kind.name()).or_default() += u64::from(past.offence.count);
    }
    sums.into_iter().collect()
}

fn network_of(subject: &Subject) -> Option<Network> {
    match subject {
        Subject::Address(address) => Some(Network::host(*address)),
        Subject::Network(network) => Some(*network),
        Subject::Account(_) => None,
    }
}

/// One line and all that followed from it.
fn step(past: &PastOffence, chains: &[Chain], parser: &mut Parser) -> ChainStep {
    let offence = &past.offence;
    let mine = chains.iter().filter(|chain| chain.signal.as_ref().is_some_and(|s| s.offence == past.id));
    let (signals, decisions) = mine.map(|chain| (signal_view(chain), decision_view(chain))).unzip();
    ChainStep {
        time: At(offence.time),
        place: String::new(),
        line: String::from_utf8_lossy(&past.line).into_owned(),
        event: (!past.line.is_empty()).then(|| event_view(&parser.parse(&past.line))),
        offence: Some(offence_view(offence)),
        signals,
        decisions,
    }
}

fn signal_view(chain: &Chain) -> SignalView {
    chain.signal.as_ref().map_or_else(SignalView::default, |signal| SignalView {
        rule: signal.rule.to_string(),
        title: title(&signal.rule),
        subject: signal.subject.to_string(),
        count: signal.count,
        threshold: signal.threshold,
        window_seconds: signal.window.secs(),
    })
}

fn decision_view(chain: &Chain) -> DecisionView {
    let ban = &chain.ban.ban;
    DecisionView {
        banned: true,
        target: ban.target.to_string(),
        seconds: ban.until.map(|until| until.since(ban.from).secs()),
        why: ban.reason.to_string(),
    }
}

fn outlook(explanation: &Explanation) -> String {
    let nearest = explanation
        .windows
        .iter()
        .filter(|window| window.threshold > window.count)
        .min_by_key(|window| window.threshold - window.count);
    match (&explanation.ban, &explanation.protected, nearest) {
        (Some(_), _, _) => String::new(),
        (None, Some(_), _) => "Whatever it does, it is not banned.".into(),
        (None, None, Some(window)) => {
            format!("{} more and {} is full.", window.threshold - window.count, window.rule)
        }
        (None, None, None) => String::new(),
    }
}
