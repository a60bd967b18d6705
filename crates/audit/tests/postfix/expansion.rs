//! `$name` and its relatives, against `postconf -x`.

use std::collections::BTreeMap;
use std::process::Command;

use mailward_audit::postfix::expand;
use proptest::prelude::*;

fn check(text: &str, expected: &str) {
    let known = BTreeMap::from([
        ("one", "1"),
        ("two", "$one$one"),
        ("empty", ""),
        ("level", "3.6"),
        ("name", "mail.example.org"),
        ("circle", "a$circle"),
        ("left", "$right$right"),
        ("right", "$left$left"),
    ]);
    let value = |name: &str| known.get(name).map(|value| (*value).to_owned());
    assert_eq!(expand(text, &value), expected, "{text}");
}

#[test]
fn macros_are_replaced() {
    check("a $one b", "a 1 b");
    check("${one}$(one)$two", "1111");
    check("$nothing|${nothing}", "|");
    check("$$one", "$one");
    check("${one?yes}${empty?yes}", "yes");
    check("${one:no}${empty:no}", "no");
    check("${one?{yes}:{no}}${empty?{yes}:{no}}", "yesno");
    check("${empty:$name}", "mail.example.org");
    check("${{$level} <level {3.10} ? {older} : {newer}}", "older");
    check("${{$level} >=level {3.6} ? {new} : {old}}", "new");
    check("${{$name} == {mail.example.org} ? {same}}", "same");
    check("${{10} > {9} ? {number} : {text}}", "number");
    check("tail $", "tail $");
    check("${open", "${open");
}

#[test]
fn circles_end() {
    let value = |name: &str| Some(format!("a${name}b$other"));
    assert!(expand("$circle", &value).len() < 1 << 22);
    let doubling = |name: &str| Some(format!("${name}x${name}x"));
    assert!(expand("$x $y ${z?$x}", &doubling).len() < 1 << 22);
}

/// Values as people write them and as nobody would, without circles: `v3` may use `v2`, `v2` may use `v1`.
fn value(below: usize) -> impl Strategy<Value = String> {
    let names = (1..=below.max(1)).map(|n| format!("v{n}")).collect::<Vec<_>>();
    let name = proptest::sample::select(names);
    let word = "[a-z0-9.:]{0,4}";
    let piece = (name, word, word, 0..9_u8).prop_map(move |(name, a, b, form)| match form {
        _ if below == 0 => a,
        0 => format!("${name}"),
        1 => format!("${{{name}}}"),
        2 => format!("$({name})"),
        3 => format!("${{{name}?{{{a}}}:{{{b}}}}}"),
        4 => format!("${{{name}?{a}z}}"),
        5 => format!("${{{name}:{a}z}}"),
        6 => format!("${{{{${name}}} == {{{a}}} ? {{{b}}} : {{{a}}}}}"),
        7 => format!("${{{{3.{}}} <level {{3.10}} ? {{{b}}} : {{{a}}}}}", a.len() * 4),
        _ => format!("{a} {b}"),
    });
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.join(" ").trim().to_owned())
}

type Four = (String, String, String, String);

proptest! {
    // One run of postconf for all: it asks the DNS for the host's name each time.
    #![proptest_config(ProptestConfig { cases: 1, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn as_postconf_expands(sets in proptest::collection::vec((value(0), value(1), value(2), value(3)), 60)) {
        let named = |(set, (v1, v2, v3, v4)): (usize, &Four)| {
            [v1, v2, v3, v4].map(|value| {
                ["v1", "v2", "v3"].iter().fold(value.clone(), |value, name| value.replace(name, &format!("s{set}{name}")))
            })
        };
        let sets: Vec<[String; 4]> = sets.iter().enumerate().map(named).collect();
        let name = |set: usize, n: usize| format!("s{set}v{}", n + 1);
        let known: BTreeMap<String, String> = sets
            .iter()
            .enumerate()
            .flat_map(|(set, values)| values.iter().enumerate().map(move |(n, value)| (name(set, n), value.clone())))
            .collect();
        let Some(printed) = postconf(&known) else { return Ok(()) };
        for (name, theirs) in &printed {
            let written = &known[name];
            let ours = expand(written, &|name| known.get(name).cloned());
            // What it prints it folds.
            prop_assert!(ours.split_whitespace().eq(theirs.split_whitespace()), "{written}: {ours} is {theirs}");
        }
    }
}

proptest! {
    #[test]
    fn every_text_ends(texts in proptest::collection::vec(r"[ab$(){}?:=<>! .0-9]{0,40}", 1..4)) {
        let value = |name: &str| texts.get(name.len() % texts.len()).cloned();
        let expanded = expand(&texts[0], &value);
        prop_assert!(expanded.len() < 1 << 24);
    }
}

/// What `postconf -x` makes of parameters; none where Postfix is not installed.
fn postconf(values: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    let directory = std::env::temp_dir().join(format!("mailward-expand-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a temporary directory");
    let lines: String = values.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    let used: String = values.keys().map(|name| format!("${name} ")).collect();
    std::fs::write(directory.join("main.cf"), format!("{lines}smtpd_banner = {used}\n")).expect("main.cf");
    std::fs::write(directory.join("master.cf"), "").expect("master.cf");
    let ran = Command::new("/usr/sbin/postconf")
        .arg("-c")
        .arg(&directory)
        .arg("-x")
        .args(values.keys().filter(|name| name.ends_with("v4")))
        .output();
    let Ok(ran) = ran else {
        eprintln!("SKIPPED: no /usr/sbin/postconf to compare with");
        return None;
    };
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let printed = String::from_utf8(ran.stdout).expect("text");
    let pairs = printed.lines().filter_map(|line| line.split_once('='));
    Some(pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect())
}
