//! Space on the disks.

use super::usage;
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Space;
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static QTA_003: Check = Check {
    id: "QTA-003",
    title: "The limits of all mailboxes together exceed the disk",
    severity: Severity::Low,
    why: "The disk will be full before the mailboxes are, and then nobody gets mail.",
    proof: "The sum of the limits of `doveadm quota get -A` against the size of the file system that mail is on.",
    fix: "Lower the limits or extend the disk; watch its free space if the overcommitment is meant.",
    references: &["doveadm-quota(1)"],
    judge: qta_003,
};

fn qta_003(server: &Server<'_>) -> Judged {
    let all = usage::read(server)?;
    let limits: Vec<u64> = all.iter().filter_map(|one| one.limit).collect();
    if limits.is_empty() {
        return not_applicable("no mailbox has a limit");
    }
    let spaces = server.facts.host.space.get()?;
    let Some(disk) = spaces.iter().filter(|space| space.purpose == "mail").max_by_key(|space| space.bytes)
    else {
        return could_not_tell("the file system of the mail store was not looked at");
    };
    let sum = limits.iter().fold(0_u64, |sum, limit| sum.saturating_add(limit.saturating_mul(1024)));
    if sum <= disk.bytes {
        return pass(format!("{} of limits on {} of disk", size(sum), size(disk.bytes)));
    }
    let finding = Finding::new(
        Severity::Low,
        "",
        format!("The mailboxes may have {} together, and the disk has {}", size(sum), size(disk.bytes)),
    )
    .seen("doveadm quota get -A", format!("{} mailboxes with limits of {} together", limits.len(), size(sum)))
    .seen(disk.path.clone(), format!("{} in all, {} free", size(disk.bytes), size(disk.free)));
    let remedy = Remedy::new("Lower the limits, extend the disk, or watch its free space.")
        .apply("doveadm quota get -A")
        .prove(format!("df -h {}", disk.path));
    Ok(Outcome::from(finding.remedy(remedy)))
}

pub(super) static QTA_006: Check = Check {
    id: "QTA-006",
    title: "A disk is nearly full",
    severity: Severity::Medium,
    why: "Without space or inodes Postfix refuses all mail, Dovecot can store nothing, and the log that would tell why ends.",
    proof: "Space and inodes of the file systems of mail store, queue and logs: above 85 per cent (above 95: high), or less free for the \
            queue than one and a half times message_size_limit, below which Postfix refuses mail.",
    fix: "Extend the file system, or find out what fills it.",
    references: &["postconf(5) queue_minfree", "statvfs(3)"],
    judge: qta_006,
};

fn qta_006(server: &Server<'_>) -> Judged {
    let spaces = server.facts.host.space.get()?;
    if spaces.is_empty() {
        return could_not_tell("no file system was looked at");
    }
    let limit =
        server.postfix().ok().and_then(|postfix| postfix.value("message_size_limit")?.parse::<u64>().ok());
    let mut findings: Vec<(u64, Finding)> = Vec::new();
    for space in spaces {
        // Several paths on one file system are one finding.
        if let Some(found) = trouble(space, limit)
            && !findings.iter().any(|(device, _)| *device == space.device && *device != 0)
        {
            findings.push((space.device, found));
        }
    }
    let shown: Vec<String> =
        spaces.iter().map(|space| format!("{} {} %", space.path, used(space.bytes, space.free))).collect();
    Ok(Outcome::of(findings.into_iter().map(|(_, finding)| finding).collect(), shown.join(", ")))
}

fn trouble(space: &Space, message_size_limit: Option<u64>) -> Option<Finding> {
    let (bytes, inodes) = (used(space.bytes, space.free), used(space.inodes, space.inodes_free));
    let minimum =
        message_size_limit.filter(|_| space.purpose == "queue").map(|limit| limit.saturating_mul(3) / 2);
    let short = minimum.is_some_and(|minimum| space.free < minimum);
    let severity = match bytes.max(inodes) {
        _ if short => Severity::High,
        96.. => Severity::High,
        86.. => Severity::Medium,
        _ => return None,
    };
    let what = if inodes > bytes { "inodes" } else { "space" };
    let summary = match minimum.filter(|_| short) {
        Some(minimum) => {
            format!("The queue has {} free; Postfix refuses mail below {}", size(space.free), size(minimum))
        }
        None => format!("{} per cent of the {what} for {} is used", bytes.max(inodes), space.purpose),
    };
    let finding = Finding::new(severity, space.path.clone(), summary).seen(
        space.path.clone(),
        format!("{} of {} free ({bytes} % used)", size(space.free), size(space.bytes)),
    );
    let finding = if space.inodes > 0 {
        finding.seen(
            space.path.clone(),
            format!("{} of {} inodes free ({inodes} % used)", space.inodes_free, space.inodes),
        )
    } else {
        finding
    };
    let remedy = Remedy::new("Find out what fills it, and extend it or clean up.")
        .apply(format!("du -xh --max-depth=2 {} | sort -h | tail", space.path))
        .prove(format!("df -h {0}; df -i {0}", space.path));
    Some(finding.remedy(remedy))
}

/// Per cent used, rounded down; 0 where nothing is counted.
fn used(all: u64, free: u64) -> u64 {
    (all.saturating_sub(free)).saturating_mul(100).checked_div(all).unwrap_or(0)
}

fn size(bytes: u64) -> String {
    usage::size(bytes / 1024)
}
