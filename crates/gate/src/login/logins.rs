//! The login guard: what is known of logins, asked and told.
//!
//! It remembers with a detector of its own, because the daemon's may wait for the disk. Both hear the same: reports go to the daemon,
//! and what only the log tells comes from it.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::quality::RandomState;
use mailward_decide::login::{
    Circumstances, Entry, Judgement, Limits, List, Lists, Over, Pace, Pending, Place, Travels, Verdict,
    Window, judge,
};
use mailward_decide::{Bans, Country};
use mailward_detect::rules::{Response, Scope};
use mailward_detect::{Detector, Notice, Rule};
use mailward_model::{
    Account, EventKind, Network, Program, Reason, Signal, Span, Subject, Text, Timestamp, canonical,
};
use mailward_wire::auth_policy::{self, Answer, Attempt, Command, Failure, Listed, Report, Stats};
use mailward_wire::http::Request;

use super::telling::LoginEvent;
use super::theft::Suspicions;
use crate::Geo;

/// What is known of addresses besides logins: who is banned, and where they are.
type Known<'a> = (&'a Bans, &'a Geo);

/// How the login guard is set.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether verdicts are told to Dovecot, or only counted.
    pub enforce: bool,
    /// What whoever asks has to know; empty where everybody on this host may ask.
    pub key: String,
    /// How long whoever is suspected waits.
    pub wait: Span,
    /// What single accounts are limited to.
    pub limits: Limits,
}

/// A verdict that was no plain yes.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// When.
    pub time: Timestamp,
    /// Whose login.
    pub account: Option<Account>,
    /// From where.
    pub address: Option<IpAddr>,
    /// In which country.
    pub country: Option<Country>,
    /// By which protocol.
    pub protocol: Box<str>,
    /// What was decided, and why.
    pub judgement: Judgement,
}

/// All that is known of an account, for a person.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    /// What it is limited to.
    pub limit: Option<String>,
    /// Whether somebody logged in with it lately.
    pub is_used: bool,
    /// The rules over the account: how much is in the window, and how much fills it.
    pub windows: Vec<(Rule, u32, u32)>,
    /// When it logged in last, and in which country, where that is known.
    pub last: Option<(Timestamp, Country)>,
    /// What was decided lately, the latest first.
    pub decided: Vec<Decided>,
    /// Entries of the lists that name it, with the name of the list.
    pub listed: Vec<(List, Entry)>,
}

/// What is known of logins.
#[derive(Debug)]
pub struct Logins {
    settings: Settings,
    detector: Detector,
    lists: Lists,
    pending: Pending,
    travels: Travels,
    suspicions: Suspicions,
    decided: VecDeque<Decided>,
    /// What was reported since the daemon began to read what it knows.
    gathered: Option<Vec<LoginEvent>>,
    hasher: RandomState,
}

/// Verdicts that are remembered to be explained.
const DECIDED: usize = 4_096;
/// Characters of the reason of an entry that are kept.
const REASON: usize = 256;
/// Reports that are gathered.
const GATHERED: usize = 10_000;

impl Logins {
    /// A login guard that knows what the detector knows.
    #[must_use]
    pub fn new(settings: Settings, detector: Detector) -> Self {
        Self {
            settings,
            detector,
            lists: Lists::default(),
            pending: Pending::default(),
            travels: Travels::default(),
            suspicions: Suspicions::default(),
            decided: VecDeque::new(),
            gathered: None,
            hasher: RandomState::default(),
        }
    }

    /// Takes over new settings.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Whether there is a key that whoever asks has to know.
    pub(super) const fn has_key(&self) -> bool {
        !self.settings.key.is_empty()
    }

    /// From now on what Dovecot reports is gathered: the daemon reads what it knows of logins, and does not know that.
    pub fn prepare(&mut self) {
        self.gathered = Some(Vec::new());
    }

    /// Takes over what the daemon knew when this was prepared.
    pub fn learn(&mut self, bans: &Bans, detector: Detector) {
        self.detector = detector;
        self.gathered.take().into_iter().flatten().for_each(|event| self.hear(bans, &event));
    }

    /// Forgets what counts against the sources of a network.
    pub fn pardon(&mut self, network: Network) {
        self.detector.pardon_network(network);
    }

    /// Takes in what the log told of a login.
    pub fn hear(&mut self, bans: &Bans, event: &LoginEvent) {
        let is_banned = |address| bans.is_banned(address, event.time);
        self.detector.observe::<Notice>(&event.event(), is_banned, &mut Vec::new());
    }

    /// Whether whoever asks may.
    pub(super) fn knows(&self, request: &Request<'_>) -> bool {
        self.settings.key.is_empty() || request.knows(self.settings.key.as_bytes())
    }

    /// Whether a login may go on.
    pub fn allow(&mut self, known: Known<'_>, attempt: &Attempt<'_>, now: Timestamp) -> Judgement {
        let password_was_right = self.pending.asked(self.question(attempt), now);
        let judgement = self.judge(known, attempt, password_was_right, now);
        if judgement.verdict != Verdict::Pass {
            self.remember(known.1, attempt, judgement, now);
        }
        judgement
    }

    /// How Dovecot is told: below 0 refuses, more than 0 are seconds to wait.
    pub(super) fn status(&self, verdict: Verdict) -> i32 {
        match verdict {
            Verdict::Wait if self.settings.enforce => i32::try_from(self.settings.wait.secs()).unwrap_or(0),
            Verdict::Refuse if self.settings.enforce => -1,
            _ => 0,
        }
    }

    /// What a person should know of a password that was right, and refused.
    pub(super) fn stolen(&self, attempt: &Attempt<'_>, time: Timestamp) -> Option<Signal> {
        let rule = self.told_by("password-stolen")?;
        Some(signal(rule, Account::of(Text::from(&*attempt.login))?, 1, time))
    }

    /// What has to be confirmed before a person is told that a password is stolen; nothing where Dovecot names the session.
    pub(super) fn unconfirmed(&self, attempt: &Attempt<'_>) -> Option<u64> {
        attempt.session_id.is_empty().then(|| self.question(attempt))
    }

    /// Passwords that were right, as it seems.
    pub(super) const fn suspicions(&mut self) -> &mut Suspicions {
        &mut self.suspicions
    }

    /// What a person should know of a login that succeeded: it is too far away from the last one. Places where the account logs in
    /// anyway are not looked at twice, such as a phone at home.
    pub(super) fn travelled(&mut self, geo: &Geo, report: &Report<'_>, time: Timestamp) -> Option<Signal> {
        let attempt = &report.attempt;
        let (account, address) = (Account::of(Text::from(&*attempt.login))?, attempt.remote?);
        let rule = *self.told_by("impossible-travel").filter(|_| report.success)?;
        let is_own = self.detector.known(address, Some(&account), time).is_own_place;
        let pace = Pace { speed: rule.threshold, country: rule.window };
        let speed = self.travels.arrived(&account, geo.find(address), is_own, time, pace)?;
        Some(signal(&rule, account, speed, time))
    }

    /// A rule that only tells, unless it is off.
    fn told_by(&self, id: &str) -> Option<&Rule> {
        self.detector.rules().rule(id).filter(|rule| rule.enabled)
    }

    /// The verdict, and nothing is remembered.
    #[must_use]
    pub fn judge(
        &self,
        (bans, geo): Known<'_>,
        attempt: &Attempt<'_>,
        password_was_right: bool,
        time: Timestamp,
    ) -> Judgement {
        let account = Account::of(Text::from(&*attempt.login));
        let known = attempt.remote.map(|address| self.detector.known(address, account.as_ref(), time));
        let known = known.unwrap_or_default();
        let windows: Vec<Window> = known.windows.iter().filter_map(window).collect();
        let login = Circumstances {
            time,
            network: attempt.remote.map(Network::host),
            country: attempt.remote.and_then(|address| geo.find(address).country),
            account: account.as_ref(),
            protocol: &attempt.protocol,
            password_was_right,
            place: place(&known),
            account_is_used: known.is_used,
            is_banned: attempt.remote.is_some_and(|address| bans.is_banned(address, time)),
            is_protected: attempt
                .remote
                .is_some_and(|address| bans.never_ban().protection(address, time).is_some()),
            windows: &windows,
        };
        judge(&login, &self.settings.limits, &self.lists)
    }

    /// Takes in how a login ended. Gives what the daemon is to hear of it, and whether somebody is locked out by now.
    pub fn report(
        &mut self,
        known: Known<'_>,
        report: &Report<'_>,
        now: Timestamp,
    ) -> Option<(LoginEvent, bool)> {
        let question = self.question(&report.attempt);
        self.pending.answered(question);
        if !report.success && !report.policy_reject {
            self.suspicions.acquit(question);
        }
        let event = event(report, now)?;
        self.hear(known.0, &event);
        if let Some(gathered) = self.gathered.as_mut().filter(|gathered| gathered.len() < GATHERED) {
            gathered.push(event.clone());
        }
        if report.success {
            // The daemon learns it from the log.
            return None;
        }
        let judgement = self.judge(known, &report.attempt, false, now);
        Some((event, judgement.verdict == Verdict::Refuse))
    }

    fn remember(&mut self, geo: &Geo, attempt: &Attempt<'_>, judgement: Judgement, time: Timestamp) {
        if self.decided.len() >= DECIDED {
            self.decided.pop_front();
        }
        self.decided.push_back(Decided {
            time,
            account: Account::of(Text::from(&*attempt.login)),
            address: attempt.remote,
            country: attempt.remote.and_then(|address| geo.find(address).country),
            protocol: attempt.protocol.chars().take(32).collect(),
            judgement,
        });
    }

    /// All that is known of an account.
    #[must_use]
    pub fn explain(&self, account: &Account, now: Timestamp) -> Explained {
        // Of an address that nobody has: only what concerns the account is left.
        let nowhere = IpAddr::from([0, 0, 0, 0]);
        let known = self.detector.known(nowhere, Some(account), now);
        let mine = |decided: &&Decided| decided.account.as_ref() == Some(account);
        let listed = [List::Block, List::Allow].into_iter().flat_map(|list| {
            let entries = self.lists.all(list, now).filter(|entry| entry.account.as_ref() == Some(account));
            entries.map(move |entry| (list, entry.clone()))
        });
        Explained {
            limit: self.settings.limits.told(account.name()),
            is_used: known.is_used,
            last: self.travels.last(account).and_then(|stay| Some((stay.time, stay.at.country?))),
            windows: known.windows.into_iter().filter(|(rule, ..)| rule.scope == Scope::Account).collect(),
            decided: self.decided.iter().rev().filter(mine).take(20).cloned().collect(),
            listed: listed.collect(),
        }
    }

    /// weakforced's commands.
    pub(super) fn manage(&mut self, command: Command<'_>, now: Timestamp) -> Answer<'_> {
        match command {
            Command::Add(list, entry) => {
                let until = entry.seconds.map(|seconds| now.plus(Span::from_secs(seconds)));
                let entry = Entry {
                    network: entry.network,
                    account: Account::of(Text::from(&*entry.login)),
                    until,
                    reason: entry.reason.chars().take(REASON).collect(),
                };
                if !self.lists.add(of_wire(list), entry, now) {
                    return Answer::Failed(507, "the list is full; remove entries first".to_owned());
                }
                Answer::Done
            }
            Command::Remove(list, entry) => {
                let account = Account::of(Text::from(&*entry.login));
                self.lists.remove(of_wire(list), entry.network, account.as_ref());
                Answer::Done
            }
            Command::Reset(whom) => {
                let account = Account::of(Text::from(&*whom.login));
                self.lists.remove(List::Block, whom.ip.map(Network::host), account.as_ref());
                self.detector.pardon(whom.ip, account.as_ref());
                Answer::Done
            }
            Command::Show(list) => {
                let entries = self.lists.all(of_wire(list), now).map(|entry| Listed {
                    network: entry.network,
                    login: entry.account.as_ref().map_or("", Account::name),
                    until: entry.until,
                    reason: &entry.reason,
                });
                Answer::List(list, entries.collect())
            }
            Command::Stats(whom) => Answer::Stats(self.stats(whom.ip, &whom.login, now)),
            Command::Allow(_) | Command::Report(_) | Command::Ping => Answer::Done,
        }
    }

    fn stats(&self, address: Option<IpAddr>, login: &str, now: Timestamp) -> Stats<'static> {
        let account = Account::of(Text::from(login));
        let network = address.map(Network::host);
        let known = self.detector.known(address.unwrap_or(IpAddr::from([0, 0, 0, 0])), account.as_ref(), now);
        let is_on = |list| self.lists.find(list, network, account.as_ref(), now).is_some();
        Stats {
            blocked: is_on(List::Block),
            allowed: is_on(List::Allow),
            counts: known.windows.iter().map(|(rule, count, _)| (rule.id.0, *count)).collect(),
        }
    }

    /// The same for both questions about one try of a password, and different for the next.
    fn question(&self, attempt: &Attempt<'_>) -> u64 {
        self.hasher.hash_one((
            &attempt.session_id,
            attempt.remote,
            &attempt.protocol,
            &attempt.login,
            &attempt.pwhash,
        ))
    }
}

fn signal(rule: &Rule, account: Account, count: u32, time: Timestamp) -> Signal {
    Signal {
        time,
        rule: rule.id,
        subject: Subject::Account(account),
        kind: rule.kind,
        count,
        threshold: rule.threshold,
        window: rule.window,
        ban: rule.ban,
    }
}

const fn of_wire(list: auth_policy::List) -> List {
    match list {
        auth_policy::List::Block => List::Block,
        auth_policy::List::Allow => List::Allow,
    }
}

const fn place(known: &mailward_detect::Known) -> Place {
    if known.is_own_place {
        Place::Own
    } else if known.is_precious {
        Place::Others
    } else {
        Place::Strange
    }
}

fn window((rule, count, threshold): &(Rule, u32, u32)) -> Option<Window> {
    let over = match rule.scope {
        Scope::Source => Over::Source,
        Scope::Network => Over::Network,
        Scope::Account => Over::Account,
        Scope::Server => return None,
    };
    let closes_network = rule.response == Response::BanNetwork;
    Some(Window { rule: rule.id, over, closes_network, count: *count, threshold: *threshold })
}

/// The event of a report; none where it is nobody's doing, or nobody's.
fn event(report: &Report<'_>, time: Timestamp) -> Option<LoginEvent> {
    let attempt = &report.attempt;
    let reason = match report.failure {
        _ if report.success => Reason::None,
        _ if report.policy_reject => Reason::AuthPolicy,
        Failure::Policy => Reason::AuthPolicy,
        Failure::Account => Reason::UnknownUser,
        Failure::Expired | Failure::Disabled => Reason::AccountDisabled,
        Failure::Credentials => Reason::WrongPassword,
        Failure::Untold => Reason::CredentialsRefused,
        // A database that does not answer.
        Failure::Internal => return None,
    };
    let has_password = matches!(&*attempt.mech.to_ascii_uppercase(), "" | "PLAIN" | "LOGIN");
    // Without a password the hash is that of none: the same for every guess at an account.
    let digits = if has_password { attempt.pwhash.as_bytes() } else { b"" };
    Some(LoginEvent {
        time,
        program: Program::DovecotAuth,
        kind: if report.success { EventKind::LoginSucceeded } else { EventKind::RefusalReported },
        reason,
        address: canonical(attempt.remote?),
        pid: 0,
        count: 1,
        repeated: 1,
        service: (&*attempt.protocol).into(),
        user: attempt.login.as_bytes().into(),
        session: attempt.session_id.as_bytes().into(),
        digits: digits.into(),
    })
}
