//! What detection looks at of many events, packed: so that several threads can parse and one can judge, in order.

use mailward_detect::{judge, matters};
use mailward_model::{Client, Event, EventKind, Program, Reason, Stage, Text, Timestamp};

/// Events of consecutive lines, without those that detection passes over.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    briefs: Vec<Brief>,
    /// Texts of all events, one behind the other.
    texts: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Brief {
    time: Timestamp,
    address: core::net::IpAddr,
    pid: u32,
    count: u32,
    repeated: u32,
    /// Where the texts begin, and how long each is.
    at: u32,
    service: u8,
    user: u16,
    session: u16,
    digits: u8,
    reply_code: u16,
    program: Program,
    kind: EventKind,
    reason: Reason,
    stage: Stage,
    named: bool,
}

impl Digest {
    /// Forgets all events; the memory is kept.
    pub fn clear(&mut self) {
        self.briefs.clear();
        self.texts.clear();
    }

    /// Takes an event in, if detection looks at such events.
    #[inline]
    pub fn push(&mut self, event: &Event<'_>) {
        if matters(event.kind)
            && let Some(client) = event.client
            && is_looked_at(event)
        {
            self.take(event, client);
        }
    }

    fn take(&mut self, event: &Event<'_>, client: Client<'_>) {
        let at = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let brief = Brief {
            time: event.time,
            address: client.address,
            pid: event.pid,
            count: event.count,
            repeated: event.repeated,
            at,
            service: self.keep(event.service, u8::MAX.into()) as u8,
            user: self.keep(event.user, u16::MAX.into()) as u16,
            session: self.keep(event.session_id, u16::MAX.into()) as u16,
            digits: self.keep(event.password_digits, u8::MAX.into()) as u8,
            reply_code: event.reply_code,
            program: event.program,
            kind: event.kind,
            reason: event.reason,
            stage: event.stage,
            named: !client.name.is_empty(),
        };
        self.briefs.push(brief);
    }

    /// The events, as far as detection looks at them, in order. A client's name is only told to be there.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.briefs.iter().map(|brief| self.event(brief))
    }

    fn keep(&mut self, text: Text<'_>, most: usize) -> usize {
        if text.is_empty() {
            return 0;
        }
        let bytes = text.bytes();
        let bytes = bytes.get(..most).unwrap_or(bytes);
        self.texts.extend_from_slice(bytes);
        bytes.len()
    }

    fn event(&self, brief: &Brief) -> Event<'_> {
        let rest = self.texts.get(brief.at as usize..).unwrap_or_default();
        let (service, rest) = rest.split_at_checked(brief.service.into()).unwrap_or_default();
        let (user, rest) = rest.split_at_checked(brief.user.into()).unwrap_or_default();
        let (session, rest) = rest.split_at_checked(brief.session.into()).unwrap_or_default();
        let digits = rest.get(..brief.digits.into()).unwrap_or_default();
        let name = Text::from(if brief.named { "named" } else { "" });
        let mut event = Event::new(brief.time, brief.program);
        event.kind = brief.kind;
        event.reason = brief.reason;
        event.stage = brief.stage;
        event.pid = brief.pid;
        event.count = brief.count;
        event.repeated = brief.repeated;
        event.reply_code = brief.reply_code;
        event.client = Some(Client { address: brief.address, port: 0, name });
        event.service = Text::new(service);
        event.user = Text::new(user);
        event.session_id = Text::new(session);
        event.password_digits = Text::new(digits);
        event
    }
}

fn is_looked_at(event: &Event<'_>) -> bool {
    match event.kind {
        EventKind::Connect | EventKind::Disconnect | EventKind::ScreenPass | EventKind::ScreenAllowlisted => {
            matches!(event.program, Program::Smtpd | Program::Postscreen)
        }
        EventKind::LoginSucceeded | EventKind::LoginUndecided | EventKind::MessageBegun => true,
        _ => judge(event).is_some(),
    }
}
