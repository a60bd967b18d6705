//! Dovecot asks the login guard: the settings for that, in the words of the version that is there.

use core::net::SocketAddr;

use super::Hindrance;
use crate::dovecot::Dovecot;
use crate::facts::Facts;
use crate::plan::{Change, Layout, Step};

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

/// The file of the key, beside the one that Dovecot reads last. Nothing includes a `.conf.ext` by a pattern.
const KEY_FILE: &str = "mailward-key.conf.ext";

/// The steps after which Dovecot asks, with the key. Where it asks already, they concern the key alone: the facts do not tell which one
/// it has, so the step is always there, and changes nothing where it is the right one.
///
/// # Errors
/// [`Hindrance`] says why there can be none.
pub fn login_guard(facts: &Facts, in_container: bool, guard: &LoginGuard) -> Result<Vec<Step>, Hindrance> {
    let dovecot = Dovecot::read(facts).map_err(Hindrance::Untold)?;
    let url = format!("http://{}/", guard.address);
    let asked = dovecot.explicit("auth_policy_server_url").filter(|other| !other.is_empty());
    let mut changes = match asked {
        Some(asked) if asked != url => return Err(Hindrance::Another(asked.to_owned())),
        None if in_container && guard.address.ip().is_loopback() => return Err(Hindrance::OtherHost),
        _ => Vec::new(),
    };
    let asks = change(&dovecot, "auth_policy_server_url", &url);
    if let Some(key) = &guard.key {
        let last = Layout::of(facts).file(&asks).unwrap_or_default();
        changes.extend(with_key(last.rsplit_once('/').map_or("", |(folder, _)| folder), &last, key));
    }
    if asked.is_none() {
        changes.extend(attributes(&dovecot));
        if dovecot.explicit("auth_policy_hash_nonce").is_none_or(str::is_empty) {
            changes.push(change(&dovecot, "auth_policy_hash_nonce", &guard.nonce));
        }
        changes.push(asks);
    }
    Ok(changes.into_iter().map(|change| Step { change, reasons: Vec::new() }).collect())
}

/// The key in a file for root alone. `!include_try` passes over it for whoever may not read it: dovecot-lda(1), which users start, would
/// end at an `!include` (2.3.19).
fn with_key(folder: &str, last: &str, key: &str) -> [Change; 3] {
    let file = format!("{folder}/{KEY_FILE}");
    let header = format!("X-API-Key: {key}");
    [
        Change::setting(&file, "", "auth_policy_server_api_header", header),
        Change::mode(&file, 0o600),
        Change::lines(last, &[], &[&format!("!include_try {file}")]),
    ]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Known, Said};

    fn planned(said: &str, in_container: bool, key: Option<&str>) -> Result<Vec<String>, Hindrance> {
        let mut facts = Facts::default();
        facts.said.insert("doveconf -n".to_owned(), Known::Is(Said::ok(said)));
        let address = SocketAddr::from(([127, 0, 0, 1], 4_001));
        let guard = LoginGuard { address, key: key.map(str::to_owned), nonce: "random".to_owned() };
        let told = |step: Step| match step.change {
            Change::Dovecot { blocks, name, value } => format!("{}{name} = {value}", blocks.concat()),
            Change::Setting { file, name, value, .. } => format!("{file}: {name} = {}", value.unwrap()),
            Change::Access { file, mode, .. } => format!("{file}: {:o}", mode.unwrap()),
            Change::Lines { file, add, .. } => format!("{file}: {}", add.concat()),
            other => panic!("{other:?}"),
        };
        login_guard(&facts, in_container, &guard).map(|steps| steps.into_iter().map(told).collect())
    }

    const OLD: &str = "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\n";
    const NEW: &str = "# 2.4.1-4 (7d8c0e5759): /etc/dovecot/dovecot.conf\ndovecot_config_version = 2.4.1\n";

    const KEY: [&str; 3] = [
        "/etc/dovecot/mailward-key.conf.ext: auth_policy_server_api_header = X-API-Key: a key",
        "/etc/dovecot/mailward-key.conf.ext: 600",
        "/etc/dovecot/local.conf: !include_try /etc/dovecot/mailward-key.conf.ext",
    ];

    #[test]
    fn each_version_is_told_in_its_words() {
        let old = planned(OLD, false, Some("a key")).unwrap();
        assert_eq!(old[..3], KEY);
        assert!(
            old[3].starts_with("auth_policy_request_attributes = login=%{requested_username} pwhash="),
            "{old:?}"
        );
        let rest = ["auth_policy_hash_nonce = random", "auth_policy_server_url = http://127.0.0.1:4001/"];
        assert_eq!(old[4..], rest);
        let new = planned(NEW, false, None).unwrap();
        assert_eq!(new.len(), ATTRIBUTES.len() + 2, "{new:?}");
        assert!(new.contains(&"auth_policy_request_attributesmech = %{mechanism}".to_owned()), "{new:?}");
    }

    #[test]
    fn who_asks_already_is_left_alone() {
        let with = |url: &str| {
            format!(
                "{OLD}auth_policy_hash_nonce = # hidden, use -P to show it\nauth_policy_server_url = {url}\n"
            )
        };
        assert_eq!(planned(&with("http://127.0.0.1:4001/"), false, None), Ok(Vec::new()));
        let with_key = planned(&with("http://127.0.0.1:4001/"), false, Some("a key")).unwrap();
        assert_eq!(with_key, KEY, "a key that was set later");
        let other = "http://127.0.0.1:8084/".to_owned();
        assert_eq!(planned(&with(&other), false, None), Err(Hindrance::Another(other)));
        assert_eq!(planned(OLD, true, None), Err(Hindrance::OtherHost));
        let nonce = planned(&with(""), false, None).unwrap();
        assert!(!nonce.iter().any(|line| line.starts_with("auth_policy_hash_nonce")), "{nonce:?}");
    }
}
