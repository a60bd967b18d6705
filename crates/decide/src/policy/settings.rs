//! The settings of the policy, with their defaults.

use crate::greylist::GreylistSettings;
use crate::lists::DnsList;
use crate::login::Limits;
use crate::outgoing::OutgoingSettings;
use crate::policy::{Exception, Family};
use crate::rates::Quota;

/// Whether a part of the policy has a say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It has.
    #[default]
    On,
    /// What it would say stands in Postfix's log, and nothing follows.
    WarnOnly,
    /// It is not asked.
    Off,
}

impl Mode {
    /// Whether it has a say.
    #[must_use]
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }

    /// Whether it is not asked.
    #[must_use]
    pub const fn is_off(self) -> bool {
        matches!(self, Self::Off)
    }
}

/// How Postfix is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// Whether banned clients are refused.
    pub bans: Mode,
    /// Whether accounts are held to where they may send from.
    pub places: Mode,
    /// From where that is: the login guard's limits.
    pub limits: Limits,
    /// Whether accounts are held to the senders that they own.
    pub senders: Mode,
    /// Whether accounts have limits.
    pub accounts_mode: Mode,
    /// The limits of accounts.
    pub accounts: OutgoingSettings,
    /// Whether clients have limits.
    pub clients_mode: Mode,
    /// The limits of clients.
    pub clients: ClientRates,
    /// Whether a client is refused for its doubts.
    pub doubts_mode: Mode,
    /// What each doubt weighs.
    pub doubts: DoubtSettings,
    /// Whether the sender's SPF record is asked for.
    pub spf: bool,
    /// The lists of the DNS that are asked.
    pub lists: Vec<DnsList>,
    /// Whether there is a greylist.
    pub greylist_mode: Mode,
    /// Its numbers.
    pub greylist: GreylistSettings,
    /// What is left out for whom.
    pub exceptions: Vec<Exception>,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            bans: Mode::On,
            places: Mode::On,
            limits: Limits::default(),
            senders: Mode::WarnOnly,
            accounts_mode: Mode::On,
            accounts: OutgoingSettings::default(),
            clients_mode: Mode::On,
            clients: ClientRates::default(),
            doubts_mode: Mode::On,
            doubts: DoubtSettings::default(),
            spf: true,
            lists: Vec::new(),
            greylist_mode: Mode::On,
            greylist: GreylistSettings::default(),
            exceptions: Vec::new(),
        }
    }
}

impl PolicySettings {
    /// Whether a part has a say.
    #[must_use]
    pub const fn mode(&self, family: Family) -> Mode {
        match family {
            Family::Bans => self.bans,
            Family::Places => self.places,
            Family::Senders => self.senders,
            Family::Accounts => self.accounts_mode,
            Family::Clients => self.clients_mode,
            Family::Doubts => self.doubts_mode,
            Family::Greylist => self.greylist_mode,
        }
    }
}

/// How many recipients clients may name. None is no limit, which is the default: Postfix's anvil(8) counts connections, and
/// a mailing list names hundreds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientRates {
    /// Of one address.
    pub address: Option<Quota>,
    /// Of one network, as the greylist sees it.
    pub network: Option<Quota>,
    /// In the name of one sender.
    pub sender: Option<Quota>,
    /// In one domain of ours.
    pub recipient_domain: Option<Quota>,
}

/// What each doubt about a client weighs, and what follows from the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoubtSettings {
    /// Its address has no name that leads back to it.
    pub no_name: i32,
    /// Its name is one that a provider gives to homes.
    pub generic_name: i32,
    /// It calls itself what no mail server is called.
    pub helo: i32,
    /// The sender's domain says that it may not send for it.
    pub spf_fail: i32,
    /// The domain says that it perhaps may not.
    pub spf_softfail: i32,
    /// From what sum on it is greylisted.
    pub greylist_at: i32,
    /// From what sum on it is refused.
    pub refuse_at: i32,
}

impl Default for DoubtSettings {
    /// Without a list of the DNS nobody is refused: all the others together weigh less.
    fn default() -> Self {
        Self {
            no_name: 1,
            generic_name: 1,
            helo: 1,
            spf_fail: 2,
            spf_softfail: 1,
            greylist_at: 1,
            refuse_at: 8,
        }
    }
}
