//! The effective configuration of Postfix: main.cf, the services of master.cf with their overrides, defaults by version.
//!
//! What holds is what `postconf` prints; the texts of main.cf and master.cf, where they are known, say on which line it stands and
//! what it beat.

mod class;
mod defaults;
mod expand;
mod mynetworks;
mod protocols;
pub mod restrictions;
mod service;
mod table;
mod text;
mod value;
mod version;

use std::collections::BTreeMap;

pub use class::{Class, Domains};
pub(crate) use defaults::usual_parameters;
pub use expand::expand;
pub use mynetworks::{Entry as NetworkEntry, Networks};
pub use protocols::{Protocol, Protocols};
pub use service::{Kind, Service};
pub use table::{Entry as TableEntry, Table};
pub(crate) use text::parts;
pub use text::{Assignment, Logical, MainCf, boolean, elements, logical_lines, seconds, unbraced};
pub use value::{Beaten, Effective, Origin, Role};
pub use version::Version;

use crate::check::{could_not_tell, not_applicable};
use crate::facts::Known;
use crate::{Facts, Untold};

/// The effective configuration of Postfix.
#[derive(Clone, Debug)]
pub struct Postfix<'a> {
    facts: &'a Facts,
    version: Option<Version>,
    directory: String,
    /// What main.cf sets, by parameter, unexpanded.
    set: BTreeMap<String, String>,
    /// What `postconf -d` printed; none if it is not known.
    defaults: Option<BTreeMap<String, String>>,
    services: Vec<Service>,
    main_cf: Option<MainCf>,
    host: String,
}

impl<'a> Postfix<'a> {
    /// Reads it from what `postconf` said and from the files.
    ///
    /// # Errors
    /// When there is no Postfix, or its configuration could not be read.
    pub fn read(facts: &'a Facts) -> Result<Self, Untold> {
        if facts.said.get("postconf -n") == Some(&Known::Absent) {
            return not_applicable("there is no Postfix here");
        }
        let defaults = facts.output("postconf -d").ok().map(settings);
        let directory = defaults.as_ref().and_then(|known| known.get("config_directory"));
        let directory = directory.cloned().unwrap_or_else(|| "/etc/postfix".to_owned());
        let file = |name: &str| facts.text(&format!("{directory}/{name}")).ok().flatten();
        let main_cf = file("main.cf").map(MainCf::read);
        let set = set(facts, main_cf.as_ref())?;
        let services = services(facts, file("master.cf"));
        let version = version(facts, defaults.as_ref());
        let host = facts.about.host.clone();
        Ok(Self { facts, version, directory, set, defaults, services, main_cf, host })
    }

    /// The version that is installed.
    ///
    /// # Errors
    /// When nothing says so.
    pub fn version(&self) -> Result<Version, Untold> {
        match self.version {
            Some(version) => Ok(version),
            None => could_not_tell(
                "which version of Postfix it is, is not known: `postconf mail_version` was not run",
            ),
        }
    }

    /// The directory of main.cf.
    #[must_use]
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// The services of master.cf, in order.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The services that speak SMTP to clients, those behind `postscreen` included.
    pub fn smtpd(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|service| service.command == "smtpd" && service.kind != Kind::Unix)
    }

    /// The text of main.cf, where it is known.
    #[must_use]
    pub const fn main_cf(&self) -> Option<&MainCf> {
        self.main_cf.as_ref()
    }

    /// The parameters that main.cf sets, by name, with their values unexpanded.
    pub fn set(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names of all parameters that this Postfix has; none if `postconf -d` is not known.
    #[must_use]
    pub fn parameters(&self) -> Option<impl Iterator<Item = &str>> {
        self.defaults.as_ref().map(|defaults| defaults.keys().map(String::as_str))
    }
}

/// The lines `name = value` of what `postconf` printed.
fn settings(printed: &str) -> BTreeMap<String, String> {
    MainCf::read(printed).assignments.into_iter().map(|line| (line.name, line.value)).collect()
}

fn set(facts: &Facts, main_cf: Option<&MainCf>) -> Result<BTreeMap<String, String>, Untold> {
    let printed = match (facts.output("postconf -n"), main_cf) {
        (Ok(printed), _) => settings(printed),
        (Err(why), Some(main_cf)) if !facts.said.contains_key("postconf -n") => {
            if !main_cf.broken.is_empty() {
                return Err(why);
            }
            main_cf.assignments.iter().map(|line| (line.name.clone(), line.value.clone())).collect()
        }
        (Err(why), _) => return Err(why),
    };
    if printed.is_empty() {
        return could_not_tell("main.cf is empty, so no Postfix program works");
    }
    Ok(printed)
}

fn services(facts: &Facts, master_cf: Option<&str>) -> Vec<Service> {
    let written = master_cf.map(|text| service::read(text, true)).unwrap_or_default();
    let Ok(printed) = facts.output("postconf -M") else {
        return written;
    };
    let mut services = service::read(printed, false);
    for service in &mut services {
        let same = written.iter().rev().find(|line| line.name == service.name && line.kind == service.kind);
        service.line = same.and_then(|line| line.line);
    }
    services
}

fn version(facts: &Facts, defaults: Option<&BTreeMap<String, String>>) -> Option<Version> {
    let said = facts.output("postconf mail_version").ok().map(|said| said.rsplit('=').next().unwrap_or(said));
    let default = || defaults?.get("mail_version").map(String::as_str);
    let package = || {
        let packages = facts.host.packages.known()?;
        packages.iter().find(|package| package.name == "postfix").map(|package| package.version.as_str())
    };
    said.or_else(default).or_else(package).map(Version::parse)
}
