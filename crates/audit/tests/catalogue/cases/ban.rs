//! Intrusion response and network exposure.

use mailward_audit::Facts;
use mailward_audit::facts::{Known, Listener, LoggedAttack, LoggedLine, LoggedSource, Process};

use crate::Case;
use crate::build::{dms, file, nothing, said};

/// A docker-mailserver whose fail2ban is on and as it is shipped.
fn jails() -> Facts {
    file(dms(), "/compose/mailserver.env", "ENABLE_FAIL2BAN=1\n")
}

/// The same with a file for own jails.
fn with(text: &str) -> Facts {
    file(jails(), "/tmp/docker-mailserver/fail2ban-jail.cf", text)
}

/// A Debian whose fail2ban says what it resolved.
fn dump(lines: &str) -> Facts {
    said(nothing(), "fail2ban-client -d", lines)
}

const SASL: &str = "['add', 'postfix', 'polling']\n['set', 'postfix', 'addfailregex', '^.*\\\\[<HOST>\\\\]: SASL \\\\w+ authentication failed']\n['set', 'postfix', 'maxretry', 5]\n['set', 'postfix', 'bantime', '1h']\n";
const IMAP: &str = "['add', 'dovecot', 'polling']\n['set', 'dovecot', 'addfailregex', '^.*auth failed, .* rip=<HOST>,']\n['set', 'dovecot', 'maxretry', 5]\n['set', 'dovecot', 'bantime', '1h']\n";

fn both(more: &str) -> Facts {
    dump(&format!("{SASL}{IMAP}{more}"))
}

fn process(mut facts: Facts, name: &str, command: &str) -> Facts {
    let process = Process { name: name.into(), command: command.into(), ..Process::default() };
    facts.host.processes = Known::Is(vec![process]);
    facts
}

/// With an attack in the log: so many attempts, a minute apart, each source in its turn.
fn attack(mut facts: Facts, kind: &str, sources: &[&str], attempts: u32, line: &str) -> Facts {
    let events: Vec<LoggedLine> = (0..attempts)
        .zip(sources.iter().cycle())
        .map(|(attempt, source)| LoggedLine {
            at: i64::from(attempt) * 60_000,
            source: (*source).into(),
            attempt,
            line: line.replace("ADDR", source),
        })
        .collect();
    let count = |source: &str| events.iter().filter(|event| event.source == source).count() as u64;
    let all = sources.iter().map(|source| LoggedSource {
        address: (*source).into(),
        count: count(source),
        ..LoggedSource::default()
    });
    facts.log.path = "/var/log/mail.log".into();
    facts.log.attacks.push(LoggedAttack {
        kind: kind.into(),
        title: kind.into(),
        count: u64::from(attempts),
        distinct: sources.len() as u64,
        sources: all.collect(),
        events,
        ..LoggedAttack::default()
    });
    facts
}

const HANDSHAKE: &str = "2026-01-01T00:00:00.000000+00:00 mail postfix/submissions/smtpd[9]: SSL_accept error from unknown[ADDR]: lost connection";
const GUESS: &str = "2026-01-01T00:00:00.000000+00:00 mail postfix/submission/smtpd[9]: warning: unknown[ADDR]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=alice";

fn login(mut facts: Facts, address: &str, count: u64) -> Facts {
    facts.log.path = "/var/log/mail.log".into();
    facts.log.logins.push(LoggedSource { address: address.into(), count, ..LoggedSource::default() });
    facts
}

const STATUS: &str =
    "Status for the jail: postfix\n   |- Currently banned:\t1\n   `- Banned IP list:\t192.0.2.9\n";

fn banned(facts: Facts, ruleset: &str) -> Facts {
    said(said(facts, "fail2ban-client status postfix", STATUS), "nft -j list ruleset", ruleset)
}

const LOADED: &str = r#"{"nftables": [
    {"set": {"family": "inet", "table": "f2b-table", "name": "addr-set-postfix", "type": "ipv4_addr", "elem": ["192.0.2.9"]}},
    {"chain": {"family": "inet", "table": "f2b-table", "name": "f2b-chain", "type": "filter", "hook": "input", "prio": -1, "policy": "accept"}},
    {"rule": {"family": "inet", "table": "f2b-table", "chain": "f2b-chain", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@addr-set-postfix"}}, {"drop": null}]}}]}"#;

const SIX: &str = r#"{"nftables": [{"set": {"family": "inet", "table": "f2b-table", "name": "addr6-set-postfix", "type": "ipv6_addr", "elem": ["2001:db8::17"]}}]}"#;

const EMPTY: &str = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}}]}"#;

fn listens(mut facts: Facts, address: &str, port: u16) -> Facts {
    let listener =
        Listener { protocol: "tcp".into(), address: address.into(), port, program: "redis-server".into() };
    facts.host.listeners = Known::Is(vec![listener]);
    facts
}

const DROPPING: &str = r#"{"nftables": [
    {"chain": {"family": "inet", "table": "f", "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
    {"rule": {"family": "inet", "table": "f", "chain": "input", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 25}}, {"accept": null}]}}]}"#;

const UFW: &str = "*nat\n-A DOCKER ! -i br-1 -p tcp -m tcp --dport 11334 -j DNAT --to-destination 172.20.0.2:11334\nCOMMIT\n*filter\n-A ufw-user-input -p tcp -m tcp --dport 25 -j ACCEPT\n";

const LIMIT: &str = "*filter\n-A INPUT -p tcp -m tcp --dport 25 -m limit --limit 25/minute -j ACCEPT\n";
const HASHLIMIT: &str = "*filter\n-A INPUT -p tcp -m tcp --dport 25 -m hashlimit --hashlimit-upto 25/minute --hashlimit-mode srcip --hashlimit-name smtp -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 25 -j DROP\n";

const COMPOSE: &str = "services:\n  mail:\n    image: docker-mailserver:15.1.0\n    ports: ['25:25']\n";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "BAN-001",
        fails: || file(dms(), "/compose/mailserver.env", "ENABLE_FAIL2BAN=0\n"),
        shows: "fail2ban is off",
        passes: jails,
    },
    Case {
        id: "BAN-001",
        fails: || dump(SASL),
        shows: "No jail of fail2ban counts failed logins over IMAP",
        passes: || both(""),
    },
    Case {
        id: "BAN-001",
        fails: || {
            let mut facts = process(nothing(), "smtpd", "smtpd");
            facts.said.insert("fail2ban-client status".into(), Known::Absent);
            facts
        },
        shows: "nothing like it runs",
        passes: || process(nothing(), "mailward", "mailward guard"),
    },
    Case {
        id: "BAN-002",
        fails: || said(jails(), "doveconf -n", "# 2.4.1: /etc/dovecot/dovecot.conf\n"),
        shows: "does not know the lines that this Dovecot writes",
        passes: || said(jails(), "doveconf -n", "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf\n"),
    },
    Case {
        id: "BAN-002",
        fails: || {
            let own = "['add', 'tls', 'polling']\n['set', 'tls', 'addfailregex', '^.*smtps/smtpd.*SSL_accept error from .*<HOST>']\n";
            attack(dump(own), "tls-probe", &["192.0.2.9"], 3, HANDSHAKE)
        },
        shows: "matches none of the 3 lines",
        passes: || {
            let own = "['add', 'tls', 'polling']\n['set', 'tls', 'addfailregex', '^.*SSL_accept error from \\\\S+\\\\[<HOST>\\\\]']\n";
            attack(dump(own), "tls-probe", &["192.0.2.9"], 3, HANDSHAKE)
        },
    },
    Case {
        id: "BAN-003",
        fails: || attack(jails(), "tls-probe", &["192.0.2.9", "192.0.2.10"], 12, HANDSHAKE),
        shows: "No rule counts tls-probe (12)",
        passes: || attack(jails(), "auth-failure", &["192.0.2.9"], 30, GUESS),
    },
    Case {
        id: "BAN-003",
        fails: || {
            attack(jails(), "auth-failure", &["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"], 20, GUESS)
        },
        shows: "prevents 0 attempts",
        passes: || {
            let facts = attack(
                jails(),
                "auth-failure",
                &["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"],
                20,
                GUESS,
            );
            process(facts, "mailward", "mailward guard")
        },
    },
    Case {
        id: "BAN-003",
        fails: || {
            let facts = with("[tls]\nenabled = true\nfilter = tls\nmaxretry = 3\nfindtime = 600\n");
            let filter = "[Definition]\nfailregex = ^.*SSL_accept error from \\S+\\[<HOST>\\]: .*$\n";
            let facts = file(facts, "/tmp/docker-mailserver/fail2ban-filter.cf", filter);
            let sources = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"];
            attack(facts, "tls-probe", &sources, 10, HANDSHAKE)
        },
        shows: "would prevent 0 of 10 attempts",
        passes: || attack(with("[postfix]\nmode = aggressive\n"), "auth-failure", &["192.0.2.9"], 40, GUESS),
    },
    Case {
        id: "BAN-004",
        fails: || with("[postfix-ssl]\nenabled = true\nfilter = postfix-ssl\n"),
        shows: "there is no filter 'postfix-ssl'",
        passes: || with("[postfix]\nmode = aggressive\n[sshd]\nenabled = false\n"),
    },
    Case {
        id: "BAN-004",
        fails: || {
            both(
                "['config-error', \"Jail 'x' skipped, because of wrong configuration: Unable to read the filter 'x'\"]\n",
            )
        },
        shows: "Unable to read the filter 'x'",
        passes: || both(""),
    },
    Case {
        id: "BAN-004",
        fails: || {
            let mut facts = both("['set', 'postfix', 'addlogpath', '/var/log/nowhere.log', 'head']\n");
            facts.files.insert("/var/log/nowhere.log".into(), Known::Absent);
            facts
        },
        shows: "which does not exist",
        passes: || {
            file(
                both("['set', 'postfix', 'addlogpath', '/var/log/mail.log', 'head']\n"),
                "/var/log/mail.log",
                "",
            )
        },
    },
    Case {
        id: "BAN-004",
        fails: || said(both(""), "fail2ban-client status", "Status\n`- Jail list:\tpostfix\n"),
        shows: "the running fail2ban does not have it",
        passes: || said(both(""), "fail2ban-client status", "Status\n`- Jail list:\tpostfix, dovecot\n"),
    },
    Case {
        id: "BAN-004",
        fails: || {
            let mut facts = both("");
            if let Some(Known::Is(dump)) = facts.said.get_mut("fail2ban-client -d") {
                dump.stderr = "WARNING Have not found any log file for dovecot jail\n".into();
            }
            facts
        },
        shows: "Have not found any log file for dovecot jail",
        passes: || both(""),
    },
    Case {
        id: "BAN-005",
        fails: || banned(jails(), EMPTY),
        shows: "no set of this jail",
        passes: || banned(jails(), LOADED),
    },
    Case {
        id: "BAN-005",
        fails: || banned(jails(), &LOADED.replace("\"drop\"", "\"accept\"")),
        shows: "no rule drops",
        passes: || said(banned(jails(), EMPTY), "iptables-save", "-A INPUT -j f2b-postfix\n"),
    },
    Case {
        id: "BAN-006",
        fails: || both("['set', 'allowipv6', 'no']\n"),
        shows: "leave IPv6 alone",
        passes: || said(both("['set', 'allowipv6', 'auto']\n"), "nft -j list ruleset", LOADED),
    },
    Case {
        id: "BAN-006",
        fails: || said(jails(), "nft -j list ruleset", SIX),
        shows: "single addresses",
        passes: || {
            said(
                jails(),
                "nft -j list ruleset",
                &SIX.replace("\"2001:db8::17\"", "{\"prefix\": {\"addr\": \"2001:db8::\", \"len\": 64}}"),
            )
        },
    },
    Case {
        id: "BAN-007",
        fails: || both("['set', 'postfix', 'addignoreip', '127.0.0.1/8', '0.0.0.0/0']\n"),
        shows: "never bans anybody in 0.0.0.0/0",
        passes: || {
            both("['set', 'postfix', 'addignoreip', '127.0.0.1/8', '10.0.0.0/8', '192.0.2.0/24', '::1']\n")
        },
    },
    Case {
        id: "BAN-008",
        fails: || login(login(nothing(), "172.20.0.1", 99), "192.0.2.1", 1),
        shows: "cuts off everybody",
        passes: || login(login(nothing(), "172.20.0.10", 50), "192.0.2.1", 50),
    },
    Case {
        id: "BAN-008",
        fails: || file(jails(), "/compose/compose.yaml", COMPOSE),
        shows: "no network with enable_ipv6",
        passes: || {
            let text = format!("{COMPOSE}networks:\n  default:\n    enable_ipv6: true\n");
            login(file(jails(), "/compose/compose.yaml", &text), "192.0.2.1", 50)
        },
    },
    Case {
        id: "BAN-009",
        fails: || both("['set', 'postfix', 'bantime', 30]\n"),
        shows: "bans for 30 seconds only",
        passes: || both("['set', 'postfix', 'bantime', '2h']\n"),
    },
    Case {
        id: "BAN-009",
        fails: jails,
        shows: "3 wrong passwords ban a person's device for 7 days",
        passes: || with("[dovecot]\nmaxretry = 12\n"),
    },
    Case {
        id: "BAN-010",
        fails: || login(said(jails(), "fail2ban-client status postfix", STATUS), "192.0.2.9", 4),
        shows: "192.0.2.9 is banned, and logged in 4 times",
        passes: || login(said(jails(), "fail2ban-client status postfix", STATUS), "192.0.2.10", 4),
    },
    Case {
        id: "BAN-011",
        fails: || said(listens(nothing(), "0.0.0.0", 6379), "nft -j list ruleset", EMPTY),
        shows: "Port 6379, Redis (redis-server), can be reached from outside",
        passes: || said(listens(nothing(), "0.0.0.0", 6379), "nft -j list ruleset", DROPPING),
    },
    Case {
        id: "BAN-011",
        fails: || said(listens(nothing(), "::", 10_025), "nft -j list ruleset", EMPTY),
        shows: "re-injection behind amavis",
        passes: || listens(nothing(), "127.0.0.1", 10_025),
    },
    Case {
        id: "BAN-012",
        fails: || said(dms(), "host iptables-save", UFW),
        shows: "Docker publishes ports that ufw does not allow: 11334",
        passes: || said(dms(), "host iptables-save", &UFW.replace("11334", "25")),
    },
    Case {
        id: "BAN-013",
        fails: || said(nothing(), "iptables-save", LIMIT),
        shows: "no rule drops what is over it",
        passes: || said(nothing(), "iptables-save", HASHLIMIT),
    },
    Case {
        id: "BAN-013",
        fails: || {
            let limited = DROPPING.replace(
                "{\"accept\": null}",
                "{\"limit\": {\"rate\": 25, \"per\": \"minute\"}}, {\"accept\": null}",
            );
            said(nothing(), "nft -j list ruleset", &limited)
        },
        shows: "port 25: limit without a key per source",
        passes: || said(nothing(), "nft -j list ruleset", DROPPING),
    },
];
