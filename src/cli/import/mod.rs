//! `mailward import fail2ban`: bans, ignore lists and jail settings, shown first and brought along when asked for. fail2ban itself is
//! left as it is.

mod apply;
mod bans;
mod jails;
mod samples;
mod view;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_audit::facts::{Facts, File};
use mailward_audit::fail2ban::Fail2ban;
use mailward_audit::{Known, Untold};
use mailward_decide::{NeverBan, Protection};
use mailward_host::run::Limits;
use mailward_model::Timestamp;
use mailward_probe::Place;
use mailward_report::At;
use mailward_store::Store;
use mailward_store::fail2ban::Fail2banError;

use super::remote::{Print, show};
use super::{Outcome, Usage, load};
use crate::config::discover::Host;
use crate::config::{PATH, Settings};

/// From where.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show what fail2ban's jails become, and with --apply bring them along
    Fail2ban(Args),
}

/// Options of `import fail2ban`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write the allowlist, the settings and the bans; without it they are only shown
    #[arg(long)]
    apply: bool,
    /// fail2ban's database [default: as fail2ban is configured]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// The command before every command, in one argument, for a fail2ban in a container: "docker exec mailserver"
    #[arg(long, value_name = "WORDS")]
    prefix: Option<String>,
    #[command(flatten)]
    print: Print,
}

/// Where fail2ban keeps its bans, if nothing says otherwise.
const DATABASE: &str = "/var/lib/fail2ban/fail2ban.sqlite3";

/// Runs the command.
pub(crate) fn run(
    config: Option<&Path>,
    socket: Option<&Path>,
    command: &Command,
) -> anyhow::Result<Outcome> {
    let Command::Fail2ban(args) = command;
    let settings = load(config)?.settings;
    let now = Timestamp::from_micros(mailward_host::clock::now());
    let facts = facts(args);
    let fail2ban = Fail2ban::read(&facts).map_err(|why| {
        let why = match why {
            Untold::NotApplicable(why) | Untold::CouldNotTell(why) => why,
        };
        Usage(format!(
            "nothing is known of a fail2ban here: {why}. In a container? --prefix \"docker exec mailserver\""
        ))
    })?;
    let mut never = never_ban(&settings)?;
    let jails = jails::mapped(&fail2ban, &settings, args.prefix.is_none());
    let ignored = jails::ignored(&fail2ban, &never, now);
    for allowed in &ignored.networks {
        never.protect(allowed.network, Protection::Allowed { comment: allowed.comment.clone() }, None);
    }
    let database = args.database.clone().unwrap_or_else(|| database(&facts));
    let bans = bans::read(&database, &fail2ban, &never, now);
    let mut report = view::report(&fail2ban, &jails, &ignored, &bans, &database);
    report.now = At(now);
    let found = match bans {
        // fail2ban has not run yet, or keeps its bans in memory alone.
        Err(Fail2banError::Missing { .. }) if args.database.is_none() => bans::Found::default(),
        bans => bans?,
    };
    if args.apply {
        let path = config.unwrap_or(Path::new(PATH));
        let socket = socket.unwrap_or(&settings.guard.socket);
        let to = apply::Target { settings: &settings, config: path, socket, now };
        apply::all(&to, &jails.edits, &ignored.networks, &found.bans, &mut report)?;
    }
    show(&report, &args.print)
}

/// What fail2ban says of itself, and its files where it says nothing.
fn facts(args: &Args) -> Facts {
    let prefix: Vec<String> =
        args.prefix.as_deref().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let place = Place::behind(&prefix);
    let limits = Limits { timeout: Duration::from_secs(20), max_output: 8 << 20 };
    let dump = "fail2ban-client -d";
    let said = place.run(&dump.split(' ').collect::<Vec<_>>(), limits);
    let files = if place.is_here() { files() } else { BTreeMap::new() };
    Facts { said: [(dump.to_owned(), said)].into(), files, ..Facts::default() }
}

fn files() -> BTreeMap<String, Known<File>> {
    let host = Host::this();
    let single = ["/etc/fail2ban/jail.conf", "/etc/fail2ban/jail.local"].map(PathBuf::from);
    let below = ["/etc/fail2ban/jail.d", "/etc/fail2ban/filter.d"].map(|directory| host.list(directory));
    let paths = single.into_iter().chain(below.into_iter().flatten());
    let file = |path: PathBuf| Some((path.to_str()?.to_owned(), Known::Is(File::of(host.read(&path)?))));
    paths.filter_map(file).collect()
}

/// `['set', 'dbfile', '/var/lib/fail2ban/fail2ban.sqlite3']`.
fn database(facts: &Facts) -> PathBuf {
    let dump = facts.output("fail2ban-client -d").unwrap_or_default();
    let line = dump.lines().find_map(|line| line.strip_prefix("['set', 'dbfile', '"));
    line.and_then(|rest| rest.split('\'').next()).map_or_else(|| PathBuf::from(DATABASE), PathBuf::from)
}

/// The never-ban list as the daemon has it: configuration, host, and the allowlist of the store.
fn never_ban(settings: &Settings) -> anyhow::Result<NeverBan> {
    let mut never = crate::setup::never_ban(settings, &Host::this());
    let database = settings.guard.state_directory.join("mailward.db");
    if database.exists() {
        for entry in Store::open_read_only(&database)?.allowlist()? {
            never.protect(entry.network, Protection::Allowed { comment: entry.comment.into() }, entry.until);
        }
    }
    Ok(never)
}
