//! Passwords on the wire.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{applied, file, live, set};
use crate::check::{not_applicable, pass};
use crate::dovecot::{Dovecot, Listener, Socket, is_yes};
use crate::facts::MailService;
use crate::plan::Change;
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static DOV_001: Check = Check {
    id: "DOV-001",
    title: "Dovecot takes passwords without TLS",
    severity: Severity::Critical,
    why: "A mail program that does not insist on TLS sends its password readable to everybody on the way, and a stolen mail password opens most other accounts of its owner.",
    proof: "The effective auth_allow_cleartext (2.3: disable_plaintext_auth) and ssl of every protocol and network, where a port without TLS at once is open to others than this machine; and what IMAP and POP3 offer before TLS.",
    fix: "Require TLS with ssl = required, and set auth_allow_cleartext = no (2.3: disable_plaintext_auth = yes).",
    references: &["RFC 8314 section 4.1", "RFC 9051 section 11"],
    judge: dov_001,
};

pub(super) static DOV_002: Check = Check {
    id: "DOV-002",
    title: "Dovecot does not require TLS",
    severity: Severity::Medium,
    why: "Where TLS is only offered, one who sits between client and server takes the offer away, and mail and logins go readable.",
    proof: "The effective ssl of every protocol and network.",
    fix: "Set ssl = required.",
    references: &["RFC 8314 section 4.1"],
    judge: dov_002,
};

pub(super) static DOV_003: Check = Check {
    id: "DOV-003",
    title: "Dovecot trusts networks that clients come from",
    severity: Severity::Critical,
    why: "A client in login_trusted_networks needs no TLS, and may claim any address as its own in the ID command, so bans hit the wrong and logs say nothing.",
    proof: "The width of each network in the effective login_trusted_networks; proxies are single hosts.",
    fix: "List only the addresses of your own proxies and webmail hosts.",
    references: &["https://doc.dovecot.org/2.4.1/core/summaries/settings.html#login_trusted_networks"],
    judge: dov_003,
};

pub(super) static DOV_008: Check = Check {
    id: "DOV-008",
    title: "Ports without TLS at once are open to the world",
    severity: Severity::Low,
    why: "On these ports TLS begins only after a request that one in between can suppress; ports 993 and 995 have no such moment.",
    proof: "Effective listeners of IMAP and POP3 that are reachable from outside, and do not begin with TLS, beside ports that do.",
    fix: "Close them with port = 0 once every mail program uses 993 or 995.",
    references: &["RFC 8314 section 4.1"],
    judge: dov_008,
};

pub(super) static DOV_024: Check = Check {
    id: "DOV-024",
    title: "ManageSieve takes passwords without TLS",
    severity: Severity::High,
    why: "A filter editor that does not insist on TLS sends the mail password readable to everybody on the way.",
    proof: "The effective auth_allow_cleartext and ssl of protocol sieve, where ManageSieve is reachable from outside, and the mechanisms it offers before TLS.",
    fix: "Take the exception for protocol sieve out, or set ssl = required.",
    references: &["RFC 5804 section 2.1"],
    judge: dov_024,
};

/// Whether a password may be sent in clear by the clients of a scope.
///
/// `ssl = required` refuses it whatever `auth_allow_cleartext` says (login-common/client-common.c).
fn takes_cleartext(dovecot: &Dovecot, scope: &str) -> bool {
    let allowed = dovecot.in_scope(scope, "auth_allow_cleartext").is_some_and(is_yes);
    allowed && dovecot.in_scope(scope, "ssl") != Some("required")
}

/// All scopes that have a word in it: the empty one first.
fn scopes(dovecot: &Dovecot) -> BTreeSet<String> {
    let values = ["auth_allow_cleartext", "ssl"].into_iter().flat_map(|name| dovecot.values(name));
    values.map(|value| value.scope).filter(|scope| !is_own_network(scope)).collect()
}

/// `remote 10.0.0.0/8` and the like speak of clients of an own network: webmail, monitoring.
fn is_own_network(scope: &str) -> bool {
    let Some(network) = scope.strip_prefix("remote ") else { return false };
    let address = network.split(['/', ' ']).next().unwrap_or_default();
    address.parse().is_ok_and(|ip| is_private(&ip))
}

fn is_private(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The open ports that do not begin with TLS, and where people log in.
fn plain_ports(dovecot: &Dovecot) -> Vec<Listener> {
    let plain = |listener: &Listener| matches!(listener.socket, Socket::Inet { tls: false, .. });
    let open =
        |listener: &Listener| listener.is_remote() && plain(listener) && listener.service.ends_with("-login");
    dovecot.listeners().into_iter().filter(open).collect()
}

fn ports(listeners: &[Listener]) -> String {
    let port = |listener: &Listener| match listener.socket {
        Socket::Inet { port, .. } => Some(port.to_string()),
        Socket::Unix { .. } => None,
    };
    listeners.iter().filter_map(port).collect::<Vec<_>>().join(", ")
}

fn dov_001(server: &Server<'_>) -> Judged {
    live::joined(configured(server), live::heard(server, &[MailService::Imap, MailService::Pop3]), || {
        let summary = "passwords are taken without TLS, although the configuration does not show it";
        let remedy = Remedy::new(
            "Find what answers on this port: a proxy, another server, or a Dovecot that was not reloaded.",
        );
        Finding::new(Severity::Critical, "", summary).remedy(remedy.apply("doveadm reload"))
    })
}

fn configured(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let open = plain_ports(dovecot);
    if open.is_empty() {
        return pass("every port for logins that others reach begins with TLS");
    }
    let (open_scopes, sound): (Vec<_>, Vec<_>) = scopes(dovecot)
        .into_iter()
        .filter(|scope| scope != "protocol sieve")
        .partition(|scope| takes_cleartext(dovecot, scope));
    if open_scopes.is_empty() {
        let what =
            sound.first().map(|scope| dovecot.in_scope(scope, "ssl").unwrap_or_default()).unwrap_or_default();
        return pass(format!("ssl = {what}, {}", dovecot.line("auth_allow_cleartext")));
    }
    let mut finding = Finding::new(
        Severity::Critical,
        "",
        format!(
            "passwords are taken without TLS on port {} ({})",
            ports(&open),
            dovecot.line("auth_allow_cleartext")
        ),
    )
    .cause(dovecot.name("auth_allow_cleartext"));
    for scope in open_scopes {
        for name in ["auth_allow_cleartext", "ssl"] {
            let value = dovecot.in_scope(&scope, name).unwrap_or_default();
            finding = finding.seen(dovecot.place_in(&scope, name), dovecot.spelled(name, value));
        }
    }
    let remedy =
        set(server, dovecot, "auth_allow_cleartext", "no", "Refuse passwords on connections without TLS.");
    Ok(finding.remedy(remedy).into())
}

fn dov_002(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    if !dovecot
        .listeners()
        .iter()
        .any(|listener| listener.is_remote() && listener.service.ends_with("-login"))
    {
        return not_applicable("Dovecot takes no logins from other machines");
    }
    let values = dovecot.values("ssl");
    let optional: Vec<_> = values
        .iter()
        .filter(|value| value.value != "required" && !is_own_network(&value.scope))
        .filter(|value| !(value.default && dovecot.explicit("ssl").is_some()))
        .collect();
    let Some(first) = optional.first() else { return pass("ssl = required for all") };
    // Passwords are refused in clear even so; what is left is a client's own mistake.
    let severity = if first.value == "no" || takes_cleartext(dovecot, &first.scope) {
        Severity::Medium
    } else {
        Severity::Low
    };
    let finding = Finding::new(
        severity,
        "",
        format!("TLS is {} (ssl = {})", if first.value == "no" { "off" } else { "optional" }, first.value),
    )
    .cause("ssl")
    .all_seen(optional.iter().map(|value| crate::Evidence {
        place: dovecot.place_in(&value.scope, "ssl"),
        seen: format!("ssl = {}", value.value),
    }));
    Ok(finding.remedy(set(server, dovecot, "ssl", "required", "Require TLS before anything else.")).into())
}

/// A network that is more than a few hosts, and how bad that is.
fn width(network: &str) -> Option<Severity> {
    let (address, bits) = network.split_once('/').unwrap_or((network, ""));
    let ip: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
    let whole = if ip.is_ipv4() { 32 } else { 128 };
    let bits: u32 = if bits.is_empty() { whole } else { bits.parse().ok()? };
    let hosts = whole.saturating_sub(bits);
    match (is_private(&ip) && bits > 0, ip.is_loopback() && bits >= 8) {
        (_, true) => None,
        (true, _) => (hosts > 8).then_some(Severity::Medium),
        (false, _) => (hosts > 0).then_some(Severity::Critical),
    }
}

/// Whether Dovecot trusts an address; none is where its configuration is not known.
pub(super) fn is_trusted(server: &Server<'_>, address: &str) -> bool {
    let Ok(dovecot) = server.dovecot() else { return false };
    let networks = dovecot.setting("login_trusted_networks").unwrap_or_default();
    let Ok(address) = address.parse() else { return false };
    networks.split([' ', ',']).any(|network| holds(network, address))
}

/// Whether a network holds an address.
fn holds(network: &str, address: IpAddr) -> bool {
    let (base, bits) = network.split_once('/').unwrap_or((network, ""));
    let Ok(base) = base.parse::<IpAddr>() else { return false };
    let (base, address, whole) = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            (u128::from(base.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => (base.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let host_bits = whole - bits.parse::<u32>().unwrap_or(whole).min(whole);
    base.checked_shr(host_bits) == address.checked_shr(host_bits)
}

fn dov_003(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let name = "login_trusted_networks";
    let mut worst = None;
    let mut wide = Vec::new();
    for value in dovecot.values(name) {
        for network in value.value.split([' ', ',']).filter(|network| !network.is_empty()) {
            if let Some(severity) = width(network) {
                worst = worst.max(Some(severity));
                wide.push((dovecot.place_in(&value.scope, name), network.to_owned()));
            }
        }
    }
    let Some(severity) = worst else {
        return pass(match dovecot.setting(name) {
            None | Some("") => "login_trusted_networks is empty".to_owned(),
            Some(networks) => {
                format!("login_trusted_networks holds single hosts and small own networks only: {networks}")
            }
        });
    };
    let networks: Vec<_> = wide.iter().map(|(_, network)| network.as_str()).collect();
    let finding =
        Finding::new(severity, "", format!("login_trusted_networks trusts {}", networks.join(", ")))
            .cause(name)
            .all_seen(wide.iter().map(|(place, network)| crate::Evidence {
                place: place.clone(),
                seen: format!("{name}: {network}"),
            }));
    let remedy = set(server, dovecot, name, "", "Trust nobody, or name each proxy by its own address.");
    Ok(finding.remedy(remedy).into())
}

fn dov_008(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let listeners = dovecot.listeners();
    // ManageSieve and submission have no other usual port (RFC 5804, RFC 6409).
    let plain: Vec<_> =
        plain_ports(dovecot).into_iter().filter(|listener| has_twin(&listeners, listener)).collect();
    if plain.is_empty() {
        return pass("no port of IMAP or POP3 that others reach begins without TLS");
    }
    let required = dovecot.setting("ssl") == Some("required");
    let severity = if required { Severity::Info } else { Severity::Low };
    let mut finding = Finding::new(
        severity,
        "",
        format!("port {} is open beside the one that begins with TLS", ports(&plain)),
    );
    for listener in &plain {
        let place = if listener.explicit { "doveconf -n" } else { "default of Dovecot" };
        finding = finding.seen(
            place,
            format!("service {} listens on port {}", listener.service, ports(std::slice::from_ref(listener))),
        );
    }
    // The log does not tell on which of its ports a user came, so that nobody but a person can know when it is time.
    let closed = |listener: &Listener| {
        [
            format!("service {} {{", listener.service),
            format!("  inet_listener {} {{", listener.name),
            "    port = 0".to_owned(),
            "  }".to_owned(),
            "}".to_owned(),
        ]
    };
    let lines: Vec<String> = plain.iter().flat_map(closed).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let remedy = Remedy::new("Close the port once no mail program uses it any more: ask your users first.")
        .add(file(server), &lines);
    Ok(finding.remedy(applied(server, remedy, "doveconf -n")).into())
}

fn has_twin(listeners: &[Listener], plain: &Listener) -> bool {
    matches!(plain.service.as_str(), "imap-login" | "pop3-login")
        && listeners.iter().any(|other| {
            other.service == plain.service && matches!(other.socket, Socket::Inet { tls: true, .. })
        })
}

fn dov_024(server: &Server<'_>) -> Judged {
    live::joined(sieve_configured(server), live::heard(server, &[MailService::Sieve]), || {
        let remedy = Remedy::new("Set ssl = required, and have Dovecot read it.");
        Finding::new(Severity::High, "", "ManageSieve takes passwords without TLS")
            .remedy(remedy.apply("doveadm reload"))
    })
}

fn sieve_configured(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let reachable = |listener: &Listener| listener.service == "managesieve-login" && listener.is_remote();
    if !dovecot.listeners().iter().any(reachable) {
        return not_applicable("ManageSieve is not served to other machines");
    }
    let scope = "protocol sieve";
    if !takes_cleartext(dovecot, scope) {
        return pass(format!(
            "ManageSieve: ssl = {}, no password in clear",
            dovecot.in_scope(scope, "ssl").unwrap_or_default()
        ));
    }
    if takes_cleartext(dovecot, "") {
        return not_applicable("the setting holds for every protocol, and DOV-001 tells of it");
    }
    let mut finding = Finding::new(
        Severity::High,
        "",
        "ManageSieve takes passwords without TLS, although the other protocols do not",
    )
    .cause(dovecot.name("auth_allow_cleartext"));
    for name in ["auth_allow_cleartext", "ssl"] {
        let value = dovecot.in_scope(scope, name).unwrap_or_default();
        finding = finding.seen(dovecot.place_in(scope, name), dovecot.spelled(name, value));
    }
    let remedy = Remedy::new("Take the exception out, or say otherwise behind it.")
        .change(dovecot.change(&["protocol sieve"], "auth_allow_cleartext", "no"))
        .change(Change::dovecot(&["protocol sieve"], "ssl", "required"));
    Ok(Outcome::from(finding.remedy(applied(server, remedy, "doveconf -n -f protocol=sieve"))))
}
