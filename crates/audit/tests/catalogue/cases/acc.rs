//! Cases of the ACC family.

use mailward_audit::Facts;
use mailward_audit::facts::{Account, Answer, File, FileKind, Known, Usage};

use crate::Case;
use crate::build::{dms, dovecot, dovecot_2_4, file, nothing, postfix};

const USERS: &str = "/etc/dovecot/users";

fn account(name: &str, scheme: &str, cost: u64) -> Account {
    Account {
        name: name.to_owned(),
        place: format!("{USERS}:1"),
        scheme: scheme.to_owned(),
        cost,
        digest: format!("digest of {name}"),
        ..Account::default()
    }
}

fn sound(name: &str) -> Account {
    account(name, "ARGON2ID", 65_536)
}

fn with(mut facts: Facts, accounts: Vec<Account>) -> Facts {
    facts.accounts = accounts.into();
    facts
}

fn only(account: Account) -> Facts {
    with(nothing(), vec![account])
}

fn guessed(guessed: bool) -> Facts {
    only(Account { guessed: Some(guessed), ..sound("bob@example.org") })
}

fn shared(digest: &str) -> Facts {
    let second = Account { digest: digest.to_owned(), ..sound("bob@example.org") };
    with(nothing(), vec![sound("alice@example.org"), second])
}

/// Postfix with two mailboxes and these aliases.
fn aliases(virtuals: &str) -> Facts {
    let more = "recipient_delimiter = +\nvirtual_mailbox_domains = example.org\nvirtual_alias_maps = hash:/etc/postfix/virtual\nalias_maps = hash:/etc/aliases\n";
    let facts = with(postfix(more), vec![sound("alice@example.org"), sound("bob@example.org")]);
    let facts = dovecot(facts, "");
    let facts = stat(facts, "/var/mail/vhosts", FileKind::Directory, 0o755, "vmail");
    let facts = file(facts, "/etc/postfix/virtual", virtuals);
    file(facts, "/etc/aliases", "# local\npostmaster: root\nroot: alice@example.org\n")
}

fn local(aliases_file: &str) -> Facts {
    file(aliases(""), "/etc/aliases", aliases_file)
}

fn sieve(script: &str) -> Facts {
    file(aliases(""), "/var/mail/vhosts/example.org/alice/.dovecot.sieve", script)
}

fn logged_in(last: i64) -> Facts {
    let mut facts = with(nothing(), vec![sound("alice@example.org"), sound("bob@example.org")]);
    // The facts are of 1 March 2026.
    let mut usage = Usage { from: 1_740_000_000, to: 1_772_000_000, ..Usage::default() };
    usage
        .last
        .extend([("alice@example.org".to_owned(), 1_772_000_000), ("bob@example.org".to_owned(), last)]);
    facts.usage = usage.into();
    facts
}

fn stat(mut facts: Facts, path: &str, kind: FileKind, mode: u32, group: &str) -> Facts {
    let file = File { kind, mode, owner: "root".to_owned(), group: group.to_owned(), ..File::default() };
    facts.files.insert(path.to_owned(), Known::Is(file));
    facts
}

fn piped(mode: u32) -> Facts {
    stat(
        local("list: \"|/usr/local/bin/archive -a, b\"\n"),
        "/usr/local/bin/archive",
        FileKind::Regular,
        mode,
        "staff",
    )
}

fn mailboxes(user: &str) -> Facts {
    let facts = with(dovecot(nothing(), ""), vec![sound("alice@example.org")]);
    let root = "/var/mail/vhosts";
    let facts = stat(facts, root, FileKind::Directory, 0o755, "vmail");
    let facts = stat(facts, &format!("{root}/lost+found"), FileKind::Directory, 0o700, "root");
    stat(facts, &format!("{root}/example.org/{user}"), FileKind::Directory, 0o700, "vmail")
}

fn reports(mut facts: Facts) -> Facts {
    let record = "v=DMARC1; p=none; rua=mailto:dmarc@example.org!10m,mailto:x@example.net";
    let answer = Answer { code: "NOERROR".to_owned(), records: vec![record.to_owned()], ..Answer::default() };
    facts.dns.answers.insert("TXT _dmarc.example.org".to_owned(), Known::Is(answer));
    facts
}

/// A docker-mailserver with an alias of an account.
fn dms_aliases(quotas: &str) -> Facts {
    let facts = with(dms(), vec![sound("alice@example.org")]);
    let facts =
        file(facts, "/tmp/docker-mailserver/postfix-virtual.cf", "helpdesk@example.org alice@example.org\n");
    file(facts, "/compose/mailserver.env", quotas)
}

const ROLES: &str = "postmaster@example.org alice@example.org\nabuse@example.org alice@example.org\n";

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "ACC-001",
        fails: || only(account("bob@example.org", "CRAM-MD5", 0)),
        shows: "scheme CRAM-MD5",
        passes: || only(sound("bob@example.org")),
    },
    Case {
        id: "ACC-002",
        fails: || only(account("bob@example.org", "MD5-CRYPT", 0)),
        shows: "scheme MD5-CRYPT",
        passes: || only(account("bob@example.org", "SHA512-CRYPT", 5000)),
    },
    Case {
        id: "ACC-003",
        fails: || only(account("bob@example.org", "SHA512-CRYPT", 1000)),
        shows: "Medium",
        passes: || only(account("bob@example.org", "SHA512-CRYPT", 500_000)),
    },
    Case {
        id: "ACC-003",
        fails: || only(account("bob@example.org", "SHA512-CRYPT", 5000)),
        shows: "Info",
        passes: || only(account("bob@example.org", "BLF-CRYPT", 12)),
    },
    Case { id: "ACC-004", fails: || guessed(true), shows: "matches a guess", passes: || guessed(false) },
    Case {
        id: "ACC-005",
        fails: || shared("digest of alice@example.org"),
        shows: "alice@example.org and bob@example.org",
        passes: || shared("another"),
    },
    Case {
        id: "ACC-006",
        fails: || only(Account { empty: true, ..account("bob@example.org", "PLAIN", 0) }),
        shows: "bob@example.org",
        passes: || only(Account { empty: true, locked: true, ..account("bob@example.org", "PLAIN", 0) }),
    },
    Case {
        id: "ACC-007",
        fails: || only(sound("Test@example.org")),
        shows: "Medium",
        passes: || only(sound("bob@example.org")),
    },
    Case {
        id: "ACC-007",
        fails: || only(sound("info@example.org")),
        shows: "Info",
        passes: || only(sound("informatics@example.org")),
    },
    Case {
        id: "ACC-007",
        fails: || dms_aliases("ENABLE_QUOTAS=1\n"),
        shows: "helpdesk@example.org logs in as alice@example.org",
        passes: || dms_aliases("ENABLE_QUOTAS=0\n"),
    },
    Case {
        id: "ACC-008",
        fails: || logged_in(1_745_000_000),
        shows: "last login 2025-04-18",
        passes: || logged_in(1_771_000_000),
    },
    Case {
        id: "ACC-009",
        fails: || with(nothing(), vec![sound("bob@example.org"), sound("Bob@example.org")]),
        shows: "no effect",
        passes: || with(nothing(), vec![sound("bob@example.org"), sound("bob@example.net")]),
    },
    Case {
        id: "ACC-010",
        fails: || with(aliases(""), vec![sound("bob@old.example")]),
        shows: "bob@old.example",
        passes: || aliases(""),
    },
    Case {
        id: "ACC-011",
        fails: || mailboxes("carol"),
        shows: "carol@example.org has no account",
        passes: || mailboxes("alice"),
    },
    Case {
        id: "ACC-011",
        fails: || {
            let facts = with(dovecot_2_4(nothing(), ""), vec![sound("alice@example.org")]);
            let facts = stat(facts, "/var/mail/vhosts", FileKind::Directory, 0o755, "vmail");
            stat(facts, "/var/mail/vhosts/example.org/carol", FileKind::Directory, 0o700, "vmail")
        },
        shows: "carol@example.org",
        passes: || {
            let facts = with(dovecot_2_4(nothing(), ""), vec![sound("alice@example.org")]);
            stat(facts, "/var/mail/vhosts", FileKind::Directory, 0o755, "vmail")
        },
    },
    Case {
        id: "ACC-012",
        fails: || {
            aliases(
                "a@example.org b@example.org\nb@example.org c@example.org\nc@example.org alice@example.org, a@example.org\n",
            )
        },
        shows: "a@example.org, b@example.org, c@example.org lead in a circle",
        passes: || {
            aliases("alice@example.org alice@example.org, bob@example.org\n@example.net @example.org\n")
        },
    },
    Case {
        id: "ACC-013",
        fails: || aliases("sales@example.org carol@example.org\n"),
        shows: "carol@example.org",
        passes: || {
            aliases(
                "sales@example.org alice+sales@example.org, x@example.net\nhelp@example.org sales@example.org\n",
            )
        },
    },
    Case {
        id: "ACC-014",
        fails: || aliases("alice@example.org alice@example.net\n"),
        shows: "all mail of alice@example.org goes to alice@example.net, no copy is kept",
        passes: || aliases("partner@example.org somebody@example.net\n"),
    },
    Case {
        id: "ACC-014",
        fails: || sieve("require [\"copy\"];\nif true {\n  redirect :copy \"x@example.net\";\n}\n"),
        shows: ".dovecot.sieve:3",
        passes: || {
            sieve(
                "if header :contains \"subject\" \"rota\" { redirect \"x@example.net\"; }\nredirect :copy \"bob@example.org\";\n",
            )
        },
    },
    Case {
        id: "ACC-015",
        fails: || {
            sieve(
                "if header :contains [\"subject\"] [\"Invoice\", \"iban\"] {\n  fileinto \"RSS Feeds\";\n  stop;\n}\n",
            )
        },
        shows: "buries in RSS Feeds mail with",
        passes: || {
            sieve(
                "if header :contains \"subject\" \"invoice\" { fileinto \"Invoices\"; }\nif header :contains \"x-spam-flag\" \"yes\" { discard; }\n",
            )
        },
    },
    Case {
        id: "ACC-015",
        fails: || {
            sieve(
                "if anyof (body :contains \"password\", header :contains \"from\" \"security@\") { discard; }\n",
            )
        },
        shows: "discard when if anyof",
        passes: || {
            sieve("if header :contains \"subject\" \"payment\" { redirect :copy \"x@example.net\"; }\n")
        },
    },
    Case {
        id: "ACC-016",
        fails: || aliases("@example.org alice@example.org\n"),
        shows: "@example.org",
        passes: || aliases("@example.net @example.org\n"),
    },
    Case { id: "SMT-023", fails: || aliases(""), shows: "abuse@example.org", passes: || aliases(ROLES) },
    Case {
        id: "ACC-017",
        fails: || reports(aliases(ROLES)),
        shows: "dmarc@example.org does not exist",
        passes: || reports(aliases(&format!("{ROLES}dmarc@example.org bob@example.org\n"))),
    },
    Case {
        id: "ACC-018",
        fails: || dovecot(nothing(), "passdb {\n  driver = pam\n}\n"),
        shows: "beside the accounts of passdb passwd-file",
        passes: || dovecot(nothing(), ""),
    },
    Case { id: "ACC-019", fails: || piped(0o775), shows: "mode 0775, group staff", passes: || piped(0o755) },
    Case {
        id: "ACC-020",
        fails: || dovecot(nothing(), ""),
        shows: "auth_mechanisms = plain login",
        passes: || dovecot(nothing(), "auth_mechanisms = plain oauthbearer\n"),
    },
];
