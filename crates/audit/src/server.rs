//! Facts, understood: what several checks need is read once, and only when one of them asks.

use std::cell::OnceCell;

use crate::dms::Dms;
use crate::dovecot::Dovecot;
use crate::fail2ban::Fail2ban;
use crate::postfix::Postfix;
use crate::{Facts, Untold};

/// A server as checks see it.
#[derive(Debug)]
pub struct Server<'a> {
    /// What was collected.
    pub facts: &'a Facts,
    postfix: OnceCell<Result<Postfix<'a>, Untold>>,
    dovecot: OnceCell<Result<Dovecot, Untold>>,
    dms: OnceCell<Result<Dms, Untold>>,
    fail2ban: OnceCell<Result<Fail2ban, Untold>>,
}

impl<'a> Server<'a> {
    /// A server of which `facts` are known.
    #[must_use]
    pub const fn new(facts: &'a Facts) -> Self {
        Self {
            facts,
            postfix: OnceCell::new(),
            dovecot: OnceCell::new(),
            dms: OnceCell::new(),
            fail2ban: OnceCell::new(),
        }
    }

    /// Its effective Postfix configuration.
    ///
    /// # Errors
    /// When there is no Postfix, or its configuration could not be read.
    pub fn postfix(&self) -> Result<&Postfix<'a>, Untold> {
        self.postfix.get_or_init(|| Postfix::read(self.facts)).as_ref().map_err(Clone::clone)
    }

    /// Its effective Dovecot configuration.
    ///
    /// # Errors
    /// When there is no Dovecot, or its configuration could not be read.
    pub fn dovecot(&self) -> Result<&Dovecot, Untold> {
        self.dovecot.get_or_init(|| Dovecot::read(self.facts)).as_ref().map_err(Clone::clone)
    }

    /// Its docker-mailserver tree.
    ///
    /// # Errors
    /// When it is no docker-mailserver.
    pub fn dms(&self) -> Result<&Dms, Untold> {
        self.dms.get_or_init(|| Dms::read(self.facts)).as_ref().map_err(Clone::clone)
    }

    /// Its fail2ban.
    ///
    /// # Errors
    /// When there is none, or its configuration could not be read.
    pub fn fail2ban(&self) -> Result<&Fail2ban, Untold> {
        self.fail2ban.get_or_init(|| Fail2ban::read(self.facts)).as_ref().map_err(Clone::clone)
    }
}
