//! The benches of the single rooms, each in its crate: what they print is passed on as it is.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::tool;

/// Runs every bench of the workspace but the pipeline, or those whose name contains `only`.
pub(super) fn run(only: Option<&str>) -> Result<()> {
    for (package, bench) in benches()? {
        let name = format!("{package} {bench}");
        if bench == "pipeline" || only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let mut cargo = tool::cargo()?;
        cargo.current_dir(tool::root()?).args(["bench", "--quiet", "--package", &package, "--bench", &bench]);
        println!("\n{name}\n");
        match tool::output(&mut cargo) {
            Ok(text) => text.lines().for_each(|line| println!("    {line}")),
            Err(why) => println!("FAILED: {why:#}"),
        }
    }
    Ok(())
}

/// Package and name of every bench.
fn benches() -> Result<Vec<(String, String)>> {
    let metadata = tool::metadata()?;
    let packages =
        metadata.get("packages").and_then(Value::as_array).context("cargo metadata without packages")?;
    let benches = packages.iter().flat_map(|package| {
        let targets = package.get("targets").and_then(Value::as_array).into_iter().flatten();
        let benches = targets.filter(|target| target.pointer("/kind/0").is_some_and(|kind| kind == "bench"));
        benches.filter_map(|bench| Some((text(package, "name")?, text(bench, "name")?)))
    });
    Ok(benches.collect())
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}
