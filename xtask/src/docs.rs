//! Documents that are generated from the code, and the check that they are fresh.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::tool;

/// Writes the generated documents, or checks that they are fresh.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Writes nothing; status 1 where a document is not what the code generates.
    #[arg(long)]
    check: bool,
}

/// A document and the arguments of `mailward` that print it.
struct Document {
    path: &'static str,
    from: &'static [&'static str],
}

const DOCUMENTS: &[Document] = &[];

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = tool::root()?;
    let mut stale = 0;
    for document in DOCUMENTS {
        let fresh = generate(document)?;
        let path = root.join(document.path);
        if fs::read_to_string(&path).ok().as_ref() == Some(&fresh) {
            continue;
        }
        stale += 1;
        if args.check {
            println!("stale: {}; `cargo xtask docs` writes it", document.path);
        } else {
            write(&path, &fresh)?;
            println!("written: {}", document.path);
        }
    }
    println!("{} generated documents, {stale} were stale", DOCUMENTS.len());
    Ok(ExitCode::from(u8::from(args.check && stale > 0)))
}

fn generate(document: &Document) -> Result<String> {
    let mut command = tool::cargo()?;
    command.args(["run", "--quiet", "--package", "mailward", "--"]).args(document.from);
    tool::output(&mut command).with_context(|| document.path)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let parent = path.parent().context("a document needs a folder")?;
    fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    fs::write(path, text).with_context(|| path.display().to_string())
}
