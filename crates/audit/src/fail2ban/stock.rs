//! What fail2ban's own filters for mail count, by mode, and docker-mailserver's jails: for servers whose
//! `fail2ban-client -d` could not be asked. The patterns are our own and count the same lines.

use super::pattern::Filter;
use super::{Jail, Origin};

const SYSLOG: &str = r"^\s*(?:\S+ )?";

/// Filters that fail2ban 1.0 and 1.1 ship for mail servers, and those of other programs that a mail server's jails name.
pub(crate) const FILTERS: &[&str] = &[
    "apache-auth",
    "apache-badbots",
    "apache-noscript",
    "apache-overflows",
    "courier-auth",
    "courier-smtp",
    "cyrus-imap",
    "dovecot",
    "exim",
    "exim-spam",
    "horde",
    "kerio",
    "monit",
    "mysqld-auth",
    "named-refused",
    "nginx-bad-request",
    "nginx-botsearch",
    "nginx-http-auth",
    "nginx-limit-req",
    "nginx-forbidden",
    "openwebmail",
    "pam-generic",
    "perdition",
    "php-url-fopen",
    "phpmyadmin-syslog",
    "postfix",
    "proftpd",
    "pure-ftpd",
    "qmail",
    "recidive",
    "roundcube-auth",
    "selinux-ssh",
    "sendmail-auth",
    "sendmail-reject",
    "sieve",
    "slapd",
    "sogo-auth",
    "solid-pop3d",
    "squirrelmail",
    "sshd",
    "uwimap-auth",
    "vsftpd",
    "webmin-auth",
    "zoneminder",
];

/// A filter of fail2ban's own in a mode; none where its lines are not known here.
pub(crate) fn filter(name: &str, mode: &str) -> Option<Filter> {
    match name {
        "postfix" => Some(postfix(if mode.is_empty() { "more" } else { mode })),
        "dovecot" => Some(dovecot(mode)),
        "sieve" => Some(sieve()),
        _ => None,
    }
}

fn postfix(mode: &str) -> Filter {
    let prefix =
        format!(r"{SYSLOG}postfix(?:-\w+)?/[\w-]+(?:/smtp[ds])?(?:\[\d+\])?: <F-CONTENT>.+</F-CONTENT>$");
    let guess = r"^warning: [^[]*\[<HOST>\](?::\d+)?: SASL (?i:LOGIN|PLAIN|CRAM-MD5|DIGEST-MD5) authentication failed:(?! Connection lost to authentication server)(?! Invalid authentication mechanism)";
    let any_guess = r"^warning: [^[]*\[<HOST>\](?::\d+)?: SASL (?i:LOGIN|PLAIN|CRAM-MD5|DIGEST-MD5) authentication failed:(?! Connection lost to authentication server)";
    let refused = r"^\w+: (?:milter-)?reject: [A-Z]{4} from [^[]*\[<HOST>\](?::\d+)?: [45][50][04] [45]\.\d\.\d+ (?:(?:<[^>]*>)?: )?(?:(?:Helo command|(?:Sender|Recipient) address) rejected: )?(?:Service unavailable|(?:Client host|Command|Data command) rejected|Relay access denied|(?:Host|Domain) not found|need fully-qualified hostname|match|[Uu]ser unknown|[Uu]ndeliverable address)\b";
    let misuse =
        r"^(?:improper command pipelining|too many errors) after \S+ from [^[]*\[<HOST>\](?::\d+)?:?";
    let floods = [
        r"^lost connection after (?!DATA)[A-Z]+ from [^[]*\[<HOST>\](?::\d+)?:?",
        r"^disconnect from [^[]*\[<HOST>\](?::\d+)?:?(?= .*\bauth=0/[1-9])",
        r"^(?:PREGREET \d+|HANGUP) after \S+ from [^[]*\[<HOST>\](?::\d+)?:?",
        r"^COMMAND (?:TIME|COUNT|LENGTH) LIMIT from [^[]*\[<HOST>\](?::\d+)?:?",
    ];
    let listed = r"^\w+: reject: [A-Z]{4} from [^[]*\[<HOST>\](?::\d+)?: [45]54 [45]\.7\.1 Service unavailable; Client host \[\S+\] blocked\b";
    let fail: Vec<&str> = match mode {
        "normal" | "more" => vec![refused, misuse],
        "auth" => vec![guess],
        "rbl" => vec![listed],
        "ddos" => floods.to_vec(),
        "errors" => vec![misuse],
        "aggressive" => [any_guess, refused, misuse].into_iter().chain(floods).collect(),
        _ => vec![guess, refused, misuse],
    };
    Filter::new(Some(&prefix), fail, [])
}

fn dovecot(mode: &str) -> Filter {
    let prefix = format!(
        r"{SYSLOG}dovecot(?:-auth)?(?:\[\d+\])?: (?:auth(?:-worker)?(?:\([^)]+\))?: )?(?:(?:pop3|imap|managesieve|submission)-login: )?(?:Info: )?(?:conn \w+:auth(?:-worker)? \([^)]+\): auth(?:-worker)?<\d+>: )?<F-CONTENT>.+</F-CONTENT>$"
    );
    let left = r"^(?:Aborted login|Disconnected|Remote closed connection|Client has quit the connection)(?:: (?:\w+\([^):]*\) \w+|[^(]+))*";
    let tail = r"(?: user=<[^>]*>,)?(?: method=\S+,)? rip=<HOST>(?:[^>]*(?:, session=<\S+>)?)\s*$";
    let failed = format!(
        r"{left} \((?:auth failed, \d+ attempts(?: in \d+ secs)?|tried to use (?:disabled|disallowed) \S+ auth|proxy dest auth failed)\):{tail}"
    );
    let silent = format!(
        r"{left} \((?:no auth attempts|disconnected before auth was ready,|client didn't finish \S+ auth,)(?: (?:in|waited) \d+ secs)?\):{tail}"
    );
    let mut fail = vec![
        failed.as_str(),
        r"^pam\(\S+,<HOST>(?:,\S*)?\): pam_authenticate\(\) failed: ",
        r"^[a-z-]{3,15}\(\S*,<HOST>(?:,\S*)?\): (?:[Uu]nknown user|[Ii]nvalid credentials|[Pp]assword mismatch)",
    ];
    if mode == "aggressive" {
        fail.push(&silent);
    }
    Filter::new(Some(&prefix), fail, [])
}

fn sieve() -> Filter {
    let line = format!(
        r"{SYSLOG}(?:cyrus/)?(?:tim)?sieved?(?:\[\d+\])?: badlogin: \S+ ?\[<HOST>\] \S+ authentication failure$"
    );
    Filter::new(None, [line.as_str()], [])
}

/// The jails of docker-mailserver 15.
pub(crate) fn docker_mailserver() -> Vec<Jail> {
    const WEEK: i64 = 604_800;
    let jail = |name: &str, mode: &str, ban_time: i64| Jail {
        name: name.to_owned(),
        filter_name: if name == "custom" { String::new() } else { name.to_owned() },
        mode: mode.to_owned(),
        filter: filter(name, mode).unwrap_or_default(),
        max_retry: 6,
        find_time: WEEK,
        ban_time,
        ignored: vec!["127.0.0.1/8".to_owned()],
        logs: if name == "custom" { Vec::new() } else { vec!["/var/log/mail.log".to_owned()] },
        actions: vec!["nftables-allports".to_owned()],
        origin: Origin::Shipped,
        ..Jail::default()
    };
    vec![jail("dovecot", "", WEEK), jail("postfix", "extra", WEEK), jail("custom", "", 180 * 86_400)]
}
