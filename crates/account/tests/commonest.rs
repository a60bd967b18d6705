//! The ten thousand commonest passwords are refused, whatever the operator allows.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailward_account::{Password, Policy, Weakness};
use serde_json::Value;

/// The list that comes with zxcvbn, the commonest first, from what stolen databases had most. It is no part of the crate's interface, so it
/// is read from its source.
fn commonest() -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let words = ["metadata", "--format-version", "1", "--offline", "--manifest-path"];
    let output = Command::new(env!("CARGO")).args(words).arg(manifest).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "zxcvbn").unwrap();
    let source = PathBuf::from(package["manifest_path"].as_str().unwrap());
    let text = fs::read_to_string(source.with_file_name("src/frequency_lists.rs")).unwrap();
    let list = text.split("const PASSWORDS: &str = \"").nth(1).unwrap().split('"').next().unwrap();
    list.split(',').map(|word| word.replace("\\'", "'")).collect()
}

#[test]
fn the_ten_thousand_commonest_are_refused() {
    let all = commonest();
    let first = all.get(..10_000).unwrap();
    assert_eq!(all.first().map(String::as_str), Some("123456"));
    // What the configuration allows at the most.
    let loosest = Policy { min_length: 8, min_strength: 0 };
    // As if length did not matter at all.
    let by_word_alone = Policy { min_length: 0, min_strength: 0 };
    for word in first {
        let Ok(password) = Password::new(word.as_bytes()) else { continue };
        for policy in [Policy::default(), loosest] {
            assert!(!policy.weaknesses(&password, "nora@example.org").is_empty(), "{word}");
        }
        let capital: String =
            word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect();
        for variant in [word.clone(), capital] {
            let password = Password::new(variant.as_bytes()).unwrap();
            let found = by_word_alone.weaknesses(&password, "nora@example.org");
            assert!(found.contains(&Weakness::Common), "{variant}");
        }
    }
}
