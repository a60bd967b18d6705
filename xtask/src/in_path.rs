//! `cargo xtask in-path`: Postfix and Dovecot of the lab are told by Mailward's own plan to ask it, attackers come, honest users work,
//! and the plan is taken back. The kernel bans nobody meanwhile: what is stopped was stopped by an answer.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use mailward_lab::attack::{self, Outcome};
use mailward_lab::matrix::{self, Choice, Matrix};
use mailward_lab::topology::{Place, accounts};
use mailward_lab::{Lab, Options, Program, legit};

use crate::demo;
use crate::demo::live::start_guard;
use crate::weaken::{Host, different, files};

/// Attacks the mail host while Postfix and Dovecot ask Mailward; status 1 where an answer does not stop what it must, or an honest
/// user is hindered.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What the names of its namespaces begin with.
    #[arg(long, default_value = "mwinpath")]
    prefix: String,
    /// The binary; it is built where none is given.
    #[arg(long, value_name = "FILE")]
    mailward: Option<PathBuf>,
}

const SETTINGS: &str = "[firewall]\nenabled = false\n\n[sources]\nfiles = [\"/var/log/mail.log\"]\njournal = false\n\n\
                        [policy]\nenabled = true\n\n[login]\nenabled = true\nkey = \"of this lab\"\n";

/// Those that nobody may get a login with. The right password is among the guesses of `lucky-guess` and `imap-persistent`.
const GUESSERS: &[&str] = &[
    "distributed-bruteforce",
    "password-spray",
    "slow-bruteforce",
    "lucky-guess",
    "ipv6-hop",
    "imap-persistent",
];

/// Messages that a stolen password may send before the limits of its account hold it back, and those of bots that never try twice.
const MESSAGES: &[(&str, usize)] = &[("spam-burst", 25), ("spam-bot", 0)];

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mailward = match &args.mailward {
        Some(path) => path.canonicalize().with_context(|| path.display().to_string())?,
        None => demo::build()?,
    };
    let dir = std::env::temp_dir().join(format!("mailward-in-path-{}", std::process::id()));
    let options =
        Options { dir: dir.clone(), prefix: args.prefix.clone(), leased: true, ..Options::default() };
    let lab = Lab::up(options, &Program::this(&["lab"])?)?;
    let result = asked(&Host { lab: &lab, mailward: &mailward });
    lab.down()?;
    let wrong = result.with_context(|| format!("the lab's folder is {}", dir.display()))?;
    wrong.iter().for_each(|line| println!("WRONG: {line}"));
    if wrong.is_empty() {
        std::fs::remove_dir_all(&dir)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("the lab's folder is {}", dir.display());
    Ok(ExitCode::FAILURE)
}

/// What is not as it must be.
fn asked(host: &Host<'_>) -> Result<Vec<String>> {
    let (guest, lines) = start_guard(host.lab, host.mailward, SETTINGS)?;
    // Its output is read, so that it never waits.
    let reader = thread::spawn(move || lines.map_while(Result::ok).count());
    let before = files(host)?;
    println!("{}", host.harden(&["apply", "--only", "in-path", "--yes"])?.trim());
    let matrix = attacked(host.lab)?;
    println!("\n{}", matrix.table());
    for attack in &matrix.attacks {
        println!("{}: {:?}", attack.attack, attack.notes);
    }
    let mut wrong: Vec<_> = matrix.attacks.iter().filter_map(unstopped).collect();
    if !wrong.is_empty() {
        told(host)?;
    }
    if !matrix.unhindered() {
        wrong.push("an honest user was hindered; see above".to_owned());
    }
    println!("{}", host.harden(&["undo"])?.trim());
    wrong.extend(different(&before, &files(host)?));
    let status = guest.stop(Duration::from_secs(10))?;
    ensure!(status.success(), "mailward guard ended with {status}");
    reader.join().map_err(|_| anyhow!("the reader panicked"))?;
    let report = legit::run(host.lab, 1, false)?;
    wrong.extend(report.failed().map(|step| format!("after the undo, without Mailward: {}", step.what)));
    Ok(wrong)
}

/// What the guard says itself of its answers.
fn told(host: &Host<'_>) -> Result<()> {
    let accounts = accounts().map(|account| ["login", "explain", account.name]);
    let status = [["login", "status", "--format=text"], ["policy", "status", "--format=text"]];
    for words in status.into_iter().chain(accounts) {
        let mailward = host.mailward.to_string_lossy();
        let (_, said, errors) = host.output(Place::Mail, &[&[&*mailward][..], &words].concat())?;
        println!("mail# mailward {}\n{said}{errors}", words.join(" "));
    }
    Ok(())
}

fn attacked(lab: &Lab) -> Result<Matrix> {
    let names = GUESSERS.iter().copied().chain(MESSAGES.iter().map(|(name, _)| *name));
    let attacks = names.map(|name| attack::named(name).with_context(|| format!("no attack {name}")));
    let choice = Choice { attacks: attacks.collect::<Result<_>>()?, jobs: 4, legit: true };
    matrix::all(lab, &choice, &|line| println!("{line}"))
}

fn unstopped(attack: &Outcome) -> Option<String> {
    let name = attack.attack.as_str();
    let note = |note: &str| attack.notes.get(note).copied().unwrap_or(0);
    if attack.answered == 0 {
        return Some(format!("{name}: no attempt was answered, so that nothing was shown"));
    }
    if let Some((_, most)) = MESSAGES.iter().find(|(of, _)| *of == name) {
        let sent = note("messages_accepted");
        return (sent > *most).then(|| format!("{name}: {sent} messages were taken, and not at most {most}"));
    }
    if note("logins") > 0 {
        return Some(format!("{name}: {} logins", note("logins")));
    }
    let shut_out = name == "distributed-bruteforce" && note("owner_can_login") == 0;
    shut_out.then(|| format!("{name}: the owner is locked out"))
}
