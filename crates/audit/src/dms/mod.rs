//! docker-mailserver's config volume, environment and compose file.

use crate::facts::Deployment;
use crate::{Facts, Untold};

/// A docker-mailserver's tree.
#[derive(Clone, Debug)]
pub struct Dms {}

impl Dms {
    /// Reads it.
    ///
    /// # Errors
    /// When it is no docker-mailserver.
    pub fn read(facts: &Facts) -> Result<Self, Untold> {
        match facts.about.deployment {
            Deployment::DockerMailserver => Ok(Self {}),
            Deployment::Plain => Err(Untold::NotApplicable("not a docker-mailserver".to_owned())),
        }
    }
}
