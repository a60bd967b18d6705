//! Who is logged in on Postfix's connections, as far as the log tells: Postfix writes a login down only when a message begins.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use mailward_model::{Event, EventKind};
use mailward_parse::{Parser, split_lines};

use crate::cli::Logs;

/// How much of the end of a log is read: hours on a busy server. A session without a line in it is nobody's.
const TAIL: u64 = 4 << 20;

/// The account and the client of each process that has begun a message in its open session.
#[derive(Debug, Default)]
pub(super) struct Users(HashMap<u32, (String, IpAddr)>);

impl Users {
    /// From the ends of the logs. One that cannot be read tells nothing.
    pub(super) fn of(logs: &[PathBuf]) -> Self {
        let mut users = Self::default();
        for log in logs {
            let context = Logs::of(Vec::new()).context(log);
            if let (Ok(context), Ok(tail)) = (context, tail(log)) {
                users.read(&tail, &mut Parser::new(context));
            }
        }
        users
    }

    fn read(&mut self, text: &[u8], parser: &mut Parser) {
        for line in split_lines(text) {
            self.event(&parser.parse(line));
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        match (event.kind, event.address()) {
            (EventKind::Connect | EventKind::Disconnect, _) => {
                self.0.remove(&event.pid);
            }
            (EventKind::MessageBegun, Some(address)) if !event.user.is_empty() => {
                self.0.insert(event.pid, (event.user.lossy().into_owned(), address));
            }
            _ => {}
        }
    }

    /// Whose session a process has, if it is still that of the client that the log tells of.
    pub(super) fn who(&self, pid: u32, client: IpAddr) -> Option<&str> {
        self.0.get(&pid).filter(|(_, address)| *address == client).map(|(user, _)| user.as_str())
    }
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use mailward_model::Timestamp;
    use mailward_parse::Context;

    fn who(lines: &[&str], pid: u32) -> Option<String> {
        let context =
            Context { reference: Timestamp::from_micros(1_795_000_000_000_000), zone: TimeZone::UTC };
        let stamped = lines
            .iter()
            .map(|line| format!("2026-11-21T12:00:00.000000+00:00 mail postfix/submission/smtpd{line}\n"));
        let mut users = Users::default();
        users.read(stamped.collect::<String>().as_bytes(), &mut Parser::new(context));
        users.who(pid, IpAddr::from([203, 0, 113, 5])).map(str::to_owned)
    }

    #[test]
    fn a_session_is_somebodys_from_its_first_message_to_its_end() {
        let connect = "[12]: connect from home.example[203.0.113.5]";
        let message = "[12]: 4F1A2B3C4D: client=home.example[203.0.113.5], sasl_method=PLAIN, sasl_username=nora@example.org";
        let elsewhere = "[12]: 4F1A2B3C4D: client=x.example[203.0.113.6], sasl_method=PLAIN, sasl_username=sam@example.net";
        let stranger = "[12]: 4F1A2B3C4D: client=home.example[203.0.113.5]";
        let end = "[12]: disconnect from home.example[203.0.113.5] ehlo=2 quit=1 commands=3";
        let nora = Some("nora@example.org".to_owned());
        assert_eq!(who(&[connect], 12), None);
        assert_eq!(who(&[connect, message], 12), nora);
        assert_eq!(who(&[message], 12), nora);
        assert_eq!(who(&[connect, message], 13), None);
        assert_eq!(who(&[connect, message, end], 12), None);
        assert_eq!(who(&[connect, message, connect], 12), None);
        assert_eq!(who(&[connect, elsewhere], 12), None);
        assert_eq!(who(&[connect, stranger], 12), None);
    }
}
