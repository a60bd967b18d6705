//! What is known about something.

use serde::{Deserialize, Serialize};

use crate::Untold;

/// A fact that may be missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known<T> {
    /// It is this.
    Is(T),
    /// It is not there: the file, program or record does not exist.
    Absent,
    /// It could not be learnt; why.
    Unread(String),
    /// Nobody looked.
    #[default]
    Unasked,
}

impl<T> Known<T> {
    /// The fact.
    ///
    /// # Errors
    /// When it is missing; a check ends with that.
    pub fn get(&self) -> Result<&T, Untold> {
        match self {
            Self::Is(fact) => Ok(fact),
            Self::Absent => Err(Untold::NotApplicable("it does not exist here".to_owned())),
            Self::Unread(why) => Err(Untold::CouldNotTell(why.clone())),
            Self::Unasked => Err(Untold::CouldNotTell("it was not looked at".to_owned())),
        }
    }

    /// The fact, if there is one.
    #[must_use]
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Is(fact) => Some(fact),
            _ => None,
        }
    }
}

impl<T> From<T> for Known<T> {
    fn from(fact: T) -> Self {
        Self::Is(fact)
    }
}
