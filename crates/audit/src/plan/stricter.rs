//! Two checks that want different values of the same thing: which of them holds for both.

use super::{Change, list};
use crate::Server;

/// The change that does what both ask for; none where one of the two has to give way.
pub(super) fn of_both(server: &Server<'_>, one: &Change, other: &Change) -> Option<Change> {
    match (one, other) {
        (Change::Access { file, mode, owner, group }, Change::Access { mode: m, owner: o, group: g, .. }) => {
            Some(Change::Access {
                file: file.clone(),
                mode: mode.zip(*m).map(|(one, other)| one & other).or(*mode).or(*m),
                owner: agreed(owner.as_ref(), o.as_ref())?,
                group: agreed(group.as_ref(), g.as_ref())?,
            })
        }
        (Change::Parameter { name, value: Some(one) }, Change::Parameter { value: Some(other), .. }) => {
            let base = || server.postfix().ok()?.written(None, name);
            stricter(name, base, one, other).map(|value| Change::parameter(name, value))
        }
        (
            Change::Override { service, name, value: Some(one) },
            Change::Override { value: Some(other), .. },
        ) => {
            let base = || {
                let postfix = server.postfix().ok()?;
                let known = postfix.services().iter().find(|known| known.key() == *service)?;
                postfix.written(Some(known), name)
            };
            stricter(name, base, one, other).map(|value| Change::overriding(service, name, value))
        }
        (Change::Dovecot { blocks, name, value: one }, Change::Dovecot { value: other, .. }) => {
            let base = || server.dovecot().ok()?.setting(name).map(str::to_owned);
            let value = stricter(name, base, one, other)?;
            Some(Change::Dovecot { blocks: blocks.clone(), name: name.clone(), value })
        }
        _ => None,
    }
}

/// What both say, or the one that says something; none if they disagree.
fn agreed(one: Option<&String>, other: Option<&String>) -> Option<Option<String>> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => None,
        _ => Some(one.or(other).cloned()),
    }
}

/// Values from the loosest to the strictest.
const SCALES: &[(&str, &[&str])] = &[
    ("ssl", &["no", "yes", "required"]),
    ("smtpd_tls_security_level", &["none", "may", "encrypt"]),
    ("smtp_tls_security_level", &["none", "may", "dane", "encrypt"]),
    ("smtpd_forbid_bare_newline", &["no", "normalize", "yes", "reject"]),
    ("ssl_min_protocol", &["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
];

fn stricter(name: &str, base: impl Fn() -> Option<String>, one: &str, other: &str) -> Option<String> {
    if let Some((_, scale)) = SCALES.iter().find(|(known, _)| *known == name) {
        let rank = |value: &str| scale.iter().position(|known| *known == value);
        return Some(if rank(one)? >= rank(other)? { one } else { other }.to_owned());
    }
    // 0 is no limit.
    if name.ends_with("_limit") {
        let number =
            |value: &str| value.trim().parse::<u64>().ok().map(|n| if n == 0 { u64::MAX } else { n });
        return Some(if number(one)? <= number(other)? { one } else { other }.to_owned());
    }
    is_list(name).then(|| list::merged(&base().unwrap_or_default(), one, other))
}

fn is_list(name: &str) -> bool {
    let ends =
        ["_restrictions", "_keywords", "_ciphers", "_milters", "_checks", "_sites", "_maps", "networks"];
    ends.iter().any(|end| name.ends_with(end)) || name == "mail_plugins"
}
