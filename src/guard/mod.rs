//! The daemon: lines in, bans in the kernel, everything that was announced in the store.
//!
//! One thread does it all, in this order for every batch of lines: the engine judges, the kernel bans, the store commits
//! the batch together with its cursor, and only then is anything announced. Killed anywhere, the batch is read again.

mod alerts;
mod control;
pub(crate) mod gate;
mod health;
mod inquiry;
mod integrity;
mod keeper;
pub(crate) mod operator;
mod outlet;
mod restore;
mod shield;
mod signals;
mod status;
pub(crate) mod tables;
mod tasks;
mod views;
mod voice;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mailward_decide::{Bans, Cleared, NeverBan};
use mailward_enforce::Monitor;
use mailward_engine::{Effect, Engine, Now};
use mailward_gate::{LoginEvent, Report};
use mailward_host::lock::Lock;
use mailward_model::{Network, Timestamp};
use mailward_parse::split_lines;
use mailward_report::Severity;
use mailward_source::{Batch, Next, Reader, Spec, Start, Waker};
use mailward_store::{Retention, Store};

use crate::alerts::{Herald, Plan};
use keeper::Keeper;
use shield::Shield;
pub(crate) use voice::Voice;

/// What the daemon is to do, resolved from the configuration and the host.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Where lines come from.
    pub(crate) specs: Vec<Spec>,
    /// Where to begin in a log that was never read.
    pub(crate) start: Start,
    /// Whether bans are enforced, or only decided.
    pub(crate) enforce: bool,
    /// The folder of the store and the lock.
    pub(crate) state: PathBuf,
    /// The control socket, and its group.
    pub(crate) socket: PathBuf,
    pub(crate) socket_group: Option<u32>,
    /// The kernel's table; none leaves the kernel alone.
    pub(crate) firewall: Option<mailward_enforce::Options>,
    /// postscreen's table.
    pub(crate) postscreen: Option<PathBuf>,
    /// Whether the places of whoever is logged in to this host are never banned.
    pub(crate) protect_operator: bool,
    /// Networks that are never banned, without the allowlist of the store.
    pub(crate) never: NeverBan,
    pub(crate) rules: mailward_detect::Rules,
    pub(crate) patience: mailward_detect::Patience,
    pub(crate) capacity: mailward_detect::Capacity,
    pub(crate) ladder: mailward_decide::Ladder,
    pub(crate) budget: mailward_decide::Budget,
    pub(crate) retention: Retention,
    pub(crate) zone: jiff::tz::TimeZone,
    /// How Postfix is answered when it asks; none leaves it unanswered.
    pub(crate) gate: Option<gate::Plan>,
    /// The settings themselves.
    pub(crate) settings: crate::config::Settings,
    /// Where they are from.
    pub(crate) config: Option<PathBuf>,
}

/// What reaches the daemon's thread from others.
enum Message {
    /// Somebody asks on the control socket.
    Asked(control::Asked),
    /// Somebody else changed the kernel's table.
    Tampered,
    /// People are logged in to this host from these places.
    Sessions(Vec<Network>),
    /// Somebody looked at configuration and the places where intruders stay.
    Integrity(Box<integrity::News>),
    /// Read the configuration again.
    Reload,
    /// End.
    Stop,
}

impl Setup {
    /// The settings for watching files, with the state directory that is really used; none where nobody wants it.
    fn watched(&self) -> Option<crate::config::Settings> {
        let settings = self.stated();
        settings.integrity.watch.then_some(settings)
    }

    /// The settings, with the state directory and the socket that are really used.
    fn stated(&self) -> crate::config::Settings {
        let mut settings = self.settings.clone();
        settings.guard.state_directory.clone_from(&self.state);
        settings.guard.socket.clone_from(&self.socket);
        settings
    }

    /// Where the kernel is closed to bans, if it is.
    fn closed(&self) -> Option<&mailward_enforce::Options> {
        self.firewall.as_ref().filter(|_| self.enforce)
    }

    /// Where postscreen finds bans, if it does.
    fn postscreen(&self) -> Option<&PathBuf> {
        self.postscreen.as_ref().filter(|_| self.enforce)
    }

    /// Who is told of what.
    fn alerts(&self) -> Plan {
        Plan::of(&self.settings, &self.state)
    }
}

/// Makes a [`Setup`] again, for a reload.
pub(crate) type Resolve = Box<dyn Fn() -> anyhow::Result<Setup>>;

/// The daemon.
struct Guard {
    setup: Setup,
    resolve: Resolve,
    engine: Engine,
    keeper: Keeper,
    shield: Shield,
    /// As long as this is kept, somebody follows the shield's table.
    followed: Arc<()>,
    /// How messages come here.
    sender: Sender<Message>,
    waker: Waker,
    porter: gate::Porter,
    voice: Voice,
    /// What is decided and not announced yet: it is not on the disk.
    unannounced: Vec<Effect>,
    /// How many more there were than can wait.
    untold: u64,
    effects: Vec<Effect>,
    /// Numbers of the sources, in the order they were met.
    sources: Vec<String>,
    /// Whether lines come as they are written, or are made up for.
    live: bool,
    /// When the last line was written.
    logged: Timestamp,
    stats: status::Stats,
    /// The thread that looks at files, and what it found.
    watch: integrity::Watch,
    files: integrity::Standing,
    /// Who tells people, and when he was told last what is wrong.
    herald: Herald,
    told_standing: Timestamp,
    tasks: tasks::Tasks,
    /// When old records are pruned next.
    prune_at: Instant,
    stopping: bool,
    watchdog: Option<Duration>,
}

/// How often housekeeping is done when nothing happens.
const IDLE: Duration = Duration::from_secs(30);
/// Effects that wait to be announced while the store fails; later ones are recorded, and not told.
const UNANNOUNCED: usize = 100_000;
/// How often old records are pruned, a bounded number at a time.
const PRUNE: Duration = Duration::from_secs(3_600);
/// The same while there are more.
const PRUNE_MORE: Duration = Duration::from_secs(2);

/// Runs the daemon until it is told to end, or until all its sources have ended.
// long: the order of a start, and every field
pub(crate) fn run(setup: Setup, resolve: Resolve, voice: Voice) -> anyhow::Result<()> {
    make_private(&setup.state)?;
    let _lock = Lock::acquire(&setup.state.join("guard.lock"))?;
    let database = setup.state.join("mailward.db");
    let mut keeper = Keeper::open(&database)?;
    let now = clock();
    let (engine, (shield, monitor)) = thread::scope(|scope| {
        // The windows are filled while the kernel takes the bans: neither needs the other.
        let windows = scope.spawn(|| restore::detector(&setup, &Store::open_read_only(&database)?, now));
        let bans = restore::bans(&setup, keeper.store(), now)?;
        let closed = close(&setup, &bans, now)?;
        let windows =
            windows.join().map_err(|_| anyhow::anyhow!("the thread that fills the windows ended"))?;
        anyhow::Ok((restore::assembled(&setup, windows?, bans, now), closed))
    })?;
    let mut reader = Reader::open(&setup.specs, |source| keeper.cursor_of(source), setup.start)?;
    let (sender, messages) = channel();
    let followed = watch_kernel(monitor, &sender, &reader.waker());
    signals::listen(sender.clone(), reader.waker())?;
    operator::follow(sender.clone(), reader.waker());
    let watch = integrity::Watch::start(setup.watched(), sender.clone(), reader.waker());
    let herald = Herald::start(setup.alerts(), &|text| voice.say(text)).context("cannot start a thread")?;
    let porter = gate::Porter::open(&setup, engine.bans(), keeper.store(), reader.waker());
    let server = control::serve(&setup, sender.clone(), reader.waker())?;
    keeper.commit(now, true);
    let mut guard = Guard {
        voice: voice.with_events(server.events()),
        resolve,
        engine,
        keeper,
        shield,
        followed,
        sender,
        waker: reader.waker(),
        porter,
        unannounced: Vec::new(),
        untold: 0,
        effects: Vec::new(),
        sources: Vec::new(),
        live: false,
        logged: Timestamp::default(),
        stats: status::Stats::new(now),
        watch,
        files: integrity::Standing::default(),
        tasks: tasks::Tasks::start(setup.config.as_deref(), &setup.stated(), &herald),
        herald,
        told_standing: Timestamp::default(),
        prune_at: Instant::now() + PRUNE_MORE,
        stopping: false,
        watchdog: watchdog(),
        setup,
    };
    guard.voice.started(&guard.setup, guard.engine.bans().len());
    if let Some(trouble) = guard.porter.trouble() {
        guard.voice.say(&format!("not everybody is answered who asks: {trouble}"));
    }
    guard.tell_signals_again();
    notify(&[sd_notify::NotifyState::Ready]);
    let ended = guard.attend(&mut reader, &messages);
    notify(&[sd_notify::NotifyState::Stopping]);
    guard.finish();
    server.stop();
    ended
}

impl Guard {
    fn attend(&mut self, reader: &mut Reader, messages: &Receiver<Message>) -> anyhow::Result<()> {
        while !self.stopping {
            match reader.next(Some(self.patience()))? {
                Next::Batch(batch) => self.lines(&batch),
                Next::Idle => self.come_alive(),
                Next::Woken => {}
                Next::Ended => self.stopping = true,
            }
            while let Ok(message) = messages.try_recv() {
                self.hear(message, reader);
            }
            self.hear_of_the_gate();
            self.keep_house();
            self.tell_standing(reader);
        }
        Ok(())
    }

    /// Lines come as they are written from now on.
    fn come_alive(&mut self) {
        if !std::mem::replace(&mut self.live, true) {
            self.learn_logins();
        }
    }

    /// Has the gate know of logins what the store knows, and what is reported while that is read.
    fn learn_logins(&mut self) {
        self.porter.prepare();
        self.hear_of_the_gate();
        self.porter.learn(&self.setup, self.keeper.store());
    }

    /// Judges a batch of lines, bans, commits, announces.
    fn lines(&mut self, batch: &Batch<'_>) {
        let now = clock();
        let log = self.number_of(batch.source);
        let when = if self.live { Now::Clock(now) } else { Now::Logged };
        let (mut bans, mut logins) = (Vec::new(), Vec::new());
        let is_asked = self.live && self.porter.gate().is_some();
        for line in split_lines(batch.lines) {
            let seen = self.engine.watch(log, line, when, &mut self.effects, |event| {
                logins.extend(is_asked.then(|| LoginEvent::of(event)).flatten());
            });
            self.logged = seen.time;
            self.keeper.seen(seen);
            self.stats.seen(log, seen);
            if !self.effects.is_empty() {
                self.record(line, &mut bans);
            }
        }
        self.porter.heard(logins);
        self.enforce(&bans, now);
        self.stats.decided(log, now, self.live);
        self.keeper.cursor(batch.source, batch.cursor.clone());
        // A batch without lines tells where a log begins: killed before that is kept, a rotated log would be history.
        if self.keeper.commit(clock(), batch.lines.is_empty()) {
            self.announce();
        }
    }

    /// Hands the effects of a line to the store's batch; gathers the bans.
    fn record(&mut self, line: &[u8], bans: &mut Vec<Cleared>) {
        for effect in self.effects.drain(..) {
            match &effect {
                Effect::Offence(offence) => self.keeper.offence(offence, line),
                Effect::Login(login) => self.keeper.login(login.clone()),
                Effect::Signal(signal) => self.keeper.signal(signal.clone()),
                Effect::Ban(cleared) => {
                    bans.push(cleared.clone());
                    if self.setup.enforce {
                        self.keeper.ban(cleared.ban().clone(), true);
                    }
                }
                Effect::Refused(refused) => self.stats.refused(refused),
            }
            self.stats.effect(&effect);
            if !self.voice.wants(&effect) {
                continue;
            }
            if self.unannounced.len() < UNANNOUNCED {
                self.unannounced.push(effect);
            } else {
                self.untold += 1;
            }
        }
    }

    /// Closes the kernel to these bans, as far as they hold now.
    fn enforce(&mut self, bans: &[Cleared], now: Timestamp) {
        if self.setup.enforce && !bans.is_empty() {
            let (current, _): (Vec<_>, Vec<_>) =
                bans.iter().cloned().partition(|cleared| cleared.ban().is_active(now));
            self.shield.add(&current, now);
            self.porter.banned(current.into_iter().map(Cleared::into_ban), now);
        }
    }

    /// Tells what is on the disk by now.
    fn announce(&mut self) {
        for effect in std::mem::take(&mut self.unannounced) {
            self.voice.tell(&effect, self.setup.enforce);
            if let Effect::Signal(signal) = &effect {
                self.tell_signal(signal);
            }
        }
        let untold = std::mem::take(&mut self.untold);
        if untold > 0 {
            self.voice.say(&format!("{untold} more happened while the store failed and were not told"));
        }
        if let Some(left_out) = self.keeper.newly_left_out() {
            self.voice
                .say(&format!("counted and not recorded, because the store failed for too long: {left_out}"));
        }
    }

    fn hear(&mut self, message: Message, reader: &Reader) {
        match message {
            Message::Asked(asked) => self.answer(&asked, reader),
            Message::Tampered => self.mend(),
            Message::Sessions(places) => self.protect_sessions(&places),
            Message::Integrity(news) => self.hear_of_files(*news),
            Message::Reload => self.reload(),
            Message::Stop => self.stopping = true,
        }
    }

    /// What was decided at the gate is recorded and told as what was decided of a line.
    fn hear_of_the_gate(&mut self) {
        let now = clock();
        let mut waiting = Vec::new();
        for report in self.porter.reports() {
            match report {
                Report::Signal(signal) => self.effects.push(Effect::Signal(signal)),
                Report::Alert(text) => {
                    self.voice.say(&text);
                    self.tell_event(&format!("gate/{text}"), Severity::Medium, &text);
                }
                Report::Refusal(event, keep) => {
                    self.engine.take(&event.event(), Now::Clock(now), &mut self.effects);
                    waiting.extend(keep);
                }
            }
        }
        if self.effects.is_empty() {
            return;
        }
        let mut bans = Vec::new();
        self.record(b"", &mut bans);
        self.enforce(&bans, now);
        if self.keeper.commit(clock(), true) {
            self.announce();
            // Who does not wait any more has gone on without it.
            for kept in waiting {
                let _ = kept.send(());
            }
        }
    }

    /// Puts the kernel's table right after somebody else changed it.
    fn mend(&mut self) {
        let now = clock();
        if self.shield.reconcile(&self.engine.bans().cleared(now), now, true) {
            let text = "somebody else changed the table of bans in the kernel; it is as it should be again";
            self.voice.say(text);
            self.tell_event("firewall.changed", Severity::Medium, text);
        }
    }

    /// Takes over what can change without a restart: rules, lists, ladder, budget, mode.
    fn reload(&mut self) {
        notify(&[sd_notify::NotifyState::Reloading]);
        match self.resolve_again() {
            Ok((setup, engine, closed)) => {
                let before = std::mem::replace(&mut self.setup, setup);
                self.engine = engine;
                self.enforce_anew(&before, closed);
                self.watch.settings(self.setup.watched());
                self.herald.plan(self.setup.alerts());
                self.tasks.settings(&self.setup.stated());
                self.porter.renew(&self.setup, self.engine.bans());
                self.learn_logins();
                self.voice.reloaded(&before, &self.setup);
            }
            Err(error) => {
                self.voice.say(&format!("configuration not changed, the old one holds: {error:#}"));
            }
        }
        notify(&[sd_notify::NotifyState::Ready]);
    }

    /// The new settings, with an engine that knows all that the old one knew: it is on the disk first.
    /// Where other enforcers are set, these are open and closed to all that is banned.
    fn resolve_again(&mut self) -> anyhow::Result<(Setup, Engine, Option<Closed>)> {
        let setup = (self.resolve)()?;
        if !self.keeper.commit(clock(), true) {
            anyhow::bail!("{}", self.keeper.trouble().unwrap_or("the store failed"));
        }
        self.announce();
        let now = clock();
        let engine = restore::engine(&setup, self.keeper.store(), now)?;
        let is_other = (setup.closed(), setup.postscreen()) != (self.setup.closed(), self.setup.postscreen());
        let closed = is_other.then(|| close(&setup, engine.bans(), now)).transpose()?;
        Ok((setup, engine, closed))
    }

    /// The enforcers after a reload: others, or the same with the bans of the new engine.
    fn enforce_anew(&mut self, before: &Setup, closed: Option<Closed>) {
        let now = clock();
        let Some((shield, monitor)) = closed else {
            self.shield.reconcile(&self.engine.bans().cleared(now), now, false);
            return;
        };
        self.followed = watch_kernel(monitor, &self.sender, &self.waker);
        let table = |setup: &Setup| setup.closed().map(|options| options.table.clone());
        let keeps_firewall = table(before) == table(&self.setup);
        let keeps_table = before.postscreen() == self.setup.postscreen();
        let old = std::mem::replace(&mut self.shield, shield);
        if let Some(trouble) = old.give_way(keeps_firewall, keeps_table, now) {
            self.voice.say(&format!("bans stay where they were enforced before: {trouble}"));
        }
    }

    fn keep_house(&mut self) {
        let now = clock();
        notify_watchdog(self.watchdog);
        // What an old line led to ends by the time of the lines: by the clock it would be over at once, and the next
        // lines of the same day would be a repeat.
        let ended = self.engine.expire(if self.live { now } else { self.logged });
        if !ended.is_empty() {
            let targets: Vec<Network> = ended.iter().map(|ban| ban.target).collect();
            self.shield.remove(&targets, now);
            self.porter.lifted(&targets);
            ended.iter().for_each(|ban| self.voice.ended(ban, now));
        }
        if self.shield.wants_reconciling() {
            self.shield.reconcile(&self.engine.bans().cleared(now), now, false);
        }
        if self.setup.enforce && self.shield.table_is_stale() {
            self.shield.write_table(&self.engine.bans().cleared(now), now);
        }
        self.porter.read_tables(&self.setup);
        if self.keeper.commit(now, false) {
            self.announce();
        }
        if Instant::now() >= self.prune_at {
            self.prune(now);
        }
    }

    fn prune(&mut self, now: Timestamp) {
        let more = self.keeper.forget(now, &self.setup.retention).unwrap_or_else(|error| {
            self.voice.say(&format!("old records are kept for now: {error}"));
            false
        });
        self.prune_at = Instant::now() + if more { PRUNE_MORE } else { PRUNE };
    }

    /// How long there is nothing to do by itself.
    fn patience(&self) -> Duration {
        if !self.live {
            return Duration::ZERO;
        }
        let now = clock();
        let next_end = self.engine.bans().next_end();
        let mut patience =
            next_end.map_or(IDLE, |at| Duration::from_micros(at.since(now).micros()).min(IDLE));
        patience = patience.min(self.prune_at.saturating_duration_since(Instant::now()));
        if self.shield.has_firewall() {
            patience = patience.min(self.shield.reconcile_in());
        }
        if self.keeper.is_behind() {
            patience = patience.min(Duration::from_secs(1));
        }
        patience.min(self.watchdog.map_or(IDLE, |limit| limit / 2)).max(Duration::from_millis(1))
    }

    fn finish(&mut self) {
        self.hear_of_the_gate();
        self.porter = gate::Porter::default();
        if self.keeper.commit(clock(), true) {
            self.announce();
        }
        self.herald.finish();
        self.voice.last("stopped; bans in the kernel stay until they end");
    }

    fn number_of(&mut self, source: &str) -> usize {
        if let Some(at) = self.sources.iter().position(|known| known == source) {
            return at;
        }
        self.sources.push(source.to_owned());
        self.sources.len() - 1
    }
}

/// Enforcers that hold all that is banned, and who tells what others change there.
type Closed = (Shield, Option<Monitor>);

/// Closes the kernel to all that is banned, before the first line is read: a restart opens no gap, and a reboot closes it
/// here.
fn close(setup: &Setup, bans: &Bans, now: Timestamp) -> anyhow::Result<Closed> {
    let mut shield = Shield::open(setup.closed().cloned(), setup.postscreen().cloned())?;
    let cleared = bans.cleared(now);
    let monitor = shield.close(&cleared, now);
    shield.write_table(&cleared, now);
    Ok((shield, monitor))
}

/// Makes the folder of the store, for the daemon alone.
fn make_private(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder).with_context(|| {
        format!("cannot make {}; run it as root, or choose another folder with --state", folder.display())
    })
}

/// The wall clock.
fn clock() -> Timestamp {
    Timestamp::from_micros(mailward_host::clock::now())
}

/// Follows the kernel's table on a thread of its own, if there is one, as long as what it gives back is kept.
fn watch_kernel(monitor: Option<Monitor>, sender: &Sender<Message>, waker: &Waker) -> Arc<()> {
    let kept = Arc::new(());
    let Some(mut monitor) = monitor else { return kept };
    let followed = Arc::downgrade(&kept);
    let (sender, waker) = (sender.clone(), waker.clone());
    let listen = move || {
        while let Ok(heard) = monitor.wait(IDLE)
            && followed.strong_count() > 0
        {
            if heard.calls_for_reconciling() && sender.send(Message::Tampered).is_ok() {
                waker.wake();
            }
        }
    };
    // Without it a flushed ruleset is found at the next ban only; there is nothing better to do.
    let _ = thread::Builder::new().name("kernel-monitor".into()).spawn(listen);
    kept
}

fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn notify_watchdog(limit: Option<Duration>) {
    if limit.is_some() {
        notify(&[sd_notify::NotifyState::Watchdog]);
    }
}

/// Tells systemd; without systemd nobody listens, which is fine.
fn notify(state: &[sd_notify::NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
