//! Alerts on their way: what the settings say about them, and the file in which they wait.

mod herald;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_host::run::{Limits, output};
use mailward_notify::{Channel, Desk, Message, Route, Rules, SendError};
use mailward_report::Shown;

use crate::config::Settings;

pub(crate) use herald::Herald;

/// Who is told of what, and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rules: Rules,
    pub(crate) channels: Vec<(String, Channel)>,
    /// The name of this server.
    host: String,
    /// Where alerts wait.
    file: PathBuf,
}

impl Plan {
    /// What the settings say; `state` is where the daemon really keeps what must survive.
    pub(crate) fn of(settings: &Settings, state: &Path) -> Self {
        let notify = &settings.notify;
        let route = |channel: &crate::config::NamedChannel| Route {
            name: channel.name.clone(),
            least: channel.least,
            letters: channel.letters,
        };
        let rules = Rules {
            gather: notify.gather,
            alike: notify.alike,
            quiet: notify.quiet,
            loud: notify.loud,
            hourly: notify.hourly,
            zone: jiff::tz::TimeZone::system(),
            routes: notify.channels.iter().map(route).collect(),
        };
        let channels =
            notify.channels.iter().map(|named| (named.name.clone(), named.channel.clone())).collect();
        Self { rules, channels, host: host(), file: state.join(FILE) }
    }

    /// Sends a message on a channel.
    pub(crate) fn send(&self, channel: &str, message: &Message) -> Result<(), SendError> {
        match self.channels.iter().find(|(name, _)| name == channel) {
            Some((_, channel)) => channel.send(message, &self.host),
            None => Err(SendError::Setting(format!("there is no channel \"{channel}\" any more"))),
        }
    }

    /// The name of this server.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// What waits, and what is wrong; nothing where there is no file yet.
    pub(crate) fn desk(&self) -> Result<Desk, DeskError> {
        match std::fs::read(&self.file) {
            Ok(bytes) => Desk::from_json(&bytes).map_err(|why| DeskError::Damaged {
                path: self.file.clone(),
                why: Shown::from(why).to_string(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Desk::new()),
            Err(source) => Err(DeskError::Read { path: self.file.clone(), source }),
        }
    }
}

/// In the state directory.
const FILE: &str = "alerts.json";

/// Why nothing is known of alerts that wait.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error("cannot read {}: {source}; run it as root", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be used: {why}. Trying again does not help; to begin anew: mv {0} {0}.damaged", path.display())]
    Damaged { path: PathBuf, why: String },
}

/// As Postfix calls this server, or else as the system does.
fn host() -> String {
    let limits = Limits { timeout: Duration::from_secs(5), ..Limits::default() };
    let asked = output(Path::new("/usr/sbin/postconf"), &["-h", "myhostname"], limits);
    let named = asked.ok().filter(|output| output.status.success());
    let named = named.and_then(|output| String::from_utf8(output.stdout).ok());
    let system = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name =
        named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(system);
    Shown::from(name).clipped(100).to_string()
}
