//! Queue.

use std::collections::BTreeMap;

use crate::check::{could_not_tell, pass};
use crate::facts::{Queue, Queued};
use crate::{Check, Finding, Judged, NotYet, Outcome, Remedy, Server, Severity, Untold};

/// The checks, by id.
pub(crate) const CHECKS: &[&Check] = &[&QUE_001, &QUE_002, &QUE_003, &QUE_004, &QUE_005, &QUE_006];

/// The rows that no check proves yet, by id.
pub(crate) const NOT_YET: &[NotYet] = &[];

const HOUR: i64 = 3600;

/// A deferred queue of this size is more than a few servers that are down.
const MANY: usize = 100;

/// Postfix tells the sender of a delay at the latest after four hours where `delay_warning_time` is set; a day is long for anybody.
const OLD: i64 = 24 * HOUR;

/// Deferred mail of a small server that is older than this will hardly arrive.
const OLD_SHARE: usize = 10;

/// When the facts were taken, seconds since 1970.
fn taken(server: &Server<'_>) -> Result<i64, Untold> {
    match server.facts.about.taken.parse::<jiff::Timestamp>() {
        Ok(taken) => Ok(taken.as_second()),
        Err(_) => could_not_tell("when the facts were taken is not known"),
    }
}

fn queue<'a>(server: &Server<'a>) -> Result<&'a Queue, Untold> {
    server.facts.host.queue.get()
}

fn in_queue<'a>(queue: &'a Queue, name: &'a str) -> impl Iterator<Item = &'a Queued> {
    queue.messages.iter().filter(move |message| message.queue == name)
}

/// How often each occurs, the most frequent first.
fn counted(names: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
    counts
}

/// `example.org (12), example.net (3)`.
fn top(counts: &[(String, usize)], most: usize) -> String {
    counts.iter().take(most).map(|(name, count)| format!("{name} ({count})")).collect::<Vec<_>>().join(", ")
}

fn domain(address: &str) -> String {
    address.rsplit('@').next().unwrap_or(address).to_ascii_lowercase()
}

fn hours(seconds: i64) -> String {
    if seconds >= 2 * 24 * HOUR {
        format!("{} days", seconds / (24 * HOUR))
    } else {
        format!("{} hours", seconds / HOUR)
    }
}

static QUE_001: Check = Check {
    id: "QUE-001",
    title: "Much mail is deferred, or has been for long",
    severity: Severity::Medium,
    why: "Mail that does not arrive is noticed late, by the wrong people; many messages for one reason mean that this server has a fault.",
    proof: "The messages of the deferred queue: their number, age, domains and reasons. More than 100, or ten that are older than a day.",
    fix: "Mend the reason that most of them share; then flush the queue.",
    references: &["Postfix QSHAPE_README", "postqueue(1)"],
    judge: que_001,
};

fn que_001(server: &Server<'_>) -> Judged {
    let (now, queue) = (taken(server)?, queue(server)?);
    let deferred: Vec<&Queued> = in_queue(queue, "deferred").collect();
    let mut ages: Vec<i64> = deferred.iter().map(|message| now - message.arrived).collect();
    ages.sort_unstable();
    let old = ages.iter().filter(|age| **age > OLD).count();
    if deferred.len() <= MANY && old < OLD_SHARE {
        return pass(format!("{} deferred messages, {old} of them older than a day", deferred.len()));
    }
    let reasons = counted(deferred.iter().map(|message| plain(&message.reason)));
    let domains =
        counted(deferred.iter().flat_map(|message| message.recipients.iter().map(|address| domain(address))));
    let percentile = |part: usize| ages.get(ages.len() * part / 100).copied().unwrap_or_default();
    let finding = Finding::new(
        Severity::Medium,
        "",
        format!("{} messages are deferred, {old} of them for more than a day", deferred.len()),
    )
    .seen("postqueue -j, reasons", top(&reasons, 3))
    .seen("postqueue -j, domains", top(&domains, 5))
    .seen(
        "postqueue -j, ages",
        format!(
            "half are older than {}, a tenth older than {}",
            hours(percentile(50)),
            hours(percentile(90))
        ),
    );
    let remedy = Remedy::new("Look at the most frequent reason first.")
        .apply("postqueue -f")
        .prove("postqueue -p | tail -1");
    Ok(Outcome::from(finding.remedy(remedy)))
}

/// A reason without what differs from message to message: numbers and addresses.
fn plain(reason: &str) -> String {
    let words = reason
        .split_whitespace()
        .map(|word| if word.chars().any(|c| c.is_ascii_digit()) && word.len() > 5 { "…" } else { word });
    words.take(16).collect::<Vec<_>>().join(" ")
}

static QUE_002: Check = Check {
    id: "QUE-002",
    title: "Mail is stuck in the active queue",
    severity: Severity::High,
    why: "What is in the active queue is being delivered now; mail that stays there holds up all other mail, for the queue has a limit.",
    proof: "Messages of the active queue that came more than an hour ago, while deliveries take minutes at most, and the queue's limit \
            qmgr_message_active_limit.",
    fix: "See where the delivery hangs: a content filter or LMTP socket that does not answer, or a process limit that is reached.",
    references: &["Postfix QSHAPE_README: active queue", "Postfix TUNING_README"],
    judge: que_002,
};

fn que_002(server: &Server<'_>) -> Judged {
    let (now, queue) = (taken(server)?, queue(server)?);
    let active: Vec<&Queued> = in_queue(queue, "active").collect();
    let limit = server
        .postfix()
        .ok()
        .and_then(|postfix| postfix.value("qmgr_message_active_limit")?.parse().ok())
        .unwrap_or(20_000);
    // One that was deferred is active for a moment again at each try, so few old ones are no sign.
    let stuck: Vec<&&Queued> = active.iter().filter(|message| now - message.arrived > HOUR).collect();
    let full = active.len() >= limit;
    if !full && stuck.len() < 20 {
        return pass(format!(
            "{} active messages, {} of them for more than an hour",
            active.len(),
            stuck.len()
        ));
    }
    let domains =
        counted(active.iter().flat_map(|message| message.recipients.iter().map(|address| domain(address))));
    let summary = match full {
        true => format!("The active queue is full: {} messages", active.len()),
        false => format!("{} messages have been in the active queue for more than an hour", stuck.len()),
    };
    let finding = Finding::new(Severity::High, "", summary)
        .seen("postqueue -j, active", format!("{} messages, for {}", active.len(), top(&domains, 5)))
        .seen("qmgr_message_active_limit", limit.to_string());
    let remedy = Remedy::new("Look in the log for the transport that does not end its deliveries, and restart the filter or server behind it.")
        .apply("qshape active")
        .prove("postqueue -j | grep -c '\"queue_name\": \"active\"'");
    Ok(Outcome::from(finding.remedy(remedy)))
}

static QUE_003: Check = Check {
    id: "QUE-003",
    title: "Mail is forgotten in the hold queue",
    severity: Severity::Low,
    why: "Postfix never touches held mail again by itself; its sender believes that it was delivered.",
    proof: "Messages of the hold queue that are older than a day.",
    fix: "Release them with `postsuper -H`, or delete them with `postsuper -d`.",
    references: &["postsuper(1)"],
    judge: que_003,
};

fn que_003(server: &Server<'_>) -> Judged {
    let (now, queue) = (taken(server)?, queue(server)?);
    let held: Vec<&Queued> = in_queue(queue, "hold").filter(|message| now - message.arrived > OLD).collect();
    let Some(oldest) = held.iter().min_by_key(|message| message.arrived) else {
        return pass("no message is held for more than a day");
    };
    let senders = counted(held.iter().map(|message| message.sender.clone()));
    let finding = Finding::new(
        Severity::Low,
        "",
        format!("{} messages are held, the oldest for {}", held.len(), hours(now - oldest.arrived)),
    )
    .seen("postqueue -j, hold", format!("{} and others", oldest.id))
    .seen("postqueue -j, senders", top(&senders, 5));
    let remedy = Remedy::new("Look at one with `postcat -q`, then release or delete them.")
        .apply(format!("postsuper -H {}", oldest.id))
        .prove("postqueue -p | grep '!'");
    Ok(Outcome::from(finding.remedy(remedy)))
}

static QUE_004: Check = Check {
    id: "QUE-004",
    title: "The queue has corrupt files",
    severity: Severity::Medium,
    why: "Each is a message that will not be delivered; they come from a full or broken file system, or from a copied queue.",
    proof: "The number of files in the directory `corrupt` of the queue.",
    fix: "Look at the file system and the files, deliver by hand what can be read, and delete them.",
    references: &["qmgr(8)", "postcat(1)"],
    judge: que_004,
};

fn que_004(server: &Server<'_>) -> Judged {
    let queue = queue(server)?;
    if queue.corrupt == 0 {
        return pass("no corrupt file");
    }
    let finding =
        Finding::new(Severity::Medium, "", format!("{} messages in the queue are corrupt", queue.corrupt))
            .seen("queue directory, corrupt", format!("{} files", queue.corrupt));
    let remedy = Remedy::new("Read them with `postcat`, look for errors of the disk, then delete them.")
        .apply("postcat $(postconf -h queue_directory)/corrupt/*")
        .prove("ls $(postconf -h queue_directory)/corrupt");
    Ok(Outcome::from(finding.remedy(remedy)))
}

static QUE_005: Check = Check {
    id: "QUE-005",
    title: "One sender fills the queue",
    severity: Severity::High,
    why: "A mailbox whose password was stolen sends until the server is on every block list; the queue shows it first.",
    proof: "Whether one envelope sender has at least 50 messages of the queue, which are more than half of those that are no bounces, to \
            recipients in at least 20 domains. A newsletter has one sender too; look at the mail before locking.",
    fix: "Hold the messages, lock the account, change its password, and see what was sent.",
    references: &["M3AAWG: compromised user ID best practices"],
    judge: que_005,
};

fn que_005(server: &Server<'_>) -> Judged {
    let queue = queue(server)?;
    let sent: Vec<&Queued> = queue.messages.iter().filter(|message| !message.sender.is_empty()).collect();
    let senders = counted(sent.iter().map(|message| message.sender.to_ascii_lowercase()));
    let spread = |sender: &str| {
        let own = sent.iter().filter(|message| message.sender.eq_ignore_ascii_case(sender));
        counted(own.flat_map(|message| message.recipients.iter().map(|address| domain(address))))
    };
    let Some((sender, count)) = senders
        .first()
        .filter(|(sender, count)| *count >= 50 && *count * 2 > sent.len() && spread(sender).len() >= 20)
    else {
        return pass(format!("no sender stands out among {} messages", sent.len()));
    };
    let domains = spread(sender);
    let finding = Finding::new(
        Severity::High,
        sender.clone(),
        format!("{sender} has {count} of the {} messages in the queue", sent.len()),
    )
    .seen("postqueue -j, sender", format!("{sender}: {count} messages to {} domains", domains.len()))
    .seen("postqueue -j, domains", top(&domains, 5));
    let remedy = Remedy::new("If this is no newsletter of yours: hold the mail, lock the account, end its sessions, change the password.")
        .apply(format!("postqueue -j | jq -r 'select(.sender == \"{sender}\") | .queue_id' | postsuper -h -"))
        .prove(format!("postqueue -j | grep -c '{sender}'"));
    Ok(Outcome::from(finding.remedy(remedy)))
}

static QUE_006: Check = Check {
    id: "QUE-006",
    title: "The queue is mostly bounces to strangers",
    severity: Severity::Medium,
    why: "Bounces to forged senders are spam to them, and bring this server onto block lists; mail must be refused before it is accepted.",
    proof: "Whether at least 20 messages of the queue, and more than half, have the empty sender.",
    fix: "Refuse unknown recipients and spam while the client is still connected, instead of bouncing later.",
    references: &["Postfix BACKSCATTER_README", "RFC 5321 section 6.2"],
    judge: que_006,
};

fn que_006(server: &Server<'_>) -> Judged {
    let queue = queue(server)?;
    let bounces: Vec<&Queued> = queue.messages.iter().filter(|message| message.sender.is_empty()).collect();
    let all = queue.messages.len();
    if bounces.len() < 20 || bounces.len() * 2 <= all {
        return pass(format!("{} of {all} messages are bounces", bounces.len()));
    }
    let domains =
        counted(bounces.iter().flat_map(|message| message.recipients.iter().map(|address| domain(address))));
    let finding = Finding::new(
        Severity::Medium,
        "",
        format!("{} of the {all} messages in the queue are bounces", bounces.len()),
    )
    .seen("postqueue -j, sender <>", top(&domains, 5));
    let remedy = Remedy::new("Find out what is accepted first and refused later (unknown recipients, spam, full mailboxes), and refuse it at once.")
        .apply("postfix reload")
        .prove("postqueue -j | grep -c '\"sender\": \"MAILER-DAEMON\"'");
    Ok(Outcome::from(finding.remedy(remedy)))
}
