//! The effective configuration of Dovecot 2.3 and 2.4.

use crate::{Facts, Untold};

/// The effective configuration of Dovecot.
#[derive(Clone, Debug)]
pub struct Dovecot {}

impl Dovecot {
    /// Reads it from what `doveconf` said.
    ///
    /// # Errors
    /// When there is no Dovecot, or its configuration could not be read.
    pub fn read(facts: &Facts) -> Result<Self, Untold> {
        facts.output("doveconf -n")?;
        Ok(Self {})
    }
}
