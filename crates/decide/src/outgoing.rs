//! What accounts send: limits by their own history, the brake on a stolen password.
//!
//! A message takes its share when its first recipient is named, and gives back what was refused after that: two sessions that
//! ask at the same moment cannot both take the last one.

use std::collections::HashMap;

use mailward_model::{Account, Span, Timestamp};

use crate::Fingerprint;
use crate::rates::{Quota, Taken};
use crate::seen::ByPrint;

/// What an account may send. None is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingSettings {
    /// Messages.
    pub messages: Option<Quota>,
    /// Recipients.
    pub recipients: Option<Quota>,
    /// Messages over a longer time.
    pub daily_messages: Option<Quota>,
    /// Recipients over a longer time.
    pub daily_recipients: Option<Quota>,
    /// Who usually sends more in an hour than the limits allow at once, may send so many times his usual; 0 takes no account of it.
    pub history: u32,
    /// Accounts that are remembered.
    pub capacity: usize,
}

impl Default for OutgoingSettings {
    fn default() -> Self {
        let (hour, day) = (Span::from_hours(1), Span::from_days(1));
        Self {
            // A stolen password is used to send thousands; a person with a newsletter sends some dozens.
            messages: Some(Quota::new(60, hour).burst(25)),
            recipients: Some(Quota::new(200, hour).burst(100)),
            daily_messages: Some(Quota::new(500, day)),
            daily_recipients: Some(Quota::new(1_000, day)),
            history: 2,
            capacity: 100_000,
        }
    }
}

/// Which of its limits an account has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// Of what: `messages`, `recipients`.
    pub what: &'static str,
    /// The limit as it holds for this account.
    pub quota: Quota,
    /// When there is room again.
    pub wait: Span,
    /// Whether it was over none in the day before.
    pub is_news: bool,
}

/// What is known of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// What it has taken of its four limits, in the order of the settings.
    pub taken: [Taken; 4],
    /// How many messages it usually sends in its busiest hour of a day.
    pub usual: u32,
    /// Messages in the hour that began then.
    pub hour: (Timestamp, u32),
    /// The most of any hour in the day that began then.
    pub day: (Timestamp, u32),
    /// When it was last over a limit.
    pub over: Option<Timestamp>,
}

/// What accounts send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    settings: OutgoingSettings,
    accounts: HashMap<Account, Sent>,
    /// Messages that are under way, by Postfix's instance.
    open: ByPrint<Open>,
    changed: Vec<Account>,
}

#[derive(Clone, Debug)]
struct Open {
    recipients: u32,
    since: Timestamp,
}

const HOUR: Span = Span::from_hours(1);
const DAY: Span = Span::from_days(1);
/// A day's busiest hour counts for so much of what is usual: it takes a week to become used to more.
const LEARN: u32 = 7;
/// Messages under way that are remembered.
const OPEN: usize = 10_000;

impl Outgoing {
    /// Nobody has sent anything yet.
    #[must_use]
    pub fn new(settings: OutgoingSettings) -> Self {
        Self { settings, accounts: HashMap::new(), open: ByPrint::default(), changed: Vec::new() }
    }

    /// Other limits.
    pub const fn set(&mut self, settings: OutgoingSettings) {
        self.settings = settings;
    }

    /// Brings back what was kept.
    pub fn restore(&mut self, account: Account, sent: Sent) {
        self.accounts.insert(account, sent);
    }

    /// A copy of what is known of an account and a message.
    pub(crate) fn excerpt(&self, account: Option<&Account>, message: Fingerprint) -> Self {
        let known = account.and_then(|account| Some((account.clone(), *self.accounts.get(account)?)));
        let open = self.open.get(&message).map(|open| (message, open.clone()));
        Self {
            settings: self.settings,
            accounts: known.into_iter().collect(),
            open: open.into_iter().collect(),
            changed: Vec::new(),
        }
    }

    /// What is known of an account.
    #[must_use]
    pub fn sent(&self, account: &Account) -> Option<&Sent> {
        self.accounts.get(account)
    }

    /// The limits of an account, as they hold for it, with what it has taken of each.
    #[must_use]
    pub fn limits(&self, account: &Account, now: Timestamp) -> Vec<(&'static str, Quota, u32)> {
        let sent = self.accounts.get(account).copied().unwrap_or_default();
        let quotas = self.quotas(&sent).into_iter().zip(sent.taken).zip(NAMES);
        quotas.filter_map(|((quota, taken), name)| Some((name, quota?, taken.used(quota?, now)))).collect()
    }

    /// Takes back what an account has taken, so that it may send again.
    pub fn forgive(&mut self, account: &Account) -> bool {
        let Some(sent) = self.accounts.get_mut(account) else { return false };
        (sent.taken, sent.over) = ([Taken::default(); 4], None);
        self.changed.push(account.clone());
        true
    }

    /// What has changed since this was asked last.
    pub fn take_changes(&mut self) -> Vec<(Account, Sent)> {
        let mut changed = core::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed
            .into_iter()
            .filter_map(|account| self.accounts.get(&account).copied().map(|sent| (account, sent)))
            .collect()
    }

    /// A message of this account names one more recipient.
    ///
    /// # Errors
    /// The limit that it would exceed; then nothing was taken.
    pub fn recipient(&mut self, account: &Account, message: Fingerprint, now: Timestamp) -> Result<(), Over> {
        let known = self.open.get(&message).map(|open| open.recipients);
        self.take(account, [u32::from(known.is_none()), 1], now)?;
        self.remember(message, known.unwrap_or(0) + 1, now);
        Ok(())
    }

    /// So many recipients were accepted, of those that it named.
    ///
    /// # Errors
    /// Where they were not all counted when they were named, the limit that they exceed.
    pub fn data(
        &mut self,
        account: &Account,
        message: Fingerprint,
        recipients: u32,
        now: Timestamp,
    ) -> Result<(), Over> {
        let known = self.open.get(&message).map(|open| open.recipients);
        let counted = known.unwrap_or(0);
        if recipients > counted {
            self.take(account, [u32::from(known.is_none()), recipients - counted], now)?;
        } else if recipients > 0 {
            self.give_back(account, counted - recipients);
        }
        self.remember(message, recipients.max(1), now);
        Ok(())
    }

    /// The message is here.
    pub fn end(&mut self, message: Fingerprint) {
        self.open.remove(&message);
    }

    fn remember(&mut self, message: Fingerprint, recipients: u32, now: Timestamp) {
        if self.open.len() >= OPEN {
            self.open.retain(|_, open| now.since(open.since) < HOUR);
        }
        if self.open.len() >= OPEN {
            self.open.clear();
        }
        self.open.entry(message).or_insert(Open { recipients, since: now }).recipients = recipients;
    }

    /// Takes messages and recipients of all limits, or of none.
    fn take(
        &mut self,
        account: &Account,
        [messages, recipients]: [u32; 2],
        now: Timestamp,
    ) -> Result<(), Over> {
        self.make_room();
        let mut sent = self.accounts.get(account).copied().unwrap_or_default();
        sent.turn(now);
        let quotas = self.quotas(&sent);
        for (taken, quota) in sent.taken.iter_mut().zip(quotas) {
            quota.into_iter().for_each(|quota| taken.settle(quota, now));
        }
        let mut taken = sent.taken;
        for (((taken, quota), name), n) in
            taken.iter_mut().zip(quotas).zip(NAMES).zip([messages, recipients].into_iter().cycle())
        {
            let Some(quota) = quota.filter(|_| n > 0) else { continue };
            if let Err(wait) = taken.take(quota, n, now) {
                let is_news = sent.over.is_none_or(|over| is_over(over, DAY, now));
                sent.over = Some(now);
                self.keep(account, sent);
                return Err(Over { what: name, quota, wait, is_news });
            }
        }
        sent.taken = taken;
        sent.hour.1 = sent.hour.1.saturating_add(messages);
        self.keep(account, sent);
        Ok(())
    }

    fn give_back(&mut self, account: &Account, recipients: u32) {
        let Some(mut sent) = self.accounts.get(account).copied().filter(|_| recipients > 0) else { return };
        let [_, hourly, _, daily] = self.quotas(&sent);
        let [_, of_hour, _, of_day] = &mut sent.taken;
        for (taken, quota) in [(of_hour, hourly), (of_day, daily)] {
            if let Some(quota) = quota {
                taken.give_back(quota, recipients);
            }
        }
        self.keep(account, sent);
    }

    fn keep(&mut self, account: &Account, sent: Sent) {
        self.accounts.insert(account.clone(), sent);
        if self.changed.last() != Some(account) {
            self.changed.push(account.clone());
        }
    }

    /// The limits as they hold for an account that usually sends more.
    fn quotas(&self, sent: &Sent) -> [Option<Quota>; 4] {
        let settings = &self.settings;
        let usual = sent.usual.saturating_mul(settings.history);
        let wider = |quota: Quota, least: u32| Quota {
            amount: quota.amount.max(least),
            burst: quota.burst.max(least),
            ..quota
        };
        [
            settings.messages.map(|quota| wider(quota, usual)),
            settings.recipients.map(|quota| wider(quota, usual)),
            settings.daily_messages.map(|quota| wider(quota, usual.saturating_mul(2))),
            settings.daily_recipients.map(|quota| wider(quota, usual.saturating_mul(2))),
        ]
    }

    /// Accounts are those that somebody could log in to: there are more than this only on the largest servers.
    fn make_room(&mut self) {
        if self.accounts.len() < self.settings.capacity {
            return;
        }
        let mut all: Vec<_> =
            self.accounts.iter().map(|(account, sent)| (sent.hour.0, account.clone())).collect();
        all.sort_unstable();
        for (_, account) in all.into_iter().take((self.settings.capacity / 16).max(1)) {
            self.accounts.remove(&account);
        }
    }
}

const NAMES: [&str; 4] = ["messages", "recipients", "messages a day", "recipients a day"];

/// Whether a time that began then is over; one that has not begun yet is, too: the clock was set back.
fn is_over(begun: Timestamp, span: Span, now: Timestamp) -> bool {
    now.since(begun) >= span || now < begun
}

impl Sent {
    /// Closes the hour and the day, when they are over.
    fn turn(&mut self, now: Timestamp) {
        if is_over(self.hour.0, HOUR, now) {
            self.day.1 = self.day.1.max(self.hour.1);
            self.hour = (now, 0);
        }
        if is_over(self.day.0, DAY, now) {
            // A day on which it was over a limit may be a thief's.
            if self.over.is_none_or(|over| over < self.day.0) {
                let (usual, busiest) = (self.usual, self.day.1);
                self.usual = if busiest > usual {
                    usual + (busiest - usual).div_ceil(LEARN)
                } else {
                    usual - (usual - busiest) / (LEARN * 4)
                };
            }
            self.day = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests;
