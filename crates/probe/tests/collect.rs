//! Facts of this machine, and of a container that is stood in for by captured outputs.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails; what was not tested is told"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use mailward_audit::facts::Deployment;
use mailward_audit::{Facts, Known, Server, Severity, judge};
use mailward_probe::{Options, collect};

/// A copy of the incident's fixture with its private keys, or nothing when there is no fixture.
fn incident() -> Option<(tempfile::TempDir, Facts)> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/dms-incident");
    if !fixture.is_dir() {
        eprintln!("SKIPPED: no fixture at {}", fixture.display());
        return None;
    }
    let copy = tempfile::tempdir().unwrap();
    let status = Command::new(fixture.join("tools/unpack.sh")).arg(copy.path()).status().unwrap();
    assert!(status.success());
    let at = |path: &str| copy.path().join(path);
    let docker = fixture.join("tools/fake-docker.sh").canonicalize().unwrap();
    let options = Options {
        prefix: [docker.to_str().unwrap(), "exec", "-i", "mailserver"].map(str::to_owned).to_vec(),
        deployment: Deployment::DockerMailserver,
        config_dir: Some(at("docker-data/dms/config")),
        compose: Some(at("compose.yaml")),
        env: Some(at("mailserver.env")),
        logs: vec![at("docker-data/dms/mail-logs/mail.log")],
        ..Options::default()
    };
    let facts = collect(&options, &|_| {});
    Some((copy, facts))
}

#[test]
fn a_container_is_read_through_its_prefix() {
    let Some((_copy, facts)) = incident() else { return };
    assert!(facts.output("postconf -n").unwrap().contains("postscreen_greet_action = enforce"));
    assert!(facts.output("doveconf -n").unwrap().contains("ssl = required"));
    assert!(facts.output("fail2ban-client status postfix").unwrap().contains("Currently banned"));
    assert!(facts.output("cat /etc/dms-settings").unwrap().contains("ENABLE_QUOTAS='1'"));
    assert_eq!(facts.said.get("apk info -v"), Some(&Known::Absent), "nothing of that program was captured");
    assert!(
        matches!(facts.said.get("postconf -d"), Some(Known::Unread(_))),
        "the program is there, the capture is not"
    );
    assert!(
        matches!(facts.files.get("/etc/fail2ban"), Some(Known::Unread(_))),
        "{:?}",
        facts.files.get("/etc/fail2ban")
    );
    assert_eq!(facts.host.queue.known().unwrap().messages, []);
}

#[test]
fn what_a_container_mounts_is_read_on_this_machine() {
    let Some((_copy, facts)) = incident() else { return };
    assert!(facts.text("/compose/compose.yaml").unwrap().unwrap().contains("NET_ADMIN"));
    assert!(facts.text("/compose/mailserver.env").unwrap().unwrap().contains("TLS_LEVEL=modern"));
    assert_eq!(facts.text("/tmp/docker-mailserver/dovecot-quotas.cf").unwrap(), Some(""));
    assert!(facts.text("/tmp/docker-mailserver/spamassassin/local.cf").unwrap().is_some());
    assert!(
        facts
            .text("/etc/letsencrypt/live/mail.example.org/fullchain.pem")
            .unwrap()
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    assert!(facts.file("/etc/letsencrypt/live/mail.example.org/privkey.pem").unwrap().is_some());
    assert!(facts.file("/var/log/mail/mail.log").unwrap().unwrap().size > 100_000);
    assert!(facts.file("/tmp/docker-mailserver/opendkim/keys/example.org/mail.private").unwrap().is_some());
    assert!(Server::new(&facts).postfix().is_ok());
}

/// What files, queue, quota, backups, logs and versions have wrong, by id and severity.
fn found(facts: &Facts) -> Vec<(&'static str, Severity)> {
    let families = ["FIL", "QUE", "QTA", "BAK", "LOG", "VER"];
    let audit = judge(facts, |check| families.iter().any(|family| check.id.starts_with(family)));
    for result in &audit.results {
        eprintln!("{}: {:?}", result.check.id, result.judged);
    }
    audit.findings().into_iter().map(|(check, finding)| (check.id, finding.severity)).collect()
}

#[test]
fn the_incident_has_its_findings_and_no_others() {
    let Some((_copy, facts)) = incident() else { return };
    let mut found = found(&facts);
    // How full the disk of this machine is, is its own affair.
    found.retain(|(id, _)| *id != "QTA-006");
    assert_eq!(found, [("QTA-001", Severity::Medium), ("LOG-002", Severity::Info)]);
}

#[test]
fn no_secret_gets_into_facts() {
    let Some((copy, mut facts)) = incident() else { return };
    let saved = serde_json::to_string(&facts).unwrap();
    for secret in secrets(copy.path()) {
        assert!(!saved.contains(&secret), "{secret} is in the facts");
    }
    assert!(!saved.contains("PRIVATE KEY"));
    assert!(!saved.contains("a=rsa-sha256"), "what was signed for the round trip is nobody's to have");
    if let Known::Is(keys) = &mut facts.dns.signing {
        keys.iter_mut().for_each(|key| key.sample = None);
    }
    assert_eq!(serde_json::from_str::<Facts>(&saved).unwrap(), facts, "what was saved is what is read");
}

/// Lines of private keys, password hashes and the passwords themselves.
fn secrets(root: &Path) -> Vec<String> {
    let mut all: Vec<String> =
        ["correct-horse-Battery-47", "nebula.Quiet.Lantern.82", "velvet-Octopus-Drum-55"]
            .map(str::to_owned)
            .to_vec();
    for file in below(root) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if text.contains("PRIVATE KEY-----") {
            all.extend(
                text.lines().filter(|line| line.len() > 40 && !line.starts_with("-----")).map(str::to_owned),
            );
        }
        if file.ends_with("postfix-accounts.cf") {
            let hashes = text.lines().filter_map(|line| line.split('|').nth(1)?.rsplit('$').next());
            all.extend(hashes.map(str::to_owned));
        }
    }
    assert!(all.len() > 30, "the fixture has keys and accounts: {}", all.len());
    all
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

#[test]
fn this_machine_is_read() {
    let facts = collect(&Options::default(), &|_| {});
    assert!(matches!(facts.host.processes, Known::Is(ref all) if !all.is_empty()));
    assert!(facts.host.listeners.known().is_some());
    let file = facts.file("/etc/os-release").unwrap().unwrap();
    assert_eq!((file.owner.as_str(), file.link.as_deref()), ("root", Some("../usr/lib/os-release")));
}

/// Files with a password each, and what they say; mounted at the places where people have them.
const PASSWORDS: [(&str, &str); 12] = [
    ("dovecot/users", "alice@example.org:{PLAIN}S3cret-1:1000:1000::/home\nbob@example.org:S3cret-2::::\n"),
    ("dovecot/dovecot-sql.conf.ext", "connect = host=db user=mail password=S3cret-3 dbname=mail\n"),
    ("dovecot/dovecot-ldap.conf.ext", "dnpass = S3cret-4\n"),
    ("dovecot/conf.d/99-own.conf", "doveadm_password = S3cret-5\nplugin {\n  x_api_key = \"S3cret 6\"\n}\n"),
    ("postfix/sasl_passwd", "[relay.example]:587 me@example.org:S3cret-7\n"),
    ("postfix/mysql.cf", "user = mail\npassword = S3cret-8\n"),
    ("postfix/key.cf", "-----BEGIN RSA PRIVATE KEY-----\nS3cret-9\n-----END RSA PRIVATE KEY-----\n"),
    ("letsencrypt/live/a.example/privkey.pem", "S3cret-10\n"),
    ("rspamd/local.d/worker-controller.inc", "password = \"S3cret-11\";\n"),
    ("config/postfix-accounts.cf", "alice@example.org|{SHA512-CRYPT}$6$S3cret-12$S3cret-13\n"),
    ("config/postfix-sasl-password.cf", "@example.org me:S3cret-14\n"),
    (".env", "RELAY_PASSWORD=S3cret-15\nDB_URL=mysql://mail:S3cret-16@db/mail\n"),
];

#[test]
fn passwords_stay_where_they_are() {
    let place = tempfile::tempdir().unwrap();
    let at = |path: &str| place.path().join(path);
    for (path, text) in PASSWORDS {
        std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        std::fs::write(at(path), text).unwrap();
    }
    let directories = ["dovecot", "postfix", "letsencrypt", "rspamd"]
        .map(|name| format!("      - ./{name}:/etc/{name}:ro\n"))
        .concat();
    let compose = format!(
        "services:\n  mail:\n    environment:\n      - LDAP_BIND_PW=S3cret-17\n    volumes:\n{directories}"
    );
    std::fs::write(at("compose.yaml"), compose).unwrap();
    let options = Options {
        prefix: vec!["/usr/bin/env".to_owned()],
        deployment: Deployment::DockerMailserver,
        config_dir: Some(at("config")),
        compose: Some(at("compose.yaml")),
        ..Options::default()
    };
    let facts = collect(&options, &|_| {});
    let saved = serde_json::to_string(&facts).unwrap();
    let leaks: Vec<&str> = saved
        .match_indices("S3cret")
        .filter_map(|(at, _)| saved.get(at.saturating_sub(60)..at + 12))
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    let text = |path: &str| facts.text(path).unwrap().unwrap().to_owned();
    assert_eq!(
        text("/etc/dovecot/users"),
        "alice@example.org:{PLAIN}***:1000:1000::/home\nbob@example.org:***::::\n"
    );
    assert_eq!(text("/etc/postfix/sasl_passwd"), "[relay.example]:587 me@example.org:***\n");
    assert!(text("/compose/.env").contains("RELAY_PASSWORD=***"));
    assert!(text("/compose/compose.yaml").contains("LDAP_BIND_PW=***"));
}

/// `env` is a prefix that leads to this very machine.
#[test]
fn through_a_prefix_all_is_as_it_is() {
    let here = collect(&Options::default(), &|_| {});
    let prefix = vec!["/usr/bin/env".to_owned()];
    let behind = collect(&Options { prefix, ..Options::default() }, &|_| {});
    let mut compared = 0;
    for (path, file) in
        here.files.iter().filter(|(path, _)| path.starts_with("/etc/") || path.starts_with("/usr/"))
    {
        assert_eq!(behind.files.get(path), Some(file), "{path}");
        compared += 1;
    }
    eprintln!("{compared} files are the same");
    assert!(compared > 100);
    let quiet = ["postconf -n", "doveconf -n", "openssl version", "dpkg-query -W"];
    for command in quiet {
        assert_eq!(behind.said.get(command), here.said.get(command), "{command}");
    }
    assert_eq!(behind.said.get("apk info -v"), here.said.get("apk info -v"), "a program that is not there");
    assert_eq!(behind.host.addresses, here.host.addresses);
    assert_eq!(behind.host.packages, here.host.packages);
    let named = |facts: &Facts| {
        facts.host.processes.known().unwrap().iter().any(|process| process.name.starts_with("collect"))
    };
    assert!(named(&here) && named(&behind), "this test runs");
}
