//! Lines that mail servers write about failed logins, to see what a filter counts before anybody guesses.

use super::Filter;

/// A failed login over IMAP, Dovecot 2.3: two lines.
pub(crate) const IMAP: &[&str] = &[
    "2026-01-01T00:00:00.000000+00:00 mail dovecot: auth: passwd-file(alice@example.org,192.0.2.1,<cj4aRMJA2u3AAAJN>): Password mismatch",
    "2026-01-01T00:00:02.000000+00:00 mail dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<alice@example.org>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, TLS: Connection closed, session=<cj4aRMJA2u3AAAJN>",
];

/// The same, Dovecot 2.4.
pub(crate) const IMAP_2_4: &[&str] = &[
    "2026-01-01T00:00:00.000000+00:00 mail dovecot: auth(alice@example.org,192.0.2.1,sasl:plain)<cj4aRMJA2u3AAAJN>: passdb-default: Password mismatch",
    "2026-01-01T00:00:02.000000+00:00 mail dovecot: imap-login: Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed): user=<alice@example.org>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, TLS, session=<cj4aRMJA2u3AAAJN>",
];

/// A failed login over SMTP: Postfix's line, and Dovecot's where it is asked.
pub(crate) const SUBMISSION: &[&str] = &[
    "2026-01-01T00:00:00.000000+00:00 mail dovecot: auth: passwd-file(alice@example.org,192.0.2.1): Password mismatch",
    "2026-01-01T00:00:02.000000+00:00 mail postfix/submission/smtpd[77]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=alice@example.org",
];

/// How many of these lines a filter counts.
pub(crate) fn lines_counted(filter: &Filter, lines: &[&str]) -> usize {
    lines.iter().filter(|line| filter.counts(line).is_some()).count()
}
