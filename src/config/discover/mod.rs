//! What is on this host: Postfix, Dovecot, docker-mailserver, their logs, and whom a ban must never hit.
//!
//! Nothing here changes anything. What cannot be found out is left out and told in a note; the daemon starts all the same.

mod addresses;
mod containers;
mod dovecot;
mod host;
mod logs;
mod postfix;
mod sessions;

use std::net::IpAddr;
use std::path::PathBuf;

use mailward_decide::Protection;
use mailward_model::Network;
use mailward_source::Spec;

pub(crate) use addresses::Bridge;
pub(crate) use containers::Container;
pub(crate) use dovecot::Dovecot;
pub(crate) use host::Host;
pub(crate) use logs::Log;
pub(crate) use postfix::Postfix;
pub(crate) use sessions::Session;

use super::{Auto, NeverBan, Sources};

/// What is on a host.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    pub(crate) postfix: Option<Postfix>,
    pub(crate) dovecot: Option<Dovecot>,
    /// Mail servers in containers.
    pub(crate) containers: Vec<Container>,
    /// The log files that should be read.
    pub(crate) logs: Vec<Log>,
    /// Whether the mail log is in the systemd journal alone.
    pub(crate) journal: bool,
    /// Addresses of this host, without loopback and link-local ones.
    pub(crate) own: Vec<IpAddr>,
    pub(crate) bridges: Vec<Bridge>,
    pub(crate) sessions: Vec<Session>,
    /// Whether fail2ban is installed, and running.
    pub(crate) fail2ban: Option<bool>,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
}

/// Looks at everything. `ssh` is the caller's `SSH_CONNECTION`, if there is one.
pub(crate) fn look(host: &Host, ssh: Option<&str>) -> Discovery {
    let mut notes = Vec::new();
    let postfix = postfix::find(host, &mut notes);
    let dovecot = dovecot::find(host);
    let containers = containers::find(host, &mut notes);
    let (logs, journal) = logs::find(host, postfix.as_ref(), dovecot.as_ref(), &containers, &mut notes);
    Discovery {
        postfix,
        dovecot,
        containers,
        logs,
        journal,
        own: addresses::own(host),
        bridges: addresses::bridges(host),
        sessions: sessions::find(host, ssh),
        fail2ban: fail2ban(host),
        notes,
    }
}

/// Where lines come from: as it is set, and found out where it is not.
pub(crate) fn specs(settings: &Sources, host: &Host) -> Vec<Spec> {
    let found = match (&settings.files, &settings.journal) {
        (Auto::Set(_), Auto::Set(_)) => Discovery::default(),
        _ => look(host, None),
    };
    let mut files = match &settings.files {
        Auto::Set(files) => files.clone(),
        // Nobody looks at what is found here, as a person does after `mailward init`.
        Auto::Auto => found.logs.iter().filter(|log| log.trusted).map(|log| log.path.clone()).collect(),
    };
    let journal = match settings.journal {
        Auto::Set(journal) => journal,
        // Whoever names files would get their lines twice.
        Auto::Auto => found.journal && settings.files == Auto::Auto,
    };
    // It is read as soon as it is there.
    if files.is_empty() && !journal {
        files.push(PathBuf::from(logs::USUAL));
    }
    let matches = || settings.journal_matches.clone();
    let journal = journal.then(|| Spec::Journal { matches: matches(), directory: None });
    files.into_iter().map(Spec::File).chain(journal).collect()
}

/// Whom a ban must never hit, as far as the host tells and the settings ask for it. What is built into
/// [`mailward_decide::NeverBan`] is not among them.
pub(crate) fn protected_networks(
    settings: &NeverBan,
    host: &Host,
    ssh: Option<&str>,
) -> Vec<(Network, Protection)> {
    let named = |entry: &super::NamedNetwork| {
        (entry.network, Protection::Configured { comment: entry.comment.clone() })
    };
    let mut protected: Vec<_> = settings.networks.iter().map(named).collect();
    if settings.own_addresses {
        let own = addresses::own(host).into_iter();
        protected.extend(own.map(|address| (Network::host(address), Protection::Own)));
        let bridges = addresses::bridges(host).into_iter();
        protected.extend(bridges.map(|bridge| (bridge.network, Protection::Private)));
    }
    if settings.mynetworks
        && let Some(postfix) = postfix::find(host, &mut Vec::new())
    {
        protected.extend(postfix.mynetworks.into_iter().map(|network| (network, Protection::MyNetworks)));
    }
    if settings.operator_session {
        let sessions = sessions::find(host, ssh).into_iter();
        protected
            .extend(sessions.map(|session| (Network::host(session.address), Protection::OperatorSession)));
    }
    protected
}

/// From where people are logged in to this host right now.
pub(crate) fn operator_sessions(host: &Host) -> Vec<IpAddr> {
    sessions::find(host, None).into_iter().map(|session| session.address).collect()
}

fn fail2ban(host: &Host) -> Option<bool> {
    let installed = ["/usr/bin/fail2ban-client", "/usr/local/bin/fail2ban-client"];
    let running = ["/run/fail2ban/fail2ban.sock", "/var/run/fail2ban/fail2ban.sock"];
    let exists = |paths: [&str; 2]| paths.iter().any(|path| host.path(path).exists());
    exists(installed).then(|| exists(running))
}

#[cfg(test)]
mod tests;
