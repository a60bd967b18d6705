//! SpamAssassin: own rules, what is set where it has no effect, and what Bayes learned.

mod words;

use super::config::{amavis, lines};
use crate::check::{not_applicable, pass};
use crate::dms::CONFIG;
use crate::facts::{Deployment, LEARNED};
use crate::plan::Change;
use crate::{Check, Facts, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(crate) static AVS_017: Check = Check {
    id: "AVS-017",
    title: "A rule of one's own finds its word inside of other words",
    severity: Severity::Medium,
    why: "`cialis` is in `specialist`: honest mail gets the points, and is marked or refused.",
    proof: "The words in the patterns of own SpamAssassin rules that are not bound to their ends, against common words that hold them.",
    fix: "Put `\\b` before and behind the word.",
    references: &["Mail::SpamAssassin::Conf(3) body", "perlre(1) \\b"],
    judge: avs_017,
};

fn avs_017(server: &Server<'_>) -> Judged {
    let files = own_files(server.facts);
    if files.is_empty() {
        return not_applicable("SpamAssassin has no rules of one's own here");
    }
    let mut findings: Vec<Finding> = Vec::new();
    for (path, text) in &files {
        for (number, line) in (1..).zip(text.lines()) {
            let Some(rule) = words::Rule::read(line) else { continue };
            let inside = rule.inside();
            let Some((word, holder)) = inside.first() else { continue };
            if findings.iter().any(|known| known.subject == rule.name) {
                continue;
            }
            let all: Vec<String> =
                inside.iter().map(|(word, holder)| format!("{word} in {holder}")).collect();
            let remedy = Remedy::new("Bind the words to their ends.")
                .change(Change::lines(*path, &[line], &[&rule.bound()]))
                .prove("spamassassin --lint");
            let summary = format!("the rule {} finds `{word}` inside of `{holder}`", rule.name);
            findings.push(
                Finding::new(Severity::Medium, rule.name, summary)
                    .cause(format!("{path}:{number}"))
                    .seen(format!("{path}:{number}"), line.trim())
                    .seen("common words", all.join(", "))
                    .remedy(remedy),
            );
        }
    }
    Ok(Outcome::of(findings, "no own rule finds a word inside of a common one"))
}

/// Files with rules of one's own, and their texts.
fn own_files(facts: &Facts) -> Vec<(&str, &str)> {
    // On Debian /etc/mail/spamassassin is a link to the other.
    let folders = match facts.about.deployment {
        Deployment::DockerMailserver => vec![CONFIG],
        Deployment::Plain => vec!["/etc/spamassassin", "/etc/mail/spamassassin"],
    };
    let is_rules = |path: &str| match facts.about.deployment {
        Deployment::DockerMailserver => path.ends_with("/spamassassin-rules.cf"),
        Deployment::Plain => path.ends_with(".cf"),
    };
    let of = |folder: &'static str| {
        let files = facts.below(folder).filter(|(path, _)| is_rules(path));
        files.filter_map(|(path, file)| Some((path, file.text.known()?.as_str()))).collect::<Vec<_>>()
    };
    folders.into_iter().map(of).find(|files| !files.is_empty()).unwrap_or_default()
}

pub(crate) static AVS_018: Check = Check {
    id: "AVS-018",
    title: "Bayes learned too little to count",
    severity: Severity::Info,
    why: "SpamAssassin's best test is left out until it learned 200 messages of spam and 200 that are none.",
    proof: "The numbers of learned messages in the database that amavis uses, by sa-learn.",
    fix: "Teach it from folders of users, spam and no spam.",
    references: &["sa-learn(1)", "Mail::SpamAssassin::Conf(3) bayes_min_spam_num"],
    judge: avs_018,
};

/// bayes_min_spam_num and bayes_min_ham_num.
const ENOUGH: u64 = 200;

fn avs_018(server: &Server<'_>) -> Judged {
    let text = server.facts.output(LEARNED)?;
    // `0.000          0         57          0  non-token data: nspam`
    let number = |name: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.trim_end().ends_with(&format!("non-token data: {name}")))?;
        line.split_whitespace().nth(2)?.parse().ok()
    };
    let (Some(spam), Some(ham)) = (number("nspam"), number("nham")) else {
        return not_applicable("amavis' Bayes database is empty, or SpamAssassin is not behind amavis");
    };
    let seen = format!("{spam} messages of spam and {ham} that are none");
    if spam >= ENOUGH && ham >= ENOUGH {
        return pass(format!("Bayes learned {seen}"));
    }
    let remedy = Remedy::new(format!("Teach it {ENOUGH} of each from folders that users sorted."))
        .apply("sudo -u amavis sa-learn --spam /path/to/Maildir/.Junk/cur && sudo -u amavis sa-learn --ham /path/to/Maildir/cur")
        .prove(LEARNED);
    Ok(Finding::new(Severity::Info, "", format!("Bayes learned {seen}, and counts from {ENOUGH} of each"))
        .cause("sa-learn")
        .seen(LEARNED, seen)
        .remedy(remedy)
        .into())
}

pub(crate) static AVS_019: Check = Check {
    id: "AVS-019",
    title: "A limit of SpamAssassin is set where it has no effect",
    severity: Severity::Low,
    why: "amavis asks SpamAssassin for points alone: what is spam and what becomes of it is amavis' own setting, so the one that was \
          changed does nothing.",
    proof: "required_score, report_safe and rewrite_header in SpamAssassin's files, where amavis is what calls it.",
    fix: "Set the limit in amavis ($sa_tag2_level_deflt), or in docker-mailserver's SA_TAG2.",
    references: &[
        "https://www.ijs.si/software/amavisd/#faq-spam",
        "Mail::SpamAssassin::Conf(3) required_score",
    ],
    judge: avs_019,
};

fn avs_019(server: &Server<'_>) -> Judged {
    amavis(server.facts)?;
    let files = own_files(server.facts);
    if files.is_empty() {
        return not_applicable("SpamAssassin has no files of one's own here");
    }
    let mut finding = Finding::new(Severity::Low, "", "SpamAssassin's own limit does nothing behind amavis");
    let mut remedy = Remedy::new("Set it where it acts.").prove("spamassassin --lint");
    for (path, text) in files {
        let mut idle = lines(path, text);
        let names = ["required_score", "report_safe", "rewrite_header"];
        idle.retain(|line| names.iter().any(|name| line.text.split_whitespace().next() == Some(name)));
        for line in idle {
            let raw = text.lines().find(|raw| raw.trim() == line.text).unwrap_or(line.text);
            remedy = remedy.change(Change::lines(path, &[raw], &[]));
            if let Some(limit) = line.text.strip_prefix("required_score").map(str::trim) {
                remedy = remedy.change(acting(server, limit));
            }
            finding = finding.cause("required_score").seen(line.place, line.text);
        }
    }
    if finding.evidence.is_empty() {
        return pass("no limit is set where it has no effect");
    }
    Ok(finding.remedy(remedy).into())
}

/// The limit where it acts.
fn acting(server: &Server<'_>, limit: &str) -> Change {
    match server.facts.about.deployment {
        Deployment::DockerMailserver => Change::variable("SA_TAG2", limit),
        Deployment::Plain => Change::setting("/etc/amavis/conf.d/50-user", "", "$sa_tag2_level_deflt", limit),
    }
}
