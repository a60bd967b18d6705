//! The server: one thread that talks, and short-lived ones on which the handler answers.

use core::time::Duration;
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::WebError;
use crate::events::{EVENTS, Events, Lines};
use crate::message::{Handler, Method, Peer, Request, Response};
use crate::patience::Patient;
use crate::query::pairs;
use crate::socket::Socket;

/// What a client may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's document.
    pub body: usize,
    /// Bytes of a request's head; hyper takes no less than 8 KiB.
    pub head: usize,
    /// How long a client may take to send a head, to send a document, or to read on.
    pub patience: Duration,
    /// Connections at a time; further ones wait.
    pub connections: usize,
    /// Connections of these that follow the events; further ones are refused.
    pub followers: usize,
    /// Events that wait for the slowest reader.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            head: 16 << 10,
            patience: Duration::from_secs(10),
            connections: 64,
            followers: 16,
            queue: 1024,
        }
    }
}

/// A running server; it stops when this is dropped.
pub struct Server {
    events: Events,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    socket: Socket,
}

impl core::fmt::Debug for Server {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Server").field("path", &self.socket.path).finish_non_exhaustive()
    }
}

impl Server {
    /// Where to tell what happens.
    #[must_use]
    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// Takes no more requests, waits for the answers under way (at most [`Limits::patience`]), and removes the socket.
    pub fn stop(self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It only ends early by a panic, and there is nothing left to stop then.
            let _ = thread.join();
        }
    }
}

/// Serves the control socket at `path`, with this mode and group, on a thread of its own.
///
/// Whoever the mode lets in may ask. Changes are for root, the daemon's own user and the socket's owner group: with a mode
/// that keeps others out, the kernel has checked just that, supplementary groups included. With one that lets others
/// in, only the user and the primary group that the kernel tells count.
///
/// # Errors
/// [`WebError`]; a living daemon's socket is refused, a dead one's is replaced.
pub fn serve(
    path: &Path,
    mode: u32,
    group: Option<u32>,
    limits: Limits,
    handler: Arc<dyn Handler>,
) -> Result<Server, WebError> {
    let failed = |error| WebError::of_serving(&error, "serve", path);
    let (socket, listener) = Socket::listen(path, mode, group)?;
    let events = Events::new(limits.queue);
    let stop = watch::Sender::new(false);
    let room = Arc::new(Room {
        limits,
        handler,
        events: events.clone(),
        followers: Arc::new(Semaphore::new(limits.followers)),
        changes: Changes::new(mode, group),
        stop: stop.subscribe(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(limits.connections.max(1))
        .thread_keep_alive(Duration::from_secs(2))
        .thread_name("control-answer")
        .build()
        .map_err(failed)?;
    let run = move || {
        runtime.block_on(accept(listener, room));
        // A handler that never ends must not keep the daemon from ending.
        runtime.shutdown_background();
    };
    let thread = thread::Builder::new().name("control".into()).spawn(run).map_err(failed)?;
    Ok(Server { events, stop, thread: Some(thread), socket })
}

/// What all connections share.
struct Room {
    limits: Limits,
    handler: Arc<dyn Handler>,
    events: Events,
    followers: Arc<Semaphore>,
    changes: Changes,
    stop: watch::Receiver<bool>,
}

/// Who may change something.
struct Changes {
    /// Whether the mode keeps all others from connecting.
    all: bool,
    owner: u32,
    group: u32,
}

impl Changes {
    fn new(mode: u32, group: Option<u32>) -> Self {
        let owner = rustix::process::geteuid().as_raw();
        let group = group.unwrap_or_else(|| rustix::process::getegid().as_raw());
        Self { all: mode & 0o002 == 0, owner, group }
    }

    const fn allow(&self, peer: Peer) -> bool {
        self.all || peer.uid == 0 || peer.uid == self.owner || peer.gid == self.group
    }
}

async fn accept(listener: StdListener, room: Arc<Room>) {
    // It only fails without a runtime or for a blocking socket.
    let Ok(listener) = UnixListener::from_std(listener) else { return };
    let slots = Arc::new(Semaphore::new(room.limits.connections));
    let mut stop = room.stop.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => {}
            next = next(&listener, &slots) => if let Some((stream, slot)) = next {
                connections.spawn(converse(stream, slot, Arc::clone(&room)));
            }
        }
    }
    drop(listener);
    // Whoever is not done by then is cut off when the set is dropped.
    let _ = timeout(room.limits.patience, async { while connections.join_next().await.is_some() {} }).await;
}

/// The next client, once there is a place for it.
async fn next(listener: &UnixListener, slots: &Arc<Semaphore>) -> Option<(UnixStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(_) => {
            // Out of file descriptors, most likely: the client is still waiting, and so are we.
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn converse(stream: UnixStream, slot: OwnedSemaphorePermit, room: Arc<Room>) {
    let _slot = slot;
    let Ok(peer) = peer(&stream) else { return };
    let patience = room.limits.patience;
    let mut stop = room.stop.clone();
    let head = room.limits.head;
    let service = service_fn(move |request| answer(request, peer, Arc::clone(&room)));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(head.max(8 << 10))
            // A connection that stays open without a request is a place lost for others.
            .keep_alive(false)
            .serve_connection(TokioIo::new(Patient::new(stream, patience)), service)
    );
    // What goes wrong here, the client sees as well as we do.
    let stopped = tokio::select! {
        _ = connection.as_mut() => false,
        _ = stop.wait_for(|stop| *stop) => true,
    };
    if stopped {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

fn peer(stream: &UnixStream) -> std::io::Result<Peer> {
    let known = stream.peer_cred()?;
    let pid = known.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
    Ok(Peer { uid: known.uid(), gid: known.gid(), pid })
}

type Answer = hyper::Response<Either<Full<Bytes>, Lines>>;

async fn answer(
    request: hyper::Request<Incoming>,
    peer: Peer,
    room: Arc<Room>,
) -> Result<Answer, hyper::Error> {
    let Some(method) = Method::of(request.method()) else {
        let mut refusal = document(&Response::error(405, "only GET, POST, PUT and DELETE are known here"));
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST, PUT, DELETE"));
        return Ok(refusal);
    };
    if method.changes() && !room.changes.allow(peer) {
        return Ok(document(&Response::error(403, "changes are for root and the socket's group; try sudo")));
    }
    if method == Method::Get && request.uri().path() == EVENTS {
        return Ok(follow(&room));
    }
    let path = request.uri().path().to_owned();
    let query = request.uri().query().map(pairs).unwrap_or_default();
    let body = match read(request.into_body(), &room.limits).await {
        Ok(body) => body,
        Err(refusal) => return Ok(document(&refusal)),
    };
    let request = Request { method, path, query, body, peer };
    let answered = tokio::task::spawn_blocking(move || room.handler.handle(request)).await;
    Ok(document(&answered.unwrap_or_else(|_| {
        Response::error(500, "the daemon failed at this; see: journalctl -u mailward -n 50")
    })))
}

async fn read(body: Incoming, limits: &Limits) -> Result<Value, Response> {
    let collected = timeout(limits.patience, Limited::new(body, limits.body).collect()).await;
    let bytes = match collected {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err(Response::error(413, "the document is too long"));
        }
        Ok(Err(_)) => return Err(Response::error(400, "the document did not come whole")),
        Err(_) => return Err(Response::error(408, "the document did not come in time")),
    };
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Response::error(400, &format!("the document is no JSON: {error}")))
}

fn follow(room: &Room) -> Answer {
    let Ok(slot) = Arc::clone(&room.followers).try_acquire_owned() else {
        return document(&Response::error(
            503,
            "too many follow the events already; stop one, or try again later",
        ));
    };
    let mut answer = hyper::Response::new(Either::Right(room.events.body(room.stop.clone(), slot)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    answer
}

fn document(response: &Response) -> Answer {
    let status =
        hyper::StatusCode::from_u16(response.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let text = if response.body.is_null() { String::new() } else { format!("{}\n", response.body) };
    let mut answer = hyper::Response::new(Either::Left(Full::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
