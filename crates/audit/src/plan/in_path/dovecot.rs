//! Dovecot asks the login guard: the settings for that, in the words of the version that is there.

use core::net::SocketAddr;

use super::Hindrance;
use crate::dovecot::Dovecot;
use crate::facts::Facts;
use crate::plan::{Change, Step};

/// Where the login guard listens, and what it wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginGuard {
    /// Its address, as Dovecot reaches it.
    pub address: SocketAddr,
    /// The key, where it asks for one.
    pub key: Option<String>,
    /// Random text, for a server that has none yet.
    pub nonce: String,
}

/// The attributes that are asked with, by name; their values in 2.3 and in 2.4.
const ATTRIBUTES: &[(&str, &str, &str)] = &[
    ("login", "%{requested_username}", "%{requested_username}"),
    ("pwhash", "%{hashed_password}", "%{hashed_password}"),
    ("remote", "%{rip}", "%{remote_ip}"),
    ("protocol", "%s", "%{protocol}"),
    ("session_id", "%{session}", "%{session}"),
    // All guesses by a mechanism without a password have the same hash.
    ("mech", "%{mech}", "%{mechanism}"),
];

/// The steps after which Dovecot asks; none where it does.
///
/// # Errors
/// [`Hindrance`] says why there can be none.
pub fn login_guard(facts: &Facts, in_container: bool, guard: &LoginGuard) -> Result<Vec<Step>, Hindrance> {
    let dovecot = Dovecot::read(facts).map_err(Hindrance::Untold)?;
    let url = format!("http://{}/", guard.address);
    match dovecot.explicit("auth_policy_server_url").filter(|other| !other.is_empty()) {
        Some(asked) if asked == url => return Ok(Vec::new()),
        Some(other) => return Err(Hindrance::Another(other.to_owned())),
        None if in_container && guard.address.ip().is_loopback() => return Err(Hindrance::OtherHost),
        None => {}
    }
    let mut changes = attributes(&dovecot);
    if dovecot.explicit("auth_policy_hash_nonce").is_none_or(str::is_empty) {
        changes.push(change(&dovecot, "auth_policy_hash_nonce", &guard.nonce));
    }
    if let Some(key) = &guard.key {
        changes.push(change(&dovecot, "auth_policy_server_api_header", &format!("X-API-Key: {key}")));
    }
    changes.push(change(&dovecot, "auth_policy_server_url", &url));
    Ok(changes.into_iter().map(|change| Step { change, reasons: Vec::new() }).collect())
}

fn change(dovecot: &Dovecot, name: &str, value: &str) -> Change {
    dovecot.change::<&str>(&[], name, value)
}

/// One text in 2.3, a block in 2.4.
fn attributes(dovecot: &Dovecot) -> Vec<Change> {
    const NAME: &str = "auth_policy_request_attributes";
    if dovecot.is_modern() {
        return ATTRIBUTES.iter().map(|(name, _, value)| dovecot.change(&[NAME], name, value)).collect();
    }
    let all: Vec<String> = ATTRIBUTES.iter().map(|(name, value, _)| format!("{name}={value}")).collect();
    vec![change(dovecot, NAME, &all.join(" "))]
}
