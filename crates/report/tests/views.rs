//! Every view in every medium against golden files. `BLESS=1 cargo test -p mailward-report` writes them anew; then look
//! at the difference.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod samples;

use std::path::Path;

use jiff::tz::TimeZone;
use mailward_report::accounts::SessionList;
use mailward_report::attacks::AttackReport;
use mailward_report::explain::Explanation;
use mailward_report::incident::Timeline;
use mailward_report::{Look, View};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Central European Summer Time, as in the samples.
fn zone() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(2))
}

fn check(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(got == want, "{name} differs; BLESS=1 writes it anew\n{got}");
}

fn check_all<V: View + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, view: &V) {
    check(&format!("{name}.txt"), &view.text(&Look::plain(zone())));
    check(&format!("{name}.md"), &view.markdown(&zone()));
    check(&format!("{name}.html"), &view.html(&zone()));
    let json = view.json().unwrap();
    check(&format!("{name}.json"), &json);
    assert_eq!(&serde_json::from_str::<V>(&json).unwrap(), view, "the document reads back");
}

#[test]
fn attacks() {
    check_all("attacks", &samples::attacks());
}

#[test]
fn attacks_of_nothing() {
    check_all("attacks-none", &samples::no_attacks());
}

#[test]
fn status() {
    check_all("status", &samples::status());
    check_all("status-trouble", &samples::status_in_trouble());
}

#[test]
fn accounts() {
    check_all("accounts", &samples::accounts());
    check_all("sessions", &samples::sessions());
    check_all("sessions-none", &SessionList::default());
}

#[test]
fn incident() {
    check_all("timeline", &samples::story());
    check_all("timeline-none", &Timeline { subject: "nora@example.org".into(), ..Timeline::default() });
    check_all("incidents", &samples::incidents());
}

#[test]
fn bans() {
    check_all("bans", &samples::bans());
    check_all("bans-none", &samples::no_bans());
}

#[test]
fn explain() {
    check_all("explain-banned", &samples::banned());
    check_all("explain-allowed", &samples::allowed());
    check_all("explain-unknown", &samples::unknown());
}

#[test]
fn top() {
    check_all("top", &samples::top());
}

/// As text and as a mail's HTML: no picture, no script, no style sheet, nothing to load, and what somebody else wrote is text.
#[test]
fn digests() {
    for (name, digest) in [("digest", samples::digest()), ("digest-none", samples::no_digest())] {
        check(&format!("{name}.txt"), &digest.text(&Look::plain(zone())));
        let html = digest.mail(&zone());
        check(&format!("{name}.mail.html"), &html);
        for forbidden in
            ["<svg", "<style", "<script", "<img", "http:", "https:", "<connection", "flex", "class="]
        {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
    }
    assert_eq!(samples::digest().subject(), "[mx.example.org] The last week: 3 things need you");
    assert_eq!(samples::no_digest().subject(), "[mx.example.org] The last day: nothing needs you");
}

#[test]
fn colour_only_adds_escape_sequences() {
    let plain = Look::plain(zone());
    let coloured = Look { colour: true, ..plain.clone() };
    for (without, with) in [
        (samples::attacks().text(&plain), samples::attacks().text(&coloured)),
        (samples::status_in_trouble().text(&plain), samples::status_in_trouble().text(&coloured)),
        (samples::banned().text(&plain), samples::banned().text(&coloured)),
    ] {
        assert!(with.contains("\x1b["));
        assert_eq!(stripped(&with), without);
    }
}

/// Without escape sequences, and without the blanks that they kept at the end of a line.
fn stripped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            chars.by_ref().find(|c| *c == 'm').unwrap_or_default()
        } else {
            out.push(c);
            continue;
        };
    }
    out
}

#[test]
fn text_keeps_to_the_width() {
    for width in [60, 80, 100, 300] {
        let look = Look { width, ..Look::plain(zone()) };
        for text in [
            samples::attacks().text(&look),
            samples::status().text(&look),
            samples::status_in_trouble().text(&look),
            samples::bans().text(&look),
            samples::banned().text(&look),
            samples::top().text(&look),
            samples::story().text(&look),
            samples::incidents().text(&look),
        ] {
            for line in text.lines() {
                let command = line.contains("mailward ");
                assert!(command || line.chars().count() <= width.clamp(60, 100), "{width}: {line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }
}

#[test]
fn what_an_attacker_wrote_steers_no_medium() {
    let hostile = "x\u{1b}[2J\r\n<script>alert(1)</script>|`**a**`\u{202e}](http://198.51.100.9/)&amp;";
    let mut explanation = samples::banned();
    explanation.subject = hostile.into();
    for step in &mut explanation.chain {
        step.line = hostile.into();
        step.place = hostile.into();
    }
    let look = Look { colour: true, ..Look::plain(zone()) };
    let text = explanation.text(&look);
    assert!(!text.contains("\x1b[2J") && !text.contains('\r') && !text.contains('\u{202e}'));
    let html = explanation.html(&zone());
    assert!(!html.contains("<script") && !html.contains('\u{1b}') && html.contains("&lt;script&gt;"));
    let markdown = explanation.markdown(&zone());
    assert!(!markdown.contains("<script") && markdown.contains("\\](http\\://") && markdown.contains("\\`"));
    let json = explanation.json().unwrap();
    assert!(json.chars().all(|c| !c.is_control() || c == '\n'));
}

/// Samples with what an attacker wrote in every place where his text may stand.
fn with_texts(line: &str, name: &str) -> (Explanation, AttackReport) {
    let mut explanation = samples::banned();
    explanation.subject = name.into();
    for step in &mut explanation.chain {
        (step.line, step.place) = (line.into(), name.into());
    }
    let mut report = samples::attacks();
    report.attacks[0].title = name.into();
    report.by_account[0].account = line.into();
    report.by_source[0].address = name.into();
    (explanation, report)
}

/// How many tags the pages have.
fn tags(line: &str, name: &str) -> usize {
    let (explanation, report) = with_texts(line, name);
    [explanation.html(&zone()), report.html(&zone())].iter().map(|html| html.matches('<').count()).sum()
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_breaks_a_medium(line in ".{1,200}", name in "[<>&\"'a-c]{1,20}|\\PC{1,60}", width in 0..200_usize, colour: bool) {
        let (explanation, report) = with_texts(&line, &name);
        let look = Look { zone: zone(), width, colour };
        for text in [explanation.text(&look), report.text(&look)] {
            let steered = stripped(&text).chars().any(|c| c.is_control() && c != '\n');
            proptest::prop_assert!(!steered, "{text:?}");
        }
        proptest::prop_assert_eq!(tags(&line, &name), tags("x", "x"), "every tag is ours");
        let lines = |markdown: String| markdown.lines().count();
        let (harmless, _) = with_texts("x", "x");
        proptest::prop_assert_eq!(lines(explanation.markdown(&zone())), lines(harmless.markdown(&zone())));
    }
}
