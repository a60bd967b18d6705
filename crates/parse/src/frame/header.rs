//! Host, tag and process id between the stamp and the message.

use mailward_model::Timestamp;

use super::{Frame, Framed};
use crate::scan::{decimal32, number, seek, take_until, trim_start};

/// Reads `host tag[pid]: message`, also without host, without pid, with a `facility.level` before the tag (BusyBox), and
/// lines of Dovecot's own log files, which have neither host nor tag.
pub(crate) fn read(rest: &[u8], time: Timestamp) -> Framed<'_> {
    match usual(rest, time) {
        Some(frame) => Framed::Tagged(frame),
        None => unusual(trim_start(rest), time),
    }
}

/// ` host tag[pid]: message` or ` host tag: message`, as nearly every line has it. Whatever else it may be is left to
/// [`unusual`], which gives the same answer for these, only later.
#[inline(always)]
pub(super) fn usual(rest: &[u8], time: Timestamp) -> Option<Frame<'_>> {
    let rest = rest.strip_prefix(b" ")?;
    let (host, rest) = rest.split_at_checked(seek(rest, [b' ', b'('])?)?;
    let rest = rest.strip_prefix(b" ")?;
    if matches!(host.last()?, b':' | b']') {
        return None;
    }
    // Most tags begin with this, which is not worth searching.
    let skipped = if rest.starts_with(b"postfix/") { 8 } else { 0 };
    let length = skipped + seek(rest.get(skipped..)?, [b'[', b':', b' '])?;
    let (tag, rest) = rest.split_at_checked(length).filter(|_| length > 0)?;
    let (pid, message) = match rest {
        [b'[', rest @ ..] => number(rest).and_then(|(pid, rest)| Some((pid, rest.strip_prefix(b"]: ")?)))?,
        [b':', b' ', message @ ..] => (0, message),
        _ => return None,
    };
    Some(Frame { time, host, tag, pid: u32::try_from(pid).ok()?, message, trusted: true })
}

fn unusual(rest: &[u8], time: Timestamp) -> Framed<'_> {
    let frame =
        |host, (tag, pid, message)| Framed::Tagged(Frame { time, host, tag, pid, message, trusted: true });
    let (host, after) = match token(rest) {
        Token::Tag(tag, 0, _) if is_dovecot_process(tag) => return frame(b"", (b"dovecot", 0, rest)),
        Token::Tag(tag, pid, message) => return frame(b"", (tag, pid, message)),
        Token::Word(word, _) if is_dovecot_user_process(word) => return frame(b"", (b"dovecot", 0, rest)),
        Token::Word(word, _) if is_level(word) => return Framed::Notice(time, rest),
        Token::Word(word, after) => (word, after),
    };
    match second(after) {
        Some(tagged) => frame(host, tagged),
        None if is_from_logger(after) || is_from_logger(rest) => Framed::Notice(time, rest),
        None => Framed::Unknown(time, rest),
    }
}

/// What syslogd itself writes in place of a line.
fn is_from_logger(text: &[u8]) -> bool {
    text.starts_with(b"last message repeated ") || text.starts_with(b"-- MARK --")
}

/// The tag after the host, with BusyBox's `mail.info` skipped.
fn second(rest: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    match token(rest) {
        Token::Tag(tag, pid, message) => Some((tag, pid, message)),
        Token::Word(word, after) if is_facility(word) => match token(after) {
            Token::Tag(tag, pid, message) => Some((tag, pid, message)),
            Token::Word(..) => None,
        },
        Token::Word(..) => None,
    }
}

/// `[  INFO  ]  text` of a container's start-up script.
pub(super) fn start_up(line: &[u8], time: Timestamp) -> Framed<'_> {
    let inside = line.strip_prefix(b"[").unwrap_or(line);
    let (level, _) = take_until(trim_start(inside), |b| !b.is_ascii_uppercase());
    if is_level(level) { Framed::Notice(time, line) } else { Framed::Unknown(time, line) }
}

enum Token<'a> {
    /// `tag:`, `tag[pid]:` or `tag   [pid]:`, and the message.
    Tag(&'a [u8], u32, &'a [u8]),
    /// Another word, and what follows it.
    Word(&'a [u8], &'a [u8]),
}

fn token(rest: &[u8]) -> Token<'_> {
    let mut from = 0;
    loop {
        let (plain, after) =
            take_until(rest.get(from..).unwrap_or_default(), |b| matches!(b, b' ' | b':' | b'['));
        let (word, _) = rest.split_at(from + plain.len());
        match after {
            // An IPv6 address as the host has colons, too.
            [b':', next, ..] if *next != b' ' => from = word.len() + 1,
            [b':', message @ ..] if !word.is_empty() => return Token::Tag(word, 0, trim_blank(message)),
            [b'[', ..] if !word.is_empty() => {
                let Some((pid, message)) = process_id(after) else { return Token::Word(word, after) };
                return Token::Tag(word, pid, message);
            }
            _ => {
                let after = trim_start(after);
                // fail2ban pads its name: `fail2ban.actions         [391]: NOTICE`.
                return match process_id(after) {
                    Some((pid, message)) if !word.is_empty() => Token::Tag(word, pid, message),
                    _ => Token::Word(word, after),
                };
            }
        }
    }
}

/// `[123]: ` in front, and the message; some loggers leave out the colon.
fn process_id(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let inner = bytes.strip_prefix(b"[")?;
    let (digits, after) = take_until(inner, |b| !b.is_ascii_digit());
    let pid = decimal32(digits)?;
    let after = after.strip_prefix(b"]")?;
    Some((pid, trim_blank(after.strip_prefix(b":").unwrap_or(after))))
}

/// The one blank that syslog puts before the message; further ones are the program's.
fn trim_blank(message: &[u8]) -> &[u8] {
    message.strip_prefix(b" ").unwrap_or(message)
}

fn is_level(word: &[u8]) -> bool {
    matches!(
        word,
        b"TRACE" | b"DEBUG" | b"INFO" | b"WARN" | b"WARNING" | b"ERROR" | b"CRIT" | b"TASKLOG" | b"TASKS"
    )
}

/// `mail.info`, as BusyBox's syslogd writes before the tag.
fn is_facility(word: &[u8]) -> bool {
    let (facility, level) = take_until(word, |b| b == b'.');
    let level = level.get(1..).unwrap_or_default();
    !facility.is_empty()
        && matches!(
            level,
            b"debug"
                | b"info"
                | b"notice"
                | b"warn"
                | b"warning"
                | b"err"
                | b"error"
                | b"crit"
                | b"alert"
                | b"emerg"
                | b"panic"
        )
}

/// `imap(user)<1><sid>: ` where the user's name may hold blanks.
fn is_dovecot_user_process(word: &[u8]) -> bool {
    let (name, rest) = take_until(word, |b| b == b'(');
    !rest.is_empty() && is_dovecot_process(name)
}

/// What stands first in a line of Dovecot's own log file: `imap-login: Info: ...`.
fn is_dovecot_process(tag: &[u8]) -> bool {
    let (name, _) = take_until(tag, |b| b == b'(');
    matches!(
        name,
        b"imap-login"
            | b"pop3-login"
            | b"managesieve-login"
            | b"submission-login"
            | b"imap"
            | b"pop3"
            | b"managesieve"
            | b"submission"
            | b"lmtp"
            | b"lda"
            | b"auth"
            | b"auth-worker"
            | b"master"
            | b"anvil"
            | b"log"
            | b"config"
            | b"stats"
            | b"old-stats"
            | b"ssl-params"
            | b"indexer"
            | b"indexer-worker"
            | b"dict"
            | b"dict-async"
            | b"director"
            | b"ipc"
            | b"doveadm"
            | b"doveadm-server"
            | b"dsync-server"
            | b"dsync-local"
            | b"replicator"
            | b"aggregator"
            | b"quota-status"
            | b"imap-hibernate"
            | b"imap-urlauth"
            | b"imap-urlauth-login"
            | b"imap-urlauth-worker"
            | b"script"
            | b"script-login"
            | b"health-check"
            | b"login-proxy"
            | b"tcpwrap"
            | b"welcome"
    )
}
