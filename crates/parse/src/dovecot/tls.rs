//! Why a TLS handshake with a client failed, in the words of Dovecot's iostream and of OpenSSL.

use mailward_model::Reason;

use crate::scan::contains;

/// The first that is part of the text decides; what OpenSSL calls an alert was sent by the client.
const REASONS: [(&[u8], Reason); 22] = [
    (b"http request", Reason::TlsHttp),
    (b"https proxy request", Reason::TlsHttp),
    (b" alert ", Reason::TlsAlert),
    (b"wrong version number", Reason::TlsVersion),
    (b"unsupported protocol", Reason::TlsVersion),
    (b"unknown protocol", Reason::TlsVersion),
    (b"version too low", Reason::TlsVersion),
    (b"no protocols available", Reason::TlsVersion),
    (b"inappropriate fallback", Reason::TlsVersion),
    (b"no shared cipher", Reason::TlsNoSharedCipher),
    (b"no suitable ", Reason::TlsNoSharedCipher),
    (b"no ciphers specified", Reason::TlsNoSharedCipher),
    (b"Connection reset by peer", Reason::TlsReset),
    (b"Broken pipe", Reason::TlsReset),
    (b"unexpected eof", Reason::TlsLost),
    (b"Connection closed", Reason::TlsLost),
    (b"syscall failed", Reason::TlsLost),
    (b"Disconnected", Reason::TlsLost),
    (b"Inactivity", Reason::TlsTimeout),
    (b"timed out", Reason::TlsTimeout),
    (b"certificate", Reason::ClientCertificate),
    (b"error:", Reason::TlsProtocol),
];

pub(super) fn reason(text: &[u8]) -> Reason {
    REASONS.iter().find(|(words, _)| contains(text, words)).map_or(Reason::TlsLost, |(_, reason)| *reason)
}
