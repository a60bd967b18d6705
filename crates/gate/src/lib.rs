//! Where Postfix and Dovecot ask: listeners, and one thread that answers from memory.
//!
//! One thread owns all that is known here, so there are no locks: a connection is a task on it, an order of the daemon a function
//! that runs on it between two answers. Nothing on it waits for a disk. What has happened is told, and what has to
//! survive a restart is handed on, through [`Outlets`] that never wait either.
//!
//! Whoever asks and gets no answer goes on without one (`default_action=DUNNO`, and Dovecot's default): so an error closes the
//! connection, and is never answered with a guess.
#![forbid(unsafe_code)]

mod dns;
mod door;
mod endpoint;
mod error;
mod geo;
mod ledger;
pub mod login;
pub mod policy;
mod stats;
mod stream;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mailward_decide::Bans;
use mailward_decide::policy::Policy;
use mailward_model::{Signal, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

pub use dns::system as system_resolvers;
pub use door::Limits;
pub use endpoint::Endpoint;
pub use error::GateError;
pub use geo::{Geo, GeoError};
pub use ledger::Changes;
pub use login::{LoginEvent, Logins};
pub use stats::{Latency, Stats};

/// What the gate knows. It lives on the gate's thread.
#[derive(Debug)]
pub struct State {
    /// Who is banned, and who never is.
    pub bans: Bans,
    /// How Postfix is answered.
    pub policy: Policy,
    /// How Dovecot is answered.
    pub logins: Logins,
    /// Where addresses are.
    pub geo: Geo,
    /// What was answered, and how fast.
    pub stats: Stats,
}

/// Where the gate hands on what happens. Neither may wait: answers do not.
pub struct Outlets {
    /// Hears what people are to be told.
    pub tell: Box<dyn Fn(Report) + Send>,
    /// Takes what is to be kept on the disk, or gives it back while it has no room.
    pub keep: Box<dyn FnMut(Changes) -> Result<(), Changes> + Send>,
}

impl std::fmt::Debug for Outlets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outlets")
    }
}

/// What the daemon is told.
#[derive(Debug)]
pub enum Report {
    /// A person should know.
    Signal(Signal),
    /// A login failed; who waits until that is on the disk, where it locks somebody out.
    Refusal(LoginEvent, Option<oneshot::Sender<()>>),
    /// Something here needs a person.
    Alert(String),
}

/// Where the gate listens, and what each client may cost.
#[derive(Clone, Debug)]
pub struct Listen {
    /// For Postfix's policy delegation.
    pub policy: Vec<Endpoint>,
    /// For Dovecot's auth policy.
    pub login: Vec<Endpoint>,
    /// What a client may cost.
    pub limits: Limits,
    /// Who is asked about lists of the DNS; nobody leaves them.
    pub resolvers: Vec<SocketAddr>,
    /// How long the DNS may take.
    pub deadline: Duration,
}

impl Default for Listen {
    /// Nowhere.
    fn default() -> Self {
        Self {
            policy: Vec::new(),
            login: Vec::new(),
            limits: Limits::default(),
            resolvers: Vec::new(),
            deadline: Duration::from_secs(2),
        }
    }
}

/// Runs on the gate's thread, between two answers.
type Order = Box<dyn FnOnce(&mut State) + Send>;

/// Hears what people are to be told.
type Tell = Rc<dyn Fn(Report) + Send>;

/// How long a question to the gate may wait: it answers in microseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// A gate that is open; it closes when this is dropped.
#[derive(Debug)]
pub struct Gate {
    /// Taken to end the thread.
    orders: Option<UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
    closed: Vec<GateError>,
}

impl Gate {
    /// Opens the listeners, and answers on a thread of its own.
    ///
    /// # Errors
    /// [`GateError`]; then nothing listens. Where only some of the places are taken, the others are open: see [`Gate::closed`].
    pub fn open(listen: &Listen, state: State, outlets: Outlets) -> Result<Self, GateError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(GateError::Thread)?;
        // Bound here, so that who opens the gate hears of it.
        let mut closed = Vec::new();
        let policy = endpoint::bind_all(&listen.policy, &mut closed);
        let login = endpoint::bind_all(&listen.login, &mut closed);
        if policy.is_empty() && login.is_empty() && !closed.is_empty() {
            return Err(closed.swap_remove(0));
        }
        let Listen { limits, resolvers, deadline, .. } = listen.clone();
        let (orders, received) = unbounded_channel();
        let run = move || {
            LocalSet::new().block_on(&runtime, async move {
                let state = Rc::new(RefCell::new(state));
                let tell: Tell = outlets.tell.into();
                let resolver = (!resolvers.is_empty()).then(|| dns::Resolver::new(resolvers, deadline));
                let desk = Rc::new(policy::Desk::new(Rc::clone(&state), resolver, Rc::clone(&tell)));
                tokio::task::spawn_local(Rc::clone(&desk).watch_lists());
                for listener in policy {
                    tokio::task::spawn_local(door::attend(listener, limits, Rc::clone(&desk)));
                }
                let desk = Rc::new(login::Desk::new(Rc::clone(&state), tell));
                for listener in login {
                    tokio::task::spawn_local(door::attend(listener, limits, Rc::clone(&desk)));
                }
                let ledger = ledger::Ledger::new(outlets.keep);
                tokio::select! {
                    () = obey(received, &state) => {}
                    () = ledger.keep_up(&state) => {}
                }
                ledger.close(&state).await;
            });
        };
        let thread = thread::Builder::new().name("gate".into()).spawn(run).map_err(GateError::Thread)?;
        Ok(Self { orders: Some(orders), thread: Some(thread), closed })
    }

    /// Where it could not listen, and why.
    #[must_use]
    pub fn closed(&self) -> &[GateError] {
        &self.closed
    }

    /// Has something done on the gate's thread, without waiting for it. Orders are few: who sends them is bounded by the budget of
    /// bans.
    pub fn tell(&self, order: impl FnOnce(&mut State) + Send + 'static) {
        if let Some(orders) = &self.orders {
            // It only fails when the thread is gone, and then there is nothing left to tell.
            let _ = orders.send(Box::new(order));
        }
    }

    /// Asks something of the gate's thread.
    ///
    /// # Errors
    /// [`GateError::Late`] when it does not answer.
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, GateError> {
        let (answer, answered) = sync_channel(1);
        self.tell(move |state| {
            let _ = answer.send(question(state));
        });
        answered
            .recv_timeout(PATIENCE)
            .map_err(|_: RecvTimeoutError| GateError::Late { seconds: PATIENCE.as_secs() })
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // It only ends early by a panic, and there is nothing left to stop then.
            let _ = thread.join();
        }
    }
}

/// Carries out orders until nobody can give any more.
async fn obey(mut orders: UnboundedReceiver<Order>, state: &RefCell<State>) {
    while let Some(order) = orders.recv().await {
        order(&mut state.borrow_mut());
    }
}

/// The wall clock.
fn clock() -> Timestamp {
    Timestamp::from_micros(mailward_host::clock::now())
}
