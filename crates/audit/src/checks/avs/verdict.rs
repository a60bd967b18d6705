//! What filters let pass by decision, and who may reach them.

use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Listener;
use crate::plan::Change;
use crate::{Check, Evidence, Facts, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

use super::config::{Line, amavis, assigned, block, list, rspamd, setting, spamassassin};

pub(crate) static AVS_010: Check = Check {
    id: "AVS-010",
    title: "The limits of the spam filter are so high that nothing is stopped",
    severity: Severity::Medium,
    why: "Plain spam scores between 6 and 20; what lies beyond hardly occurs.",
    proof: "sa_tag2_level_deflt and sa_kill_level_deflt of amavis, SA_TAG2 and SA_KILL of docker-mailserver, required_score of \
            SpamAssassin, the actions of Rspamd.",
    fix: "Go back to the defaults.",
    references: &["https://docs.rspamd.com/configuration/metrics/"],
    judge: avs_010,
};

/// What marks spam is at most this in honest configurations, and what refuses it at most that.
const MARKS: f64 = 12.0;
const REFUSES: f64 = 30.0;

fn avs_010(server: &Server<'_>) -> Judged {
    let limits = limits(server)?;
    let high: Vec<_> = limits.iter().filter(|(_, _, value, most)| value > most).collect();
    if high.is_empty() {
        let shown: Vec<String> = limits.iter().map(|(_, text, _, _)| text.clone()).collect();
        return pass(shown.join(", "));
    }
    let seen = high.iter().map(|(place, text, _, most)| Evidence {
        place: place.clone(),
        seen: format!("{text}; beyond {most} hardly any spam scores"),
    });
    let names: Vec<&str> = high.iter().map(|(_, text, _, _)| text.as_str()).collect();
    let remedy = Remedy::new("Go back to the defaults: mark at 6.31, refuse or hold at 10 to 15.")
        .prove("grep -i spam /var/log/mail.log");
    let summary = format!("The limits of the spam filter stop nothing: {}", names.join(", "));
    Ok(Finding::new(Severity::Medium, "", summary).cause("limits").all_seen(seen).remedy(remedy).into())
}

/// Place, text, value and the most that makes sense.
fn limits(server: &Server<'_>) -> Result<Vec<(String, String, f64, f64)>, Untold> {
    let facts = server.facts;
    let mut limits = Vec::new();
    let mut add = |place: String, name: &str, value: &str, most: f64| {
        limits
            .extend(value.parse().ok().map(|number: f64| (place, format!("{name} = {value}"), number, most)));
    };
    if let Ok(dms) = server.dms() {
        if dms.in_force("ENABLE_SPAMASSASSIN")?.is_on() {
            for (name, most) in [("SA_TAG2", MARKS), ("SA_KILL", REFUSES)] {
                let set = dms.in_force(name)?;
                add(set.place, name, &set.value, most);
            }
        }
    } else if let Ok(lines) = amavis(facts) {
        for (name, most) in [("$sa_tag2_level_deflt", MARKS), ("$sa_kill_level_deflt", REFUSES)] {
            if let Some((line, value)) = assigned(&lines, name) {
                add(line.place.clone(), name, value, most);
            }
        }
    } else {
        for line in spamassassin(facts) {
            if let Some(value) = line.text.strip_prefix("required_score ") {
                add(line.place.clone(), "required_score", value.trim(), MARKS);
            }
        }
    }
    if let Some(actions) = rspamd(facts).and_then(|dump| block(dump, "actions")) {
        for (name, most) in [("add_header", MARKS), ("reject", REFUSES)] {
            if let Some(value) = setting(actions, name) {
                add("rspamadm configdump".to_owned(), name, value, most);
            }
        }
    }
    if limits.is_empty() {
        return could_not_tell("no spam filter's limits are known");
    }
    Ok(limits)
}

pub(crate) static AVS_011: Check = Check {
    id: "AVS-011",
    title: "An allow-list trusts senders that anybody can forge",
    severity: Severity::High,
    why: "The sender of a mail is what its writer says; an allow-list of a free-mail provider or of our own domain by name lets every \
          forger past the filter.",
    proof: "whitelist_from and welcomelist_from of SpamAssassin, and amavis' lists, for free-mail providers, our own domains and \
            everybody.",
    fix: "Use welcomelist_auth, which demands DKIM or SPF, or welcomelist_from_rcvd.",
    references: &["Mail::SpamAssassin::Conf(3) welcomelist_auth"],
    judge: avs_011,
};

const FREE_MAIL: &[&str] = &[
    "aol.com",
    "fastmail.com",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "orange.fr",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "t-online.de",
    "web.de",
    "yahoo.com",
    "yahoo.de",
    "yandex.ru",
];

fn avs_011(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let rules = spamassassin(facts);
    let lines = amavis(facts).unwrap_or_default();
    if rules.is_empty() && lines.is_empty() {
        return could_not_tell("neither SpamAssassin's nor amavis' files were looked at");
    }
    let own = own_domains(facts);
    let forgeable: Vec<(String, &str, &str)> = rules
        .iter()
        .filter_map(|line| {
            let rest = ["whitelist_from ", "welcomelist_from "]
                .iter()
                .find_map(|word| line.text.strip_prefix(word))?;
            let who = rest.split_whitespace().find(|who| is_forgeable(who, &own))?;
            Some((line.place.clone(), line.text, who))
        })
        .chain(amavis_lists(&lines, &own))
        .collect();
    if forgeable.is_empty() {
        return pass("no allow-list trusts a free-mail provider or our own domains by name");
    }
    let who: Vec<&str> = forgeable.iter().map(|(_, _, who)| *who).collect();
    let summary = format!("Allow-lists let past whoever writes as {}", who.join(", "));
    let seen =
        forgeable.iter().map(|(place, text, _)| Evidence { place: place.clone(), seen: (*text).to_owned() });
    let remove: Vec<&str> = forgeable.iter().map(|(_, text, _)| *text).collect();
    let add: Vec<String> = who.iter().map(|who| format!("welcomelist_auth {who}")).collect();
    let add: Vec<&str> = add.iter().map(String::as_str).collect();
    let file = forgeable.first().and_then(|(place, ..)| place.rsplit_once(':')).map_or("", |(file, _)| file);
    let remedy = Remedy::new("Trust the sender only where DKIM or SPF proves it.")
        .change(Change::lines(file, &remove, &add))
        .prove("spamassassin --lint");
    Ok(Finding::new(Severity::High, "", summary).cause("whitelist_from").all_seen(seen).remedy(remedy).into())
}

fn own_domains(facts: &Facts) -> Vec<String> {
    let accounts = facts.accounts.known().into_iter().flatten();
    let domains = accounts.filter_map(|account| Some(account.name.rsplit_once('@')?.1.to_owned()));
    domains.chain(facts.dns.domains.iter().cloned()).collect()
}

fn is_forgeable(who: &str, own: &[String]) -> bool {
    let whole = who
        .strip_prefix("*@")
        .or_else(|| who.strip_prefix('@'))
        .or_else(|| who.strip_prefix("*."))
        .unwrap_or_default();
    who == "*" || who == "*@*" || FREE_MAIL.contains(&whole) || own.iter().any(|domain| domain == whole)
}

/// Entries of amavis' soft and hard lists written in its files.
fn amavis_lists<'a>(
    lines: &'a [Line<'a>],
    own: &'a [String],
) -> impl Iterator<Item = (String, &'a str, &'a str)> {
    lines.iter().filter_map(move |line| {
        let lists = ["@whitelist_sender_acl", "%whitelist_sender", "@score_sender_maps"];
        if !lists.iter().any(|list| line.text.starts_with(list)) {
            return None;
        }
        let words = line.text.split(|c: char| !(c.is_ascii_alphanumeric() || ".@*-_".contains(c)));
        let who = words.into_iter().find(|who| {
            let domain = who.trim_start_matches(['.', '@', '*']);
            FREE_MAIL.contains(&domain) || own.iter().any(|own| own == domain)
        })?;
        Some((line.place.clone(), line.text, who))
    })
}

pub(crate) static AVS_012: Check = Check {
    id: "AVS-012",
    title: "Rspamd's control interface is open to others",
    severity: Severity::Critical,
    why: "Whoever reaches it reads who writes to whom, teaches the filter what spam is, and changes its rules.",
    proof: "The controller's bind_socket, secure_ip and password in Rspamd's configuration.",
    fix: "Bind it to localhost, set a password that rspamadm pw hashed, and trust no network.",
    references: &["https://docs.rspamd.com/workers/controller/"],
    judge: avs_012,
};

fn avs_012(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let Some(dump) = rspamd(facts) else {
        return match server.dms().and_then(|dms| dms.in_force("ENABLE_RSPAMD")) {
            Ok(set) if !set.is_on() => not_applicable("Rspamd is off"),
            _ => could_not_tell("Rspamd's configuration was not read"),
        };
    };
    let Some(controller) = block(dump, "controller") else { return not_applicable("there is no controller") };
    let sockets = list(controller, "bind_socket");
    let wide: Vec<&str> = sockets.iter().copied().filter(|socket| !is_own(socket)).collect();
    let trusts: Vec<&str> = list(controller, "secure_ip")
        .into_iter()
        .filter(|network| network.ends_with("/0") || *network == "0.0.0.0")
        .collect();
    let password = setting(controller, "password").unwrap_or_default();
    let weak = password.is_empty() || matches!(password, "q1" | "q2" | "password" | "admin" | "changeme");
    // A container shows only what it publishes.
    let published = server.dms().is_ok_and(|dms| {
        dms.compose().is_ok_and(|compose| compose.ports().iter().any(|port| port.container == 11_334))
    });
    let reachable = server.dms().is_err() || published;
    if wide.is_empty() || !reachable || !weak && trusts.is_empty() {
        return pass(format!("the controller listens on {} and asks for a password", sockets.join(", ")));
    }
    let mut finding = Finding::new(Severity::Critical, "", "Rspamd's controller can be used from outside")
        .cause("worker controller")
        .seen("rspamadm configdump", format!("bind_socket = {}", wide.join(", ")));
    if weak {
        let what = if password.is_empty() {
            "no password is set"
        } else {
            "the password is one that everybody knows"
        };
        finding = finding.seen("rspamadm configdump", what);
    }
    if !trusts.is_empty() {
        finding = finding.seen(
            "rspamadm configdump",
            format!("secure_ip = {}: no password is asked of anybody", trusts.join(", ")),
        );
    }
    let remedy = Remedy::new("Bind it to localhost, and set a password.")
        .add(
            "/etc/rspamd/local.d/worker-controller.inc",
            &["bind_socket = \"localhost:11334\";", "password = \"(from rspamadm pw)\";"],
        )
        .apply("systemctl restart rspamd")
        .prove("ss -tln sport = :11334");
    Ok(finding.remedy(remedy).into())
}

fn is_own(socket: &str) -> bool {
    ["localhost", "127.", "[::1]", "::1", "/"].iter().any(|own| socket.starts_with(own))
}

pub(crate) static AVS_013: Check = Check {
    id: "AVS-013",
    title: "A helper of the filter listens to the network",
    severity: Severity::High,
    why: "Redis gives away and changes what the filter learnt and can write files; clamd, spamd and policy daemons do work for \
          anybody, can be told to stop, and trust whoever connects.",
    proof: "Sockets of clamd, spamd, Postgrey and policy daemons that listen beyond loopback, and a Redis that listens there without \
            a password.",
    fix: "Bind them to 127.0.0.1 or to a unix socket.",
    references: &["https://redis.io/docs/latest/operate/oss_and_stack/management/security/"],
    judge: avs_013,
};

/// Ports of helpers. Whether a stranger reaches Redis, databases and re-injection is told by the firewall's check.
pub(crate) const HELPERS: &[(u16, &str)] =
    &[(783, "spamd"), (3310, "clamd"), (7777, "iRedAPD"), (10_023, "Postgrey"), (10_031, "policyd")];

fn avs_013(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let listeners = facts.host.listeners.get()?;
    let wide = |listener: &&Listener| listener.protocol == "tcp" && !is_own(&listener.address);
    let mut findings: Vec<Finding> = Vec::new();
    for listener in listeners.iter().filter(wide) {
        let helper = HELPERS.iter().find(|(port, _)| *port == listener.port).map(|(_, name)| *name);
        let redis = (listener.port == 6379 && !has_password(facts)).then_some("Redis without a password");
        if let Some(name) = helper.or(redis) {
            let summary = format!("{name} listens on {}:{}", listener.address, listener.port);
            let finding = Finding::new(Severity::High, format!("port {}", listener.port), summary.clone())
                .cause(listener.program.clone())
                .seen(
                    format!("{}:{}", listener.address, listener.port),
                    format!("listens ({})", listener.program),
                )
                .remedy(
                    Remedy::new("Bind it to 127.0.0.1 or to a unix socket.")
                        .prove(format!("ss -tln sport = :{}", listener.port)),
                );
            if !findings.iter().any(|known| known.subject == finding.subject) {
                findings.push(finding);
            }
        }
    }
    Ok(Outcome::of(findings, "the filter's helpers listen on loopback only"))
}

fn has_password(facts: &Facts) -> bool {
    let text = facts.text("/etc/redis/redis.conf").ok().flatten().unwrap_or_default();
    text.lines().any(|line| ["requirepass ", "user "].iter().any(|word| line.trim().starts_with(word)))
}

pub(crate) static AVS_015: Check = Check {
    id: "AVS-015",
    title: "The filter takes the whole Internet for its own network",
    severity: Severity::High,
    why: "Mail of own networks is not judged, or judged kindly; with everybody in them the filter is off.",
    proof: "@mynetworks of amavis and local_addrs of Rspamd.",
    fix: "Name the exact networks.",
    references: &["https://docs.rspamd.com/configuration/options/"],
    judge: avs_015,
};

fn avs_015(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let lines = amavis(facts);
    let dump = rspamd(facts);
    let all = |text: &str| text.contains("0.0.0.0/0") || text.contains("::/0");
    let mut seen = Vec::new();
    if let Some((line, _)) = lines
        .as_ref()
        .ok()
        .and_then(|lines| assigned(lines, "@mynetworks"))
        .filter(|(line, _)| all(line.text))
    {
        seen.push(Evidence { place: line.place.clone(), seen: line.text.to_owned() });
    }
    if let Some(options) = dump.and_then(|dump| block(dump, "options")) {
        let networks = list(options, "local_addrs");
        if networks.iter().any(|network| all(network)) {
            seen.push(Evidence {
                place: "rspamadm configdump".to_owned(),
                seen: format!("local_addrs = {}", networks.join(", ")),
            });
        }
    }
    if !seen.is_empty() {
        let of_amavis = seen.iter().any(|seen| seen.seen.starts_with("@mynetworks"));
        let own = "qw( 127.0.0.0/8 [::1] )";
        let own = of_amavis.then(|| Change::setting("/etc/amavis/conf.d/50-user", "", "@mynetworks", own));
        let remedy = Remedy::new("Name the networks that are yours.").changes(own);
        let summary = "The filter takes the whole Internet for its own network";
        return Ok(Finding::new(Severity::High, "", summary)
            .cause("@mynetworks")
            .all_seen(seen)
            .remedy(remedy)
            .into());
    }
    if dump.is_none() {
        lines?;
    }
    pass("the filter's own networks are exact")
}

pub(crate) static AVS_016: Check = Check {
    id: "AVS-016",
    title: "The content filter listens to the network",
    severity: Severity::Medium,
    why: "Whoever reaches it hands mail past Postfix' restrictions into the middle of the path.",
    proof: "amavis' inet_socket_bind, and the address on which its port listens.",
    fix: "Bind it to 127.0.0.1.",
    references: &["amavisd.conf-default $inet_socket_bind"],
    judge: avs_016,
};

fn avs_016(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let lines = amavis(facts).unwrap_or_default();
    let bound = assigned(&lines, "$inet_socket_bind");
    let wide =
        bound.filter(|(_, value)| *value == "undef" || value.contains("0.0.0.0") || value.contains("'*'"));
    let listening = facts.host.listeners.known().map(|listeners| {
        let own = listeners.iter().filter(|listener| [10_024, 10_026].contains(&listener.port));
        own.filter(|listener| {
            listener.program.starts_with("amavis") || listener.program.starts_with("/usr/sbin/amavi")
        })
        .collect::<Vec<_>>()
    });
    if lines.is_empty() && listening.as_ref().is_none_or(Vec::is_empty) {
        return could_not_tell("neither amavis' files nor its sockets were looked at");
    }
    let open = listening.as_ref().and_then(|own| own.iter().find(|listener| !is_own(&listener.address)));
    let loopback = listening.as_ref().is_some_and(|own| !own.is_empty()) && open.is_none();
    if open.is_none() && (wide.is_none() || loopback) {
        return pass("amavis listens on loopback only");
    }
    let mut finding =
        Finding::new(Severity::Medium, "", "amavis listens beyond this machine").cause("$inet_socket_bind");
    if let Some((line, _)) = wide {
        finding = finding.seen(line.place.clone(), line.text);
    }
    if let Some(listener) = open {
        finding = finding.seen(format!("{}:{}", listener.address, listener.port), "listens");
    }
    let remedy = Remedy::new("Bind it to this machine.")
        .change(Change::setting("/etc/amavis/conf.d/50-user", "", "$inet_socket_bind", "'127.0.0.1'"))
        .prove("ss -tln sport = :10024");
    Ok(finding.remedy(remedy).into())
}
