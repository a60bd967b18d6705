//! The gate as the daemon has it: opened, told who is banned, its memory written behind by a thread of its own.
//!
//! Where it cannot be opened, the guard goes on without: Postfix is told to go on by itself then (`default_action=DUNNO`).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mailward_decide::policy::{Policy, PolicySettings};
use mailward_decide::{Bans, Fingerprint, Protection, Secret, Seen, SeenChange, Sent, Taken};
use mailward_gate::login::{LoginEvent, Logins, Settings};
use mailward_gate::{Changes, Gate, Geo, Listen, Outlets, Report, State, Stats};
use mailward_model::{Account, Ban, Network, Span, Text, Timestamp};
use mailward_source::Waker;
use mailward_store::{AccountRow, InPath, InPathBatch, SeenRow, Store};

use super::tables::{Reading, Tables};
use super::{Setup, clock, restore};

/// The database of the gate's memory, in the folder of the state.
pub(crate) const MEMORY: &str = "inpath.db";
/// Reports that wait for the daemon; further ones stand in the statistics alone.
const REPORTS: usize = 1_024;
/// Batches of what the log told that wait for the gate.
const BATCHES: usize = 256;
/// How often what is too old is forgotten on the disk: a part of 256 of it each time.
const FORGET: Duration = Duration::from_secs(60);
/// How long until a commit that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the gate is to do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where it listens.
    pub(crate) listen: Listen,
    /// What it answers Postfix.
    pub(crate) policy: PolicySettings,
    /// What it answers Dovecot.
    pub(crate) login: Settings,
    /// Files that it judges by.
    pub(crate) tables: Tables,
}

/// The gate, or why there is none.
#[derive(Debug, Default)]
pub(super) struct Porter {
    /// Closed first: the last that it hands on is written by the other one.
    gate: Option<Gate>,
    writer: Option<Writer>,
    reports: Option<Receiver<Report>>,
    /// Batches of what the log told that are on their way.
    under_way: Arc<AtomicUsize>,
    reading: Reading,
    trouble: Option<String>,
}

impl Porter {
    /// Opens the gate, where one is wanted.
    pub(super) fn open(setup: &Setup, bans: &Bans, store: &Store, waker: Waker) -> Self {
        let Some(plan) = &setup.gate else { return Self::default() };
        Self::opened(plan, setup, bans, store, waker)
            .unwrap_or_else(|error| Self { trouble: Some(format!("{error:#}")), ..Self::default() })
    }

    fn opened(plan: &Plan, setup: &Setup, bans: &Bans, store: &Store, waker: Waker) -> anyhow::Result<Self> {
        let logins = Logins::new(plan.login.clone(), restore::logins(setup, store, clock())?);
        let mut store = InPath::open(&setup.state.join(MEMORY))?;
        let secret = Secret::new(store.secret(mailward_host::random::bytes()?)?);
        let mut policy = Policy::new(plan.policy.clone(), secret);
        recall(&store, &mut policy)?;
        let state =
            State { bans: held(setup, bans), policy, logins, geo: Geo::default(), stats: Stats::default() };
        let (writer, keep) = Writer::start(store, plan.policy.greylist.memory)?;
        let (tell, reports) = sync_channel(REPORTS);
        let outlets = Outlets {
            tell: Box::new(move |report| {
                if tell.try_send(report).is_ok() {
                    waker.wake();
                }
            }),
            keep: Box::new(move |changes| {
                keep.try_send(changes)
                    .map_err(|(TrySendError::Full(back) | TrySendError::Disconnected(back))| back)
            }),
        };
        let gate = Gate::open(&plan.listen, state, outlets)?;
        let mut porter =
            Self { gate: Some(gate), writer: Some(writer), reports: Some(reports), ..Self::default() };
        porter.read_tables(setup);
        Ok(porter)
    }

    /// Why there is no gate, or its memory is not written.
    pub(super) fn trouble(&self) -> Option<String> {
        let closed = || {
            let closed: Vec<_> = self.gate.iter().flat_map(Gate::closed).map(ToString::to_string).collect();
            (!closed.is_empty()).then(|| closed.join("; "))
        };
        self.trouble.clone().or_else(closed).or_else(|| self.writer.as_ref()?.trouble())
    }

    /// Reads files that the gate judges by, where they changed.
    pub(super) fn read_tables(&mut self, setup: &Setup) {
        let renewed = setup.gate.as_ref().and_then(|plan| self.reading.renewed(&plan.tables, clock()));
        if let Some(order) = renewed {
            self.tell(order);
        }
    }

    /// Which of these files could not be read.
    pub(super) fn unread(&self) -> &[String] {
        self.reading.troubles()
    }

    /// What happened at the gate.
    pub(super) fn reports(&self) -> Vec<Report> {
        self.reports.as_ref().map(|reports| reports.try_iter().collect()).unwrap_or_default()
    }

    /// The gate, to ask.
    pub(super) const fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// What the log told of logins. A gate that is far behind hears no more of it until it has caught up: bans reach it all the same.
    pub(super) fn heard(&self, events: Vec<LoginEvent>) {
        if events.is_empty() || self.under_way.load(Ordering::Relaxed) >= BATCHES {
            return;
        }
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let under_way = Arc::clone(&self.under_way);
        self.tell(move |state| {
            events.iter().for_each(|event| state.logins.hear(&state.bans, event));
            under_way.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// What Dovecot reports from now on is not in the store when it is read for [`Porter::learn`].
    pub(super) fn prepare(&self) {
        self.tell(|state| state.logins.prepare());
    }

    /// How often Dovecot was not answered, because it does not know the key.
    pub(super) fn wrong_keys(&self) -> u64 {
        self.gate.as_ref().and_then(|gate| gate.ask(|state| state.stats.wrong_keys).ok()).unwrap_or(0)
    }

    /// What the store knows of logins, after a time in which the gate heard nothing of the log.
    pub(super) fn learn(&self, setup: &Setup, store: &Store) {
        if self.gate.is_some()
            && let Ok(detector) = restore::logins(setup, store, clock())
        {
            self.tell(move |state| state.logins.learn(&state.bans, detector));
        }
    }

    /// Whoever is banned in the kernel is refused here, too.
    pub(super) fn banned(&self, bans: impl IntoIterator<Item = Ban>, now: Timestamp) {
        let bans: Vec<Ban> = bans.into_iter().collect();
        self.tell(move |state| {
            for ban in bans {
                // The daemon held it against the same list.
                let _ = state.bans.impose(ban, now);
            }
        });
    }

    /// Whoever is not banned any more is not refused.
    pub(super) fn lifted(&self, targets: &[Network]) {
        let targets = targets.to_vec();
        self.tell(move |state| {
            for target in targets {
                state.bans.lift(target);
            }
        });
    }

    /// A ban was a mistake: what led to it does not count here any more.
    pub(super) fn pardoned(&self, target: Network) {
        self.tell(move |state| state.logins.pardon(target));
    }

    /// Whoever is logged in to this host is not refused either.
    pub(super) fn protect_sessions(&self, places: &[Network], until: Timestamp) {
        let places = places.to_vec();
        self.tell(move |state| {
            let never = state.bans.never_ban_mut();
            for place in places {
                never.unprotect(place, |why| *why == Protection::OperatorSession);
                never.protect(place, Protection::OperatorSession, Some(until));
            }
        });
    }

    /// Other settings, bans and lists, after a reload.
    pub(super) fn renew(&self, setup: &Setup, bans: &Bans) {
        let (Some(plan), bans) = (setup.gate.clone(), held(setup, bans)) else { return };
        self.tell(move |state| {
            state.bans = bans;
            state.policy.set(plan.policy);
            state.logins.set(plan.login);
        });
    }

    fn tell(&self, order: impl FnOnce(&mut State) + Send + 'static) {
        if let Some(gate) = &self.gate {
            gate.tell(order);
        }
    }
}

/// The bans that the gate enforces: those of the daemon, or none where it only decides.
fn held(setup: &Setup, bans: &Bans) -> Bans {
    let mut held = Bans::new(bans.never_ban().clone(), setup.ladder.clone(), setup.budget);
    for ban in bans.active().filter(|_| setup.enforce) {
        let _ = held.impose(ban.clone(), clock());
    }
    held
}

/// Brings back what was kept.
fn recall(store: &InPath, policy: &mut Policy) -> anyhow::Result<()> {
    store.each_seen(|key, at, passes| {
        policy.greylist_mut().restore(Fingerprint::from_bits(key), Seen { at, passes });
    })?;
    for row in store.accounts()? {
        if let Some(account) = Account::of(Text::from(row.name.as_str())) {
            policy.outgoing_mut().restore(account, sent(&row));
        }
    }
    for (key, taken) in store.rates()? {
        policy.restore_rate(Fingerprint::from_bits(key), Taken::from_micros(taken));
    }
    for text in store.exceptions()? {
        if let Ok(exception) = text.parse() {
            policy.allow(exception);
        }
    }
    Ok(())
}

fn sent(row: &AccountRow) -> Sent {
    let hour = |(micros, count)| (Timestamp::from_micros(micros), count);
    Sent {
        taken: row.taken.map(Taken::from_micros),
        usual: row.usual,
        hour: hour(row.hour),
        day: hour(row.day),
        over: row.over.map(Timestamp::from_micros),
    }
}

fn account(account: &Account, sent: &Sent) -> AccountRow {
    AccountRow {
        name: account.name().to_owned(),
        taken: sent.taken.map(Taken::micros),
        usual: sent.usual,
        hour: (sent.hour.0.micros(), sent.hour.1),
        day: (sent.day.0.micros(), sent.day.1),
        over: sent.over.map(Timestamp::micros),
    }
}

/// Changes as rows; of each key the last state counts.
fn batch(changes: Changes) -> InPathBatch {
    let mut forgotten = HashSet::new();
    let mut rows: HashMap<u64, SeenRow> = HashMap::new();
    for SeenChange { key, seen, text } in changes.seen {
        let key = key.bits();
        let Some(seen) = seen else {
            rows.remove(&key);
            forgotten.insert(key);
            continue;
        };
        forgotten.remove(&key);
        let text = text.or_else(|| rows.remove(&key)?.text);
        rows.insert(key, SeenRow { key, at: seen.at, passes: seen.passes, text });
    }
    let mut seen: Vec<SeenRow> = rows.into_values().collect();
    // In the order of the file: fewer pages are written.
    seen.sort_unstable_by_key(|row| row.key.cast_signed());
    let accounts = changes.accounts.iter().map(|(name, sent)| account(name, sent)).collect();
    let rates = changes.rates.iter().map(|(key, taken)| (key.bits(), taken.micros())).collect();
    InPathBatch { seen, forgotten: forgotten.into_iter().collect(), accounts, rates }
}

/// The thread that writes the gate's memory.
#[derive(Debug)]
struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    trouble: Mutex<Option<String>>,
    /// Nothing is waited for any more.
    closing: AtomicBool,
}

impl Shared {
    fn note(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Writer {
    fn start(store: InPath, memory: Span) -> anyhow::Result<(Self, SyncSender<Changes>)> {
        let (sender, changes) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let run = move || write(store, memory, &changes, &theirs);
        let thread = thread::Builder::new().name("gate-memory".into()).spawn(run)?;
        Ok((Self { shared, thread: Some(thread) }, sender))
    }

    fn trouble(&self) -> Option<String> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes until the gate is gone.
fn write(mut store: InPath, memory: Span, changes: &Receiver<Changes>, shared: &Shared) {
    let (mut part, mut forgotten) = (0_u8, Instant::now());
    loop {
        match changes.recv_timeout(FORGET) {
            Ok(changes) => commit(&mut store, &batch(changes), shared),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if forgotten.elapsed() >= FORGET {
            (part, forgotten) = (part.wrapping_add(1), Instant::now());
            let before = u32::try_from(clock().minus(memory).secs()).unwrap_or(0);
            // What is too old does not count in any case; it can wait for the next time.
            let _ = store.forget_before(before, part);
            let _ = store.forget_rates(clock());
        }
    }
}

/// Commits, and tries again as long as it takes: what happens meanwhile waits in the gate, up to a bound.
fn commit(store: &mut InPath, batch: &InPathBatch, shared: &Shared) {
    while let Err(error) = store.commit(batch) {
        shared.note(Some(error.to_string()));
        if shared.closing.load(Ordering::Relaxed) || !error.is_retryable() {
            return;
        }
        thread::sleep(AGAIN);
    }
    shared.note(None);
}
