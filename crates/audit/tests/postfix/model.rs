//! The value that holds, and the real Postfix.

use std::process::Command;

use mailward_audit::Facts;
use mailward_audit::facts::{Interface, Known, Said};
use mailward_audit::postfix::{Class, Origin, Postfix, Protocol, Role, Version};

use crate::{MASTER_CF, facts, file};

const MAIN_CF: &str = "\
compatibility_level = 3.6
myhostname = mail.example.org
mydestination = localhost
smtpd_banner = first
smtpd_banner = $myhostname ESMTP
least = >=TLSv1.2
smtpd_tls_security_level = may
virtual_mailbox_domains = example.org, example.net
relay_domains = partner.example
";

#[test]
fn the_last_value_wins_and_says_what_it_beat() {
    let facts = facts(MAIN_CF, MASTER_CF);
    let postfix = Postfix::read(&facts).expect("Postfix");
    let banner = postfix.in_main("smtpd_banner").expect("known");
    assert_eq!((banner.value.as_str(), banner.place.as_str()), ("mail.example.org ESMTP", "main.cf:5"));
    assert_eq!(
        banner.beats.map(|beaten| (beaten.value, beaten.place)),
        Some(("first".into(), "main.cf:4".into()))
    );
    assert_eq!(postfix.value("mydomain").as_deref(), Some("example.org"));
    assert_eq!(postfix.value("smtpd_delay_reject").as_deref(), Some("yes"));
    assert_eq!(postfix.explicit("smtpd_delay_reject"), None);
}

#[test]
fn services_override() {
    let facts = facts(MAIN_CF, MASTER_CF);
    let postfix = Postfix::read(&facts).expect("Postfix");
    let services: Vec<_> = postfix.smtpd().collect();
    let labels: Vec<_> = services.iter().map(|service| postfix.label(service)).collect();
    assert_eq!(labels, ["port 25 (smtp)", "port 587 (submission)", "port 10025 on 127.0.0.1"]);
    let roles: Vec<_> = services.iter().map(|service| postfix.role(service)).collect();
    assert_eq!(roles, [Role::Mx, Role::Submission, Role::Internal]);
    let [mx, submission, internal] = services.as_slice() else { panic!("{services:?}") };
    let (effective, protocols) = postfix.tls_protocols(submission).expect("known").expect("TLS");
    assert_eq!((effective.origin, effective.place.as_str()), (Origin::MasterCf, "master.cf:2 (submission)"));
    assert_eq!(effective.value, ">=TLSv1.2");
    assert!(!protocols.allows(Protocol::Tls11) && protocols.allows(Protocol::Tls13));
    let (effective, protocols) = postfix.tls_protocols(mx).expect("known").expect("TLS");
    assert_eq!(effective.parameter, "smtpd_tls_protocols");
    assert!(protocols.allows(Protocol::Tls10) && !protocols.allows(Protocol::Ssl3));
    let client = postfix.in_service(submission, "smtpd_client_restrictions").expect("known");
    assert_eq!(client.value, "permit_sasl_authenticated, reject");
    assert_eq!(internal.verbosity(), 1);
    let networks = postfix.networks(Some(internal)).expect("known");
    assert_eq!(networks.contains([127, 0, 0, 9].into()), Some(true));
    assert_eq!(networks.contains([192, 0, 2, 1].into()), Some(false));
}

#[test]
fn networks_are_read_and_implied() {
    let check = |main: &str, inside: &[&str], outside: &[&str]| {
        let mut facts = file(
            facts(&format!("{MAIN_CF}{main}"), MASTER_CF),
            "/etc/postfix/nets",
            "198.51.100.0/24\n#no\n",
        );
        let network = |name: &str, network: &str| Interface { name: name.into(), network: network.into() };
        facts.host.addresses = Known::Is(vec![network("lo", "127.0.0.1/8"), network("eth0", "192.0.2.7/24")]);
        let postfix = Postfix::read(&facts).expect("Postfix");
        let networks = postfix.networks(None).expect("known");
        for (addresses, expected) in [(inside, true), (outside, false)] {
            for address in addresses {
                let contained = networks.contains(address.parse().expect("an address"));
                assert_eq!(contained, Some(expected), "{main}: {address} in {networks:?}");
            }
        }
    };
    check("mynetworks = 127.0.0.0/8 [::1]/128", &["127.0.0.1", "::1"], &["192.0.2.7"]);
    check("mynetworks = [::ffff:127.0.0.0]/104", &["127.9.9.9"], &["::1"]);
    check("mynetworks = !192.0.2.9 192.0.2.0/24", &["192.0.2.8"], &["192.0.2.9", "192.0.3.1"]);
    check("mynetworks = /etc/postfix/nets", &["198.51.100.4"], &["192.0.2.7"]);
    check("mynetworks = cidr:/etc/postfix/nets", &["198.51.100.4"], &["192.0.2.7"]);
    check("", &["192.0.2.7", "127.0.0.1"], &["192.0.2.8"]);
    check("mynetworks_style = subnet", &["192.0.2.8"], &["192.0.3.8"]);
    check("compatibility_level = 0", &["192.0.2.8"], &["192.0.3.8"]);
}

#[test]
fn domains_have_classes() {
    let facts = facts(MAIN_CF, MASTER_CF);
    let postfix = Postfix::read(&facts).expect("Postfix");
    let check = |domain: &str, expected: Option<Class>| {
        let class = postfix.class_of(None, domain).expect("known").map(|(class, _)| class);
        assert_eq!(class, expected, "{domain}");
    };
    check("localhost", Some(Class::Local));
    check("EXAMPLE.org", Some(Class::VirtualMailbox));
    check("sub.example.org", None);
    check("partner.example", Some(Class::Relay));
    check("mx.partner.example", Some(Class::Relay));
    check("notpartner.example", None);
}

/// The model and the real Postfix agree on every value that `postconf -x` prints.
#[test]
fn as_this_machines_postconf() {
    let Some(facts) = this_machine() else { return };
    let postfix = Postfix::read(&facts).expect("Postfix");
    assert!(postfix.version().expect("known") > Version(3, 0, 0));
    assert!(postfix.smtpd().count() > 0);
    let expanded = postconf(&["-x"]).expect("postconf");
    let mut compared = 0;
    for line in expanded.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim();
        // The process that prints knows its own number and name; what other programs fill in stays as it is.
        if matches!(name, "process_id" | "process_name" | "mynetworks") || value.contains('$') {
            continue;
        }
        compared += 1;
        let ours = postfix.value(name).unwrap_or_else(|| panic!("{name} is not known"));
        assert!(ours.split_whitespace().eq(value.split_whitespace()), "{name}: {ours} is {value}");
    }
    assert!(compared > 900, "{compared}");
}

/// The embedded table says what `postconf -d` of a Postfix 3.7 prints.
#[test]
fn the_table_of_defaults_is_that_of_postfix_3_7() {
    let Some(printed) = postconf(&["-d"]) else { return };
    if !printed.contains("mail_version = 3.7.") {
        eprintln!("SKIPPED: the Postfix here is no 3.7");
        return;
    }
    let empty = facts("compatibility_level = 3.6\n", "");
    let postfix = Postfix::read(&empty).expect("Postfix");
    let mut compared = 0;
    for (name, value) in printed.lines().filter_map(|line| line.split_once('=')) {
        if let Some(ours) = postfix.default(name.trim()).filter(|_| name.trim() != "mail_version") {
            assert_eq!(ours, value.trim(), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared}");
}

fn postconf(arguments: &[&str]) -> Option<String> {
    let Ok(ran) = Command::new("/usr/sbin/postconf").args(arguments).output() else {
        eprintln!("SKIPPED: no /usr/sbin/postconf to compare with");
        return None;
    };
    Some(String::from_utf8_lossy(&ran.stdout).into_owned())
}

fn this_machine() -> Option<Facts> {
    let mut facts = Facts::default();
    for option in ["-n", "-d", "-M", "-P"] {
        facts.said.insert(format!("postconf {option}"), Known::Is(Said::ok(postconf(&[option])?)));
    }
    Some(facts)
}

/// The docker-mailserver of the incident: what docker-mailserver ships is not called weak, but for two of its habits.
#[test]
fn docker_mailserver_as_shipped() {
    let Some(facts) = docker_mailserver() else { return };
    let failing: Vec<&str> = failing(&facts).into_iter().map(|(id, _)| id).collect();
    assert_eq!(failing, ["PFX-011", "PFX-015"]);
}

/// The fix that was published for the incident empties main.cf.
#[test]
fn docker_mailserver_with_the_published_fix() {
    let Some(facts) = docker_mailserver() else { return };
    let overrides = fixture("overlay-published-fix/config/postfix-main.cf").expect("the fixture is whole");
    let facts = file(facts, "/tmp/docker-mailserver/postfix-main.cf", &overrides);
    let failing = failing(&facts);
    let shown = |id: &str| {
        failing
            .iter()
            .filter(|(failed, _)| *failed == id)
            .map(|(_, shown)| shown.as_str())
            .collect::<String>()
    };
    assert!(shown("PFX-001").contains("severity: Critical"), "{failing:#?}");
    assert!(shown("PFX-001").contains("reject_rbl_client zen.spamhaus.org"), "{failing:#?}");
    assert!(shown("PFX-002").contains("check_policy_service"), "{failing:#?}");
}

fn failing(facts: &Facts) -> Vec<(&'static str, String)> {
    let server = mailward_audit::Server::new(facts);
    let family = mailward_audit::FAMILIES.iter().find(|family| family.prefix == "PFX").expect("a family");
    let failed = |check: &&mailward_audit::Check| match (check.judge)(&server) {
        Ok(mailward_audit::Outcome::Fail(findings)) => Some((check.id, format!("{findings:?}"))),
        _ => None,
    };
    family.checks.iter().filter_map(failed).collect()
}

fn fixture(path: &str) -> Option<String> {
    let directory =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/dms-incident");
    std::fs::read_to_string(directory.join(path)).ok()
}

fn docker_mailserver() -> Option<Facts> {
    let mut facts = Facts::default();
    facts.about.deployment = mailward_audit::facts::Deployment::DockerMailserver;
    facts.said.insert("postconf mail_version".to_owned(), Known::Is(Said::ok("mail_version = 3.7.11")));
    for option in ["-n", "-M", "-P"] {
        let Some(text) = fixture(&format!("exec/postconf_{option}.txt")) else {
            eprintln!("SKIPPED: the docker-mailserver fixture is not here");
            return None;
        };
        facts.said.insert(format!("postconf {option}"), Known::Is(Said::ok(text)));
    }
    Some(facts)
}
