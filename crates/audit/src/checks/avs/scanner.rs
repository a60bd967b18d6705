//! The virus scanner: asked, current, able to look inside, and not passed by.

use jiff::Timestamp;

use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Deployment;
use crate::plan::Change;
use crate::{Check, Evidence, Facts, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

use super::config::{self, Line, amavis, amavis_used, assigned, block, bytes, rspamd, runs, setting};

pub(crate) static AVS_002: Check = Check {
    id: "AVS-002",
    title: "The virus scanner is there, and mail passes by it",
    severity: Severity::High,
    why: "The scanner runs, uses a gigabyte of memory and is asked by nobody, or what it finds is delivered all the same.",
    proof: "amavis: bypass_virus_checks_maps and final_virus_destiny; Rspamd: an antivirus rule without an action; \
            docker-mailserver: ClamAV without amavis or Rspamd.",
    fix: "Take the bypass out, and reject what is infected.",
    references: &["https://docs.rspamd.com/modules/antivirus/", "amavisd.conf-default"],
    judge: avs_002,
};

fn avs_002(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    if !scanner(server)? {
        return not_applicable("there is no virus scanner");
    }
    if let Ok(dms) = server.dms()
        && !dms.in_force("ENABLE_AMAVIS")?.is_on()
        && !dms.in_force("ENABLE_RSPAMD")?.is_on()
    {
        let seen = "ENABLE_CLAMAV=1, ENABLE_AMAVIS=0, ENABLE_RSPAMD=0";
        let summary = "Nothing asks ClamAV: amavis and Rspamd are both off";
        return Ok(bypassed(summary, "environment", seen).into());
    }
    if let Some(dump) = rspamd(facts) {
        return match block(dump, "antivirus") {
            Some(rule) if setting(rule, "action").is_some() || rule.contains("action") => {
                pass("Rspamd's antivirus rule acts")
            }
            Some(_) => {
                let seen = "antivirus has no action: a hit only adds a symbol";
                Ok(bypassed(
                    "Rspamd asks the scanner and does nothing about what it finds",
                    "rspamadm configdump",
                    seen,
                )
                .into())
            }
            None => {
                Ok(bypassed("Rspamd has no antivirus rule", "rspamadm configdump", "no block `antivirus`")
                    .into())
            }
        };
    }
    let lines = amavis(facts)?;
    if let Some((line, value)) = assigned(&lines, "@bypass_virus_checks_maps")
        && value.trim_matches(['(', ')', ' ']) == "1"
    {
        return Ok(bypassed("amavis is told to pass by the virus scanner", &line.place, line.text).into());
    }
    match assigned(&lines, "$final_virus_destiny") {
        Some((line, "D_PASS")) => {
            Ok(bypassed("amavis delivers infected mail", &line.place, line.text).into())
        }
        _ => pass("amavis asks the scanner and stops what is infected"),
    }
}

/// Whether a virus scanner is there.
fn scanner(server: &Server<'_>) -> Result<bool, Untold> {
    if let Ok(dms) = server.dms() {
        return Ok(dms.in_force("ENABLE_CLAMAV")?.is_on());
    }
    runs(server, &["clamd"])
        .ok_or_else(|| Untold::CouldNotTell("which programs run was not looked at".to_owned()))
}

fn bypassed(summary: &str, place: &str, seen: &str) -> Finding {
    Finding::new(Severity::High, "", summary).cause(place).seen(place, seen).remedy(
        Remedy::new("Let the filter ask the scanner, and refuse what it finds.")
            .add("/etc/amavis/conf.d/50-user", &[
                "@bypass_virus_checks_maps = (\\%bypass_virus_checks, \\@bypass_virus_checks_acl, \\$bypass_virus_checks_re);",
                "$final_virus_destiny = D_REJECT;",
            ])
            .apply("systemctl restart amavis")
            .prove("amavisd-new showkeys; grep INFECTED /var/log/mail.log"),
    )
}

pub(crate) static AVS_003: Check = Check {
    id: "AVS-003",
    title: "Virus signatures are old or missing",
    severity: Severity::High,
    why: "What is new this week is not known to them, and that is what is being sent.",
    proof: "When ClamAV's daily signatures were changed last, against the time of this look: more than 48 hours.",
    fix: "See why freshclam does not update: its log, its outgoing connections, its release.",
    references: &["https://docs.clamav.net/manual/Usage/SignatureManagement.html"],
    judge: avs_003,
};

const TWO_DAYS: i64 = 48 * 3600;
const SIGNATURES: &str = "/var/lib/clamav";

fn avs_003(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    if !scanner(server)? {
        return not_applicable("there is no virus scanner");
    }
    let now: Timestamp = facts
        .about
        .taken
        .parse()
        .map_err(|_| Untold::CouldNotTell("the time of the look is unknown".to_owned()))?;
    let daily = facts.below(SIGNATURES).filter(|(path, _)| path.contains("/daily."));
    let Some((path, file)) = daily.max_by_key(|(_, file)| file.modified) else {
        // A container keeps them on a volume that may not be among what was looked at.
        if facts.below(SIGNATURES).next().is_none() {
            return could_not_tell(format!("{SIGNATURES} was not looked at"));
        }
        return Ok(
            stale("There are no daily virus signatures", SIGNATURES, "no daily.cvd, no daily.cld").into()
        );
    };
    let age = now.as_second() - file.modified;
    let changed =
        Timestamp::from_second(file.modified).map_or_else(|_| String::new(), |time| time.to_string());
    if age <= TWO_DAYS {
        return pass(format!("{path} was changed {changed}"));
    }
    Ok(stale(
        "The virus signatures have not been updated for more than two days",
        path,
        &format!("changed {changed}"),
    )
    .into())
}

fn stale(summary: &str, place: &str, seen: &str) -> Finding {
    Finding::new(Severity::High, "", summary).cause("freshclam").seen(place, seen).remedy(
        Remedy::new("Update the signatures now, and see why nothing did.")
            .apply("freshclam")
            .prove("sigtool --info /var/lib/clamav/daily.cld"),
    )
}

pub(crate) static AVS_004: Check = Check {
    id: "AVS-004",
    title: "Archives of a kind that nobody can open pass unread",
    severity: Severity::Medium,
    why: "Whoever packs a virus into such an archive gets it past the scanner, and most mail programs open it with a click.",
    proof: "The decoders that amavis says at its start that it lacks, without those that nobody uses any more, and without those \
            whose type is banned.",
    fix: "Install the program that opens it, or ban the type.",
    references: &[
        "amavisd.conf-default @decoders",
        "https://github.com/docker-mailserver/docker-mailserver/issues/4548",
    ],
    judge: avs_004,
};

/// Types that people open, and what opens them for amavis.
const TYPES: &[(&str, &str)] = &[
    ("7z", "7zip"),
    ("arj", "arj"),
    ("bz2", "bzip2"),
    ("cab", "cabextract"),
    ("cpio", "cpio"),
    ("gz", "gzip"),
    ("iso", "7zip"),
    ("lha", "7zip"),
    ("lrz", "lrzip"),
    ("lz4", "lz4"),
    ("lzma", "xz-utils"),
    ("lzo", "lzop"),
    ("rar", "unrar-free"),
    ("rpm", "rpm2cpio"),
    ("swf", "7zip"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
    ("Z", "gzip"),
    ("zip", "unzip"),
    ("zst", "zstd"),
];

fn avs_004(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    if !amavis_used(server)? {
        return not_applicable("amavis is not used");
    }
    if facts.log.path.is_empty() {
        return could_not_tell("no log was read, so nobody knows what amavis said at its start");
    }
    let lines = amavis(facts).unwrap_or_default();
    let banned = banned_names(&lines);
    let missing: Vec<(&str, &str, &str)> = facts
        .log
        .troubles
        .iter()
        .filter_map(|trouble| {
            let (_, kinds) = trouble.line.split_once("No decoder for ")?;
            let kind = kinds.split_whitespace().next()?.trim_start_matches('.');
            let (kind, package) = TYPES.iter().find(|(known, _)| *known == kind)?;
            (!banned.contains(kind)).then_some((*kind, *package, trouble.line.as_str()))
        })
        .collect();
    if missing.is_empty() {
        return pass("amavis lacks no decoder of a type in use");
    }
    let kinds: Vec<String> = missing.iter().map(|(kind, _, _)| format!(".{kind}")).collect();
    let packages: Vec<&str> = missing.iter().map(|(_, package, _)| *package).collect();
    let seen = missing
        .iter()
        .map(|(_, _, line)| Evidence { place: facts.log.path.clone(), seen: (*line).to_owned() });
    let types: Vec<&str> = missing.iter().map(|(kind, _, _)| *kind).collect();
    let remedy = if server.dms().is_ok() {
        Remedy::new(format!(
            "Ban the type in amavis.cf, or install {} in user-patches.sh.",
            packages.join(", ")
        ))
        .change(banning(facts, &lines, &format!("\\.({})$", types.join("|"))))
        .prove("docker exec mailserver grep 'No decoder' /var/log/mail/mail.log")
    } else {
        Remedy::new("Install what opens it, or ban the type.")
            .apply(format!("apt-get install {} && systemctl restart amavis", packages.join(" ")))
            .prove("grep 'No decoder' /var/log/mail.log")
    };
    let summary = format!("amavis cannot open {}: what is in it is not scanned", kinds.join(", "));
    Ok(Finding::new(Severity::Medium, "", summary).cause("@decoders").all_seen(seen).remedy(remedy).into())
}

/// The text of what amavis bans by name, from all lines of the assignment.
pub(super) fn banned_names(lines: &[Line<'_>]) -> String {
    let start = lines.iter().rposition(|line| line.text.starts_with(BANNED));
    let rest = lines.get(start.unwrap_or_default()..).unwrap_or_default();
    let end = rest.iter().position(|line| line.text.contains(");")).map_or(rest.len(), |end| end + 1);
    let assigned = rest.iter().take(if start.is_some() { end } else { 0 });
    let added = rest.iter().filter(|line| line.text.starts_with(ADDED));
    assigned.chain(added).map(|line| format!("{}\n", line.text)).collect()
}

/// What bans more names and types. What is banned already stays, the operator's own list among it.
fn banning(facts: &Facts, lines: &[Line<'_>], pattern: &str) -> Change {
    let pattern = format!("qr'{pattern}'i");
    // docker-mailserver's image has a list, whether it was looked at or not.
    let dms = facts.about.deployment == Deployment::DockerMailserver;
    if dms || lines.iter().any(|line| line.text.starts_with(BANNED)) {
        return Change::lines(USER, &[], &[&format!("{ADDED}, {pattern});")]);
    }
    Change::setting(USER, "", BANNED, format!("new_RE( {pattern} )"))
}

pub(crate) static AVS_005: Check = Check {
    id: "AVS-005",
    title: "Attachments that run programs pass",
    severity: Severity::Medium,
    why: "Scripts, shortcuts and disk images are how intruders come in by mail; hardly anybody sends them for a good reason.",
    proof: "The types that amavis bans by name, Rspamd's mime_types module, and Postfix' mime_header_checks.",
    fix: "Ban the types; people who need them can send a link.",
    references: &["https://www.m3aawg.org", "BSI CS 138"],
    judge: avs_005,
};

const DANGEROUS: &[&str] = &["exe", "js", "vbs", "scr", "lnk", "iso", "img", "hta", "one", "vhd"];

fn avs_005(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    if let Some(dump) = rspamd(facts) {
        return match block(dump, "mime_types") {
            Some(rule) if setting(rule, "enabled") != Some("false") => {
                pass("Rspamd's mime_types module is on")
            }
            _ => {
                let on = Change::setting("/etc/rspamd/local.d/mime_types.conf", "", "enabled", "true");
                Ok(passing("rspamadm configdump", "mime_types is off", DANGEROUS, on).into())
            }
        };
    }
    let lines = amavis(facts)?;
    let banned = banned_names(&lines);
    let missing: Vec<&str> = DANGEROUS.iter().copied().filter(|kind| !has_word(&banned, kind)).collect();
    if missing.len() < 4 {
        return pass(format!(
            "amavis bans {} of {} such types",
            DANGEROUS.len() - missing.len(),
            DANGEROUS.len()
        ));
    }
    let place = lines.iter().rfind(|line| line.text.starts_with(BANNED));
    let place = place.map_or_else(|| "/etc/amavis/conf.d".to_owned(), |line| line.place.clone());
    let seen = format!("not among what is banned: {}", missing.join(", "));
    Ok(passing(&place, &seen, &missing, banning(facts, &lines, &format!(".\\.({})$", DANGEROUS.join("|"))))
        .into())
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|found| found.eq_ignore_ascii_case(word))
}

fn passing(place: &str, seen: &str, kinds: &[&str], change: Change) -> Finding {
    let remedy = Remedy::new("Ban what runs programs.").change(change);
    Finding::new(Severity::Medium, "", format!("Attachments that run programs pass: {}", kinds.join(", ")))
        .cause(BANNED)
        .seen(place, seen)
        .remedy(remedy.prove("grep BANNED /var/log/mail.log"))
}

/// The operator's own file of amavis, the last one to be read.
const USER: &str = "/etc/amavis/conf.d/50-user";
/// What amavis bans by name: an `Amavis::Lookup::RE`, which is a list.
const BANNED: &str = "$banned_filename_re";
/// What begins a line that bans more.
const ADDED: &str = "push(@$banned_filename_re";

pub(crate) static AVS_006: Check = Check {
    id: "AVS-006",
    title: "Archives with a password pass unmarked",
    severity: Severity::Low,
    why: "No scanner sees into them, and the password stands in the mail: a common way to bring malware in.",
    proof: "clamd's AlertEncrypted options, amavis' ban of undecipherable parts, Rspamd's mime_types module.",
    fix: "Tag or hold them.",
    references: &["clamd.conf(5) AlertEncrypted"],
    judge: avs_006,
};

fn avs_006(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    if rspamd(facts).is_some_and(|dump| block(dump, "mime_types").is_some()) {
        return pass("Rspamd's mime_types module scores encrypted archives");
    }
    let lines = amavis(facts);
    let said = |line: &Line<'_>| {
        line.text.contains("UNDECIPHERABLE") || line.text.starts_with("$defang_undecipherable = 1")
    };
    if let Some(line) = lines.as_ref().ok().and_then(|lines| lines.iter().find(|line| said(line))) {
        return pass(format!("{}: {}", line.place, line.text));
    }
    for option in ["AlertEncrypted", "AlertEncryptedArchive", "ArchiveBlockEncrypted"] {
        if config::clamd(facts, option)?.is_some_and(|value| matches!(value, "yes" | "true" | "1")) {
            return pass(format!("clamd.conf: {option}"));
        }
    }
    lines?;
    let finding = Finding::new(Severity::Low, "", "Archives with a password pass without a mark")
        .cause("AlertEncryptedArchive")
        .seen("/etc/clamav/clamd.conf", "no AlertEncrypted option is on")
        .seen("/etc/amavis/conf.d", "undecipherable parts are neither banned nor marked");
    let remedy = Remedy::new("Mark them, so that people think before they open them.")
        .change(Change::setting("/etc/amavis/conf.d/50-user", "", "$defang_undecipherable", "1"));
    Ok(finding.remedy(remedy).into())
}

pub(crate) static AVS_007: Check = Check {
    id: "AVS-007",
    title: "Large mail passes the scanner unseen",
    severity: Severity::Medium,
    why: "Whoever makes a message a little larger than the scanner's limit gets everything through.",
    proof: "message_size_limit of Postfix against clamd's StreamMaxLength, docker-mailserver's CLAMAV_MESSAGE_SIZE_LIMIT and \
            Rspamd's max_message.",
    fix: "Raise the scanner's limit, or lower Postfix' to it.",
    references: &[
        "clamd.conf(5) StreamMaxLength",
        "https://www.postfix.org/postconf.5.html#message_size_limit",
    ],
    judge: avs_007,
};

fn avs_007(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let accepted: u64 = server
        .postfix()?
        .need("message_size_limit")?
        .parse()
        .map_err(|_| Untold::CouldNotTell("message_size_limit is no number".to_owned()))?;
    let limits = limits(server, facts)?;
    if limits.is_empty() {
        return not_applicable("there is no scanner with a limit");
    }
    let small: Vec<_> = limits.iter().filter(|(_, _, limit)| accepted == 0 || *limit < accepted).collect();
    if small.is_empty() {
        return pass(format!("Postfix takes {accepted} bytes at most, and the scanner as much"));
    }
    let seen = small.iter().map(|(place, text, _)| Evidence { place: place.clone(), seen: text.clone() });
    let told =
        if accepted == 0 { "mail of any size".to_owned() } else { format!("mail of {accepted} bytes") };
    let finding =
        Finding::new(Severity::Medium, "", format!("Postfix takes {told}, and the scanner looks at less"))
            .cause("message_size_limit")
            .seen("main.cf", format!("message_size_limit = {accepted}"))
            .all_seen(seen);
    let remedy = Remedy::new("Make the scanner's limit the larger one.")
        .changes(whole(accepted))
        .prove("clamconf | grep StreamMaxLength");
    Ok(finding.remedy(remedy).into())
}

/// clamd looks at the whole of the largest mail; none where mail has no limit.
fn whole(accepted: u64) -> Vec<Change> {
    let megabytes = (accepted >> 20).max(99) + 1;
    let sizes = [("StreamMaxLength", 1), ("MaxFileSize", 1), ("MaxScanSize", 4)];
    let set = |(name, times): (&str, u64)| {
        Change::setting("/etc/clamav/clamd.conf", "", name, format!("{}M", megabytes * times))
    };
    if accepted == 0 { Vec::new() } else { sizes.map(set).to_vec() }
}

/// Places, texts and sizes of what scanners look at.
fn limits(server: &Server<'_>, facts: &Facts) -> Result<Vec<(String, String, u64)>, Untold> {
    let mut limits = Vec::new();
    if scanner(server)? {
        if let Ok(dms) = server.dms() {
            let set = dms.in_force("CLAMAV_MESSAGE_SIZE_LIMIT")?;
            limits.extend(bytes(&set.value).map(|size| (set.place, set.seen, size)));
        } else if let Some(value) = config::clamd(facts, "StreamMaxLength")? {
            limits.extend(
                bytes(value).map(|size| ("clamd.conf".to_owned(), format!("StreamMaxLength {value}"), size)),
            );
        }
    }
    if let Some(value) = rspamd(facts).and_then(|dump| setting(block(dump, "options")?, "max_message")) {
        limits.extend(
            bytes(value)
                .map(|size| ("rspamadm configdump".to_owned(), format!("max_message = {value}"), size)),
        );
    }
    Ok(limits)
}

pub(crate) static AVS_009: Check = Check {
    id: "AVS-009",
    title: "Rules of the filter are broken, or lie where nobody reads them",
    severity: Severity::Medium,
    why: "A rule that is not read stops nothing, and a broken file takes the whole filter with it when it starts again.",
    proof: "Names of files in amavis' conf.d that it passes over, an amavis.cf that does not end in `1;`, lines of SpamAssassin that \
            amavis overrides, and what rspamadm configtest says.",
    fix: "Rename or correct the file.",
    references: &["amavisd-new's README.Debian", "Mail::SpamAssassin::Conf(3)"],
    judge: avs_009,
};

fn avs_009(server: &Server<'_>) -> Judged {
    let facts = server.facts;
    let mut findings = Vec::new();
    let mut looked = Vec::new();
    if let Ok(said) = facts.said("rspamadm configtest") {
        looked.push("rspamadm configtest");
        if said.status != Some(0) {
            let first = said.stderr.lines().chain(said.stdout.lines()).find(|line| !line.trim().is_empty());
            let finding = broken(
                "rspamd",
                "Rspamd's configuration does not load",
                "rspamadm configtest",
                first.unwrap_or("failed"),
            );
            findings.push(Finding { severity: Severity::High, ..finding });
        }
    }
    let configured: Vec<&str> = facts.below("/etc/amavis/conf.d").map(|(path, _)| path).collect();
    if !configured.is_empty() {
        looked.push("amavis' conf.d");
        let unread = configured.iter().filter(|path| !config::is_read(path) && !crate::dms::is_aside(path));
        findings.extend(unread.map(|path| {
            let summary =
                format!("amavis never reads {path}: a name in conf.d may hold letters, digits, - and _ only");
            broken(path, &summary, path, "the name has another character")
        }));
    }
    if let Some(text) =
        crate::dms::volume_text(facts, "amavis.cf").ok().flatten().filter(|_| server.dms().is_ok())
    {
        looked.push("amavis.cf");
        let end = config::lines("amavis.cf", text).pop();
        if let Some(end) = end.filter(|line| !line.text.starts_with("1;")) {
            let summary = "amavis.cf does not end in `1;`: amavis will not start with it";
            let finding = broken("amavis.cf", summary, &end.place, end.text);
            findings.push(Finding { severity: Severity::High, ..finding });
        }
    }
    let rules = config::spamassassin(facts);
    if !rules.is_empty() && amavis_used(server)? {
        looked.push("SpamAssassin's files");
        findings.extend(overridden(&rules));
    }
    if looked.is_empty() {
        return could_not_tell("no filter's files were looked at");
    }
    Ok(Outcome::of(findings, format!("nothing is wrong in {}", looked.join(", "))))
}

fn broken(subject: &str, summary: &str, place: &str, seen: &str) -> Finding {
    let remedy = Remedy::new("Correct it, and start the filter again.")
        .apply("systemctl restart amavis")
        .prove("amavisd-new test-config");
    Finding::new(Severity::Medium, subject, summary).cause(place).seen(place, seen).remedy(remedy)
}

/// SpamAssassin's settings that amavis decides by itself. Debian's local.cf has them as comments only.
fn overridden(rules: &[Line<'_>]) -> Option<Finding> {
    let dead = ["required_score ", "required_hits ", "report_safe ", "rewrite_header "];
    let lines: Vec<&Line<'_>> =
        rules.iter().filter(|line| dead.iter().any(|word| line.text.starts_with(word))).collect();
    (!lines.is_empty()).then(|| {
        Finding::new(
            Severity::Low,
            "spamassassin",
            "Lines of SpamAssassin have no effect: amavis decides these things itself",
        )
        .cause("local.cf")
        .all_seen(lines.iter().map(|line| Evidence { place: line.place.clone(), seen: line.text.to_owned() }))
        .remedy(
            Remedy::new(
                "Set $sa_tag2_level_deflt, $sa_kill_level_deflt and $sa_spam_subject_tag of amavis instead.",
            )
            .apply("systemctl restart amavis"),
        )
    })
}
