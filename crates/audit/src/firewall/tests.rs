//! What is proposed for what listens.

use super::*;
use crate::facts::{File, Interface, Known, Listener, Said};

const NOBODY: &str = r#"{"nftables": []}"#;

/// `tcp 0.0.0.0 25 master`, one in a line.
fn facts(listeners: &str) -> Facts {
    let listener = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Listener {
            protocol: words[0].into(),
            address: words[1].into(),
            port: words[2].parse().unwrap(),
            program: words.get(3).copied().unwrap_or_default().into(),
        }
    };
    let mut facts = Facts::default();
    let lines = listeners.lines().filter(|line| !line.trim().is_empty());
    facts.host.listeners = Known::Is(lines.map(listener).collect());
    facts.host.addresses = Known::Is(vec![
        Interface { name: "eth0".into(), network: "192.0.2.1/24".into() },
        Interface { name: "docker0".into(), network: "172.17.0.1/16".into() },
    ]);
    say(&mut facts, "nft -j list ruleset", NOBODY);
    facts
}

fn say(facts: &mut Facts, command: &str, text: &str) {
    facts.said.insert(command.into(), Known::Is(Said::ok(text)));
}

fn wishes() -> Wishes {
    Wishes { mail_rate: 300, ssh_rate: 30, ..Wishes::default() }
}

/// Every port with what becomes of it.
fn fates(facts: &Facts, wishes: &Wishes) -> Vec<(String, String)> {
    let services = propose(facts, wishes).unwrap().services;
    services.iter().map(|service| (service.port.to_string(), format!("{:?}", service.fate))).collect()
}

#[track_caller]
fn check(facts: &Facts, wishes: &Wishes, expected: &[(&str, &str)]) {
    let fates = fates(facts, wishes);
    let fates: Vec<(&str, &str)> = fates.iter().map(|(port, fate)| (port.as_str(), fate.as_str())).collect();
    assert_eq!(fates, expected);
}

const MAIL_HOST: &str = "
    tcp 0.0.0.0 22 sshd
    tcp 0.0.0.0 25 master
    tcp :: 25 master
    tcp 127.0.0.1 10025 master
    tcp ::1 6379 redis-server
    tcp ::ffff:127.0.0.1 8891 opendkim
    tcp 0.0.0.0 993 dovecot
    udp 0.0.0.0 68 dhclient
    udp 0.0.0.0 41000 unbound
    unix /run/x 0 x";

#[test]
fn mail_and_ssh_are_open_and_loopback_is_none_of_our_business() {
    let facts = facts(MAIL_HOST);
    check(
        &facts,
        &wishes(),
        &[
            ("tcp/22", "Open(\"SSH\")"),
            ("tcp/25", "Open(\"mail\")"),
            ("tcp/993", "Open(\"mail\")"),
            ("udp/68", "Open(\"answers of DHCP\")"),
            ("udp/41000", "Closed(\"a client's port: answers come through as established\")"),
        ],
    );
    let proposal = propose(&facts, &wishes()).unwrap();
    assert!(proposal.obstacles.is_empty(), "{:?}", proposal.obstacles);
    assert_eq!(proposal.ruleset.mail.iter().copied().collect::<Vec<_>>(), [25, 993]);
    assert_eq!(proposal.ruleset.ssh.iter().copied().collect::<Vec<_>>(), [22]);
}

#[test]
fn others_are_asked_about_unless_they_are_internal() {
    let listening =
        format!("{MAIL_HOST}\ntcp 0.0.0.0 443 nginx\ntcp 0.0.0.0 6379 redis-server\nudp 0.0.0.0 51820");
    let facts = facts(&listening);
    let undecided = |wishes: &Wishes| -> Vec<String> {
        let fates = fates(&facts, wishes);
        fates.into_iter().filter(|(_, fate)| fate == "Undecided").map(|(port, _)| port).collect()
    };
    assert_eq!(undecided(&wishes()), ["tcp/443", "udp/51820"]);
    let obstacles = propose(&facts, &wishes()).unwrap().obstacles;
    assert_eq!(obstacles[0].what, "Nobody said what becomes of tcp/443 (nginx), udp/51820");
    assert!(obstacles[0].remedy.contains("allow = [\"tcp/443\", \"udp/51820\"]"), "{}", obstacles[0].remedy);
    let decided = Wishes {
        allow: vec!["tcp/443".parse().unwrap()],
        close: vec!["udp/51820".parse().unwrap()],
        ..wishes()
    };
    assert!(undecided(&decided).is_empty());
    assert!(propose(&facts, &decided).unwrap().obstacles.is_empty());
    assert!(undecided(&Wishes { close_others: true, ..wishes() }).is_empty());
}

#[test]
fn a_certificate_that_is_renewed_by_http_keeps_port_80_in_mind() {
    let mut facts = facts(MAIL_HOST);
    let renewal = |how: &str| Known::Is(File::of(format!("[renewalparams]\nauthenticator = {how}\n")));
    let path = "/etc/letsencrypt/renewal/mail.example.org.conf";
    facts.files.insert(path.into(), renewal("dns-rfc2136"));
    assert!(propose(&facts, &wishes()).unwrap().obstacles.is_empty());
    facts.files.insert(path.into(), renewal("standalone"));
    let obstacles = propose(&facts, &wishes()).unwrap().obstacles;
    assert!(obstacles[0].what.contains("tcp/80 (certbot, when it renews)"), "{obstacles:?}");
    let allow = vec!["tcp/80".parse().unwrap()];
    let proposal = propose(&facts, &Wishes { allow, ..wishes() }).unwrap();
    assert!(proposal.obstacles.is_empty(), "{:?}", proposal.obstacles);
}

#[test]
fn an_opening_for_some_is_closed_to_others() {
    let allow =
        vec!["tcp/22 from 192.0.2.0/24".parse().unwrap(), "tcp/9100 from 2001:db8::/48".parse().unwrap()];
    let proposal = propose(&facts(MAIL_HOST), &Wishes { allow, ..wishes() }).unwrap();
    assert!(proposal.ruleset.ssh.is_empty());
    let text = proposal.ruleset.definition("a");
    assert!(text.contains("ip saddr 192.0.2.0/24 tcp dport 22 accept"), "{text}");
    assert!(text.contains("ip6 saddr 2001:db8::/48 tcp dport 9100 accept"), "{text}");
}

#[test]
fn ssh_is_where_its_configuration_and_its_socket_agree() {
    let ssh = |listening: &str, configured: &str, session: Option<u16>| {
        let mut facts = facts(&format!("tcp 0.0.0.0 25 master\n{listening}"));
        say(&mut facts, "sshd -T", configured);
        let wishes = Wishes { session, close_others: true, ..wishes() };
        propose(&facts, &wishes).unwrap().ruleset.ssh.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(ssh("tcp 0.0.0.0 2222 sshd", "port 2222\nport 22", None), [2222]);
    // Started by systemd, which holds the socket.
    assert_eq!(ssh("tcp :: 22 systemd", "port 22", None), [22]);
    // A user forwards a port through sshd.
    assert_eq!(ssh("tcp 0.0.0.0 22 sshd\ntcp 0.0.0.0 8000 sshd", "port 22", None), [22]);
    assert_eq!(ssh("tcp 0.0.0.0 2200 sshd", "port 22", None), [2200]);
    assert_eq!(ssh("tcp 0.0.0.0 2200 dropbear", "", None), [2200]);
    assert_eq!(ssh("", "", Some(2022)), [2022]);
}

#[test]
fn the_operator_s_own_port_is_not_closed() {
    let wishes = Wishes { close: vec!["tcp/22".parse().unwrap()], session: Some(22), ..wishes() };
    let obstacles = propose(&facts(MAIL_HOST), &wishes).unwrap().obstacles;
    assert!(obstacles[0].what.contains("Your own SSH connection"), "{obstacles:?}");
}

#[test]
fn without_mail_or_without_facts_nothing_is_proposed() {
    let obstacles = propose(&facts("tcp 0.0.0.0 22 sshd"), &wishes()).unwrap().obstacles;
    assert!(obstacles[0].what.contains("any mail port"), "{obstacles:?}");
    assert!(propose(&Facts::default(), &wishes()).is_err());
    let mut unread = facts(MAIL_HOST);
    unread.said.clear();
    assert!(propose(&unread, &wishes()).is_err());
}

/// As iptables-save 1.8.9 prints Docker's rules.
const DOCKER: &str = "\
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER ! -i br-0123456789ab -p tcp -m tcp --dport 465 -j DNAT --to-destination 172.18.0.2:465
-A DOCKER ! -i br-0123456789ab -p tcp -m tcp --dport 8000:8001 -j DNAT --to-destination 172.18.0.2
-A DOCKER ! -i br-0123456789ab -p udp -m udp --dport 53 -j DNAT --to-destination 172.18.0.3:53
-A DOCKER -d 127.0.0.1/32 ! -i br-0123456789ab -p tcp -m tcp --dport 11334 -j DNAT --to-destination 172.18.0.2:11334
COMMIT
";

#[test]
fn published_ports_are_seen_and_containers_are_let_in() {
    let mut facts = facts("tcp 0.0.0.0 22 sshd\ntcp 0.0.0.0 465 docker-proxy\ntcp 172.17.0.1 5432 postgres");
    say(&mut facts, "iptables-save", DOCKER);
    check(
        &facts,
        &wishes(),
        &[
            ("tcp/22", "Open(\"SSH\")"),
            ("tcp/465", "Open(\"mail\")"),
            ("tcp/5432", "Inside(\"listens on an interface that is not filtered\")"),
            ("tcp/8000", "Undecided"),
            ("tcp/8001", "Undecided"),
            ("udp/53", "Undecided"),
        ],
    );
    let proposal = propose(&facts, &wishes()).unwrap();
    assert!(proposal.ruleset.trusted.iter().eq(["br-*", "docker0"]), "{:?}", proposal.ruleset.trusted);
    // A bridge of somebody else is not let in for its name.
    let Known::Is(interfaces) = &mut facts.host.addresses else { unreachable!() };
    interfaces.push(Interface { name: "br-lan".into(), network: "198.51.100.1/24".into() });
    let proposal = propose(&facts, &wishes()).unwrap();
    assert!(proposal.ruleset.trusted.iter().eq(["docker0"]), "{:?}", proposal.ruleset.trusted);
}

#[test]
fn beside_ufw_the_host_s_own_ports_are_left_to_it() {
    let mut facts = facts(&format!("{MAIL_HOST}\ntcp 0.0.0.0 443 nginx"));
    say(&mut facts, "iptables-save", &format!("{DOCKER}*filter\n:ufw-user-input - [0:0]\nCOMMIT\n"));
    facts.files.insert("/etc/ufw/ufw.conf".into(), Known::Is(File::of("ENABLED=yes\n")));
    let proposal = propose(&facts, &wishes()).unwrap();
    assert_eq!(proposal.ruleset.scope, Scope::Beside);
    assert!(proposal.notes[0].starts_with("ufw is active"), "{:?}", proposal.notes);
    let input = proposal.ruleset.definition("a");
    let input = input.split("chain input_a").nth(1).unwrap();
    assert!(!input.contains("    counter drop"), "{input}");
    // What ufw does not see is closed here.
    assert!(proposal.obstacles[0].what.contains("tcp/8000") && !proposal.obstacles[0].what.contains("443"));
    // Its chains stay when it is disabled.
    facts.files.insert("/etc/ufw/ufw.conf".into(), Known::Is(File::of("ENABLED=no\n")));
    assert_eq!(propose(&facts, &wishes()).unwrap().ruleset.scope, Scope::Whole);
}

#[test]
fn rules_of_others_are_told() {
    let mut facts = facts(MAIL_HOST);
    let rules = r#"{"nftables": [
        {"chain": {"family": "inet", "table": "filter", "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22, 25]}}}, {"accept": null}]}},
        {"chain": {"family": "inet", "table": "mailward", "name": "prerouting", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}
    ]}"#;
    say(&mut facts, "nft -j list ruleset", rules);
    let wishes = Wishes { tables: vec!["inet mailward".into()], ..wishes() };
    let notes = propose(&facts, &wishes).unwrap().notes.join("\n");
    assert!(notes.contains("Table inet filter drops incoming packets, too"), "{notes}");
    assert!(!notes.contains("mailward"), "{notes}");
    assert!(notes.contains("keep these ports closed: 993"), "{notes}");
}

#[test]
fn ports_are_read_and_printed_alike() {
    for text in ["tcp/1", "udp/65535", "tcp/9100 from 192.0.2.7", "udp/5 from 2001:db8::/32"] {
        assert_eq!(text.parse::<Opening>().unwrap().to_string(), text);
    }
    for text in
        ["", "tcp", "tcp/", "tcp/0", "tcp/65536", "tcp/+1", "sctp/1", "tcp/1 from", "tcp/1 from x", "tcp/1-5"]
    {
        assert_eq!(text.parse::<Opening>(), Err(OpeningError), "{text}");
    }
    for (name, sound) in
        [("eth0", true), ("br-*", true), ("*", false), ("", false), ("a\"b", false), ("a b", false)]
    {
        assert_eq!(is_interface(name), sound, "{name}");
    }
    assert!(!is_interface("sixteen-letters-"));
}
