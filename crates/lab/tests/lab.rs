//! The lab itself: real servers, true addresses, bans noticed, nothing left behind.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use mailward_lab::attack::{self, Settings};
use mailward_lab::topology::{HOME, Place, rotating};
use mailward_lab::{Lab, Options, Program, legit, missing};

/// A lab with a name of its own, so that it may run beside another.
fn options() -> Options {
    let id = std::process::id();
    let dir = std::env::temp_dir().join(format!("mailward-lab-test-{id}"));
    Options { dir, prefix: format!("mwt{id}"), quick: true, leased: true, ..Options::default() }
}

fn program() -> Program {
    Program { path: PathBuf::from(env!("CARGO_BIN_EXE_mailward-lab")), args: Vec::new() }
}

fn in_mail_host(lab: &Lab, words: &[&str]) -> String {
    let (program, args) = words.split_first().unwrap();
    let args: Vec<_> = args.iter().map(Into::into).collect();
    let output = lab.command(Place::Mail, program.as_ref(), &args).unwrap().output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn ban(lab: &Lab, target: &str) {
    let family = if target.contains(':') { "ip6" } else { "ip" };
    in_mail_host(
        lab,
        &["/usr/sbin/nft", "add", "rule", "inet", "test", "input", family, "saddr", target, "drop"],
    );
}

fn attack(lab: &Lab, name: &str, count: usize, from: &[IpAddr]) -> attack::Outcome {
    let settings = Settings {
        count: Some(count),
        from: from.to_vec(),
        settle: Duration::ZERO,
        give_up: 1,
        ..Settings::default()
    };
    attack::run(lab, &attack::named(name).unwrap(), &settings).unwrap()
}

/// One test, because bringing the lab up is what takes time.
#[test]
fn the_lab_works_and_leaves_nothing_behind() {
    let problems = missing();
    if !problems.is_empty() {
        eprintln!("SKIPPED: the lab cannot run here: {}", problems.join("; "));
        return;
    }
    // What is left of a lab that was killed as a whole.
    let stale = format!("{}-mail", options().prefix);
    let added = Command::new("/usr/sbin/ip").args(["netns", "add", &stale]).status().unwrap();
    assert!(added.success());

    let lab = Lab::up(options(), &program()).unwrap();
    let dir = lab.dir().to_owned();
    let prefix = lab.prefix().to_owned();

    let report = legit::run(&lab, 1, false).unwrap();
    assert!(report.unhindered(), "{report:?}");
    true_addresses_are_in_the_log(&lab);
    bans_are_noticed(&lab);
    the_mail_hosts_files_are_its_own(&lab);
    a_rotated_log_goes_on(&lab);

    lab.down().unwrap();
    assert!(!PathBuf::from(format!("/run/netns/{prefix}-mail")).exists());
    std::fs::remove_dir_all(dir).unwrap();
}

fn true_addresses_are_in_the_log(lab: &Lab) {
    for from in
        ["192.0.2.77", "198.18.200.9"].map(|text| text.parse().unwrap()).into_iter().chain([rotating(3)])
    {
        let outcome = attack(lab, "sasl-bruteforce", 2, &[from]);
        assert_eq!((outcome.answered, outcome.control, outcome.ban_after), (2, true, None), "{from}");
        let log = std::fs::read_to_string(lab.mail_log()).unwrap();
        assert!(log.contains(&format!("[{from}]: SASL LOGIN authentication failed")), "{from}");
    }
}

fn bans_are_noticed(lab: &Lab) {
    in_mail_host(lab, &["/usr/sbin/nft", "add", "table", "inet", "test"]);
    let chain = "add chain inet test input { type filter hook input priority -10 ; }";
    in_mail_host(lab, &[&["/usr/sbin/nft"], &chain.split(' ').collect::<Vec<_>>()[..]].concat());
    for (target, from) in [("192.0.2.78", "192.0.2.78"), ("2001:db8:bad:64::/64", "2001:db8:bad:64::5")] {
        ban(lab, target);
        let outcome = attack(lab, "imap-probe", 1, &[from.parse().unwrap()]);
        assert_eq!((outcome.blocked, outcome.sources_blocked, outcome.control), (1, 1, true), "{target}");
        assert!(outcome.ban_after.is_some_and(|seconds| seconds < 2.0), "{outcome:?}");
    }
    let free = attack(lab, "imap-probe", 1, &["192.0.2.79".parse().unwrap()]);
    assert_eq!((free.answered, free.sources_blocked), (1, 0));
    let home = HOME.address.to_string();
    ban(lab, &home);
    let report = legit::run(lab, 0, false).unwrap();
    assert!(report.shut_out.iter().all(|(address, _)| *address == HOME.address), "{report:?}");
    assert_eq!(report.shut_out.len(), 3, "{report:?}");
    in_mail_host(lab, &["/usr/sbin/nft", "delete", "table", "inet", "test"]);
}

fn the_mail_hosts_files_are_its_own(lab: &Lab) {
    let name = format!("mailward-lab-test-{}", std::process::id());
    for place in ["/etc", "/run", "/var/lib", "/var/log"] {
        let path = format!("{place}/{name}");
        in_mail_host(lab, &["/usr/bin/touch", &path]);
        assert!(!PathBuf::from(&path).exists(), "{path} appeared on this machine");
    }
    let seen = in_mail_host(lab, &["/usr/sbin/postconf", "-h", "myhostname"]);
    assert_eq!(seen.trim(), "mail.example.org");
}

fn a_rotated_log_goes_on(lab: &Lab) {
    for copy_and_truncate in [false, true] {
        lab.rotate(copy_and_truncate).unwrap();
        // The receiver opens the new file when it gets the signal.
        while !lab.mail_log().exists() {
            std::thread::yield_now();
        }
        let from: IpAddr = "192.0.2.80".parse().unwrap();
        attack(lab, "sasl-bruteforce", 1, &[from]);
        let log = std::fs::read_to_string(lab.mail_log()).unwrap();
        assert!(log.contains("[192.0.2.80]: SASL LOGIN"), "{log}");
    }
}
