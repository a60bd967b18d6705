//! Cases of the BAK family.

use mailward_audit::Facts;
use mailward_audit::facts::{Backup, Known, Space};

use crate::Case;
use crate::build::{file, nothing};

/// The time of the facts, seconds since 1970.
const NOW: i64 = 1_772_366_400;
const DAY: i64 = 24 * 3600;

fn archive(name: &str, days: i64) -> Backup {
    Backup {
        path: format!("/backup/{name}"),
        format: "age".to_owned(),
        size: 1_000_000,
        modified: NOW - days * DAY,
        mode: 0o600,
        device: 2,
        encrypted: Known::Is(true),
        broken: Known::Is(String::new()),
        ..Backup::default()
    }
}

fn open(name: &str) -> Backup {
    Backup { format: "gzip".to_owned(), encrypted: Known::Is(false), ..archive(name, 1) }
}

fn with(backups: Vec<Backup>) -> Facts {
    let mut facts = file(nothing(), "/etc/crontab", "# nothing\n");
    facts.host.backups = Known::Is(backups);
    facts
}

fn script(text: &str) -> Facts {
    file(nothing(), "/usr/local/bin/backup.sh", text)
}

fn listed(names: &[&str]) -> Facts {
    let contents = names.iter().map(|name| (*name).to_owned()).collect();
    with(vec![Backup { contents: Known::Is(contents), ..open("a.tar.gz") }])
}

/// A repository of Mailward's own, whose last proof is so many days old.
fn own(days: Option<i64>) -> Backup {
    let proven = Known::Is(days.map(|days| NOW - days * DAY));
    Backup { path: "/mnt/backup/mailward".to_owned(), tool: "mailward".to_owned(), proven, ..archive("", 1) }
}

fn on_disk(device: u64) -> Facts {
    let mut facts = with(vec![archive("a.age", 1)]);
    let space =
        Space { path: "/var/mail".to_owned(), purpose: "mail".to_owned(), device, ..Space::default() };
    facts.host.space = Known::Is(vec![space]);
    facts
}

/// The cases, by id.
pub(crate) const CASES: &[Case] = &[
    Case {
        id: "BAK-001",
        fails: || with(vec![]),
        shows: "no job that speaks of a backup",
        passes: || with(vec![archive("a.age", 1)]),
    },
    Case {
        id: "BAK-001",
        fails: || file(with(vec![]), "/etc/cron.daily/dpkg", "dbdir=/var/backups\n"),
        shows: "No backup was found",
        passes: || file(with(vec![]), "/etc/cron.d/x", "0 3 * * * root restic backup /var/mail\n"),
    },
    Case {
        id: "BAK-002",
        fails: || with(vec![archive("a.age", 9)]),
        shows: "9 days old",
        passes: || with(vec![archive("a.age", 7)]),
    },
    Case {
        id: "BAK-002",
        fails: || {
            file(
                with(vec![archive("a.age", 3)]),
                "/etc/cron.d/x",
                "0 3 * * * root /usr/local/bin/backup.sh\n",
            )
        },
        shows: "3 days old",
        passes: || {
            file(
                with(vec![archive("a.age", 3)]),
                "/etc/cron.d/x",
                "0 3 * * 0 root /usr/local/bin/backup.sh\n",
            )
        },
    },
    Case {
        id: "BAK-003",
        fails: || with(vec![open("a.tar.gz.gpg")]),
        shows: "begins as gzip does",
        passes: || with(vec![archive("a.age", 1)]),
    },
    Case {
        id: "BAK-004",
        fails: || with(vec![Backup { broken: Known::Is("its end is missing".to_owned()), ..open("a.tar") }]),
        shows: "its end is missing",
        passes: || with(vec![archive("a.age", 1)]),
    },
    Case {
        id: "BAK-005",
        fails: || listed(&["var/mail/example.org/alice/cur/1", "etc/postfix/main.cf"]),
        shows: "no accounts, no DKIM keys",
        passes: || {
            listed(&[
                "mail-data/example.org/alice/cur/1",
                "config/postfix-accounts.cf",
                "config/opendkim/keys/example.org/mail.private",
                "mailserver.env",
                "certs/live/mail.example.org/cert.pem",
                "mail-state/lib-dovecot/x",
            ])
        },
    },
    Case {
        id: "BAK-006",
        fails: || {
            with(vec![
                Backup { size: 400_000, ..archive("mail-20260228.age", 1) },
                archive("mail-20260227.age", 2),
            ])
        },
        shows: "400000 bytes",
        passes: || {
            with(vec![
                Backup { size: 900_000, ..archive("mail-20260228.age", 1) },
                archive("mail-20260227.age", 2),
            ])
        },
    },
    Case { id: "BAK-007", fails: || on_disk(2), shows: "same disk", passes: || on_disk(3) },
    Case {
        id: "BAK-007",
        fails: || with(vec![Backup { mode: 0o644, ..open("a.tar.gz") }]),
        shows: "mode 0644",
        passes: || with(vec![open("a.tar.gz")]),
    },
    Case {
        id: "BAK-008",
        fails: || {
            script(
                "#!/bin/sh\ntar -czf /backup/mail.tar.gz /var/mail\nopenssl enc -des3 -pass pass:*** -in /backup/mail.tar.gz -out /backup/m.enc\nrm /backup/mail.tar.gz\n",
            )
        },
        shows: "backup.sh:2",
        passes: || script("#!/bin/sh\ntar -czf - /var/mail | age -r age1x > /backup/mail.age\n"),
    },
    Case {
        id: "BAK-009",
        fails: || with(vec![own(None)]),
        shows: "no trial on record",
        passes: || with(vec![own(Some(3))]),
    },
    Case {
        id: "BAK-009",
        fails: || with(vec![own(Some(40))]),
        shows: "40 days ago",
        passes: || with(vec![own(Some(35))]),
    },
];
