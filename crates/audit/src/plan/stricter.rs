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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Facts;

    #[track_caller]
    fn check(one: &Change, other: &Change, both: Option<&Change>) {
        let facts = Facts::default();
        let server = Server::new(&facts);
        assert_eq!(of_both(&server, one, other).as_ref(), both);
        if let Some(both) = both {
            assert_eq!(of_both(&server, both, other).as_ref(), Some(both), "again");
        }
    }

    #[test]
    fn the_stricter_of_two_values_holds() {
        let limit = |value: &str| Change::parameter("smtpd_client_auth_rate_limit", value);
        check(&limit("20"), &limit("100"), Some(&limit("20")));
        check(&limit("0"), &limit("100"), Some(&limit("100")));
        let ssl = |value: &str| Change::dovecot(&[], "ssl", value);
        check(&ssl("yes"), &ssl("required"), Some(&ssl("required")));
        let level = |value: &str| Change::overriding("smtp/inet", "smtpd_tls_security_level", value);
        check(&level("encrypt"), &level("may"), Some(&level("encrypt")));
    }

    #[test]
    fn lists_have_what_both_put_in() {
        let list = |value: &str| Change::parameter("smtpd_recipient_restrictions", value);
        check(&list("a, b"), &list("c"), Some(&list("c, a, b")));
    }

    #[test]
    fn permissions_are_what_both_leave() {
        let mode = |mode| Change::mode("/x", mode);
        check(&mode(0o750), &mode(0o640), Some(&mode(0o640)));
        check(&mode(0o604), &mode(0o640), Some(&mode(0o600)));
        let of = |owner: &str| Change::Access {
            file: "/x".to_owned(),
            mode: None,
            owner: Some(owner.to_owned()),
            group: None,
        };
        check(&of("root"), &of("vmail"), None);
    }

    #[test]
    fn what_has_no_order_is_a_persons_choice() {
        let name = |value: &str| Change::parameter("myhostname", value);
        check(&name("a.example"), &name("b.example"), None);
        check(&Change::unset("myhostname"), &name("b.example"), None);
    }
}
