//! How long logs are kept.

use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Known;
use crate::plan::Change;
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

/// How a log is rotated.
#[derive(Clone, Debug, Default)]
struct Rotation {
    /// Where that is said.
    place: String,
    /// How often: `weekly`.
    every: String,
    /// How many old logs are kept.
    keep: Option<u64>,
    /// Days after which old ones are deleted.
    max_age: Option<u64>,
    /// Whether the log is copied and cut rather than renamed.
    truncates: bool,
}

impl Rotation {
    /// Days that are kept at least: the old logs. The current one adds up to as much as one of them.
    fn days(&self) -> u64 {
        let each = match self.every.as_str() {
            "hourly" => return self.keep.unwrap_or(0) / 24,
            "daily" => 1,
            "monthly" => 30,
            "yearly" => 365,
            _ => 7,
        };
        let days = (self.keep.unwrap_or(0) + 1) * each;
        self.max_age.map_or(days, |age| age.min(days))
    }

    fn directive(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let number = |word: Option<&str>| word.and_then(|word| word.parse().ok());
        match words.next().unwrap_or_default() {
            every @ ("hourly" | "daily" | "weekly" | "monthly" | "yearly") => {
                every.clone_into(&mut self.every);
            }
            "rotate" => self.keep = number(words.next()),
            "maxage" => self.max_age = number(words.next()),
            "copytruncate" => self.truncates = true,
            "nocopytruncate" => self.truncates = false,
            _ => {}
        }
    }
}

/// How the mail log is rotated, if it is.
fn of_mail(server: &Server<'_>) -> Result<Option<Rotation>, Untold> {
    if let Ok(dms) = server.dms()
        && !matches!(server.facts.files.get("/etc/logrotate.d"), Some(Known::Is(_)))
    {
        // Its configuration is written at the start of the container from these two, always with copytruncate.
        let (every, keep) = (dms.setting("LOGROTATE_INTERVAL")?, dms.setting("LOGROTATE_COUNT")?);
        let place = format!("{}: {}, {}", keep.place, every.seen, keep.seen);
        return Ok(Some(Rotation {
            place,
            every: every.value,
            keep: keep.value.parse().ok(),
            max_age: None,
            truncates: true,
        }));
    }
    let text = server.facts.text("/etc/logrotate.conf")?.unwrap_or_default();
    let mut general = Rotation { every: "weekly".to_owned(), ..Rotation::default() };
    blocks("/etc/logrotate.conf", text, &mut general);
    let files =
        server.facts.below("/etc/logrotate.d").filter_map(|(path, file)| Some((path, file.text.known()?)));
    let all = files.flat_map(|(path, text)| blocks(path, text, &mut general.clone()));
    let own = blocks("/etc/logrotate.conf", text, &mut general.clone());
    Ok(own.into_iter().chain(all).find(|(log, _)| is_mail(log)).map(|(_, rotation)| rotation))
}

fn is_mail(log: &str) -> bool {
    let names = ["mail.log", "maillog", "mail.*", "mail*", "*.log", "mail.info"];
    log.starts_with("/var/log/mail/")
        || log.strip_prefix("/var/log/").is_some_and(|name| names.contains(&name))
}

/// The logs of a file with their rotation; directives outside of blocks go into `general`.
fn blocks(path: &str, text: &str, general: &mut Rotation) -> Vec<(String, Rotation)> {
    let mut found = Vec::new();
    let mut logs: Vec<String> = Vec::new();
    let mut block: Option<Rotation> = None;
    let mut script = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        match line {
            "endscript" => script = false,
            _ if script || line.is_empty() || line.starts_with('#') => {}
            "postrotate" | "prerotate" | "firstaction" | "lastaction" | "preremove" => script = true,
            _ if line.starts_with('}') => {
                let rotation = block.take().unwrap_or_default();
                found.extend(logs.drain(..).map(|log| (log, rotation.clone())));
            }
            _ if block.is_none() && (line.starts_with(['/', '"']) || line.starts_with('{')) => {
                let (paths, opens) = line.split_once('{').map_or((line, false), |(paths, _)| (paths, true));
                logs.extend(paths.split_whitespace().map(|log| log.trim_matches('"').to_owned()));
                if opens {
                    block = Some(Rotation { place: format!("{path}:{}", at + 1), ..general.clone() });
                }
            }
            _ => block.as_mut().unwrap_or(general).directive(line),
        }
    }
    found
}

pub(super) static LOG_002: Check = Check {
    id: "LOG-002",
    title: "The mail log is not rotated well",
    severity: Severity::Medium,
    why: "A log that is never rotated fills the disk; one that keeps nothing leaves no trace of an attack; one that is copied and cut loses the \
          lines in between, and a reader that does not notice reads nothing any more.",
    proof: "The block of logrotate that covers the mail log: none, `rotate 0`, or `copytruncate`, which is told for information.",
    fix: "Rotate weekly, keep at least four old logs, and let the logger reopen its files.",
    references: &["logrotate(8)", "CIS Controls v8 8.10"],
    judge: log_002,
};

fn log_002(server: &Server<'_>) -> Judged {
    let logs = super::target::mail_logs(server);
    let Some(rotation) = of_mail(server)? else {
        if logs.is_empty() {
            return not_applicable("there is no mail log in a file");
        }
        let finding = Finding::new(Severity::Medium, "", format!("Nothing rotates {}", logs.join(", ")))
            .seen("/etc/logrotate.d", "no block that covers the mail log");
        return Ok(Outcome::from(finding.remedy(rotate(server, None, &logs))));
    };
    if rotation.keep == Some(0) || rotation.keep.is_none() {
        let finding = Finding::new(Severity::Medium, "", "Rotation of the mail log keeps nothing")
            .cause("rotate")
            .seen(
                rotation.place.clone(),
                "rotate 0, which is the default too: the old log is deleted at once",
            );
        return Ok(Outcome::from(finding.remedy(rotate(server, Some(&rotation), &logs))));
    }
    if rotation.truncates {
        let finding = Finding::new(Severity::Info, "copytruncate", "The mail log is copied and cut when it is rotated")
            .cause("copytruncate")
            .seen(rotation.place, "copytruncate: lines written between copy and cut are lost, and readers must notice that the file shrinks");
        let advice = "Nothing has to be done for Mailward, which notices. Other readers of the log must be told (fail2ban and tail -F notice).";
        let remedy =
            Remedy::new(advice).apply("logrotate --debug /etc/logrotate.conf").prove("ls -li /var/log/mail/");
        return Ok(Outcome::from(finding.remedy(remedy)));
    }
    pass(format!("{}: {}, {} kept", rotation.place, rotation.every, rotation.keep.unwrap_or(0)))
}

/// Rotation as it should be: what is there keeps its words, but for the number.
fn rotate(server: &Server<'_>, rotation: Option<&Rotation>, logs: &[String]) -> Remedy {
    let remedy = Remedy::new("Rotate the log weekly and keep some.");
    let Some(rotation) = rotation else {
        let paths = if logs.is_empty() { "/var/log/mail.log".to_owned() } else { logs.join(" ") };
        let lines = [
            &format!("{paths} {{"),
            "  weekly",
            "  rotate 8",
            "  compress",
            "  delaycompress",
            "  missingok",
            "  notifempty",
            "  postrotate",
            "    /usr/lib/rsyslog/rsyslog-rotate",
            "  endscript",
            "}",
        ];
        return remedy
            .change(Change::lines("/etc/logrotate.d/mail", &[], &lines))
            .prove("logrotate --debug /etc/logrotate.d/mail");
    };
    let keep = match rotation.every.as_str() {
        "hourly" => "1440",
        "daily" => "60",
        "monthly" => "2",
        "yearly" => "1",
        _ => "8",
    };
    let remedy = match &server.dms() {
        Ok(_) => remedy.change(Change::variable("LOGROTATE_COUNT", keep)),
        Err(_) => remedy.changes(counting(server, &rotation.place, keep)),
    };
    remedy.prove("grep mail.log /var/lib/logrotate/status")
}

/// The line `rotate N` of the block that begins at a place, with another number.
fn counting(server: &Server<'_>, place: &str, keep: &str) -> Option<Change> {
    let (file, line) = place.rsplit_once(':')?;
    let text = server.facts.text(file).ok().flatten()?;
    let mut block = text.lines().skip(line.parse::<usize>().ok()?);
    let old = block.find(|line| {
        let line = line.trim();
        line.starts_with('}') || line.split_whitespace().next() == Some("rotate")
    })?;
    if old.trim().starts_with('}') {
        return None;
    }
    let indent = old.get(..old.len() - old.trim_start().len())?;
    Some(Change::lines(file, &[old], &[&format!("{indent}rotate {keep}")]))
}

/// Forensics need a month; stated policies of people's providers seldom allow a year.
const LEAST: u64 = 30;
const LONGEST: u64 = 400;

pub(super) static LOG_003: Check = Check {
    id: "LOG-003",
    title: "The mail log is kept too short or too long",
    severity: Severity::Low,
    why: "An intrusion is found after weeks as a rule, and then its beginning is gone; logs kept for years are personal data without a purpose.",
    proof: "Interval times count of logrotate: less than 30 days, or more than 400.",
    fix: "Keep between one and three months, or what your privacy statement says.",
    references: &["CIS Controls v8 8.10", "GDPR article 5"],
    judge: log_003,
};

fn log_003(server: &Server<'_>) -> Judged {
    let Some(rotation) = of_mail(server)? else {
        return not_applicable("the mail log is not rotated, which LOG-002 judges");
    };
    if rotation.keep.is_none_or(|keep| keep == 0) {
        return not_applicable("nothing is kept, which LOG-002 judges");
    }
    let days = rotation.days();
    if rotation.every.is_empty() {
        return could_not_tell("how often the log is rotated is not said");
    }
    if (LEAST..=LONGEST).contains(&days) {
        return pass(format!("about {days} days are kept"));
    }
    let word = if days < LEAST { "only" } else { "as long as" };
    let finding = Finding::new(Severity::Low, "", format!("The mail log is kept {word} {days} days"))
        .cause("rotate")
        .seen(rotation.place.clone(), format!("{}, rotate {}", rotation.every, rotation.keep.unwrap_or(0)));
    Ok(Outcome::from(finding.remedy(rotate(server, Some(&rotation), &[]))))
}
