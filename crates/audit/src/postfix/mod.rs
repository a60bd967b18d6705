//! The effective configuration of Postfix: main.cf, the services of master.cf with their overrides, defaults by version.

use crate::{Facts, Untold};

/// The effective configuration of Postfix.
#[derive(Clone, Debug)]
pub struct Postfix {}

impl Postfix {
    /// Reads it from what `postconf` said.
    ///
    /// # Errors
    /// When there is no Postfix, or its configuration could not be read.
    pub fn read(facts: &Facts) -> Result<Self, Untold> {
        facts.output("postconf -n")?;
        Ok(Self {})
    }
}
