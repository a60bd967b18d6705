//! What is asked and answered.

use serde_json::{Value, json};

/// Answers requests. Each request runs on a thread of its own, so a slow answer keeps nobody else waiting.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. It may block.
    fn handle(&self, request: Request) -> Response;
}

impl<F: Fn(Request) -> Response + Send + Sync + 'static> Handler for F {
    fn handle(&self, request: Request) -> Response {
        self(request)
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// The path as it was sent, such as `/v1/bans`; nothing in it is decoded.
    pub path: String,
    /// The decoded query, in order.
    pub query: Vec<(String, String)>,
    /// The document; null where there is none.
    pub body: Value,
    /// Who asks.
    pub peer: Peer,
}

impl Request {
    /// The first value of a name in the query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The document; null for none.
    pub body: Value,
}

impl Response {
    /// 200 with a document.
    #[must_use]
    pub const fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    /// A refusal with its reason, as `{"error": "…"}`.
    #[must_use]
    pub fn error(status: u16, reason: &str) -> Self {
        Self { status, body: json!({ "error": reason }) }
    }

    /// Whether what was asked was done.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The reason of a refusal.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.body.get("error").and_then(Value::as_str)
    }
}

/// What to do with what the path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Show it.
    Get,
    /// Make something new.
    Post,
    /// Set it.
    Put,
    /// Take it away.
    Delete,
}

impl Method {
    /// The name in HTTP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Whether it changes something.
    #[must_use]
    pub const fn changes(self) -> bool {
        !matches!(self, Self::Get)
    }

    pub(crate) fn of(method: &hyper::Method) -> Option<Self> {
        match *method {
            hyper::Method::GET | hyper::Method::HEAD => Some(Self::Get),
            hyper::Method::POST => Some(Self::Post),
            hyper::Method::PUT => Some(Self::Put),
            hyper::Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }
}

/// The process at the other end when it connected, as the kernel tells (`SO_PEERCRED`, unix(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
    /// Its process id; none where it lives in another pid namespace.
    pub pid: Option<u32>,
}
