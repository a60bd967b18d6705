//! fail2ban understood as fail2ban understands itself: the same lines counted, on the log of an incident.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do, and a test that is skipped says so"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use mailward_audit::facts::{Deployment, File, Known, Said};
use mailward_audit::fail2ban::{Fail2ban, Filter, Jail};
use mailward_audit::{Facts, Untold};

fn incident() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/dms-incident");
    let there = path.is_dir();
    if !there {
        eprintln!("SKIPPED: {} is not there", path.display());
    }
    there.then_some(path)
}

fn docker_mailserver(overriding: Option<&str>) -> Facts {
    let mut facts = Facts::default();
    facts.about.deployment = Deployment::DockerMailserver;
    facts.files.insert("/compose/mailserver.env".into(), Known::Is(File::of("ENABLE_FAIL2BAN=1\n")));
    if let Some(text) = overriding {
        let path = "/tmp/docker-mailserver/fail2ban-jail.cf";
        facts.files.insert(path.into(), Known::Is(File::of(text)));
    }
    facts
}

fn counted(filter: &Filter, log: &str) -> usize {
    log.lines().filter(|line| filter.counts(line).is_some()).count()
}

fn jail<'a>(fail2ban: &'a Fail2ban, name: &str) -> &'a Jail {
    fail2ban.jails.iter().find(|jail| jail.name == name).unwrap()
}

/// The fixture's log was counted by fail2ban 1.1.0: 36 lines by `postfix` and 20 by `dovecot`.
#[test]
fn docker_mailservers_jails_count_what_fail2ban_counted() {
    let Some(incident) = incident() else { return };
    let log = std::fs::read_to_string(incident.join("docker-data/dms/mail-logs/mail.log")).unwrap();
    let fail2ban = Fail2ban::read(&docker_mailserver(None)).unwrap();
    assert_eq!(counted(&jail(&fail2ban, "postfix").filter, &log), 36);
    assert_eq!(counted(&jail(&fail2ban, "dovecot").filter, &log), 20);
    assert!(jail(&fail2ban, "custom").filter.is_empty());
}

/// Aggressive mode counts the 40 handshakes that broke off and the six that talked too early, too.
#[test]
fn modes_are_those_of_the_file() {
    let Some(incident) = incident() else { return };
    let log = std::fs::read_to_string(incident.join("docker-data/dms/mail-logs/mail.log")).unwrap();
    let count = |text: &str| {
        let fail2ban = Fail2ban::read(&docker_mailserver(Some(text))).unwrap();
        counted(&jail(&fail2ban, "postfix").filter, &log)
    };
    let pregreet = log.lines().filter(|line| line.contains("PREGREET")).count();
    assert!(count("[postfix]\nmode = aggressive\n") >= 36 + 26 + pregreet);
    assert_eq!(count("[postfix]\nmaxretry = 3\n"), 36);
}

/// A jail whose filter docker-mailserver never copies is skipped, and what it would do is known.
#[test]
fn a_jail_without_its_filter_is_skipped() {
    let text =
        "[postfix-ssl]\nenabled = true\nfilter = postfix-ssl\nmaxretry = 3\nfindtime = 600\nbantime = 1d\n";
    let mut facts = docker_mailserver(Some(text));
    let filter = "[Definition]\nfailregex = ^.*smtpd\\[\\d+\\]: SSL_accept error from \\S+\\[<HOST>\\]: .*$\nignoreregex =\n";
    facts.files.insert("/tmp/docker-mailserver/fail2ban-filter.cf".into(), Known::Is(File::of(filter)));
    let fail2ban = Fail2ban::read(&facts).unwrap();
    let skipped = fail2ban.skipped.first().unwrap();
    assert!(skipped.why.contains("there is no filter 'postfix-ssl'"));
    let would_be = skipped.would_be.as_ref().unwrap();
    assert_eq!((would_be.max_retry, would_be.find_time, would_be.ban_time), (3, 600, 86_400));
    let line = "2025-10-10T01:33:30.394633+02:00 mail postfix/submissions/smtpd[9]: SSL_accept error from unknown[192.0.2.9]: lost connection";
    assert_eq!(would_be.filter.counts(line).as_deref(), Some("192.0.2.9"));
}

#[test]
fn nothing_is_told_without_facts() {
    assert!(matches!(Fail2ban::read(&Facts::default()), Err(Untold::CouldNotTell(_))));
}

/// The patterns that the installed fail2ban resolves count the same lines here as its own `fail2ban-regex` says.
#[test]
fn patterns_count_what_fail2ban_regex_counts() {
    let Some(incident) = incident() else { return };
    let (client, regex) = (Path::new("/usr/bin/fail2ban-client"), Path::new("/usr/bin/fail2ban-regex"));
    if !client.exists() || !regex.exists() {
        eprintln!("SKIPPED: Debian's fail2ban is not installed");
        return;
    }
    let path = incident.join("docker-data/dms/mail-logs/mail.log");
    let log = std::fs::read_to_string(&path).unwrap();
    for (jail_name, filter, mode) in [
        ("postfix", "postfix", "normal"),
        ("postfix", "postfix", "more"),
        ("postfix", "postfix", "auth"),
        ("postfix", "postfix", "rbl"),
        ("postfix", "postfix", "ddos"),
        ("postfix", "postfix", "extra"),
        ("postfix", "postfix", "aggressive"),
        ("postfix", "postfix", "errors"),
        ("dovecot", "dovecot", "normal"),
        ("dovecot", "dovecot", "aggressive"),
    ] {
        let fail2ban = Fail2ban::read(&dumped(client, jail_name, filter, mode, &path)).unwrap();
        let jail = jail(&fail2ban, jail_name);
        assert!(jail.filter.broken.is_empty(), "{mode}: {:?}", jail.filter.broken);
        let theirs = matched(regex, &path, filter, mode);
        assert_eq!(counted(&jail.filter, &log), theirs, "{filter}[mode={mode}]");
        let ours =
            Fail2ban::read(&docker_mailserver(Some(&format!("[{jail_name}]\nmode = {mode}\n")))).unwrap();
        let ours = ours.jails.iter().find(|jail| jail.name == jail_name).unwrap();
        // Release 1.1 tells the services of submission apart from port 25 as 1.0 does not; elsewhere both are alike.
        assert_eq!(counted(&ours.filter, &log), theirs, "stock {filter}[mode={mode}]");
    }
}

/// Facts with a dump of one jail by the installed fail2ban.
fn dumped(client: &Path, jail: &str, filter: &str, mode: &str, log: &Path) -> Facts {
    let config = tempfile::tempdir().unwrap();
    for name in
        ["filter.d", "action.d", "fail2ban.conf", "jail.conf", "paths-debian.conf", "paths-common.conf"]
    {
        let source = Path::new("/etc/fail2ban").join(name);
        std::os::unix::fs::symlink(source, config.path().join(name)).unwrap();
    }
    let text = format!(
        "[sshd]\nenabled = false\n[{jail}]\nenabled = true\nfilter = {filter}[mode={mode}]\nbackend = polling\nlogpath = {}\n",
        log.display()
    );
    std::fs::write(config.path().join("jail.local"), text).unwrap();
    let said = Command::new(client).arg("-c").arg(config.path()).arg("-d").output().unwrap();
    let mut facts = Facts::default();
    let said = Said::ok(String::from_utf8(said.stdout).unwrap());
    facts.said.insert("fail2ban-client -d".into(), Known::Is(said));
    facts
}

/// How many lines `fail2ban-regex` says that a filter counts.
fn matched(regex: &Path, log: &Path, filter: &str, mode: &str) -> usize {
    let said = Command::new(regex).arg(log).arg(format!("{filter}[mode={mode}]")).output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("Lines:")).unwrap();
    let matched = line.split(", ").find(|part| part.ends_with("matched")).unwrap();
    matched.split(' ').next().unwrap().parse().unwrap()
}
