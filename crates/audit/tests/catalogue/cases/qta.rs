//! Cases of the QTA family.

use mailward_audit::Facts;
use mailward_audit::facts::{Deployment, Known, Space};

use crate::Case;
use crate::build::{dovecot, file, nothing, postfix, said};

const ON: &str = "mail_plugins = quota\nplugin {\n  quota = count:User quota\n}\n";
const RULE: &str = "mail_plugins = quota\nplugin {\n  quota_rule = *:storage=1G\n}\n";
const WARNING: &str = "mail_plugins = quota\nplugin {\n  quota_rule = *:storage=1G\n  quota_warning = storage=95%% quota-warning 95 %u\n}\n";

const NO_LIMIT: &str = "\
Username          Quota name Type    Value Limit %
alice@example.org User quota STORAGE     3     - 0
alice@example.org User quota MESSAGE     1     - 0
";

const LIMITS: &str = "\
Username          Quota name Type      Value   Limit  %
alice@example.org User quota STORAGE  100000 1048576  9
alice@example.org User quota MESSAGE       1       -  0
bob@example.org   User quota STORAGE 1020000 1048576 97
";

fn quota(config: &str, usage: &str) -> Facts {
    said(dovecot(nothing(), config), "doveadm quota get -A", usage)
}

/// A docker-mailserver with quotas on, and a default limit.
fn dms(limit: &str) -> Facts {
    let rule = format!("mail_plugins = quota\nplugin {{\n  quota_rule = *:storage={limit}\n}}\n");
    let mut facts = quota(&rule, NO_LIMIT);
    facts.about.deployment = Deployment::DockerMailserver;
    let facts = file(
        facts,
        "/compose/mailserver.env",
        &format!("ENABLE_QUOTAS=1\nPOSTFIX_MAILBOX_SIZE_LIMIT={limit}\n"),
    );
    file(facts, "/tmp/docker-mailserver/dovecot-quotas.cf", "")
}

fn space(mut facts: Facts, purpose: &str, bytes: u64, free: u64) -> Facts {
    let path = format!("/var/{purpose}");
    let space =
        Space { path, purpose: purpose.to_owned(), device: 1, bytes, free, inodes: 1000, inodes_free: 900 };
    facts.host.space = Known::Is(vec![space]);
    facts
}

/// Port 25 with a list of restrictions, and a Dovecot whose quota-status listens on port 65265.
fn port_25(restrictions: &str) -> Facts {
    let more = format!("{RULE}service quota-status {{\n  inet_listener {{\n    port = 65265\n  }}\n}}\n");
    let facts = dovecot(postfix(&format!("smtpd_recipient_restrictions = {restrictions}\n")), &more);
    said(facts, "doveadm quota get -A", LIMITS)
}

const GIB: u64 = 1 << 30;

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "QTA-001",
        fails: || quota(ON, NO_LIMIT),
        shows: "no limit for any",
        passes: || quota(RULE, NO_LIMIT),
    },
    Case {
        id: "QTA-001",
        fails: || dms("0"),
        shows: "POSTFIX_MAILBOX_SIZE_LIMIT=0 (0: no limit)",
        passes: || dms("5368709120"),
    },
    Case {
        id: "QTA-002",
        fails: || dovecot(nothing(), ""),
        shows: "quota plugin is off",
        passes: || quota(RULE, LIMITS),
    },
    Case {
        id: "QTA-002",
        fails: || quota(ON, &format!("{LIMITS}carol@example.org User quota STORAGE 5 - 0\n")),
        shows: "carol@example.org",
        passes: || quota(ON, LIMITS),
    },
    Case {
        id: "QTA-003",
        fails: || space(quota(RULE, LIMITS), "mail", GIB, GIB),
        shows: "may have 2.0G together, and the disk has 1.0G",
        passes: || space(quota(RULE, LIMITS), "mail", 10 * GIB, GIB),
    },
    Case {
        id: "QTA-004",
        fails: || quota(RULE, LIMITS),
        shows: "bob@example.org uses 97 per cent",
        passes: || quota(RULE, &LIMITS.replace("97", "90")),
    },
    Case {
        id: "QTA-005",
        fails: || port_25("permit_mynetworks, reject_unauth_destination"),
        shows: "quota-status listens at :65265",
        passes: || port_25("reject_unauth_destination, check_policy_service inet:localhost:65265"),
    },
    Case {
        id: "QTA-006",
        fails: || space(nothing(), "mail", 100 * GIB, 10 * GIB),
        shows: "90 per cent of the space for mail",
        passes: || space(nothing(), "mail", 100 * GIB, 20 * GIB),
    },
    Case {
        id: "QTA-006",
        fails: || space(postfix("message_size_limit = 10240000\n"), "queue", 100 << 20, 14 << 20),
        shows: "Postfix refuses mail below",
        passes: || space(postfix("message_size_limit = 10240000\n"), "queue", 100 << 20, 99 << 20),
    },
    Case {
        id: "QTA-007",
        fails: || quota(RULE, LIMITS),
        shows: "no quota_warning",
        passes: || quota(WARNING, LIMITS),
    },
];
