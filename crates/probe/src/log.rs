//! How good a mail log is as a record: its times, holes, lost lines, and secrets that should not be in it. What it tells of mail is
//! read elsewhere.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use mailward_audit::Known;
use mailward_audit::facts::{LogGap, LogHealth};

/// Of a larger log, the end tells.
const MOST: u64 = 64 << 20;

const GAPS: usize = 10;
const LOST: usize = 10;
const SECRETS: usize = 20;

/// A shorter silence is night.
const SILENCE: i64 = 3600;

/// What loggers write when they throw lines away: rsyslog's imuxsock and journald.
const LOSSES: [&str; 5] = [
    "messages lost due to rate-limiting",
    "begin to drop messages",
    "Suppressed ",
    "Missed ",
    "forward message to syslog socket: Resource",
];

/// Reads the first of the logs that exists.
pub(crate) fn read(logs: &[PathBuf]) -> Known<LogHealth> {
    let Some(path) = logs.iter().find(|path| path.is_file()) else {
        return if logs.is_empty() { Known::Unasked } else { Known::Absent };
    };
    match health(path) {
        Ok(health) => Known::Is(health),
        Err(error) => Known::Unread(format!("cannot read {}: {error}", path.display())),
    }
}

fn health(path: &Path) -> std::io::Result<LogHealth> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(MOST)))?;
    let mut lines = BufReader::with_capacity(1 << 18, file);
    let mut line = Vec::new();
    if len > MOST {
        lines.read_until(b'\n', &mut line)?;
    }
    let mut reader = Reader::default();
    line.clear();
    while lines.read_until(b'\n', &mut line)? > 0 {
        reader.take(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(reader.end(path.display().to_string()))
}

#[derive(Default)]
struct Reader {
    health: LogHealth,
    /// The first and the last line's time.
    first: Option<i64>,
    last: Option<(i64, String)>,
}

impl Reader {
    fn take(&mut self, line: &str) {
        self.health.lines += 1;
        if let Some((seconds, text, format)) = time(line) {
            format.clone_into(&mut self.health.time);
            self.step(seconds, text);
        }
        if self.health.lost.len() < LOST
            && LOSSES.iter().any(|loss| line.contains(loss))
            && is_of_logger(line)
        {
            self.health.lost.push(line.trim_end().chars().take(300).collect());
        }
        if self.health.secrets.len() < SECRETS
            && let Some(kind) = secret(line)
        {
            self.health.secrets.push((self.health.lines, kind.to_owned()));
        }
    }

    fn step(&mut self, seconds: i64, text: &str) {
        if let Some((before, from)) = &self.last {
            let silent = seconds - before;
            if silent >= SILENCE {
                self.health.gaps.push(LogGap { from: from.clone(), to: text.to_owned(), seconds: silent });
            }
        }
        self.first = self.first.or(Some(seconds));
        match &mut self.last {
            Some((before, from)) if from.len() == text.len() => {
                *before = seconds;
                from.replace_range(.., text);
            }
            last => *last = Some((seconds, text.to_owned())),
        }
    }

    fn end(mut self, path: String) -> LogHealth {
        self.health.path = path;
        self.health.span = match (self.first, self.last) {
            (Some(first), Some((last, _))) => last - first,
            _ => 0,
        };
        self.health.gaps.sort_by_key(|gap| core::cmp::Reverse(gap.seconds));
        self.health.gaps.truncate(GAPS);
        self.health
    }
}

/// Lines of the loggers themselves; a subject of a mail may say anything.
fn is_of_logger(line: &str) -> bool {
    ["rsyslogd", "systemd-journald", "imjournal", "syslog-ng"].iter().any(|program| line.contains(program))
}

/// When a line was written: seconds, the text, and how it is written.
fn time(line: &str) -> Option<(i64, &str, &'static str)> {
    let word = line.split(' ').next()?;
    if word.as_bytes().get(10) == Some(&b'T') {
        let at: jiff::Timestamp = word.parse().ok()?;
        return Some((at.as_second(), word, "rfc3339"));
    }
    let text = line.get(..15)?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|month| text.starts_with(month))?;
    let mut fields = text.get(3..)?.split([' ', ':']).filter(|field| !field.is_empty());
    let mut number = || fields.next()?.parse::<i64>().ok();
    let (day, hour, minute, second) = (number()?, number()?, number()?, number()?);
    // Without a year only distances within one count; a leap day is a silence of nobody's.
    let before: i64 = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334].get(month).copied()?;
    Some((((before + day) * 24 + hour) * 3600 + minute * 60 + second, text, "rfc3164"))
}

/// Which kind of secret a line holds, if it does.
fn secret(line: &str) -> Option<&'static str> {
    if let Some((before, value)) = line.split_once("given password: ")
        && !before.ends_with("SHA1 of ")
        && !value.starts_with("<hidden>")
    {
        return Some("a password, by auth_debug_passwords or auth_verbose_passwords");
    }
    if let Some((_, value)) = line.split_once("AUTH PLAIN ")
        && is_credentials(value)
    {
        return Some("AUTH PLAIN with its credentials");
    }
    let value = line.split_once("password=").or_else(|| line.split_once("passwd="))?.1;
    let hidden = ["<hidden>", "***", "%", "\"\"", "''"].iter().any(|start| value.starts_with(start));
    let is = value.starts_with(|c: char| c.is_ascii_graphic() && !",;)&".contains(c));
    (is && !hidden).then_some("a value of password=")
}

/// Base64 of `[authzid] NUL authcid NUL passwd` (RFC 4616).
fn is_credentials(text: &str) -> bool {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c))).unwrap_or(text.len());
    let bytes = base64(text.get(..end).unwrap_or_default());
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    matches!(parts.as_slice(), [_, login, password, ..] if !login.is_empty() && !password.is_empty())
}

fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u32> = text.bytes().map_while(value).collect();
    let group = |chunk: &[u32]| {
        let bits = chunk.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - chunk.len()));
        let bytes = bits.to_be_bytes();
        bytes.into_iter().skip(1).take(chunk.len() * 6 / 8).collect::<Vec<u8>>()
    };
    digits.chunks(4).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> LogHealth {
        let mut reader = Reader::default();
        text.lines().for_each(|line| reader.take(line));
        reader.end(String::new())
    }

    #[test]
    fn holes_and_formats() {
        let new = "2025-10-10T01:00:00.123456+02:00 mail postfix/smtpd[1]: a\n2025-10-10T09:00:00+02:00 mail postfix/smtpd[1]: b\n";
        let health = read_text(new);
        assert_eq!((health.time.as_str(), health.span, health.gaps.len()), ("rfc3339", 8 * 3600, 1));
        let old = "Oct  9 23:59:59 mail postfix/smtpd[1]: a\nOct 10 00:10:00 mail postfix/smtpd[1]: b\n";
        let health = read_text(old);
        assert_eq!((health.time.as_str(), health.span, health.gaps.len()), ("rfc3164", 601, 0));
    }

    #[test]
    fn secrets_are_located_and_not_kept() {
        let rows = [
            (
                "dovecot: auth: passwd-file(a@example.org,192.0.2.1): Password mismatch (given password: hunter2)",
                true,
            ),
            (
                "dovecot: auth: passwd-file(a@example.org,192.0.2.1): Password mismatch (SHA1 of given password: abc123)",
                false,
            ),
            ("smtpd[1]: < unknown[192.0.2.1]: AUTH PLAIN AGFsaWNlAGh1bnRlcjI=", true),
            ("smtpd[1]: < unknown[192.0.2.1]: AUTH PLAIN", false),
            ("app: login user=a password=hunter2", true),
            ("app: login user=a password=<hidden>", false),
            ("postfix/smtpd[1]: warning: SASL LOGIN authentication failed: UGFzc3dvcmQ6", false),
        ];
        for (line, expected) in rows {
            assert_eq!(secret(line).is_some(), expected, "{line}");
        }
        let health = read_text(rows[0].0);
        assert!(!format!("{health:?}").contains("hunter2"));
    }

    #[test]
    fn lost_lines_are_those_of_loggers() {
        let text = "Oct 10 00:10:00 mail rsyslogd: imuxsock[pid 5]: 120 messages lost due to rate-limiting\n\
                    Oct 10 00:10:00 mail postfix/cleanup[1]: Subject: Suppressed 5 messages\n";
        assert_eq!(read_text(text).lost.len(), 1);
    }
}
