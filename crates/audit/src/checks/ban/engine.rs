//! Whether anything reacts to guessing, and whether its rules can.

use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Deployment;
use crate::fail2ban::sample::{IMAP, IMAP_2_4, SUBMISSION, lines_counted};
use crate::fail2ban::{Fail2ban, Jail, Origin, Skipped, ignored_by_default};
use crate::plan::Change;
use crate::{Check, Evidence, Facts, Finding, Judged, Known, Outcome, Remedy, Server, Severity, Untold};

pub(crate) static BAN_001: Check = Check {
    id: "BAN-001",
    title: "Nothing reacts to guessing of passwords",
    severity: Severity::High,
    why: "Bots try passwords day and night; where nothing stops them, they have years for every account.",
    proof: "The programs that ban (fail2ban, sshguard, CrowdSec, Mailward) that run, and whether a jail counts failed logins over \
            SMTP and over IMAP.",
    fix: "Run Mailward's guard, or enable fail2ban's jails for Postfix and Dovecot; on docker-mailserver set ENABLE_FAIL2BAN=1.",
    references: &["CIS Controls v8 6, 13", "https://github.com/fail2ban/fail2ban/wiki"],
    judge: ban_001,
};

/// Programs that ban by themselves for mail, with the words of their command line.
const ENGINES: &[(&str, &str)] = &[("sshguard", ""), ("crowdsec", ""), ("mailward", "guard")];

/// A program that bans and runs.
fn running(facts: &Facts) -> Option<&'static str> {
    let processes = facts.host.processes.known()?;
    let runs = |name: &str, word: &str| {
        processes.iter().any(|process| process.name.starts_with(name) && process.command.contains(word))
    };
    ENGINES.iter().find(|(name, word)| runs(name, word)).map(|(name, _)| *name)
}

/// Whether Mailward's guard runs here.
pub(super) fn mailward_runs(facts: &Facts) -> bool {
    running(facts) == Some("mailward")
}

fn ban_001(server: &Server<'_>) -> Judged {
    if let Some(engine) = running(server.facts) {
        return pass(format!("{engine} runs"));
    }
    match server.fail2ban() {
        Ok(fail2ban) => guesses_counted(server.facts, fail2ban),
        // Switched off in docker-mailserver's environment.
        Err(Untold::NotApplicable(why)) => Ok(nothing(server.facts, &why).into()),
        Err(why) => {
            let absent = matches!(server.facts.said.get("fail2ban-client status"), Some(Known::Absent));
            if absent && server.facts.host.processes.known().is_some() {
                return Ok(nothing(server.facts, "fail2ban is not installed and nothing like it runs").into());
            }
            Err(why)
        }
    }
}

fn nothing(facts: &Facts, seen: &str) -> Finding {
    let remedy = match facts.about.deployment {
        Deployment::DockerMailserver => Remedy::new("Switch fail2ban on, with the right to ban.")
            .change(Change::variable("ENABLE_FAIL2BAN", "1"))
            .add("compose.yaml", &["    cap_add:", "      - NET_ADMIN"])
            .apply("docker compose up -d --force-recreate")
            .prove("docker exec mailserver fail2ban-client status"),
        Deployment::Plain => {
            Remedy::new("Run Mailward's guard, or fail2ban with jails for Postfix and Dovecot.")
                .changes(jails(facts))
                .prove("fail2ban-client status")
        }
    };
    Finding::new(Severity::High, "", "Nothing reacts to guessing of passwords")
        .seen("processes", seen)
        .remedy(remedy)
}

fn guesses_counted(facts: &Facts, fail2ban: &Fail2ban) -> Judged {
    let imap = dovecot_lines(facts);
    let counts = |lines: &[&str]| fail2ban.jails.iter().any(|jail| lines_counted(&jail.filter, lines) > 0);
    let broken = fail2ban.jails.iter().any(|jail| !jail.filter.broken.is_empty());
    let missed: Vec<&str> = [("SMTP", SUBMISSION), ("IMAP", imap)]
        .into_iter()
        .filter(|(_, lines)| !counts(lines))
        .map(|(name, _)| name)
        .collect();
    let jails: Vec<&str> = fail2ban.jails.iter().map(|jail| jail.name.as_str()).collect();
    if missed.is_empty() {
        return pass(format!(
            "fail2ban counts failed logins over SMTP and IMAP (jails {})",
            jails.join(", ")
        ));
    }
    if broken {
        return could_not_tell("a jail has patterns that are not understood here");
    }
    let summary = format!("No jail of fail2ban counts failed logins over {}", missed.join(" or "));
    let seen = format!("jails: {}", if jails.is_empty() { "none".to_owned() } else { jails.join(", ") });
    let finding = nothing(facts, "no other program that bans runs");
    Ok(Finding { summary, ..finding }.seen(fail2ban.source.clone(), seen).remedy(aggressive(facts)).into())
}

/// What this Dovecot writes about a failed login.
pub(super) fn dovecot_lines(facts: &Facts) -> &'static [&'static str] {
    let version = facts.output("doveconf -n").ok().and_then(|text| text.lines().next());
    let newer = version
        .and_then(|line| line.strip_prefix("# 2."))
        .and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    if newer.is_some_and(|minor| minor >= 4) { IMAP_2_4 } else { IMAP }
}

/// Jails that count all that fail2ban's own filters know. Where fail2ban is missing, or which log it would read is not known, a
/// person decides: a jail without its log keeps all of fail2ban from starting.
pub(super) fn aggressive(facts: &Facts) -> Remedy {
    let remedy = Remedy::new("Turn on the jails of Postfix, in their widest mode, and of Dovecot.");
    let changes = if facts.said("fail2ban-client -d").is_ok() { jails(facts) } else { Vec::new() };
    let remedy = if changes.is_empty() {
        let lines = ["[postfix]", "enabled = true", "mode = aggressive", "", "[dovecot]", "enabled = true"];
        remedy.add(jail_file(facts), &lines)
    } else {
        remedy.changes(changes)
    };
    remedy.prove("fail2ban-client -d")
}

/// Our file among those of fail2ban's jails: the last one to be read.
pub(super) const fn jail_file(facts: &Facts) -> &'static str {
    match facts.about.deployment {
        Deployment::DockerMailserver => "/tmp/docker-mailserver/fail2ban-jail.cf",
        Deployment::Plain => "/etc/fail2ban/jail.d/zz-mailward.local",
    }
}

/// The jails, each with the log that is written; none if that is not known. docker-mailserver's own know theirs.
fn jails(facts: &Facts) -> Vec<Change> {
    let set = |jail, name, value: &str| Change::setting(jail_file(facts), jail, name, value);
    let mut changes = vec![
        set("postfix", "enabled", "true"),
        set("postfix", "mode", "aggressive"),
        set("dovecot", "enabled", "true"),
    ];
    if facts.about.deployment == Deployment::Plain {
        let log = facts.log.path.as_str();
        if !log.starts_with('/') || log.contains(char::is_whitespace) {
            return Vec::new();
        }
        changes.extend(["postfix", "dovecot"].map(|jail| set(jail, "logpath", log)));
    }
    changes
}

pub(crate) static BAN_004: Check = Check {
    id: "BAN-004",
    title: "A jail does not run: its filter or its log does not exist",
    severity: Severity::High,
    why: "fail2ban leaves such a jail out with a line in its own log, and depending on the mistake does not start at all; whoever \
          wrote the jail believes in a protection that is not there.",
    proof: "The errors of fail2ban-client -d, the filter of every enabled jail against the filters that exist, its log against the \
            files that exist, and the jails that `fail2ban-client status` lists.",
    fix: "Name a filter that exists, or put the filter where fail2ban looks; name the log that is written.",
    references: &[
        "jail.conf(5)",
        "https://docker-mailserver.github.io/docker-mailserver/latest/config/security/fail2ban/",
    ],
    judge: ban_004,
};

fn ban_004(server: &Server<'_>) -> Judged {
    let fail2ban = server.fail2ban()?;
    let mut findings: Vec<Finding> =
        fail2ban.skipped.iter().map(|skipped| not_running(server.facts, skipped)).collect();
    findings.extend(fail2ban.jails.iter().filter_map(|jail| no_log(server.facts, jail)));
    findings.extend(not_found(server.facts));
    findings.extend(not_loaded(server.facts, fail2ban));
    Ok(Outcome::of(
        findings,
        format!("{} jails have their filters and logs ({})", fail2ban.jails.len(), fail2ban.source),
    ))
}

fn not_running(facts: &Facts, skipped: &Skipped) -> Finding {
    let summary = format!("The jail {} does not run: {}", skipped.name, reason(&skipped.why));
    let mut finding = Finding::new(Severity::High, skipped.name.clone(), summary)
        .cause(skipped.place.clone())
        .seen(skipped.place.clone(), skipped.why.clone());
    if let Ok(status) = facts.output("fail2ban-client status") {
        let list = status.lines().find(|line| line.contains("Jail list")).map_or("", str::trim);
        finding =
            finding.seen("fail2ban-client status", list.trim_start_matches(['`', '|', '-', ' ']).to_owned());
    }
    if skipped.would_be.is_some() {
        let seen =
            "it holds the filter; docker-mailserver copies only fail2ban-jail.cf and fail2ban-fail2ban.cf";
        finding = finding.seen("fail2ban-filter.cf", seen);
    }
    let dms = facts.about.deployment == Deployment::DockerMailserver;
    let remedy = if dms {
        Remedy::new("Use fail2ban's own filter `postfix` with `mode = aggressive`, or copy the filter in user-patches.sh.")
            .add("/tmp/docker-mailserver/user-patches.sh", &["cp /tmp/docker-mailserver/fail2ban-filter.cf /etc/fail2ban/filter.d/NAME.conf"])
            .apply("docker compose up -d --force-recreate")
            .prove(format!("docker exec mailserver fail2ban-client status {}", skipped.name))
    } else {
        Remedy::new("Put the filter into /etc/fail2ban/filter.d, or name one that is there.")
            .apply("fail2ban-client reload")
            .prove(format!("fail2ban-client status {}", skipped.name))
    };
    finding.remedy(remedy)
}

fn reason(why: &str) -> &str {
    why.rsplit_once(": ").map_or(why, |(_, reason)| reason)
}

/// A log that was looked for and is not there. Patterns and the journal are no files.
fn no_log(facts: &Facts, jail: &Jail) -> Option<Finding> {
    let gone = |path: &&String| matches!(facts.files.get(path.as_str()), Some(Known::Absent));
    let written = |path: &String| !path.contains(['*', '%']);
    let plain = jail.logs.iter().all(written) && !jail.journal && !jail.logs.is_empty();
    let missing: Vec<&String> = jail.logs.iter().filter(gone).collect();
    (plain && missing.len() == jail.logs.len()).then(|| {
        let names: Vec<&str> = missing.iter().map(|path| path.as_str()).collect();
        let names = names.join(", ");
        Finding::new(
            Severity::High,
            jail.name.clone(),
            format!("The jail {} reads {names}, which does not exist", jail.name),
        )
        .cause("logpath")
        .seen(format!("jail {}", jail.name), format!("logpath = {names}: no such file"))
        .remedy(
            Remedy::new(
                "Name the log that is written; with the file missing fail2ban may refuse to start at all.",
            )
            .apply("fail2ban-client reload")
            .prove(format!("fail2ban-client status {}", jail.name)),
        )
    })
}

/// Jails of whose logs fail2ban itself found none: its dump has them, without a log.
fn not_found(facts: &Facts) -> Vec<Finding> {
    let Ok(dump) = facts.said("fail2ban-client -d") else { return Vec::new() };
    let name = |line: &str| {
        let (_, rest) = line.split_once("Have not found any log file for ")?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    let complaints = dump.stderr.lines().filter_map(|line| Some((name(line)?, line)));
    complaints
        .map(|(jail, line)| {
            let remedy = Remedy::new("Name the log that is written.")
                .apply("fail2ban-client reload")
                .prove(format!("fail2ban-client status {jail}"));
            Finding::new(Severity::High, jail.clone(), format!("The jail {jail} has no log to read"))
                .cause("logpath")
                .seen("fail2ban-client -d", line.trim())
                .remedy(remedy)
        })
        .collect()
}

/// Jails that are written down in files, and that the running fail2ban does not list.
fn not_loaded(facts: &Facts, fail2ban: &Fail2ban) -> Vec<Finding> {
    let Ok(status) = facts.output("fail2ban-client status") else { return Vec::new() };
    let Some((_, list)) = status.split_once("Jail list:") else { return Vec::new() };
    let listed: Vec<&str> = list.split([',', ' ', '\t', '\n']).filter(|name| !name.is_empty()).collect();
    let written = fail2ban.jails.iter().filter(|jail| jail.origin != Origin::Shipped);
    written
        .filter(|jail| !listed.contains(&jail.name.as_str()))
        .map(|jail| {
            let summary =
                format!("The jail {} is enabled, and the running fail2ban does not have it", jail.name);
            Finding::new(Severity::High, jail.name.clone(), summary)
                .cause(fail2ban.source.clone())
                .seen("fail2ban-client status", format!("Jail list: {}", listed.join(", ")))
                .remedy(
                    Remedy::new("Load the configuration, and look at what fail2ban says about it.")
                        .apply(if facts.about.deployment == Deployment::DockerMailserver {
                            "docker compose up -d --force-recreate"
                        } else {
                            "fail2ban-client reload"
                        })
                        .prove(format!("fail2ban-client status {}", jail.name)),
                )
        })
        .collect()
}

pub(crate) static BAN_007: Check = Check {
    id: "BAN-007",
    title: "The list of addresses that are never banned is too wide",
    severity: Severity::High,
    why: "Whoever sits in such a network may guess for ever; a whole provider or the whole Internet is no exception but the end of \
          banning.",
    proof: "The networks of `ignoreip` of every jail: public networks larger than /16 (IPv6 /32), or all addresses.",
    fix: "Name exact addresses.",
    references: &["jail.conf(5) ignoreip"],
    judge: ban_007,
};

fn ban_007(server: &Server<'_>) -> Judged {
    let fail2ban = server.fail2ban()?;
    let mut wide: Vec<(&str, Vec<&str>)> = Vec::new();
    for jail in &fail2ban.jails {
        for network in jail.ignored.iter().filter(|network| is_wide(network)) {
            match wide.iter_mut().find(|(known, _)| known == network) {
                Some((_, jails)) => jails.push(&jail.name),
                None => wide.push((network, vec![&jail.name])),
            }
        }
    }
    if wide.is_empty() {
        return pass("no jail leaves out more than single networks of its own");
    }
    let names: Vec<&str> = wide.iter().map(|(network, _)| *network).collect();
    let summary = format!("fail2ban never bans anybody in {}", names.join(", "));
    let seen = wide.iter().map(|(network, jails)| Evidence {
        place: format!("ignoreip of {}", jails.join(", ")),
        seen: (*network).to_owned(),
    });
    let remedy = Remedy::new("Name the exact addresses that must not be banned.")
        .changes(exact(server.facts, &fail2ban.jails))
        .prove("fail2ban-client get postfix ignoreip");
    Ok(Finding::new(Severity::High, "", summary).cause("ignoreip").all_seen(seen).remedy(remedy).into())
}

/// What each jail leaves out, without what is too wide; and the jails that are turned on one day.
fn exact(facts: &Facts, jails: &[Jail]) -> Vec<Change> {
    let by_default = ignored_by_default(facts);
    let jails = jails.iter().map(|jail| (jail.name.as_str(), jail.ignored.as_slice()));
    let all = core::iter::once(("DEFAULT", by_default.as_slice())).chain(jails);
    let wide = all.filter(|(_, ignored)| ignored.iter().any(|network| is_wide(network)));
    wide.map(|(section, ignored)| {
        let kept = ignored.iter().map(String::as_str).filter(|network| !is_wide(network));
        Change::setting(jail_file(facts), section, "ignoreip", kept.collect::<Vec<_>>().join(" "))
    })
    .collect()
}

fn is_wide(network: &str) -> bool {
    let Some((address, length)) = network.split_once('/') else { return false };
    let Ok(length) = length.parse::<u8>() else { return false };
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => {
            length == 0 || length < 16 && !address.is_private() && !address.is_loopback()
        }
        Ok(std::net::IpAddr::V6(address)) => {
            length == 0 || length < 32 && !address.is_unique_local() && !address.is_unicast_link_local()
        }
        Err(_) => false,
    }
}

pub(crate) static BAN_009: Check = Check {
    id: "BAN-009",
    title: "A jail's limits do not fit: bans too short to matter, or too easily earned",
    severity: Severity::Low,
    why: "A ban of a minute or a limit of dozens of tries changes nothing for a bot; a limit that one wrong password reaches half \
          way locks people out of their own mail.",
    proof: "maxretry, findtime, bantime and bantime.increment of the jails for mail, and how many lines of one failed login their \
            filters count.",
    fix: "About five tries in ten minutes, an hour at first and longer for those who come again; double maxretry where a login \
          counts twice.",
    references: &["jail.conf(5)"],
    judge: ban_009,
};

fn ban_009(server: &Server<'_>) -> Judged {
    let fail2ban = server.fail2ban()?;
    let lines = dovecot_lines(server.facts);
    let mail: Vec<&Jail> = fail2ban.jails.iter().filter(|jail| !jail.filter.is_empty()).collect();
    if mail.is_empty() {
        return not_applicable("no jail counts anything");
    }
    let mut findings: Vec<Finding> = mail.iter().filter_map(|jail| weak(server.facts, jail, lines)).collect();
    findings.extend(double(server.facts, &mail, lines));
    Ok(Outcome::of(findings, "tries, window and length of bans are sensible"))
}

/// An hour at first, longer for those who come again.
fn limits(facts: &Facts, jail: &Jail, tries: &str) -> Vec<Change> {
    let settings =
        [("maxretry", tries), ("findtime", "10m"), ("bantime", "1h"), ("bantime.increment", "true")];
    settings.map(|(name, value)| Change::setting(jail_file(facts), &jail.name, name, value)).to_vec()
}

fn weak(facts: &Facts, jail: &Jail, lines: &[&str]) -> Option<Finding> {
    let per_login = u32::try_from(lines_counted(&jail.filter, lines)).unwrap_or(1).max(1);
    let forever = jail.ban_time < 0;
    let short = !forever && jail.ban_time < 600;
    let what = if short {
        format!("bans for {} seconds only", jail.ban_time)
    } else if jail.max_retry / per_login > 10 {
        format!("allows {} tries", jail.max_retry)
    } else if jail.find_time < 120 {
        format!("looks back {} seconds only", jail.find_time)
    } else {
        return None;
    };
    let seen = format!(
        "maxretry = {}, findtime = {} s, bantime = {} s",
        jail.max_retry, jail.find_time, jail.ban_time
    );
    Some(
        Finding::new(Severity::Low, jail.name.clone(), format!("The jail {} {what}", jail.name))
            .cause(format!("jail {}", jail.name))
            .seen(format!("jail {}", jail.name), seen)
            .remedy(
                Remedy::new("Ban for an hour at first, and longer for those who come again.")
                    .changes(limits(facts, jail, "5"))
                    .prove(format!("fail2ban-client get {} bantime", jail.name)),
            ),
    )
}

/// Bans of a day and more that a few wrong passwords of one device earn, since each counts twice.
fn double(facts: &Facts, jails: &[&Jail], lines: &[&str]) -> Option<Finding> {
    const DAY: i64 = 86_400;
    let twice: Vec<&&Jail> = jails
        .iter()
        .filter(|jail| (jail.ban_time < 0 || jail.ban_time >= DAY) && jail.max_retry <= 6)
        .filter(|jail| lines_counted(&jail.filter, lines) > 1 || lines_counted(&jail.filter, SUBMISSION) > 1)
        .collect();
    let first = twice.first()?;
    let names: Vec<&str> = twice.iter().map(|jail| jail.name.as_str()).collect();
    let summary = format!(
        "One failed login counts twice: {} wrong passwords ban a person's device for {} days",
        first.max_retry.div_ceil(2),
        first.ban_time.max(DAY) / DAY
    );
    let seen = twice.iter().map(|jail| Evidence {
        place: format!("jail {}", jail.name),
        seen: format!(
            "maxretry = {}, findtime = {} s, bantime = {} s; its filter counts both lines that Dovecot writes about one failed login",
            jail.max_retry, jail.find_time, jail.ban_time
        ),
    });
    let remedy = Remedy::new("Double the tries, and begin with an hour.")
        .changes(twice.iter().flat_map(|jail| limits(facts, jail, "12")))
        .prove(format!("fail2ban-client get {} maxretry", first.name));
    Some(
        Finding::new(Severity::Low, "double count", summary)
            .cause(names.join(", "))
            .all_seen(seen)
            .remedy(remedy),
    )
}
