//! What checks say of Dovecot's settings is what the Dovecot of this machine does with them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails; what was not tested is told"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mailward_audit::facts::{Known, Said};
use mailward_audit::{Facts, Outcome, Server, find};

const DOVECOT: &str = "/usr/sbin/dovecot";
const CERTIFICATE: &str = "/etc/dovecot/private/dovecot.pem";

/// An address of this machine that connections to it do not come from: Dovecot takes a client with its own address for secured.
const ADDRESS: &str = "127.0.0.2";

/// A Dovecot of our own, stopped at the end.
struct Running {
    directory: PathBuf,
    port: u16,
}

impl Running {
    fn start(directory: &Path, settings: &str) -> Self {
        let port = TcpListener::bind((ADDRESS, 0)).unwrap().local_addr().unwrap().port();
        let root = directory.display();
        let text = format!(
            "base_dir = {root}/run\nstate_dir = {root}/run\nlog_path = {root}/log\nlisten = {ADDRESS}\nprotocols = imap\n\
             ssl_cert = <{CERTIFICATE}\nssl_key = </etc/dovecot/private/dovecot.key\nmail_location = maildir:{root}/mail\n\
             passdb {{\n  driver = static\n  args = password=x\n}}\nservice imap-login {{\n  inet_listener imap {{\n    port = {port}\n  }}\n  \
             inet_listener imaps {{\n    port = 0\n  }}\n}}\n{settings}"
        );
        fs::write(directory.join("dovecot.conf"), text).unwrap();
        let running = Self { directory: directory.to_path_buf(), port };
        // It comes back when it listens.
        assert!(running.command(DOVECOT, &[]).status().unwrap().success(), "{settings}");
        running
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.directory.join("dovecot.conf")).args(arguments);
        command
    }

    fn greeting(&self) -> String {
        let stream = TcpStream::connect((ADDRESS, self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert!(line.starts_with("* OK"), "{line}");
        line
    }

    /// Its effective configuration, as facts. Loopback stands for an address that others reach.
    fn facts(&self) -> Facts {
        let output = self.command("/usr/bin/doveconf", &["-n"]).output().unwrap();
        let said =
            String::from_utf8(output.stdout).unwrap().replace(&format!("listen = {ADDRESS}"), "listen = *");
        let mut facts = Facts::default();
        facts.said.insert("doveconf -n".to_owned(), Known::Is(Said::ok(said)));
        facts
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let stopped = self.command(DOVECOT, &["stop"]).status();
        assert!(stopped.is_ok_and(|status| status.success()), "Dovecot does not stop");
    }
}

fn can_run() -> bool {
    let root = Command::new("/usr/bin/id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let old =
        Command::new(DOVECOT).arg("--version").output().is_ok_and(|output| output.stdout.starts_with(b"2.3"));
    let can = root && old && Path::new(CERTIFICATE).exists();
    if !can {
        eprintln!("SKIPPED: needs root, Dovecot 2.3 and {CERTIFICATE} (apt-get install dovecot-imapd)");
    }
    can
}

fn fails(id: &str, facts: &Facts) -> bool {
    let (_, check) = find(id).unwrap();
    matches!((check.judge)(&Server::new(facts)), Ok(Outcome::Fail(_)))
}

/// Settings, whether Dovecot takes a password in clear with them, and the check that must say so.
#[test]
fn passwords_in_clear_are_found_exactly_where_dovecot_takes_them() {
    if !can_run() {
        return;
    }
    let cases = [
        ("disable_plaintext_auth = yes\nssl = no\n", None),
        ("disable_plaintext_auth = yes\nssl = yes\n", None),
        ("disable_plaintext_auth = yes\nssl = required\n", None),
        ("disable_plaintext_auth = no\nssl = required\n", None),
        ("disable_plaintext_auth = no\nssl = no\n", Some("DOV-001")),
        ("disable_plaintext_auth = no\nssl = yes\n", Some("DOV-001")),
        ("ssl = required\nprotocol imap {\n  ssl = yes\n  disable_plaintext_auth = no\n}\n", Some("DOV-001")),
        ("ssl = yes\nlocal 127.0.0.0/8 {\n  disable_plaintext_auth = no\n}\n", Some("DOV-001")),
        ("ssl = required\nlogin_trusted_networks = 0.0.0.0/0\n", Some("DOV-003")),
    ];
    std::thread::scope(|scope| {
        for (settings, found) in cases {
            scope.spawn(move || check(settings, found));
        }
    });
}

fn check(settings: &str, found: Option<&str>) {
    let directory = tempfile::tempdir().unwrap();
    // Dovecot's login processes are not root's.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(directory.path(), mode).unwrap();
    let dovecot = Running::start(directory.path(), settings);
    let taken = !dovecot.greeting().contains("LOGINDISABLED");
    assert_eq!(taken, found.is_some(), "Dovecot with {settings}");
    let facts = dovecot.facts();
    for id in ["DOV-001", "DOV-003"] {
        assert_eq!(fails(id, &facts), found == Some(id), "{id} with {settings}");
    }
}

/// A sound configuration.
const SOUND: &str = "\
auth_verbose = yes
first_valid_uid = 5000
mail_location = maildir:/var/mail/vhosts/%d/%n
passdb {
  driver = passwd-file
  args = scheme=SHA512-CRYPT username_format=%u /etc/dovecot/users
}
protocols = imap
service imap-login {
  inet_listener imap {
    port = 0
  }
}
ssl = required
ssl_cert = </etc/ssl/certs/mail.pem
ssl_key = </etc/ssl/private/mail.key
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/var/mail/vhosts/%d/%n
}
";

/// One change each, as people write it, and the check that must say so.
const WEAKENED: &[(&str, &str)] = &[
    ("DOV-002", "ssl = yes"),
    ("DOV-002", "ssl = no"),
    ("DOV-003", "login_trusted_networks = 0.0.0.0/0"),
    ("DOV-004", "auth_verbose_passwords = plain"),
    ("DOV-004", "auth_debug_passwords = yes"),
    ("DOV-005", "auth_verbose = no"),
    ("DOV-006", "auth_failure_delay = 0"),
    ("DOV-006", "service anvil {\n unix_listener anvil-auth-penalty {\n mode = 0\n }\n}"),
    ("DOV-007", "auth_cache_size = 10M\nauth_cache_negative_ttl = 1 days"),
    ("DOV-008", "service imap-login {\n inet_listener imap {\n port = 143\n }\n}"),
    ("DOV-010", "login_greeting = Dovecot 2.3.19 ready."),
    ("DOV-010", "imap_id_send = *"),
    ("DOV-011", "passdb {\n driver = passwd-file\n master = yes\n args = /etc/dovecot/masters\n}"),
    ("DOV-012", "passdb {\n driver = static\n args = nopassword=y\n}"),
    ("DOV-012", "auth_mechanisms = plain anonymous"),
    ("DOV-013", "service auth {\n unix_listener auth-client {\n mode = 0666\n }\n}"),
    ("DOV-014", "service doveadm {\n inet_listener {\n port = 24245\n }\n}"),
    ("DOV-014", "service stats {\n inet_listener http {\n port = 9900\n }\n}"),
    ("DOV-015", "mail_max_userip_connections = 0"),
    ("DOV-015", "protocol imap {\n mail_max_userip_connections = 500\n}"),
    ("DOV-016", "first_valid_uid = 0"),
    ("DOV-018", "passdb {\n driver = passwd-file\n args = scheme=PLAIN /etc/dovecot/old\n}"),
    ("DOV-020", "ssl_protocols = !SSLv3"),
    ("DOV-020", "auth_allow_cleartext = no"),
    ("DOV-022", "mail_debug = yes"),
    ("DOV-022", "auth_debug = yes"),
    ("DOV-022", "protocol imap {\n mail_debug = yes\n}"),
    ("DOV-025", "auth_username_chars ="),
    ("ACC-018", "passdb {\n driver = pam\n}"),
];

/// Every change is found in what the real `doveconf -n` makes of it, and nothing else is.
#[test]
fn a_planted_weakness_is_found_and_no_other() {
    if !can_run() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let failing = |change: &str| -> Vec<&str> {
        let path = directory.path().join("dovecot.conf");
        fs::write(&path, format!("{SOUND}{change}\n")).unwrap();
        let output = Command::new("/usr/bin/doveconf").arg("-n").arg("-c").arg(&path).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        let said = Said { status: output.status.code(), stdout, stderr, truncated: false };
        let mut facts = Facts::default();
        facts.said.insert("doveconf -n".to_owned(), Known::Is(said));
        let families =
            mailward_audit::FAMILIES.iter().filter(|family| ["DOV", "ACC"].contains(&family.prefix));
        let checks = families.flat_map(|family| family.checks).filter(|check| fails(check.id, &facts));
        // Every server with passwords alone has this one.
        checks.map(|check| check.id).filter(|id| *id != "ACC-020").collect()
    };
    assert_eq!(failing(""), Vec::<&str>::new(), "a sound configuration");
    for (id, change) in WEAKENED {
        assert_eq!(failing(change), [*id], "{change}");
    }
}
