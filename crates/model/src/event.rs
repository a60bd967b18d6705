//! What a mail program said in a line.

use core::net::IpAddr;

use crate::named::named;
use crate::{Program, Reason, Text, Timestamp};

/// A line of a log, typed. Every field comes from the place where the program itself writes it; text that a client
/// controls (HELO, user, envelope, echoes) is a field and was never searched. An absent text is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// When it was logged.
    pub time: Timestamp,
    /// The host name in the syslog header.
    pub host: Text<'a>,
    /// The program.
    pub program: Program,
    /// The tag as logged, without the process id: `postfix/submission/smtpd`, `dovecot`.
    pub tag: Text<'a>,
    /// The service within the program: Postfix's middle name (`submission`, `smtps`; `smtp` where there is none), or the
    /// protocol of a Dovecot process (`imap`, `pop3`, `sieve`, `lmtp`).
    pub service: Text<'a>,
    /// The process id, 0 where there is none.
    pub pid: u32,
    /// What happened.
    pub kind: EventKind,
    /// Why, where the program says so.
    pub reason: Reason,
    /// The program's own words for the reason; for [`EventKind::Unknown`] the whole message.
    pub detail: Text<'a>,
    /// The queue id, short or long; empty for `NOQUEUE`.
    pub queue_id: Text<'a>,
    /// Dovecot's session id, or the task id of amavis and rspamd.
    pub session_id: Text<'a>,
    /// The client, only from where the program itself writes it.
    pub client: Option<Client<'a>>,
    /// The other server of a delivery (`relay=name[address]:port`); a name alone where it has no address.
    pub relay: Text<'a>,
    /// The relay's address.
    pub relay_address: Option<IpAddr>,
    /// The login name.
    pub user: Text<'a>,
    /// The SASL mechanism.
    pub method: Text<'a>,
    /// Envelope sender, without angle brackets. `sender_given` tells `<>` from absent.
    pub sender: Text<'a>,
    /// Whether an envelope sender was written, which may be the empty one.
    pub sender_given: bool,
    /// Envelope recipient, without angle brackets.
    pub recipient: Text<'a>,
    /// HELO or EHLO name.
    pub helo: Text<'a>,
    /// `ESMTP` or `SMTP`.
    pub protocol: Text<'a>,
    /// The stage of the SMTP session at which it happened.
    pub stage: Stage,
    /// The three-digit reply, 0 where there is none.
    pub reply_code: u16,
    /// The enhanced status code (RFC 3463).
    pub dsn: Text<'a>,
    /// TLS of the connection, where the line tells.
    pub tls: Option<Tls<'a>>,
    /// Digits of the hash of the password that was tried, as Dovecot's `auth_verbose_passwords = sha1:N` logs them.
    pub password_digits: Text<'a>,
    /// How many times the thing happened that the line tells of: login attempts of a session, failed commands; at least 1.
    pub count: u32,
    /// How often the line itself was repeated ("message repeated N times"); at least 1.
    pub repeated: u32,
    /// The message id, without angle brackets.
    pub message_id: Text<'a>,
    /// The DNS blocklist, or the mailbox, file name, virus or rule that the line names.
    pub object: Text<'a>,
    /// Message size in bytes, 0 where unknown.
    pub size: u64,
    /// Number of recipients, 0 where unknown.
    pub recipients: u32,
}

impl<'a> Event<'a> {
    /// An event of a program at a time, with nothing else known.
    #[must_use]
    pub const fn new(time: Timestamp, program: Program) -> Self {
        Self {
            time,
            host: Text::EMPTY,
            program,
            tag: Text::EMPTY,
            service: Text::EMPTY,
            pid: 0,
            kind: EventKind::Unknown,
            reason: Reason::None,
            detail: Text::EMPTY,
            queue_id: Text::EMPTY,
            session_id: Text::EMPTY,
            client: None,
            relay: Text::EMPTY,
            relay_address: None,
            user: Text::EMPTY,
            method: Text::EMPTY,
            sender: Text::EMPTY,
            sender_given: false,
            recipient: Text::EMPTY,
            helo: Text::EMPTY,
            protocol: Text::EMPTY,
            stage: Stage::None,
            reply_code: 0,
            dsn: Text::EMPTY,
            tls: None,
            password_digits: Text::EMPTY,
            count: 1,
            repeated: 1,
            message_id: Text::EMPTY,
            object: Text::EMPTY,
            size: 0,
            recipients: 0,
        }
    }

    /// The client's address.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.client.map(|client| client.address)
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client<'a> {
    /// Its address; IPv4-mapped addresses are IPv4.
    pub address: IpAddr,
    /// Its port, 0 where unknown.
    pub port: u16,
    /// Its name, confirmed forward and back by the program; empty where it is `unknown` or not logged.
    pub name: Text<'a>,
}

/// TLS of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls<'a> {
    /// `TLSv1.3`; empty where only the fact is known.
    pub protocol: Text<'a>,
    /// `TLS_AES_256_GCM_SHA384`; empty where only the fact is known.
    pub cipher: Text<'a>,
}

named! {
    /// The stage of an SMTP session.
    pub enum Stage {
        /// Not told, or no SMTP session.
        None = "none",
        /// Before anything was said.
        Connect = "connect",
        /// HELO, EHLO or LHLO.
        Helo = "helo",
        /// STARTTLS.
        Starttls = "starttls",
        /// AUTH.
        Auth = "auth",
        /// MAIL FROM.
        Mail = "mail",
        /// RCPT TO.
        Rcpt = "rcpt",
        /// DATA or BDAT.
        Data = "data",
        /// The end of the message.
        EndOfMessage = "end-of-message",
        /// VRFY.
        Vrfy = "vrfy",
        /// ETRN.
        Etrn = "etrn",
        /// RSET, NOOP, QUIT and the like.
        Other = "other",
    }
}

named! {
    /// What happened, by stable name.
    pub enum EventKind {
        /// A line that is not known; counted per program.
        Unknown = "unknown",
        // Connections
        /// A client connected.
        Connect = "connect",
        /// A client is gone; `count` is its number of failed commands, at least 1.
        Disconnect = "disconnect",
        /// The connection was lost at `stage`.
        LostConnection = "lost-connection",
        /// The client was silent too long at `stage`.
        Timeout = "timeout",
        /// postscreen let a client through for the first time, or again.
        ScreenPass = "screen-pass",
        /// The client hung up during postscreen's tests.
        ScreenHangup = "screen-hangup",
        /// postscreen knows the client from its access list and lets it pass.
        ScreenAllowlisted = "screen-allowlisted",
        /// postscreen knows the client from its access list and refuses it.
        ScreenDenylisted = "screen-denylisted",
        /// Talk before the greeting.
        Pregreet = "pregreet",
        /// A DNS blocklist lists the client (one list, `object`).
        DnsblListed = "dnsbl-listed",
        /// postscreen's total weight over all lists.
        DnsblRank = "dnsbl-rank",
        // TLS
        /// A TLS session was established.
        TlsEstablished = "tls-established",
        /// A TLS handshake failed.
        TlsFailed = "tls-failed",
        /// The TLS library tells of a problem, without a client.
        TlsProblem = "tls-problem",
        // Logins
        /// A login succeeded.
        LoginSucceeded = "login-succeeded",
        /// A password, or the SASL exchange, was refused.
        LoginFailed = "login-failed",
        /// A login could not be decided: our own service had trouble, or was outlasted.
        LoginUndecided = "login-undecided",
        /// The client left, or was refused, without a password having been looked at.
        LoginAborted = "login-aborted",
        /// A password database refused a password: one try, with the user, often before the login process writes its line.
        PasswordRefused = "password-refused",
        /// The same, told by the mail server itself when it asked the login guard; lines about it follow.
        RefusalReported = "refusal-reported",
        /// A look-up of a user without a login, as for delivery or quota.
        UserLookup = "user-lookup",
        /// A session after the login ended.
        SessionEnded = "session-ended",
        // SMTP sessions
        /// A message was begun: `queue_id`, client, and the login where there was one.
        MessageBegun = "message-begun",
        /// A client, command or message was refused.
        Rejected = "rejected",
        /// It would have been refused (warn_if_reject, soft_bounce).
        RejectWarning = "reject-warning",
        /// A milter or access map did something else to a message: hold, discard, redirect, prepend, quarantine, filter.
        Actioned = "actioned",
        /// Commands came without waiting.
        Pipelining = "pipelining",
        /// A command that is no SMTP command.
        NonSmtpCommand = "non-smtp-command",
        /// Bare newlines.
        BareNewline = "bare-newline",
        /// Syntax errors in addresses or commands.
        SyntaxError = "syntax-error",
        /// Too many errors, junk or a command limit.
        TooManyErrors = "too-many-errors",
        /// Too many connections, messages, recipients, logins, or too fast.
        LimitExceeded = "limit-exceeded",
        /// The client's name does not resolve back to its address.
        NameMismatch = "name-mismatch",
        /// Rates that anvil saw.
        AnvilStatistics = "anvil-statistics",
        // Messages
        /// The message id of a queued message.
        MessageId = "message-id",
        /// A message became active in the queue.
        QueueActive = "queue-active",
        /// A message left the queue.
        QueueRemoved = "queue-removed",
        /// Handed in by a local user.
        PickedUp = "picked-up",
        /// A delivery succeeded.
        Delivered = "delivered",
        /// A delivery was put off.
        Deferred = "deferred",
        /// A delivery failed for good.
        Bounced = "bounced",
        /// A notification about a delivery was made.
        BounceNotice = "bounce-notice",
        /// An address was verified.
        AddressVerified = "address-verified",
        /// A connection to another server failed or had trouble.
        RemoteTrouble = "remote-trouble",
        /// A message was saved to a mailbox.
        Saved = "saved",
        /// A Sieve script did something.
        Sieve = "sieve",
        // Content
        /// A scanner passed a message.
        ContentClean = "content-clean",
        /// A scanner found spam.
        ContentSpam = "content-spam",
        /// A scanner found malware.
        ContentMalware = "content-malware",
        /// A scanner found a forbidden name or type.
        ContentBanned = "content-banned",
        /// A scanner found another fault: bad header, unchecked, oversized.
        ContentOther = "content-other",
        /// A message was signed.
        DkimSigned = "dkim-signed",
        /// Result of a DKIM, SPF or DMARC check.
        SenderAuthentication = "sender-authentication",
        /// Result of greylisting.
        Greylist = "greylist",
        // Others' bans
        /// Another tool counted something (fail2ban `Found`).
        PeerFound = "peer-found",
        /// Another tool banned an address.
        PeerBanned = "peer-banned",
        /// Another tool lifted a ban.
        PeerUnbanned = "peer-unbanned",
        // Services
        /// A service started, stopped or reloaded.
        ServiceState = "service-state",
        /// A service reports trouble of its own.
        ServiceTrouble = "service-trouble",
        /// Something that needs no attention.
        Notice = "notice",
    }
}
