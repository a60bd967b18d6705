//! What a log holds, as facts: who tried what and when, who logs in, who delivers, and what programs complain about.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use mailward_audit::Known;
use mailward_audit::facts::{LogFacts, LoggedAttack, LoggedLine, LoggedSource, Usage};
use mailward_engine::{Effect, Now};
use mailward_model::{Account, Event, EventKind, Offence, OffenceKind, Timestamp, Weight};
use mailward_parse::split_lines;
use mailward_report::attacks::AttackReport;

use super::habits::Habits;
use crate::analysis;
use crate::cli::{Logs, input};

/// Lines that are kept of one kind of attack.
const LINES: usize = 5_000;
/// Sources that are kept of one kind, and of logins.
const SOURCES: usize = 1_000;
/// Accounts of which the last login is kept.
const ACCOUNTS: usize = 100_000;
/// Bytes that are kept of a line.
const LINE: usize = 1_024;
/// Distinct shapes of lines that are not known.
const SHAPES: usize = 5_000;
/// Distinct complaints of programs.
const TROUBLES: usize = 500;

/// Reads the logs: the statistics for people, and the facts for checks.
pub(super) fn read(
    config: Option<&Path>,
    files: Vec<PathBuf>,
) -> anyhow::Result<Option<(AttackReport, LogFacts, Usage)>> {
    let logs = Logs::of(files);
    let Some(first) = logs.files.first() else { return Ok(None) };
    let report = analysis::analyze(&logs, crate::setup::engine(config, logs.context(first)?)?, |_| {})?;
    let mut engine = crate::setup::engine(config, logs.context(first)?)?;
    let mut gathered = Gathered::default();
    let mut effects = Vec::new();
    for (log, path) in logs.files.iter().enumerate() {
        input::each_block(path, |block| {
            for line in split_lines(block) {
                let seen =
                    engine.watch(log, line, Now::Logged, &mut effects, |event| gathered.event(event, line));
                if !effects.is_empty() {
                    engine.expire(seen.time);
                }
                for effect in effects.drain(..) {
                    gathered.effect(effect, line);
                }
            }
            Ok(())
        })?;
    }
    let paths: Vec<_> = logs.files.iter().map(|path| path.display().to_string()).collect();
    let end = |at: Option<mailward_report::At>| at.map_or(0, |at| at.0.micros().div_euclid(1_000_000));
    let usage = Usage {
        from: end(report.window.first),
        to: end(report.window.last),
        ..std::mem::take(&mut gathered.usage)
    };
    let facts = gathered.facts(&report, paths.join(" "));
    Ok(Some((report, facts, usage)))
}

#[derive(Default)]
struct Gathered {
    attacks: BTreeMap<OffenceKind, Attack>,
    logins: Sources,
    mailers: Sources,
    bans: HashMap<IpAddr, Timestamp>,
    networks: Vec<(mailward_model::Network, Timestamp)>,
    troubles: Vec<LoggedLine>,
    told: HashSet<String>,
    usage: Usage,
    habits: Habits,
    unknown: u64,
    shapes: HashMap<String, u64>,
}

#[derive(Default)]
struct Attack {
    service: Option<Box<str>>,
    several_services: bool,
    count: u64,
    sources: Sources,
    events: Vec<LoggedLine>,
}

#[derive(Default)]
struct Sources(HashMap<IpAddr, Seen>);

#[derive(Clone, Copy, Default)]
struct Seen {
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Sources {
    fn add(&mut self, address: IpAddr, time: Timestamp, count: u64) {
        let seen = self.0.entry(address).or_insert(Seen { count: 0, first: time, last: time });
        seen.count += count;
        seen.first = seen.first.min(time);
        seen.last = seen.last.max(time);
    }
}

impl Gathered {
    fn event(&mut self, event: &Event<'_>, line: &[u8]) {
        self.habits.event(event);
        match event.kind {
            EventKind::MessageBegun if event.user.is_empty() => {
                if let Some(address) = event.address() {
                    self.mailers.add(address, event.time, 1);
                }
            }
            EventKind::LoginSucceeded => self.login(event),
            EventKind::Unknown => self.unknown(line),
            EventKind::ServiceTrouble | EventKind::ServiceState => self.trouble(event, line),
            _ => {}
        }
    }

    fn login(&mut self, event: &Event<'_>) {
        let Some(account) = Account::of(event.user) else { return };
        *self.usage.by_service.entry(event.service.lossy().into_owned()).or_default() += 1;
        if self.usage.last.len() < ACCOUNTS || self.usage.last.contains_key(account.name()) {
            self.usage.last.insert(account.name().to_owned(), event.time.micros().div_euclid(1_000_000));
        }
    }

    /// What a line without a parser says, with numbers left out.
    fn unknown(&mut self, line: &[u8]) {
        self.unknown += 1;
        if self.shapes.len() < SHAPES {
            *self.shapes.entry(shape(said(&String::from_utf8_lossy(line)))).or_default() += 1;
        }
    }

    /// Each complaint once: what follows the program's name and number.
    fn trouble(&mut self, event: &Event<'_>, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if self.troubles.len() < TROUBLES && self.told.insert(said(&text).to_owned()) {
            self.troubles.push(logged(line, event.time, String::new(), 0));
        }
    }

    fn effect(&mut self, effect: Effect, line: &[u8]) {
        match effect {
            Effect::Offence(offence) if offence.weight != Weight::Noted => self.offence(&offence, line),
            Effect::Login(login) => self.logins.add(login.address, login.time, 1),
            Effect::Ban(cleared) => {
                let ban = cleared.ban();
                if ban.target.is_host() {
                    self.bans.entry(ban.target.address()).or_insert(ban.from);
                } else {
                    self.networks.push((ban.target, ban.from));
                }
            }
            _ => {}
        }
    }

    fn offence(&mut self, offence: &Offence, line: &[u8]) {
        let attack = self.attacks.entry(offence.kind).or_default();
        match &attack.service {
            None => attack.service = Some((*offence.service).into()),
            Some(service) => attack.several_services |= **service != *offence.service,
        }
        attack.count += u64::from(offence.count);
        attack.sources.add(offence.address, offence.time, u64::from(offence.count));
        if attack.events.len() < LINES {
            let attempt = u32::try_from(attack.count).unwrap_or(u32::MAX);
            attack.events.push(logged(line, offence.time, offence.address.to_string(), attempt));
        }
    }

    fn facts(self, report: &AttackReport, path: String) -> LogFacts {
        let when = |at: Option<mailward_report::At>| at.map(|at| at.0.to_string()).unwrap_or_default();
        let mut attacks: Vec<_> = self
            .attacks
            .iter()
            .map(|(kind, attack)| LoggedAttack {
                kind: kind.name().to_owned(),
                title: title(*kind).to_owned(),
                service: match &attack.service {
                    Some(service) if !attack.several_services => service.to_string(),
                    _ => String::new(),
                },
                count: attack.count,
                distinct: attack.sources.0.len() as u64,
                refused: is_refused(*kind),
                sources: self.sources(&attack.sources),
                events: attack.events.clone(),
            })
            .collect();
        attacks.sort_by_key(|attack| std::cmp::Reverse(attack.count));
        let mut shapes: Vec<_> = self.shapes.iter().collect();
        shapes.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let unknown_shapes =
            shapes.into_iter().take(10).map(|(shape, count)| format!("{count} × {shape}")).collect();
        LogFacts {
            path,
            lines: report.window.lines,
            first: when(report.window.first),
            last: when(report.window.last),
            attacks,
            logins: self.sources(&self.logins),
            mailers: self.sources(&self.mailers),
            habits: self.habits.facts(|address| {
                self.logins.0.contains_key(&address) || self.mailers.0.contains_key(&address)
            }),
            troubles: self.troubles,
            health: Known::Unasked,
            unknown: Known::Is(self.unknown),
            unknown_shapes,
        }
    }

    fn sources(&self, sources: &Sources) -> Vec<LoggedSource> {
        let mut all: Vec<_> = sources
            .0
            .iter()
            .map(|(address, seen)| LoggedSource {
                address: address.to_string(),
                count: seen.count,
                first: seen.first.micros().div_euclid(1_000_000),
                last: seen.last.micros().div_euclid(1_000_000),
                mailward: self.banned(*address).map(|at| at.micros().div_euclid(1_000_000)),
            })
            .collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.address.cmp(&b.address)));
        all.truncate(SOURCES);
        all
    }

    fn banned(&self, address: IpAddr) -> Option<Timestamp> {
        let network = self.networks.iter().find(|(network, _)| network.contains(address)).map(|(_, at)| *at);
        self.bans.get(&address).copied().into_iter().chain(network).min()
    }
}

/// What follows the program's name and number.
fn said(line: &str) -> &str {
    line.split_once("]: ").map_or(line, |(_, said)| said)
}

/// With every number, address and id written as `#`: words with a digit in them.
fn shape(said: &str) -> String {
    let words = said.split_whitespace().take(16);
    let plain = words.map(|word| if word.bytes().any(|byte| byte.is_ascii_digit()) { "#" } else { word });
    plain.collect::<Vec<_>>().join(" ").chars().take(120).collect()
}

fn logged(line: &[u8], time: Timestamp, source: String, attempt: u32) -> LoggedLine {
    let kept = line.get(..line.len().min(LINE)).unwrap_or_default();
    LoggedLine {
        at: time.micros().div_euclid(1_000),
        source,
        attempt,
        line: String::from_utf8_lossy(kept).into_owned(),
    }
}

const fn title(kind: OffenceKind) -> &'static str {
    match kind {
        OffenceKind::AuthFailure => "Failed logins",
        OffenceKind::AuthProbe => "Connections that never log in",
        OffenceKind::TlsProbe => "Failed TLS handshakes",
        OffenceKind::Pregreet => "Talking before the greeting",
        OffenceKind::ProtocolAbuse => "Protocol abuse",
        OffenceKind::Dnsbl => "Clients on block lists",
        OffenceKind::RelayProbe => "Attempts to relay",
        OffenceKind::UserHarvest => "Guessing of addresses",
        OffenceKind::HeloAbuse => "False HELO names",
        OffenceKind::SenderAbuse => "False senders",
        OffenceKind::RateExcess => "Rates exceeded",
        OffenceKind::Malware => "Malware",
        OffenceKind::Spam => "Spam",
        OffenceKind::Policy => "Other refusals",
    }
}

/// Whether the server refuses it anyway, so that a ban only saves work.
const fn is_refused(kind: OffenceKind) -> bool {
    matches!(
        kind,
        OffenceKind::Dnsbl
            | OffenceKind::RelayProbe
            | OffenceKind::UserHarvest
            | OffenceKind::HeloAbuse
            | OffenceKind::SenderAbuse
            | OffenceKind::RateExcess
            | OffenceKind::Malware
            | OffenceKind::Spam
            | OffenceKind::Policy
    )
}
