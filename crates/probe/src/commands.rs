//! What is asked of the programs of a mail server. Everything here only reads.

use std::collections::BTreeMap;
use std::time::Duration;

use mailward_audit::Known;
use mailward_audit::facts::{Deployment, LEARNED, Said};
use mailward_host::run::Limits;

use crate::place::{Call, Place};

/// A command whose output is a fact.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The command line, words apart by one blank. It is the fact's key.
    pub line: &'static str,
    /// Arguments after those of the line that are no part of the key: formats, names.
    pub more: &'static [&'static str],
    /// Where it is asked.
    pub of: Of,
}

/// Where a command is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Wherever the mail server runs.
    Every,
    /// In a docker-mailserver.
    Dms,
    /// Where the mail server is of the system's own packages.
    Plain,
    /// On the machine that a container runs on, with `host ` before the key.
    Outside,
    /// Wherever the mail server runs, if probes may leave a trace.
    Active,
}

const fn every(line: &'static str) -> Command {
    Command { line, more: &[], of: Of::Every }
}

const fn dms(line: &'static str) -> Command {
    Command { line, more: &[], of: Of::Dms }
}

const fn plain(line: &'static str) -> Command {
    Command { line, more: &[], of: Of::Plain }
}

const fn outside(line: &'static str) -> Command {
    Command { line, more: &[], of: Of::Outside }
}

/// All of them. `postfix check` is not here: it creates directories.
pub const COMMANDS: &[Command] = &[
    every("postconf -n"),
    every("postconf -d"),
    every("postconf -M"),
    every("postconf -P"),
    every("postconf -m"),
    every("doveconf -n"),
    every("doveconf -d"),
    every("doveadm who"),
    // It makes mail folders for accounts that never logged in (Dovecot 2.3).
    Command { line: "doveadm quota get -A", more: &[], of: Of::Active },
    every("dovecot --version"),
    every("nft -j list ruleset"),
    every("iptables-save"),
    every("fail2ban-client -d"),
    every("fail2ban-client status"),
    every("fail2ban-client banned"),
    every("fail2ban-client --version"),
    every("openssl version"),
    every("openssl version -d"),
    Command {
        line: "dpkg-query -W",
        more: &["-f", "${db:Status-Abbrev}\t${binary:Package}\t${Version}\t${source:Package}\n"],
        of: Of::Every,
    },
    every("apk info -v"),
    every("rspamadm configdump"),
    every("rspamadm configtest"),
    // It locks amavis' database, and may make files in it that are root's.
    Command { line: LEARNED, more: &[], of: Of::Active },
    dms("supervisorctl status"),
    dms("cat /etc/dms-settings"),
    dms("cat /etc/dms-release"),
    plain("systemctl list-timers --all --no-pager --no-legend"),
    plain("systemctl list-units --type=service --state=running --no-pager --no-legend --plain"),
    plain("timedatectl show"),
    plain("sshd -T"),
    outside("nft -j list ruleset"),
    outside("iptables-save"),
];

/// A program may think this long; `nft` and `doveadm` on a large server need a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest honest outputs are a ruleset with thousands of banned addresses and the default configurations.
const MOST: usize = 8 << 20;

const LIMITS: Limits = Limits { timeout: PATIENCE, max_output: MOST };

/// Runs those that apply.
pub(crate) fn collect(place: &Place, deployment: Deployment, active: bool) -> BTreeMap<String, Known<Said>> {
    let inside: Vec<&Command> =
        COMMANDS.iter().filter(|command| applies(command.of, deployment, active)).collect();
    let mut said = run(place, inside.into_iter().map(|command| (command.line.to_owned(), command.call())));
    if !place.is_here() {
        let outside = COMMANDS.iter().filter(|command| command.of == Of::Outside);
        said.extend(run(
            &Place::here(),
            outside.map(|command| (format!("host {}", command.line), command.call())),
        ));
        said.extend(inspect(place));
    }
    let jails = jails(&said);
    said.extend(run(place, jails.iter().map(|jail| asked(&format!("fail2ban-client status {jail}")))));
    said.extend(run(place, jails.iter().map(|jail| asked(&format!("fail2ban-client get {jail} banip")))));
    settle(&mut said);
    said
}

const fn applies(of: Of, deployment: Deployment, active: bool) -> bool {
    match of {
        Of::Every => true,
        Of::Dms => matches!(deployment, Deployment::DockerMailserver),
        Of::Plain => matches!(deployment, Deployment::Plain),
        Of::Outside => false,
        Of::Active => active,
    }
}

impl Command {
    fn call(&self) -> Call {
        let words = self.line.split(' ').chain(self.more.iter().copied()).map(str::to_owned).collect();
        Call { words, limits: LIMITS }
    }
}

/// A command line as its key and the call.
fn asked(line: &str) -> (String, Call) {
    (line.to_owned(), Call { words: line.split(' ').map(str::to_owned).collect(), limits: LIMITS })
}

fn run(place: &Place, commands: impl Iterator<Item = (String, Call)>) -> BTreeMap<String, Known<Said>> {
    let (keys, calls): (Vec<_>, Vec<_>) = commands.unzip();
    keys.into_iter().zip(place.run_all(&calls)).collect()
}

/// The jails that fail2ban says it has; a name that is no plain word is nobody's to run.
fn jails(said: &BTreeMap<String, Known<Said>>) -> Vec<String> {
    let Some(Known::Is(status)) = said.get("fail2ban-client status") else { return Vec::new() };
    let Some((_, list)) = status.stdout.split_once("Jail list:") else { return Vec::new() };
    let plain = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let first = list.lines().next().unwrap_or_default();
    first.split([',', ' ', '\t']).filter(plain).map(str::to_owned).collect()
}

/// What the container's runtime says about the container, without its environment, which may hold secrets.
fn inspect(place: &Place) -> Option<(String, Known<Said>)> {
    let (runtime, rest) = place.prefix().split_first()?;
    if rest.first().map(String::as_str) != Some("exec") {
        return None;
    }
    let container = rest.last().filter(|name| !name.starts_with('-'))?;
    let form = "{\"Image\":{{json .Config.Image}},\"User\":{{json .Config.User}},\
                \"Healthcheck\":{{json .Config.Healthcheck}},\"State\":{{json .State}},\
                \"HostConfig\":{{json .HostConfig}},\"Mounts\":{{json .Mounts}},\
                \"NetworkSettings\":{{json .NetworkSettings}}}";
    let words = [runtime, "inspect", "--format", form, container];
    Some(("docker inspect".to_owned(), Place::here().run(&words, LIMITS)))
}

/// A program that answered once is there: where it did not another time, that was not because it is absent.
fn settle(said: &mut BTreeMap<String, Known<Said>>) {
    let program = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let there: std::collections::BTreeSet<String> = said
        .iter()
        .filter(|(line, answer)| matches!(answer, Known::Is(_)) && !line.starts_with("host "))
        .map(|(line, _)| program(line))
        .collect();
    for (line, answer) in said.iter_mut() {
        if matches!(answer, Known::Absent) && there.contains(&program(line)) {
            *answer = Known::Unread(format!("`{line}` could not be run (exit status 127)"));
        }
    }
}
