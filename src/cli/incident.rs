//! `mailward incident`: an account that somebody else uses is contained, its story told, and the account given back.

use std::path::{Path, PathBuf};

use mailward_audit::integrity::Role;
use mailward_host::clock;
use mailward_model::Timestamp;
use mailward_parse::{Parser, split_lines};
use mailward_report::At;
use mailward_report::incident::{IncidentList, IncidentRow, TimelineStep};

use super::account::{Secret, chosen, tell};
use super::audit::{Scope, options};
use super::input::each_block;
use super::remote::{Print, operator, show};
use super::{Logs, Outcome, Usage, analyze};
use crate::account::Server;
use crate::config::Settings;
use crate::incident::{Contained, Folder, Queue, Record, Subject, Teller, close, contain};
use crate::integrity;

/// Options of `incident`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    /// The container that the mail server runs in: short for a prefix of `docker exec -i NAME`
    #[arg(long, value_name = "NAME", global = true)]
    container: Option<String>,
    /// The command before every command, in one argument: "podman exec -i mailserver" [default: as configured]
    #[arg(long, value_name = "WORDS", global = true, conflicts_with = "container")]
    prefix: Option<String>,
    /// docker-mailserver's Compose file [default: as configured, or found]
    #[arg(long, value_name = "FILE", global = true)]
    compose: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Stop whoever uses an account: no login by IMAP, POP3 or SMTP, no open session, and its mail in the queue is held. Its mail still comes in
    Contain {
        /// Its login name
        account: String,
    },
    /// The incidents, the newest first
    List(Print),
    /// The story of an account, an address or a network: from where, since when, what was sent to whom, when it was stopped
    Timeline {
        /// rosa@example.org, 198.51.100.7 or 198.51.100.0/24
        #[arg(value_name = "ACCOUNT|ADDRESS|NETWORK")]
        subject: String,
        /// Logs in the order of their time, also compressed ones [default: the mail server's]
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        print: analyze::Printed,
    },
    /// Give the account back to its owner, with a new password
    Close {
        /// Its login name
        account: String,
        /// Leave it the password that it had, which the intruder may know
        #[arg(long, conflicts_with = "generate")]
        keep_password: bool,
        /// Send what was held in the queue
        #[arg(long)]
        release: bool,
        /// Throw away what was held in the queue
        #[arg(long, conflicts_with = "release")]
        discard: bool,
        #[command(flatten)]
        secret: Secret,
    },
}

/// Runs the command.
pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let settings = crate::cli::load(config)?.settings;
    let scope = Scope::server(args.container.clone(), args.prefix.clone(), args.compose.clone(), false);
    let options = options(&settings, &scope)?;
    let folder = Folder::of(&settings.guard.state_directory);
    let now = At(Timestamp::from_micros(clock::now()));
    match &args.command {
        Command::Contain { account } => {
            let contained = contain(&Server::of(&options), &folder, account, now, &operator())?;
            told(&settings, contained)
        }
        Command::List(print) => show(&list(folder.all()?, now), print),
        Command::Timeline { subject, files, print } => {
            let logs = if files.is_empty() { options.logs } else { files.clone() };
            let mut teller = Teller::of(Subject::of(subject));
            read(&Logs::of(logs), &mut teller)?;
            let story = teller.tell(subject, now, done(&folder.all()?, subject));
            print.view(&story)?;
            Ok(if story.first_bad.is_some() { Outcome::Findings } else { Outcome::Fine })
        }
        Command::Close { account, keep_password, release, discard, secret } => {
            let queue = match (release, discard) {
                (true, _) => Queue::Release,
                (_, true) => Queue::Discard,
                _ => Queue::Keep,
            };
            end(&settings, &Server::of(&options), &folder, account, queue, (!keep_password).then_some(secret))
        }
    }
}

fn told(settings: &Settings, contained: Contained) -> anyhow::Result<Outcome> {
    let Contained { record, mut done, held } = contained;
    let account = &record.account;
    let mut what = format!("{account} is contained (incident {})", record.id);
    if held > 0 {
        what += &format!("\n  {held} message(s) in the queue are on hold; `postcat -q ID` shows one");
    }
    let (changed, unknown) = changed_since_baseline(settings);
    what.extend(changed.iter().map(|line| format!("\n  changed since the baseline: {line}")));
    what += &format!(
        "\n  what happened: mailward incident timeline {account}\n  when it is over: mailward incident close {account}"
    );
    if !changed.is_empty() {
        done.notes.push(
            "somebody may have left a way back in: mailward integrity status shows each change".to_owned(),
        );
    }
    done.notes.extend(unknown);
    tell(settings, done, &what)
}

/// Where an intruder leaves a way back in: aliases, forwards, filters, accounts. What cannot be told is the second.
fn changed_since_baseline(settings: &Settings) -> (Vec<String>, Option<String>) {
    let look = || -> anyhow::Result<Option<Vec<String>>> {
        let Some(baseline) = integrity::load(&settings.guard.state_directory, false)? else {
            return Ok(None);
        };
        let mut watcher = integrity::watcher(settings)?;
        let seen = watcher.look(&baseline.entries);
        let changes = integrity::changes(&baseline.entries, &seen, &watcher);
        let role = |change: &mailward_audit::integrity::Change| {
            change.after.as_ref().or(change.before.as_ref()).map(|entry| entry.role)
        };
        let meant =
            [Role::MailConfiguration, Role::Accounts, Role::GlobalFilter, Role::UserFilter, Role::Program];
        let meant = changes.iter().filter(|change| role(change).is_some_and(|role| meant.contains(&role)));
        Ok(Some(meant.map(|change| change.path.display().to_string()).collect()))
    };
    match look() {
        Ok(Some(changed)) => (changed, None),
        Ok(None) => (
            Vec::new(),
            Some(
                "nobody knows what was changed before: mailward integrity accept makes a baseline".to_owned(),
            ),
        ),
        Err(error) => {
            (Vec::new(), Some(format!("what was changed since the baseline cannot be told: {error:#}")))
        }
    }
}

fn end(
    settings: &Settings,
    server: &Server,
    folder: &Folder,
    account: &str,
    queue: Queue,
    secret: Option<&Secret>,
) -> anyhow::Result<Outcome> {
    let Some(record) = folder.open_of(account)? else {
        let why = format!(
            "no incident of {account} lasts; `mailward incident list` shows them, `mailward account enable {account}` opens an account"
        );
        return Err(Usage(why).into());
    };
    // What nobody can change here needs no password.
    let opens = record.was_open && !server.is_open(account)?;
    let chosen = match secret {
        Some(secret) if opens => Some(chosen(settings, server, account, secret)?),
        _ => None,
    };
    let who = operator();
    let now = At(Timestamp::from_micros(clock::now()));
    let field = chosen.as_ref().map(|chosen| chosen.field.as_str());
    let (done, held) = close(server, folder, record, field, queue, (now, &who))?;
    let mail = match (held, queue) {
        (0, _) => String::new(),
        (held, Queue::Keep) => format!(
            "\n  {held} message(s) stay on hold: `postsuper -H ID` lets one go, `postsuper -d ID` throws it away"
        ),
        (held, Queue::Release) => format!("\n  {held} message(s) were let go"),
        (held, Queue::Discard) => format!("\n  {held} message(s) were thrown away"),
    };
    let open = match (opens, field.is_some()) {
        (true, true) => "is open again, with a new password",
        (true, false) => "is open again, with the password that it had",
        (false, _) => "is left as it is",
    };
    let outcome = tell(settings, done, &format!("the incident is closed; {account} {open}{mail}"))?;
    if let Some(chosen) = &chosen {
        chosen.reveal()?;
    }
    Ok(outcome)
}

fn read(logs: &Logs, teller: &mut Teller) -> anyhow::Result<()> {
    for path in &logs.files {
        let mut parser = Parser::new(logs.context(path)?);
        each_block(path, |block| {
            for line in split_lines(block) {
                teller.event(&parser.parse(line));
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// What Mailward itself did about an account.
fn done(records: &[Record], subject: &str) -> Vec<TimelineStep> {
    let mut steps = Vec::new();
    for record in records.iter().filter(|record| record.account.eq_ignore_ascii_case(subject)) {
        let step = |time: At, what: &str, text: String| TimelineStep {
            time,
            last: time,
            what: what.to_owned(),
            count: 1,
            text,
            ..TimelineStep::default()
        };
        let text = format!("by {}; {} message(s) held", record.by, record.held.len());
        steps.push(step(record.begun, "contained", text));
        steps.extend(record.closed.iter().map(|closed| {
            let password = if closed.new_password { "with a new password" } else { "with the same password" };
            step(closed.time, "closed", format!("by {}, {password}", closed.by))
        }));
    }
    steps
}

fn list(records: Vec<Record>, now: At) -> IncidentList {
    let row = |record: Record| IncidentRow {
        id: record.id,
        account: record.account,
        begun: record.begun,
        by: record.by,
        held: record.held.len() as u64,
        closed: record.closed.map(|closed| closed.time),
    };
    IncidentList { now, incidents: records.into_iter().map(row).collect() }
}
