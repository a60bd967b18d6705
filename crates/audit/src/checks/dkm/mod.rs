//! DKIM.

mod key;
mod record;
mod signer;
mod tables;

use super::dns::each;
use crate::facts::{Deployment, SigningKey};
use crate::records::is_within;
use crate::{Check, Finding, Judged, NotYet, Server, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[
    &tables::DKM_001,
    &key::DKM_002,
    &key::DKM_003,
    &record::DKM_004,
    &record::DKM_005,
    &record::DKM_006,
    &record::DKM_007,
    &key::DKM_008,
    &signer::DKM_009,
    &signer::DKM_010,
    &signer::DKM_011,
    &tables::DKM_012,
    &signer::DKM_013,
    &key::DKM_014,
    &tables::DKM_015,
    &signer::DKM_016,
    &record::DKM_017,
    &key::DKM_018,
];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

/// Whether a signer's pattern takes in the mail of a domain: `*@example.org`, `example.org`, `*`.
pub(crate) fn covers(pattern: &str, domain: &str) -> bool {
    let pattern = pattern.rsplit_once('@').map_or(pattern, |(_, domain)| domain);
    match pattern.strip_prefix("*.") {
        Some(parent) => is_within(domain, parent) && !domain.eq_ignore_ascii_case(parent),
        None => pattern == "*" || pattern.eq_ignore_ascii_case(domain),
    }
}

/// Judges each key that a table names.
fn each_used(
    server: &Server<'_>,
    shown: &str,
    judge: impl Fn(&SigningKey) -> Result<Option<Finding>, Untold>,
) -> Judged {
    let keys = server.facts.dns.signing.get()?;
    each(keys.iter().filter(|key| !key.senders.is_empty()), shown, judge)
}

/// The name of a key's record.
fn record_name(key: &SigningKey) -> String {
    format!("{}._domainkey.{}", key.selector, key.domain)
}

/// What puts a change of OpenDKIM's configuration in force. In docker-mailserver it comes from the image, so that a patch keeps it.
fn restart(server: &Server<'_>) -> &'static str {
    match server.facts.about.deployment {
        Deployment::DockerMailserver => {
            "make the same change in user-patches.sh, then: docker compose up -d --force-recreate"
        }
        Deployment::Plain => "systemctl restart opendkim",
    }
}
