//! The client of the command line: it blocks, and its errors say what to do.

use core::future::Future;
use core::ops::ControlFlow;
use core::time::Duration;
use std::io;
use std::path::Path;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::{EVENTS, Method, Response, WebError};

/// Asks the daemon, and waits for the answer.
///
/// # Errors
/// [`WebError`]; what the daemon refuses is no error but a [`Response`] with that status.
pub fn call(socket: &Path, method: Method, path: &str, body: Option<&Value>) -> Result<Response, WebError> {
    block(socket, async {
        let answer = in_time(socket, send(socket, method, path, body)).await?;
        document(socket, answer).await
    })
}

/// Gives `f` each event as it happens, until it breaks off or the daemon stops. `begun` runs once, as soon as whatever happens
/// from now on will be given.
///
/// # Errors
/// [`WebError`]
pub fn follow(
    socket: &Path,
    begun: impl FnOnce(),
    mut f: impl FnMut(Value) -> ControlFlow<()>,
) -> Result<(), WebError> {
    block(socket, async {
        let answer = in_time(socket, send(socket, Method::Get, EVENTS, None)).await?;
        if !answer.status().is_success() {
            let refusal = document(socket, answer).await?;
            let reason = refusal.reason().unwrap_or("no reason given").to_owned();
            return Err(WebError::Refused { status: refusal.status, reason });
        }
        begun();
        lines(socket, answer.into_body(), &mut f).await
    })
}

fn block<T>(socket: &Path, task: impl Future<Output = Result<T, WebError>>) -> Result<T, WebError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    runtime.map_err(|error| WebError::of_connecting(&error, socket))?.block_on(task)
}

async fn in_time<T>(socket: &Path, task: impl Future<Output = Result<T, WebError>>) -> Result<T, WebError> {
    let late = |_| WebError::Late { path: socket.into(), seconds: PATIENCE.as_secs() };
    timeout(PATIENCE, task).await.map_err(late)?
}

async fn send(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<hyper::Response<Incoming>, WebError> {
    let stream =
        UnixStream::connect(socket).await.map_err(|error| WebError::of_connecting(&error, socket))?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| garbled(socket, &e))?;
    tokio::spawn(connection);
    let document = body.map(ToString::to_string).unwrap_or_default();
    let request = hyper::Request::builder()
        .method(method.name())
        .uri(path)
        .header(HOST, "mailward")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::<Bytes>::from(document))
        .map_err(|error| garbled(socket, &error))?;
    sender.send_request(request).await.map_err(|error| garbled(socket, &error))
}

async fn document(socket: &Path, answer: hyper::Response<Incoming>) -> Result<Response, WebError> {
    let status = answer.status().as_u16();
    let whole = Limited::new(answer.into_body(), LARGEST).collect();
    let whole = in_time(socket, async { whole.await.map_err(|error| garbled(socket, &*error)) }).await?;
    let bytes = whole.to_bytes();
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).map_err(|error| garbled(socket, &error))?
    };
    Ok(Response { status, body })
}

async fn lines(
    socket: &Path,
    mut body: Incoming,
    f: &mut impl FnMut(Value) -> ControlFlow<()>,
) -> Result<(), WebError> {
    let mut pending: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| garbled(socket, &error))?;
        pending.extend_from_slice(frame.data_ref().map_or(&[], |bytes| &bytes[..]));
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let event = serde_json::from_slice(&line).map_err(|error| garbled(socket, &error))?;
            if f(event).is_break() {
                return Ok(());
            }
        }
        if pending.len() > LARGEST {
            return Err(garbled(socket, &io::Error::other("an event without an end")));
        }
    }
    Ok(())
}

fn garbled(socket: &Path, error: &(impl core::fmt::Display + ?Sized)) -> WebError {
    WebError::Garbled { path: socket.into(), detail: error.to_string() }
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// No answer is larger: the daemon's lists have limits.
const LARGEST: usize = 64 << 20;
