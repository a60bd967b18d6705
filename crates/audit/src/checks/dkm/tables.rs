//! Whose mail is signed.

use std::net::IpAddr;

use super::{covers, each_used, record_name, restart};
use crate::check::{not_applicable, pass};
use crate::checks::dmr::aligned;
use crate::checks::dns::{each_domain, untold};
use crate::facts::Known;
use crate::records::address::special;
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static DKM_001: Check = Check {
    id: "DKM-001",
    title: "Mail of a served domain is not signed",
    severity: Severity::High,
    why: "Large providers junk or refuse unsigned mail, and DMARC then hangs on SPF alone, which forwarding breaks.",
    proof: "The signer's tables against the mail domains.",
    fix: "Make a key for the domain, name it in the tables, and publish it.",
    references: &["RFC 6376", "RFC 9989 4.2"],
    judge: dkm_001,
};

fn dkm_001(server: &Server<'_>) -> Judged {
    let keys: &[_] = match &server.facts.dns.signing {
        Known::Is(keys) => keys,
        Known::Absent => elsewhere(server).map(|()| &[][..])?,
        missing => return missing.get().and_then(|_| untold("the signer's tables were not looked at")),
    };
    each_domain(server, "mail of every domain is signed", |dns, domain| {
        if keys.iter().any(|key| key.senders.iter().any(|sender| covers(sender, domain))) {
            return Ok(None);
        }
        if dns.exchangers(domain).is_ok_and(|all| !all.is_empty() && all.iter().all(|(_, host)| host == "."))
        {
            return not_applicable(format!("{domain} does not send"));
        }
        let tables: Vec<&str> = keys.iter().map(|key| key.table.as_str()).collect();
        let seen = if tables.is_empty() {
            "OpenDKIM and Rspamd have no key".to_owned()
        } else {
            format!("{} names no key for it", tables.join(", "))
        };
        Ok(Some(
            Finding::new(Severity::High, domain, format!("mail of {domain} is not signed"))
                .seen("tables of the signer", seen)
                .remedy(sign(domain)),
        ))
    })
}

/// Others that may sign, of which no tables are read.
fn elsewhere(server: &Server<'_>) -> Result<(), Untold> {
    let relay = server.postfix()?.explicit("relayhost").unwrap_or_default();
    if !relay.is_empty() {
        return untold(format!("mail leaves through {relay}, which may sign it"));
    }
    let mut amavis = server.facts.below("/etc/amavis").chain(server.facts.below("/tmp/docker-mailserver"));
    let signs = |text: &str| text.lines().any(|line| line.trim_start().starts_with("dkim_key("));
    if let Some((path, _)) = amavis.find(|(_, file)| file.text.known().is_some_and(|text| signs(text))) {
        return untold(format!("amavis may sign: {path} has dkim_key()"));
    }
    let milters = server.postfix()?.value("smtpd_milters").unwrap_or_default();
    if milters.is_empty() {
        Ok(())
    } else {
        untold(format!("a milter whose keys were not found may sign: {milters}"))
    }
}

fn sign(domain: &str) -> Remedy {
    let command = format!("mailward harden dkim {domain}");
    Remedy::new("Make a key, publish it, then sign with it.").apply(&command).prove(command)
}

pub(super) static DKM_012: Check = Check {
    id: "DKM-012",
    title: "Mail of strangers gets the server's signature",
    severity: Severity::Critical,
    why: "Whoever may hand in mail from such a network has it signed in the domain's name, and it passes DMARC everywhere.",
    proof: "The width of the networks that OpenDKIM signs for, and `sign_inbound` of Rspamd.",
    fix: "List loopback only; what users hand in is signed because they logged in.",
    references: &["RFC 6376 8.7"],
    judge: dkm_012,
};

/// Where the networks that are signed for are listed.
const TRUSTED: &[&str] = &[
    "/etc/opendkim/TrustedHosts",
    "/etc/opendkim/trusted.hosts",
    "/tmp/docker-mailserver/opendkim/TrustedHosts",
];
const RSPAMD: &[&str] = &[
    "/etc/rspamd/local.d/dkim_signing.conf",
    "/etc/rspamd/override.d/dkim_signing.conf",
    "/tmp/docker-mailserver/rspamd/override.d/dkim_signing.conf",
];

fn dkm_012(server: &Server<'_>) -> Judged {
    let text = |path: &str| server.facts.text(path).ok().flatten();
    let named = internal_hosts(text("/etc/opendkim.conf").unwrap_or_default()).into_iter();
    let paths = TRUSTED.iter().copied().chain(named.filter(|path| !TRUSTED.contains(path)));
    let tables: Vec<(&str, &str)> = paths.filter_map(|path| Some((path, text(path)?))).collect();
    let rspamd: Vec<(&str, &str)> = RSPAMD.iter().filter_map(|path| Some((*path, text(path)?))).collect();
    if tables.is_empty() && rspamd.is_empty() {
        // OpenDKIM signs for loopback only where nothing is listed.
        return match server.facts.text("/etc/opendkim.conf")? {
            Some(conf) if !conf.lines().any(|line| line.trim_start().starts_with("InternalHosts")) => {
                pass("OpenDKIM signs for the machine itself only")
            }
            Some(_) => untold("the list that InternalHosts names was not read"),
            None => not_applicable("neither OpenDKIM nor Rspamd signs here"),
        };
    }
    let wide = tables.iter().flat_map(|(path, text)| {
        let lines = text.lines().enumerate().filter(|(_, line)| is_wide(line.trim()));
        lines.map(move |(number, line)| Evidence {
            place: format!("{path}:{}", number + 1),
            seen: line.trim().to_owned(),
        })
    });
    let inbound = rspamd.iter().flat_map(|(path, text)| {
        let is_on = |line: &str| {
            let line: String = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            line.starts_with("sign_inbound=true") || line.starts_with("sign_networks=\"0.0.0.0/0")
        };
        let lines = text.lines().enumerate().filter(move |(_, line)| is_on(line));
        lines.map(move |(number, line)| Evidence {
            place: format!("{path}:{}", number + 1),
            seen: line.trim().to_owned(),
        })
    });
    let found: Vec<Evidence> = wide.chain(inbound).collect();
    let Some(first) = found.first() else {
        return pass("only the machine's and the users' own mail is signed");
    };
    Ok(Finding::new(Severity::Critical, "", format!("mail of strangers is signed: {}", first.seen))
        .cause(first.place.split(':').next().unwrap_or_default())
        .remedy(
            Remedy::new("List loopback only.")
                .edit(
                    first.place.split(':').next().unwrap_or_default(),
                    &[&first.seen],
                    &["127.0.0.1", "::1"],
                )
                .apply(restart(server))
                .prove(format!("cat {}", first.place.split(':').next().unwrap_or_default())),
        )
        .all_seen(found)
        .into())
}

/// The table that `InternalHosts` of opendkim.conf(5) names.
fn internal_hosts(conf: &str) -> Option<&str> {
    let mut values = conf.lines().filter_map(|line| line.trim().strip_prefix("InternalHosts"));
    let value = values.next_back()?.trim();
    Some(value.rsplit_once(':').map_or(value, |(_, path)| path)).filter(|path| path.starts_with('/'))
}

/// Everything, or a public network wider than one provider gives to one customer.
fn is_wide(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default().trim();
    if matches!(line, "*" | "0.0.0.0" | "0/0" | "::/0" | "0.0.0.0/0") {
        return true;
    }
    let Some((address, prefix)) = line.split_once('/') else { return false };
    let (Ok(address), Ok(prefix)) =
        (address.trim_matches(['[', ']']).parse::<IpAddr>(), prefix.parse::<u8>())
    else {
        return false;
    };
    let narrow = if address.is_ipv4() { 16 } else { 32 };
    prefix < narrow && (special(address).is_none() || prefix < 7)
}

pub(super) static DKM_015: Check = Check {
    id: "DKM-015",
    title: "Mail is signed by a domain that is not its own",
    severity: Severity::Medium,
    why: "DMARC counts a signature only when its domain belongs to the From domain.",
    proof: "`d=` of each key against the senders that the table gives it.",
    fix: "Sign each domain with a key of its own.",
    references: &["RFC 9989 4.4.1"],
    judge: dkm_015,
};

fn dkm_015(server: &Server<'_>) -> Judged {
    each_used(server, "every domain signs its own mail", |key| {
        let strangers: Vec<&str> = key
            .senders
            .iter()
            .map(|sender| sender.rsplit_once('@').map_or(sender.as_str(), |(_, domain)| domain))
            .filter(|domain| {
                *domain != "*"
                    && domain.contains('.')
                    && !aligned(domain.trim_start_matches("*."), &key.domain)
            })
            .collect();
        if strangers.is_empty() {
            return Ok(None);
        }
        let strangers = strangers.join(", ");
        Ok(Some(
            Finding::new(
                Severity::Medium,
                record_name(key),
                format!("mail of {strangers} is signed as {}", key.domain),
            )
            .cause(&*key.table)
            .seen(&*key.table, format!("d={} for {strangers}", key.domain))
            .remedy(sign(strangers.split(", ").next().unwrap_or_default())),
        ))
    })
}
