//! The words of a refusal as a [`Reason`].

use mailward_model::Reason;

use crate::scan::{contains, find, rsplit_str, split_str, starts_with_any, take_until};

/// The blocklist of `Service unavailable; Client host [x] blocked using list; text`, and the text. What is listed may be a
/// sender, in the client's own words, so the last `blocked using` counts.
pub(super) fn blocklist(said: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = rsplit_str(said.strip_prefix(b"Service unavailable; ")?, b" blocked using ")?;
    Some(take_until(rest, |b| matches!(b, b';' | b' ' | b',')))
}

/// The reason of a reply without code and name: `Recipient address rejected: User unknown in virtual mailbox table`.
pub(super) fn of(said: &[u8], is_temporary: bool) -> Reason {
    if said.starts_with(b"Relay access denied") {
        return Reason::RelayDenied;
    }
    // The longest subject is `Unverified Client host`.
    match split_str(said.get(..36).unwrap_or(said), b" rejected: ") {
        Some((subject, _)) => {
            of_subject(subject, said.get(subject.len() + 11..).unwrap_or_default(), is_temporary)
        }
        None => of_plain(said, is_temporary),
    }
}

/// By what was refused, after what holds for every subject: a policy service or table may say it of any of them.
fn of_subject(subject: &[u8], why: &[u8], is_temporary: bool) -> Reason {
    if let Some(reason) = by_policy(why, is_temporary) {
        return reason;
    }
    match subject {
        b"Recipient address" => recipient(why),
        b"Sender address" => sender(why),
        b"Helo command" => Reason::HeloRefused,
        b"Client host" | b"Unverified Client host" => client(why),
        b"Data command" | b"End-of-data" => Reason::ContentPolicy,
        b"SASL login name" | b"Login name" => Reason::AccountDisabled,
        _ => Reason::Other,
    }
}

fn recipient(why: &[u8]) -> Reason {
    const UNKNOWN: [&[u8]; 5] =
        [b"User unknown", b"undeliverable address: ", b"user unknown", b"unknown user", b"Unknown user"];
    if starts_with_any(why, &UNKNOWN) {
        return Reason::RecipientUnknown;
    }
    let is_domain = why.starts_with(b"Domain not found") || why.starts_with(b"Domain does not accept mail");
    if is_domain { Reason::RecipientDomain } else { Reason::RecipientRefused }
}

fn sender(why: &[u8]) -> Reason {
    if why.starts_with(b"Domain not found") || why.starts_with(b"Domain does not accept mail") {
        return Reason::SenderDomain;
    }
    let is_not_owned = why.starts_with(b"not owned by user") || why.starts_with(b"not logged in");
    if is_not_owned { Reason::SenderNotOwned } else { Reason::SenderRefused }
}

fn client(why: &[u8]) -> Reason {
    let is_name = why.starts_with(b"cannot find your ") || why.starts_with(b"cannot resolve your ");
    if is_name { Reason::ClientName } else { Reason::ClientRefused }
}

/// What Postfix itself and the common policy services say, whatever the subject.
fn by_policy(why: &[u8], is_temporary: bool) -> Option<Reason> {
    const PLAIN: [&[u8]; 11] = [
        b"Access denied",
        b"User unknown",
        b"need fully-qualified ",
        b"Domain not found",
        b"Host not found",
        b"Invalid name",
        b"invalid ip address",
        b"cannot find your ",
        b"undeliverable address: ",
        b"unverified address: ",
        b"not owned by user ",
    ];
    if starts_with_any(why, &PLAIN) {
        return None;
    }
    const TROUBLE: [&[u8]; 4] = [
        b"Server configuration ",
        b"Malformed DNS server reply",
        b"Temporary lookup failure",
        b"Internal error",
    ];
    if starts_with_any(why, &TROUBLE) {
        return Some(if why.starts_with(b"Malformed") { Reason::DnsTrouble } else { Reason::LocalTrouble });
    }
    if why.starts_with(b"Improper use of SMTP command pipelining") {
        return Some(Reason::Pipelining);
    }
    let window = why.get(..160).unwrap_or(why);
    let reason = by_words(window, is_temporary);
    (reason != Reason::Other).then_some(reason)
}

/// Replies without a subject: smtpd's and postscreen's own, and those of milters and proxies.
fn of_plain(said: &[u8], is_temporary: bool) -> Reason {
    if said.starts_with(b"Service currently unavailable") {
        // postscreen: come again after the tests, or never, being on its access list.
        return if is_temporary { Reason::Greylisted } else { Reason::ClientRefused };
    }
    let known = PLAIN_REPLIES.iter().find(|(beginning, _)| said.starts_with(beginning));
    if let Some((_, reason)) = known {
        return *reason;
    }
    if let Some(reason) = of_error(said) {
        return reason;
    }
    by_words(said.get(..160).unwrap_or(said), is_temporary)
}

const PLAIN_REPLIES: [(&[u8], Reason); 24] = [
    (b"Protocol error", Reason::ProtocolError),
    (b"too many connections", Reason::TooManyConnections),
    (b"all screening ports busy", Reason::LocalTrouble),
    (b"all server ports busy", Reason::LocalTrouble),
    (b"Message size exceeds", Reason::TooLarge),
    (b"Insufficient system storage", Reason::LocalTrouble),
    (b"Must issue a STARTTLS command first", Reason::TlsRequired),
    (b"Encryption required", Reason::TlsRequired),
    (b"Session encryption is required", Reason::TlsRequired),
    (b"Authentication required", Reason::AuthRequired),
    (b"Client was not authenticated", Reason::AuthRequired),
    (b"Service unavailable - try again later", Reason::LocalTrouble),
    (b"Service unavailable", Reason::LocalTrouble),
    (b"Server configuration ", Reason::LocalTrouble),
    (b"Temporary lookup failure", Reason::LocalTrouble),
    (b"Recipient address lookup ", Reason::LocalTrouble),
    (b"Internal error", Reason::LocalTrouble),
    (b"Improper use of SMTP command pipelining", Reason::Pipelining),
    (b"Bad sender address syntax", Reason::ProtocolError),
    (b"Bad recipient address syntax", Reason::ProtocolError),
    (b"Syntax: ", Reason::ProtocolError),
    (b"Command rejected", Reason::Other),
    (b"Client host rejected: cannot find your ", Reason::ClientName),
    (b"mail server temporarily", Reason::LocalTrouble),
];

/// `Error: ...`, also with our own host name before it.
fn of_error(said: &[u8]) -> Option<Reason> {
    let (_, error) = split_str(said.get(..300).unwrap_or(said), b"Error: ")?;
    const ERRORS: [(&[u8], Reason); 19] = [
        (b"too many connections", Reason::TooManyConnections),
        (b"too many errors", Reason::TooManyErrors),
        (b"too much mail", Reason::RateExceeded),
        (b"too many recipients from ", Reason::RateExceeded),
        (b"too many recipients", Reason::RecipientRefused),
        (b"message file too big", Reason::TooLarge),
        (b"too many messages", Reason::RateExceeded),
        (b"too many new TLS", Reason::RateExceeded),
        (b"too many AUTH", Reason::RateExceeded),
        (b"bare <", Reason::BareNewline),
        (b"bare newline", Reason::BareNewline),
        (b"send HELO", Reason::HeloMissing),
        (b"I can break rules", Reason::NonSmtpCommand),
        (b"SMTP protocol synchronization", Reason::Pipelining),
        (b"queue file write", Reason::LocalTrouble),
        (b"timeout exceeded", Reason::Timeout),
        (b"command not ", Reason::ProtocolError),
        (b"need ", Reason::ProtocolError),
        (b"nested ", Reason::ProtocolError),
    ];
    ERRORS.iter().find(|(beginning, _)| error.starts_with(beginning)).map(|(_, reason)| *reason)
}

/// What a content filter says at the end of a message.
pub(super) fn of_content(said: &[u8], is_temporary: bool) -> Reason {
    let reason = by_words(said.get(..256).unwrap_or(said), is_temporary);
    if reason == Reason::Other { Reason::ContentPolicy } else { reason }
}

/// By words that policy services and milters are known to use. The first in the text counts, because a name that the
/// client chose may stand further on; and what is refused for good was not greylisted.
fn by_words(text: &[u8], is_temporary: bool) -> Reason {
    let hits = WORDS.iter().filter_map(|(word, reason)| Some((find(text, word)?, *reason)));
    let hits = hits.filter(|(_, reason)| is_temporary || *reason != Reason::Greylisted);
    hits.min_by_key(|(at, _)| *at).map_or(Reason::Other, |(_, reason)| reason)
}

const WORDS: [(&[u8], Reason); 37] = [
    (b"reylist", Reason::Greylisted),
    (b"ry again later", Reason::Greylisted),
    (b"openspf", Reason::SpfFail),
    (b"SPF ", Reason::SpfFail),
    (b"SPF-", Reason::SpfFail),
    (b"spf ", Reason::SpfFail),
    (b"DMARC", Reason::DmarcFail),
    (b"dmarc", Reason::DmarcFail),
    (b"DKIM", Reason::DkimFail),
    (b"dkim", Reason::DkimFail),
    (b"virus", Reason::Malware),
    (b"Virus", Reason::Malware),
    (b"VIRUS", Reason::Malware),
    (b"malware", Reason::Malware),
    (b"Malware", Reason::Malware),
    (b"INFECTED", Reason::Malware),
    (b"nfected", Reason::Malware),
    (b"BANNED", Reason::BannedContent),
    (b"spam", Reason::Spam),
    (b"Spam", Reason::Spam),
    (b"SPAM", Reason::Spam),
    (b"UBE", Reason::Spam),
    (b"quota", Reason::QuotaExceeded),
    (b"Quota", Reason::QuotaExceeded),
    (b"ailbox is full", Reason::QuotaExceeded),
    (b"ailbox full", Reason::QuotaExceeded),
    (b"ver quota", Reason::QuotaExceeded),
    (b"rate limit", Reason::RateExceeded),
    (b"Rate limit", Reason::RateExceeded),
    (b"ratelimit", Reason::RateExceeded),
    (b"too many", Reason::RateExceeded),
    (b"Too many", Reason::RateExceeded),
    (b"blacklist", Reason::DnsblListed),
    (b"blocklist", Reason::DnsblListed),
    (b"RBL", Reason::DnsblListed),
    (b"DNSBL", Reason::DnsblListed),
    (b"rbl", Reason::DnsblListed),
];

/// Why a delivery was put off or failed, by the words in its parentheses. `said: 550 5.1.1 words` is the other server's
/// reply; everything else is our own side's.
pub(super) fn of_delivery(text: &[u8]) -> (Reason, u16) {
    let text = text.strip_prefix(b"delivery temporarily suspended: ").unwrap_or(text);
    if let Some((_, reply)) = split_str(text.get(..400).unwrap_or(text), b" said: ") {
        return of_reply(reply);
    }
    if let Some((_, reply)) = split_str(text.get(..400).unwrap_or(text), b" refused to talk to me: ") {
        return of_reply(reply);
    }
    let window = text.get(..300).unwrap_or(text);
    let reason = DELIVERY.iter().find(|(words, _)| contains(window, words)).map(|(_, reason)| *reason);
    (reason.unwrap_or(Reason::Other), 0)
}

fn of_reply(reply: &[u8]) -> (Reason, u16) {
    let code = crate::scan::number(reply).and_then(|(code, _)| u16::try_from(code).ok()).unwrap_or(0);
    let window = reply.get(..256).unwrap_or(reply);
    // Of another server's reasons only these two matter: the others are its own affair.
    let says = |wanted| WORDS.iter().any(|(word, reason)| *reason == wanted && contains(window, word));
    let reason = match code / 100 {
        4 if says(Reason::Greylisted) => Reason::Greylisted,
        _ if says(Reason::QuotaExceeded) => Reason::QuotaExceeded,
        4 => Reason::RemoteDeferred,
        _ => Reason::RemoteRefused,
    };
    (reason, code)
}

const DELIVERY: [(&[u8], Reason); 32] = [
    (b"connect to ", Reason::RemoteUnreachable),
    (b"Host or domain name not found", Reason::DnsTrouble),
    (b"Name service error", Reason::DnsTrouble),
    (b"name server ", Reason::DnsTrouble),
    (b"unable to look up host", Reason::DnsTrouble),
    (b"loops back to myself", Reason::Loop),
    (b"mail forwarding loop", Reason::Loop),
    (b"too many hops", Reason::Loop),
    (b"hop count exceeded", Reason::Loop),
    (b"lost connection with", Reason::ConnectionLost),
    (b"timed out", Reason::Timeout),
    (b"Connection refused", Reason::RemoteUnreachable),
    (b"Network is unreachable", Reason::RemoteUnreachable),
    (b"No route to host", Reason::RemoteUnreachable),
    (b"Cannot start TLS", Reason::TlsRequired),
    (b"TLS is required", Reason::TlsRequired),
    (b"Server certificate not ", Reason::TlsRequired),
    (b"SASL authentication failed", Reason::AuthRequired),
    (b"unknown user", Reason::RecipientUnknown),
    (b"User unknown", Reason::RecipientUnknown),
    (b"user unknown", Reason::RecipientUnknown),
    (b"does not accept mail", Reason::RecipientDomain),
    (b"uota", Reason::QuotaExceeded),
    (b"mailbox full", Reason::QuotaExceeded),
    (b"size limit", Reason::TooLarge),
    (b"message size", Reason::TooLarge),
    (b"mail transport unavailable", Reason::LocalTrouble),
    (b"unknown mail transport error", Reason::LocalTrouble),
    (b"temporary failure", Reason::LocalTrouble),
    (b"emporary lookup failure", Reason::LocalTrouble),
    (b"cannot ", Reason::LocalTrouble),
    (b"maildir delivery failed", Reason::LocalTrouble),
];
