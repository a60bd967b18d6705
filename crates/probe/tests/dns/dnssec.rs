//! DNSSEC: a signed zone behind a resolver that validates (named), with one record changed after it was signed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailward_audit::{Facts, Known, Outcome, Server as Audited, find};
use mailward_probe::dns::{Plan, Resolver, collect};

use crate::server::{Server, free_port};

const NAMED: &str = "/usr/sbin/named";

const ZONE: &str = "\
$TTL 300
. IN SOA a.servers.example. hostmaster.example. 1 3600 900 1209600 300
. IN NS a.servers.example.
a.servers.example. IN A 127.0.0.1
sound.example. IN MX 10 mail.example.
sound.example. IN TXT \"v=spf1 mx -all\"
broken.example. IN MX 10 mail.example.
broken.example. IN TXT \"v=spf1 mx -all before\"
mail.example. IN A 192.0.2.10
";

fn run(directory: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let output = ["/usr/bin", "/usr/sbin"]
        .iter()
        .map(|at| format!("{at}/{program}"))
        .find(|path| Path::new(path).exists());
    let Some(path) = output else {
        eprintln!("SKIPPED: {program} is not installed (apt-get install bind9 bind9-utils)");
        return None;
    };
    let output = Command::new(path).args(arguments).current_dir(directory).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The signed zone, one record of which was changed afterwards, and the key to trust.
fn signed(directory: &Path) -> Option<(String, String)> {
    let key = run(directory, "dnssec-keygen", &["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "."])?;
    let key = std::fs::read_to_string(directory.join(format!("{key}.key")))
        .unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(directory.join("zone"), format!("{ZONE}{key}")).unwrap_or_else(|error| panic!("{error}"));
    run(directory, "dnssec-signzone", &["-z", "-o", ".", "-e", "now+30d", "-f", "signed", "zone"])?;
    let text = std::fs::read_to_string(directory.join("signed")).unwrap_or_else(|error| panic!("{error}"));
    assert!(text.contains("all before"), "{text}");
    let line = key.lines().find(|line| line.contains("DNSKEY")).unwrap_or_else(|| panic!("{key}"));
    let (_, anchor) = line.split_once("DNSKEY").unwrap_or_else(|| panic!("{line}"));
    let mut fields = anchor.split_whitespace();
    let numbers: Vec<&str> = fields.by_ref().take(3).collect();
    let anchor = format!("{} \"{}\"", numbers.join(" "), fields.collect::<String>());
    Some((text.replace("all before", "all after"), anchor))
}

/// named, which asks nsd and validates.
struct Validator {
    address: SocketAddr,
    child: Child,
}

impl Validator {
    fn start(directory: &Path, upstream: &Server, anchor: &str) -> Self {
        let port = free_port();
        let at = directory.display();
        let conf = format!(
            "options {{ directory \"{at}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file none; \
             session-keyfile none; lock-file none; recursion yes; forward only; forwarders {{ 127.0.0.1 port {}; }}; \
             dnssec-validation yes; empty-zones-enable no; }};\ncontrols {{ }};\ntrust-anchors {{ . static-key {anchor}; }};\n",
            upstream.address.port()
        );
        let path = directory.join("named.conf");
        std::fs::write(&path, conf).unwrap_or_else(|error| panic!("{error}"));
        let log = std::fs::File::create(directory.join("log")).unwrap_or_else(|error| panic!("{error}"));
        let child = Command::new(NAMED)
            .args(["-g", "-n", "1", "-c"])
            .arg(&path)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{NAMED}: {error}"));
        let validator = Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), child };
        let end = Instant::now() + Duration::from_secs(20);
        while Resolver::find(Some(validator.address), 53, end).is_err() {
            let log = || std::fs::read_to_string(directory.join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "named does not answer: {}", log());
            std::thread::yield_now();
        }
        validator
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fails(facts: &Facts, id: &str) -> Option<String> {
    let Some((_, check)) = find(id) else { panic!("{id} is no check") };
    match (check.judge)(&Audited::new(facts)) {
        Ok(Outcome::Fail(findings)) => findings.first().map(|finding| finding.summary.clone()),
        Ok(Outcome::Pass(_)) => None,
        Err(untold) => Some(format!("{untold:?}")),
    }
}

#[test]
fn a_broken_signature_is_told_from_a_sound_one() {
    if !Path::new(NAMED).exists() {
        eprintln!("SKIPPED: named is not installed (apt-get install bind9)");
        return;
    }
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let Some((zone, anchor)) = signed(directory.path()) else { return };
    let Some(upstream) = Server::serve(&zone) else { return };
    let validator = Validator::start(directory.path(), &upstream, &anchor);
    let plan = Plan {
        resolver: Some(validator.address),
        authoritative_port: upstream.address.port(),
        domains: vec!["sound.example".to_owned(), "broken.example".to_owned()],
        ..Plan::default()
    };
    let mut facts = Facts { dns: collect(&plan), ..Facts::default() };
    facts.about.taken = "2026-03-01T12:00:00Z".to_owned();
    assert_eq!(facts.dns.validating, Known::Is(true));
    let Ok(sound) = facts.dns.answer("TXT", "sound.example") else { panic!("not asked") };
    assert!(sound.authenticated, "{sound:?}");
    let (Some(from), Some(until)) = (sound.signed_from, sound.signed_until) else { panic!("{sound:?}") };
    assert!((29 * 86_400..=31 * 86_400).contains(&(until - from)), "{sound:?}");
    let Ok(broken) = facts.dns.answer("TXT", "broken.example") else { panic!("not asked") };
    assert_eq!(
        (broken.code.as_str(), broken.unchecked.as_deref()),
        ("SERVFAIL", Some("NOERROR")),
        "{broken:?}"
    );
    assert_eq!(fails(&facts, "DNS-013").as_deref(), Some("answers about broken.example fail validation"));
    facts.dns.domains = vec!["sound.example".to_owned()];
    assert_eq!(fails(&facts, "DNS-013"), None);
    assert_eq!(fails(&facts, "DNS-012"), None);
    let near = |hours: i64| jiff::Timestamp::from_second(until - hours * 3600).map(|time| time.to_string());
    facts.about.taken = near(240).unwrap_or_default();
    assert_eq!(fails(&facts, "DNS-014"), None);
    facts.about.taken = near(24).unwrap_or_default();
    assert_eq!(
        fails(&facts, "DNS-014").as_deref(),
        Some("signatures of sound.example are about to end and were not renewed")
    );
}
