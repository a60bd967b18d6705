//! How logins are slowed down, limited and answered.

use super::{applied, set};
use crate::check::pass;
use crate::dovecot::{Dovecot, seconds};
use crate::plan::Change;
use crate::{Check, Finding, Judged, Remedy, Server, Severity};

pub(super) static DOV_006: Check = Check {
    id: "DOV-006",
    title: "A failed login costs an attacker no time",
    severity: Severity::Low,
    why: "Dovecot answers a wrong password late, and later still to an address that keeps failing; without that, guessing is as fast as the network.",
    proof: "The effective auth_failure_delay, and whether the anvil-auth-penalty socket is closed.",
    fix: "Keep auth_failure_delay = 2 secs and the penalty.",
    references: &["https://doc.dovecot.org/2.4.1/core/config/auth/penalty.html"],
    judge: dov_006,
};

pub(super) static DOV_007: Check = Check {
    id: "DOV-007",
    title: "A long negative cache of logins is used as a lock-out",
    severity: Severity::Low,
    why: "It locks no attacker out, since every other guess is looked up anew, but a user's new password is refused for that long.",
    proof: "The effective auth_cache_negative_ttl where auth_cache_size switches the cache on.",
    fix: "Leave auth_cache_negative_ttl at its default, and lock attackers out by bans.",
    references: &["https://doc.dovecot.org/2.4.1/core/config/auth/caching.html"],
    judge: dov_007,
};

pub(super) static DOV_010: Check = Check {
    id: "DOV-010",
    title: "The greeting or the ID answer tells version or operating system",
    severity: Severity::Info,
    why: "Scanners collect versions, and look up who has an old one on the day a hole is published.",
    proof: "The effective login_greeting and imap_id_send.",
    fix: "Use a greeting without a version, and imap_id_send with the name only.",
    references: &["RFC 2971 section 4"],
    judge: dov_010,
};

pub(super) static DOV_015: Check = Check {
    id: "DOV-015",
    title: "Connections per user and address are not limited",
    severity: Severity::Low,
    why: "One broken or stolen mail program can take all connections of the server.",
    proof: "The effective mail_max_userip_connections of every protocol.",
    fix: "Set mail_max_userip_connections to 10 to 50.",
    references: &["https://doc.dovecot.org/2.4.1/core/summaries/settings.html#mail_max_userip_connections"],
    judge: dov_015,
};

pub(super) static DOV_025: Check = Check {
    id: "DOV-025",
    title: "Login names may hold any character and become part of paths",
    severity: Severity::Medium,
    why: "A name with a slash or dots may lead to a directory that is not its own, or take a program behind Dovecot by surprise.",
    proof: "An empty effective auth_username_chars, with the user's name in mail_location, mail_path, mail_home or the userdb's home.",
    fix: "Leave auth_username_chars at its default.",
    references: &["https://doc.dovecot.org/2.4.1/core/summaries/settings.html#auth_username_chars"],
    judge: dov_025,
};

/// More than this is no limit: a mail program takes five, a family behind one address fifty.
const MANY: u64 = 100;

/// Longer than the default is meant as something else than a cache.
const HOUR: u64 = 3600;

/// The socket over which failures slow an address down.
const PENALTY: &str = "anvil-auth-penalty";

fn dov_006(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let name = "auth_failure_delay";
    let delay = dovecot.setting(name).unwrap_or_default();
    let mut finding = Finding::new(Severity::Low, "", "failed logins are answered at once");
    let mut remedy = None;
    if seconds(delay) == Some(0) {
        finding = finding.cause(name).seen(dovecot.place(name), format!("{name} = {delay}"));
        remedy = Some(set(server, dovecot, name, "2 secs", "Give the default delay back."));
    }
    if penalty_is_off(dovecot) {
        finding = finding
            .cause(PENALTY)
            .seen("doveconf -n", format!("service anvil: unix_listener {PENALTY} {{ mode = 0 }}"));
        let back = Remedy::new("Give the penalty back.").change(Change::dovecot(
            &["service anvil", "unix_listener anvil-auth-penalty"],
            "mode",
            "0600",
        ));
        remedy = remedy.or_else(|| Some(applied(server, back, "doveconf service/anvil")));
    }
    match remedy {
        Some(remedy) => Ok(finding.remedy(remedy).into()),
        None => pass(format!("auth_failure_delay = {delay}, and the penalty is on")),
    }
}

fn penalty_is_off(dovecot: &Dovecot) -> bool {
    let anvil = dovecot.root().of("service").filter(|service| service.name == "anvil");
    let sockets =
        anvil.flat_map(|service| service.of("unix_listener")).filter(|socket| socket.name == PENALTY);
    sockets.filter_map(|socket| socket.get("mode")).any(|mode| u32::from_str_radix(mode, 8) == Ok(0))
}

fn dov_007(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let (size, ttl) = (dovecot.setting("auth_cache_size").unwrap_or("0"), "auth_cache_negative_ttl");
    if size.starts_with('0') || size.is_empty() {
        return pass("the cache is off (auth_cache_size = 0), so auth_cache_negative_ttl has no effect");
    }
    let value = dovecot.setting(ttl).unwrap_or_default();
    if seconds(value).is_none_or(|seconds| seconds <= HOUR) {
        return pass(format!("{ttl} = {value}"));
    }
    let finding =
        Finding::new(Severity::Low, "", format!("a wrong password is remembered as wrong for {value}"))
            .cause(ttl)
            .seen(dovecot.place(ttl), format!("{ttl} = {value}"))
            .seen(dovecot.place("auth_cache_size"), format!("auth_cache_size = {size}"));
    Ok(finding.remedy(set(server, dovecot, ttl, "1 hours", "Give the default back.")).into())
}

/// What tells a version or a system, out of a text.
fn telling(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let version = lower
        .as_bytes()
        .windows(3)
        .any(|three| matches!(three, [a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit()));
    version
        || ["debian", "ubuntu", "centos", "red hat", "freebsd", "alpine", "linux"]
            .iter()
            .any(|system| lower.contains(system))
}

/// Whether `imap_id_send` sends more than a name: `*`, or `version *`, `os *` (2.3); keys of the list (2.4).
fn id_tells(value: &str) -> Option<&'static str> {
    let words: Vec<_> = value.split_whitespace().collect();
    match words.first() {
        Some(&"*") => Some("everything"),
        _ if words.contains(&"version") => Some("the version"),
        _ if words.contains(&"os") || words.contains(&"os-version") => Some("the operating system"),
        _ => None,
    }
}

fn dov_010(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    // A default, "Dovecot (Debian) ready.", is the packager's word and nothing to change a server for.
    let greeting = dovecot.explicit("login_greeting").filter(|greeting| telling(greeting));
    let id = dovecot.explicit("imap_id_send").and_then(id_tells);
    let mut finding =
        Finding::new(Severity::Info, "", "clients are told more about the software than they need");
    let (name, value) = match (greeting, id) {
        (Some(_), _) => ("login_greeting", "Ready."),
        (None, Some(_)) => ("imap_id_send", if dovecot.is_modern() { "" } else { "name *" }),
        (None, None) => return pass("neither greeting nor ID tells a version"),
    };
    if let Some(greeting) = greeting {
        finding = finding.seen(dovecot.place("login_greeting"), format!("login_greeting = {greeting}"));
    }
    if let Some(what) = id {
        finding = finding
            .seen(dovecot.place("imap_id_send"), format!("{}: tells {what}", dovecot.line("imap_id_send")));
    }
    let remedy = set(server, dovecot, name, value, "Tell clients the name of the software only.");
    Ok(finding.cause(name).remedy(remedy).into())
}

fn dov_015(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let name = "mail_max_userip_connections";
    let unlimited =
        |value: &str| value.parse::<u64>().map_or(value == "unlimited", |limit| limit == 0 || limit > MANY);
    let values = dovecot.values(name);
    let mut finding = Finding::new(Severity::Low, "", "a user may open connections without end").cause(name);
    for value in values.iter().filter(|value| unlimited(value.value)) {
        finding = finding.seen(dovecot.place_in(&value.scope, name), format!("{name} = {}", value.value));
    }
    if finding.evidence.is_empty() {
        return pass(dovecot.line(name));
    }
    Ok(finding
        .remedy(set(server, dovecot, name, "20", "Limit the connections of one user from one address."))
        .into())
}

/// Variables that hold the user's name, in both generations.
const NAMES: [&str; 6] = ["%u", "%n", "%Lu", "%Ln", "%{user", "%{orig_user"];

fn dov_025(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let name = "auth_username_chars";
    if dovecot.setting(name).is_some_and(|chars| !chars.is_empty() && !chars.contains('/')) {
        return pass("auth_username_chars has no character that ends a path's part");
    }
    let settings = ["mail_location", "mail_path", "mail_home"].into_iter();
    let mut paths: Vec<_> = settings
        .filter_map(|name| dovecot.explicit(name).map(|value| (name.to_owned(), value.to_owned())))
        .collect();
    for userdb in dovecot.userdbs() {
        paths.extend(
            userdb
                .fields()
                .into_iter()
                .filter(|field| field.starts_with("home="))
                .map(|field| (userdb.title(), field)),
        );
    }
    paths.retain(|(_, path)| NAMES.iter().any(|variable| path.contains(variable)));
    if paths.is_empty() {
        return pass("no path is made of the login name");
    }
    let chars = dovecot.setting(name).unwrap_or_default();
    let finding = Finding::new(
        Severity::Medium,
        "",
        "any character is allowed in login names, which become parts of paths",
    )
    .cause(name)
    .seen(dovecot.place(name), format!("{name} = {chars}"))
    .all_seen(paths.into_iter().map(|(place, seen)| crate::Evidence { place, seen }));
    let default = dovecot.default(name).unwrap_or_default();
    Ok(finding.remedy(set(server, dovecot, name, default, "Give the default back.")).into())
}
