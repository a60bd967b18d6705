//! What happens, as it happens, to everybody who listens.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc, watch};

/// The path of the stream: one JSON document a line. A reader who is too slow loses events and is told how many, as
/// `{"lost": 17}`; one who stands still is cut off.
pub const EVENTS: &str = "/v1/events";

/// Where the daemon tells what happens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    to: broadcast::Sender<Bytes>,
}

impl Events {
    pub(crate) fn new(queue: usize) -> Self {
        Self { to: broadcast::Sender::new(queue.max(1)) }
    }

    /// Tells everybody who listens. Never waits; costs next to nothing while nobody listens.
    pub fn publish(&self, event: &Value) {
        if self.to.receiver_count() > 0 {
            // Only fails when the last listener has just gone.
            let _ = self.to.send(line(event));
        }
    }

    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.to.receiver_count()
    }

    /// The body of a response that goes on until the reader leaves or the server stops.
    pub(crate) fn body(&self, stop: watch::Receiver<bool>, slot: OwnedSemaphorePermit) -> Lines {
        let (to, lines) = mpsc::channel(1);
        tokio::spawn(forward(self.to.subscribe(), to, stop));
        Lines { lines, _slot: slot }
    }
}

/// The lines of one reader.
pub(crate) struct Lines {
    lines: mpsc::Receiver<Bytes>,
    _slot: OwnedSemaphorePermit,
}

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let line = self.get_mut().lines.poll_recv(context);
        line.map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

async fn forward(
    mut from: broadcast::Receiver<Bytes>,
    to: mpsc::Sender<Bytes>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let received = tokio::select! {
            received = from.recv() => received,
            () = to.closed() => return,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let next = match received {
            Ok(line) => line,
            Err(RecvError::Lagged(lost)) => line(&json!({ "lost": lost })),
            Err(RecvError::Closed) => return,
        };
        tokio::select! {
            sent = to.send(next) => if sent.is_err() { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

fn line(event: &Value) -> Bytes {
    format!("{event}\n").into()
}
