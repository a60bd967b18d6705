//! Takes alerts from whoever has one, writes them down, and sends them: on threads of its own, so that neither a slow disk nor a
//! mail server that does not answer holds up a ban.
//!
//! One thread writes down, the other sends. An alert is on the disk before it is sent, and leaves the disk after it was taken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailward_model::{Span, Timestamp};
use mailward_notify::{Alert, Desk, Dispatch, Letter, Message};

use super::{DeskError, Plan};

/// Where alerts are handed in; never waits.
#[derive(Clone, Debug)]
pub(crate) struct Herald {
    news: SyncSender<News>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum News {
    /// It happened.
    Happened(Box<Alert>),
    /// These are wrong, as one sees it, and nothing else is.
    Standing(String, Vec<Alert>, Span),
    /// A letter goes out.
    Post(Box<Letter>),
    /// Other settings.
    Plan(Box<Plan>),
    /// Say when all before is written down.
    Written(SyncSender<()>),
}

/// News that wait to be written down; further ones are counted.
const WAITING: usize = 1_000;
/// How long the end waits for them.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the sender sleeps at the most: clocks are set.
const NAP: Duration = Duration::from_secs(30);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    desk: Desk,
    plan: Arc<Plan>,
    /// What is on the disk.
    written: Vec<u8>,
}

impl Herald {
    /// Begins to write down and to send. What was there before and cannot be used is set aside, and told.
    pub(crate) fn start(plan: Plan, say: &dyn Fn(&str)) -> std::io::Result<Self> {
        let desk = plan.desk().unwrap_or_else(|error| {
            say(&format!("alerts that waited are lost: {error}"));
            if let DeskError::Damaged { path, .. } = error {
                let _ = std::fs::rename(&path, path.with_extension("json.damaged"));
            }
            Desk::new()
        });
        let mut state = State { desk, plan: Arc::new(plan), written: Vec::new() };
        state.desk.keep_lanes(&state.plan.rules);
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let (news, heard) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let (writer, sender, lost_there) = (Arc::clone(&shared), shared, Arc::clone(&lost));
        let spawn = |name: &str| std::thread::Builder::new().name(name.into());
        spawn("alerts").spawn(move || writer.write_down(&heard, &lost_there))?;
        spawn("alerts-send").spawn(move || sender.send())?;
        Ok(Self { news, lost })
    }

    /// Something happened: there is no end of it to tell.
    pub(crate) fn happened(&self, alert: Alert) {
        self.tell(News::Happened(Box::new(alert)));
    }

    /// These things are wrong, as `origin` sees it, and nothing else is; what he has not said for as long as `settled` is over.
    pub(crate) fn standing(&self, origin: &str, alerts: Vec<Alert>, settled: Span) {
        self.tell(News::Standing(origin.to_owned(), alerts, settled));
    }

    /// A letter for all channels that take letters.
    pub(crate) fn post(&self, letter: Letter) {
        self.tell(News::Post(Box::new(letter)));
    }

    /// Goes on with other settings.
    pub(crate) fn plan(&self, plan: Plan) {
        self.tell(News::Plan(Box::new(plan)));
    }

    /// Waits, but not for long, until all that was handed in is written down.
    pub(crate) fn finish(&self) {
        let (done, written) = sync_channel(1);
        self.tell(News::Written(done));
        let _ = written.recv_timeout(PATIENCE);
    }

    fn tell(&self, news: News) {
        // Whoever has something to tell does not wait; the disk does not answer for long then.
        if let Err(TrySendError::Full(_)) = self.news.try_send(news) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn write_down(&self, heard: &Receiver<News>, lost: &AtomicU64) {
        while let Ok(news) = heard.recv() {
            let now = clock();
            let mut state = self.lock();
            let plan = Arc::clone(&state.plan);
            let mut written = None;
            match news {
                News::Happened(alert) => state.desk.happened(&alert, &plan.rules, now),
                News::Standing(origin, alerts, settled) => {
                    state.desk.stand(&origin, &alerts, settled, &plan.rules, now);
                }
                News::Post(letter) => state.desk.post(&letter, &plan.rules, now),
                News::Plan(plan) => {
                    state.desk.keep_lanes(&plan.rules);
                    state.plan = Arc::from(plan);
                }
                News::Written(done) => written = Some(done),
            }
            let lost = lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                state.desk.happened(&too_many(lost, now), &plan.rules, now);
            }
            state.save();
            drop(state);
            self.changed.notify_all();
            // Who does not wait any more has gone on without it.
            let _ = written.map(|done| done.send(()));
        }
    }

    fn send(&self) {
        loop {
            let (dispatch, plan) = self.next();
            let message = Message::of(&dispatch, plan.host(), &plan.rules.zone);
            let sent = plan.send(&dispatch.channel, &message);
            let mut state = self.lock();
            match sent {
                Ok(()) => state.desk.sent(&dispatch, clock()),
                Err(error) => state.desk.failed(&dispatch, &error.to_string(), clock()),
            }
            state.save();
        }
    }

    /// What is to be sent, as soon as something is.
    fn next(&self) -> (Dispatch, Arc<Plan>) {
        let mut state = self.lock();
        loop {
            let (now, plan) = (clock(), Arc::clone(&state.plan));
            if let Some(dispatch) = state.desk.take(&plan.rules, now) {
                return (dispatch, plan);
            }
            let next = state.desk.next(&plan.rules, now);
            let nap = next.map_or(NAP, |at| Duration::from_micros(at.since(now).micros()).min(NAP));
            // A moment more, so that it is not looked at again just before.
            let nap = nap + Duration::from_millis(1);
            state = self.changed.wait_timeout(state, nap).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes down what is not on the disk. Where that fails, alerts go out all the same, and it is tried again with the next one.
    fn save(&mut self) {
        let Ok(bytes) = self.desk.to_json() else { return };
        if bytes != self.written && mailward_host::atomic::write(&self.plan.file, &bytes, Some(0o600)).is_ok()
        {
            self.written = bytes;
        }
    }
}

fn too_many(lost: u64, now: Timestamp) -> Alert {
    Alert {
        key: "alerts.lost".into(),
        severity: mailward_report::Severity::Medium,
        title: "More happened than could be told".into(),
        text: format!("{lost} alerts came faster than they could be written down, and were left out"),
        next: "mailward status".into(),
        since: now.into(),
        resolved: None,
    }
}

fn clock() -> Timestamp {
    Timestamp::from_micros(mailward_host::clock::now())
}
