//! Whether reports come, and whether they can be read.

use super::{now, reports};
use crate::check::{could_not_tell, pass};
use crate::{Check, Finding, Judged, Remedy, Server, Severity};

pub(super) static RPT_006: Check = Check {
    id: "RPT-006",
    title: "Reports have stopped to arrive",
    severity: Severity::Low,
    why: "Who sends in your name, and who cannot reach you safely, goes unseen.",
    proof: "The end of the newest DMARC report beside the usual distance between them.",
    fix: "Look at rua in the DMARC record, at the mailbox it names, and whether it takes mail.",
    references: &["RFC 9990"],
    judge: rpt_006,
};

pub(super) static RPT_007: Check = Check {
    id: "RPT-007",
    title: "Some received reports cannot be read",
    severity: Severity::Info,
    why: "A report that is broken tells nothing; one that was made to harm whoever reads it tells of an attacker.",
    proof: "Files in the folder of reports that were refused, with the reason: size, ratio of compression, document type, shape.",
    fix: "Look at them by hand, or leave them be; each report counts once.",
    references: &["RFC 9990", "RFC 8460 section 5.1"],
    judge: rpt_007,
};

/// Reports come daily; a week without one is a hole.
const HOLE: i64 = 7 * 86_400;

fn rpt_006(server: &Server<'_>) -> Judged {
    let reports = reports(server)?;
    let Some(newest) = reports.dmarc.iter().map(|report| report.end).max() else {
        return could_not_tell(format!("{} holds no DMARC report", reports.place));
    };
    let days = (now(server) - newest) / 86_400;
    if now(server) - newest <= HOLE {
        return pass(format!("the newest report ends {days} days ago"));
    }
    let finding = Finding::new(Severity::Low, "", "No DMARC report has come for a week or more").seen(
        reports.place.clone(),
        format!("the newest of {} reports ends {days} days ago", reports.dmarc.len()),
    );
    Ok(finding
        .remedy(
            Remedy::new("Look whether the address in rua takes mail.")
                .prove("dig +short TXT _dmarc.<your domain>"),
        )
        .into())
}

fn rpt_007(server: &Server<'_>) -> Judged {
    let reports = reports(server)?;
    if reports.refused.is_empty() {
        return pass(format!(
            "all of {} reports were read, {} came twice",
            reports.dmarc.len() + reports.tls.len(),
            reports.repeated
        ));
    }
    let finding = Finding::new(Severity::Info, "", "Some received reports cannot be read");
    let finding = reports
        .refused
        .iter()
        .take(20)
        .fold(finding, |finding, (file, why)| finding.seen(file.clone(), why.clone()));
    Ok(finding.into())
}
