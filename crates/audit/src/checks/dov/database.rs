//! Where passwords are looked up.

use std::net::IpAddr;

use super::{applied, file};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::dovecot::{Database, Dovecot, Strength, is_yes, strength};
use crate::facts::Known;
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static DOV_011: Check = Check {
    id: "DOV-011",
    title: "Master users may log in from everywhere",
    severity: Severity::High,
    why: "A master user opens everybody's mailbox with one password; guessed or stolen, it is the whole server.",
    proof: "A passdb with master = yes that has accounts, and neither it nor each of its accounts is limited by allow_nets.",
    fix: "Remove master users, or limit them with allow_nets to the host that needs them, with a long random password.",
    references: &["https://doc.dovecot.org/2.4.1/core/config/auth/master_users.html"],
    judge: dov_011,
};

pub(super) static DOV_012: Check = Check {
    id: "DOV-012",
    title: "A password database admits users without a password of their own",
    severity: Severity::Critical,
    why: "Anybody who knows, or invents, a name reads that mailbox and sends mail in its name.",
    proof: "Effective passdbs with nopassword or the driver static that do not pass the login on to another server, accounts with nopassword, and the mechanism ANONYMOUS.",
    fix: "Remove the passdb or field.",
    references: &["https://doc.dovecot.org/2.4.1/core/config/auth/databases/static.html"],
    judge: dov_012,
};

pub(super) static DOV_018: Check = Check {
    id: "DOV-018",
    title: "The default password scheme is weak",
    severity: Severity::Medium,
    why: "New passwords are stored so that whoever gets the file has them within hours.",
    proof: "The scheme that each passdb takes for passwords without one: scheme= (2.3), default_pass_scheme of SQL and LDAP, passdb_default_password_scheme (2.4).",
    fix: "Use ARGON2ID or BLF-CRYPT.",
    references: &["OWASP Password Storage Cheat Sheet", "NIST SP 800-63B section 5.1.1.2"],
    judge: dov_018,
};

pub(super) static DOV_021: Check = Check {
    id: "DOV-021",
    title: "The password database is asked in clear, or its access is readable to all",
    severity: Severity::Medium,
    why: "Passwords, or the password that opens all of them, can be read on the way or by any program of the machine.",
    proof: "Host and TLS options of SQL and LDAP passdbs, and owner and mode of the files that hold their access.",
    fix: "Use TLS or a unix socket, and mode 0600 for the file.",
    references: &[
        "https://doc.dovecot.org/2.4.1/core/config/auth/databases/sql.html",
        "https://doc.dovecot.org/2.4.1/core/config/auth/databases/ldap.html",
    ],
    judge: dov_021,
};

/// Passdbs that let somebody in.
fn admitting(dovecot: &Dovecot) -> impl Iterator<Item = Database> {
    dovecot.passdbs().into_iter().filter(|passdb| !passdb.denies())
}

/// Whether a field says yes: `nopassword`, `nopassword=y`.
fn has(fields: &[String], name: &str) -> bool {
    fields.iter().any(|field| match field.split_once('=') {
        Some((key, value)) => key == name && is_yes(value),
        None => field == name,
    })
}

fn is_limited(fields: &[String]) -> bool {
    fields.iter().any(|field| field.trim_start_matches("passdb_").starts_with("allow_nets="))
}

fn dov_011(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let masters: Vec<_> = dovecot.passdbs().into_iter().filter(Database::is_master).collect();
    if masters.is_empty() {
        return pass("no passdb has master = yes");
    }
    let mut findings = Vec::new();
    for passdb in masters {
        let path = passdb.path().unwrap_or_default();
        let names = match (is_limited(&passdb.fields()), of_file(server, path)) {
            (true, _) => continue,
            (false, Some(accounts)) if accounts.iter().all(|(_, limited)| *limited) => continue,
            (false, Some(accounts)) => {
                accounts.into_iter().filter(|(_, limited)| !limited).map(|(name, _)| name).collect()
            }
            (false, None) => Vec::new(),
        };
        findings.push(unlimited(server, dovecot, &passdb, &names));
    }
    Ok(Outcome::of(findings, "master users are limited to networks, or there are none"))
}

/// The accounts of a file that may log in, and whether each is limited to networks; none where its accounts are not known.
fn of_file(server: &Server<'_>, path: &str) -> Option<Vec<(String, bool)>> {
    let accounts = server.facts.accounts.known()?;
    if path.is_empty() || matches!(server.facts.files.get(path), Some(Known::Unread(_) | Known::Unasked)) {
        return None;
    }
    let of_it = |place: &str| place.rsplit_once(':').map_or(place, |(file, _)| file) == path;
    let own = accounts.iter().filter(|account| of_it(&account.place) && !account.locked);
    Some(own.map(|account| (account.name.clone(), is_limited(&account.extra))).collect())
}

fn unlimited(server: &Server<'_>, dovecot: &Dovecot, passdb: &Database, names: &[String]) -> Finding {
    let who = if names.is_empty() {
        "master users".to_owned()
    } else {
        format!("master user {}", names.join(", "))
    };
    let args = passdb.block.get("args").unwrap_or_default();
    let remedy = Remedy::new(
        "Remove the passdb, or give each master user allow_nets=<address of the host that needs it> as an extra field.",
    );
    Finding::new(
        Severity::High,
        passdb.path().unwrap_or_default(),
        format!("{who} may open every mailbox from any address"),
    )
    .cause("passdb { master = yes }")
    .seen("doveconf -n", format!("{} {{ master = yes, args = {args} }}", passdb.title()))
    .seen(dovecot.place("auth_master_user_separator"), dovecot.line("auth_master_user_separator"))
    .remedy(applied(server, remedy, "doveconf passdb"))
}

fn dov_012(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let mut seen = Vec::new();
    for passdb in admitting(dovecot) {
        let fields = passdb.fields();
        // A proxy passes the password on to a server that asks for it.
        if has(&fields, "proxy") || has(&fields, "proxy_maybe") {
            continue;
        }
        if has(&fields, "nopassword") {
            seen.push(Evidence {
                place: "doveconf -n".to_owned(),
                seen: format!("{} has the field nopassword", passdb.title()),
            });
        } else if passdb.driver == "static" {
            let what = format!("{} gives every name the same password", passdb.title());
            seen.push(Evidence { place: "doveconf -n".to_owned(), seen: what });
        }
    }
    if dovecot
        .setting("auth_mechanisms")
        .is_some_and(|list| list.split_whitespace().any(|one| one.eq_ignore_ascii_case("anonymous")))
    {
        seen.push(Evidence {
            place: dovecot.place("auth_mechanisms"),
            seen: dovecot.line("auth_mechanisms"),
        });
    }
    for account in server
        .facts
        .accounts
        .known()
        .into_iter()
        .flatten()
        .filter(|account| has(&account.extra, "nopassword"))
    {
        seen.push(Evidence {
            place: account.place.clone(),
            seen: format!("{} has the extra field nopassword", account.name),
        });
    }
    let Some(first) = seen.first() else { return pass("every passdb asks for a password of the user's own") };
    let finding =
        Finding::new(Severity::Critical, "", format!("logins need no password of their own: {}", first.seen))
            .cause("passdb");
    let remedy = Remedy::new("Remove the passdb, field or mechanism shown.");
    Ok(finding.all_seen(seen).remedy(applied(server, remedy, "doveconf passdb auth_mechanisms")).into())
}

/// The default scheme of a passdb, and where it is said. That of 2.3 for a passwd-file is CRYPT, which leaves it to each hash.
fn default_scheme(server: &Server<'_>, dovecot: &Dovecot, passdb: &Database) -> Option<(String, String)> {
    let here = |scheme: &str| (scheme.to_owned(), "doveconf -n".to_owned());
    if let Some(scheme) = passdb.scheme() {
        return Some(here(scheme));
    }
    if dovecot.is_modern() {
        return dovecot.explicit("passdb_default_password_scheme").map(here);
    }
    let path = passdb.path().filter(|_| ["sql", "ldap", "dict"].contains(&passdb.driver.as_str()))?;
    let text = server.facts.text(path).ok().flatten()?;
    let (number, value) = option(text, "default_pass_scheme")?;
    Some((value.to_owned(), format!("{path}:{number}")))
}

/// An option of a file of SQL or LDAP settings (2.3), with its line.
fn option<'a>(text: &'a str, name: &str) -> Option<(usize, &'a str)> {
    let lines = (1..).zip(text.lines());
    let found = lines.filter_map(|(number, line)| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| (number, value.trim()))
    });
    found.last()
}

fn dov_018(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let hashed: Vec<_> = admitting(dovecot)
        .filter(|passdb| {
            !["pam", "passwd", "shadow", "bsdauth", "static", "oauth2"].contains(&passdb.driver.as_str())
        })
        .collect();
    if hashed.is_empty() {
        return not_applicable("the system, not Dovecot, keeps the passwords");
    }
    let mut findings = Vec::new();
    let mut sound = Vec::new();
    for passdb in &hashed {
        let Some((scheme, place)) = default_scheme(server, dovecot, passdb) else { continue };
        match strength(&scheme) {
            Some(Strength::Slow) | None => sound.push(scheme),
            Some(_) => findings.push(weak_default(server, dovecot, passdb, &scheme, place)),
        }
    }
    let shown = if sound.is_empty() {
        "no default scheme is set, so each hash names its own".to_owned()
    } else {
        format!("default scheme {}", sound.join(", "))
    };
    Ok(Outcome::of(findings, shown))
}

fn weak_default(
    server: &Server<'_>,
    dovecot: &Dovecot,
    passdb: &Database,
    scheme: &str,
    place: String,
) -> Finding {
    let subject = passdb.path().unwrap_or(&passdb.driver);
    let setting = if dovecot.is_modern() {
        "passdb_default_password_scheme = ARGON2ID"
    } else {
        "scheme=ARGON2ID in args, or default_pass_scheme = ARGON2ID"
    };
    let advice = format!(
        "Give the stored passwords their own scheme ({{{scheme}}} before each), then set {setting}, and hash anew at each change."
    );
    Finding::new(Severity::Medium, subject, format!("passwords without a scheme are taken as {scheme}"))
        .cause(dovecot.name("passdb_default_password_scheme"))
        .seen(place, format!("{}: {scheme}", passdb.title()))
        .remedy(applied(server, Remedy::new(advice), "doveconf passdb"))
}

/// Whether a host is this machine: a unix socket, loopback, `localhost`.
fn is_here(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    bare.is_empty()
        || host.starts_with('/')
        || bare == "localhost"
        || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// How a file of SQL or LDAP settings reaches its server in clear, if it does: the line that shows it.
fn in_clear(driver: &str, text: &str) -> Option<(usize, String)> {
    if driver == "sql" {
        let (number, connect) = option(text, "connect")?;
        let word =
            |key: &str| connect.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        let tls = ["ssl_ca", "ssl_ca_path", "sslmode"]
            .iter()
            .any(|key| word(key).is_some_and(|value| value != "disable"));
        let host = word("host")?;
        return (!is_here(host) && !tls)
            .then(|| (number, format!("connect = host={host} ..., without ssl_ca or sslmode")));
    }
    let starttls = option(text, "tls").is_some_and(|(_, value)| is_yes(value));
    let (number, servers) = option(text, "uris").or_else(|| option(text, "hosts"))?;
    let clear =
        |uri: &str| !uri.starts_with("ldaps://") && !uri.starts_with("ldapi:") && !is_here(host_of(uri));
    (!starttls && servers.split_whitespace().any(clear))
        .then(|| (number, format!("{servers}, without tls = yes")))
}

fn host_of(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or(rest)
}

/// The settings of 2.4, which stand in the main configuration.
fn in_clear_2_4(dovecot: &Dovecot, driver: &str) -> Option<(usize, String)> {
    if driver == "ldap" {
        let uris = dovecot.explicit("ldap_uris")?;
        let clear =
            |uri: &str| !uri.starts_with("ldaps://") && !uri.starts_with("ldapi:") && !is_here(host_of(uri));
        return (!dovecot.is_on("ldap_starttls") && uris.split_whitespace().any(clear))
            .then(|| (0, format!("ldap_uris = {uris}, ldap_starttls = no")));
    }
    let servers = ["mysql", "pgsql"].into_iter().flat_map(|kind| dovecot.root().of(kind));
    servers.filter(|block| !is_here(&block.name)).find_map(|block| {
        let tls = block.get("ssl").is_some_and(is_yes)
            || block
                .of("parameters")
                .any(|parameters| parameters.get("sslmode").is_some_and(|mode| mode != "disable"));
        (!tls).then(|| (0, format!("{} {{ }} without ssl", block.title())))
    })
}

fn dov_021(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let asked: Vec<_> =
        admitting(dovecot).filter(|passdb| ["sql", "ldap"].contains(&passdb.driver.as_str())).collect();
    if asked.is_empty() {
        return not_applicable("no passdb asks SQL or LDAP");
    }
    let mut findings = Vec::new();
    for passdb in &asked {
        let path = if dovecot.is_modern() { dovecot.main() } else { passdb.path().unwrap_or_default() };
        let clear = match server.facts.text(path) {
            _ if dovecot.is_modern() => in_clear_2_4(dovecot, &passdb.driver),
            Ok(Some(text)) => in_clear(&passdb.driver, text),
            Ok(None) => {
                return could_not_tell(format!("{path}, which {} names, does not exist", passdb.title()));
            }
            Err(why) => return Err(why),
        };
        let mut seen: Vec<_> = clear.into_iter().map(|(line, seen)| at(path, line, seen)).collect();
        let holds_access = !dovecot.is_modern();
        seen.extend(server.facts.file(path)?.filter(|file| holds_access && file.mode & 0o004 != 0).map(
            |file| {
                at(
                    path,
                    0,
                    format!(
                        "mode 0{:o}, owner {}: every program can read the access",
                        file.mode & 0o7777,
                        file.owner
                    ),
                )
            },
        ));
        if !seen.is_empty() {
            let advice = format!("Reach the database by a unix socket or TLS, and `chmod 0600 {path}`.");
            let finding = Finding::new(
                Severity::Medium,
                path,
                format!("{} is not safe on its way to the passwords", passdb.title()),
            );
            findings.push(finding.cause(path).all_seen(seen).remedy(applied(
                server,
                Remedy::new(advice).add(file(server), &[]),
                "doveconf passdb",
            )));
        }
    }
    Ok(Outcome::of(
        findings,
        "the database is local or asked with TLS, and its access is not readable to all",
    ))
}

fn at(path: &str, line: usize, seen: String) -> Evidence {
    Evidence { place: if line == 0 { path.to_owned() } else { format!("{path}:{line}") }, seen }
}
