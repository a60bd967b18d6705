//! Which events are offences, by themselves.
//!
//! A line can be hostile-looking and still be nobody's offence: a greylisting deferral, a full mailbox, our own outage.
//! What needs memory (was the same login already counted? does anybody log in from there?) is not decided here.

use mailward_model::{Event, EventKind, OffenceKind, Program, Reason, Stage, Weight};

/// Whether anything may follow from an event of this kind; from most nothing does.
#[must_use]
pub const fn matters(kind: EventKind) -> bool {
    tells_of_places(kind)
        || matches!(
            kind,
            EventKind::LoginUndecided
                | EventKind::LoginFailed
                | EventKind::PasswordRefused
                | EventKind::RefusalReported
                | EventKind::LoginAborted
                | EventKind::TlsFailed
                | EventKind::Pregreet
                | EventKind::ScreenHangup
                | EventKind::ScreenDenylisted
                | EventKind::Pipelining
                | EventKind::NonSmtpCommand
                | EventKind::BareNewline
                | EventKind::TooManyErrors
                | EventKind::SyntaxError
                | EventKind::LimitExceeded
                | EventKind::LostConnection
                | EventKind::Timeout
                | EventKind::Rejected
                | EventKind::ContentMalware
        )
}

/// Whether an event of this kind may tell who somebody is, whatever he does.
const fn tells_of_places(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Connect
            | EventKind::Disconnect
            | EventKind::ScreenPass
            | EventKind::ScreenAllowlisted
            | EventKind::LoginSucceeded
            | EventKind::MessageBegun
    )
}

/// The offence that an event is by itself, if it is one and has a client.
#[must_use]
pub fn judge(event: &Event<'_>) -> Option<(OffenceKind, Weight)> {
    event.client?;
    use OffenceKind as K;
    use Weight::{Full, Noted, Weak};
    match event.kind {
        EventKind::LoginFailed | EventKind::PasswordRefused | EventKind::RefusalReported => {
            Some(login_failed(event.reason))
        }
        EventKind::LoginAborted => login_aborted(event.reason),
        EventKind::TlsFailed => Some((K::TlsProbe, tls_failure_on(event))),
        EventKind::Pregreet => Some((K::Pregreet, Full)),
        // After the handshake it only ends a connection that failed tests, which have lines of their own.
        EventKind::ScreenHangup if event.stage != Stage::Connect => None,
        EventKind::ScreenHangup => Some((K::ProtocolAbuse, Noted)),
        EventKind::ScreenDenylisted => Some((K::Policy, Noted)),
        EventKind::Pipelining
        | EventKind::NonSmtpCommand
        | EventKind::BareNewline
        | EventKind::TooManyErrors => Some((K::ProtocolAbuse, Full)),
        EventKind::SyntaxError => Some((K::ProtocolAbuse, Weak)),
        EventKind::LimitExceeded => Some((K::RateExcess, Full)),
        EventKind::LostConnection => lost(event),
        EventKind::Timeout => timeout(event.stage),
        EventKind::Disconnect => failed_auth_at_disconnect(event),
        EventKind::Rejected => rejected(event),
        EventKind::ContentMalware => Some((K::Malware, Full)),
        _ => None,
    }
}

/// Only what an outage of our own cannot cause is a failure.
fn login_failed(reason: Reason) -> (OffenceKind, Weight) {
    match reason {
        Reason::BadMechanism => (OffenceKind::AuthProbe, Weight::Full),
        Reason::AccountDisabled | Reason::AuthPolicy => (OffenceKind::AuthFailure, Weight::Noted),
        _ => (OffenceKind::AuthFailure, Weight::Full),
    }
}

fn login_aborted(reason: Reason) -> Option<(OffenceKind, Weight)> {
    use OffenceKind as K;
    match reason {
        Reason::NoAuthAttempt => Some((K::AuthProbe, Weight::Light)),
        Reason::AuthAborted | Reason::CleartextRefused | Reason::Timeout | Reason::BadMechanism => {
            Some((K::AuthProbe, Weight::Full))
        }
        Reason::TooManyInvalidCommands | Reason::TooManyErrors | Reason::ProtocolError => {
            Some((K::ProtocolAbuse, Weight::Full))
        }
        Reason::TooManyConnections | Reason::RateExceeded => Some((K::RateExcess, Weight::Full)),
        Reason::TlsLost
        | Reason::TlsReset
        | Reason::TlsTimeout
        | Reason::TlsHttp
        | Reason::TlsVersion
        | Reason::TlsNoSharedCipher
        | Reason::TlsProtocol => Some((K::TlsProbe, tls_failure(reason))),
        _ => None,
    }
}

/// A clean break is what monitoring and port checks do, too; a client that distrusts our certificate, or is too old for
/// us, is no attacker by that.
fn tls_failure(reason: Reason) -> Weight {
    match reason {
        Reason::TlsAlert | Reason::ClientCertificate | Reason::TlsNoSharedCipher => Weight::Noted,
        Reason::TlsHttp | Reason::TlsProtocol => Weight::Full,
        _ => Weight::Weak,
    }
}

/// On port 25 an old mail server fails at TLS and delivers without: only one without a name is a probe.
fn tls_failure_on(event: &Event<'_>) -> Weight {
    let weight = tls_failure(event.reason);
    if event.service.bytes() == b"smtp" { weight.min(Weight::Weak) } else { weight }
}

/// `lost connection after AUTH` is a login given up; the other stages repeat what another line tells, or are a network
/// that failed.
fn lost(event: &Event<'_>) -> Option<(OffenceKind, Weight)> {
    match event.stage {
        Stage::Auth => Some((OffenceKind::AuthProbe, Weight::Full)),
        _ => None,
    }
}

/// A client that holds a connection open and says nothing. After DATA it is a bad line.
fn timeout(stage: Stage) -> Option<(OffenceKind, Weight)> {
    match stage {
        Stage::Connect | Stage::Helo | Stage::Starttls | Stage::Other => {
            Some((OffenceKind::ProtocolAbuse, Weight::Weak))
        }
        Stage::Auth => Some((OffenceKind::AuthProbe, Weight::Full)),
        _ => None,
    }
}

/// `auth=0/1` in Postfix's disconnect line is the only trace of a login that was refused before the password was looked
/// at: AUTH where it is off, or without TLS.
fn failed_auth_at_disconnect(event: &Event<'_>) -> Option<(OffenceKind, Weight)> {
    (event.stage == Stage::Auth && event.reason == Reason::CredentialsRefused)
        .then_some((OffenceKind::AuthProbe, Weight::Full))
}

fn rejected(event: &Event<'_>) -> Option<(OffenceKind, Weight)> {
    use OffenceKind as K;
    use Weight::{Full, Noted};
    let refused_for_good = event.reply_code / 100 == 5 || event.reply_code == 0;
    let weight = if refused_for_good { Full } else { Noted };
    match event.reason {
        Reason::TooManyConnections | Reason::RateExceeded => Some((K::RateExcess, Full)),
        Reason::TooManyErrors => Some((K::ProtocolAbuse, Full)),
        Reason::DnsblListed => Some((K::Dnsbl, Full)),
        Reason::RelayDenied => Some((K::RelayProbe, Full)),
        Reason::RecipientUnknown => Some((K::UserHarvest, weight)),
        Reason::HeloRefused | Reason::HeloMissing => Some((K::HeloAbuse, weight)),
        Reason::SenderDomain | Reason::SenderRefused | Reason::SenderNotOwned => {
            Some((K::SenderAbuse, weight))
        }
        Reason::SpfFail | Reason::DmarcFail => Some((K::SenderAbuse, weight)),
        Reason::Malware => Some((K::Malware, Full)),
        Reason::Spam => Some((K::Spam, weight)),
        Reason::ClientName | Reason::ClientRefused | Reason::DkimFail => Some((K::Policy, weight)),
        Reason::ContentPolicy | Reason::Milter | Reason::PolicyService | Reason::BannedContent => {
            refused_for_good.then_some((K::Policy, Full))
        }
        Reason::Pipelining | Reason::NonSmtpCommand | Reason::BareNewline => Some((K::ProtocolAbuse, weight)),
        // postscreen's "Protocol error" repeats the test that failed, which has a line of its own.
        Reason::Pregreet | Reason::ProtocolError if event.program == Program::Postscreen => None,
        Reason::ProtocolError => Some((K::ProtocolAbuse, weight)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mailward_model::{Client, Text, Timestamp};

    use super::*;

    fn event(kind: EventKind, reason: Reason) -> Event<'static> {
        let client = Client { address: [192, 0, 2, 1].into(), port: 0, name: Text::EMPTY };
        let time = Timestamp::from_secs(0);
        Event { kind, reason, client: Some(client), ..Event::new(time, Program::Smtpd) }
    }

    #[test]
    fn our_own_trouble_is_nobodys_offence() {
        for reason in [
            Reason::Greylisted,
            Reason::QuotaExceeded,
            Reason::DnsTrouble,
            Reason::DnsblError,
            Reason::LocalTrouble,
            Reason::TooLarge,
            Reason::TlsRequired,
            Reason::AuthRequired,
        ] {
            assert_eq!(judge(&event(EventKind::Rejected, reason)), None, "{reason}");
        }
        for kind in
            [EventKind::LoginUndecided, EventKind::UserLookup, EventKind::Deferred, EventKind::NameMismatch]
        {
            assert_eq!(judge(&event(kind, Reason::AuthServiceTrouble)), None, "{kind}");
        }
    }

    #[test]
    fn a_refusal_for_now_never_bans() {
        for reason in
            [Reason::SenderDomain, Reason::RecipientUnknown, Reason::HeloRefused, Reason::ClientName]
        {
            let deferred = Event { reply_code: 450, ..event(EventKind::Rejected, reason) };
            assert_eq!(judge(&deferred).map(|(_, weight)| weight), Some(Weight::Noted), "{reason}");
            let refused = Event { reply_code: 550, ..deferred };
            assert_eq!(judge(&refused).map(|(_, weight)| weight), Some(Weight::Full), "{reason}");
        }
    }

    #[test]
    fn every_offence_is_of_a_kind_that_matters() {
        for kind in EventKind::ALL {
            for reason in Reason::ALL {
                for stage in Stage::ALL {
                    let event = Event { stage: *stage, ..event(*kind, *reason) };
                    assert!(judge(&event).is_none() || matters(*kind), "{kind}, {reason}, {stage}");
                }
            }
        }
    }

    #[test]
    fn without_a_client_there_is_no_offence() {
        let nobody = Event { client: None, ..event(EventKind::LoginFailed, Reason::WrongPassword) };
        assert_eq!(judge(&nobody), None);
    }
}
