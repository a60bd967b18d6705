//! Override files: lines that weaken what docker-mailserver ships, and lines that change nothing.

use crate::check::pass;
use crate::dms::{CONFIG, volume_text};
use crate::plan::Change;
use crate::{Check, Facts, Finding, Judged, Outcome, Remedy, Server, Severity};

/// A line `name = value`.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) value: String,
    pub(super) text: String,
    /// Whether Postfix has a parameter of this name, as far as its form tells.
    pub(super) is_parameter: bool,
}

/// The assignments of a text in the syntax of main.cf or of Dovecot at its top level; the last of a name wins.
pub(super) fn assignments(text: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    let mut depth = 0_usize;
    for (number, text) in text.lines().enumerate() {
        let line = text.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if text.starts_with([' ', '\t']) && depth == 0 && !line.contains(" = ") {
            if let Some(last) = found.last_mut() {
                last.value = format!("{} {line}", last.value).trim().to_owned();
            }
            continue;
        }
        depth = if line.ends_with('{') { depth + 1 } else { depth };
        if line == "}" {
            depth = depth.saturating_sub(1);
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| depth == 0) else { continue };
        let name = name.trim().to_owned();
        found.retain(|earlier| earlier.name != name);
        found.push(Line {
            number: number + 1,
            is_parameter: is_parameter(&name),
            name,
            value: value.trim().to_owned(),
            text: text.to_owned(),
        });
    }
    found
}

/// Names of restrictions are no names of parameters; whether Postfix knows the others is a check of its own.
fn is_parameter(name: &str) -> bool {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-');
    let restriction = ["check_", "reject_", "permit_"].iter().any(|prefix| name.starts_with(prefix));
    plain && !restriction
}

pub(crate) static DMS_013: Check = Check {
    id: "DMS-013",
    title: "An override file weakens a default or changes nothing",
    severity: Severity::Medium,
    why: "docker-mailserver ships sound values; a line copied from a guide may undo one of them, or may repeat a default and \
          leave people with a protection that they only believe in.",
    proof: "Each line of postfix-main.cf, postfix-master.cf and dovecot.cf is compared with the value that docker-mailserver \
            ships.",
    fix: "Delete the line.",
    references: &[
        "https://docker-mailserver.github.io/docker-mailserver/latest/config/advanced/override-defaults/postfix/",
    ],
    judge: dms_013,
};

fn dms_013(server: &Server<'_>) -> Judged {
    server.dms()?;
    let facts = server.facts;
    let mut findings = Vec::new();
    let mut there = Vec::new();
    for name in ["postfix-main.cf", "postfix-master.cf", "dovecot.cf"] {
        let Some(text) = volume_text(facts, name)? else { continue };
        there.push(name);
        findings.extend(assignments(text).iter().filter_map(|line| weakens(name, line)));
    }
    findings.extend(idle(facts));
    if there.is_empty() {
        return pass("there are no override files");
    }
    Ok(Outcome::of(findings, format!("no line of {} weakens what is shipped", there.join(", "))))
}

fn weakens(file: &str, line: &Line) -> Option<Finding> {
    // postfix-master.cf names the service before the parameter: `submission/inet/smtpd_tls_security_level=may`.
    let (service, name) = line.name.rsplit_once('/').unwrap_or(("", &line.name));
    let (severity, shipped, effect) =
        if file == "dovecot.cf" { dovecot(name, &line.value)? } else { postfix(service, name, &line.value)? };
    let path = format!("{CONFIG}/{file}");
    let summary = format!("{file} sets {} = {}: {effect}", line.name, line.value);
    Some(
        Finding::new(severity, format!("{file} {}", line.name), summary)
            .cause(path.clone())
            .seen(
                format!("{file}:{}", line.number),
                format!("{}; docker-mailserver ships `{shipped}`", line.text.trim()),
            )
            .remedy(
                Remedy::new("Delete the line; the shipped value comes back with the next container.")
                    .change(Change::lines(path, &[&line.text], &[])),
            ),
    )
}

/// What is shipped, and what a value does instead, if that is weaker.
type Weaker = Option<(Severity, &'static str, &'static str)>;

fn postfix(service: &str, name: &str, value: &str) -> Weaker {
    let client_port = service.starts_with("submission") || service.starts_with("smtps");
    let off = value == "no";
    let old_tls = name.ends_with("_protocols") && admits_old_tls(value);
    Some(match name {
        "smtpd_tls_security_level" if value == "none" || client_port && value == "may" => (
            Severity::High,
            if client_port { "encrypt" } else { "may" },
            "mail and passwords may travel in clear text",
        ),
        "smtpd_tls_auth_only" if off => (Severity::High, "yes", "passwords are taken before TLS"),
        "smtpd_sasl_auth_enable" if value == "yes" && !client_port => {
            (Severity::Medium, "no", "port 25 takes passwords, where bots guess them")
        }
        "smtpd_tls_wrappermode" if off && client_port => {
            (Severity::High, "yes", "port 465 speaks clear text first")
        }
        "smtpd_tls_protocols"
        | "smtpd_tls_mandatory_protocols"
        | "smtp_tls_protocols"
        | "smtp_tls_mandatory_protocols"
            if old_tls =>
        {
            (Severity::Medium, "!SSLv2,!SSLv3,!TLSv1,!TLSv1.1", "TLS 1.0 and 1.1 are allowed again")
        }
        "mynetworks" if value.contains("/0") => {
            (Severity::Critical, "the container's own", "everybody may relay")
        }
        "smtpd_relay_restrictions" if !value.contains("unauth_destination") && !value.ends_with("reject") => {
            (
                Severity::High,
                "permit_mynetworks permit_sasl_authenticated defer_unauth_destination",
                "nothing stops relaying",
            )
        }
        "smtpd_helo_required" if off => (Severity::Low, "yes", "clients need not say who they are"),
        "disable_vrfy_command" if off => (Severity::Low, "yes", "addresses can be asked for one by one"),
        "smtpd_forbid_bare_newline" | "postscreen_bare_newline_enable" if off => {
            (Severity::High, "yes", "messages can be smuggled past filters")
        }
        "postscreen_greet_action" | "postscreen_dnsbl_action" | "postscreen_bare_newline_action"
            if value == "ignore" =>
        {
            (Severity::Medium, "enforce", "postscreen only takes notes")
        }
        "content_filter" if value.is_empty() && service.is_empty() => {
            (Severity::High, "smtp-amavis:[127.0.0.1]:10024", "mail passes unfiltered")
        }
        _ => return None,
    })
}

/// Whether a list of protocols leaves TLS 1.0 in.
fn admits_old_tls(value: &str) -> bool {
    match value.strip_prefix(">=") {
        Some(least) => {
            !matches!(least.split(',').next().unwrap_or(least).trim(), "TLSv1.1" | "TLSv1.2" | "TLSv1.3")
        }
        None => !value.split([',', ' ', ':']).any(|word| word == "!TLSv1") && !value.contains("TLSv1.2"),
    }
}

fn dovecot(name: &str, value: &str) -> Weaker {
    Some(match (name, value) {
        ("disable_plaintext_auth", "no") | ("auth_allow_cleartext", "yes") => {
            (Severity::High, "passwords only after TLS", "passwords are taken in clear text")
        }
        ("ssl", "no" | "yes") => (Severity::High, "required", "clients may do without TLS"),
        ("ssl_min_protocol", "TLSv1" | "TLSv1.1" | "SSLv3" | "ANY") => {
            (Severity::Medium, "TLSv1.2", "TLS 1.0 and 1.1 are allowed again")
        }
        ("ssl_protocols", _) => (
            Severity::Medium,
            "ssl_min_protocol = TLSv1.2",
            "Dovecot translates this old setting to TLS 1.0 and up",
        ),
        ("auth_verbose_passwords", "yes" | "plain") | ("auth_debug_passwords", "yes") => {
            (Severity::High, "sha1:6", "passwords are written to the log")
        }
        ("auth_failure_delay", "0" | "0s" | "0 secs") => {
            (Severity::Low, "2 secs", "guesses are answered at once")
        }
        ("first_valid_uid", "0") => (Severity::Medium, "500", "mail may belong to root"),
        _ => return None,
    })
}

/// Lines of dovecot.cf that repeat a default, or act only together with a setting that is off.
fn idle(facts: &Facts) -> Option<Finding> {
    let text = facts.text(&format!("{CONFIG}/dovecot.cf")).ok().flatten()?;
    let lines = assignments(text);
    let cache = lines.iter().any(|line| line.name == "auth_cache_size" && line.value != "0");
    let idle: Vec<(&Line, String)> =
        lines.iter().filter_map(|line| Some((line, idles(line, cache)?))).collect();
    if idle.is_empty() {
        return None;
    }
    let names: Vec<&str> = idle.iter().map(|(line, _)| line.name.as_str()).collect();
    let path = format!("{CONFIG}/dovecot.cf");
    let gone: Vec<&str> = idle.iter().map(|(line, _)| line.text.as_str()).collect();
    let mut finding = Finding::new(
        Severity::Low,
        "dovecot.cf without effect",
        format!("{} in dovecot.cf change nothing", names.join(", ")),
    )
    .cause(path.clone());
    for (line, why) in &idle {
        finding = finding.seen(format!("dovecot.cf:{}", line.number), format!("{}: {why}", line.text.trim()));
    }
    let advice = "Take the lines out. Guessing is stopped by bans and by an auth policy server, not by these settings.";
    Some(
        finding.remedy(
            Remedy::new(advice)
                .change(Change::lines(path, &gone, &[]))
                .prove("docker exec mailserver doveconf -n"),
        ),
    )
}

fn idles(line: &Line, cache: bool) -> Option<String> {
    let same = DEFAULTS.iter().any(|(name, default)| *name == line.name && same(&line.value, default));
    if line.name == "auth_cache_negative_ttl" && !cache {
        let default = if same { "it is the default too, and " } else { "" };
        return Some(format!(
            "{default}the authentication cache is off (auth_cache_size = 0), so it locks nobody out"
        ));
    }
    same.then(|| "that is Dovecot's default".to_owned())
}

/// Dovecot's defaults of settings that guides recommend (2.3 and 2.4).
const DEFAULTS: &[(&str, &str)] = &[
    ("auth_cache_negative_ttl", "1 hour"),
    ("auth_cache_size", "0"),
    ("auth_cache_ttl", "1 hour"),
    ("auth_failure_delay", "2 secs"),
    ("disable_plaintext_auth", "yes"),
    ("imap_max_line_length", "64k"),
    ("login_greeting", "Dovecot ready."),
    ("mail_max_userip_connections", "10"),
    ("ssl_min_protocol", "TLSv1.2"),
    ("verbose_proctitle", "no"),
];

/// Whether two values are the same, as times too.
fn same(one: &str, other: &str) -> bool {
    one == other || seconds(one).is_some_and(|seconds_| Some(seconds_) == seconds(other))
}

fn seconds(value: &str) -> Option<u64> {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let unit = unit.trim();
    let factor = match unit {
        "ms" | "msec" | "msecs" => return None,
        _ if unit.starts_with('w') => 604_800,
        _ if unit.starts_with('d') => 86_400,
        _ if unit.starts_with('h') => 3_600,
        _ if unit.starts_with('m') => 60,
        _ if unit.starts_with('s') => 1,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}
