//! Dependencies are named once, with a reason, and every package follows the workspace.

use crate::none;
use crate::tree;

#[test]
fn every_dependency_says_why_it_is_here() {
    let root = tree::files_ending("Cargo.toml").into_iter().find(|file| file.path == "Cargo.toml").unwrap();
    let (_, section) = root.text.split_once("[workspace.dependencies]\n").unwrap();
    let section = section.split("\n[").next().unwrap();
    let lines = section.lines().filter(|line| line.contains(" = ") && !line.contains("path = "));
    let findings: Vec<_> = lines
        .filter(|line| line.split_once("# ").is_none_or(|(_, reason)| reason.trim().len() < 8))
        .map(str::to_owned)
        .collect();
    none(&findings, "a dependency needs `# reason` in its line of [workspace.dependencies]");
}

#[test]
fn every_package_follows_the_workspace() {
    let mut findings = Vec::new();
    for file in tree::files_ending("/Cargo.toml").iter().filter(|file| !file.path.starts_with("fuzz/")) {
        let manifest: toml::Table = file.text.parse().unwrap();
        if !inherits(manifest.get("lints")) {
            findings.push(format!("{}: [lints] workspace = true is missing", file.path));
        }
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(table).and_then(toml::Value::as_table) else { continue };
            let own = table.iter().filter(|(_, value)| !inherits(Some(value)));
            findings.extend(own.map(|(name, _)| format!("{}: {name} has a version of its own", file.path)));
        }
    }
    none(&findings, "packages inherit lints and versions from the workspace");
}

fn inherits(value: Option<&toml::Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool).unwrap_or(false)
}
