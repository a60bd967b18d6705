//! Content filtering.

use mailward_audit::Facts;
use mailward_audit::facts::{
    Account, File, Known, LEARNED, Listener, LoggedLine, Process, Said, Sample, Trial,
};

use crate::Case;
use crate::build::{dms, file, nothing, postfix, said};

/// amavis runs, with this at the end of its configuration.
fn amavis(text: &str) -> Facts {
    let facts = file(
        nothing(),
        "/etc/amavis/conf.d/20-debian_defaults",
        "use strict;\n$inet_socket_bind = '127.0.0.1';\n1;\n",
    );
    running(
        file(facts, "/etc/amavis/conf.d/50-user", &format!("use strict;\n{text}\n1;\n")),
        &["amavisd-new", "clamd"],
    )
}

fn running(mut facts: Facts, names: &[&str]) -> Facts {
    let process = |name: &&str| Process { name: (*name).into(), ..Process::default() };
    facts.host.processes = Known::Is(names.iter().map(process).collect());
    facts
}

/// A test mail was sent, and this was answered and found.
fn tried(name: &str, reply: &str, stored: &[&str]) -> Facts {
    let stored = stored.iter().map(|field| (*field).to_owned()).collect();
    let sample = Sample {
        name: name.to_owned(),
        reply: Known::Is(reply.to_owned()),
        stored: Known::Is(stored),
        ..Sample::default()
    };
    let mut facts = nothing();
    facts.trials = vec![Trial { samples: vec![sample], ..Trial::default() }];
    facts
}

/// Rspamd, by its own dump.
fn rspamd(dump: &str) -> Facts {
    said(running(nothing(), &["rspamd", "clamd"]), "rspamadm configdump", dump)
}

/// docker-mailserver with these variables.
fn env(text: &str) -> Facts {
    file(dms(), "/compose/mailserver.env", text)
}

/// What sa-learn says of its database.
fn learned(spam: u64, ham: u64) -> String {
    format!(
        "0.000          0          3          0  non-token data: bayes db version\n0.000          0          {spam}          0  non-token \
         data: nspam\n0.000          0        {ham}          0  non-token data: nham\n"
    )
}

/// ClamAV runs, and its signatures were changed so many hours ago.
fn signatures(hours: i64) -> Facts {
    let mut facts = running(nothing(), &["clamd"]);
    let taken = facts.about.taken.parse::<jiff::Timestamp>().unwrap().as_second();
    let file = File { modified: taken - hours * 3600, ..File::default() };
    facts.files.insert("/var/lib/clamav/daily.cld".into(), Known::Is(file));
    facts
}

fn trouble(mut facts: Facts, line: &str) -> Facts {
    facts.log.path = "/var/log/mail.log".into();
    facts.log.troubles.push(LoggedLine { line: line.into(), ..LoggedLine::default() });
    facts
}

fn listens(mut facts: Facts, address: &str, port: u16, program: &str) -> Facts {
    let listener =
        Listener { protocol: "tcp".into(), address: address.into(), port, program: program.into() };
    facts.host.listeners = Known::Is(vec![listener]);
    facts
}

fn clamd(facts: Facts, text: &str) -> Facts {
    file(facts, "/etc/clamav/clamd.conf", text)
}

fn mailbox(mut facts: Facts, name: &str) -> Facts {
    facts.accounts = Known::Is(vec![Account { name: name.into(), ..Account::default() }]);
    facts
}

const BANNED: &str = "$banned_filename_re = new_RE(\n  qr'.\\.(exe|vbs|pif|scr|js|lnk|hta|iso|img)$'i,\n  qr'^UNDECIPHERABLE$',\n);";
const CONTROLLER: &str = "worker {\n    controller {\n        bind_socket [\n            \"0.0.0.0:11334\",\n        ]\n        password = \"$2$***\";\n    }\n}\n";
const ZST: &str = "2026-01-01T00:00:00+00:00 mail amavis[315]: No decoder for       .zst ";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "AVS-001",
        fails: || postfix("content_filter =\nsmtpd_milters = inet:localhost:8891, inet:localhost:8893\n"),
        shows: "No content filter sees the mail",
        passes: || postfix("content_filter = smtp-amavis:[127.0.0.1]:10024\n"),
    },
    Case {
        id: "AVS-002",
        fails: || amavis("@bypass_virus_checks_maps = (1);"),
        shows: "pass by the virus scanner",
        passes: || amavis("# @bypass_virus_checks_maps = (1);\n$final_virus_destiny = D_DISCARD;"),
    },
    Case {
        id: "AVS-002",
        fails: || rspamd("antivirus {\n    clamav {\n        servers = \"/run/clamd.ctl\";\n    }\n}\n"),
        shows: "a hit only adds a symbol",
        passes: || rspamd("antivirus {\n    clamav {\n        action = \"reject\";\n    }\n}\n"),
    },
    Case {
        id: "AVS-002",
        fails: || env("ENABLE_CLAMAV=1\nENABLE_AMAVIS=0\n"),
        shows: "Nothing asks ClamAV",
        passes: || file(env("ENABLE_CLAMAV=1\n"), "/etc/amavis/conf.d/50-user", "1;\n"),
    },
    Case { id: "AVS-003", fails: || signatures(60), shows: "more than two days", passes: || signatures(20) },
    Case {
        id: "AVS-004",
        fails: || trouble(amavis(""), ZST),
        shows: "amavis cannot open .zst",
        passes: || trouble(amavis("$banned_filename_re = new_RE( qr'\\.(zst)$'i );"), ZST),
    },
    Case {
        id: "AVS-004",
        fails: || trouble(env("ENABLE_AMAVIS=1\n"), ZST),
        shows: "amavis.cf",
        passes: || trouble(env("ENABLE_AMAVIS=1\n"), "mail amavis[1]: No decoder for       .zoo "),
    },
    Case {
        id: "AVS-005",
        fails: || amavis("$banned_filename_re = new_RE(\n  qr'^\\.(exe-ms|dll)$',\n);"),
        shows: "js, vbs, scr, lnk, iso, img, hta",
        passes: || amavis(BANNED),
    },
    Case {
        id: "AVS-005",
        fails: || rspamd("mime_types {\n    enabled = false;\n}\n"),
        shows: "mime_types is off",
        passes: || rspamd("mime_types {\n    extension_map {\n    }\n}\n"),
    },
    Case {
        id: "AVS-006",
        fails: || clamd(amavis(""), "AlertEncrypted false\n"),
        shows: "with a password pass without a mark",
        passes: || clamd(amavis(""), "AlertEncryptedArchive true\n"),
    },
    Case {
        id: "AVS-007",
        fails: || {
            clamd(running(postfix("message_size_limit = 52428800\n"), &["clamd"]), "StreamMaxLength 25M\n")
        },
        shows: "StreamMaxLength 25M",
        passes: || {
            clamd(running(postfix("message_size_limit = 20480000\n"), &["clamd"]), "StreamMaxLength 25M\n")
        },
    },
    Case {
        id: "AVS-008",
        fails: || {
            tried("eicar", "250 2.0.0 Ok: queued as 4dXQ1p", &["mailbox: INBOX", "hdr.x-virus-status: "])
        },
        shows: "EICAR was delivered like any mail",
        passes: || tried("eicar", "554 5.7.1 virus Eicar-Signature found", &[]),
    },
    Case {
        id: "AVS-009",
        fails: || file(amavis(""), "/etc/amavis/conf.d/60-own.cf", "1;\n"),
        shows: "amavis never reads /etc/amavis/conf.d/60-own.cf",
        passes: || file(amavis(""), "/etc/amavis/conf.d/60-own", "1;\n"),
    },
    Case {
        id: "AVS-009",
        fails: || {
            file(env("ENABLE_AMAVIS=1\n"), "/tmp/docker-mailserver/amavis.cf", "$sa_kill_level_deflt = 8;\n")
        },
        shows: "does not end in `1;`",
        passes: || {
            file(
                env("ENABLE_AMAVIS=1\n"),
                "/tmp/docker-mailserver/amavis.cf",
                "$x = 8;\n1;  # the end\n\n# note\n",
            )
        },
    },
    Case {
        id: "AVS-009",
        fails: || file(amavis(""), "/etc/spamassassin/local.cf", "required_score 5.0\n"),
        shows: "amavis decides these things itself",
        passes: || file(amavis(""), "/etc/spamassassin/local.cf", "# required_score 5.0\nuse_bayes 1\n"),
    },
    Case {
        id: "AVS-009",
        fails: || {
            let mut facts = nothing();
            let said = Said { status: Some(1), stderr: "syntax error on line 3\n".into(), ..Said::default() };
            facts.said.insert("rspamadm configtest".into(), Known::Is(said));
            facts
        },
        shows: "syntax error on line 3",
        passes: || said(nothing(), "rspamadm configtest", "syntax OK\n"),
    },
    Case {
        id: "AVS-010",
        fails: || amavis("$sa_kill_level_deflt = 999;"),
        shows: "$sa_kill_level_deflt = 999",
        passes: || {
            amavis(
                "$sa_tag2_level_deflt = 6.31;\n$sa_kill_level_deflt = 6.31; # triggers spam evasive actions",
            )
        },
    },
    Case {
        id: "AVS-010",
        fails: || env("ENABLE_SPAMASSASSIN=1\nSA_TAG2=50\n"),
        shows: "SA_TAG2 = 50",
        passes: || env("ENABLE_SPAMASSASSIN=1\n"),
    },
    Case {
        id: "AVS-010",
        fails: || rspamd("actions {\n    reject = 500;\n    add_header = 6;\n}\n"),
        shows: "reject = 500",
        passes: || rspamd("actions {\n    reject = 15;\n    add_header = 6;\n}\n"),
    },
    Case {
        id: "AVS-011",
        fails: || file(nothing(), "/etc/spamassassin/local.cf", "whitelist_from *@gmail.com\n"),
        shows: "whoever writes as *@gmail.com",
        passes: || {
            file(
                nothing(),
                "/etc/spamassassin/local.cf",
                "welcomelist_auth *@gmail.com\nwhitelist_from news@shop.example\n",
            )
        },
    },
    Case {
        id: "AVS-011",
        fails: || {
            mailbox(
                file(nothing(), "/etc/spamassassin/local.cf", "welcomelist_from *@example.org\n"),
                "a@example.org",
            )
        },
        shows: "*@example.org",
        passes: || {
            mailbox(
                file(nothing(), "/etc/spamassassin/local.cf", "welcomelist_from *@example.net\n"),
                "a@example.org",
            )
        },
    },
    Case {
        id: "AVS-012",
        fails: || rspamd(&CONTROLLER.replace("$2$***", "q1")),
        shows: "one that everybody knows",
        passes: || rspamd(CONTROLLER),
    },
    Case {
        id: "AVS-012",
        fails: || {
            rspamd(
                &CONTROLLER
                    .replace("        password", "        secure_ip = \"0.0.0.0/0\";\n        password"),
            )
        },
        shows: "no password is asked of anybody",
        passes: || rspamd(&CONTROLLER.replace("0.0.0.0:", "localhost:").replace("$2$***", "q1")),
    },
    Case {
        id: "AVS-013",
        fails: || listens(nothing(), "0.0.0.0", 3310, "clamd"),
        shows: "clamd listens on 0.0.0.0:3310",
        passes: || listens(nothing(), "127.0.0.1", 3310, "clamd"),
    },
    Case {
        id: "AVS-013",
        fails: || {
            file(
                listens(nothing(), "::", 6379, "redis-server"),
                "/etc/redis/redis.conf",
                "protected-mode no\n",
            )
        },
        shows: "Redis without a password",
        passes: || {
            file(listens(nothing(), "::", 6379, "redis-server"), "/etc/redis/redis.conf", "requirepass ***\n")
        },
    },
    Case {
        id: "AVS-014",
        fails: || {
            postfix("content_filter = smtp-amavis:[127.0.0.1]:10024\nsmtpd_milters = inet:localhost:11332\n")
        },
        shows: "amavis and Rspamd both judge",
        passes: || postfix("content_filter =\nsmtpd_milters = inet:localhost:11332\n"),
    },
    Case {
        id: "AVS-015",
        fails: || amavis("@mynetworks = qw( 127.0.0.0/8 0.0.0.0/0 );"),
        shows: "0.0.0.0/0",
        passes: || amavis("@mynetworks = qw( 127.0.0.0/8 10.0.0.0/8 );"),
    },
    Case {
        id: "AVS-015",
        fails: || rspamd("options {\n    local_addrs [\n        \"0.0.0.0/0\",\n    ]\n}\n"),
        shows: "local_addrs = 0.0.0.0/0",
        passes: || rspamd("options {\n    local_addrs [\n        \"127.0.0.0/8\",\n    ]\n}\n"),
    },
    Case {
        id: "AVS-016",
        fails: || amavis("$inet_socket_bind = undef;"),
        shows: "amavis listens beyond this machine",
        passes: || amavis(""),
    },
    Case {
        id: "AVS-016",
        fails: || listens(nothing(), "0.0.0.0", 10_024, "amavisd-new"),
        shows: "0.0.0.0:10024",
        passes: || listens(amavis("$inet_socket_bind = undef;"), "127.0.0.1", 10_024, "amavisd-new"),
    },
    Case {
        id: "AVS-017",
        fails: || file(nothing(), "/etc/spamassassin/local.cf", "body OWN /viagra|cialis/i\nscore OWN 3.0\n"),
        shows: "cialis in specialist",
        passes: || file(nothing(), "/etc/spamassassin/local.cf", "body OWN /viagra|\\bcialis\\b/i\n"),
    },
    Case {
        id: "AVS-017",
        fails: || {
            file(dms(), "/tmp/docker-mailserver/spamassassin-rules.cf", "header OWN Subject =~ /\\bsex/i\n")
        },
        shows: "sextant",
        passes: || {
            file(
                dms(),
                "/tmp/docker-mailserver/spamassassin-rules.cf",
                "header OWN Subject =~ /\\bsex\\b/i\n",
            )
        },
    },
    Case {
        id: "AVS-018",
        fails: || said(nothing(), LEARNED, &learned(57, 900)),
        shows: "57 messages of spam and 900 that are none",
        passes: || said(nothing(), LEARNED, &learned(200, 200)),
    },
    Case {
        id: "AVS-019",
        fails: || file(amavis(""), "/etc/spamassassin/local.cf", "# x\nrequired_score 4.5\nreport_safe 0\n"),
        shows: "required_score 4.5",
        passes: || file(amavis(""), "/etc/spamassassin/local.cf", "# required_score 4.5\n"),
    },
    Case {
        id: "AVS-019",
        fails: || {
            let facts = file(env("ENABLE_SPAMASSASSIN=1\n"), "/etc/amavis/conf.d/50-user", "1;\n");
            file(
                facts,
                "/tmp/docker-mailserver/spamassassin-rules.cf",
                "rewrite_header Subject [SPAM]\nrequired_score 4\n",
            )
        },
        shows: "rewrite_header Subject",
        passes: || {
            let facts = file(env("SA_TAG2=4\n"), "/etc/amavis/conf.d/50-user", "1;\n");
            file(facts, "/tmp/docker-mailserver/spamassassin-rules.cf", "score OWN 1\n")
        },
    },
];
