//! What is in the config volume, and what of it is read.

use crate::check::could_not_tell;
use crate::dms::{Applied, CONFIG, is_aside, reads};
use crate::{Check, Evidence, Facts, Finding, Judged, Outcome, Remedy, Server, Severity};

use super::overrides;

pub(crate) static DMS_002: Check = Check {
    id: "DMS-002",
    title: "A file of the config volume has no effect",
    severity: Severity::Medium,
    why: "docker-mailserver reads files of fixed names and passes over all others in silence, and most of those that it reads \
          only when the container is created: what was written down is not in force.",
    proof: "The files below /tmp/docker-mailserver are compared with the names that docker-mailserver reads; a file that it does \
            not read counts as used where an override file names it; a file that it reads is compared with what it becomes.",
    fix: "Give the file the name that is read, name it in an override file, copy it in user-patches.sh, or delete it; then \
          create the container anew.",
    references: &[
        "https://docker-mailserver.github.io/docker-mailserver/latest/config/advanced/optional-config/",
    ],
    judge: dms_002,
};

fn dms_002(server: &Server<'_>) -> Judged {
    server.dms()?;
    let facts = server.facts;
    let files: Vec<&str> =
        facts.below(CONFIG).filter(|(_, file)| !is_directory(file)).map(|(path, _)| path).collect();
    if files.is_empty() {
        return could_not_tell("the config volume was not looked at, or is empty");
    }
    let named = named(facts);
    let unread = files.iter().filter_map(|path| {
        let name = path.strip_prefix(CONFIG)?.trim_start_matches('/');
        let used = reads(name).is_some() || is_aside(name) || named.iter().any(|text| text.contains(name));
        (!used).then(|| unread(facts, name))
    });
    let mut findings: Vec<Finding> = unread.collect();
    findings.extend(pending(facts));
    findings.extend(pending_postfix(facts));
    Ok(Outcome::of(
        findings,
        format!("docker-mailserver reads all {} files of the config volume", files.len()),
    ))
}

fn is_directory(file: &crate::facts::File) -> bool {
    file.kind != crate::facts::FileKind::Regular
}

/// Texts that may name other files: overrides and scripts.
fn named(facts: &Facts) -> Vec<&str> {
    let overrides = [
        "postfix-main.cf",
        "postfix-master.cf",
        "dovecot.cf",
        "user-patches.sh",
        "amavis.cf",
        "fail2ban-jail.cf",
    ];
    let overrides =
        overrides.iter().filter_map(|name| facts.text(&format!("{CONFIG}/{name}")).ok().flatten());
    let compose = facts.below("/compose").filter_map(|(_, file)| file.text.known().map(String::as_str));
    overrides.chain(compose).collect()
}

/// What a file that nobody reads was meant for.
struct Meant {
    severity: Severity,
    what: &'static str,
    instead: &'static str,
}

fn meant(name: &str) -> Meant {
    let name = name.to_ascii_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if is(&["fail2ban", "jail", "filter.d", "banned"]) {
        Meant {
            severity: Severity::High,
            what: "meant for fail2ban; only fail2ban-jail.cf and fail2ban-fail2ban.cf are copied",
            instead: "Copy it to /etc/fail2ban/filter.d/ in user-patches.sh.",
        }
    } else if is(&["reject", "block", "deny", "blacklist", "cidr", "access"]) {
        Meant {
            severity: Severity::High,
            what: "meant to refuse clients; no restriction refers to it",
            instead: "For port 25 name it in `postscreen_access_list` of postfix-main.cf; bans of networks belong in the firewall.",
        }
    } else if is(&["spamassassin", "local.cf", "spam"]) {
        Meant {
            severity: Severity::Medium,
            what: "meant for SpamAssassin; only spamassassin-rules.cf is read",
            instead: "Move the rules to spamassassin-rules.cf; thresholds and tags are SA_TAG, SA_TAG2, SA_KILL and SPAM_SUBJECT.",
        }
    } else if is(&["tls", "ssl", "cert", ".pem", "auth", "passw", "dkim", "dmarc"]) {
        Meant {
            severity: Severity::High,
            what: "meant for encryption or logins, by its name",
            instead: "Find the file that is read for this purpose in docker-mailserver's list of optional files.",
        }
    } else {
        Meant {
            severity: Severity::Medium,
            what: "not among the files that are read",
            instead: "Find the file that is read for this purpose in docker-mailserver's list of optional files.",
        }
    }
}

fn unread(facts: &Facts, name: &str) -> Finding {
    let meant = meant(name);
    let path = format!("{CONFIG}/{name}");
    let lines = facts.text(&path).ok().flatten().map(|text| content(text).count());
    let lines = lines.map_or(String::new(), |lines| format!("; it has {lines} lines"));
    let mut finding = Finding::new(meant.severity, name, format!("docker-mailserver never reads {name}"))
        .cause(path.clone())
        .seen(path, format!("{}{lines}", meant.what));
    if name.contains("spamassassin") {
        finding = finding.all_seen(behind_amavis(facts, name));
    }
    let remedy = Remedy::new(meant.instead)
        .apply("docker compose up -d --force-recreate")
        .prove("docker exec mailserver fail2ban-client status");
    let remedy = if name.contains("fail2ban") { remedy } else { remedy.prove(String::new()) };
    finding.remedy(remedy)
}

/// Lines that would do nothing behind amavis even in the right file.
fn behind_amavis(facts: &Facts, name: &str) -> Option<Evidence> {
    let text = facts.text(&format!("{CONFIG}/{name}")).ok().flatten()?;
    let dead = ["required_score", "report_safe", "rewrite_header"];
    let (number, line) = text
        .lines()
        .enumerate()
        .find(|(_, line)| dead.iter().any(|word| line.trim_start().starts_with(word)))?;
    let seen = format!("{} would have no effect behind amavis anywhere", line.trim());
    Some(Evidence { place: format!("{name}:{}", number + 1), seen })
}

/// Lines that say something.
fn content(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with(';'))
}

/// Files that differ from what they became when the container was created.
fn pending(facts: &Facts) -> Vec<Finding> {
    let copies =
        crate::dms::READ.iter().filter(|read| read.applied == Applied::Create && !read.becomes.is_empty());
    copies
        .filter_map(|read| {
            let ours = facts.text(&format!("{CONFIG}/{}", read.path)).ok().flatten()?;
            let theirs = facts.text(read.becomes).ok()?;
            let same = content(ours).eq(content(theirs.unwrap_or_default()));
            (!same).then(|| late(read.path, read.becomes, "it differs from the file of the config volume"))
        })
        .collect()
}

fn late(name: &str, becomes: &str, seen: &str) -> Finding {
    Finding::new(
        Severity::Medium,
        format!("{name} not in force"),
        format!("{name} was changed after the container was created"),
    )
    .cause(format!("{CONFIG}/{name}"))
    .seen(becomes, seen)
    .remedy(
        Remedy::new("Create the container anew: a restart or a reload applies nothing of this file.")
            .apply("docker compose up -d --force-recreate"),
    )
}

/// Whether the running Postfix has what postfix-main.cf says. A file that cannot be appended as it is has its own finding.
fn pending_postfix(facts: &Facts) -> Option<Finding> {
    let text = facts.text(&format!("{CONFIG}/postfix-main.cf")).ok().flatten()?;
    let running = facts.output("postconf -n").ok()?;
    let value = |name: &str| {
        running.lines().find_map(|line| {
            line.split_once('=').filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
        })
    };
    let late: Vec<Evidence> = overrides::assignments(text)
        .into_iter()
        .filter(|line| line.is_parameter && value(&line.name) != Some(&line.value))
        .map(|line| Evidence {
            place: format!("postfix-main.cf:{}", line.number),
            seen: match value(&line.name) {
                Some(running) => {
                    format!("{} = {}; the running Postfix has `{running}`", line.name, line.value)
                }
                None => format!("{} = {}; the running Postfix has its default", line.name, line.value),
            },
        })
        .collect();
    (!late.is_empty()).then(|| {
        let name = "postfix-main.cf";
        Finding::new(
            Severity::Medium,
            format!("{name} not in force"),
            format!("The running Postfix does not have what {name} says"),
        )
        .cause(format!("{CONFIG}/{name}"))
        .all_seen(late)
        .remedy(
            Remedy::new("Create the container anew; look at its log for lines that Postfix refused.")
                .apply("docker compose up -d --force-recreate")
                .prove("docker exec mailserver postconf -n"),
        )
    })
}
