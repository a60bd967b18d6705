//! Golden lines: each line of a log in `golden/<name>.txt`, and indented below it what the parser makes of it.
//!
//! `MAILWARD_BLESS=1 cargo test` writes the answers anew; read the difference before you commit it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its golden file must stop")]

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::support::{parser, render};

/// Compares every line of a golden file with what the parser makes of it; `least` guards against an emptied file.
pub(crate) fn check(name: &str, least: usize) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("txt");
    let want = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let lines = || want.split_terminator('\n').filter(|line| !line.starts_with("    "));
    let mut parser = parser();
    let mut got = String::new();
    for line in lines() {
        writeln!(got, "{line}").unwrap();
        if !line.is_empty() && !line.starts_with("# ") {
            writeln!(got, "    {}", render(&parser.parse(line.as_bytes()))).unwrap();
        }
    }
    let count = lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).count();
    assert!(count >= least, "{count} lines, at least {least} expected");
    if std::env::var_os("MAILWARD_BLESS").is_some() {
        std::fs::write(&path, got).unwrap();
        return;
    }
    for (number, (want, got)) in want.lines().zip(got.lines()).enumerate() {
        assert_eq!(want, got, "{}:{}", path.display(), number + 1);
    }
    assert_eq!(
        want.lines().count(),
        got.lines().count(),
        "{}: MAILWARD_BLESS=1 writes missing answers",
        path.display()
    );
}
