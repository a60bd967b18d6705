//! What becomes of mail that every filter knows.

use crate::check::could_not_tell;
use crate::checks::tls::upper;
use crate::facts::{Deployment, Known, Sample, Trial};
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(crate) static AVS_008: Check = Check {
    id: "AVS-008",
    title: "A test virus or test spam is delivered like any mail",
    severity: Severity::High,
    why: "Filters that are installed and configured and catch nothing are worse than none, because everybody relies on them.",
    proof: "With --active and --deliver-to: EICAR and GTUBE are handed in at port 25 for the named address; the answer, the log's lines \
            about them, and what Dovecot has of them.",
    fix: "Follow one of the test mails through the log, and wire in the filter that should have seen it.",
    references: &[
        "https://www.eicar.org/download-anti-malware-testfile/",
        "https://spamassassin.apache.org/gtube/",
    ],
    judge: avs_008,
};

/// What became of a mail.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// A filter refused, kept or marked it; what shows it.
    Caught(String),
    /// It was delivered like any mail; what shows it.
    Delivered(String),
    /// Nobody knows; why.
    Unknown(String),
}

fn avs_008(server: &Server<'_>) -> Judged {
    let trials = &server.facts.trials;
    if trials.is_empty() {
        return could_not_tell("no test mail was sent: that takes --active and --deliver-to ADDRESS");
    }
    let (mut findings, mut caught, mut unknown) = (Vec::new(), Vec::new(), None);
    for (trial, sample) in
        trials.iter().flat_map(|trial| trial.samples.iter().map(move |sample| (trial, sample)))
    {
        let name = sample.name.to_uppercase();
        match end(sample) {
            End::Caught(shown) => caught.push(format!("{name}: {shown}")),
            End::Delivered(shown) => findings.push(delivered(server, trial, sample, &shown)),
            End::Unknown(why) => unknown = Some(format!("{name}: {why}")),
        }
    }
    match unknown {
        Some(why) if findings.is_empty() => could_not_tell(why),
        None if findings.is_empty() && caught.is_empty() => {
            could_not_tell(trials.first().map_or_else(String::new, |trial| trial.ended.clone()))
        }
        _ => Ok(Outcome::of(findings, caught.join("; "))),
    }
}

fn end(sample: &Sample) -> End {
    let reply = match &sample.reply {
        Known::Is(reply) => reply,
        Known::Unread(why) => return End::Unknown(why.clone()),
        Known::Absent | Known::Unasked => return End::Unknown("it was not sent".to_owned()),
    };
    match reply.as_bytes().first() {
        Some(b'5') => return End::Caught(reply.clone()),
        Some(b'2') => {}
        _ => return End::Unknown(format!("the server put it off: {reply}")),
    }
    let is_virus = sample.name == "eicar";
    if let Some(line) = sample.log.iter().find(|line| is_caught(line, is_virus)) {
        return End::Caught(said(line));
    }
    let stored = sample.stored.known().map(Vec::as_slice).unwrap_or_default();
    if let Some(mark) = stored.iter().find(|field| is_mark(field, is_virus)) {
        return End::Caught(format!("it lies in the mailbox with {mark}"));
    }
    if !stored.is_empty() {
        return End::Delivered(format!("in the mailbox: {}", stored.join(", ")));
    }
    match sample.log.iter().find(|line| is_final(line)) {
        // A spam filter may have marked it, which only the mailbox would show.
        Some(_) if !is_virus => End::Unknown(
            "it was delivered, and whether it was marked is in a mailbox that could not be read".to_owned(),
        ),
        Some(line) => End::Delivered(said(line)),
        None => {
            End::Unknown(format!("it was accepted ({reply}), and the log does not say what became of it"))
        }
    }
}

/// What amavis, milters, SpamAssassin and filters behind the queue say of a mail that they stop or mark. A virus that is delivered as
/// spam is delivered.
fn is_caught(line: &str, is_virus: bool) -> bool {
    const STOPPED: [&str; 9] = [
        ") Blocked ",
        ") Passed INFECTED",
        ") Passed BANNED",
        "milter-reject:",
        "milter-discard:",
        "milter-hold:",
        "status=bounced",
        ": discard:",
        " infected by ",
    ];
    const SPAM: [&str; 2] = [") Passed SPAM", "result: Y"];
    let says = |words: &[&str]| words.iter().any(|word| line.contains(word));
    says(&STOPPED) || (!is_virus && says(&SPAM))
}

/// A field or folder that says so.
fn is_mark(field: &str, is_virus: bool) -> bool {
    let field = field.to_ascii_lowercase();
    let Some((name, value)) = field.split_once(':') else { return false };
    let value = value.trim();
    let is_folder = |names: &[&str]| names.iter().any(|name| value.contains(name));
    match name {
        "mailbox" if is_virus => is_folder(&["virus", "quarantine"]),
        "mailbox" => is_folder(&["junk", "spam", "quarantine"]),
        "hdr.x-virus-status" => value.starts_with("infected"),
        "hdr.x-amavis-alert" | "hdr.x-quarantine-id" => !value.is_empty(),
        _ if is_virus => false,
        "hdr.x-spam" | "hdr.x-spam-flag" | "hdr.x-spam-status" => value.starts_with("yes"),
        "hdr.subject" => value.starts_with("***") || value.starts_with("[spam"),
        _ => false,
    }
}

/// Delivered to a mailbox, not to a filter behind the queue.
fn is_final(line: &str) -> bool {
    let to = |relay: &str| line.contains(&format!("relay={relay}"));
    let filter = ["127.0.0.1[127.0.0.1]:1002", "localhost[127.0.0.1]:1002", "127.0.0.1[127.0.0.1]:783"];
    line.contains("status=sent") && !filter.iter().any(|relay| to(relay))
}

/// What follows the program's name.
fn said(line: &str) -> String {
    line.split_once("]: ").map_or(line, |(_, said)| said).to_owned()
}

fn delivered(server: &Server<'_>, trial: &Trial, sample: &Sample, shown: &str) -> Finding {
    let (name, what) = if sample.name == "eicar" { ("EICAR", "test virus") } else { ("GTUBE", "test spam") };
    let reply = sample.reply.known().map_or("", String::as_str);
    let advice = match (server.facts.about.deployment, sample.name.as_str()) {
        (Deployment::DockerMailserver, "eicar") => {
            "Set ENABLE_CLAMAV=1 with ENABLE_AMAVIS=1, or ENABLE_RSPAMD=1."
        }
        (Deployment::DockerMailserver, _) => {
            "Set ENABLE_SPAMASSASSIN=1 with ENABLE_AMAVIS=1, or ENABLE_RSPAMD=1."
        }
        _ => "Follow the test mail through the log, and wire in the filter that should have seen it.",
    };
    Finding::new(
        Severity::High,
        name,
        format!("{} {name} was delivered like any mail", upper(&format!("the {what}"))),
    )
    .seen(trial.place(), format!("answer to the end of the mail: {reply}"))
    .seen(format!("message id {}", sample.token), shown)
    .remedy(
        Remedy::new(advice)
            .prove(format!("mailward audit --active --deliver-to {} --only AVS-008", trial.recipient)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_by_answer_log_and_mailbox() {
        let log = |line: &str| vec![format!("Nov 21 10:00:00 mail x[1]: {line}")];
        let lmtp = "4dXQ1p: to=<a@example.org>, relay=mail[private/dovecot-lmtp], status=sent (250 2.0.0)";
        let rows = [
            ("gtube", "554 5.7.1 Gtube pattern", vec![], vec![], "Caught"),
            ("eicar", "451 4.7.1 try later", vec![], vec![], "Unknown"),
            ("eicar", "250 queued", log("(1) Blocked INFECTED (Eicar-Signature)"), vec![], "Caught"),
            (
                "eicar",
                "250 queued",
                log("4dXQ1p: to=<a@example.org>, relay=127.0.0.1[127.0.0.1]:10024, status=sent"),
                vec![],
                "Unknown",
            ),
            ("eicar", "250 queued", log(lmtp), vec![], "Delivered"),
            ("gtube", "250 queued", log(lmtp), vec![], "Unknown"),
            ("gtube", "250 queued", log(lmtp), vec!["mailbox: INBOX", "hdr.x-spam-flag: "], "Delivered"),
            ("gtube", "250 queued", log(lmtp), vec!["mailbox: INBOX", "hdr.x-spam-flag: YES"], "Caught"),
            ("gtube", "250 queued", log(lmtp), vec!["mailbox: Junk"], "Caught"),
            ("gtube", "250 queued", vec![], vec![], "Unknown"),
            ("eicar", "250 queued", log(lmtp), vec!["mailbox: Junk", "hdr.x-spam: Yes"], "Delivered"),
            (
                "eicar",
                "250 queued",
                log(lmtp),
                vec!["mailbox: INBOX", "hdr.x-virus-status: Infected (Eicar)"],
                "Caught",
            ),
        ];
        for (name, reply, log, stored, wanted) in rows {
            let sample = Sample {
                name: name.to_owned(),
                reply: Known::Is(reply.to_owned()),
                stored: Known::Is(stored.iter().map(|field| (*field).to_owned()).collect()),
                log,
                ..Sample::default()
            };
            let end = end(&sample);
            assert!(format!("{end:?}").starts_with(wanted), "{sample:?}: {end:?}");
        }
    }
}
