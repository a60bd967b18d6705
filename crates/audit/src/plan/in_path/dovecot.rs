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
            other => panic!("{other:?}"),
        };
        login_guard(&facts, in_container, &guard).map(|steps| steps.into_iter().map(told).collect())
    }

    const OLD: &str = "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\n";
    const NEW: &str = "# 2.4.1-4 (7d8c0e5759): /etc/dovecot/dovecot.conf\ndovecot_config_version = 2.4.1\n";

    #[test]
    fn each_version_is_told_in_its_words() {
        let old = planned(OLD, false, Some("a key")).unwrap();
        assert!(
            old[0].starts_with("auth_policy_request_attributes = login=%{requested_username} pwhash="),
            "{old:?}"
        );
        let rest = [
            "auth_policy_hash_nonce = random",
            "auth_policy_server_api_header = X-API-Key: a key",
            "auth_policy_server_url = http://127.0.0.1:4001/",
        ];
        assert_eq!(old[1..], rest);
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
        let other = "http://127.0.0.1:8084/".to_owned();
        assert_eq!(planned(&with(&other), false, None), Err(Hindrance::Another(other)));
        assert_eq!(planned(OLD, true, None), Err(Hindrance::OtherHost));
        let nonce = planned(&with(""), false, None).unwrap();
        assert!(!nonce.iter().any(|line| line.starts_with("auth_policy_hash_nonce")), "{nonce:?}");
    }
}
