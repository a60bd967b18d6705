//! `mailward init`: finds Postfix, Dovecot, docker-mailserver and their logs, and writes a commented configuration.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use mailward_host::atomic;
use mailward_report::{Block, Cell, Document, Shown, Tone, View};
use serde::Serialize;

use super::{Outcome, remote};
use crate::config::discover::{Discovery, Host, look};
use crate::config::{self, Auto, Settings, Style};

/// Options of `init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Look at the host whose files lie below this directory; its programs are not run
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Where to write the configuration; `-` is standard output [default: --config, or /etc/mailward/mailward.toml]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a configuration that is there; it is kept as FILE.old
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    print: remote::Print,
}

/// What was found and done, for people and for programs.
#[derive(Debug, Serialize)]
struct Initialised {
    postfix: Option<Found>,
    dovecot: Option<Found>,
    docker_mailserver: Vec<Found>,
    logs: Vec<LogFound>,
    journal: bool,
    own_addresses: Vec<String>,
    container_networks: Vec<String>,
    mynetworks: Vec<String>,
    sessions: Vec<String>,
    fail2ban: Option<&'static str>,
    notes: Vec<String>,
    advice: Vec<Advice>,
    written: Option<PathBuf>,
    refused: Option<PathBuf>,
    next: Vec<Next>,
}

#[derive(Debug, Serialize)]
struct Found {
    what: String,
    detail: String,
}

#[derive(Debug, Serialize)]
struct LogFound {
    path: PathBuf,
    why: String,
    exists: bool,
}

/// Something that the operator could do better.
#[derive(Debug, Serialize)]
struct Advice {
    title: String,
    detail: String,
    remedy: String,
}

/// A command to type next.
#[derive(Debug, Serialize)]
struct Next {
    command: String,
    purpose: &'static str,
}

/// Runs the command.
pub(crate) fn run(asked: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let host = Host::at(&args.root);
    let ssh = std::env::var("SSH_CONNECTION").ok().filter(|_| host.is_this());
    let found = look(&host, ssh.as_deref());
    let output = args.output.as_deref().or(asked).unwrap_or(Path::new(config::PATH));
    let text = file(&found);
    if output == Path::new("-") {
        std::io::stdout().lock().write_all(text.as_bytes())?;
        return Ok(Outcome::Fine);
    }
    let free = args.force || !output.exists();
    if free {
        write(output, &text)?;
    }
    remote::show(&Initialised::of(&found, output, free), &args.print)?;
    Ok(if free { Outcome::Fine } else { Outcome::Findings })
}

fn write(output: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(directory) = output.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}; try as root (sudo)", directory.display()))?;
    }
    if output.exists() {
        let old = PathBuf::from(format!("{}.old", output.display()));
        let text = std::fs::read(output).with_context(|| format!("cannot read {}", output.display()))?;
        atomic::write(&old, &text, None)?;
    }
    Ok(atomic::write(output, text.as_bytes(), Some(0o644))?)
}

/// The configuration: what was found in force, every default beside it as a comment.
fn file(found: &Discovery) -> String {
    let mut settings = Settings::default();
    if !found.logs.is_empty() {
        settings.sources.files = Auto::Set(found.logs.iter().map(|log| log.path.clone()).collect());
    }
    if found.journal {
        settings.sources.journal = Auto::Set(true);
    }
    let head = "\
# Configuration of Mailward. Every setting has a default, which stands here as a comment: take away the mark in front
# of it to change it. After a change:
#   mailward config check             tells every mistake
#   systemctl reload mailward         takes it over; bans, counters and places in the logs stay
# Durations are written like 90s, 10m, 24h, 7d, 4w or 1h30m.

";
    format!("{head}{}", config::show(&settings, Style::Template))
}

impl Initialised {
    fn of(found: &Discovery, output: &Path, written: bool) -> Self {
        let strings = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>();
        let postfix = found.postfix.as_ref();
        let log = found.logs.iter().find(|log| log.exists).map(|log| log.path.display().to_string());
        Self {
            postfix: postfix.map(|postfix| Found {
                what: version(&postfix.version),
                detail: match postfix.maillog_file.as_str() {
                    "" => "logs to syslog".into(),
                    file => format!("logs to {file}"),
                },
            }),
            dovecot: found.dovecot.as_ref().map(|dovecot| Found {
                what: version(&dovecot.version),
                detail: match dovecot.info_log_path.as_str() {
                    "" => format!("logs to {}", dovecot.log_path),
                    file => format!("logs to {}, logins to {file}", dovecot.log_path),
                },
            }),
            docker_mailserver: found
                .containers
                .iter()
                .map(|container| Found {
                    what: container.image.clone(),
                    detail: container.compose.display().to_string(),
                })
                .collect(),
            logs: found
                .logs
                .iter()
                .map(|log| LogFound { path: log.path.clone(), why: log.why.clone(), exists: log.exists })
                .collect(),
            journal: found.journal,
            own_addresses: strings(&mut found.own.iter().map(ToString::to_string)),
            container_networks: strings(
                &mut found.bridges.iter().map(|b| format!("{} ({})", b.network, b.interface)),
            ),
            mynetworks: strings(
                &mut postfix.iter().flat_map(|p| p.mynetworks.iter()).map(ToString::to_string),
            ),
            sessions: strings(&mut found.sessions.iter().map(|s| format!("{} ({})", s.address, s.told_by))),
            fail2ban: found
                .fail2ban
                .map(|running| if running { "running" } else { "installed, not running" }),
            notes: found.notes.clone(),
            advice: advice(found),
            written: written.then(|| output.to_path_buf()),
            refused: (!written).then(|| output.to_path_buf()),
            next: next(log, output),
        }
    }

    fn facts(&self) -> Vec<(Shown, Cell)> {
        let mut facts: Vec<(Shown, Cell)> = Vec::new();
        let mut fact = |name: &str, value: Cell| facts.push((name.into(), value));
        let program = |found: &Option<Found>| match found {
            Some(found) => Cell::from(format!("{}, {}", found.what, found.detail)),
            None => Cell::dim("not found"),
        };
        fact("Postfix", program(&self.postfix));
        fact("Dovecot", program(&self.dovecot));
        for container in &self.docker_mailserver {
            fact("docker-mailserver", format!("{}, {}", container.what, container.detail).into());
        }
        for log in &self.logs {
            let missing = if log.exists { "" } else { "; not there yet, it is waited for" };
            fact("log", format!("{} ({}){missing}", log.path.display(), log.why).into());
        }
        match (self.journal, self.logs.is_empty()) {
            (true, _) => fact("log", "the systemd journal, facility mail".into()),
            (false, true) => fact("log", Cell::toned("none found", Tone::Bad)),
            (false, false) => {}
        }
        let lists = [
            ("own addresses", &self.own_addresses),
            ("containers", &self.container_networks),
            ("mynetworks", &self.mynetworks),
            ("logged in from", &self.sessions),
        ];
        for (name, items) in lists {
            if !items.is_empty() {
                fact(name, format!("{}: never banned", items.join(", ")).into());
            }
        }
        if let Some(state) = self.fail2ban {
            fact("fail2ban", format!("{state}; it is left alone").into());
        }
        facts
    }
}

impl View for Initialised {
    fn document(&self, _: &TimeZone) -> Document {
        let mut blocks = vec![Block::Facts(self.facts())];
        let notice = |title: &str, body: &str, remedy: &str| Block::Notice {
            tone: Tone::Notable,
            title: title.into(),
            body: body.into(),
            remedy: remedy.into(),
        };
        blocks.extend(self.notes.iter().map(|note| notice(note, "", "")));
        blocks.extend(self.advice.iter().map(|advice| notice(&advice.title, &advice.detail, &advice.remedy)));
        if let Some(path) = &self.refused {
            let title = format!("{} is there already and was left as it is", path.display());
            blocks.push(notice(&title, "", &format!("mailward init --force --output {}", path.display())));
        }
        if let Some(path) = &self.written {
            let text =
                vec![Cell::toned("Wrote ", Tone::Good), Cell::strong(path.display().to_string()), ".".into()];
            blocks.push(Block::Paragraph(text));
        }
        blocks.push(Block::Section("Next".into()));
        for next in &self.next {
            blocks.push(Block::Paragraph(vec![Cell::dim(format!("{}:", next.purpose))]));
            blocks.push(Block::Paragraph(vec![Cell::code(next.command.as_str())]));
        }
        Document { title: "What is on this host".into(), subtitle: Shown::default(), blocks }
    }
}

/// Files alone do not tell it.
fn version(version: &str) -> String {
    if version.is_empty() { "found".to_owned() } else { version.to_owned() }
}

/// What would make the log tell more, or two defenders not get in each other's way.
fn advice(found: &Discovery) -> Vec<Advice> {
    let mut advice = Vec::new();
    if found.dovecot.as_ref().is_some_and(|dovecot| !dovecot.auth_verbose) {
        advice.push(Advice {
            title: "Dovecot does not log why a login failed".into(),
            detail: "With auth_verbose = yes each wrong password is a line of its own, also one that is followed by the \
                     right one; with auth_verbose_passwords = sha1:6 a phone with an old password is told from a guesser. \
                     Put both into /etc/dovecot/conf.d/99-mailward.conf, then:"
                .into(),
            remedy: "doveadm reload".into(),
        });
    }
    if found.fail2ban == Some(true) {
        advice.push(Advice {
            title: "fail2ban is running, too".into(),
            detail: "Both may ban the same address; neither lifts what the other did. Once you trust Mailward, its mail \
                     jails are not needed any more."
                .into(),
            remedy: "fail2ban-client status".into(),
        });
    }
    if let Some(session) = found.sessions.first() {
        advice.push(Advice {
            title: format!("You are logged in from {}", session.address),
            detail: "It is never banned while you are. To protect it also when you are not:".into(),
            remedy: format!("mailward allow {} --comment me", session.address),
        });
    }
    advice
}

fn next(log: Option<String>, output: &Path) -> Vec<Next> {
    let usual = output == Path::new(config::PATH);
    let named = if usual { String::new() } else { format!(" --config {}", output.display()) };
    let look = match log {
        Some(log) => Next {
            command: format!("mailward analyze{named} {log}"),
            purpose: "See what attacked so far, and whom Mailward would have banned",
        },
        None => Next { command: format!("mailward config show{named}"), purpose: "See every setting" },
    };
    let command =
        if usual { "systemctl enable --now mailward".into() } else { format!("mailward guard{named}") };
    vec![look, Next { command, purpose: "Guard from now on" }]
}
