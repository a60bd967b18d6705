//! Settings and the host's facts, made into what the daemon and the other commands need.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use mailward_decide::policy::PolicySettings;
use mailward_decide::{Bans, NeverBan, Protection};
use mailward_detect::Detector;
use mailward_engine::Engine;
use mailward_gate::{Endpoint, Listen};
use mailward_model::Timestamp;

use crate::cli::load;
use crate::config::discover::{Host, protected_networks, specs};
use crate::config::{Login, Mode, Policy, Resolver, Settings};
use crate::guard::Setup;
use crate::guard::gate::Plan;
use crate::guard::operator;
use crate::guard::tables::Tables;

/// What the configuration and the host say, for the daemon.
pub(crate) fn resolve(config: Option<&Path>) -> anyhow::Result<Setup> {
    let settings = load(config)?.settings;
    let host = Host::this();
    Ok(Setup {
        specs: specs(&settings.sources, &host),
        start: settings.sources.start,
        enforce: settings.guard.mode == Mode::Enforce,
        socket_group: group(&settings.guard.socket_group)?,
        firewall: settings.firewall.enabled.then(|| settings.firewall.options.clone()),
        protect_operator: settings.never_ban.operator_session,
        gate: gate(&settings),
        settings: settings.clone(),
        config: config.map(Path::to_owned),
        never: never_ban(&settings, &host),
        zone: settings.sources.zone().unwrap_or_else(TimeZone::system),
        state: settings.guard.state_directory,
        socket: settings.guard.socket,
        postscreen: settings.firewall.postscreen_table,
        rules: settings.rules,
        patience: settings.patience,
        capacity: settings.memory,
        ladder: settings.ladder,
        budget: settings.budget,
        retention: settings.retention,
    })
}

/// What the gate is to do, where it has anything to do.
fn gate(settings: &Settings) -> Option<Plan> {
    let Settings { policy, login, guard, .. } = settings;
    let listen = Listen {
        login: if login.enabled { endpoints(login.listen, login.socket.as_ref(), 0o600) } else { Vec::new() },
        ..if policy.enabled { policy_listen(policy) } else { Listen::default() }
    };
    let enforce = guard.mode == Mode::Enforce && login.mode == Mode::Enforce;
    let plan = Plan {
        listen,
        policy: policy_settings(settings),
        login: login_settings(login, enforce),
        tables: Tables::of(settings),
    };
    (policy.enabled || login.enabled).then_some(plan)
}

/// How the policy service judges: from where accounts may send is what the login guard holds them to.
pub(crate) fn policy_settings(settings: &Settings) -> PolicySettings {
    let limits = settings.login.limits.iter().cloned().collect();
    PolicySettings { limits, ..settings.policy.settings.clone() }
}

/// How the login guard judges.
pub(crate) fn login_settings(login: &Login, enforce: bool) -> mailward_gate::login::Settings {
    let limits = login.limits.iter().cloned().collect();
    mailward_gate::login::Settings {
        enforce,
        key: login.key.clone().unwrap_or_default(),
        wait: login.wait,
        limits,
    }
}

/// Where Postfix asks.
fn policy_listen(settings: &Policy) -> Listen {
    let resolvers = match settings.resolver {
        Resolver::System => mailward_gate::system_resolvers(),
        Resolver::None => Vec::new(),
        Resolver::At(server) => vec![server],
    };
    Listen {
        // The folder of Postfix's private sockets keeps everybody else out; the sockets in it are open, as Postfix's own are.
        policy: endpoints(settings.listen, settings.socket.as_ref(), 0o666),
        resolvers,
        deadline: Duration::from_micros(settings.deadline.micros()),
        ..Listen::default()
    }
}

/// By TCP, and by a unix socket where its folder is on this host: a Postfix in a container has its own.
fn endpoints(listen: Option<SocketAddr>, socket: Option<&PathBuf>, mode: u32) -> Vec<Endpoint> {
    let here = socket.filter(|path| path.parent().is_some_and(Path::is_dir));
    let unix = here.map(|path| Endpoint::Unix { path: path.clone(), mode });
    listen.map(Endpoint::Tcp).into_iter().chain(unix).collect()
}

/// Where the daemon listens.
pub(crate) fn socket(config: Option<&Path>) -> anyhow::Result<PathBuf> {
    Ok(load(config)?.settings.guard.socket)
}

/// An engine with the rules and lists of the configuration, that knows of nothing yet.
pub(crate) fn engine(config: Option<&Path>, context: mailward_parse::Context) -> anyhow::Result<Engine> {
    let settings = load(config)?.settings;
    let never = never_ban(&settings, &Host::this());
    let detector = Detector::new(settings.rules, settings.patience, settings.memory);
    Ok(Engine::new(context, detector, Bans::new(never, settings.ladder, settings.budget)))
}

/// Who is never banned by the configuration and what the host tells; the allowlist is in the store.
pub(crate) fn never_ban(settings: &Settings, host: &Host) -> NeverBan {
    let mut never = NeverBan::built_in();
    let ssh = std::env::var("SSH_CONNECTION").ok();
    for (network, protection) in protected_networks(&settings.never_ban, host, ssh.as_deref()) {
        // A session that was seen once is no entry for ever: the daemon goes on looking.
        let is_session = protection == Protection::OperatorSession;
        let until =
            is_session.then(|| Timestamp::from_micros(mailward_host::clock::now()).plus(operator::KEPT));
        never.protect(network, protection, until);
    }
    never
}

/// The number of a group, from `/etc/group`; none for an empty name, and where only root could give the socket to it.
fn group(name: &str) -> anyhow::Result<Option<u32>> {
    if name.is_empty() || !mailward_host::user::is_root() {
        return Ok(None);
    }
    let groups = std::fs::read_to_string("/etc/group").context("cannot read /etc/group")?;
    let number = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1))?.and_then(|number| number.parse().ok())
    });
    let unknown = || {
        crate::cli::Usage(format!(
            "[guard] socket-group = \"{name}\": no such group; make it (groupadd --system {name}) or leave it empty"
        ))
    };
    Ok(Some(number.ok_or_else(unknown)?))
}
