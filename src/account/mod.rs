//! Accounts of a real server: where they are, how they are changed, who is connected.
//!
//! Each change is made in this order: the file, then what the server made of it, then the caches, then the open sessions. Whatever stops it
//! in between, the account is at least as closed as before.

mod change;
mod log;
mod queue;
mod quota;
mod sessions;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use mailward_account::{Accounts, Format, Refusal};
use mailward_audit::Facts;
use mailward_audit::dovecot::Dovecot;
use mailward_audit::facts::{Deployment, Known};
use mailward_host::run::{Limits, Output};
use mailward_probe::accounts::{Source, sources};
use mailward_probe::{Options, Place, Tree};

pub(crate) use change::Done;
pub(crate) use quota::Mailbox;
pub(crate) use sessions::{Connected, Ended};

/// A server whose accounts are looked after.
pub(crate) struct Server {
    place: Place,
    tree: Tree,
    /// What Dovecot is configured to do, and which deployment it is.
    facts: Facts,
    /// Its mail logs.
    logs: Vec<PathBuf>,
}

/// A file of accounts.
pub(crate) struct Book {
    /// Where the mail server's programs see it.
    pub(crate) path: String,
    /// Where it is on this machine.
    pub(crate) host: PathBuf,
    /// How it is written.
    pub(crate) format: Format,
}

/// A program of the mail server's may think this long.
const PATIENCE: Duration = Duration::from_secs(10);

impl Server {
    /// Asks Dovecot where its accounts are.
    pub(crate) fn of(options: &Options) -> Self {
        let place = Place::behind(&options.prefix);
        let mut facts = Facts::default();
        facts.about.deployment = options.deployment;
        facts.about.prefix.clone_from(&options.prefix);
        facts.said.insert("doveconf -n".to_owned(), place.run(&["doveconf", "-n"], LIMITS));
        Self { tree: options.tree(), place, facts, logs: options.logs.clone() }
    }

    /// The files that hold accounts.
    pub(crate) fn books(&self) -> anyhow::Result<Vec<Book>> {
        let held: Vec<Source> = sources(&self.facts).into_iter().filter(|source| !source.master).collect();
        if held.is_empty() {
            bail!("{}", self.elsewhere());
        }
        held.into_iter().map(|source| self.book(source)).collect()
    }

    fn book(&self, source: Source) -> anyhow::Result<Book> {
        let Some(host) = self.tree.host(&source.path) else {
            bail!(
                "{} is inside the container, where it is lost with it; mount its directory into the container, and try again",
                source.path
            );
        };
        Ok(Book { path: source.path, host, format: source.format })
    }

    /// Why there is no file to change: the accounts are in a database, which is changed with its own means.
    fn elsewhere(&self) -> String {
        let drivers: Vec<String> = Dovecot::read(&self.facts)
            .map(|dovecot| dovecot.passdbs().iter().map(|passdb| passdb.driver.clone()).collect())
            .unwrap_or_default();
        match drivers.as_slice() {
            [] => "found no Dovecot and no docker-mailserver here; name the container with --container, or its Compose file with --compose".to_owned(),
            drivers => format!(
                "Dovecot asks {} for passwords, and no file that is changed here; change accounts there. `mailward account sessions` shows and ends sessions all the same",
                drivers.join(", ")
            ),
        }
    }

    /// The files that hold an account: mostly one.
    pub(crate) fn holding(&self, name: &str) -> anyhow::Result<Vec<Book>> {
        let mut holding = Vec::new();
        for book in self.books()? {
            if book.read()?.of(name).next().is_some() {
                holding.push(book);
            }
        }
        if holding.is_empty() {
            return Err(Refusal::Unknown { name: name.escape_debug().to_string() }.into());
        }
        Ok(holding)
    }

    /// The names that Dovecot's user database gives, where it can be asked for all of them (`iterate_query`).
    pub(crate) fn names(&self) -> Vec<String> {
        let said = self.say(&["doveadm", "user", "*"]).unwrap_or_default();
        said.lines().map(str::to_owned).collect()
    }

    /// Whether it is a docker-mailserver, which makes its own files of what it is given.
    pub(crate) fn is_dms(&self) -> bool {
        self.facts.about.deployment == Deployment::DockerMailserver
    }

    /// Password databases beside the files, which may let the same account in. The system's own know no names with an `@`.
    fn others(&self, name: &str) -> Vec<String> {
        let Ok(dovecot) = Dovecot::read(&self.facts) else { return Vec::new() };
        let asks = |driver: &str| match driver {
            "passwd-file" => false,
            "pam" | "passwd" | "shadow" | "bsdauth" => !name.contains('@'),
            _ => true,
        };
        let passdbs = dovecot.passdbs().into_iter();
        let others = passdbs.filter(|passdb| !passdb.denies() && !passdb.is_master() && asks(&passdb.driver));
        others.map(|passdb| passdb.title()).collect()
    }

    /// The schemes that Dovecot can compare passwords in.
    pub(crate) fn schemes(&self) -> String {
        self.say(&["doveadm", "pw", "-l"]).unwrap_or_default()
    }

    /// Runs a program of the mail server's; what it says may hold secrets.
    fn run(&self, words: &[&str], input: &[u8]) -> anyhow::Result<Output> {
        self.run_within(words, input, LIMITS)
    }

    fn run_within(&self, words: &[&str], input: &[u8], limits: Limits) -> anyhow::Result<Output> {
        let program = words.first().copied().unwrap_or_default();
        match self.place.raw_with(words, input, limits) {
            Known::Is(output) => Ok(output),
            Known::Absent => {
                bail!("{program} is not installed here; is this the mail server? --container names it")
            }
            Known::Unread(why) => bail!("{why}"),
            Known::Unasked => bail!("{program} was not asked"),
        }
    }

    /// What a program says, if it succeeds.
    fn say(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.run(words, b"")?;
        if !output.status.success() {
            bail!("{}: {}", words.join(" "), complaint(&output));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

const LIMITS: Limits = Limits { timeout: PATIENCE, max_output: 16 << 20 };

/// The last thing a program complained about.
fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines().next_back().unwrap_or("it failed without a word").to_owned()
}

impl Book {
    /// Its accounts, as they are now.
    pub(crate) fn read(&self) -> anyhow::Result<Accounts> {
        let bytes = match fs::read(&self.host) {
            Ok(bytes) => bytes,
            // docker-mailserver makes it with the first account.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.host.display())),
        };
        Ok(Accounts::read(&bytes, self.format))
    }
}
