//! Hosts as trees of files, and this one.

use std::fs;
use std::path::Path;

use super::*;

/// A host with these files below a directory of its own, which goes when this does.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = tree.host().path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree
    }

    fn host(&self) -> Host {
        Host::at(self.0.path())
    }
}

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn paths(logs: &[Log]) -> Vec<&str> {
    logs.iter().map(|log| log.path.to_str().unwrap()).collect()
}

/// The logs of a host with these files, and whether the journal is read.
fn check(files: &[(&str, &str)], logs: &[&str], journal: bool) {
    let tree = Tree::new(files);
    let found = look(&tree.host(), None);
    assert_eq!((paths(&found.logs), found.journal), (logs.to_vec(), journal), "{files:?}\n{found:#?}");
}

const POSTFIX: (&str, &str) = ("/etc/postfix/main.cf", "mynetworks = 127.0.0.0/8\n");
const DOVECOT: (&str, &str) = ("/etc/dovecot/dovecot.conf", "!include conf.d/*.conf\n");
const RSYSLOG: (&str, &str) = ("/usr/sbin/rsyslogd", "");
const JOURNAL: (&str, &str) = ("/var/log/journal/machine/system.journal", "");

#[test]
fn logs_are_where_they_are_written() {
    let debian =
        "auth,authpriv.*\t/var/log/auth.log\nmail.*\t\t\t-/var/log/mail.log\nmail.err /var/log/mail.err\n";
    let debian = ("/etc/rsyslog.conf", debian);
    // Debian, before and after the first line.
    check(&[POSTFIX, DOVECOT, RSYSLOG, debian], &["/var/log/mail.log"], false);
    check(&[POSTFIX, DOVECOT, RSYSLOG, debian, ("/var/log/mail.log", "x")], &["/var/log/mail.log"], false);
    // Somewhere else by rsyslog.
    let other = ("/etc/rsyslog.d/20-mail.conf", "mail.* -/srv/log/mail\n");
    check(&[POSTFIX, RSYSLOG, debian, other, ("/srv/log/mail", "x")], &["/srv/log/mail"], false);
    // Red Hat, SUSE.
    check(&[POSTFIX, RSYSLOG, ("/var/log/maillog", "x")], &["/var/log/maillog"], false);
    check(&[POSTFIX, RSYSLOG, ("/var/log/mail", "x")], &["/var/log/mail"], false);
    // Debian 12 without rsyslog; and with the file that it left behind.
    check(&[POSTFIX, DOVECOT, JOURNAL], &[], true);
    check(&[POSTFIX, DOVECOT, JOURNAL, ("/var/log/mail.log", "old")], &[], true);
    check(&[POSTFIX, JOURNAL, RSYSLOG, ("/var/log/mail.log", "x")], &["/var/log/mail.log"], false);
    // postlogd, and Dovecot's own files.
    let own = ("/etc/postfix/main.cf", "maillog_file = /var/log/postfix.log\n");
    let files = (
        "/etc/dovecot/conf.d/10-logging.conf",
        "#log_path = syslog\nlog_path = /var/log/dovecot.log # all\ninfo_log_path = /var/log/dovecot-info.log\n",
    );
    check(
        &[own, DOVECOT, files],
        &["/var/log/postfix.log", "/var/log/dovecot.log", "/var/log/dovecot-info.log"],
        false,
    );
    let standard_output = ("/etc/postfix/main.cf", "maillog_file = /dev/stdout\n");
    check(&[standard_output], &[], false);
    check(&[], &[], false);
}

#[test]
fn mynetworks_in_every_spelling() {
    let main = "# mynetworks = 0.0.0.0/0\nmynetworks = 127.0.0.0/8, [::ffff:127.0.0.0]/104\n\t[::1]/128\n# between\n  192.0.2.7 198.51.100.9/24 /etc/postfix/more\n  cidr:/etc/postfix/table !192.0.2.8 0.0.0.0/0\n";
    let tree = Tree::new(&[
        ("/etc/postfix/main.cf", main),
        ("/etc/postfix/more", "# more\n[2001:db8::]/48 OK\n203.0.113.4\n"),
    ]);
    let found = look(&tree.host(), None);
    let expected = ["127.0.0.0/8", "::1", "192.0.2.7", "198.51.100.0/24", "2001:db8::/48", "203.0.113.4"];
    assert_eq!(found.postfix.unwrap().mynetworks, networks(&expected));
    assert_eq!(found.notes.len(), 3, "the table, the exclusion and the open relay: {:?}", found.notes);
}

const COMPOSE: &str =
    "services:\n  mailserver:\n    image: ghcr.io/docker-mailserver/docker-mailserver:15.1.0\n    volumes:\n";

#[test]
fn docker_mailserver_by_its_compose_file() {
    for (path, volume, log) in [
        (
            "/opt/mail/compose.yaml",
            "- ./docker-data/dms/mail-logs/:/var/log/mail/",
            Some("/opt/mail/docker-data/dms/mail-logs/mail.log"),
        ),
        ("/srv/docker-compose.yml", "- \"/data/logs:/var/log/mail:z\"", Some("/data/logs/mail.log")),
        (
            "/home/jo/Mail/compose.yml",
            "- mail-logs:/var/log/mail",
            Some("/var/lib/docker/volumes/mail_mail-logs/_data/mail.log"),
        ),
        ("/root/x/compose.yaml", "- ../logs:/var/log/mail/", Some("/root/logs/mail.log")),
        (
            "/root/x/compose.yaml",
            "- type: bind\n        source: /a/b\n        target: /var/log/mail/",
            Some("/a/b/mail.log"),
        ),
        ("/root/x/compose.yaml", "- ${DATA}/logs:/var/log/mail/", None),
        ("/root/x/compose.yaml", "- ./mail:/var/mail", None),
    ] {
        let tree = Tree::new(&[(path, &format!("{COMPOSE}      {volume}\n"))]);
        let found = look(&tree.host(), None);
        assert_eq!(found.containers.len(), 1, "{path}");
        assert_eq!(found.containers[0].image, "ghcr.io/docker-mailserver/docker-mailserver:15.1.0");
        assert_eq!(paths(&found.logs), log.into_iter().collect::<Vec<_>>(), "{volume}");
        assert_eq!(found.notes.len(), usize::from(log.is_none()), "{volume}");
    }
    let other = Tree::new(&[(
        "/opt/x/compose.yaml",
        "services:\n  web:\n    image: example/docker-mailserver-admin:1\n",
    )]);
    assert!(look(&other.host(), None).containers.is_empty());
}

#[test]
fn what_users_write_is_not_believed_without_a_person() {
    let tree = Tree::new(&[("/home/jo/compose.yaml", &format!("{COMPOSE}      - ./logs:/var/log/mail\n"))]);
    let host = tree.host();
    let file = host.path("/home/jo/compose.yaml");
    if std::os::unix::fs::chown(&file, Some(12_345), None).is_err() {
        eprintln!("SKIPPED: what_users_write_is_not_believed_without_a_person needs root");
        return;
    }
    assert_eq!(look(&host, None).logs.len(), 1, "a person sees it");
    let specs = specs(&Sources::default(), &host);
    assert_eq!(specs, [Spec::File(logs::USUAL.into())], "the daemon does not take it by itself");
}

#[test]
fn settings_come_before_what_is_found() {
    let tree = Tree::new(&[POSTFIX, RSYSLOG, ("/var/log/mail.log", "x")]);
    let set = Sources { files: Auto::Set(vec!["/a".into()]), journal: Auto::Set(true), ..Sources::default() };
    let matches = set.journal_matches.clone();
    assert_eq!(
        specs(&set, &tree.host()),
        [Spec::File("/a".into()), Spec::Journal { matches, directory: None }]
    );
    let auto = specs(&Sources::default(), &tree.host());
    assert_eq!(auto, [Spec::File("/var/log/mail.log".into())]);
}

const TRIE: &str = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 192.0.2.0
        /24 link UNICAST
     |-- 192.0.2.2
        /32 host LOCAL
Local:
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 172.18.0.1
        /32 host LOCAL
     |-- 192.0.2.2
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
";

const ROUTE: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n\
    eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n\
    eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n\
    br-1f2e\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\n";

#[test]
fn addresses_of_the_kernel_tables() {
    let tree = Tree::new(&[
        ("/proc/net/fib_trie", TRIE),
        (
            "/proc/net/if_inet6",
            "20010db8000000000000000000000002 02 40 00 80 eth0\nfe800000000000000000000000000001 02 40 20 80 eth0\n00000000000000000000000000000001 01 80 10 80 lo\n",
        ),
        ("/proc/net/route", ROUTE),
        (
            "/proc/net/ipv6_route",
            "20010db8000100000000000000000000 40 0 0 0 0 0 0 0 br-1f2e\n20010db8000200000000000000000000 40 0 0 0 0 0 0 0 eth0\n",
        ),
    ]);
    let found = look(&tree.host(), None);
    let own: Vec<_> = found.own.iter().map(ToString::to_string).collect();
    assert_eq!(own, ["172.18.0.1", "192.0.2.2", "2001:db8::2"]);
    let bridges: Vec<_> = found.bridges.iter().map(|bridge| bridge.network).collect();
    let route_v4 = if cfg!(target_endian = "little") { "172.18.0.0/16" } else { "0.0.18.172" };
    assert_eq!(bridges, networks(&[route_v4, "2001:db8:1::/64"]));
}

#[test]
fn sessions_of_operators() {
    let tree = Tree::new(&[
        ("/run/systemd/sessions/1", "UID=0\nREMOTE=1\nREMOTE_HOST=203.0.113.7\n"),
        ("/run/systemd/sessions/2", "UID=0\nREMOTE=0\n"),
        ("/run/systemd/sessions/3", "REMOTE_HOST=evil.example\n"),
        ("/run/systemd/sessions/4", "REMOTE_HOST=fe80::1%eth0\n"),
    ]);
    let found = look(&tree.host(), Some("2001:db8::7 52000 192.0.2.2 22"));
    let addresses: Vec<_> = found.sessions.iter().map(|session| session.address.to_string()).collect();
    assert_eq!(addresses, ["203.0.113.7", "2001:db8::7", "fe80::1"]);
    let protected =
        protected_networks(&NeverBan::default(), &tree.host(), Some("198.51.100.7 1 192.0.2.2 22"));
    let protects = |network: &str, why| protected.contains(&(network.parse().unwrap(), why));
    assert!(protects("198.51.100.7", Protection::OperatorSession));
    assert!(protects("203.0.113.7", Protection::OperatorSession));
    let off = NeverBan { operator_session: false, ..NeverBan::default() };
    assert!(protected_networks(&off, &tree.host(), Some("198.51.100.7 1 192.0.2.2 22")).is_empty());
}

#[test]
fn this_host_is_looked_at() {
    if !Path::new("/usr/sbin/postconf").exists() || !Path::new("/usr/bin/doveconf").exists() {
        eprintln!("SKIPPED: this_host_is_looked_at needs the packages postfix and dovecot-core");
        return;
    }
    let found = look(&Host::this(), None);
    let postfix = found.postfix.unwrap();
    assert!(postfix.version.starts_with(|c: char| c.is_ascii_digit()), "{postfix:?}");
    assert!(!postfix.syslog_name.is_empty() && !postfix.mynetworks.is_empty(), "{postfix:?}");
    let dovecot = found.dovecot.unwrap();
    assert!(dovecot.version.starts_with("2.") && !dovecot.log_path.is_empty(), "{dovecot:?}");
    assert!(!specs(&Sources::default(), &Host::this()).is_empty());
    let protected = protected_networks(&NeverBan::default(), &Host::this(), None);
    assert!(protected.contains(&("127.0.0.0/8".parse().unwrap(), Protection::MyNetworks)), "{protected:?}");
}

#[test]
fn the_incident_of_a_docker_mailserver() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/dms-incident");
    if !root.is_dir() {
        eprintln!("SKIPPED: the_incident_of_a_docker_mailserver needs {}", root.display());
        return;
    }
    let found = look(&Host::at(&root), None);
    assert_eq!(paths(&found.logs), ["/docker-data/dms/mail-logs/mail.log"]);
    assert!(found.logs[0].exists);
}
