//! `mailward explain … --log FILE`: the same chain out of a log, without a daemon.

use std::collections::HashMap;
use std::path::Path;

use mailward_engine::{Effect, Engine, Now, Refused};
use mailward_model::{Ban, Event, Network, Offence, Subject, Timestamp};
use mailward_parse::split_lines;
use mailward_report::bans::BanRow;
use mailward_report::explain::{ChainStep, DecisionView, Explanation, WindowFill};
use mailward_report::{At, Tally};

use super::{input, remote};
use crate::cli::Outcome;
use crate::explanation::{event_view, offence_view, signal_view, subject};

/// Options of `explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address, network, account, or an audit check such as TLS-002
    pub(crate) subject: String,
    /// Explain from these logs instead of asking the daemon: what the rules would have decided
    #[arg(long = "log", value_name = "FILE", num_args = 1..)]
    pub(crate) logs: Vec<std::path::PathBuf>,
    #[command(flatten)]
    pub(crate) print: remote::Print,
}

/// Explains an audit check; none if the subject is none.
pub(crate) fn check(args: &Args) -> Option<anyhow::Result<Outcome>> {
    let (family, check) = mailward_audit::find(&args.subject)?;
    Some(remote::show(&super::audit::check_view(family.title, check), &args.print))
}

/// Lines that are shown of one subject.
const SHOWN: usize = 40;

/// Explains a subject from logs.
pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let logs = input::Logs::of(args.logs.clone());
    let Some(first) = logs.files.first() else { return Ok(Outcome::Fine) };
    let mut engine = crate::setup::engine(config, logs.context(first)?)?;
    let mut story = Story::about(subject(&args.subject));
    let mut effects = Vec::new();
    for (log, path) in logs.files.iter().enumerate() {
        let mut number = 0;
        input::each_block(path, |block| {
            for line in split_lines(block) {
                number += 1;
                let mut step = None;
                let seen = engine.watch(log, line, Now::Logged, &mut effects, |event| {
                    step = story.first_look(event, line, path, number);
                });
                if !effects.is_empty() {
                    engine.expire(seen.time);
                }
                story.add(step, effects.drain(..), seen.time);
            }
            Ok(())
        })?;
    }
    remote::show(&story.tell(&engine), &args.print)
}

/// What concerns one subject.
struct Story {
    subject: Subject,
    chain: Vec<ChainStep>,
    left_out: u64,
    offences: HashMap<&'static str, u64>,
    logins: HashMap<String, u64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    last_login: Option<Timestamp>,
    now: Timestamp,
    bans: Vec<Ban>,
}

impl Story {
    fn about(subject: Subject) -> Self {
        Self {
            subject,
            chain: Vec::new(),
            left_out: 0,
            offences: HashMap::new(),
            logins: HashMap::new(),
            first: None,
            last: None,
            last_login: None,
            now: Timestamp::default(),
            bans: Vec::new(),
        }
    }

    /// The step that a line of the subject begins; it is kept only if something follows from it.
    fn first_look(&self, event: &Event<'_>, line: &[u8], path: &Path, number: u64) -> Option<ChainStep> {
        let mine = match &self.subject {
            Subject::Address(address) => event.address() == Some(*address),
            Subject::Network(network) => event.address().is_some_and(|address| network.contains(address)),
            Subject::Account(account) => mailward_model::Account::of(event.user).as_ref() == Some(account),
        };
        mine.then(|| ChainStep {
            time: At(event.time),
            place: format!("{}:{number}", path.display()),
            line: String::from_utf8_lossy(line).into_owned(),
            event: Some(event_view(event)),
            ..ChainStep::default()
        })
    }

    fn add(&mut self, step: Option<ChainStep>, effects: impl Iterator<Item = Effect>, time: Timestamp) {
        self.now = self.now.max(time);
        let mut step = step;
        let mut concerned = false;
        for effect in effects {
            match effect {
                Effect::Offence(offence) if self.is_mine(&offence) => {
                    self.offence(&offence);
                    if let Some(step) = &mut step {
                        step.offence = Some(offence_view(&offence));
                        concerned = true;
                    }
                }
                Effect::Login(login) => self.login(&login),
                Effect::Signal(signal) if self.touches(&signal.subject) => {
                    step.get_or_insert_default().signals.push(signal_view(&signal));
                    concerned = true;
                }
                Effect::Ban(cleared) if self.covers(cleared.ban().target) => {
                    let ban = cleared.into_ban();
                    step.get_or_insert_default().decisions.push(decided(&ban));
                    self.bans.push(ban);
                    concerned = true;
                }
                Effect::Refused(refused) if self.touches(&refused_subject(&refused)) => {
                    step.get_or_insert_default().decisions.push(DecisionView {
                        banned: false,
                        target: refused_subject(&refused).to_string(),
                        seconds: None,
                        why: crate::record::why_refused(&refused),
                    });
                    concerned = true;
                }
                _ => {}
            }
        }
        if let Some(mut step) = step.filter(|_| concerned) {
            if step.line.is_empty() {
                step.time = At(time);
            }
            self.chain.push(step);
            if self.chain.len() > 2 * SHOWN {
                self.left_out += SHOWN as u64;
                self.chain.drain(..SHOWN);
            }
        }
    }

    fn offence(&mut self, offence: &Offence) {
        *self.offences.entry(offence.kind.name()).or_default() += u64::from(offence.count);
        self.first.get_or_insert(offence.time);
        self.last = Some(offence.time);
    }

    fn login(&mut self, login: &mailward_detect::Login) {
        let (mine, other) = match &self.subject {
            Subject::Account(account) => (login.account == *account, login.address.to_string()),
            Subject::Address(address) => (login.address == *address, login.account.to_string()),
            Subject::Network(network) => (network.contains(login.address), login.account.to_string()),
        };
        if mine {
            *self.logins.entry(other).or_default() += 1;
            self.last_login = Some(login.time);
        }
    }

    fn is_mine(&self, offence: &Offence) -> bool {
        match &self.subject {
            Subject::Account(account) => offence.account.as_ref() == Some(account),
            Subject::Address(address) => offence.address == *address,
            Subject::Network(network) => network.contains(offence.address),
        }
    }

    fn touches(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Account(_) => *subject == self.subject,
            Subject::Address(address) => self.covers(Network::host(*address)),
            Subject::Network(network) => self.covers(*network),
        }
    }

    /// Whether a target concerns the subject: it lies in it, or around it.
    fn covers(&self, target: Network) -> bool {
        match &self.subject {
            Subject::Account(_) => false,
            Subject::Address(address) => target.contains(*address),
            Subject::Network(network) => target.overlaps(*network),
        }
    }

    fn tell(mut self, engine: &Engine) -> Explanation {
        let surplus = self.chain.len().saturating_sub(SHOWN);
        self.chain.drain(..surplus);
        let now = self.now;
        let holding = self.bans.iter().rev().find(|ban| ban.is_active(now)).cloned();
        let (windows, protected) = match &self.subject {
            Subject::Address(address) => (
                engine.detector().windows(*address, now),
                engine.bans().never_ban().protection(*address, now).map(ToString::to_string),
            ),
            Subject::Network(_) | Subject::Account(_) => (Vec::new(), None),
        };
        Explanation {
            subject: self.subject.to_string(),
            now: At(now),
            mode: "replay".into(),
            earlier: self
                .bans
                .iter()
                .rev()
                .filter(|ban| Some(*ban) != holding.as_ref())
                .map(BanRow::from)
                .collect(),
            ban: holding.as_ref().map(BanRow::from),
            protected,
            offences: self.offences.into_iter().collect::<Tally>(),
            first: self.first.map(At),
            last: self.last.map(At),
            logins: self.logins.into_iter().collect(),
            last_login: self.last_login.map(At),
            chain: self.chain,
            left_out: self.left_out + surplus as u64,
            windows: windows
                .into_iter()
                .map(|(rule, count, threshold)| WindowFill {
                    rule: rule.id.to_string(),
                    count,
                    threshold,
                    window_seconds: rule.window.secs(),
                })
                .collect(),
            outlook: String::new(),
        }
    }
}

fn decided(ban: &Ban) -> DecisionView {
    DecisionView {
        banned: true,
        target: ban.target.to_string(),
        seconds: ban.until.map(|until| until.since(ban.from).secs()),
        why: ban.reason.to_string(),
    }
}

fn refused_subject(refused: &Refused) -> Subject {
    match refused {
        Refused::Protected(protected) => Subject::Network(protected.target),
        Refused::Precious(network) => Subject::Network(*network),
        Refused::OverBudget(subject, _) => subject.clone(),
    }
}
