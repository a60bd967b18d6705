//! TLS of server and client.

use mailward_model::{Event, EventKind, Program, Reason, Stage, Text, Tls};

use super::{client, known, known_for};
use crate::scan::{bracketed, contains, peer, split_str, take_until, word};

/// `Anonymous TLS connection established from client: TLSv1.3 with cipher X (256/256 bits) ...`; also `Trusted`, `Untrusted`,
/// `Verified`, `reused`, and `to` a server.
pub(super) fn established<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    let (trust, rest) = word(message);
    if !matches!(trust, b"Anonymous" | b"Trusted" | b"Untrusted" | b"Verified") {
        return None;
    }
    let rest = rest.strip_prefix(b"TLS connection ")?;
    let rest = rest.strip_prefix(b"established ").or_else(|| rest.strip_prefix(b"reused "))?;
    let rest = match rest.strip_prefix(b"from ") {
        Some(rest) => from_client(event, rest)?,
        None => to_server(event, rest.strip_prefix(b"to ")?)?,
    };
    event.detail = Text::new(trust);
    event.tls = Some(session(rest.strip_prefix(b": ")?));
    known(event, EventKind::TlsEstablished)
}

/// `TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) ...`.
pub(super) fn session(text: &[u8]) -> Tls<'_> {
    let (protocol, rest) = word(text);
    let cipher = rest.strip_prefix(b"with cipher ").map_or(&b""[..], |rest| word(rest).0);
    Tls { protocol: Text::new(protocol), cipher: Text::new(cipher) }
}

/// smtpd writes `name[address]`, postscreen and tlsproxy `[address]:port`.
fn from_client<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<&'a [u8]> {
    if let Some((address, port, rest)) = bracketed(text) {
        event.client = Some(mailward_model::Client { address, port, name: Text::EMPTY });
        return Some(rest);
    }
    let (client, rest) = client(text)?;
    event.client = client;
    Some(rest)
}

/// `name[address]:port`, of which `relay` keeps all. A session that is reused has only the name.
pub(super) fn to_server<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<&'a [u8]> {
    if let Some((server, rest)) = peer(text) {
        event.relay = Text::new(text.get(..text.len() - rest.len())?);
        event.relay_address = Some(server.address);
        return Some(rest);
    }
    let (server, _) = split_str(text, b": ")?;
    event.relay = Text::new(server);
    text.get(server.len()..)
}

/// `SSL_accept error from client: lost connection`; `-1` where the library's own words are in the next line of the process.
pub(super) fn accept_error<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    let rest = from_client(event, message.strip_prefix(b"SSL_accept error from ")?)?;
    let words = rest.strip_prefix(b": ")?;
    event.stage = Stage::Starttls;
    known_for(event, EventKind::TlsFailed, handshake_reason(words), words)
}

fn handshake_reason(words: &[u8]) -> Reason {
    match words {
        b"lost connection" | b"0" | b"Success" | b"Undefined error: 0" | b"Broken pipe" => Reason::TlsLost,
        b"Connection reset by peer" => Reason::TlsReset,
        b"Connection timed out" | b"timeout" => Reason::TlsTimeout,
        _ => Reason::TlsProtocol,
    }
}

/// `TLS library problem: error:0A00009C:SSL routines::http request:file:line:`. The client is not in it.
pub(super) fn library_problem<'a>(event: &mut Event<'a>, text: &'a [u8]) -> Option<()> {
    let words = text.split(|&b| b == b':').nth(4).unwrap_or(text);
    known_for(event, EventKind::TlsProblem, library_reason(words), words)
}

/// By the words of OpenSSL's `ssl/ssl_err.c`, 1.0.1 to 3.5.
fn library_reason(words: &[u8]) -> Reason {
    match words {
        b"http request" | b"https proxy request" => Reason::TlsHttp,
        b"wrong version number"
        | b"unsupported protocol"
        | b"unknown protocol"
        | b"version too low"
        | b"wrong ssl version"
        | b"no protocols available"
        | b"inappropriate fallback"
        | b"tlsv1 alert protocol version"
        | b"tlsv1 alert inappropriate fallback" => Reason::TlsVersion,
        b"no shared cipher"
        | b"no ciphers available"
        | b"no suitable key share"
        | b"no shared signature algorithms"
        | b"no shared signature algorithm"
        | b"no suitable signature algorithm"
        | b"no shared group"
        | b"sslv3 alert handshake failure"
        | b"ssl/tls alert handshake failure"
        | b"handshake failure"
        | b"tlsv1 alert insufficient security"
        | b"unsupported elliptic curve" => Reason::TlsNoSharedCipher,
        b"unexpected eof while reading" => Reason::TlsLost,
        _ if contains(words, b" alert ") => Reason::TlsAlert,
        _ => Reason::TlsProtocol,
    }
}

/// Lines of the client's and server's TLS that need no attention; with a name or address of the other side in front or not.
pub(super) fn notice<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    const WORDS: [&[u8]; 10] = [
        b"setting up TLS connection ",
        b"initializing the ",
        b"certificate verification failed for ",
        b"server certificate verification failed for ",
        b"Host offered STARTTLS: ",
        b"TLS SNI ",
        b"Server certificate ",
        b"Peer certificate ",
        b"client certificate ",
        b"verify error:",
    ];
    if WORDS.iter().any(|words| message.starts_with(words)) {
        return known_for(event, EventKind::Notice, Reason::None, message);
    }
    if let Some(words) = message.strip_prefix(b"SSL_connect error to ") {
        let rest = to_server(event, words)?;
        let words = rest.strip_prefix(b": ")?;
        return known_for(event, EventKind::RemoteTrouble, handshake_reason(words), words);
    }
    if event.program == Program::Smtp {
        return peer_details(event, message);
    }
    None
}

/// `name[address]:25: subject_CN=..., issuer=...`, `name[address]:25: TLS cipher list ...` and the like of `smtp_tls_loglevel`.
fn peer_details<'a>(event: &mut Event<'a>, message: &'a [u8]) -> Option<()> {
    let rest = to_server(event, message)?.strip_prefix(b": ")?;
    let (first, _) = take_until(rest, |b| matches!(b, b'=' | b' ' | b':'));
    matches!(
        first,
        b"subject_CN"
            | b"Trusted"
            | b"Untrusted"
            | b"Verified"
            | b"Matched"
            | b"TLS"
            | b"depth"
            | b"re-using"
    )
    .then_some(())?;
    known_for(event, EventKind::Notice, Reason::None, rest)
}
