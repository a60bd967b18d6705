//! Where things are on a server: which file a change goes to, how that file is written, and which program reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::edit::{self, Clash, Format};
use super::{Change, Program};
use crate::dms::{self, Applied, CONFIG};
use crate::facts::Deployment;
use crate::{Facts, Server};

/// Beside the compose file, as the facts call it.
const COMPOSE: &str = "/compose/";
/// What Debian's Dovecot reads last, if it is there.
const LOCAL: &str = "/etc/dovecot/local.conf";
/// The name of a file of ours in a directory whose files are read in the order of their names.
const OWN: &str = "99-mailward.conf";

/// Where things are on a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    deployment: Deployment,
    /// The directory of `main.cf`.
    postfix: String,
    /// The file whose end Dovecot reads last.
    dovecot: String,
    /// Which file sets a variable of docker-mailserver now.
    variables: BTreeMap<String, String>,
    /// Which file takes a variable that none sets.
    environment: Option<String>,
}

impl Layout {
    /// That of the server that these are the facts of.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let server = Server::new(facts);
        let postfix = server.postfix().map_or("/etc/postfix", |postfix| postfix.directory()).to_owned();
        let main = server.dovecot().map_or("/etc/dovecot/dovecot.conf", |dovecot| dovecot.main()).to_owned();
        let (variables, environment) = variables(&server);
        Self {
            deployment: facts.about.deployment,
            postfix,
            dovecot: read_last(facts, &main),
            variables,
            environment,
        }
    }

    /// The file that a change goes to, as the mail server's programs see it; none where nothing there would last.
    #[must_use]
    pub fn file(&self, change: &Change) -> Option<String> {
        let docker = self.deployment == Deployment::DockerMailserver;
        match change {
            Change::Parameter { .. } if docker => Some(format!("{CONFIG}/postfix-main.cf")),
            Change::Parameter { .. } => Some(format!("{}/main.cf", self.postfix)),
            Change::Override { .. } if docker => Some(format!("{CONFIG}/postfix-master.cf")),
            Change::Service { .. } if docker => None,
            Change::Override { .. } | Change::Service { .. } => Some(format!("{}/master.cf", self.postfix)),
            Change::Dovecot { .. } if docker => Some(format!("{CONFIG}/dovecot.cf")),
            Change::Dovecot { .. } => Some(self.dovecot.clone()),
            Change::Variable { name, .. } => self.variables.get(name).or(self.environment.as_ref()).cloned(),
            Change::Setting { file, .. }
            | Change::Lines { file, .. }
            | Change::Access { file, .. }
            | Change::Key { file, .. }
            | Change::Remove { file } => {
                if docker {
                    lasting(file)
                } else {
                    Some(file.clone())
                }
            }
        }
    }

    /// How the file is written that a change goes to.
    #[must_use]
    pub fn format(&self, change: &Change) -> Format {
        let docker = self.deployment == Deployment::DockerMailserver;
        match change {
            Change::Parameter { .. } if docker => Format::OverridesOfMain,
            Change::Parameter { .. } => Format::MainCf,
            Change::Override { .. } if docker => Format::OverridesOfMaster,
            Change::Override { .. } | Change::Service { .. } => Format::MasterCf,
            Change::Dovecot { .. } => Format::Dovecot,
            Change::Variable { .. } => match self.file(change) {
                Some(file) if is_compose(&file) => Format::Compose,
                _ => Format::Environment,
            },
            Change::Setting { file, .. } => syntax(file),
            Change::Lines { .. } | Change::Access { .. } | Change::Key { .. } | Change::Remove { .. } => {
                Format::Lines
            }
        }
    }

    /// Who reads the file that a change goes to, and has to be told.
    #[must_use]
    pub fn program(&self, change: &Change) -> Program {
        // A key is read once a table names it, and is removed when none does.
        if let Change::Access { .. } | Change::Key { .. } | Change::Remove { .. } = change {
            return Program::Nobody;
        }
        if self.deployment == Deployment::DockerMailserver {
            return self.file(change).map_or(Program::Container, |file| told(&file));
        }
        match change {
            Change::Parameter { .. } | Change::Override { .. } | Change::Service { .. } => Program::Postfix,
            Change::Dovecot { .. } => Program::Dovecot,
            Change::Variable { .. } => Program::Container,
            Change::Setting { file, .. } | Change::Lines { file, .. } => reader(&self.postfix, file),
            Change::Access { .. } | Change::Key { .. } | Change::Remove { .. } => Program::Nobody,
        }
    }

    /// A file's text once these changes, all of which go to it, are made one after the other. No text is a file that is not there
    /// yet.
    ///
    /// # Errors
    /// When one of them cannot be made in it.
    pub fn rewrite<'a>(
        &self,
        text: Option<&str>,
        changes: impl IntoIterator<Item = &'a Change>,
    ) -> Result<String, Clash> {
        let mut rewritten = text.map(str::to_owned);
        for change in changes {
            let Some(file) = self.file(change) else { continue };
            let new = edit::rewrite(self.format(change), &file, rewritten.as_deref(), change)?;
            rewritten = Some(new);
        }
        Ok(rewritten.unwrap_or_default())
    }
}

/// Which files set variables now, and which one takes others.
fn variables(server: &Server<'_>) -> (BTreeMap<String, String>, Option<String>) {
    let Ok(dms) = server.dms() else { return (BTreeMap::new(), None) };
    let file = |place: &str| format!("{COMPOSE}{}", place.rsplit_once(':').map_or(place, |(file, _)| file));
    let set: BTreeMap<_, _> =
        dms.assignments.iter().map(|set| (set.name.clone(), file(&set.place))).collect();
    let named = dms.compose().ok().and_then(|compose| compose.env_files().into_iter().next());
    let named = named.map(|path| format!("{COMPOSE}{}", path.rsplit('/').next().unwrap_or(&path)));
    let other = || set.values().find(|file| !is_compose(file)).cloned();
    let compose = || dms.compose().ok().map(|compose| format!("{COMPOSE}{}", compose.file));
    let environment = named.or_else(other).or_else(compose);
    (set, environment)
}

fn is_compose(file: &str) -> bool {
    file.ends_with(".yaml") || file.ends_with(".yml")
}

/// The file at whose end Dovecot reads last: the main file, or what its last line includes.
fn read_last(facts: &Facts, main: &str) -> String {
    let Ok(Some(text)) = facts.text(main) else { return LOCAL.to_owned() };
    let directory = main.rsplit_once('/').map_or("/etc/dovecot", |(directory, _)| directory);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(included) = lines.next_back().and_then(|line| line.strip_prefix("!include")) else {
        return main.to_owned();
    };
    let pattern = included.strip_prefix("_try").unwrap_or(included).trim();
    let path = if pattern.starts_with('/') { pattern.to_owned() } else { format!("{directory}/{pattern}") };
    match path.split_once('*') {
        None => path,
        Some((folder, _)) => last_of(facts, folder.trim_end_matches('/')),
    }
}

/// A file of ours that is read after all others of a directory.
fn last_of(facts: &Facts, folder: &str) -> String {
    let later = facts.below(folder).any(|(path, _)| {
        let name = path.rsplit('/').next().unwrap_or(path);
        path.ends_with(".conf") && name > OWN
    });
    if later { format!("{folder}/zz-mailward.conf") } else { format!("{folder}/{OWN}") }
}

/// The file of docker-mailserver's volume that becomes another one in the container; none if it would be lost with it.
fn lasting(file: &str) -> Option<String> {
    if file.starts_with(CONFIG) || file.starts_with(COMPOSE) {
        return Some(file.to_owned());
    }
    let own = dms::READ.iter().find(|read| read.becomes == file);
    own.map(|read| format!("{CONFIG}/{}", read.path))
}

/// Who has to be told of a file of docker-mailserver's.
fn told(file: &str) -> Program {
    let below = file.strip_prefix(CONFIG).map(|path| path.trim_start_matches('/'));
    match below.and_then(dms::reads) {
        Some(read) if read.applied == Applied::Live => Program::Nobody,
        _ => Program::Container,
    }
}

/// How a program's own file is written.
fn syntax(file: &str) -> Format {
    if file.ends_with(".conf.ext") {
        return Format::Dovecot;
    }
    let sections = ["/etc/fail2ban/", "/etc/systemd/", "/lib/systemd/"];
    if sections.iter().any(|folder| file.contains(folder)) || file.contains("/fail2ban-") {
        return Format::Sections;
    }
    let statements = ["/etc/amavis/", "/etc/rspamd/", "/rspamd/"];
    if statements.iter().any(|folder| file.contains(folder)) || file.ends_with("/amavis.cf") {
        return Format::Statements;
    }
    Format::Words
}

/// Who reads a file of the system.
fn reader(postfix: &str, file: &str) -> Program {
    const READERS: &[(&str, Program)] = &[
        ("/etc/aliases", Program::Postfix),
        ("/etc/amavis/", Program::Amavis),
        ("/etc/clamav/", Program::Clamav),
        ("/etc/dovecot/", Program::Dovecot),
        ("/etc/fail2ban/", Program::Fail2ban),
        ("/etc/logrotate", Program::Logrotate),
        ("/etc/opendkim", Program::Opendkim),
        ("/etc/opendmarc", Program::Opendmarc),
        ("/etc/rspamd/", Program::Rspamd),
        ("/etc/rsyslog", Program::Rsyslog),
        ("/etc/spamassassin/", Program::Spamassassin),
        ("/etc/mail/spamassassin/", Program::Spamassassin),
        ("/etc/systemd/", Program::Systemd),
    ];
    if file.strip_prefix(postfix).is_some_and(|rest| rest.starts_with('/')) {
        return Program::Postfix;
    }
    let known = READERS.iter().find(|(folder, _)| file.starts_with(folder));
    known.map_or(Program::Nobody, |(_, program)| *program)
}
