//! docker-mailserver's config volume, environment and compose file.
//!
//! Two states are told apart: what the files say, which is in force in the next container, and what the running container was
//! created with (`/etc/dms-settings`).

mod compose;
mod env;
mod variable;
mod volume;
mod yaml;

use std::collections::BTreeMap;

pub use compose::{Compose, Mount, Published};
pub use env::Assignment;
pub use variable::{VARIABLES, Variable, variable};
pub(crate) use variable::{meant, replaced};
pub(crate) use volume::is_aside;
pub use volume::{Applied, CONFIG, READ, Read, read as reads, text as volume_text};

use crate::facts::{Deployment, Known};
use crate::{Facts, Untold};

/// Where the probe puts compose and environment files.
const COMPOSE: &str = "/compose/";
/// The file that a container's settings are exported to.
const SETTINGS: &str = "/etc/dms-settings";

/// A docker-mailserver's tree.
#[derive(Clone, Debug, Default)]
pub struct Dms {
    /// The assignments of environment files and `environment:`, in the order in which the later win.
    pub assignments: Vec<Assignment>,
    /// What the running container was created with; none if that is not known.
    running: Option<BTreeMap<String, String>>,
    /// Why there is no compose file; its text if there is one.
    compose: Known<Box<Compose>>,
}

impl PartialEq for Compose {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.service == other.service
    }
}

/// A variable's value, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The value; the default where nobody sets it, or sets it to nothing.
    pub value: String,
    /// Where it was seen: a file and line, `/etc/dms-settings`, or `default`.
    pub place: String,
    /// As it stands there.
    pub seen: String,
}

impl Setting {
    /// Whether it is a switch that is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.value == "1"
    }
}

impl Dms {
    /// Reads it.
    ///
    /// # Errors
    /// When it is no docker-mailserver.
    pub fn read(facts: &Facts) -> Result<Self, Untold> {
        match facts.about.deployment {
            Deployment::DockerMailserver => Ok(Self::of(facts)),
            Deployment::Plain => Err(Untold::NotApplicable("not a docker-mailserver".to_owned())),
        }
    }

    fn of(facts: &Facts) -> Self {
        let compose = compose_of(facts);
        let mut assignments: Vec<Assignment> = env_files(facts, compose.known().map(AsRef::as_ref))
            .flat_map(|(name, text)| env::read(name, text))
            .collect();
        if let Some(compose) = compose.known() {
            assignments.extend(compose.environment());
        }
        Self { assignments, running: running(facts), compose }
    }

    /// The mail server's service of the compose file.
    ///
    /// # Errors
    /// When there is none that could be read.
    pub fn compose(&self) -> Result<&Compose, Untold> {
        match &self.compose {
            Known::Absent => Err(Untold::CouldNotTell("no compose file was found".to_owned())),
            other => other.get().map(AsRef::as_ref),
        }
    }

    /// Whether anything is known of its environment.
    ///
    /// # Errors
    /// When neither an environment file nor `/etc/dms-settings` could be read.
    pub fn environment(&self) -> Result<&[Assignment], Untold> {
        if self.assignments.is_empty() && self.running.is_none() {
            return Err(Untold::CouldNotTell(
                "neither mailserver.env nor /etc/dms-settings could be read".to_owned(),
            ));
        }
        Ok(&self.assignments)
    }

    /// The assignment of a variable that wins in files; none if no file sets it.
    #[must_use]
    pub fn assigned(&self, name: &str) -> Option<&Assignment> {
        self.assignments.iter().rev().find(|set| set.name == name)
    }

    /// What the running container has; none if that is not known.
    #[must_use]
    pub fn running(&self, name: &str) -> Option<&str> {
        self.running.as_ref()?.get(name).map(String::as_str)
    }

    /// A variable as the next container will have it; the running one's where no file is known.
    ///
    /// # Errors
    /// When nothing is known of the environment.
    pub fn setting(&self, name: &str) -> Result<Setting, Untold> {
        self.environment()?;
        let default = variable(name).map_or("", |variable| variable.default);
        if let Some(set) = self.assigned(name) {
            let value = if set.value.is_empty() { default } else { &set.value };
            return Ok(Setting {
                value: value.to_owned(),
                place: set.place.clone(),
                seen: format!("{name}={}", set.value),
            });
        }
        if let (Some(value), true) = (self.running(name), self.assignments.is_empty()) {
            let seen = format!("{name}={value}");
            return Ok(Setting { value: value.to_owned(), place: SETTINGS.to_owned(), seen });
        }
        let seen = format!("{name} is not set; its default is `{default}`");
        Ok(Setting { value: default.to_owned(), place: "environment".to_owned(), seen })
    }

    /// A variable as the running container has it; the files' where the container's is not known.
    ///
    /// # Errors
    /// When nothing is known of the environment.
    pub fn in_force(&self, name: &str) -> Result<Setting, Untold> {
        match self.running(name) {
            Some(value) => Ok(Setting {
                value: value.to_owned(),
                place: SETTINGS.to_owned(),
                seen: format!("{name}='{value}'"),
            }),
            None => self.setting(name),
        }
    }

    /// Assignments of variables that nobody reads.
    pub fn unknown(&self) -> impl Iterator<Item = &Assignment> {
        let ldap = self.assigned("ACCOUNT_PROVISIONER").is_some_and(|set| set.value == "LDAP");
        let pasted = move |name: &str| {
            // With LDAP these are pasted into the LDAP files by name, whatever the name.
            ldap && ["DOVECOT_", "LDAP_", "SASLAUTHD_"].iter().any(|prefix| name.starts_with(prefix))
                || name.starts_with("OAUTH2_")
        };
        self.assignments.iter().filter(move |set| {
            variable(&set.name).is_none() && !variable::belongs_elsewhere(&set.name) && !pasted(&set.name)
        })
    }
}

/// The environment files that a compose file's mail server names, by path from the compose file's directory; docker-mailserver's
/// own examples call it `mailserver.env`.
#[must_use]
pub fn env_files_of(compose: &str) -> Vec<String> {
    let read = Compose::read("compose.yaml", compose, &[]).ok().flatten();
    read.map(|compose| compose.env_files()).unwrap_or_default()
}

/// The compose file's mail server.
fn compose_of(facts: &Facts) -> Known<Box<Compose>> {
    let dot_env = text(facts, ".env").map(|text| env::read(".env", text)).unwrap_or_default();
    let mut trouble = None;
    for (path, text) in texts(facts) {
        if !(path.ends_with(".yaml") || path.ends_with(".yml")) {
            continue;
        }
        match Compose::read(path, text, &dot_env) {
            Ok(Some(compose)) => return Known::Is(Box::new(compose)),
            Ok(None) => {}
            Err(why) => trouble = Some(format!("{path} is no YAML that could be read: {why}")),
        }
    }
    trouble.map_or(Known::Absent, Known::Unread)
}

/// The environment files in the order in which the later win: those that the compose file names, or all that there are.
fn env_files<'a>(facts: &'a Facts, compose: Option<&Compose>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let named = compose.map(Compose::env_files).unwrap_or_default();
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let order: Vec<String> = named.iter().map(|path| base(path)).collect();
    let is_environment = |path: &str| {
        let name = base(path);
        if order.is_empty() { path.ends_with(".env") && name != ".env" } else { order.contains(&name) }
    };
    let mut found: Vec<_> = texts(facts).filter(|(path, _)| is_environment(path)).collect();
    found.sort_by_key(|(path, _)| order.iter().position(|name| *name == base(path)));
    found.into_iter()
}

/// The texts beside the compose file, by path below its directory.
fn texts(facts: &Facts) -> impl Iterator<Item = (&str, &str)> {
    facts.below(COMPOSE).filter_map(|(path, file)| {
        Some((path.strip_prefix(COMPOSE).unwrap_or(path), file.text.known()?.as_str()))
    })
}

fn text<'a>(facts: &'a Facts, name: &str) -> Option<&'a str> {
    texts(facts).find(|(path, _)| *path == name).map(|(_, text)| text)
}

/// The running container's settings, from the file or from what `cat` said of it.
fn running(facts: &Facts) -> Option<BTreeMap<String, String>> {
    let file = facts.text(SETTINGS).ok().flatten();
    let text = file.or_else(|| facts.output("cat /etc/dms-settings").ok())?;
    let set = env::read(SETTINGS, text);
    (!set.is_empty()).then(|| set.into_iter().map(|set| (set.name, set.value)).collect())
}
