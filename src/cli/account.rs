//! `mailward account`: accounts listed, made, changed, closed and opened, and who is connected.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use mailward_account::{
    Digest, Limit, LimitError, Name, Password, Policy, Refusal, Scheme, Weakness, in_range, in_sorted,
};
use mailward_audit::{Facts, Known};
use mailward_host::{clock, random, terminal};
use mailward_model::Timestamp;
use mailward_report::At;
use mailward_report::accounts::{AccountList, AccountRow, Mark, SessionList, SessionRow};

use super::audit::{Scope, accounts, options, spinner};
use super::remote::{Print, operator, show};
use super::{Outcome, Usage};
use crate::account::{Book, Connected, Done, Mailbox, Server};
use crate::config::Settings;
use crate::integrity::{Acceptance, accept_written};

/// Options of `account`.
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
    /// The accounts: open or disabled, last login, and what is wrong with each
    List {
        /// Try a few guessable passwords against the stored hashes, on this host alone
        #[arg(long)]
        guess_passwords: bool,
        #[command(flatten)]
        print: Print,
    },
    /// Make an account
    Add {
        /// Its mail address, which is its login name
        name: String,
        /// Its home directory, where that cannot be told from the other accounts
        #[arg(long, value_name = "DIR")]
        home: Option<String>,
        /// The file of accounts, where Dovecot has several
        #[arg(long, value_name = "FILE")]
        file: Option<String>,
        #[command(flatten)]
        secret: Secret,
    },
    /// Give an account another password, and end the sessions that the old one opened
    Passwd {
        /// Its login name
        name: String,
        /// Leave its open sessions alone
        #[arg(long)]
        keep_sessions: bool,
        #[command(flatten)]
        secret: Secret,
    },
    /// Close an account at once: no login by IMAP, POP3 or SMTP, and no open session. Mail for it still comes in
    Disable {
        /// Its login name
        name: String,
    },
    /// Open an account that was disabled, with the password that it had
    Enable {
        /// Its login name
        name: String,
    },
    /// Take an account out; its mail stays where it is
    Delete {
        /// Its login name
        name: String,
    },
    /// How much mail a mailbox may hold; without a limit, what it holds and may hold now
    Quota {
        /// Its account, or @example.org for all accounts of a domain
        #[arg(value_name = "ADDRESS|@DOMAIN")]
        target: String,
        /// 500M, 5G, 1T; `none` leaves it to the limit for everybody
        limit: Option<String>,
        /// Even where a mailbox holds more than that already
        #[arg(long)]
        yes: bool,
    },
    /// Who is connected, to Dovecot and to the services of Postfix on which clients log in
    Sessions {
        /// End the sessions of this account, and those of which nobody can say whose they are
        #[arg(long, value_name = "NAME")]
        end: Option<String>,
        #[command(flatten)]
        print: Print,
    },
}

/// Where a new password comes from: typed without an echo, or a line of standard input.
#[derive(Debug, clap::Args)]
pub(super) struct Secret {
    /// Make a password, and print it once
    #[arg(long)]
    generate: bool,
}

/// A password that the policy does not take.
#[derive(Debug, thiserror::Error)]
#[error("the password was not taken:{0}\n--generate makes a good one")]
struct NotTaken(String);

/// Runs the command. What is refused is no failure of the world.
pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    match carry_out(config, args) {
        Err(error) if error.is::<Refusal>() || error.is::<NotTaken>() => {
            super::complain(&error);
            Ok(Outcome::Findings)
        }
        outcome => outcome,
    }
}

fn carry_out(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let settings = crate::cli::load(config)?.settings;
    let guesses = matches!(args.command, Command::List { guess_passwords: true, .. });
    let scope = Scope::server(args.container.clone(), args.prefix.clone(), args.compose.clone(), guesses);
    let options = options(&settings, &scope)?;
    let server = || Server::of(&options);
    match &args.command {
        Command::List { print, .. } => {
            let facts = accounts(config, &options, &spinner())?;
            let names = if facts.accounts.known().is_some() { Vec::new() } else { server().names() };
            show(&list(&facts, names), print)
        }
        Command::Add { name, home, file, secret } => {
            add(&server(), &settings, name, home.as_deref(), file.as_deref(), secret)
        }
        Command::Passwd { name, keep_sessions, secret } => {
            passwd(&server(), &settings, name, *keep_sessions, secret)
        }
        Command::Disable { name } => {
            let done = server().disable(name)?;
            tell(
                &settings,
                done,
                &format!("{name} is disabled; `mailward account enable {name}` opens it again"),
            )
        }
        Command::Enable { name } => {
            let done = server().enable(name)?;
            tell(&settings, done, &format!("{name} is open again, with the password that it had"))
        }
        Command::Delete { name } => delete(&server(), &settings, name),
        Command::Quota { target, limit, yes } => quota(&server(), &settings, target, limit.as_deref(), *yes),
        Command::Sessions { end: None, print } => {
            let mut notes = Vec::new();
            let connected = server().connected(&mut notes);
            show(&sessions(connected, notes), print)
        }
        Command::Sessions { end: Some(name), .. } => {
            let mut notes = Vec::new();
            let ended = server().end_sessions(std::slice::from_ref(name), &mut notes);
            tell(
                &settings,
                Done { ended, notes, ..Done::default() },
                &format!("the sessions of {name} are ended"),
            )
        }
    }
}

fn add(
    server: &Server,
    settings: &Settings,
    name: &str,
    home: Option<&str>,
    file: Option<&str>,
    secret: &Secret,
) -> anyhow::Result<Outcome> {
    let usage = |error: mailward_account::NameError| Usage(error.to_string());
    let mut name = Name::new(name).map_err(usage)?;
    if server.is_dms() {
        name = name.whole().map_err(usage)?;
    }
    let book = book(server.books()?, file)?;
    // Before a password is asked for.
    book.read()?.with(&name, "", home)?;
    let chosen = chosen(settings, server, name.as_str(), secret)?;
    let done = server.add(&book, &name, &chosen.field, home)?;
    let outcome = tell(settings, done, &format!("{name} is there, and can log in"))?;
    chosen.reveal()?;
    Ok(outcome)
}

/// The one file of accounts, or the one that was named.
fn book(mut books: Vec<Book>, file: Option<&str>) -> anyhow::Result<Book> {
    let paths: Vec<String> = books.iter().map(|book| book.path.clone()).collect();
    if let Some(file) = file {
        let named = books.into_iter().find(|book| book.path == file);
        return named.ok_or_else(|| {
            Usage(format!("--file {file}: Dovecot's accounts are in {}", paths.join(", "))).into()
        });
    }
    match (books.pop(), books.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(Usage(format!("Dovecot has accounts in {}; name one with --file", paths.join(", "))).into()),
    }
}

fn passwd(
    server: &Server,
    settings: &Settings,
    name: &str,
    keep_sessions: bool,
    secret: &Secret,
) -> anyhow::Result<Outcome> {
    // Who is not there, or disabled, is told before a password is asked for.
    for book in server.holding(name)? {
        book.read()?.with_password(name, "")?;
    }
    let chosen = chosen(settings, server, name, secret)?;
    let done = server.passwd(name, &chosen.field, keep_sessions)?;
    let outcome = tell(settings, done, &format!("{name} has a new password"))?;
    chosen.reveal()?;
    Ok(outcome)
}

fn delete(server: &Server, settings: &Settings, name: &str) -> anyhow::Result<Outcome> {
    server.holding(name)?;
    let home = server.home(name);
    let done = server.delete(name)?;
    let mail = match home {
        Some(home) => format!("its mail stays in {home}, and comes to whoever gets the name next"),
        None => "its mail stays where it is; Dovecot did not say where".to_owned(),
    };
    tell(settings, done, &format!("{name} is deleted; {mail}"))
}

fn quota(
    server: &Server,
    settings: &Settings,
    target: &str,
    limit: Option<&str>,
    yes: bool,
) -> anyhow::Result<Outcome> {
    let wanted: Option<Limit> = match limit {
        None | Some("none") => None,
        Some(text) => Some(text.parse().map_err(|error: LimitError| Usage(error.to_string()))?),
    };
    let mailboxes = server.mailboxes(target)?;
    if limit.is_none() {
        return usage(&mailboxes);
    }
    let full: Vec<String> =
        mailboxes.iter().filter(|one| one.used > wanted && wanted.is_some()).map(holds).collect();
    if !full.is_empty() && !yes {
        let (full, limit) = (full.join("\n  "), limit.unwrap_or_default());
        bail!(Usage(format!(
            "these hold more than {limit} already, and would get no mail any more:\n  {full}\nnothing was changed; --yes does it all the same"
        )));
    }
    let mut done = server.limit(&mailboxes, wanted)?;
    let shadowed = if wanted.is_some() { server.shadowed(&mailboxes)? } else { Vec::new() };
    done.notes.extend(shadowed.into_iter().map(|name| {
        format!("docker-mailserver gives {name} the same limit, because its name is the end of the other: give it its own")
    }));
    let old = mailboxes
        .iter()
        .map(|one| format!("\n  {}: {} before", one.name, shown(one.limit)))
        .collect::<String>();
    let new = wanted.map_or_else(|| "no limit of its own".to_owned(), |limit| limit.to_string());
    tell(settings, done, &format!("{target}: {new}{old}"))
}

/// What each mailbox holds and may hold.
fn usage(mailboxes: &[Mailbox]) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    for mailbox in mailboxes {
        writeln!(out, "{}", holds(mailbox))?;
    }
    Ok(Outcome::Fine)
}

fn holds(mailbox: &Mailbox) -> String {
    let used = mailbox.used.map_or_else(|| "?".to_owned(), |used| used.to_string());
    format!("{}: {used} of {}", mailbox.name, shown(mailbox.limit))
}

fn shown(limit: Option<Limit>) -> String {
    limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string())
}

/// A new password that the policy takes.
fn password(settings: &Settings, name: &str, secret: &Secret) -> anyhow::Result<Password> {
    if secret.generate {
        return Ok(Password::generate(random::bytes()?));
    }
    let password = typed(&format!("New password for {name}: "))?;
    let weaknesses = weaknesses(settings, name, &password)?;
    if !weaknesses.is_empty() {
        let told: String = weaknesses.iter().map(|weakness| format!("\n  {weakness}")).collect();
        bail!(NotTaken(told));
    }
    if terminal::is_there() && typed("The same again: ")? != password {
        bail!(Usage("the two were not the same; nothing was changed".to_owned()));
    }
    Ok(password)
}

fn typed(prompt: &str) -> anyhow::Result<Password> {
    let typed = terminal::secret(prompt).map_err(|error| match error.kind() {
        std::io::ErrorKind::Interrupted => Usage("nothing was changed".to_owned()),
        _ => Usage(format!(
            "no password came ({error}); type it on a terminal, send it as a line of standard input, or let --generate make one"
        )),
    })?;
    Ok(Password::new(&typed).map_err(|error| Usage(error.to_string()))?)
}

/// What is wrong with a password, by the policy and by the list of stolen ones.
fn weaknesses(settings: &Settings, name: &str, password: &Password) -> anyhow::Result<Vec<Weakness>> {
    let policy = Policy {
        min_length: settings.accounts.min_length,
        min_strength: u8::try_from(settings.accounts.min_strength).unwrap_or(u8::MAX),
    };
    let mut found = policy.weaknesses(password, name);
    if let Some(list) = &settings.accounts.breached {
        let times = stolen(list, &Digest::of(password));
        let times = times.with_context(|| {
            format!(
                "cannot look into {} (accounts.breached); set it to \"none\" to go without",
                list.display()
            )
        })?;
        found.extend(times.map(|times| Weakness::Breached { times }));
    }
    Ok(found)
}

/// How often a password stands in the list: a file, or a directory with a file for each range.
fn stolen(list: &Path, digest: &Digest) -> std::io::Result<Option<u64>> {
    if !list.is_dir() {
        return in_sorted(&mut File::open(list)?, digest);
    }
    let names = [digest.range().to_owned(), format!("{}.txt", digest.range())];
    let file = names.iter().map(|name| list.join(name)).find(|path| path.exists());
    // Ranges have hundreds of hashes each; one that is missing means that the list is not whole.
    let path = file.ok_or_else(|| {
        let what = format!("there is neither {} nor {} in it", names[0], names[1]);
        std::io::Error::new(std::io::ErrorKind::NotFound, what)
    })?;
    Ok(in_range(&std::fs::read(path)?, digest))
}

/// A new password, as the server stores it.
pub(super) struct Chosen {
    pub(super) field: String,
    made: Option<Password>,
}

/// Has a new password made or typed.
pub(super) fn chosen(
    settings: &Settings,
    server: &Server,
    name: &str,
    secret: &Secret,
) -> anyhow::Result<Chosen> {
    let password = password(settings, name, secret)?;
    let field = Scheme::best(&server.schemes()).field(&password, random::bytes()?)?;
    Ok(Chosen { field, made: secret.generate.then_some(password) })
}

impl Chosen {
    /// A password that was made, for whom it was made. It is printed once, on standard output, and stored nowhere.
    pub(super) fn reveal(&self) -> anyhow::Result<()> {
        if let Some(password) = &self.made {
            writeln!(std::io::stdout().lock(), "password: {}", password.reveal())?;
        }
        Ok(())
    }
}

/// Says what was done; what is left to do makes it a finding. What we wrote ourselves is no change behind our back.
pub(super) fn tell(settings: &Settings, mut done: Done, what: &str) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    let ended = [(done.ended.dovecot, "Dovecot"), (done.ended.smtp, "Postfix")];
    for (count, program) in ended.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "  {count} session{} of {program} ended", if count == 1 { "" } else { "s" })?;
    }
    for file in &done.files {
        writeln!(out, "  changed: {file}")?;
    }
    let who = Acceptance { by: &operator(), now: Timestamp::from_micros(clock::now()) };
    if !done.written.is_empty()
        && let Err(error) = accept_written(settings, &done.written, who)
    {
        done.notes.push(format!("`mailward integrity status` will show the change as unknown: {error:#}"));
    }
    for note in &done.notes {
        writeln!(out, "  {note}")?;
    }
    Ok(if done.notes.is_empty() { Outcome::Fine } else { Outcome::Findings })
}

/// The accounts of files, or the names that a database gave.
fn list(facts: &Facts, names: Vec<String>) -> AccountList {
    let at = |seconds: i64| At(Timestamp::from_micros(seconds.saturating_mul(1_000_000)));
    let last = |name: &str| facts.usage.known()?.last.get(&name.to_ascii_lowercase()).copied().map(at);
    let elsewhere = names.into_iter().map(|name| AccountRow {
        state: "elsewhere".to_owned(),
        last: last(&name),
        name,
        ..AccountRow::default()
    });
    let rows = mailward_account::rows(facts).into_iter().map(|row| AccountRow {
        state: match (row.master, row.locked) {
            (_, true) => "disabled",
            (true, false) => "master",
            (false, false) => "open",
        }
        .to_owned(),
        name: row.name,
        scheme: row.scheme,
        last: row.last.map(at),
        marks: row
            .marks
            .into_iter()
            .map(|(check, word)| Mark { check: check.to_owned(), word: word.to_owned() })
            .collect(),
        place: row.place,
    });
    let unseen = match &facts.accounts {
        Known::Unread(why) => Some(why.clone()),
        _ => None,
    };
    AccountList {
        now: At(Timestamp::from_micros(clock::now())),
        from: facts.usage.known().map(|usage| at(usage.from)),
        accounts: rows.chain(elsewhere).collect(),
        notes: unseen.into_iter().collect(),
    }
}

fn sessions(connected: Connected, notes: Vec<String>) -> SessionList {
    let dovecot = connected.dovecot.into_iter().map(|session| SessionRow {
        account: session.name,
        service: session.service,
        program: "dovecot".to_owned(),
        client: session.address,
        pid: session.pid,
    });
    let smtp = connected.smtp.into_iter().map(|session| SessionRow {
        account: session.name.unwrap_or_default(),
        service: session.service,
        program: "postfix".to_owned(),
        client: session.client.to_string(),
        pid: session.pid,
    });
    SessionList { sessions: dovecot.chain(smtp).collect(), notes }
}
