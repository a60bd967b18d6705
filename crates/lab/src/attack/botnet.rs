//! Many addresses guess passwords, each only once or twice.

use super::passwords::{box_guess, smtp_guess, sprayed};
use super::run::{After, Try, guess};
use super::{Attack, Sources, attack};
use crate::client::{Imap, Mailbox as _, Times, Trouble, Trust};
use crate::topology::{HOME, OTTO, Place, TARGETS};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        sources: Sources::Scattered(60),
        count: 120,
        rate: 8.0,
        parallel: 24,
        target: OTTO,
        after: Some(owner_logs_in),
        ..attack(
            "distributed-bruteforce",
            "Guesses at one account from 60 addresses, two each; afterwards its owner logs in.",
            587,
            one_account,
        )
    },
    Attack {
        sources: Sources::Scattered(80),
        count: 80,
        rate: 8.0,
        parallel: 24,
        ..attack("distributed-spray", "Guesses once from each of 80 addresses, at many accounts.", 587, spray)
    },
    Attack {
        sources: Sources::Rotating(40),
        count: 40,
        rate: 6.0,
        parallel: 16,
        target: TARGETS[5],
        ..attack("ipv6-rotate", "Guesses each time from a new address of the same IPv6 /64.", 587, sasl)
    },
    Attack {
        sources: Sources::Hopping(40),
        count: 40,
        rate: 6.0,
        parallel: 16,
        target: TARGETS[6],
        ..attack("ipv6-hop", "Guesses each time from another /64 of the same IPv6 /48.", 587, sasl)
    },
];

fn sasl(attempt: &Try<'_>) -> Result<(), Trouble> {
    smtp_guess(attempt, 587, attempt.target.name, &attempt.guess(), true)
}

fn one_account(attempt: &Try<'_>) -> Result<(), Trouble> {
    if attempt.n % 3 < 2 {
        return sasl(attempt);
    }
    let mut imap = attempt.imap(993)?;
    imap.hello(attempt.trust)?;
    box_guess(attempt, &mut imap, attempt.target.name, &attempt.guess()).map(drop)
}

fn spray(attempt: &Try<'_>) -> Result<(), Trouble> {
    smtp_guess(attempt, 587, &sprayed(attempt.n), &guess(attempt.n / 24), false)
}

/// A protection that locks the account for everybody does the attackers' work.
fn owner_logs_in(after: &After<'_>) {
    let login = || -> Result<bool, Trouble> {
        let trust =
            Trust::authority(&after.lab.authority()).map_err(|error| Trouble::Lab(error.to_string()))?;
        let mut imap = Imap::open(HOME.address, 993, Times::HONEST)?;
        imap.hello(&trust)?;
        let right = imap.login(after.target.name, after.target.password)?;
        imap.logout();
        Ok(right)
    };
    let right = after.lab.within(Place::Good, || Ok(login().unwrap_or(false)));
    after.note("owner_can_login", usize::from(right.unwrap_or(false)));
}
