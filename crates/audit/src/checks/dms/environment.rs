//! What the environment file asks for, and what of it comes true.

use crate::check::{could_not_tell, pass};
use crate::dms::{Assignment, Dms, Setting, meant, replaced, variable};
use crate::plan::Change;
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(crate) static DMS_001: Check = Check {
    id: "DMS-001",
    title: "A variable of the environment has no effect",
    severity: Severity::Medium,
    why: "docker-mailserver reads a fixed list of variables and passes over all others in silence, so a protection that was \
          written down and believed in is not there.",
    proof: "Every assignment of the environment files and of `environment:` is compared with the variables that \
            docker-mailserver 15 reads, its value with those that it understands, and both with /etc/dms-settings of the \
            running container.",
    fix: "Take the line out; where its purpose is wanted, write it where it is read: postfix-main.cf, postfix-master.cf or \
          dovecot.cf.",
    references: &["https://docker-mailserver.github.io/docker-mailserver/latest/config/environment/"],
    judge: dms_001,
};

fn dms_001(server: &Server<'_>) -> Judged {
    let dms = server.dms()?;
    let set = dms.environment()?.len();
    let mut findings = unknown(dms);
    findings.extend(dangerous(dms));
    findings.extend(misunderstood(dms));
    findings.extend(pending(dms));
    Ok(Outcome::of(findings, format!("all {set} assignments are of variables that docker-mailserver reads")))
}

/// Names that nobody reads: those that meant security apart from the others.
fn unknown(dms: &Dms) -> Vec<Finding> {
    let (grave, light): (Vec<&Assignment>, Vec<&Assignment>) =
        dms.unknown().partition(|set| means_security(&set.name));
    let mut findings = Vec::new();
    if !grave.is_empty() {
        findings.push(unread(Severity::High, "security", &grave));
    }
    if !light.is_empty() {
        findings.push(unread(Severity::Medium, "other", &light));
    }
    findings
}

fn unread(severity: Severity, subject: &str, sets: &[&Assignment]) -> Finding {
    let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
    let file = file_of(sets);
    let mut advice: Vec<String> = sets.iter().filter_map(|set| place_for(set)).collect();
    advice.dedup();
    let advice =
        format!("Take the lines out.{}{}", if advice.is_empty() { "" } else { " " }, advice.join(" "));
    let told = if names.len() == 1 {
        "is read by nobody and does nothing"
    } else {
        "are read by nobody and do nothing"
    };
    Finding::new(severity, subject, format!("{} {told}", names.join(", ")))
        .cause(file.clone())
        .all_seen(sets.iter().map(|set| Evidence {
            place: set.place.clone(),
            seen: format!("{}: docker-mailserver has no such variable", set.line.trim()),
        }))
        .remedy(
            Remedy::new(advice)
                .changes(sets.iter().map(|set| Change::Variable { name: set.name.clone(), value: None }))
                .prove("docker exec mailserver cat /etc/dms-settings"),
        )
}

/// The file that the first of these lines is in.
fn file_of(sets: &[&Assignment]) -> String {
    let place = sets.first().map_or("mailserver.env", |set| set.place.as_str());
    place.rsplit_once(':').map_or(place, |(file, _)| file).to_owned()
}

/// Where what a line means would be read; nothing for what must not be applied.
fn place_for(set: &Assignment) -> Option<String> {
    let name = &set.name;
    if let Some(instead) = replaced(name) {
        return Some(if instead.is_empty() {
            format!("`{name}` belonged to earlier releases.")
        } else {
            format!("`{name}` belonged to earlier releases: write `{instead}`.")
        });
    }
    if let Some(known) = meant(name) {
        return Some(format!("`{name}` is probably meant to be `{known}`."));
    }
    if harm(set).is_some() || name.contains("TLS") || name.contains("SSL") {
        return (name.contains("TLS") || name.contains("SSL"))
            .then(|| "`TLS_LEVEL=modern`, the default, already demands TLS 1.2.".to_owned());
    }
    let (file, setting) = own_name(name)?;
    Some(format!("If `{name}` is wanted, write `{setting} = {}` into {file}.", set.value))
}

/// The setting that a name is made of, and the override file for it.
fn own_name(name: &str) -> Option<(&'static str, String)> {
    if let Some(rest) = name.strip_prefix("POSTFIX_") {
        return Some(("postfix-main.cf", rest.to_ascii_lowercase()));
    }
    name.strip_prefix("DOVECOT_").map(|rest| ("dovecot.cf", rest.to_ascii_lowercase()))
}

fn means_security(name: &str) -> bool {
    if meant(name).is_some_and(|known| known != name && is_protection(known)) {
        return true;
    }
    let words = [
        "TLS",
        "SSL",
        "CIPHER",
        "AUTH",
        "PASSW",
        "SPOOF",
        "FAIL2BAN",
        "BAN",
        "SECUR",
        "RESTRICT",
        "REJECT",
        "RATE_LIMIT",
        "RATELIMIT",
        "DKIM",
        "DMARC",
        "SPF",
        "FIREWALL",
        "BLOCK",
        "RELAY",
        "DNSBL",
        "RBL",
        "LOCKOUT",
        "MTA_STS",
        "DANE",
    ];
    words.iter().any(|word| name.contains(word))
}

fn is_protection(name: &str) -> bool {
    let protections = [
        "ENABLE_FAIL2BAN",
        "SPOOF_PROTECTION",
        "PERMIT_DOCKER",
        "TLS_LEVEL",
        "SSL_TYPE",
        "ENABLE_DNSBL",
        "ENABLE_CLAMAV",
        "ENABLE_OPENDKIM",
        "ENABLE_OPENDMARC",
        "ENABLE_POLICYD_SPF",
        "POSTSCREEN_ACTION",
        "ENABLE_MTA_STS",
    ];
    protections.contains(&name)
}

/// What lines that have no effect would do if somebody wrote them where they are read.
fn dangerous(dms: &Dms) -> Option<Finding> {
    let harms: Vec<(&Assignment, &str)> = dms.unknown().filter_map(|set| Some((set, harm(set)?))).collect();
    let (first, _) = harms.first()?;
    let seen = harms.iter().map(|(set, harm)| Evidence {
        place: set.place.clone(),
        seen: format!("{}: {harm}", set.line.trim()),
    });
    let summary =
        "Lines that have no effect would do harm if they were written where they are read".to_owned();
    Some(
        Finding::new(Severity::Info, "harmful if applied", summary)
            .cause(file_of(&[first]))
            .all_seen(seen)
            .remedy(Remedy::new("Do not move these lines to postfix-main.cf or dovecot.cf; take them out.")),
    )
}

fn harm(set: &Assignment) -> Option<&'static str> {
    let (_, setting) = own_name(&set.name)?;
    let value = set.value.as_str();
    match setting.as_str() {
        "smtpd_tls_security_level" if value == "encrypt" => Some(
            "port 25 would refuse servers without STARTTLS (530 5.7.0), which RFC 3207 forbids for a public server",
        ),
        "smtp_tls_security_level" if value == "encrypt" => {
            Some("mail to every domain without TLS would be deferred until it comes back")
        }
        "smtpd_tls_protocols"
        | "smtp_tls_protocols"
        | "smtpd_tls_mandatory_protocols"
        | "smtp_tls_mandatory_protocols"
        | "ssl_protocols"
            if only_excludes_ssl(value) =>
        {
            Some("TLS 1.0 and 1.1, which are off now, would be allowed again")
        }
        "ssl_min_protocol" if value.starts_with("TLSv1") && !matches!(value, "TLSv1.2" | "TLSv1.3") => {
            Some("TLS 1.0 and 1.1, which are off now, would be allowed again")
        }
        _ => None,
    }
}

/// Whether a protocol list takes out SSL and leaves the old versions of TLS in.
fn only_excludes_ssl(value: &str) -> bool {
    let words: Vec<&str> = value.split([',', ' ']).filter(|word| !word.is_empty()).collect();
    let old = ["!TLSv1", "!TLSv1.1"];
    !words.is_empty()
        && words.iter().all(|word| word.starts_with('!'))
        && !old.iter().all(|word| words.contains(word))
}

/// Values that docker-mailserver does not understand; it then takes them for the default or for off.
fn misunderstood(dms: &Dms) -> Vec<Finding> {
    let wrong = dms.environment().unwrap_or_default().iter().filter(|set| {
        let last = dms.assigned(&set.name).is_some_and(|last| last.place == set.place);
        let values = variable(&set.name)
            .filter(|_| !set.name.ends_with("__FILE"))
            .map_or(&[][..], |known| known.values);
        last && !values.is_empty() && !set.value.is_empty() && !values.contains(&set.value.as_str())
    });
    wrong
        .map(|set| {
            let severity = if is_protection(&set.name) { Severity::High } else { Severity::Medium };
            let values = variable(&set.name).map_or(&[][..], |known| known.values).join("`, `");
            let summary =
                format!("{} is `{}`, which docker-mailserver does not understand", set.name, set.value);
            Finding::new(severity, set.name.clone(), summary)
                .cause(set.place.clone())
                .seen(set.place.clone(), format!("{}; it understands `{values}`", set.line.trim()))
                .remedy(recreate(format!("Give {} one of `{values}`.", set.name)))
        })
        .collect()
}

/// Variables whose new value the running container does not have.
fn pending(dms: &Dms) -> Option<Finding> {
    let late: Vec<(Setting, &str)> = dms
        .environment()
        .unwrap_or_default()
        .iter()
        .filter(|set| dms.assigned(&set.name).is_some_and(|last| last.place == set.place))
        .filter_map(|set| {
            let known = variable(&set.name).filter(|_| !set.name.ends_with("__FILE"))?;
            let running = dms.running(&set.name)?;
            let wanted = dms.setting(&set.name).ok()?;
            // What is set to nothing may get its value from the host name when the container is made.
            let told = !set.value.is_empty() || !known.default.is_empty();
            (told && wanted.value != running).then_some((wanted, running))
        })
        .collect();
    if late.is_empty() {
        return None;
    }
    let names: Vec<&str> = late.iter().filter_map(|(wanted, _)| wanted.seen.split('=').next()).collect();
    let summary = format!("The running container was created before {} changed", names.join(", "));
    let seen = late.iter().map(|(wanted, running)| Evidence {
        place: wanted.place.clone(),
        seen: format!("{}; the container has `{running}`", wanted.seen),
    });
    let advice = "Create the container anew: a restart applies nothing.".to_owned();
    Some(
        Finding::new(Severity::Medium, "not in force", summary)
            .cause("container")
            .all_seen(seen)
            .remedy(recreate(advice)),
    )
}

pub(crate) static DMS_003: Check = Check {
    id: "DMS-003",
    title: "SSL_TYPE gives no certificate that clients can trust",
    severity: Severity::High,
    why: "Without SSL_TYPE docker-mailserver has no TLS and takes passwords in clear text; with a self-signed certificate every \
          client has to be taught to ignore warnings, and then ignores those about an attacker too.",
    proof: "The value of SSL_TYPE.",
    fix: "Set SSL_TYPE=letsencrypt, or manual with SSL_CERT_PATH and SSL_KEY_PATH.",
    references: &[
        "https://docker-mailserver.github.io/docker-mailserver/latest/config/security/ssl/",
        "RFC 8314",
    ],
    judge: dms_003,
};

fn dms_003(server: &Server<'_>) -> Judged {
    let kind = server.dms()?.setting("SSL_TYPE")?;
    let summary = match kind.value.as_str() {
        "" => "SSL_TYPE is empty: there is no TLS, and passwords travel in clear text",
        "self-signed" => "SSL_TYPE is self-signed: no client can tell this server from an attacker's",
        other => return pass(format!("SSL_TYPE={other} ({})", kind.place)),
    };
    let remedy = recreate("Use a certificate of a public authority.".to_owned())
        .add("mailserver.env", &["SSL_TYPE=letsencrypt"]);
    Ok(Finding::new(Severity::High, "", summary)
        .cause("SSL_TYPE")
        .seen(kind.place, kind.seen)
        .remedy(remedy)
        .into())
}

pub(crate) static DMS_004: Check = Check {
    id: "DMS-004",
    title: "PERMIT_DOCKER lets Docker networks send without a login",
    severity: Severity::High,
    why: "Whoever comes from a Docker network may relay; behind Docker's proxy, IPv6 translation or rootless networking that is \
          everybody on the Internet, and the server is an open relay.",
    proof: "The value of PERMIT_DOCKER.",
    fix: "Set PERMIT_DOCKER=none and let neighbouring containers log in.",
    references: &["https://github.com/docker-mailserver/docker-mailserver/issues/1405"],
    judge: dms_004,
};

fn dms_004(server: &Server<'_>) -> Judged {
    let permit = server.dms()?.setting("PERMIT_DOCKER")?;
    let (severity, who) = match permit.value.as_str() {
        "host" | "network" | "connected-networks" => {
            (Severity::High, "every address of its Docker networks, gateways included")
        }
        "container" => (Severity::Low, "the container's own address"),
        _ => return pass(format!("PERMIT_DOCKER={} ({})", permit.value, permit.place)),
    };
    let summary = format!("PERMIT_DOCKER={} lets {who} send without a login", permit.value);
    let networks = networks(server);
    let remedy = edit("PERMIT_DOCKER", "none", "Demand a login of everybody.");
    let finding = Finding::new(severity, "", summary).cause("PERMIT_DOCKER").seen(permit.place, permit.seen);
    Ok(finding.all_seen(networks).remedy(remedy).into())
}

fn networks(server: &Server<'_>) -> Option<Evidence> {
    let seen = configured(server, "mynetworks")?;
    Some(Evidence { place: "postconf -n".to_owned(), seen: format!("mynetworks = {seen}") })
}

/// A parameter of main.cf as `postconf -n` prints it, one that the configuration defined itself included.
fn configured<'a>(server: &'a Server<'_>, name: &str) -> Option<&'a str> {
    let printed = server.facts.output("postconf -n").ok()?;
    printed.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    })
}

pub(crate) static DMS_005: Check = Check {
    id: "DMS-005",
    title: "SPOOF_PROTECTION is off: every account may send as anybody",
    severity: Severity::High,
    why: "One stolen password is enough to send as the managing director, with a valid DKIM signature.",
    proof: "SPOOF_PROTECTION of the running container, and whether the senders' restrictions of submission compare login and \
            sender address.",
    fix: "Set SPOOF_PROTECTION=1, and give shared addresses to their users by aliases.",
    references: &["https://www.postfix.org/postconf.5.html#reject_authenticated_sender_login_mismatch"],
    judge: dms_005,
};

fn dms_005(server: &Server<'_>) -> Judged {
    let dms = server.dms()?;
    let set = dms.in_force("SPOOF_PROTECTION")?;
    let restrictions = configured(server, "mua_sender_restrictions");
    if let Some(list) = restrictions.filter(|list| list.contains("sender_login_mismatch")) {
        return pass(format!("mua_sender_restrictions = {list}"));
    }
    if set.is_on() {
        return match restrictions {
            None => pass(format!("{} ({})", set.seen, set.place)),
            Some(list) => could_not_tell(format!(
                "SPOOF_PROTECTION is 1, but mua_sender_restrictions = {list} does not compare login and sender"
            )),
        };
    }
    let wanted = dms.setting("SPOOF_PROTECTION")?;
    let summary = "SPOOF_PROTECTION is off: every account may send as any address".to_owned();
    let mut finding = Finding::new(Severity::High, "", summary).cause("SPOOF_PROTECTION");
    if wanted.place != set.place {
        finding = finding.seen(wanted.place.clone(), wanted.seen.clone());
    }
    finding = finding.seen(set.place, set.seen);
    if let Some(list) = restrictions {
        let lacks =
            format!("mua_sender_restrictions = {list} lacks reject_authenticated_sender_login_mismatch");
        finding = finding.seen("postconf -n", lacks);
    }
    let remedy = edit("SPOOF_PROTECTION", "1", "Let an account send as its own addresses and aliases only.")
        .prove("docker exec mailserver postconf -h mua_sender_restrictions");
    Ok(finding.remedy(remedy).into())
}

pub(crate) static DMS_007: Check = Check {
    id: "DMS-007",
    title: "Rspamd runs together with what it replaces",
    severity: Severity::Medium,
    why: "Mail is signed, judged and greylisted twice: results contradict each other, memory is spent twice, and a second DKIM \
          signature may be broken by the first filter.",
    proof: "ENABLE_RSPAMD together with ENABLE_AMAVIS, ENABLE_OPENDKIM, ENABLE_OPENDMARC, ENABLE_POLICYD_SPF or ENABLE_POSTGREY; \
            the first four are on unless they are switched off.",
    fix: "Set the older ones to 0.",
    references: &["https://docker-mailserver.github.io/docker-mailserver/latest/config/security/rspamd/"],
    judge: dms_007,
};

fn dms_007(server: &Server<'_>) -> Judged {
    let dms = server.dms()?;
    let rspamd = dms.setting("ENABLE_RSPAMD")?;
    if !rspamd.is_on() {
        return pass("Rspamd is off");
    }
    let older =
        ["ENABLE_AMAVIS", "ENABLE_OPENDKIM", "ENABLE_OPENDMARC", "ENABLE_POLICYD_SPF", "ENABLE_POSTGREY"];
    let mut on = Vec::new();
    for name in older {
        let setting = dms.setting(name)?;
        if setting.is_on() {
            on.push((name, setting));
        }
    }
    if on.is_empty() {
        return pass("Rspamd alone is on");
    }
    let names: Vec<&str> = on.iter().map(|(name, _)| *name).collect();
    let summary = format!("Rspamd runs together with {}", names.join(", "));
    let remedy = recreate("Leave the work to Rspamd; sign with its own DKIM keys.".to_owned())
        .changes(names.iter().map(|name| Change::variable(name, "0")));
    Ok(Finding::new(Severity::Medium, "", summary)
        .cause("ENABLE_RSPAMD")
        .seen(rspamd.place, rspamd.seen)
        .all_seen(on.into_iter().map(|(_, setting)| Evidence { place: setting.place, seen: setting.seen }))
        .remedy(remedy)
        .into())
}

/// A remedy that needs a new container.
pub(super) fn recreate(advice: String) -> Remedy {
    Remedy::new(advice)
        .apply("docker compose up -d --force-recreate")
        .prove("docker exec mailserver cat /etc/dms-settings")
}

/// Sets a variable to another value.
fn edit(name: &str, value: &str, advice: &str) -> Remedy {
    recreate(advice.to_owned()).change(Change::variable(name, value))
}
