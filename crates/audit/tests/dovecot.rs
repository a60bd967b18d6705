//! The model of Dovecot's configuration: both generations, the files behind it, and the Dovecot of this machine.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails; what was not tested is told"
)]

use std::path::Path;
use std::process::Command;

use mailward_audit::dovecot::{Block, Dovecot, Socket, Version};
use mailward_audit::facts::{File, Known, Said};
use mailward_audit::{Facts, Untold};
use proptest::prelude::*;

const OLD: &str = "\
# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf
# Pigeonhole version 0.5.19 (4eae2f79)
auth_mechanisms = plain login
disable_plaintext_auth = no
mail_location = maildir:/var/mail/%d/%n:INDEX=/var/idx
passdb {
  args = scheme=SHA512-CRYPT username_format=%u /etc/dovecot/userdb
  driver = passwd-file
}
plugin {
  sieve_extensions = +vnd.dovecot.pipe
}
protocols = \" imap lmtp\"
service auth {
  unix_listener auth-userdb {
    mode = 0666
  }
  unix_listener /var/spool/postfix/private/auth {
    group = postfix
    mode = 0660
    user = postfix
  }
}
service doveadm {
  inet_listener {
    address = 127.0.0.1
    port = 24245
  }
}
service imap-login {
  inet_listener imap {
    port = 0
  }
}
ssl = required
ssl_cert = </etc/ssl/mail.pem
ssl_key = # hidden, use -P to show it
protocol !imap {
  mail_debug = yes
}
protocol imap {
  mail_max_userip_connections = 40
}
local 192.0.2.0/24 {
  ssl = no
}
local 192.0.2.0/24 {
  protocol imap {
    disable_plaintext_auth = yes
  }
}
";

const NEW: &str = "\
# 2.4.1-4 (7d8c0e5759): /etc/dovecot/dovecot.conf
# Pigeonhole version 2.4.1-4 (0a86619f)
dovecot_config_version = 2.4.1
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = ~/Maildir
protocols {
  imap = yes
  pop3 = no
  lmtp = yes
}
passdb passwd-file {
  default_password_scheme = ARGON2ID
  passwd_file_path = /etc/dovecot/users
}
passdb first {
  driver = pam
}
namespace inbox {
  mailbox Drafts {
    special_use = \"\\\\Drafts\"
  }
}
service imap-login {
  inet_listener imap {
  }
  inet_listener imaps {
    port = 993
    ssl = yes
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
ssl_server {
  cert_file = /etc/ssl/mail.pem
  prefer_ciphers = server
}
";

fn facts(text: &str) -> Facts {
    let mut facts = Facts::default();
    facts.said.insert("doveconf -n".to_owned(), Known::Is(Said::ok(text)));
    facts
}

fn dovecot(text: &str) -> Dovecot {
    Dovecot::read(&facts(text)).unwrap()
}

/// `name` is `value`, in either generation's words.
fn check(dovecot: &Dovecot, settings: &[(&str, Option<&str>)]) {
    for (name, value) in settings {
        assert_eq!(dovecot.setting(name), *value, "{name}");
    }
}

#[test]
fn settings_answer_to_the_names_of_both_generations() {
    let old = dovecot(OLD);
    assert_eq!(old.version(), Version(2, 3, 19));
    check(
        &old,
        &[
            ("disable_plaintext_auth", Some("no")),
            ("auth_allow_cleartext", Some("yes")),
            ("ssl_cert", Some("</etc/ssl/mail.pem")),
            ("ssl_server_cert_file", Some("/etc/ssl/mail.pem")),
            ("ssl_server_prefer_ciphers", Some("client")),
            ("mail_driver", Some("maildir")),
            ("mail_path", Some("/var/mail/%d/%n")),
            ("sieve_extensions", Some("+vnd.dovecot.pipe")),
            ("auth_failure_delay", Some("2 secs")),
            ("protocols", Some(" imap lmtp")),
            ("no_such_setting", None),
        ],
    );
    let new = dovecot(NEW);
    assert_eq!(new.version(), Version(2, 4, 1));
    check(
        &new,
        &[
            ("disable_plaintext_auth", Some("no")),
            ("auth_allow_cleartext", Some("yes")),
            ("ssl_cert", Some("</etc/ssl/mail.pem")),
            ("ssl_server_cert_file", Some("/etc/ssl/mail.pem")),
            ("ssl_prefer_server_ciphers", Some("yes")),
            ("protocols", Some("imap lmtp")),
            ("ssl", Some("yes")),
        ],
    );
    assert_eq!(
        (old.name("ssl_server_cert_file"), new.name("ssl_cert")),
        ("ssl_cert", "ssl_server_cert_file")
    );
}

#[test]
fn protocols_and_networks_narrow_a_setting() {
    let old = dovecot(OLD);
    assert_eq!(old.in_protocol("imap", "mail_max_userip_connections"), Some("40"));
    assert_eq!(old.in_protocol("pop3", "mail_max_userip_connections"), Some("10"));
    assert_eq!(old.in_protocol("imap", "mail_debug"), Some("no"));
    assert_eq!(old.in_protocol("lmtp", "mail_debug"), Some("yes"));
    let values = |name| -> Vec<_> {
        old.values(name).into_iter().map(|value| (value.scope, value.value, value.default)).collect()
    };
    assert_eq!(
        values("ssl"),
        [(String::new(), "required", false), ("local 192.0.2.0/24".to_owned(), "no", false)]
    );
    assert_eq!(
        values("auth_allow_cleartext"),
        [(String::new(), "yes", false), ("local 192.0.2.0/24 protocol imap".to_owned(), "no", false)]
    );
}

#[test]
fn databases_tell_their_driver_file_and_scheme() {
    let shown = |dovecot: &Dovecot| -> Vec<_> {
        let databases = dovecot.passdbs();
        let shown = |db: &mailward_audit::dovecot::Database| {
            format!("{} {:?} {:?}", db.driver, db.path(), db.scheme())
        };
        databases.iter().map(shown).collect()
    };
    assert_eq!(shown(&dovecot(OLD)), [r#"passwd-file Some("/etc/dovecot/userdb") Some("SHA512-CRYPT")"#]);
    assert_eq!(
        shown(&dovecot(NEW)),
        [r#"passwd-file Some("/etc/dovecot/users") Some("ARGON2ID")"#, "pam None None"]
    );
}

#[test]
fn sockets_are_those_of_the_configuration_over_those_dovecot_has() {
    let shown = |text: &str| -> Vec<_> {
        let listeners = dovecot(text).listeners();
        let shown = |listener: &mailward_audit::dovecot::Listener| match &listener.socket {
            Socket::Inet { port, addresses, tls, .. } => {
                Some(format!("{} {port} {} {tls}", listener.service, addresses.join(" ")))
            }
            Socket::Unix { mode, user, .. } if listener.explicit => {
                Some(format!("{} {} {mode:o} {user}", listener.service, listener.name))
            }
            Socket::Unix { .. } => None,
        };
        listeners.iter().filter_map(shown).collect()
    };
    assert_eq!(
        shown(OLD),
        [
            "auth auth-userdb 666 ",
            "auth /var/spool/postfix/private/auth 660 postfix",
            "doveadm 24245 127.0.0.1 false",
            "imap-login 993 * :: true",
        ]
    );
    assert_eq!(
        shown(NEW),
        [
            "auth /var/spool/postfix/private/auth 666 ",
            "imap-login 143 * :: false",
            "imap-login 993 * :: true"
        ]
    );
}

#[test]
fn the_last_line_read_wins_and_the_others_are_known() {
    let mut facts = facts(OLD);
    let files = [
        (
            "/etc/dovecot/dovecot.conf",
            "protocols = imap\n!include conf.d/*.conf\n!include_try local.conf\n!include_try none.conf\n",
        ),
        (
            "/etc/dovecot/conf.d/10-auth.conf",
            "# disable_plaintext_auth = maybe\ndisable_plaintext_auth = yes # sound\n!include auth-x.conf.ext\n",
        ),
        ("/etc/dovecot/conf.d/auth-x.conf.ext", "passdb {\n  driver = pam\n}\n"),
        ("/etc/dovecot/conf.d/99-local.conf", "protocol imap {\n  ssl = no\n}\nssl = \"required\"\n"),
        ("/etc/dovecot/conf.d/.hidden.conf", "ssl = hidden\n"),
        ("/etc/dovecot/local.conf", "auth_allow_cleartext=yes\n!include local.conf\n"),
    ];
    for (path, text) in files {
        facts.files.insert(path.to_owned(), Known::Is(File::of(text)));
    }
    let dovecot = Dovecot::read(&facts).unwrap();
    let lines = |name| -> Vec<_> {
        dovecot.history(name).iter().map(|line| format!("{} {}", line.place(), line.text())).collect()
    };
    let auth = lines("disable_plaintext_auth");
    assert_eq!(auth.first().unwrap(), "/etc/dovecot/conf.d/10-auth.conf:2 disable_plaintext_auth = yes");
    assert_eq!(auth.last().unwrap(), "/etc/dovecot/local.conf:1 auth_allow_cleartext = yes");
    assert_eq!(lines("ssl"), ["/etc/dovecot/conf.d/99-local.conf:4 ssl = required"]);
    let scoped = dovecot.assignments().iter().find(|line| line.key == "driver").unwrap();
    assert_eq!((scoped.scope.as_slice(), scoped.line), (["passdb".to_owned()].as_slice(), 2));
}

#[test]
fn without_doveconf_nothing_is_told() {
    assert!(matches!(Dovecot::read(&Facts::default()), Err(Untold::CouldNotTell(_))));
    assert!(matches!(Dovecot::read(&facts("garbage")), Err(Untold::CouldNotTell(_))));
}

/// What the real one prints, in its own environment.
fn doveconf(arguments: &[&str]) -> Option<String> {
    let path = "/usr/bin/doveconf";
    if !Path::new(path).exists() {
        eprintln!("SKIPPED: no {path} (apt-get install dovecot-core)");
        return None;
    }
    let output = Command::new(path).args(arguments).output().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Our defaults are those of the Dovecot that is here, except where a distribution changes them.
#[test]
fn defaults_are_those_of_the_real_dovecot() {
    let Some(said) = doveconf(&["-d"]) else { return };
    let text =
        format!("{}\n", said.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n"));
    let ours = dovecot(&text);
    if ours.is_modern() {
        eprintln!("SKIPPED: defaults of 2.3 against Dovecot {}", ours.version());
        return;
    }
    let mut compared = 0;
    for (name, value) in
        said.lines().filter_map(|line| line.split_once(" = ")).filter(|(name, _)| !name.starts_with(' '))
    {
        if ["login_greeting", "protocols"].contains(&name) {
            continue;
        }
        if let Some(own) = ours.default(name) {
            compared += 1;
            assert_eq!(own, value.trim_matches('"'), "{name}");
        }
    }
    assert!(compared > 30, "only {compared} compared");
}

/// Every setting that the real one prints is read as it prints it.
#[test]
fn the_real_configuration_is_read_whole() {
    let Some(said) = doveconf(&["-n"]) else { return };
    let dovecot = dovecot(&said);
    for line in said.lines().filter(|line| !line.starts_with([' ', '#', '}'])) {
        if let Some((name, value)) = line.split_once(" = ").filter(|(name, _)| !name.contains(' ')) {
            let value = value.trim();
            let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            assert_eq!(dovecot.setting(name), Some(bare), "{name}");
        }
    }
    assert!(!dovecot.passdbs().is_empty() && dovecot.root().of("namespace").count() > 0);
}

/// A tree as `doveconf` prints it.
fn printed(block: &Block, indent: usize, out: &mut String) {
    use std::fmt::Write as _;
    let margin = " ".repeat(indent);
    for (key, value) in &block.settings {
        let _ = writeln!(out, "{margin}{key} = {value}");
    }
    for inner in &block.blocks {
        let _ = writeln!(out, "{margin}{} {{", inner.title());
        printed(inner, indent + 2, out);
        let _ = writeln!(out, "{margin}}}");
    }
}

fn trees() -> impl Strategy<Value = Block> {
    let settings =
        || proptest::collection::vec(("[a-z_]{1,12}", "[a-z0-9/*:.][a-z0-9/ *:%{}|=+.]{0,20}[a-z0-9]"), 0..5);
    let name = "([a-z0-9][a-z0-9./ :!]{0,12}[a-z0-9])?";
    let leaf = ("[a-z_]{1,10}", name, settings()).prop_map(|(kind, name, settings)| Block {
        kind,
        name,
        settings,
        blocks: Vec::new(),
    });
    let tree = leaf.prop_recursive(3, 20, 4, move |inner| {
        ("[a-z_]{1,10}", name, settings(), proptest::collection::vec(inner, 0..4))
            .prop_map(|(kind, name, settings, blocks)| Block { kind, name, settings, blocks })
    });
    proptest::collection::vec(tree, 0..4).prop_map(|blocks| Block { blocks, ..Block::default() })
}

proptest! {
    /// What was printed is read back as it was.
    #[test]
    fn a_printed_tree_is_read_back(tree in trees()) {
        let mut text = String::new();
        printed(&tree, 0, &mut text);
        prop_assert_eq!(Block::parse(&text), tree);
    }

    /// Whatever a file or `doveconf` holds, something is read or nothing is told.
    #[test]
    fn any_text_is_read(text in "(# 2\\.[34]\\.1 \\(x\\): /etc/d\n)?([a-z!=\"' {}#<\\\\\n]|service|include|passdb|é){0,80}") {
        let mut facts = facts(&text);
        facts.files.insert("/etc/d".to_owned(), Known::Is(File::of(text)));
        if let Ok(dovecot) = Dovecot::read(&facts) {
            let _ = (dovecot.listeners(), dovecot.passdbs(), dovecot.values("ssl"), dovecot.protocols());
        }
    }
}
