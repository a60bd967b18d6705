//! `cargo xtask setup`: installs what is missing, and nothing else.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::tool;

/// Installs what is missing: Debian packages (as root), cargo tools, parts of the Rust toolchain.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Installs the peers that `cargo xtask bench` compares with, too.
    #[arg(long)]
    bench: bool,
    /// Only tells what is missing; status 1 where something is.
    #[arg(long)]
    check: bool,
}

/// A Debian package and what needs it.
type Package = (&'static str, &'static str);

const PACKAGES: &[Package] = &[
    ("postfix", "the lab's mail server"),
    ("dovecot-core", "the lab's logins"),
    ("dovecot-imapd", "the lab's IMAP"),
    ("dovecot-pop3d", "the lab's POP3"),
    ("dovecot-lmtpd", "the lab's deliveries"),
    ("dovecot-managesieved", "the lab's ManageSieve"),
    ("nftables", "looks at the firewall independently of us"),
    ("iproute2", "network namespaces"),
    ("openssl", "the lab's certificate authority"),
    ("openssh-server", "confirms a packet filter over a new connection"),
    ("logrotate", "rotates logs under the reader"),
    ("rsyslog", "the lab's other logger"),
    ("fail2ban", "jails for the audit to judge, and a peer: fail2ban-regex"),
    ("nsd", "a name server for the audit's questions"),
    ("rspamd", "a filter that catches the audit's test mails"),
    ("opendkim", "signs mail, for keys to be changed"),
    ("miltertest", "hands a signer its mail"),
    ("spamassassin", "refuses rules that it does not understand"),
    ("amavisd-new", "refuses configuration that it does not understand"),
    ("bind9-dnsutils", "asks name servers independently of us"),
    ("python3-dkim", "verifies DKIM signatures independently of us"),
    ("restic", "reads the backups independently of us"),
    ("strace", "ends a plan at a system call of choice"),
    ("chromium", "looks at the pages that reports make"),
    ("curl", "talks to the control socket independently of us"),
];

const BENCH_PACKAGES: &[Package] = &[
    ("sshguard", "a peer: sshg-parser"),
    ("postgrey", "a peer: greylisting"),
    ("pflogsumm", "a peer: summaries of Postfix logs"),
    ("ripgrep", "the speed that searching has"),
];

/// Services that come with the packages. None of them is wanted on a developer's machine.
const SERVICES: &[&str] = &[
    "postfix",
    "dovecot",
    "nftables",
    "rsyslog",
    "fail2ban",
    "nsd",
    "rspamd",
    "opendkim",
    "spamassassin",
    "amavis",
    "sshguard",
    "postgrey",
    "ssh",
];

/// A cargo tool, the command that shows whether it is there, and what needs it.
const CARGO_TOOLS: &[(&str, &str)] = &[
    ("cargo-nextest", "runs the tests side by side, and reports what they skipped"),
    ("cargo-deny", "checks licences and sources of the dependencies"),
];

/// A part of the Rust toolchain and the program that it brings.
const COMPONENTS: &[(&str, &str)] = &[("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")];

/// Building a cargo tool takes minutes on a small machine.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);
const APT_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let packages = missing_packages(args.bench)?;
    let tools: Vec<_> = CARGO_TOOLS.iter().filter(|(name, _)| tool::find(name).is_none()).collect();
    let components: Vec<_> = COMPONENTS.iter().filter(|(_, program)| tool::find(program).is_none()).collect();
    for (name, why) in packages.iter().chain(tools.iter().copied()) {
        println!("missing: {name} ({why})");
    }
    for (name, _) in &components {
        println!("missing: {name} (a part of the Rust toolchain)");
    }
    if packages.is_empty() && tools.is_empty() && components.is_empty() {
        println!("setup: nothing is missing");
        return Ok(ExitCode::SUCCESS);
    }
    if args.check {
        return Ok(ExitCode::FAILURE);
    }
    for (name, _) in components {
        call(Command::new(tool::need("rustup")?).args(["component", "add", name]), APT_LIMIT)?;
    }
    install_packages(&packages)?;
    for (name, _) in tools {
        // They run for seconds and build for minutes: without optimisation it is half of that.
        let mut cargo = tool::cargo()?;
        call(
            cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").args(["install", "--locked", "--debug", name]),
            BUILD_LIMIT,
        )?;
    }
    println!("setup: done");
    Ok(ExitCode::SUCCESS)
}

fn missing_packages(bench: bool) -> Result<Vec<Package>> {
    let wanted = PACKAGES.iter().chain(if bench { BENCH_PACKAGES } else { &[] });
    let Some(dpkg_query) = tool::find("dpkg-query") else {
        bail!(
            "this is not Debian or one of its children: dpkg-query is missing. The lab needs Debian's Postfix and \
             Dovecot; everything else works without: run `cargo xtask test --skip lab,referee`"
        );
    };
    let mut missing = Vec::new();
    for package in wanted {
        if !is_installed(&dpkg_query, package.0)? {
            missing.push(*package);
        }
    }
    Ok(missing)
}

fn is_installed(dpkg_query: &Path, package: &str) -> Result<bool> {
    let query = Command::new(dpkg_query).args(["-W", "-f=${db:Status-Status}", package]).output();
    Ok(query.context("cannot start dpkg-query")?.stdout == b"installed")
}

fn install_packages(packages: &[Package]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = packages.iter().map(|(name, _)| *name).collect();
    if !tool::is_root() {
        bail!(
            "installing packages needs root. Type:\n    sudo apt-get install --no-install-recommends {}\nand run \
             `cargo xtask setup` again. Without them the lab's tests are skipped, and say so",
            names.join(" ")
        );
    }
    let _no_services = NoServices::begin()?;
    let fresh: Vec<_> = SERVICES.iter().copied().filter(|service| !has_unit(service)).collect();
    apt(&["update"])?;
    // --no-remove: Postfix would replace another mail server that is used here.
    let install = apt(&[&["install", "--yes", "--no-install-recommends", "--no-remove"], &*names].concat());
    install.context("where apt-get would have to remove another mail server, use a container for the lab")?;
    disable(&fresh)
}

fn apt(args: &[&str]) -> Result<()> {
    let mut command = Command::new(tool::need("apt-get")?);
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "DPkg::Lock::Timeout=120"]);
    call(command.args(args), APT_LIMIT)
}

/// Keeps package scripts from starting services, by the hook that Debian has for it (policy 9.3.3, invoke-rc.d(8)).
struct NoServices {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoServices {
    fn begin() -> Result<Self> {
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(POLICY);
        match file {
            Ok(mut file) => {
                println!("setup: no service is started meanwhile ({POLICY}, removed at the end)");
                file.write_all(b"#!/bin/sh\n# Written by `cargo xtask setup`; may be deleted.\nexit 101\n")?;
                Ok(Self { ours: true })
            }
            // The administrator has a policy already, as in containers.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Self { ours: false }),
            Err(error) => Err(error).context(POLICY),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(POLICY).is_err() {
            eprintln!(
                "warning: {POLICY} could not be removed; no package can start its service until you do"
            );
        }
    }
}

fn has_unit(service: &str) -> bool {
    ["/lib/systemd/system", "/etc/systemd/system"]
        .iter()
        .any(|place| Path::new(place).join(format!("{service}.service")).exists())
}

/// Keeps the new services from starting with the machine.
fn disable(services: &[&str]) -> Result<()> {
    let services: Vec<_> = services.iter().filter(|service| has_unit(service)).collect();
    if services.is_empty() || !Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    let mut command = Command::new(tool::need("systemctl")?);
    call(command.args(["disable", "--quiet"]).args(services), APT_LIMIT)
}

fn call(command: &mut Command, limit: Duration) -> Result<()> {
    println!("setup: {}", tool::shown(command));
    let status = tool::run(command, limit, |line| println!("{line}"))?;
    if !status.success() {
        bail!("{}: {status}", tool::shown(command));
    }
    Ok(())
}
