//! Lines that lose, and lines that Dovecot does not know.

use super::{applied, file};
use crate::check::{could_not_tell, pass};
use crate::dovecot::{Assignment, Dovecot, before_2_4, is_yes, seconds, since_2_4};
use crate::facts::Said;
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static DOV_019: Check = Check {
    id: "DOV-019",
    title: "A later line takes a sound value back",
    severity: Severity::Medium,
    why: "Who reads the file with the sound value believes in it; the value that holds stands elsewhere, mostly forgotten after a test.",
    proof: "All lines that set a setting, in the order in which Dovecot reads them: the last one wins, and sections for protocols and networks win over it.",
    fix: "Delete the weaker line.",
    references: &["https://doc.dovecot.org/2.4.1/core/settings/syntax.html"],
    judge: dov_019,
};

pub(super) static DOV_020: Check = Check {
    id: "DOV-020",
    title: "The configuration has obsolete or unknown settings",
    severity: Severity::Medium,
    why: "Dovecot 2.4 does not start with the settings of 2.3, and what an old line is translated to is not always what was meant.",
    proof: "What doveconf itself complains of, and names of the other generation in the configuration files.",
    fix: "Write the settings anew, as `doveconf -n` shows them, before the next upgrade.",
    references: &["https://doc.dovecot.org/2.4.1/installation/upgrade/2.3-to-2.4.html"],
    judge: dov_020,
};

/// How sound a value is, more is sounder; none if it is not known.
type Soundness = fn(&str) -> Option<u64>;

/// Settings whose weaker value is a weakness, by their names in 2.4.
const SOUNDNESS: &[(&str, Soundness)] = &[
    ("ssl", |value| ["no", "yes", "required"].iter().position(|known| *known == value).map(|at| at as u64)),
    ("auth_allow_cleartext", |value| Some(u64::from(!is_yes(value)))),
    ("ssl_min_protocol", |value| {
        ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
            .iter()
            .position(|known| *known == value)
            .map(|at| at as u64)
    }),
    ("auth_debug_passwords", |value| Some(u64::from(!is_yes(value)))),
    ("auth_failure_delay", |value| seconds(value).map(|seconds| seconds.min(2))),
    ("auth_verbose", |value| Some(u64::from(is_yes(value)))),
    ("login_trusted_networks", |value| Some(u64::from(value.is_empty()))),
    ("first_valid_uid", |value| Some(u64::from(value != "0"))),
];

fn soundness(name: &str, judge: Soundness, line: &Assignment) -> Option<u64> {
    // The old name of auth_allow_cleartext says the opposite.
    if name == "auth_allow_cleartext" && line.key == "disable_plaintext_auth" {
        return Some(u64::from(is_yes(&line.value)));
    }
    judge(&line.value)
}

/// The lines that set a setting soundly and lose, and the one that wins over them: a later line, or a section.
fn lost<'a>(
    dovecot: &'a Dovecot,
    name: &str,
    judge: Soundness,
) -> Option<(Vec<&'a Assignment>, &'a Assignment)> {
    let history = dovecot.history(name);
    let (winner, earlier) = history.split_last()?;
    let sound = |line: &Assignment| soundness(name, judge, line);
    let beaten: Vec<_> = earlier.iter().copied().filter(|line| sound(line) > sound(winner)).collect();
    if !beaten.is_empty() {
        return Some((beaten, winner));
    }
    let section = dovecot.assignments().iter().find(|line| {
        let same = line.key == winner.key || dovecot.name(&line.key) == dovecot.name(name);
        let narrows = line
            .scope
            .first()
            .is_some_and(|scope| ["protocol ", "local "].iter().any(|kind| scope.starts_with(kind)));
        same && narrows && sound(line).is_some() && sound(line) < sound(winner)
    })?;
    Some((vec![winner], section))
}

fn dov_019(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    if dovecot.assignments().is_empty() {
        return could_not_tell(format!(
            "{} was not read, so the order of its lines is not known",
            dovecot.main()
        ));
    }
    let findings = SOUNDNESS
        .iter()
        .filter_map(|(name, judge)| {
            lost(dovecot, name, *judge)
                .map(|(beaten, winner)| overridden(server, dovecot, name, &beaten, winner))
        })
        .collect();
    Ok(Outcome::of(findings, "no line takes a sounder one back"))
}

fn overridden(
    server: &Server<'_>,
    dovecot: &Dovecot,
    name: &str,
    beaten: &[&Assignment],
    winner: &Assignment,
) -> Finding {
    let for_whom =
        if winner.scope.is_empty() { String::new() } else { format!(" ({})", winner.scope.join(" ")) };
    let loser = beaten.first().map(|line| line.text()).unwrap_or_default();
    let here = dovecot.name(name);
    let remedy = Remedy::new(format!("Delete the line at {}.", winner.place())).edit(
        &winner.file,
        &[&winner.text()],
        &[],
    );
    Finding::new(Severity::Medium, here, format!("`{}` beats `{loser}`{for_whom}", winner.text()))
        .cause(winner.file.clone())
        .seen(winner.place(), format!("{}: wins", winner.text()))
        .all_seen(
            beaten
                .iter()
                .map(|line| Evidence { place: line.place(), seen: format!("{}: beaten", line.text()) }),
        )
        .remedy(applied(server, remedy, &format!("doveconf {here}")))
}

/// What `doveconf` complains of.
fn complaints(said: &Said) -> Vec<Evidence> {
    let told = said.stderr.lines().filter_map(|line| {
        let told = line.strip_prefix("doveconf: ").unwrap_or(line);
        let (kind, what) = told.split_once(": ")?;
        (kind == "Fatal" || what.starts_with("Obsolete setting") || what.contains("nknown setting"))
            .then(|| Evidence { place: "doveconf -n".to_owned(), seen: what.to_owned() })
    });
    // It reads the configuration once more to ask for capabilities, and complains again.
    let mut told: Vec<_> = told.collect();
    told.sort_by(|a, b| a.seen.cmp(&b.seen));
    told.dedup();
    told
}

fn dov_020(server: &Server<'_>) -> Judged {
    let said = server.facts.said("doveconf -n")?;
    let mut seen = complaints(said);
    if said.status != Some(0) {
        if seen.is_empty() {
            return server.dovecot().and_then(|_| pass("doveconf reads the configuration"));
        }
        return Ok(refused(server, seen).into());
    }
    let dovecot = server.dovecot()?;
    // In 2.3 anything may stand in `plugin`, so only names at the top tell.
    for line in dovecot.assignments().iter().filter(|line| line.scope.is_empty()) {
        let here = if dovecot.is_modern() { since_2_4(&line.key) } else { before_2_4(&line.key) };
        seen.extend(here.map(|instead| Evidence {
            place: line.place(),
            seen: format!("{}: here it is {instead}", line.key),
        }));
    }
    if seen.is_empty() {
        return pass("doveconf complains of nothing");
    }
    let finding = Finding::new(
        Severity::Medium,
        "",
        format!("Dovecot {} has other names for settings in use", dovecot.version()),
    )
    .cause(dovecot.main())
    .all_seen(seen);
    let remedy = Remedy::new("Write the settings as `doveconf -n` shows them.").add(file(server), &[]);
    Ok(finding.remedy(applied(server, remedy, "doveconf -n")).into())
}

/// A configuration that does not load at all: Dovecot runs on with what it read before, until its next start.
fn refused(server: &Server<'_>, seen: Vec<Evidence>) -> Finding {
    let what = seen.first().map(|evidence| evidence.seen.clone()).unwrap_or_default();
    let remedy =
        Remedy::new("Mend the line that is named; do not restart Dovecot before `doveconf -n` succeeds.");
    Finding::new(Severity::High, "", format!("Dovecot does not load its configuration: {what}"))
        .cause("dovecot.conf")
        .all_seen(seen)
        .remedy(applied(server, remedy, "doveconf -n"))
}
