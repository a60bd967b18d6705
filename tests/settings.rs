//! `mailward init` and `mailward config` as a person runs them.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::process::{Command, Output};

fn mailward(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mailward")).args(args).env_remove("SSH_CONNECTION").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A host with Postfix, rsyslog and a mail log.
fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in [
        ("etc/postfix/main.cf", "mynetworks = 127.0.0.0/8 198.51.100.0/24\n"),
        ("etc/rsyslog.conf", "mail.* -/var/log/mail.log\n"),
        ("usr/sbin/rsyslogd", ""),
        ("var/log/mail.log", ""),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

#[test]
fn init_writes_what_config_check_accepts() {
    let root = host();
    let file = root.path().join("etc/mailward/mailward.toml");
    let (root, file) = (root.path().to_str().unwrap(), file.to_str().unwrap());
    let done = mailward(&["init", "--root", root, "--output", file]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let said = text(&done.stdout);
    assert!(said.contains("/var/log/mail.log") && said.contains("198.51.100.0/24"), "{said}");
    assert!(said.contains(&format!("mailward guard --config {file}")), "{said}");
    let written = fs::read_to_string(file).unwrap();
    assert!(written.contains("\nfiles = [\"/var/log/mail.log\"]"), "{written}");
    let checked = mailward(&["config", "check", "--config", file]);
    assert_eq!((checked.status.code(), text(&checked.stdout)), (Some(0), format!("{file}: ok\n")));
}

#[test]
fn init_overwrites_only_by_force_and_keeps_the_old() {
    let root = host();
    let file = root.path().join("mailward.toml");
    fs::write(&file, "[guard]\nmode = \"dry-run\"\n").unwrap();
    let args = ["init", "--root", root.path().to_str().unwrap(), "--output", file.to_str().unwrap()];
    let refused = mailward(&args);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).contains("left as it is"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "[guard]\nmode = \"dry-run\"\n");
    let forced = mailward(&[args.as_slice(), &["--force", "--format", "json"]].concat());
    assert_eq!(forced.status.code(), Some(0));
    let document: serde_json::Value = serde_json::from_slice(&forced.stdout).unwrap();
    assert_eq!(document["logs"][0]["path"], "/var/log/mail.log");
    assert!(fs::read_to_string(&file).unwrap().contains("# mode = \"enforce\""));
    let old = root.path().join("mailward.toml.old");
    assert_eq!(fs::read_to_string(old).unwrap(), "[guard]\nmode = \"dry-run\"\n");
}

#[test]
fn mistakes_are_all_told_with_exit_code_2() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("mailward.toml");
    fs::write(&file, "[guard]\nmoed = 1\n[rules.dnsbl]\nthreshold = 0\n").unwrap();
    let path = file.to_str().unwrap();
    for args in [vec!["config", "check"], vec!["config", "show"], vec!["status"], vec!["guard"]] {
        let done = mailward(&[args.as_slice(), &["--config", path]].concat());
        assert_eq!(done.status.code(), Some(2), "{args:?}");
        let said = text(&done.stderr);
        assert!(said.contains(&format!("{path}:2:1:")) && said.contains(&format!("{path}:4:13:")), "{said}");
    }
    let json = mailward(&["config", "check", "--format", "json", "--config", path]);
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (json.status.code(), &document["ok"], &document["mistakes"][1]["line"]),
        (Some(2), &false.into(), &4.into())
    );
    assert_eq!(
        mailward(&["config", "check", "--config", "/nonexistent/mailward.toml"]).status.code(),
        Some(2)
    );
}

#[test]
fn what_config_show_prints_is_a_configuration() {
    let shown = mailward(&["config", "show", "--defaults"]);
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("mailward.toml");
    fs::write(&file, &shown.stdout).unwrap();
    let again = mailward(&["config", "show", "--config", file.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(0));
    let settings = |bytes: &[u8]| text(bytes).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(settings(&again.stdout), settings(&shown.stdout));
}
