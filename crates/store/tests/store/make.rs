//! Short ways to the things that the tests store.

use std::net::IpAddr;
use std::path::PathBuf;

use mailward_model::{
    Account, Ban, EventKind, Guess, Network, Offence, OffenceKind, Origin, Reason, RuleId, Signal, Span,
    Subject, Text, Timestamp, Weight,
};
use mailward_store::{Batch, Recorded, Store};
use tempfile::TempDir;

/// A store in a folder of its own, which goes with it.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("lib/mailward.db")
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.path()).unwrap()
    }
}

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn net(text: &str) -> Network {
    text.parse().unwrap()
}

pub(crate) fn account(name: &str) -> Account {
    Account::of(Text::from(name)).unwrap()
}

pub(crate) fn offence(secs: i64, address: &str, user: Option<&str>) -> Offence {
    Offence {
        time: at(secs),
        kind: OffenceKind::AuthFailure,
        event: EventKind::LoginFailed,
        reason: Reason::WrongPassword,
        address: ip(address),
        account: user.map(account),
        guess: Guess::of(Text::from("d28b6c")),
        service: "imap".into(),
        count: 1,
        weight: Weight::Full,
    }
}

pub(crate) fn commit_offences(store: &mut Store, offences: &[Offence]) {
    let line = b"imap-login: Disconnected (auth failed)".as_slice();
    let recorded: Vec<_> = offences.iter().map(|offence| Recorded { offence, line }).collect();
    store.commit(&Batch { offences: &recorded, ..Batch::default() }).unwrap();
}

pub(crate) fn ban(target: &str, from: i64, until: Option<i64>) -> Ban {
    Ban {
        target: net(target),
        from: at(from),
        until: until.map(at),
        origin: Origin::Rule,
        by: "auth-failure-fast".into(),
        step: 1,
        reason: "3 auth-failure in 10m".into(),
    }
}

pub(crate) fn signal(secs: i64, subject: Subject) -> Signal {
    Signal {
        time: at(secs),
        rule: RuleId("auth-failure-fast"),
        subject,
        kind: OffenceKind::AuthFailure,
        count: 3,
        threshold: 3,
        window: Span::from_mins(10),
        ban: Span::from_hours(1),
    }
}

pub(crate) fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0\t")
}
