//! The DNS records that mail hangs on: what changed since the last time, and what the checks find.

use std::collections::BTreeMap;

use mailward_audit::{Facts, Known};
use mailward_model::Text;
use mailward_report::Severity;

use super::{Done, Ground, alert, watch};

/// Records by question. What was asked and is not there has none.
type Records = BTreeMap<String, Vec<String>>;

/// Families of checks about records.
const FAMILIES: [&str; 8] = ["DNS", "SPF", "DKM", "DMR", "DAN", "STS", "BIM", "RPT"];

pub(super) fn run(ground: &Ground<'_>, memory: &str) -> anyhow::Result<Done> {
    let facts = ground.facts()?;
    let before: Option<Records> = serde_json::from_str(memory).ok();
    let now = records(facts, before.as_ref());
    let changes = before.map(|before| changes(&before, &now)).unwrap_or_default();
    let mut done = watch::families(ground, memory, &FAMILIES)?;
    done.events = changes
        .iter()
        .map(|(question, change)| {
            let title = format!("A DNS record changed: {question}");
            let next = "if it was not you: mailward audit --only DNS,SPF,DKM,DMR";
            alert(format!("dns/{question}"), Severity::Medium, title, change.clone(), next, ground.now)
        })
        .collect();
    let lines = changes.iter().map(|(question, change)| format!("changed: {question}\n{change}"));
    done.text = lines.chain([done.text]).collect::<Vec<_>>().join("\n");
    done.findings |= !changes.is_empty();
    done.memory = Some(serde_json::to_string(&now)?);
    Ok(done)
}

/// What was answered to the questions about our own names. A question without an answer keeps what was known: a resolver that is
/// down changes no record.
fn records(facts: &Facts, before: Option<&Records>) -> Records {
    let mut records = Records::new();
    for (question, answer) in &facts.dns.answers {
        if !is_ours(facts, question) {
            continue;
        }
        let known = match answer {
            Known::Is(answer) if answer.code == "NOERROR" || answer.code == "NXDOMAIN" => {
                let mut found = answer.records.clone();
                found.sort();
                Some(found)
            }
            _ => before.and_then(|before| before.get(question)).cloned(),
        };
        records.extend(known.map(|found| (question.clone(), found)));
    }
    records
}

/// MX, TXT (SPF, DMARC, DKIM, MTA-STS) and TLSA records below our domains and hosts.
fn is_ours(facts: &Facts, question: &str) -> bool {
    let Some((kind, name)) = question.split_once(' ') else { return false };
    let below =
        |domain: &String| name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    matches!(kind, "MX" | "TXT" | "TLSA" | "CAA" | "NS")
        && facts.dns.domains.iter().chain(&facts.dns.hosts).any(below)
}

/// What is different in questions that were asked both times.
fn changes(before: &Records, now: &Records) -> Vec<(String, String)> {
    let both = now.iter().filter_map(|(question, now)| Some((question, before.get(question)?, now)));
    let changed = both.filter(|(_, before, now)| before != now);
    changed
        .map(|(question, before, now)| {
            let gone = before
                .iter()
                .filter(|record| !now.contains(record))
                .map(|record| format!("- {}", shown(record)));
            let new = now
                .iter()
                .filter(|record| !before.contains(record))
                .map(|record| format!("+ {}", shown(record)));
            (question.clone(), gone.chain(new).collect::<Vec<_>>().join("\n"))
        })
        .collect()
}

fn shown(record: &str) -> String {
    Text::new(record.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use mailward_audit::facts::Answer;

    use super::*;

    /// A question, and what was answered.
    type Asked<'a> = (&'a str, Option<(&'a str, &'a [&'a str])>);

    fn facts(answers: &[Asked<'_>]) -> Facts {
        let mut facts = Facts::default();
        facts.dns.domains = vec!["example.org".into()];
        for (question, answer) in answers {
            let answer = match answer {
                None => Known::Unread("no answer".into()),
                Some((code, records)) => Known::Is(Answer {
                    code: (*code).into(),
                    records: records.iter().map(|record| (*record).to_owned()).collect(),
                    ..Answer::default()
                }),
            };
            facts.dns.answers.insert((*question).into(), answer);
        }
        facts
    }

    #[test]
    fn only_what_really_changed_is_told() {
        let spf = "TXT example.org";
        let dmarc = "TXT _dmarc.example.org";
        let before = records(
            &facts(&[
                (spf, Some(("NOERROR", &["v=spf1 mx -all", "other"]))),
                (dmarc, Some(("NOERROR", &["v=DMARC1; p=reject"]))),
                ("MX example.org", Some(("NOERROR", &["10 mail.example.org"]))),
                ("TXT notexample.org", Some(("NOERROR", &["x"]))),
            ]),
            None,
        );
        assert_eq!(before.len(), 3);
        let now = records(
            &facts(&[
                (spf, Some(("NOERROR", &["other", "v=spf1 +all"]))),
                (dmarc, Some(("NXDOMAIN", &[]))),
                ("MX example.org", Some(("SERVFAIL", &[]))),
                ("TXT new.example.org", Some(("NOERROR", &["new question"]))),
            ]),
            Some(&before),
        );
        assert_eq!(
            changes(&before, &now),
            [
                (dmarc.to_owned(), "- v=DMARC1; p=reject".to_owned()),
                (spf.to_owned(), "- v=spf1 mx -all\n+ v=spf1 +all".to_owned()),
            ]
        );
        assert_eq!(changes(&now, &records(&facts(&[(spf, None), (dmarc, None)]), Some(&now))), []);
    }
}
