//! Who comes in: a task for each connection, and a bound on how many there are.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::endpoint::Listener;
use crate::stream::Stream;

/// What clients may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections to a listener at a time; for one more the one makes room that was silent the longest.
    pub connections: usize,
    /// How long a client may be silent between two questions.
    pub idle: Duration,
    /// How long it may take to send the rest of a question, or to take an answer.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_000,
            // Postfix closes its own after 300 s without a question and 1000 s at the most (smtpd_policy_service_max_ttl): whoever closes
            // first costs it a second.
            idle: Duration::from_secs(1_100),
            patience: Duration::from_secs(10),
        }
    }
}

/// What is talked on the connections of a listener.
pub(crate) trait Service: 'static {
    /// Talks until either side ends it.
    async fn converse(&self, stream: Stream, seat: &Seat, limits: Limits);
}

/// A connection's place.
#[derive(Debug)]
pub(crate) struct Seat {
    heard: Cell<Instant>,
    leave: Notify,
}

impl Seat {
    /// Something was asked.
    pub(crate) fn heard(&self) {
        self.heard.set(Instant::now());
    }
}

/// Takes connections for as long as the gate's thread lives.
pub(crate) async fn attend<S: Service>(listener: Listener, limits: Limits, service: Rc<S>) {
    let Ok(mut listener) = Accepting::of(listener) else { return };
    let seats = Rc::new(RefCell::new(Vec::<Rc<Seat>>::new()));
    loop {
        let stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(_) => {
                // Out of file descriptors, most likely: the client is still waiting, and so are we.
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let seat = take_seat(&mut seats.borrow_mut(), limits.connections);
        let (seats, service) = (Rc::clone(&seats), Rc::clone(&service));
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = service.converse(stream, &seat, limits) => {}
                () = seat.leave.notified() => {}
            }
            seats.borrow_mut().retain(|other| !Rc::ptr_eq(other, &seat));
        });
    }
}

/// A seat; where all are taken, that of whoever was silent the longest.
fn take_seat(seats: &mut Vec<Rc<Seat>>, most: usize) -> Rc<Seat> {
    if seats.len() >= most.max(1)
        && let Some(at) = (0..seats.len()).min_by_key(|at| seats.get(*at).map(|seat| seat.heard.get()))
    {
        seats.swap_remove(at).leave.notify_one();
    }
    let seat = Rc::new(Seat { heard: Cell::new(Instant::now()), leave: Notify::new() });
    seats.push(Rc::clone(&seat));
    seat
}

enum Accepting {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Accepting {
    fn of(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            Listener::Unix(listener) => Self::Unix(UnixListener::from_std(listener)?),
        })
    }

    async fn accept(&mut self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // An answer is one small write, and must not wait for an acknowledgement.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}
