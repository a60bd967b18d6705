//! Failed logins: who guesses, who sprays, and who only has an old password.

use std::collections::HashSet;
use std::net::IpAddr;

use foldhash::quality::RandomState;
use mailward_model::{Account, EventKind, Network, Offence};
use mailward_report::At;
use mailward_report::attacks::AccountCount;

use super::census::{Few, Found, Sum, Table, add};
use super::pattern::{self, ByPattern, Pattern, is_submission};

/// Failed logins by source and by account.
#[derive(Debug, Default)]
pub(super) struct Failures {
    sources: Table<IpAddr, Failing>,
}

/// What one source failed at.
#[derive(Debug, Default)]
struct Failing {
    /// Attempts, however often the same password was tried.
    attempts: u64,
    /// By when the password database refused.
    refused: Sum,
    /// By when the login process or smtpd said so, which comes later and is what people see.
    concluded: Sum,
    accounts: Table<Account, Sum>,
    guesses: HashSet<u64, RandomState>,
    unknown_guesses: u64,
    services: Few<String>,
    reason: &'static str,
}

impl Failures {
    /// Attempts of one source below which nobody speaks of guessing.
    const GUESSER: u64 = 3;
    /// Sources at one account, or in one network, from which on single tries are one attack.
    const SPRAY: usize = 3;

    pub(super) fn add(&mut self, offence: &Offence) {
        let failing = self.sources.entry(offence.address).or_default();
        let is_refusal = offence.event == EventKind::PasswordRefused;
        // The same guess again counts for nothing in the windows; here it is an attempt.
        let attempts = if is_refusal { u64::from(offence.count.max(1)) } else { u64::from(offence.count) };
        failing.attempts += attempts;
        let sum = if is_refusal { &mut failing.refused } else { &mut failing.concluded };
        sum.add(attempts, offence.time);
        if let Some(account) = offence.account.as_ref().filter(|_| attempts > 0) {
            failing.accounts.entry(account.clone()).or_default().add(attempts, offence.time);
        }
        match offence.guess {
            Some(guess) => {
                failing.guesses.insert(guess.bits());
            }
            None if attempts > 0 => failing.unknown_guesses += attempts,
            None => {}
        }
        if &*offence.service != "auth" {
            *failing.services.entry(&*offence.service) += 1;
        }
        failing.reason = offence.reason.name();
    }

    /// Judges every source as a whole.
    pub(super) fn judge(&self, logins: &Table<IpAddr, u64>, found: &mut ByPattern<Found>) {
        let (by_account, by_network) = self.crowds();
        for (address, failing) in &self.sources {
            let crowd = failing.accounts.keys().filter_map(|account| by_account.get(account)).max();
            let neighbours = by_network.get(&around(*address));
            let sprayed = crowd.max(neighbours).is_some_and(|number| *number >= Self::SPRAY);
            let pattern = failing.pattern(logins.contains_key(address), sprayed);
            let found = found.entry(pattern).or_default();
            found.source(*address, failing.sum(), failing.reason, failing.service());
            found.guesses.extend(&failing.guesses);
            for (account, sum) in &failing.accounts {
                add(&mut found.accounts, &account.to_string(), sum.count);
            }
        }
    }

    pub(super) fn by_account(&self) -> Vec<AccountCount> {
        let mut accounts: Table<&Account, (Sum, u64)> = Table::default();
        for failing in self.sources.values() {
            for (account, sum) in &failing.accounts {
                let (all, sources) = accounts.entry(account).or_default();
                all.join(*sum);
                *sources += 1;
            }
        }
        accounts
            .into_iter()
            .map(|(account, (sum, sources))| AccountCount {
                account: account.to_string(),
                failures: sum.count,
                sources,
                first: sum.first.map(At),
                last: sum.last.map(At),
                logins: 0,
            })
            .collect()
    }

    /// How many sources tried each account, and how many failed in each network.
    fn crowds(&self) -> (Table<&Account, usize>, Table<Network, usize>) {
        let (mut accounts, mut networks) = (Table::default(), Table::default());
        for (address, failing) in &self.sources {
            for account in failing.accounts.keys() {
                *accounts.entry(account).or_default() += 1;
            }
            *networks.entry(around(*address)).or_default() += 1;
        }
        (accounts, networks)
    }
}

impl Failing {
    fn pattern(&self, logs_in: bool, sprayed: bool) -> Pattern {
        let one_password = self.guesses.len() == 1 && self.unknown_guesses == 0;
        let submission = is_submission(self.service());
        if self.attempts > 1 && one_password && self.accounts.len() == 1 {
            pattern::OLD_PASSWORD
        } else if logs_in {
            pattern::FAILURES_AT_HOME
        } else if self.attempts >= Failures::GUESSER {
            if submission { pattern::SMTP_BRUTEFORCE } else { pattern::MAILBOX_BRUTEFORCE }
        } else if sprayed {
            if submission { pattern::SMTP_SPRAY } else { pattern::MAILBOX_SPRAY }
        } else {
            pattern::MISTYPED
        }
    }

    /// Attempts, from the first to the last line that concluded one.
    fn sum(&self) -> Sum {
        let times = if self.concluded.first.is_some() { self.concluded } else { self.refused };
        Sum { count: self.attempts, ..times }
    }

    /// The service that was tried most.
    fn service(&self) -> &str {
        let most = self.services.iter().max_by_key(|(service, count)| (**count, service.as_str()));
        most.map_or("auth", |(service, _)| service)
    }
}

fn around(address: IpAddr) -> Network {
    Network::around(address, if address.is_ipv4() { 24 } else { 48 })
}
