//! The JSON of requests. Names that are not known are skipped, whatever they hold: Dovecot's attributes are configured,
//! and a key `a/b` there makes an object in an object.

use core::net::IpAddr;
use std::borrow::Cow;

use mailward_model::{Network, canonical};
use serde::{Deserialize, Deserializer};

use super::{Attempt, CommandError, Entry, Failure, Report, Whom};

/// A JSON object; an array would pass for one by the order of its elements.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, CommandError> {
    if body.trim_ascii_start().starts_with(b"{") {
        Ok(serde_json::from_slice(body)?)
    } else {
        Err(CommandError::NoObject)
    }
}

/// A client's address; none where the text is empty or something else.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    Ok(text.parse().ok().map(canonical))
}

/// What a report has besides the attempt.
#[derive(Deserialize)]
struct End {
    success: bool,
    #[serde(default)]
    policy_reject: bool,
    #[serde(default)]
    fail_type: Failure,
}

/// Whether a body tells how a login ended.
pub(super) fn has_end(body: &[u8]) -> Result<bool, CommandError> {
    #[derive(Deserialize)]
    struct Ended {
        success: Option<bool>,
    }
    object(body).map(|ended: Ended| ended.success.is_some())
}

pub(super) fn report(body: &[u8]) -> Result<Report<'_>, CommandError> {
    // Read twice instead of with `flatten`, which makes a tree of all values first.
    let attempt: Attempt<'_> = object(body)?;
    let end: End = object(body)?;
    Ok(Report { attempt, success: end.success, policy_reject: end.policy_reject, failure: end.fail_type })
}

pub(super) fn whom(body: &[u8]) -> Result<Whom<'_>, CommandError> {
    let whom: Whom<'_> = object(body)?;
    if whom.ip.is_none() && whom.login.is_empty() { Err(CommandError::Nobody) } else { Ok(whom) }
}

/// An entry as weakforced's clients write it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written<'a> {
    #[serde(borrow)]
    ip: Cow<'a, str>,
    #[serde(borrow)]
    netmask: Cow<'a, str>,
    #[serde(borrow)]
    login: Cow<'a, str>,
    expire_secs: Option<u64>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
}

pub(super) fn entry(body: &[u8]) -> Result<Entry<'_>, CommandError> {
    let written: Written<'_> = object(body)?;
    let text = if written.ip.is_empty() { &written.netmask } else { &written.ip };
    let network = text.parse::<Network>().ok();
    // An entry for nobody is a mistake, and one whose network is misspelled would be an entry for everywhere.
    if network.is_none() && (written.login.is_empty() || !text.is_empty()) {
        return Err(CommandError::Nobody);
    }
    Ok(Entry { network, login: written.login, seconds: written.expire_secs, reason: written.reason })
}
