//! What an offence looks like to a person: finer than its kind, and the same name in every report.

use std::collections::BTreeMap;

use mailward_model::{EventKind, Offence, OffenceKind, Reason, Weight};
use mailward_report::Severity;

/// A pattern, by its stable id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Pattern {
    /// The stable id.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) kind: OffenceKind,
    pub(super) severity: Severity,
    /// Whether it is an attack, or only looks like one.
    pub(super) hostile: bool,
    pub(super) note: &'static str,
}

const fn attack(
    id: &'static str,
    kind: OffenceKind,
    severity: Severity,
    title: &'static str,
    note: &'static str,
) -> Pattern {
    Pattern { id, title, kind, severity, hostile: true, note }
}

const fn harmless(id: &'static str, kind: OffenceKind, title: &'static str, note: &'static str) -> Pattern {
    Pattern { id, title, kind, severity: Severity::Info, hostile: false, note }
}

use OffenceKind as K;
use Severity as S;

pub(super) const SMTP_BRUTEFORCE: Pattern = attack(
    "smtp_auth_bruteforce",
    K::AuthFailure,
    S::Medium,
    "Password guessing over SMTP",
    "One source tries password after password.",
);
pub(super) const SMTP_SPRAY: Pattern = attack(
    "smtp_auth_spray",
    K::AuthFailure,
    S::High,
    "Password guessing over SMTP, spread over many sources",
    "One or two tries per address stay below every limit per address; it shows only per account and per network.",
);
pub(super) const MAILBOX_BRUTEFORCE: Pattern = attack(
    "mailbox_bruteforce",
    K::AuthFailure,
    S::Medium,
    "Password guessing over IMAP, POP3 or ManageSieve",
    "One source tries password after password.",
);
pub(super) const MAILBOX_SPRAY: Pattern = attack(
    "mailbox_spray",
    K::AuthFailure,
    S::High,
    "Password guessing over IMAP, POP3 or ManageSieve, spread over many sources",
    "One or two tries per address stay below every limit per address; it shows only per account and per network.",
);
pub(super) const OLD_PASSWORD: Pattern = harmless(
    "misconfigured_client",
    K::AuthFailure,
    "A device with an old password",
    "The same wrong password for one account, again and again: tell its owner; a ban would lock out his other devices.",
);
pub(super) const FAILURES_AT_HOME: Pattern = harmless(
    "failures_where_people_log_in",
    K::AuthFailure,
    "Failed logins where people log in",
    "Somebody logs in from the same address: typing errors, or a device with an old password.",
);
pub(super) const MISTYPED: Pattern = harmless(
    "mistyped_password",
    K::AuthFailure,
    "One or two failed logins",
    "Too little to tell a typing error from a guess.",
);
const TLS: Pattern = attack(
    "tls_probe",
    K::TlsProbe,
    S::Medium,
    "TLS handshakes broken off or garbled",
    "Scanners look for servers and versions; no mail program does this.",
);
const MAILBOX_TLS: Pattern = attack(
    "imap_tls_probe",
    K::TlsProbe,
    S::Info,
    "TLS handshakes broken off at IMAP or POP3",
    "Scanners look for servers and versions.",
);
pub(super) const TLS_ABORT: Pattern = harmless(
    "benign_tls_abort",
    K::TlsProbe,
    "TLS broken off by somebody who logs in",
    "The same address logs in: a phone that lost its network, or an old device.",
);
pub(super) const TLS_LEGACY: Pattern = harmless(
    "benign_legacy_tls",
    K::TlsProbe,
    "An old mail server fails at TLS",
    "A named server on port 25 that speaks only old TLS; it delivers without, as mail servers do.",
);
pub(super) const PORT_CHECK: Pattern = harmless(
    "port_check",
    K::TlsProbe,
    "Connects and leaves",
    "A clean break by a named host, or where nothing is known of it: monitoring does this.",
);
const AUTH_ON_25: Pattern = attack(
    "auth_on_port_25",
    K::AuthProbe,
    S::Low,
    "Logins tried on port 25",
    "AUTH is off there; the only trace is auth=0/1 in the disconnect line.",
);
const AUTH_PROBE: Pattern = attack(
    "auth_probe",
    K::AuthProbe,
    S::Low,
    "Logins begun and given up",
    "Looks what a login would take, without TLS or up to the password.",
);
const LOOK_AROUND: Pattern = attack(
    "login_never_tried",
    K::AuthProbe,
    S::Info,
    "Connects to log in and never tries",
    "Scanners look around; monitoring does it, too, one connection at a time.",
);
pub(super) const NO_AUTH: Pattern = harmless(
    "imap_no_auth",
    K::AuthProbe,
    "Connections without a login by somebody who logs in",
    "Mail programs open spare connections.",
);
const PREGREET: Pattern = attack(
    "pregreet",
    K::Pregreet,
    S::Low,
    "Talks before the greeting",
    "postscreen refuses it each time; the same bots guess passwords.",
);
const HANGUP: Pattern = attack(
    "postscreen_hangup",
    K::ProtocolAbuse,
    S::Info,
    "Hangs up during postscreen's tests",
    "Bots do not wait; port checks do the same.",
);
const NON_SMTP: Pattern = attack(
    "non_smtp_command",
    K::ProtocolAbuse,
    S::Low,
    "Speaks something that is not SMTP",
    "HTTP, SIP or message headers into an SMTP port.",
);
const TOO_MANY_ERRORS: Pattern =
    attack("too_many_errors", K::ProtocolAbuse, S::Low, "Too many errors", "Postfix cut the connection.");
const PIPELINING: Pattern = attack(
    "command_pipelining",
    K::ProtocolAbuse,
    S::Low,
    "Commands without waiting",
    "Bots send everything at once; after DATA it may be an attempt to smuggle a message.",
);
const PROTOCOL: Pattern = attack(
    "protocol_error",
    K::ProtocolAbuse,
    S::Info,
    "Breaks the protocol in other ways",
    "Bare newlines, malformed addresses, commands that are not understood.",
);
const IDLE: Pattern = attack(
    "idle_connection",
    K::ProtocolAbuse,
    S::Info,
    "Connections held open in silence",
    "Many at once use up the processes that mail needs.",
);
const DNSBL: Pattern = attack(
    "dnsbl_reject",
    K::Dnsbl,
    S::Info,
    "Refused because a blocklist lists it",
    "Already refused; who keeps coming is banned.",
);
const RELAY: Pattern = attack(
    "relay_denied",
    K::RelayProbe,
    S::Low,
    "Looks for an open relay",
    "Refused; the server relays for nobody.",
);
const HARVEST: Pattern = attack(
    "directory_harvest",
    K::UserHarvest,
    S::Low,
    "Tries which names exist",
    "Unknown recipients from a source that delivers nothing else.",
);
pub(super) const DEAD_ADDRESS: Pattern = harmless(
    "legitimate_sender_user_unknown",
    K::UserHarvest,
    "Mail for people who are gone",
    "A mail server that delivers other mail: lists and newsletters have dead members.",
);
const HELO: Pattern = attack(
    "helo_rejected",
    K::HeloAbuse,
    S::Info,
    "A HELO name that is refused",
    "Refused by the server's rules.",
);
const SENDER_DOMAIN: Pattern = attack(
    "sender_domain_unknown",
    K::SenderAbuse,
    S::Info,
    "Senders whose domain was not found",
    "It may be a fault of our own resolver, and is never a reason for a ban by itself.",
);
const SPF: Pattern =
    attack("spf_reject", K::SenderAbuse, S::Info, "SPF says no", "A forged sender; refused.");
const DMARC: Pattern =
    attack("dmarc_reject", K::SenderAbuse, S::Info, "DMARC says no", "A forged From; refused.");
const SENDER: Pattern = attack(
    "sender_rejected",
    K::SenderAbuse,
    S::Info,
    "Senders that are refused",
    "Refused by the server's rules.",
);
const RATE: Pattern = attack(
    "rate_excess",
    K::RateExcess,
    S::Medium,
    "Over the limits of connections or rates",
    "Postfix or Dovecot refused it for its number.",
);
const MALWARE: Pattern = attack("malware", K::Malware, S::Medium, "Malware", "Refused or quarantined.");
const SPAM: Pattern =
    attack("spam_reject", K::Spam, S::Info, "Spam that was refused", "Judged by the content filter.");
const POLICY: Pattern = attack(
    "policy_reject",
    K::Policy,
    S::Info,
    "Refused by local policy",
    "Access maps, milters, policy servers.",
);

/// Whether a service is SMTP with logins.
pub(super) fn is_submission(service: &str) -> bool {
    !matches!(service, "imap" | "pop3" | "sieve" | "lmtp" | "auth" | "lda" | "doveadm")
}

/// The pattern of an offence that is no failed login, from what is known of its source.
pub(super) fn pattern(offence: &Offence, logs_in: bool, delivers: bool) -> Pattern {
    match offence.kind {
        K::TlsProbe if logs_in => TLS_ABORT,
        K::TlsProbe if offence.weight == Weight::Noted && &*offence.service == "smtp" => TLS_LEGACY,
        K::TlsProbe if offence.weight == Weight::Noted => PORT_CHECK,
        K::TlsProbe if is_submission(&offence.service) => TLS,
        K::TlsProbe => MAILBOX_TLS,
        K::AuthProbe if offence.reason == Reason::NoAuthAttempt && logs_in => NO_AUTH,
        K::AuthProbe if offence.reason == Reason::NoAuthAttempt => LOOK_AROUND,
        K::AuthProbe if offence.event == EventKind::Disconnect && &*offence.service == "smtp" => AUTH_ON_25,
        K::AuthProbe => AUTH_PROBE,
        K::Pregreet => PREGREET,
        K::ProtocolAbuse => protocol(offence.event),
        K::Dnsbl => DNSBL,
        K::RelayProbe => RELAY,
        K::UserHarvest if delivers => DEAD_ADDRESS,
        K::UserHarvest => HARVEST,
        K::HeloAbuse => HELO,
        K::SenderAbuse => sender(offence.reason),
        K::RateExcess => RATE,
        K::Malware => MALWARE,
        K::Spam => SPAM,
        K::Policy => POLICY,
        K::AuthFailure => MISTYPED,
    }
}

const fn protocol(event: EventKind) -> Pattern {
    match event {
        EventKind::ScreenHangup => HANGUP,
        EventKind::NonSmtpCommand => NON_SMTP,
        EventKind::TooManyErrors => TOO_MANY_ERRORS,
        EventKind::Pipelining => PIPELINING,
        EventKind::Timeout => IDLE,
        _ => PROTOCOL,
    }
}

const fn sender(reason: Reason) -> Pattern {
    match reason {
        Reason::SenderDomain => SENDER_DOMAIN,
        Reason::SpfFail => SPF,
        Reason::DmarcFail => DMARC,
        _ => SENDER,
    }
}

/// Groups by pattern.
pub(super) type ByPattern<T> = BTreeMap<Pattern, T>;
