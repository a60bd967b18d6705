//! Who writes mail logs.

use crate::named::named;

named! {
    /// The program that wrote a line, whatever its `syslog_name`.
    pub enum Program {
        /// Not a program that is known here.
        Other = "other",
        /// postscreen(8), the gate before smtpd on port 25.
        Postscreen = "postscreen",
        /// dnsblog(8), DNS blocklist look-ups for postscreen.
        Dnsblog = "dnsblog",
        /// tlsproxy(8), TLS for postscreen.
        Tlsproxy = "tlsproxy",
        /// smtpd(8), the SMTP server, on any service.
        Smtpd = "smtpd",
        /// cleanup(8).
        Cleanup = "cleanup",
        /// qmgr(8) and oqmgr(8).
        Qmgr = "qmgr",
        /// smtp(8), the SMTP client.
        Smtp = "smtp",
        /// lmtp(8), the LMTP client of Postfix.
        PostfixLmtp = "postfix-lmtp",
        /// local(8).
        PostfixLocal = "local",
        /// virtual(8).
        Virtual = "virtual",
        /// pipe(8).
        Pipe = "pipe",
        /// error(8), discard(8) and retry.
        PostfixError = "error",
        /// bounce(8), defer(8), trace(8).
        Bounce = "bounce",
        /// anvil(8).
        Anvil = "anvil",
        /// scache(8).
        Scache = "scache",
        /// verify(8).
        Verify = "verify",
        /// flush(8).
        Flush = "flush",
        /// showq(8).
        Showq = "showq",
        /// proxymap(8).
        Proxymap = "proxymap",
        /// spawn(8).
        Spawn = "spawn",
        /// tlsmgr(8).
        Tlsmgr = "tlsmgr",
        /// master(8).
        Master = "master",
        /// postfix-script, post-install and the postfix(1) command.
        PostfixScript = "postfix-script",
        /// pickup(8).
        Pickup = "pickup",
        /// trivial-rewrite(8).
        TrivialRewrite = "trivial-rewrite",
        /// postdrop(1), sendmail(1), postsuper(1), postqueue(1), postalias(1), postmap(1), postconf(1), postlogd(8).
        PostfixCommand = "postfix-command",
        /// A Dovecot login process: imap-login, pop3-login, managesieve-login, submission-login.
        DovecotLogin = "dovecot-login",
        /// Dovecot auth and auth-worker.
        DovecotAuth = "dovecot-auth",
        /// Dovecot imap, pop3, managesieve: the session after the login.
        DovecotSession = "dovecot-session",
        /// Dovecot lmtp.
        DovecotLmtp = "dovecot-lmtp",
        /// Dovecot lda.
        DovecotLda = "dovecot-lda",
        /// Dovecot master, config, log, anvil, stats, ssl-params and the like.
        DovecotService = "dovecot-service",
        /// Dovecot indexer and indexer-worker.
        DovecotIndexer = "dovecot-indexer",
        /// amavisd-new.
        Amavis = "amavis",
        /// SpamAssassin's spamd.
        Spamd = "spamd",
        /// Rspamd.
        Rspamd = "rspamd",
        /// clamd and clamav-milter, freshclam.
        Clamav = "clamav",
        /// OpenDKIM.
        Opendkim = "opendkim",
        /// OpenDMARC.
        Opendmarc = "opendmarc",
        /// policyd-spf (Python or Perl).
        PolicydSpf = "policyd-spf",
        /// Postgrey.
        Postgrey = "postgrey",
        /// saslauthd and other Cyrus SASL writers.
        Saslauthd = "saslauthd",
        /// fail2ban-server.
        Fail2ban = "fail2ban",
        /// PAM modules writing under a mail program's name.
        Pam = "pam",
    }
}
