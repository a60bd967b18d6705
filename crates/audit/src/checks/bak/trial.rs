//! Trial restores of Mailward's own backups; other programs keep no record of theirs.

use super::{DAY, some, taken};
use crate::check::{could_not_tell, pass};
use crate::facts::Backup;
use crate::{Check, Finding, Judged, Outcome, Remedy, Server, Severity};

/// What Mailward's own backups are called.
pub(super) const OWN: &str = "mailward";

/// A proof that is older than this was made of another server.
const LASTS: i64 = 35 * DAY;

pub(super) static BAK_009: Check = Check {
    id: "BAK-009",
    title: "No trial restore on record",
    severity: Severity::Info,
    why: "A backup that was never restored is a hope: what is missing, unreadable or without its key is noticed on the day when it is needed.",
    proof: "The record that `mailward backup drill` keeps: when a snapshot came back as it was saved, its configuration loaded and its mailbox opened. Of \
            backups that other programs make nothing is on record.",
    fix: "Restore the newest snapshot on trial, and have that done every day or week.",
    references: &["CIS Controls v8 11.5"],
    judge: bak_009,
};

fn bak_009(server: &Server<'_>) -> Judged {
    let (now, all) = (taken(server)?, some(server)?);
    let Some(own) = all.iter().find(|backup| backup.tool == OWN) else {
        return could_not_tell("the backups that were found keep no record of trial restores");
    };
    let Some(proven) = own.proven.get()? else {
        return Ok(finding(own, "No snapshot was ever restored on trial", "no trial on record".to_owned()));
    };
    let age = (now - proven) / DAY;
    if now - proven <= LASTS {
        return pass(format!("a snapshot in {} was restored on trial {age} days ago", own.path));
    }
    Ok(finding(
        own,
        "The last successful trial restore is long ago",
        format!("{age} days ago, {} allowed", LASTS / DAY),
    ))
}

fn finding(own: &Backup, title: &str, seen: String) -> Outcome {
    let remedy =
        Remedy::new("Try the newest snapshot.").apply("mailward backup drill").prove("mailward backup list");
    Finding::new(Severity::Info, "", title).seen(own.path.clone(), seen).remedy(remedy).into()
}
