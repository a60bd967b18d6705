//! Answers into bytes.

use std::io::Write as _;

use mailward_model::{Network, Timestamp};
use serde_json::{Value, json};

use super::{CommandError, List};
use crate::http::HttpError;

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<'a> {
    /// To `allow`: below 0 refuses, 0 goes on, more waits so many seconds.
    Status(i32),
    /// It is done.
    Done,
    /// What is counted.
    Stats(Stats<'a>),
    /// The entries of a list.
    List(List, Vec<Listed<'a>>),
    /// The key is missing or wrong.
    Unauthorized,
    /// The request is none that we serve.
    Failed(u16, String),
}

/// An entry of a list, as it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed<'a> {
    /// The address or network.
    pub network: Option<Network>,
    /// The account, empty for all.
    pub login: &'a str,
    /// When it ends.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: &'a str,
}

/// What is counted about somebody.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats<'a> {
    /// Whether the block list has him.
    pub blocked: bool,
    /// Whether the allow list has him.
    pub allowed: bool,
    /// Each count with its name.
    pub counts: Vec<(&'a str, u32)>,
}

impl From<HttpError> for Answer<'_> {
    fn from(error: HttpError) -> Self {
        Self::Failed(error.status(), error.to_string())
    }
}

impl From<CommandError> for Answer<'_> {
    fn from(error: CommandError) -> Self {
        let status = if matches!(error, CommandError::Unknown) { 404 } else { 400 };
        Self::Failed(status, error.to_string())
    }
}

impl Answer<'_> {
    /// Appends the answer to what is to be sent.
    pub fn write(&self, keep_alive: bool, out: &mut Vec<u8>) {
        match self {
            // Nearly all answers are one of these.
            Self::Status(status) => {
                let body = format!(r#"{{"status":{status},"msg":"","r_attrs":{{}}}}"#);
                frame(200, &body, keep_alive, out);
            }
            Self::Done => frame(200, r#"{"status":"ok"}"#, keep_alive, out),
            Self::Stats(stats) => frame(200, &stats.json().to_string(), keep_alive, out),
            Self::List(list, entries) => frame(200, &listed(*list, entries).to_string(), keep_alive, out),
            Self::Unauthorized => {
                frame(401, r#"{"status":"failure","reason":"Unauthorized"}"#, keep_alive, out);
            }
            Self::Failed(status, reason) => {
                frame(*status, &json!({"status": "failure", "reason": reason}).to_string(), keep_alive, out);
            }
        }
    }
}

impl Stats<'_> {
    fn json(&self) -> Value {
        let counts: serde_json::Map<_, _> =
            self.counts.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect();
        json!({"blacklisted": self.blocked, "whitelisted": self.allowed, "stats": {"mailward": counts}})
    }
}

fn listed(list: List, entries: &[Listed<'_>]) -> Value {
    let name = match list {
        List::Block => "bl_entries",
        List::Allow => "wl_entries",
    };
    json!({name: entries.iter().map(Listed::json).collect::<Vec<_>>()})
}

impl Listed<'_> {
    fn json(&self) -> Value {
        let mut entry = serde_json::Map::new();
        if let Some(network) = self.network {
            let key = if network.is_host() { "ip" } else { "netmask" };
            entry.insert(key.to_owned(), network.to_string().into());
        }
        if !self.login.is_empty() {
            entry.insert("login".to_owned(), self.login.into());
        }
        entry.insert("expiration".to_owned(), self.until.and_then(expiration).unwrap_or_default().into());
        entry.insert("reason".to_owned(), self.reason.into());
        entry.into()
    }
}

/// As weakforced writes times: `2026-Nov-21 10:00:01`, in UTC.
fn expiration(time: Timestamp) -> Option<String> {
    let time = jiff::Timestamp::from_microsecond(time.micros()).ok()?;
    Some(time.strftime("%Y-%b-%d %H:%M:%S").to_string())
}

fn frame(status: u16, body: &str, keep_alive: bool, out: &mut Vec<u8>) {
    let connection = if keep_alive { "" } else { "Connection: close\r\n" };
    let challenge = if status == 401 { "WWW-Authenticate: Basic realm=\"mailward\"\r\n" } else { "" };
    // A Vec takes all that is written to it.
    let _ = write!(
        out,
        "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{connection}{challenge}\r\n{body}",
        phrase(status),
        body.len(),
    );
}

const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Content Too Large",
        501 => "Not Implemented",
        507 => "Insufficient Storage",
        _ => "Bad Request",
    }
}
