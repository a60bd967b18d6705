//! Lines of SpamAssassin's spamd. Its peer is spamc on our own side, so no line has a client.

use mailward_model::{Event, EventKind, Reason, Text};

use crate::scan::{decimal, rsplit_str, trim_start, unbracket, value};

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let Some(text) = message.strip_prefix(b"spamd: ") else { return other(event, message) };
    event.detail = Text::new(text);
    if let Some(result) = text.strip_prefix(b"result: ") {
        return judged(event, result);
    }
    const NOTICES: [&[u8]; 10] = [
        b"connection from ",
        b"processing message ",
        b"checking message ",
        b"clean message ",
        b"identified spam ",
        b"setuid to ",
        b"still running as ",
        b"got connection over ",
        b"skipped large message",
        b"bad protocol",
    ];
    const STATES: [&[u8]; 8] = [
        b"server started",
        b"server pid",
        b"server successfully",
        b"server killed",
        b"server hit by",
        b"handled cleanup",
        b"restarting",
        b"creating default_prefs",
    ];
    event.kind = if NOTICES.iter().any(|start| text.starts_with(start)) {
        EventKind::Notice
    } else if STATES.iter().any(|start| text.starts_with(start)) {
        EventKind::ServiceState
    } else {
        EventKind::Unknown
    };
}

/// `Y 15 - TESTS scantime=1.2,size=1234,user=u,…,mid=<id>,…`.
fn judged<'a>(event: &mut Event<'a>, result: &'a [u8]) {
    (event.kind, event.reason) = match result {
        [b'Y', b' ', ..] => (EventKind::ContentSpam, Reason::Spam),
        [b'.', b' ', ..] => (EventKind::ContentClean, Reason::None),
        _ => return,
    };
    event.size = value(result, b",size=", b',').and_then(decimal).unwrap_or(0);
    if let Some((_, id)) = rsplit_str(result, b",mid=<") {
        event.message_id = Text::new(id.split(|&b| b == b'>').next().unwrap_or_default());
    }
    let (score, rest) = crate::scan::word(trim_start(result.get(2..).unwrap_or_default()));
    let tests = crate::scan::word(rest.strip_prefix(b"- ").unwrap_or(rest)).0;
    event.object = Text::new(unbracket(if tests.is_empty() { score } else { tests }));
}

fn other<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    const NOTICES: [&[u8]; 4] = [b"prefork: ", b"logger: ", b"rules: ", b"plugin: "];
    const TROUBLES: [&[u8]; 6] =
        [b"config: ", b"dns: ", b"util: ", b"netset: ", b"auto-whitelist: ", b"bayes: "];
    event.detail = Text::new(message);
    event.kind = if NOTICES.iter().any(|start| message.starts_with(start)) {
        EventKind::Notice
    } else if TROUBLES.iter().any(|start| message.starts_with(start)) {
        EventKind::ServiceTrouble
    } else {
        EventKind::Unknown
    };
}
