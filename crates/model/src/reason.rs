//! Why a program refused, failed or closed, as an enumeration; the words it used are in [`Event::detail`](crate::Event::detail).

use crate::named::named;

named! {
    /// The reason a program gave.
    pub enum Reason {
        /// It gave none, or it does not matter.
        None = "none",
        /// It gave one that is not known here.
        Other = "other",
        // Authentication
        /// Wrong password for an existing account.
        WrongPassword = "wrong-password",
        /// No such account.
        UnknownUser = "unknown-user",
        /// The program says only that it failed (Postfix: `(reason unavailable)`, `authentication failure`).
        CredentialsRefused = "credentials-refused",
        /// The account is disabled, expired or restricted by network.
        AccountDisabled = "account-disabled",
        /// Text that is no valid base64 or SASL message.
        BadEncoding = "bad-encoding",
        /// A mechanism that is not offered.
        BadMechanism = "bad-mechanism",
        /// Authentication without TLS where TLS is required.
        CleartextRefused = "cleartext-refused",
        /// The authentication service is down, slow or lost: our own trouble, or a guess outlasted by a penalty delay.
        AuthServiceTrouble = "auth-service-trouble",
        /// A policy (auth policy server, allow_nets) refused.
        AuthPolicy = "auth-policy",
        /// The client left before it tried to log in.
        NoAuthAttempt = "no-auth-attempt",
        /// The client left in the middle of a SASL exchange.
        AuthAborted = "auth-aborted",
        /// Too many invalid commands before login.
        TooManyInvalidCommands = "too-many-invalid-commands",
        /// The client certificate is missing or invalid.
        ClientCertificate = "client-certificate",
        // TLS
        /// The client left before the TLS handshake ended.
        TlsLost = "tls-lost",
        /// The client reset the connection during the TLS handshake.
        TlsReset = "tls-reset",
        /// TLS handshake timed out.
        TlsTimeout = "tls-timeout",
        /// Plain HTTP into a TLS port.
        TlsHttp = "tls-http",
        /// A TLS version nobody offers any more, or not one at all.
        TlsVersion = "tls-version",
        /// No cipher, group or signature in common.
        TlsNoSharedCipher = "tls-no-shared-cipher",
        /// Bytes that are no TLS record, or another protocol error.
        TlsProtocol = "tls-protocol",
        /// The client sent an alert, such as an unknown CA or bad certificate: it does not trust us.
        TlsAlert = "tls-alert",
        // Connection
        /// The client closed or the connection was lost.
        ConnectionLost = "connection-lost",
        /// The client was silent too long.
        Timeout = "timeout",
        /// The client said goodbye.
        LoggedOut = "logged-out",
        /// Nothing was said for too long after login.
        Inactivity = "inactivity",
        /// Too many errors or too much junk.
        TooManyErrors = "too-many-errors",
        /// Too many connections at once from this client.
        TooManyConnections = "too-many-connections",
        /// New connections, messages, recipients, TLS sessions or logins come too fast.
        RateExceeded = "rate-exceeded",
        /// The server is shutting down, reloading or out of a resource.
        ServerShutdown = "server-shutdown",
        // Rejections
        /// Listed by a DNS blocklist.
        DnsblListed = "dnsbl-listed",
        /// The blocklist answered with an error code (127.255.255.x) or by a resolver that it refuses.
        DnsblError = "dnsbl-error",
        /// Relay access denied.
        RelayDenied = "relay-denied",
        /// No such recipient.
        RecipientUnknown = "recipient-unknown",
        /// The recipient's domain does not exist or accepts no mail.
        RecipientDomain = "recipient-domain",
        /// Recipient refused by an access map, restriction class or verification.
        RecipientRefused = "recipient-refused",
        /// The mailbox is full.
        QuotaExceeded = "quota-exceeded",
        /// HELO or EHLO name refused.
        HeloRefused = "helo-refused",
        /// No HELO was sent.
        HeloMissing = "helo-missing",
        /// The sender's domain does not exist or was not found (also when our own resolver fails).
        SenderDomain = "sender-domain",
        /// Sender refused by an access map or verification.
        SenderRefused = "sender-refused",
        /// The sender is not owned by the login.
        SenderNotOwned = "sender-not-owned",
        /// Client without a reverse or confirmed name.
        ClientName = "client-name",
        /// Client refused by an access map.
        ClientRefused = "client-refused",
        /// SPF said fail.
        SpfFail = "spf-fail",
        /// DKIM verification failed.
        DkimFail = "dkim-fail",
        /// DMARC policy said reject.
        DmarcFail = "dmarc-fail",
        /// Greylisted: come again.
        Greylisted = "greylisted",
        /// A virus or forbidden attachment.
        Malware = "malware",
        /// Forbidden file name or type.
        BannedContent = "banned-content",
        /// Content judged spam.
        Spam = "spam",
        /// Content or header checks of local policy.
        ContentPolicy = "content-policy",
        /// A milter refused.
        Milter = "milter",
        /// A policy server refused.
        PolicyService = "policy-service",
        /// The message is too large.
        TooLarge = "too-large",
        /// Commands sent without waiting.
        Pipelining = "pipelining",
        /// A command that is not SMTP: HTTP, SIP, a header.
        NonSmtpCommand = "non-smtp-command",
        /// A bare newline, as in message smuggling.
        BareNewline = "bare-newline",
        /// Talk before the greeting.
        Pregreet = "pregreet",
        /// A command or address that breaks the protocol.
        ProtocolError = "protocol-error",
        /// A name look-up failed for the moment.
        DnsTrouble = "dns-trouble",
        /// Another temporary trouble of our own: a service, a table, a disk.
        LocalTrouble = "local-trouble",
        /// TLS is required first.
        TlsRequired = "tls-required",
        /// Authentication is required first.
        AuthRequired = "auth-required",
        // Delivery
        /// The other server refused.
        RemoteRefused = "remote-refused",
        /// The other server could not be reached.
        RemoteUnreachable = "remote-unreachable",
        /// The other server put it off.
        RemoteDeferred = "remote-deferred",
        /// Mail loops back to ourselves.
        Loop = "loop",
        /// A message was too old and given up.
        Expired = "expired",
    }
}
