//! Everything that reads logs, and how it is called.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::MB;
use super::log::Format;
use crate::tool;

/// A reader of logs.
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) does: &'static str,
    /// Slow ones get only the first so many bytes.
    pub(super) slice: Option<u64>,
    /// Whether it reads the log from standard input.
    pub(super) input: bool,
    /// What is in the line of its output that tells what it found; empty for the last line.
    pub(super) tells: &'static str,
    /// Whether the others are compared with it.
    pub(super) is_yardstick: bool,
    pub(super) command: Call,
}

/// Makes the command that reads a log.
type Call = Box<dyn Fn(&Path) -> Result<Command>>;

/// Where things are.
pub(super) struct Place {
    pub(super) root: PathBuf,
    pub(super) dir: PathBuf,
    pub(super) format: Format,
}

/// fail2ban reads a few MB a second: more than this measures nothing better.
const SLOW_SLICE: u64 = 32 * MB;
/// pflogsumm and sshguard read tens of MB a second.
const MIDDLE_SLICE: u64 = 200 * MB;

/// All contenders, floors first.
pub(super) fn all(place: &Place) -> Result<Vec<Contender>> {
    let mut all = floors();
    all.extend(ours(place)?);
    all.push(fail2ban_rs(place));
    all.push(Contender {
        input: true,
        slice: Some(MIDDLE_SLICE),
        ..contender("sshguard", "its parser", |_| sshguard())
    });
    all.push(Contender {
        slice: Some(MIDDLE_SLICE),
        tells: " received",
        ..contender("pflogsumm", "summary of Postfix", |log| program("pflogsumm", [log]))
    });
    all.push(fail2ban("fail2ban-regex, postfix", "postfix[mode=aggressive]"));
    all.push(fail2ban("fail2ban-regex, dovecot", "dovecot[mode=aggressive]"));
    Ok(all)
}

/// What it costs to touch each byte.
fn floors() -> Vec<Contender> {
    vec![
        contender("wc -l", "counts lines", |log| program("wc", ["-l".as_ref(), log])),
        contender("rg -c", "counts lines with one pattern", |log| {
            program("rg", ["-c".as_ref(), Path::new("SASL [A-Z]+ authentication failed"), log])
        }),
    ]
}

fn ours(place: &Place) -> Result<Vec<Contender>> {
    let Built { pipeline, mailward } = build(place)?;
    let rooms = |mode: &'static str| {
        let pipeline = pipeline.clone();
        move |log: &Path| Ok(command(&pipeline, [mode.as_ref(), log]))
    };
    let whole = |name: &'static str| {
        let mailward = mailward.clone();
        move |log: &Path| Ok(command(&mailward, [name.as_ref(), log]))
    };
    Ok(vec![
        contender("mailward, lines to events", "parse", rooms("parse")),
        Contender {
            is_yardstick: true,
            ..contender("mailward, lines to bans", "parse, detect, decide", rooms("chain"))
        },
        contender("mailward replay", "the whole program", whole("replay")),
        contender("mailward analyze", "the whole program", whole("analyze")),
    ])
}

fn contender(
    name: &'static str,
    does: &'static str,
    command: impl Fn(&Path) -> Result<Command> + 'static,
) -> Contender {
    Contender {
        name,
        does,
        slice: None,
        input: false,
        tells: "",
        is_yardstick: false,
        command: Box::new(command),
    }
}

fn fail2ban(name: &'static str, filter: &'static str) -> Contender {
    let call = move |log: &Path| {
        // No look-ups of names, and no list of what did not match: only the matching is measured.
        let options = ["--usedns=no", "--print-no-missed", "--print-no-ignored"].map(Path::new);
        let mut command = program("fail2ban-regex", options)?;
        command.arg(log).arg(filter);
        Ok(command)
    };
    Contender { slice: Some(SLOW_SLICE), tells: "Lines: ", ..contender(name, filter, call) }
}

fn sshguard() -> Result<Command> {
    let places = ["/usr/libexec/sshguard/sshg-parser", "/usr/lib/sshguard/sshg-parser"];
    match places.iter().map(Path::new).find(|path| path.exists()) {
        Some(path) => Ok(Command::new(path)),
        None => bail!("sshguard is not installed; `cargo xtask setup --bench` installs it"),
    }
}

/// fail2ban-rs with the two patterns that it brings for Postfix and the two for Dovecot.
fn fail2ban_rs(place: &Place) -> Contender {
    let ready = install_fail2ban_rs(place).map_err(|why| format!("{why:#}"));
    let call = move |log: &Path| match &ready {
        Ok((program, config)) => {
            Ok(command(program, ["dry-run".as_ref(), log, "--config".as_ref(), config.as_path()]))
        }
        Err(why) => bail!("{why}"),
    };
    Contender { tells: "Matches:", ..contender("fail2ban-rs", "four patterns, dry run", call) }
}

/// The program and its configuration.
fn install_fail2ban_rs(place: &Place) -> Result<(PathBuf, PathBuf)> {
    let tools = place.dir.join("tools");
    let program = tools.join("bin/fail2ban-rs");
    if !program.exists() {
        let mut cargo = tool::cargo()?;
        tool::output(cargo.args(["install", "--locked", "fail2ban-rs", "--root"]).arg(&tools))?;
    }
    let mut config = "[global]\n".to_owned();
    for service in ["postfix", "dovecot"] {
        config += &tool::output(Command::new(&program).args(["gen-config", service]))?;
    }
    if place.format == Format::Rfc3339 {
        config = config.replace("date_format = \"syslog\"", "date_format = \"iso8601\"");
    }
    let path = place.dir.join("fail2ban-rs.toml");
    fs::write(&path, config)?;
    Ok((program, path))
}

fn program<'a>(name: &str, args: impl IntoIterator<Item = &'a Path>) -> Result<Command> {
    let path = tool::find(name).with_context(|| format!("{name} is missing; `cargo xtask setup --bench`"))?;
    Ok(command(&path, args))
}

fn command<'a>(program: &Path, args: impl IntoIterator<Item = &'a Path>) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Our programs, built as they are released.
struct Built {
    pipeline: PathBuf,
    mailward: PathBuf,
}

/// Builds `mailward`, and `benches/pipeline.rs`: our rooms without the daemon around them.
fn build(place: &Place) -> Result<Built> {
    println!("building mailward and benches/pipeline.rs with optimisation");
    let mut cargo = tool::cargo()?;
    cargo.current_dir(&place.root).args([
        "bench",
        "--package",
        "mailward",
        "--bench",
        "pipeline",
        "--no-run",
    ]);
    let told = tool::output(cargo.args(["--message-format", "json-render-diagnostics"]))?;
    let artifacts: Vec<_> =
        told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()).collect();
    let program = |name: &str| {
        let of_name =
            |artifact: &&serde_json::Value| artifact.pointer("/target/name").is_some_and(|n| n == name);
        let paths =
            artifacts.iter().filter(of_name).filter_map(|artifact| artifact.get("executable")?.as_str());
        let path = paths.map(PathBuf::from).next_back();
        path.with_context(|| format!("cargo tells no program {name}"))
    };
    Ok(Built { pipeline: program("pipeline")?, mailward: program("mailward")? })
}
