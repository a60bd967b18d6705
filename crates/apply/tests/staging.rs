//! Poisoned plans against the real Postfix, Dovecot, fail2ban and logrotate of this machine: refused on a copy, with the line. Nothing but
//! copies is written.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails; what was not tested is told"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailward_apply::{ApplyError, Complaint, Prepared, Site, tried};
use mailward_audit::Facts;
use mailward_audit::facts::Deployment;
use mailward_audit::plan::{Change, Layout, Plan, Step};

fn needs(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !Path::new(program).exists()).collect();
    if !missing.is_empty() {
        eprintln!(
            "SKIPPED: needs {missing:?} (apt-get install postfix dovecot-core fail2ban logrotate spamassassin amavisd-new)"
        );
    }
    missing.is_empty()
}

/// A plan of changes, tried on a server: this machine, or a container whose volume is in a folder.
fn check(volume: Option<&Path>, changes: &[Change]) -> Result<(), ApplyError> {
    let scratch = tempfile::tempdir().unwrap();
    let mut facts = Facts::default();
    if volume.is_some() {
        facts.about.deployment = Deployment::DockerMailserver;
    }
    let on_host = |path: &str| match (volume, path.strip_prefix("/tmp/docker-mailserver/")) {
        (Some(volume), Some(below)) => Some(volume.join(below)),
        (Some(_), None) => None,
        (None, _) => Some(PathBuf::from(path)),
    };
    let site = Site {
        // Runs everything here, and is a prefix all the same.
        prefix: if volume.is_some() { vec!["/usr/bin/env".to_owned()] } else { Vec::new() },
        compose: None,
        on_host: &on_host,
        state: scratch.path().to_path_buf(),
    };
    let steps = changes.iter().map(|change| Step { change: change.clone(), reasons: Vec::new() }).collect();
    let plan = Plan { title: "test".to_owned(), steps, ..Plan::default() };
    let prepared = Prepared::make(plan, &Layout::of(&facts), &site)?;
    assert!(!prepared.is_empty());
    let result = tried(&prepared, &site);
    let plans = fs::read_dir(scratch.path().join("plans"));
    assert_eq!(plans.map_or(0, Iterator::count), 0, "the copies are gone");
    result
}

/// What is complained of.
fn refused(volume: Option<&Path>, changes: &[Change]) -> Vec<Complaint> {
    match check(volume, changes) {
        Err(ApplyError::Refused(complaints)) => complaints,
        other => panic!("{other:?}"),
    }
}

fn is_told(complaints: &[Complaint], place: &str, line: &str, says: &str) {
    let found = complaints.iter().any(|complaint| {
        complaint.place.ends_with(place) && complaint.line.contains(line) && complaint.says.contains(says)
    });
    assert!(found, "{place} {line} {says}: {complaints:#?}");
}

fn lines(file: &str, add: &[&str]) -> Change {
    let add = add.iter().map(|line| (*line).to_owned()).collect();
    Change::Lines { file: file.to_owned(), remove: Vec::new(), add }
}

fn parameter(name: &str, value: &str) -> Change {
    Change::Parameter { name: name.to_owned(), value: Some(value.to_owned()) }
}

const POSTFIX: &[&str] = &["/usr/sbin/postconf", "/etc/postfix/main.cf"];

#[test]
fn a_sound_plan_is_taken() {
    if needs(POSTFIX) {
        let service = "smtp/inet".to_owned();
        let over = Change::Override {
            service,
            name: "smtpd_helo_required".to_owned(),
            value: Some("yes".to_owned()),
        };
        check(None, &[parameter("smtpd_timeout", "77s"), over]).unwrap();
    }
}

#[test]
fn lines_that_destroy_main_cf_are_refused_and_named() {
    if !needs(POSTFIX) {
        return;
    }
    let main = "/etc/postfix/main.cf";
    let count = fs::read_to_string(main).unwrap().lines().count();
    let poison = "reject_rbl_client zen.dnsbl.example";
    let complaints = refused(None, &[lines(main, &[poison])]);
    is_told(&complaints, &format!("main.cf:{}", count + 1), poison, "missing '='");
    let complaints = refused(None, &[lines(main, &["smtpd_frobnicate = yes"])]);
    is_told(
        &complaints,
        &format!("main.cf:{}", count + 1),
        "smtpd_frobnicate",
        "knows no parameter smtpd_frobnicate",
    );
    let complaints = refused(None, &[parameter("smtpd_frobnicate", "yes")]);
    is_told(&complaints, "", "smtpd_frobnicate", "knows no parameter smtpd_frobnicate");
    let complaints = refused(None, &[lines("/etc/postfix/master.cf", &["frobnicate inet n"])]);
    is_told(&complaints, "", "frobnicate inet n", "bad field count");
}

#[test]
fn tables_that_cannot_be_made_are_refused_and_named() {
    if !needs(&[POSTFIX, &["/usr/sbin/postmap"]].concat()) {
        return;
    }
    let table = "/etc/postfix/mailward-test-table";
    let named = parameter("transport_maps", &format!("hash:{table}"));
    check(None, &[lines(table, &["example.org smtp:[192.0.2.1]"]), named.clone()]).unwrap();
    let complaints = refused(None, &[lines(table, &["example.org smtp:[192.0.2.1]", "example.net"]), named]);
    is_told(&complaints, "mailward-test-table:2", "example.net", "expected format");
}

const DOVECOT: &[&str] = &["/usr/bin/doveconf", "/etc/dovecot/dovecot.conf"];

fn dovecot(name: &str, value: &str) -> Change {
    Change::Dovecot { blocks: Vec::new(), name: name.to_owned(), value: value.to_owned() }
}

/// A setting that the other generation alone knows.
fn foreign() -> Change {
    let said = Command::new("/usr/sbin/dovecot").arg("--version").output().unwrap();
    let is_old = said.stdout.starts_with(b"2.3") || said.stdout.starts_with(b"2.2");
    if is_old { dovecot("auth_username_format_chars", "x") } else { dovecot("disable_plaintext_auth", "yes") }
}

#[test]
fn dovecot_of_another_generation_is_refused_and_named() {
    if !needs(DOVECOT) {
        return;
    }
    check(None, &[dovecot("auth_verbose", "yes")]).unwrap();
    let Change::Dovecot { name, .. } = foreign() else { return };
    is_told(&refused(None, &[foreign()]), "", &name, "nknown setting");
    let complaints = refused(None, &[dovecot("imap_max_line_length", "a lot")]);
    is_told(&complaints, "", "imap_max_line_length", "Invalid size");
}

#[test]
fn a_rotation_that_logrotate_does_not_understand_is_refused_and_named() {
    if needs(&["/usr/sbin/logrotate"]) {
        let file = "/etc/logrotate.d/mailward-test";
        check(None, &[lines(file, &["/var/log/none {", "  missingok", "  weekly", "}"])]).unwrap();
        let complaints = refused(None, &[lines(file, &["/var/log/none {", "  missingok", "  weekkly", "}"])]);
        is_told(&complaints, "mailward-test:3", "weekkly", "weekkly");
    }
}

/// The published fix of the incident, over the volume of a docker-mailserver.
fn incident() -> Option<tempfile::TempDir> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures/dms-incident/overlay-published-fix/config");
    let Ok(entries) = fs::read_dir(&fixture) else {
        eprintln!("SKIPPED: {} is not there", fixture.display());
        return None;
    };
    let volume = tempfile::tempdir().unwrap();
    for entry in entries {
        let entry = entry.unwrap();
        fs::copy(entry.path(), volume.path().join(entry.file_name())).unwrap();
    }
    Some(volume)
}

fn without(path: &Path, start: &str) {
    let text = fs::read_to_string(path).unwrap();
    let kept: Vec<_> = text.lines().filter(|line| !line.starts_with(start)).collect();
    fs::write(path, kept.join("\n") + "\n").unwrap();
}

#[test]
fn a_poisoned_volume_is_refused_line_by_line() {
    let programs = [POSTFIX, DOVECOT, &["/usr/bin/fail2ban-client"]].concat();
    let (true, Some(volume)) = (needs(&programs), incident()) else { return };
    let volume = volume.path();
    let sound = [parameter("smtpd_timeout", "77s")];
    // The line without `=` is fatal, and Postfix says no more.
    is_told(
        &refused(Some(volume), &sound),
        "postfix-main.cf:10",
        "reject_rbl_client zen.spamhaus.org",
        "missing '='",
    );
    without(&volume.join("postfix-main.cf"), "reject_rbl_client");
    let complaints = refused(Some(volume), &sound);
    is_told(
        &complaints,
        "postfix-main.cf:7",
        "check_policy_service",
        "knows no parameter check_policy_service",
    );
    is_told(&complaints, "fail2ban-jail.cf:3", "filter = postfix-ssl", "postfix-ssl");
    without(&volume.join("postfix-main.cf"), "check_policy_service");
    fs::remove_file(volume.join("fail2ban-jail.cf")).unwrap();
    check(Some(volume), &sound).unwrap();
    // An override of a service, as docker-mailserver gives it to `postconf -P`.
    fs::write(
        volume.join("postfix-master.cf"),
        "# ours\nsmtp/inet/smtpd_timeout=10\nnothing/inet/smtpd_timeout=10\n",
    )
    .unwrap();
    is_told(
        &refused(Some(volume), &sound),
        "postfix-master.cf:3",
        "nothing/inet/smtpd_timeout",
        "unmatched service_name",
    );
    fs::remove_file(volume.join("postfix-master.cf")).unwrap();
    // Text of another Dovecot.
    let Change::Dovecot { name, value, .. } = foreign() else { return };
    fs::write(volume.join("dovecot.cf"), format!("auth_verbose = yes\n{name} = {value}\n")).unwrap();
    is_told(&refused(Some(volume), &sound), "dovecot.cf:2", &name, "nknown setting");
}

#[test]
fn rules_that_spamassassin_does_not_understand_are_refused_and_named() {
    let file = "/etc/spamassassin/local.cf";
    if !needs(&["/usr/bin/spamassassin", file]) {
        return;
    }
    check(None, &[lines(file, &["body OWN_MAILWARD /\\bcialis\\b/i"])]).unwrap();
    let complaints = refused(None, &[lines(file, &["body OWN_MAILWARD /unclosed(/"])]);
    is_told(&complaints, "", "body OWN_MAILWARD", "Unmatched (");
}

#[test]
fn perl_that_amavis_does_not_understand_is_refused_and_named() {
    let file = "/etc/amavis/conf.d/50-user";
    if !needs(&["/usr/bin/perl", "/usr/sbin/amavisd", file]) {
        return;
    }
    let setting = |name: &str, value: &str| Change::setting(file, "", name, value);
    check(None, &[setting("$sa_tag2_level_deflt", "5.0")]).unwrap();
    check(None, &[lines(file, &["push(@$banned_filename_re, qr'.\\.(js|vbs)$'i);"])]).unwrap();
    let complaints = refused(None, &[lines(file, &["push(@$banned_filename_re, qr'.\\.(js|vbs$'i);"])]);
    is_told(&complaints, "", "push(@$banned_filename_re", "Unmatched (");
    let complaints = refused(None, &[setting("$sa_tag2_level_deflt", "(5.0")]);
    is_told(&complaints, "", "$sa_tag2_level_deflt = (5.0;", "syntax error");
}
