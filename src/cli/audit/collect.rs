//! Where the server is, and what is asked of it.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mailward_audit::facts::{Deployment, Dns, Facts, LogFacts, MailProtocol, MailService, Talk, TlsPort};
use mailward_audit::{Known, Server};
use mailward_probe::dns::{self, Plan};
use mailward_probe::talk::{self, Manners, Target};
use mailward_probe::tls;
use mailward_report::attacks::AttackReport;
use mailward_report::audit::AuditReport;
use mailward_source::Spec;

use super::{backups, coverage, log, trial};
use crate::cli::Usage;
use crate::config::discover::{Container, Host, look, specs};
use crate::config::{Auto, Resolver, Settings};

/// What is looked at.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Scope {
    /// Look at this host from outside, over the network alone; name it once more for each further host
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) remote: Vec<String>,
    /// The container that the mail server runs in: short for a prefix of `docker exec -i NAME`
    #[arg(long, value_name = "NAME", conflicts_with = "remote")]
    container: Option<String>,
    /// The command before every command, in one argument: "podman exec -i mailserver" [default: as configured]
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["container", "remote"])]
    prefix: Option<String>,
    /// docker-mailserver's Compose file [default: as configured, or found]
    #[arg(long, value_name = "FILE", conflicts_with = "remote")]
    compose: Option<PathBuf>,
    /// A mail domain, beside those that are found
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    /// Who is asked for DNS records: system, none, or an address and port [default: as configured]
    #[arg(long, value_name = "SERVER")]
    resolver: Option<String>,
    /// Log files, instead of those that are found
    #[arg(long = "log", value_name = "FILE", num_args = 1.., conflicts_with = "remote")]
    logs: Vec<PathBuf>,
    /// The folder in which received DMARC and TLS reports are kept, as mails or as files [default: as configured]
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// No log is read
    #[arg(long, conflicts_with = "logs")]
    no_log: bool,
    /// No connection is opened, neither to a mail port nor to a resolver
    #[arg(long, conflicts_with = "remote")]
    pub(in crate::cli) offline: bool,
    /// Allow probes that leave a trace on the server
    #[arg(long)]
    active: bool,
    /// Send test mails (virus, spam, false ends) to this address of your own, and try a wrong password for it
    #[arg(long, value_name = "ADDRESS", requires = "active", conflicts_with = "offline")]
    deliver_to: Option<String>,
    /// Try a few guessable passwords against the stored hashes, on this host alone
    #[arg(long)]
    guess_passwords: bool,
    /// Read backups in whole, and whatever else takes longer than a moment
    #[arg(long)]
    deep: bool,
}

impl Scope {
    /// What it takes to know who would stop the attacks in a log: no connection is opened.
    pub(super) fn of_log(
        logs: Vec<PathBuf>,
        container: Option<String>,
        prefix: Option<String>,
        compose: Option<PathBuf>,
    ) -> Self {
        Self { logs, container, prefix, compose, offline: true, ..Self::default() }
    }

    /// A server within reach, and nothing of the network.
    pub(crate) fn server(
        container: Option<String>,
        prefix: Option<String>,
        compose: Option<PathBuf>,
        guess_passwords: bool,
    ) -> Self {
        Self { container, prefix, compose, guess_passwords, offline: true, ..Self::default() }
    }
}

/// Collects everything that the scope allows, and the statistics of the log.
pub(in crate::cli) fn collect(
    config: Option<&Path>,
    settings: &Settings,
    scope: &Scope,
) -> anyhow::Result<(Facts, Option<AttackReport>)> {
    let bar = spinner();
    let collected = collect_telling(config, settings, scope, &bar);
    bar.finish_and_clear();
    collected
}

/// The same; a bar hears what is being done.
pub(in crate::cli) fn collect_telling(
    config: Option<&Path>,
    settings: &Settings,
    scope: &Scope,
    bar: &ProgressBar,
) -> anyhow::Result<(Facts, Option<AttackReport>)> {
    let resolver = resolver(settings, scope)?;
    let (mut facts, attacks) = match scope.remote.as_slice() {
        [] => local(config, settings, scope, bar)?,
        hosts => (outside(hosts, scope), None),
    };
    facts.reports = match scope.reports.as_ref().or(settings.audit.reports.as_ref()) {
        Some(folder) => mailward_probe::reports::read(folder),
        None => Known::Absent,
    };
    if !scope.offline {
        network(&mut facts, settings, scope, resolver, bar)?;
    }
    Ok((facts, attacks))
}

/// What is seen from within: commands, files, machine, log.
fn local(
    config: Option<&Path>,
    settings: &Settings,
    scope: &Scope,
    bar: &ProgressBar,
) -> anyhow::Result<(Facts, Option<AttackReport>)> {
    let options = options(settings, scope)?;
    let mut facts = mailward_probe::collect(&options, &|step| bar.set_message(step.to_owned()));
    facts.about.host = name(&facts);
    backups::add(settings, &mut facts);
    bar.set_message("log");
    let Some((attacks, log, usage)) = log::read(config, options.logs)? else { return Ok((facts, None)) };
    facts.usage = Known::Is(usage);
    facts.log = LogFacts { health: std::mem::take(&mut facts.log.health), ..log };
    Ok((facts, Some(attacks)))
}

/// Where the server is and what is looked at there.
pub(crate) fn options(settings: &Settings, scope: &Scope) -> anyhow::Result<mailward_probe::Options> {
    let place = Place::find(settings, scope)?;
    Ok(mailward_probe::Options {
        logs: logs(settings, scope, &place),
        prefix: place.prefix,
        deployment: place.deployment,
        compose: place.compose,
        deep: scope.deep,
        guess_passwords: scope.guess_passwords || settings.audit.guess_passwords,
        active: scope.active,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..mailward_probe::Options::default()
    })
}

/// The accounts, and when each was used as far as the logs go back.
pub(crate) fn accounts(
    config: Option<&Path>,
    options: &mailward_probe::Options,
    bar: &ProgressBar,
) -> anyhow::Result<Facts> {
    bar.set_message("accounts");
    let mut facts = mailward_probe::collect_accounts(options);
    bar.set_message("log");
    if let Some((_, _, usage)) = log::read(config, options.logs.clone())? {
        facts.usage = Known::Is(usage);
    }
    bar.finish_and_clear();
    Ok(facts)
}

/// Facts of which only the network will tell more.
fn outside(hosts: &[String], scope: &Scope) -> Facts {
    let mut facts = Facts::default();
    facts.about.version = env!("CARGO_PKG_VERSION").to_owned();
    facts.about.taken = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    facts.about.host = hosts.join(", ");
    facts.about.remote = true;
    facts.about.active = scope.active;
    facts
}

/// Which deployment, and how its programs are reached.
struct Place {
    prefix: Vec<String>,
    deployment: Deployment,
    compose: Option<PathBuf>,
    /// The container's log on this host.
    log: Option<PathBuf>,
}

impl Place {
    fn find(settings: &Settings, scope: &Scope) -> anyhow::Result<Self> {
        let named = match (&scope.compose, &settings.audit.compose_file) {
            (Some(path), _) | (None, Auto::Set(Some(path))) => Some(readable(path)?),
            _ => None,
        };
        let looks = named.is_none() && settings.audit.compose_file == Auto::Auto;
        let asked = match (&scope.prefix, &scope.container, &settings.audit.prefix) {
            (Some(words), ..) => Some(words.split_whitespace().map(str::to_owned).collect::<Vec<_>>()),
            (None, Some(name), _) => Some(docker(name)),
            (None, None, Auto::Set(prefix)) => Some(prefix.clone()),
            (None, None, Auto::Auto) => None,
        };
        let found = if looks { look(&Host::this(), None).containers } else { Vec::new() };
        // Anybody may write a Compose file into his home directory; and one without Docker is a copy, or an example.
        let runs = asked.is_some() || mailward_probe::is_installed("docker");
        let container: Option<Container> = found.into_iter().find(|container| container.trusted && runs);
        let log = container.as_ref().and_then(|container| container.log.clone());
        let compose = named.or_else(|| container.map(|container| container.compose));
        let prefix = asked.unwrap_or_else(|| {
            compose.as_deref().map(|path| docker(&container_name(path))).unwrap_or_default()
        });
        let deployment = if compose.is_some() { Deployment::DockerMailserver } else { Deployment::Plain };
        Ok(Self { prefix, deployment, compose, log })
    }
}

/// How the mail server is deployed, as configured or found: enough to look at its files.
pub(crate) fn deployed(settings: &Settings) -> anyhow::Result<mailward_probe::Options> {
    let place = Place::find(settings, &Scope::default())?;
    Ok(mailward_probe::Options {
        prefix: place.prefix,
        deployment: place.deployment,
        compose: place.compose,
        ..mailward_probe::Options::default()
    })
}

fn docker(name: &str) -> Vec<String> {
    ["docker", "exec", "-i", name].map(str::to_owned).to_vec()
}

fn readable(path: &Path) -> anyhow::Result<PathBuf> {
    match std::fs::canonicalize(path) {
        Ok(path) => Ok(path),
        Err(error) => {
            Err(Usage(format!("cannot read {}: {error}; give the Compose file's path", path.display()))
                .into())
        }
    }
}

/// What the Compose file calls the container; docker-mailserver's own files say `mailserver`.
fn container_name(compose: &Path) -> String {
    let text = std::fs::read_to_string(compose).unwrap_or_default();
    let name = text.lines().find_map(|line| line.trim().strip_prefix("container_name:"));
    name.map_or("mailserver", |name| name.trim().trim_matches(['"', '\''])).to_owned()
}

/// The logs to read: named ones, else the container's, else those that the daemon would read.
fn logs(settings: &Settings, scope: &Scope, place: &Place) -> Vec<PathBuf> {
    if scope.no_log {
        return Vec::new();
    }
    if !scope.logs.is_empty() {
        return scope.logs.clone();
    }
    let inside = place.compose.as_deref().and_then(log_beside).or_else(|| place.log.clone());
    let found = match inside {
        Some(log) => vec![log],
        None => specs(&settings.sources, &Host::this())
            .into_iter()
            .filter_map(|spec| match spec {
                Spec::File(path) => Some(path),
                _ => None,
            })
            .collect(),
    };
    found.into_iter().filter(|path| path.is_file()).collect()
}

fn log_beside(compose: &Path) -> Option<PathBuf> {
    let containers = look(&Host::at(compose.parent()?), None).containers;
    let log = containers.into_iter().find_map(|container| container.log)?;
    // Found below the Compose file's directory as if that were the root.
    Some(compose.parent()?.join(log.strip_prefix("/").unwrap_or(&log)))
}

fn resolver(settings: &Settings, scope: &Scope) -> anyhow::Result<Resolver> {
    match &scope.resolver {
        None => Ok(settings.audit.resolver),
        Some(name) => Resolver::named(name).ok_or_else(|| {
            Usage(format!(
                "--resolver {name}: write system, none, or an address and port such as 127.0.0.1:53"
            ))
            .into()
        }),
    }
}

/// What the ports and the DNS answer.
fn network(
    facts: &mut Facts,
    settings: &Settings,
    scope: &Scope,
    resolver: Resolver,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let targets = targets(facts, scope)?;
    let mut plan = Plan::of(facts);
    let named = scope.domains.iter().chain(&settings.audit.domains).map(|name| name.to_ascii_lowercase());
    plan.domains.extend(named);
    plan.domains.sort();
    plan.domains.dedup();
    plan.hosts.extend(scope.remote.iter().filter(|host| host.parse::<IpAddr>().is_err()).cloned());
    bar.set_message("mail ports and DNS");
    std::thread::scope(|threads| {
        let asked = threads.spawn(|| names(plan.clone(), resolver));
        let (talks, tls) = ports(&targets, &plan.domains);
        facts.talks = talks;
        facts.tls = tls;
        facts.dns = asked.join().unwrap_or_default();
    });
    if let Some(recipient) = &scope.deliver_to {
        bar.set_message("test mails");
        facts.trials = trial::trials(facts, scope.remote.is_empty(), &targets, recipient)?;
        trial::wrong_passwords(facts, &targets, recipient);
    }
    Ok(())
}

/// What the DNS answers.
fn names(plan: Plan, resolver: Resolver) -> Dns {
    match resolver {
        Resolver::None => Dns {
            resolver: Known::Unread("no resolver: the configuration says \"none\"".to_owned()),
            ..Dns::default()
        },
        Resolver::System => dns::collect(&plan),
        Resolver::At(server) => dns::collect(&Plan { resolver: Some(server), ..plan }),
    }
}

/// The ports to talk to: of the hosts that were named, else of this very machine.
pub(in crate::cli) fn targets(facts: &Facts, scope: &Scope) -> anyhow::Result<Vec<Target>> {
    let mut hosts: Vec<(String, IpAddr)> = Vec::new();
    for host in &scope.remote {
        let found = (host.as_str(), 25_u16).to_socket_addrs();
        let addresses: Vec<_> = found
            .map_err(|error| Usage(format!("--remote {host}: {error}; give a host name or an address")))?
            .collect();
        hosts.extend(addresses.into_iter().map(|address| (host.clone(), address.ip())));
    }
    if scope.remote.is_empty() {
        hosts.push((name(facts), IpAddr::from([127, 0, 0, 1])));
    }
    let ports = |(host, address): &(String, IpAddr)| {
        let (host, address) = (host.clone(), *address);
        talk::PORTS.into_iter().map(move |(port, service, implicit_tls)| Target {
            host: host.clone(),
            address: SocketAddr::new(address, port),
            service,
            implicit_tls,
        })
    };
    Ok(hosts.iter().flat_map(ports).collect())
}

/// What the server calls itself.
fn name(facts: &Facts) -> String {
    let server = Server::new(facts);
    let named = server.postfix().ok().and_then(|postfix| postfix.value("myhostname"));
    named.filter(|name| name.contains('.')).unwrap_or_else(|| facts.about.host.clone())
}

/// Talks to every port, and looks at the TLS of those that answer; all ports at once.
fn ports(targets: &[Target], domains: &[String]) -> (Vec<Talk>, Vec<TlsPort>) {
    let manners = manners(domains);
    let options = tls::Options::new(tls::Roots::of_system());
    let look = |target: &Target| {
        let talk = talk::talk(target, &manners);
        let answers =
            talk.greeting.known().is_some() || (target.implicit_tls && talk.greeting != Known::Absent);
        let tls = answers.then(|| tls::probe(&tls_target(target), &options));
        (talk, tls)
    };
    let told: Vec<_> = std::thread::scope(|scope| {
        let look = &look;
        let running: Vec<_> = targets.iter().map(|target| scope.spawn(move || look(target))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let (talks, tls): (Vec<_>, Vec<_>) = told.into_iter().unzip();
    (talks, tls.into_iter().flatten().collect())
}

pub(super) fn manners(domains: &[String]) -> Manners {
    Manners {
        hello: "mailward-audit.example.net".to_owned(),
        domains: domains.to_vec(),
        deadline: Duration::from_secs(10),
    }
}

fn tls_target(target: &Target) -> tls::Target {
    tls::Target {
        host: target.host.clone(),
        address: target.address.ip(),
        port: target.address.port(),
        service: match target.service {
            MailService::Smtp | MailService::Submission => MailProtocol::Smtp,
            MailService::Imap => MailProtocol::Imap,
            MailService::Pop3 => MailProtocol::Pop3,
            MailService::Sieve => MailProtocol::Sieve,
        },
        starttls: !target.implicit_tls,
    }
}

/// Puts what the log says into the report.
pub(super) fn with_log(report: &mut AuditReport, facts: &Facts, attacks: Option<AttackReport>) {
    report.attacks = attacks;
    report.coverage = coverage::rows(facts);
}

/// What is being done, on a terminal; nothing in a pipe.
pub(crate) fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
