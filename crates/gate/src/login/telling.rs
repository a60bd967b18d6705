//! What gate and daemon tell each other of logins: an event that owns its texts.

use std::net::IpAddr;

use mailward_model::{Client, Event, EventKind, Program, Reason, Text, Timestamp};

/// An event about a login, with nothing else in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginEvent {
    /// When.
    pub time: Timestamp,
    /// Who tells.
    pub program: Program,
    /// What happened.
    pub kind: EventKind,
    /// Why.
    pub reason: Reason,
    /// The client.
    pub address: IpAddr,
    /// The process that wrote the line, 0 where there was none.
    pub pid: u32,
    /// How many attempts one line tells of.
    pub count: u32,
    /// How often the line was repeated.
    pub repeated: u32,
    /// The service.
    pub service: Box<str>,
    /// The login name.
    pub user: Box<[u8]>,
    /// Dovecot's session.
    pub session: Box<[u8]>,
    /// Digits of the hash of the password.
    pub digits: Box<[u8]>,
}

impl LoginEvent {
    /// The part of an event that is about a login, if it is.
    #[must_use]
    pub fn of(event: &Event<'_>) -> Option<Self> {
        use EventKind::{LoginFailed, LoginSucceeded, LoginUndecided, MessageBegun, PasswordRefused};
        let is_login = match event.kind {
            LoginFailed | LoginSucceeded | LoginUndecided | PasswordRefused => true,
            MessageBegun => !event.user.is_empty(),
            _ => false,
        };
        let client = event.client.filter(|_| is_login)?;
        Some(Self {
            time: event.time,
            program: event.program,
            kind: event.kind,
            reason: event.reason,
            address: client.address,
            pid: event.pid,
            count: event.count,
            repeated: event.repeated,
            service: event.service.lossy().into(),
            user: event.user.bytes().into(),
            session: event.session_id.bytes().into(),
            digits: event.password_digits.bytes().into(),
        })
    }

    /// The event.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        Event {
            kind: self.kind,
            reason: self.reason,
            client: Some(Client { address: self.address, port: 0, name: Text::EMPTY }),
            pid: self.pid,
            count: self.count,
            repeated: self.repeated,
            service: (&*self.service).into(),
            user: Text::new(&self.user),
            session_id: Text::new(&self.session),
            password_digits: Text::new(&self.digits),
            ..Event::new(self.time, self.program)
        }
    }
}
