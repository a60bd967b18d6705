//! The commands of `cargo xtask lab`.
#![expect(clippy::print_stdout, reason = "a developer's command talks to the terminal")]

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::attack::{self, Settings};
use crate::host::{self, Lab, LogFormat, Options, Program};
use crate::incident;
use crate::legit;
use crate::matrix;
use crate::topology::Place;

/// A real mail host, its users and its attackers, in network namespaces of this machine.
#[derive(Debug, clap::Parser)]
#[command(name = "lab")]
pub struct Args {
    /// The lab's folder.
    #[arg(long, global = true, env = "MWLAB_DIR", default_value = "/tmp/mwlab", value_name = "DIR")]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes the lab and starts the mail host (needs root).
    Up {
        /// What the names of the namespaces begin with; with another DIR, a second lab beside the first.
        #[arg(long, default_value = "mwlab")]
        prefix: String,
        /// How the log's time stamps look.
        #[arg(long, value_enum, default_value = "rfc3339")]
        log_format: LogFormat,
        /// Leave out Dovecot's delays after failed logins: quick and less real.
        #[arg(long)]
        quick: bool,
    },
    /// Ends everything that the lab started; the folder with the logs stays.
    Down {
        /// Removes the folder, too.
        #[arg(long)]
        purge: bool,
    },
    /// Tells what runs; status 1 where nothing does.
    Status,
    /// Runs a command in a machine: mail, net, good, bad, or one of their addresses.
    Exec {
        /// The machine.
        place: Place,
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Attacks the mail host and tells what the attacker saw, as a JSON line.
    Attack(Attack),
    /// Honest users work; status 1 if anything is hindered or an honest address cannot connect afterwards.
    Legit {
        /// Also what looks suspicious and is not.
        #[arg(long)]
        hard: bool,
        /// Rounds of ordinary mail.
        #[arg(long, default_value_t = 1)]
        rounds: usize,
        /// Prints every step as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Every attack, each from its own addresses, while honest users work; status 1 if a user is hindered.
    Matrix {
        #[command(flatten)]
        choice: Choice,
        /// Also writes everything that was measured.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Every attack with nothing defending; keeps the log and who was who.
    Record {
        /// Where to.
        to: PathBuf,
        #[command(flatten)]
        choice: Choice,
    },
    /// Writes the bundled incident.
    Incident {
        /// Where to.
        #[arg(default_value = "examples/incident", value_name = "DIR")]
        to: PathBuf,
    },
    /// Rotates the mail log as logrotate does.
    Rotate {
        /// Copies and truncates instead of renaming.
        #[arg(long)]
        copytruncate: bool,
    },
    /// Process 1 of the mail host.
    #[command(name = "__init", hide = true)]
    Init { lab: PathBuf },
    /// DNS and the partner's mail server.
    #[command(name = "__world", hide = true)]
    World {
        lab: PathBuf,
        #[arg(long)]
        leased: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Attack {
    /// The attack's name.
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// Lists the attacks.
    #[arg(long)]
    list: bool,
    /// Addresses to attack from, instead of the attack's own.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    from: Vec<IpAddr>,
    /// Attempts.
    #[arg(long)]
    count: Option<usize>,
    /// Attempts a second.
    #[arg(long)]
    rate: Option<f64>,
    /// Attempts under way at the same time, at the most.
    #[arg(long)]
    parallel: Option<usize>,
    /// Seconds for which slow attackers hold a connection.
    #[arg(long, default_value_t = 45)]
    hold: u64,
    /// Fails unless the attacker ends up so.
    #[arg(long, value_enum)]
    expect: Option<End>,
}

#[derive(Debug, clap::Args)]
struct Choice {
    /// Only these attacks.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// All but these.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    skip: Vec<String>,
    /// How many at the same time.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Without honest users.
    #[arg(long)]
    no_legit: bool,
}

impl Choice {
    fn chosen(&self) -> Result<matrix::Choice> {
        for name in self.only.iter().chain(&self.skip) {
            known(name)?;
        }
        let wanted = |name: &str| {
            (self.only.is_empty() || self.only.iter().any(|only| only == name))
                && !self.skip.iter().any(|skip| skip == name)
        };
        let attacks = attack::all().into_iter().filter(|attack| wanted(attack.name)).collect();
        Ok(matrix::Choice { attacks, jobs: self.jobs, legit: !self.no_legit })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum End {
    /// At least one address is shut out.
    Blocked,
    /// Every address can still connect.
    Open,
}

/// Runs one command. `program` is how this program is started again for the lab's own processes.
///
/// # Errors
/// When the lab cannot do what was asked.
pub fn run(args: &Args, program: &Program) -> Result<ExitCode> {
    let open = || Lab::open(&args.dir);
    match &args.command {
        Command::Up { prefix, log_format, quick } => {
            let (prefix, dir) = (prefix.clone(), args.dir.clone());
            up(Options { dir, prefix, log_format: *log_format, quick: *quick, leased: false }, program)
        }
        Command::Down { purge } => down(open()?, *purge),
        Command::Status => status(&open()?),
        Command::Exec { place, command } => exec(&open()?, *place, command),
        Command::Attack(Attack { list: true, .. }) => list(),
        Command::Attack(args) => attack(&open()?, args),
        Command::Legit { hard, rounds, json } => legit(&open()?, *rounds, *hard, *json),
        Command::Matrix { choice, json } => matrix(&open()?, choice, json.as_deref()),
        Command::Record { to, choice } => record(&open()?, choice, to),
        Command::Incident { to } => incident::write(to).map(|()| ExitCode::SUCCESS),
        Command::Rotate { copytruncate } => open()?.rotate(*copytruncate).map(|()| ExitCode::SUCCESS),
        Command::Init { lab } => host::init(lab).map(|()| ExitCode::SUCCESS),
        Command::World { lab, leased } => host::world(lab, *leased).map(|()| ExitCode::SUCCESS),
    }
}

fn up(options: Options, program: &Program) -> Result<ExitCode> {
    let begin = Instant::now();
    let lab = Lab::up(options, program)?;
    println!("up in {:.1} s; log: {}", begin.elapsed().as_secs_f64(), lab.mail_log().display());
    Ok(ExitCode::SUCCESS)
}

fn down(lab: Lab, purge: bool) -> Result<ExitCode> {
    let dir = lab.dir().to_owned();
    lab.down()?;
    if purge {
        std::fs::remove_dir_all(dir)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn status(lab: &Lab) -> Result<ExitCode> {
    let Some(pid) = lab.running() else {
        println!("down; its logs are in {}", lab.dir().join("log").display());
        return Ok(ExitCode::FAILURE);
    };
    println!("up; process 1 of the mail host is {pid}; log: {}", lab.mail_log().display());
    for place in Place::ALL {
        println!("  {}-{}", lab.prefix(), place.name());
    }
    Ok(ExitCode::SUCCESS)
}

fn exec(lab: &Lab, place: Place, command: &[OsString]) -> Result<ExitCode> {
    let Some((program, args)) = command.split_first() else { return Ok(ExitCode::from(2)) };
    let status = lab.exec(place, program, args)?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

fn list() -> Result<ExitCode> {
    for attack in attack::all() {
        let (count, rate) = (attack.count, attack.rate);
        println!("{:24} {} ({count} attempts, {rate} a second)", attack.name, attack.doc);
    }
    Ok(ExitCode::SUCCESS)
}

fn known(name: &str) -> Result<attack::Attack> {
    attack::named(name).with_context(|| format!("no attack {name}; say: cargo xtask lab attack --list"))
}

fn attack(lab: &Lab, args: &Attack) -> Result<ExitCode> {
    let attack = known(args.name.as_deref().unwrap_or_default())?;
    let settings = Settings {
        count: args.count,
        rate: args.rate,
        parallel: args.parallel,
        from: args.from.clone(),
        hold: Duration::from_secs(args.hold),
        ..Settings::default()
    };
    let outcome = attack::run(lab, &attack, &settings)?;
    println!("{}", serde_json::to_string(&outcome)?);
    let end = if outcome.sources_blocked > 0 { End::Blocked } else { End::Open };
    let as_expected = args.expect.is_none_or(|expected| expected == end);
    Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn legit(lab: &Lab, rounds: usize, hard: bool, json: bool) -> Result<ExitCode> {
    let report = legit::run(lab, rounds, hard)?;
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        for step in &report.steps {
            let how = step.failure.as_ref().map_or("ok".to_owned(), |why| format!("FAILED: {why}"));
            println!("{:6.1} s  {}: {how}", step.seconds, step.what);
        }
        for (address, port) in &report.shut_out {
            println!("SHUT OUT: {address} cannot connect to port {port}");
        }
    }
    Ok(if report.unhindered() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn matrix(lab: &Lab, choice: &Choice, json: Option<&Path>) -> Result<ExitCode> {
    let matrix = matrix::all(lab, &choice.chosen()?, &|line| println!("{line}"))?;
    println!("\n{}", matrix.table());
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&matrix)? + "\n")?;
    }
    Ok(if matrix.unhindered() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn record(lab: &Lab, choice: &Choice, to: &Path) -> Result<ExitCode> {
    matrix::record(lab, &choice.chosen()?, to, &|line| println!("{line}"))?;
    Ok(ExitCode::SUCCESS)
}
