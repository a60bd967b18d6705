//! Which room may import which. A new arrow is a decision about the design, so it is made here and seen in review.

use std::collections::BTreeSet;
use std::fs;

use crate::none;
use crate::tree;

/// Room, and the rooms of ours that it imports: exactly these.
const ARROWS: &[(&str, &[&str])] = &[
    // Pure rooms.
    ("model", &[]),
    ("parse", &["model"]),
    ("detect", &["model"]),
    ("decide", &["model"]),
    ("report", &["model"]),
    ("engine", &["model", "parse", "detect", "decide"]),
    ("audit", &["model"]),
    ("wire", &["model"]),
    // audit: what is said of an account is what the checks find of it.
    ("account", &["audit"]),
    // Edges.
    ("host", &[]),
    ("source", &["host"]),
    ("store", &["model"]),
    // decide: a ban reaches the firewall only as `decide::Cleared`, the proof that the never-ban list was asked.
    ("enforce", &["model", "host", "decide"]),
    // audit: the facts that it collects are the ones that checks judge.
    ("probe", &["model", "host", "audit", "account"]),
    // audit: the plans that it carries out. Who looks at the server from outside is handed in.
    ("apply", &["host", "audit"]),
    // decide: who is banned and what is answered is decided there; detect: the login guard's memory; host: its clock.
    ("gate", &["model", "host", "wire", "detect", "decide"]),
    // host: its locks and random bytes; what is worth saving is told by the caller.
    ("backup", &["host"]),
    // host: programs that take alerts; report: how alerts look.
    ("notify", &["model", "host", "report"]),
    ("web", &[]),
    // Development only.
    ("lab", &[]),
];

/// What a room's tests may import besides.
const OF_TESTS: &[(&str, &[&str])] = &[
    // What the audit is told by the lab's real Postfix and Dovecot; the lab itself knows nothing of it.
    ("lab", &["audit", "probe"]),
];

/// Rooms that know no clock, file, socket, environment, process or thread.
const PURE: &[&str] = &["model", "parse", "detect", "decide", "report", "engine", "audit", "account", "wire"];

/// What reaches for the world in the standard library and in `jiff`.
const EFFECTS: &[&str] = &[
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os::unix::net",
    "std::process",
    "std::env::",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "println!",
];

/// Crates of others that reach for the world.
const EFFECTFUL: &[&str] = &[
    "clap",
    "hyper",
    "hyper-util",
    "indicatif",
    "inotify",
    "lettre",
    "netlink-sys",
    "rusqlite",
    "rustic_core",
    "rustix",
    "sd-notify",
    "signal-hook",
    "tokio",
    "ureq",
];

#[test]
fn the_manifests_are_the_arrow_table() {
    let known: BTreeSet<_> = ARROWS.iter().map(|(room, _)| (*room).to_owned()).collect();
    let there: BTreeSet<_> = tree::crates().into_iter().collect();
    let mut findings: Vec<_> =
        there.symmetric_difference(&known).map(|room| format!("crates/{room} is not in both")).collect();
    for (room, allowed) in ARROWS.iter().filter(|(room, _)| there.contains(*room)) {
        let allowed: BTreeSet<_> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let (imports, tests) = imports(room);
        findings.extend(imports.difference(&allowed).map(|other| format!("{room} must not import {other}")));
        findings
            .extend(allowed.difference(&imports).map(|other| format!("{room} no longer imports {other}")));
        let of_tests = OF_TESTS.iter().filter(|(name, _)| name == room).flat_map(|(_, names)| *names);
        let of_tests: BTreeSet<_> = of_tests.map(|name| (*name).to_owned()).chain(allowed).collect();
        findings.extend(
            tests.difference(&of_tests).map(|other| format!("{room}'s tests must not import {other}")),
        );
    }
    none(&findings, "arrows between rooms (ARROWS in this file, ARCHITECTURE.md)");
}

#[test]
fn architecture_shows_the_arrows() {
    let text = fs::read_to_string(tree::root().join("ARCHITECTURE.md")).unwrap();
    let shown: BTreeSet<_> =
        text.lines().filter(|line| line.contains(" → ") && !line.contains(['.', '`'])).collect();
    let arrows: Vec<_> = ARROWS
        .iter()
        .map(|(room, imports)| {
            let imports = if imports.is_empty() { "nothing".to_owned() } else { imports.join(", ") };
            format!("{room:<7} → {imports}")
        })
        .collect();
    let arrows: BTreeSet<_> = arrows.iter().map(String::as_str).collect();
    let findings = arrows.symmetric_difference(&shown).map(|line| format!("not in both: {line}"));
    none(&findings.collect::<Vec<_>>(), "ARCHITECTURE.md, code map, and ARROWS in this file");
}

#[test]
fn pure_rooms_reach_for_nothing() {
    let mut findings = Vec::new();
    for room in PURE {
        for name in manifest(room).keys().filter(|name| EFFECTFUL.contains(&name.as_str())) {
            findings.push(format!("{room} is pure and depends on {name}"));
        }
        let source = format!("crates/{room}/src/");
        for file in tree::files_ending(".rs").iter().filter(|file| file.path.starts_with(&source)) {
            findings.extend(effects(file));
        }
    }
    none(&findings, "pure rooms know no clock, file, socket, environment, process or thread");
}

/// Effects in the code of a file, up to its tests.
fn effects(file: &tree::File) -> Vec<String> {
    let code = file.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").enumerate();
    let code = code.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.flat_map(|(n, line)| {
        let found = EFFECTS.iter().filter(move |effect| line.contains(**effect));
        found.map(move |effect| format!("{}:{}: {effect}", file.path, n + 1))
    })
    .collect()
}

/// What a room imports of ours, and what its tests do.
fn imports(room: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let manifest = read(room);
    let ours = |tables: &[&str]| {
        let names =
            tables.iter().filter_map(|table| manifest.get(*table)?.as_table()).flat_map(toml::Table::keys);
        names.filter_map(|name| name.strip_prefix("mailward-").map(str::to_owned)).collect()
    };
    (ours(&["dependencies", "build-dependencies"]), ours(&["dev-dependencies"]))
}

fn manifest(room: &str) -> toml::Table {
    read(room).get("dependencies").and_then(|table| table.as_table().cloned()).unwrap_or_default()
}

fn read(room: &str) -> toml::Table {
    fs::read_to_string(tree::root().join("crates").join(room).join("Cargo.toml")).unwrap().parse().unwrap()
}
