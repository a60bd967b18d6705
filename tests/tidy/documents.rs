//! What documents say about the tree is so.

use std::collections::BTreeSet;
use std::path::Path;

use crate::none;
use crate::tree::{self, File};

/// Folders whose paths are checked wherever a document names them.
const FOLDERS: &[&str] =
    &["crates/", "src/", "xtask/", "tests/", "benches/", "docs/", "examples/", "packaging/", "fuzz/", ".ci/"];

#[test]
fn architecture_names_every_crate() {
    let text = read("ARCHITECTURE.md");
    let there = tree::crates();
    let missing = there.iter().filter(|name| !text.contains(&format!("### `crates/{name}`")));
    let findings: Vec<_> = missing.map(|name| format!("crates/{name} has no section")).collect();
    none(&findings, "ARCHITECTURE.md, code map");
}

#[test]
fn named_paths_exist() {
    let mut findings = Vec::new();
    for file in documents() {
        let odd = file.text.split('`').skip(1).step_by(2);
        let paths = odd.filter(|code| FOLDERS.iter().any(|folder| code.starts_with(folder)) && is_path(code));
        let gone = paths.filter(|path| !tree::root().join(path).exists());
        findings.extend(gone.map(|path| format!("{}: `{path}` does not exist", file.path)));
    }
    none(&findings, "paths in documents");
}

/// `path.rs::test`: a document says that this test holds something.
#[test]
fn named_tests_exist() {
    let mut findings = Vec::new();
    for file in documents() {
        for (path, test) in
            file.text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::"))
        {
            let code = std::fs::read_to_string(tree::root().join(format!("{path}.rs"))).unwrap_or_default();
            if !code.contains(&format!("fn {test}(")) {
                findings.push(format!("{}: {path}.rs has no test {test}", file.path));
            }
        }
    }
    none(&findings, "tests that documents rely on");
}

#[test]
fn links_lead_somewhere() {
    let mut findings = Vec::new();
    for file in documents() {
        for link in links(&file.text).filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            if !resolves(&file, link) {
                findings.push(format!("{}: {link}", file.path));
            }
        }
    }
    none(&findings, "links in documents");
}

#[test]
fn nothing_is_left_to_fill_in() {
    let files = documents().into_iter().filter(|file| file.text.contains("<!-- fill"));
    none(&files.map(|file| file.path).collect::<Vec<_>>(), "documents with `<!-- fill` in them");
}

fn documents() -> Vec<File> {
    let documents = tree::files_ending(".md");
    assert!(documents.iter().any(|file| file.path == "README.md"), "there is no README.md");
    documents
}

fn read(path: &str) -> String {
    documents().into_iter().find(|file| file.path == path).unwrap().text
}

fn is_path(code: &str) -> bool {
    code.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
}

/// The targets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

fn resolves(file: &File, link: &str) -> bool {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(&file.path).parent().unwrap();
    let target =
        tree::root().join(if path.is_empty() { Path::new(&file.path).to_owned() } else { folder.join(path) });
    if anchor.is_empty() {
        return target.exists();
    }
    std::fs::read_to_string(target).is_ok_and(|text| anchors(&text).contains(anchor))
}

/// The anchors that headings get: lower case, blanks as dashes, other marks left out.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn links_and_anchors_are_read() {
    let text = "## How it works, really\nsee [a](#how-it-works-really) and [b](../b.md)";
    assert_eq!(links(text).collect::<Vec<_>>(), ["#how-it-works-really", "../b.md"]);
    assert!(anchors(text).contains("how-it-works-really"));
}
