//! Lines that attacks write: what a filter of fail2ban counts among them tells what it is for, whatever its name.

/// One line or more for each kind of attack; Mailward's own parser says which kind it is.
pub(super) const LINES: &[&str] = &[
    "Jan  5 10:00:00 mail dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<alice@example.org>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.2, TLS: Connection closed, session=<cj4aRMJA2u3AAAJN>",
    "Jan  5 10:00:00 mail dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<alice@example.org>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.2, TLS, session=<cj4aRMJA2u3AAAJN>",
    "Jan  5 10:00:00 mail dovecot: managesieve-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<alice@example.org>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.2, TLS, session=<cj4aRMJA2u3AAAJN>",
    "Jan  5 10:00:00 mail postfix/submission/smtpd[77]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
    "Jan  5 10:00:00 mail postfix/smtpd[77]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: authentication failure",
    "Jan  5 10:00:00 mail dovecot: imap-login: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=203.0.113.7, lip=192.0.2.2, TLS handshaking: SSL_accept() failed: error:1408F09C:SSL routines:ssl3_get_record:http request, session=<cj4aRMJA2u3AAAJN>",
    "Jan  5 10:00:00 mail postfix/smtpd[77]: SSL_accept error from unknown[203.0.113.7]: lost connection",
    "Jan  5 10:00:00 mail postfix/smtpd[77]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 454 4.7.1 <a@example.net>: Relay access denied; from=<b@example.com> to=<a@example.net> proto=ESMTP helo=<x>",
    "Jan  5 10:00:00 mail postfix/smtpd[77]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown in virtual mailbox table; from=<b@example.com> to=<nobody@example.org> proto=ESMTP helo=<mx.example.com>",
    "Jan  5 10:00:00 mail postfix/smtpd[77]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked using zen.spamhaus.org; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<x>",
    "Jan  5 10:00:00 mail postfix/smtpd[77]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname; from=<b@example.com> to=<a@example.org> proto=ESMTP helo=<x>",
    "Jan  5 10:00:00 mail postfix/smtpd[77]: improper command pipelining after EHLO from unknown[203.0.113.7]: MAIL FROM:<x>",
    "Jan  5 10:00:00 mail postfix/smtpd[77]: too many errors after RCPT from unknown[203.0.113.7]",
    "Jan  5 10:00:00 mail postfix/postscreen[77]: PREGREET 11 after 0.1 from [203.0.113.7]:4711: EHLO x\\r\\n",
    "Jan  5 10:00:00 mail postfix/postscreen[77]: COMMAND COUNT LIMIT from [203.0.113.7]:4711 after RCPT",
    "Jan  5 10:00:00 mail postfix/smtpd[77]: disconnect from unknown[203.0.113.7] ehlo=1 auth=0/1 quit=1 commands=2/3",
];
