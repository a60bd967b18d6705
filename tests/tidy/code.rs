//! Budgets, names, and what must not stand in the code.

use crate::none;
use crate::tree::{self, File};

const FILE_LINES: usize = 800;
const FILE_LINES_TYPICAL: usize = 400;
const FUNCTION_LINES: usize = 60;
const FUNCTION_LINES_MEDIAN: usize = 8;

/// Words that name no thing: whatever is put there could as well be elsewhere.
const EMPTY_WORDS: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"];

#[test]
fn files_are_short() {
    let mut findings = Vec::new();
    for file in tree::files_ending(".rs") {
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            findings.push(format!("{}: {lines} lines, at most {FILE_LINES}", file.path));
        } else if lines > FILE_LINES_TYPICAL {
            eprintln!("warning: {}: {lines} lines; {FILE_LINES_TYPICAL} are typical", file.path);
        }
    }
    none(&findings, "long files are cut by what they are about");
}

#[test]
fn functions_are_short_or_say_why_not() {
    let files = tree::files_ending(".rs");
    let functions: Vec<_> =
        files.iter().flat_map(|file| functions(&file.text).map(move |f| (file, f))).collect();
    let long =
        functions.iter().filter(|(file, f)| f.lines > FUNCTION_LINES && !f.says_why_long && !is_test(file));
    let findings: Vec<_> = long
        .map(|(file, f)| format!("{}:{}: {} has {} lines", file.path, f.first, f.name, f.lines))
        .collect();
    none(&findings, "a function over 60 lines is cut, or tells in a line above it: `// long: reason`");

    // A check is a story told in order: it asks, compares, and says what is wrong. Cut further it would be harder to follow.
    let is_story = |file: &File| file.path.starts_with("crates/audit/");
    let mut lengths: Vec<_> =
        functions.iter().filter(|(file, _)| !is_story(file)).map(|(_, f)| f.lines).collect();
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    eprintln!("{} functions, median {median} lines", lengths.len());
    assert!(median <= FUNCTION_LINES_MEDIAN, "the median function has {median} lines");
}

#[test]
fn names_name_something() {
    let mut findings = Vec::new();
    for file in tree::files_ending(".rs") {
        let parts = file.path.trim_end_matches(".rs").split(['/', '_', '-']);
        if parts.into_iter().any(|part| EMPTY_WORDS.contains(&part)) {
            findings.push(file.path.clone());
        }
        let types = file.text.lines().enumerate().filter_map(|(n, line)| Some((n, type_name(line)?)));
        let empty = types.filter(|(_, name)| words(name).any(|word| EMPTY_WORDS.contains(&word.as_str())));
        findings.extend(empty.map(|(n, name)| format!("{}:{}: {name}", file.path, n + 1)));
    }
    none(&findings, "a file, module or type is named after a thing");
}

#[test]
fn every_module_says_what_it_is_for() {
    let findings: Vec<_> = tree::files_ending(".rs")
        .into_iter()
        .filter(|file| !file.text.trim_start_matches("#![no_main]\n").starts_with("//!"))
        .map(|file| file.path)
        .collect();
    none(&findings, "a file of code begins with `//!` and what it is for");
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file does not find itself.
    let forbidden = [["to", "do!("].concat(), ["unimpl", "emented!("].concat(), ["FIX", "ME"].concat()];
    let findings =
        lines_with(&tree::files_ending(".rs"), |line| forbidden.iter().any(|word| line.contains(word)));
    none(&findings, "unfinished code");
}

#[test]
fn no_machine_of_a_developer_is_named() {
    let places = [["/wo", "rk/"].concat(), ["/tmp", "/t-"].concat(), ["/ro", "ot/.cargo"].concat()];
    let findings = lines_with(&tree::files(), |line| places.iter().any(|place| line.contains(place)));
    none(&findings, "paths that only exist on one machine");
}

#[test]
fn tests_that_skip_say_so() {
    let files = tree::files_ending(".rs");
    let mut findings = Vec::new();
    for file in &files {
        let silent = !says_skipped(file, &files);
        for test in functions(&file.text).filter(|f| f.is_test) {
            if silent && test.body.iter().any(|line| returns_early(line)) {
                findings.push(format!("{}:{}: {} returns early", file.path, test.first, test.name));
            }
        }
        let ignored = file.text.lines().enumerate().filter(|(_, line)| line.trim() == "#[ignore]");
        findings.extend(ignored.map(|(n, _)| format!("{}:{}: #[ignore] gives no reason", file.path, n + 1)));
    }
    none(&findings, "a test that cannot run here prints `SKIPPED: why` to standard error");
}

/// Whether a file, or a module of its package's tests that it may call, prints that tests were skipped.
fn says_skipped(file: &File, files: &[File]) -> bool {
    let package = if file.path.starts_with("crates/") { 2 } else { 0 };
    let tests = file.path.split_inclusive('/').take(package).collect::<String>() + "tests/";
    let called = |other: &&File| other.path == file.path || other.path.starts_with(&tests);
    let rules = "tests/tidy/";
    files.iter().filter(called).any(|file| file.text.contains("SKIPPED") && !file.path.starts_with(rules))
}

/// Tests and benches are stories that may be told in one piece.
fn is_test(file: &File) -> bool {
    file.path.contains("tests") || file.path.contains("benches/")
}

fn returns_early(line: &str) -> bool {
    let line = line.trim();
    line == "return;" || line.ends_with("{ return };") || line.ends_with("{ return; };")
}

fn lines_with(files: &[File], wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let lines =
        files.iter().flat_map(|file| file.text.lines().enumerate().map(move |(n, line)| (file, n, line)));
    let found = lines.filter(|(_, _, line)| wrong(line));
    found.map(|(file, n, line)| format!("{}:{}: {}", file.path, n + 1, line.trim())).collect()
}

/// A function as it stands in formatted code.
struct Function<'a> {
    name: &'a str,
    /// The number of its first line.
    first: usize,
    lines: usize,
    body: Vec<&'a str>,
    is_test: bool,
    says_why_long: bool,
}

/// The functions of a file. Formatted code ends a function with a brace as far from the margin as its first line.
fn functions(text: &str) -> impl Iterator<Item = Function<'_>> {
    let lines: Vec<_> = text.lines().collect();
    let starts: Vec<_> =
        lines.iter().enumerate().filter_map(|(n, line)| Some((n, function_name(line)?))).collect();
    starts.into_iter().filter_map(move |(start, name)| {
        let margin = &lines[start][..lines[start].len() - lines[start].trim_start().len()];
        let is_end = |line: &&str| line.strip_prefix(margin).is_some_and(|rest| rest == "}" || rest == ";");
        let one_line = lines[start].ends_with(['}', ';']);
        let length = if one_line { 1 } else { lines[start..].iter().position(is_end)? + 1 };
        let above: Vec<_> = lines[..start].iter().rev().take_while(|line| is_attached(line)).collect();
        Some(Function {
            name,
            first: start + 1,
            lines: length,
            body: lines[start..start + length].to_vec(),
            is_test: above.iter().any(|line| line.trim() == "#[test]"),
            says_why_long: above.iter().any(|line| line.contains("// long: ")),
        })
    })
}

/// Whether a line above a function belongs to it.
fn is_attached(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("//") || line.starts_with("#[") || line == ")]" || line.starts_with("reason = ")
}

fn function_name(line: &str) -> Option<&str> {
    let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "extern \"C\" "];
    let mut rest = line.trim_start();
    while let Some(after) = words.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = after;
    }
    rest.strip_prefix("fn ")?.split(['(', '<']).next()
}

fn type_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = ["pub ", "pub(crate) ", "pub(super) "]
        .iter()
        .find_map(|word| line.strip_prefix(word))
        .unwrap_or(line);
    let rest =
        ["struct ", "enum ", "trait ", "mod ", "type "].iter().find_map(|word| line.strip_prefix(word))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// The words of a name in camel or snake case, in lower case.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        words.last_mut().unwrap().extend(c.to_lowercase().filter(|c| *c != '_'));
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[test]
fn functions_are_found_in_formatted_code() {
    let text = "\
struct S;
impl S {
    // long: because
    #[test]
    pub(crate) fn one(&self) {
        if x {
        }
        let Some(a) = b else { return };
    }
    const fn two() -> u8 { 2 }
}
";
    let found: Vec<_> =
        functions(text).map(|f| (f.name, f.first, f.lines, f.is_test, f.says_why_long)).collect();
    assert_eq!(found, [("one", 5, 5, true, true), ("two", 10, 1, false, false)]);
    assert_eq!(words("BanManager_x").collect::<Vec<_>>(), ["ban", "manager", "x"]);
}
