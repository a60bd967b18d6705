//! May this login go on? What is known of place and account, into a verdict with its reason.
//!
//! The grounds are asked in the order in which they stand in [`judge`]; the first that speaks decides. Nothing is remembered
//! here but [`Pending`] and [`Lists`]: who guessed what is known to `detect`, and comes as [`Window`]s.

mod limits;
mod lists;
mod pending;
mod travel;

use mailward_model::{Account, Network, RuleId, Timestamp};

pub use limits::{Limit, LimitError, Limits};
pub use lists::{Entry, List, Lists};
pub use pending::Pending;
pub use travel::{Pace, Stay, Travels};

use crate::Country;

/// A login that is tried, and what is known about it.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// When.
    pub time: Timestamp,
    /// The client's address; a local program may have none.
    pub network: Option<Network>,
    /// The country that it is in, where that is known.
    pub country: Option<Country>,
    /// Whose login.
    pub account: Option<&'a Account>,
    /// `imap`, `pop3`, `smtp` …
    pub protocol: &'a str,
    /// Whether the password was found right already.
    pub password_was_right: bool,
    /// Who logs in from there.
    pub place: Place,
    /// Whether anybody logged in with this account lately.
    pub account_is_used: bool,
    /// Whether the address is banned.
    pub is_banned: bool,
    /// Whether the address is on the never-ban list.
    pub is_protected: bool,
    /// What was counted of address, network and account.
    pub windows: &'a [Window],
}

/// Who logs in from a place lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// This account.
    Own,
    /// Another account, and not this one.
    Others,
    /// Nobody.
    Strange,
}

/// Over whom a window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The source of the login.
    Source,
    /// Its neighbours.
    Network,
    /// The account.
    Account,
}

/// How full a rule's window is for this login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The rule.
    pub rule: RuleId,
    /// Over whom.
    pub over: Over,
    /// Whether full it closes the whole network, and not only to those who failed themselves.
    pub closes_network: bool,
    /// How much is in it.
    pub count: u32,
    /// How much fills it, with patience for those who log in.
    pub threshold: u32,
}

impl Window {
    const fn is_full(&self) -> bool {
        self.count >= self.threshold
    }

    /// One more fills it.
    const fn is_nearly_full(&self) -> bool {
        self.count > 0 && self.count + 1 >= self.threshold
    }
}

/// What Dovecot is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Wait a little, then go on.
    Wait,
    /// Fail, whatever the password is.
    Refuse,
}

impl Verdict {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Wait => "wait",
            Self::Refuse => "refuse",
        }
    }
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// A program on this host, or no address at all: nobody to tell from others.
    Local,
    /// An entry of the allow list.
    Allowed,
    /// An entry of the block list.
    Blocked,
    /// The address is banned.
    Banned,
    /// The account is limited to other protocols.
    Protocol,
    /// The account is limited to other networks or countries.
    Elsewhere,
    /// The address is on the never-ban list.
    Protected,
    /// The source guessed too much.
    Guesser(RuleId),
    /// The password was right, at a strange place that guessed at other accounts, or while strangers guess at this one.
    Stolen(RuleId),
    /// The account logged in from there lately.
    OwnPlace,
    /// The account is under attack; only its own places are let in.
    Locked(RuleId),
    /// The network is full of guessers.
    Network(RuleId),
    /// One more wrong password and the source is refused.
    NearlyFull(RuleId),
    /// Nothing speaks against it.
    Nothing,
}

impl Ground {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
            Self::Banned => "banned",
            Self::Protocol => "protocol",
            Self::Elsewhere => "elsewhere",
            Self::Protected => "never-ban",
            Self::Guesser(_) => "guesser",
            Self::Stolen(_) => "stolen-password",
            Self::OwnPlace => "own-place",
            Self::Locked(_) => "locked",
            Self::Network(_) => "network",
            Self::NearlyFull(_) => "nearly-full",
            Self::Nothing => "nothing",
        }
    }

    /// The rule whose window it was, where it was one.
    #[must_use]
    pub const fn rule(self) -> Option<RuleId> {
        match self {
            Self::Guesser(rule)
            | Self::Stolen(rule)
            | Self::Locked(rule)
            | Self::Network(rule)
            | Self::NearlyFull(rule) => Some(rule),
            _ => None,
        }
    }

    /// In a few words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Local => "a program on this host, or no address",
            Self::Allowed => "on the allow list",
            Self::Blocked => "on the block list",
            Self::Banned => "the address is banned",
            Self::Protocol => "the account may not use this protocol ([login] limits)",
            Self::Elsewhere => "the account may not log in from there ([login] limits)",
            Self::Protected => "the address is on the never-ban list",
            Self::Guesser(_) => "too many wrong passwords from this source",
            Self::Stolen(_) => {
                "the password was right, but at a strange place and after guesses: it may be stolen"
            }
            Self::OwnPlace => "the account logged in from there lately",
            Self::Locked(_) => "the account is under attack, and only its own places are let in",
            Self::Network(_) => "wrong passwords from all over this network",
            Self::NearlyFull(_) => "one more wrong password and the source is refused",
            Self::Nothing => "nothing speaks against it",
        }
    }
}

/// A verdict and why it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The ground.
    pub ground: Ground,
}

/// The verdict.
#[must_use]
pub fn judge(login: &Circumstances<'_>, limits: &Limits, lists: &Lists) -> Judgement {
    let grounds: [Grounds; 8] =
        [by_address, by_lists, by_limits, by_source, by_theft, by_place, by_account, by_network];
    let (verdict, ground) = grounds
        .iter()
        .find_map(|ground| ground(login, limits, lists))
        .or_else(|| nearly(login))
        .unwrap_or((Verdict::Pass, Ground::Nothing));
    Judgement { verdict, ground }
}

type Said = Option<(Verdict, Ground)>;
type Grounds = fn(&Circumstances<'_>, &Limits, &Lists) -> Said;

fn by_address(login: &Circumstances<'_>, _: &Limits, _: &Lists) -> Said {
    // Webmail on this host logs in for everybody.
    let is_local = login.network.is_none_or(|network| network.address().is_loopback());
    is_local.then_some((Verdict::Pass, Ground::Local))
}

fn by_lists(login: &Circumstances<'_>, _: &Limits, lists: &Lists) -> Said {
    let has = |list| lists.find(list, login.network, login.account, login.time).is_some();
    if has(List::Allow) {
        Some((Verdict::Pass, Ground::Allowed))
    } else if has(List::Block) {
        Some((Verdict::Refuse, Ground::Blocked))
    } else {
        login.is_banned.then_some((Verdict::Refuse, Ground::Banned))
    }
}

fn by_limits(login: &Circumstances<'_>, limits: &Limits, _: &Lists) -> Said {
    let limit = limits.of(login.account?)?;
    if !limit.allows_protocol(login.protocol) {
        Some((Verdict::Refuse, Ground::Protocol))
    } else if !limit.allows_place(login.network, login.country) {
        Some((Verdict::Refuse, Ground::Elsewhere))
    } else {
        None
    }
}

fn by_source(login: &Circumstances<'_>, _: &Limits, _: &Lists) -> Said {
    if login.is_protected {
        return Some((Verdict::Pass, Ground::Protected));
    }
    let full = login.windows.iter().find(|window| window.over == Over::Source && window.is_full())?;
    Some((Verdict::Refuse, Ground::Guesser(full.rule)))
}

/// The password is right. At a strange place that is a stolen one when the same source just failed on other accounts, or when
/// strangers are about to besiege this one. Where nobody ever logged in with it, its owner has no other place.
fn by_theft(login: &Circumstances<'_>, _: &Limits, _: &Lists) -> Said {
    if !login.password_was_right || login.place != Place::Strange {
        return None;
    }
    let speaks = |window: &&Window| {
        window.is_nearly_full()
            && match window.over {
                Over::Source => window.rule.0 == SPRAY,
                Over::Account => login.account_is_used,
                Over::Network => false,
            }
    };
    login.windows.iter().find(speaks).map(|window| (Verdict::Refuse, Ground::Stolen(window.rule)))
}

/// The rule that counts the accounts that a source fails on.
const SPRAY: &str = "auth-spray";

fn by_place(login: &Circumstances<'_>, _: &Limits, _: &Lists) -> Said {
    (login.place == Place::Own).then_some((Verdict::Pass, Ground::OwnPlace))
}

/// A lockout that locks nobody out: the account's own places were let in before. Where there are none, its owner may be at any
/// place that has not failed.
fn by_account(login: &Circumstances<'_>, _: &Limits, _: &Lists) -> Said {
    let full = login.windows.iter().find(|window| window.over == Over::Account && window.is_full())?;
    let is_shut = login.place == Place::Strange && (login.account_is_used || has_failed(login));
    Some((if is_shut { Verdict::Refuse } else { Verdict::Wait }, Ground::Locked(full.rule)))
}

fn by_network(login: &Circumstances<'_>, _: &Limits, _: &Lists) -> Said {
    let mut full = login.windows.iter().filter(|window| window.over == Over::Network && window.is_full());
    let first = full.next()?;
    let closed = full.chain([first]).find(|window| window.closes_network);
    let is_shut = login.place == Place::Strange && (closed.is_some() || has_failed(login));
    let rule = closed.unwrap_or(first).rule;
    Some((if is_shut { Verdict::Refuse } else { Verdict::Wait }, Ground::Network(rule)))
}

fn nearly(login: &Circumstances<'_>) -> Said {
    let mut sources = login.windows.iter().filter(|window| window.over == Over::Source);
    let nearly = sources.find(|window| window.is_nearly_full())?;
    Some((Verdict::Wait, Ground::NearlyFull(nearly.rule)))
}

/// Whether the source itself has failed lately.
fn has_failed(login: &Circumstances<'_>) -> bool {
    login.windows.iter().any(|window| window.over == Over::Source && window.count > 0)
}

#[cfg(test)]
mod tests;
