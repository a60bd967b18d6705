//! A mail log as a busy server writes it: made up, of any size, and the same bytes for the same seed.
//!
//! A [`Scene`] is what one client does, in all the lines that tell of it. Scenes overlap, as sessions do: the next line
//! comes from any of those that are under way. Six of seven lines are ordinary mail, the rest are attacks of every kind
//! from a hundred thousand sources.

mod cast;
mod hostile;
mod ordinary;
mod random;

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use jiff::Timestamp;
use jiff::fmt::strtime;

use cast::Cast;
use random::Random;

/// How the lines begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// `2025-10-06T00:00:00.000000+00:00`, as rsyslog writes it since Debian 12.
    Rfc3339,
    /// `Oct  6 00:00:00`, as rsyslog wrote it before.
    Rfc3164,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    /// Lines of scenes in which a client does harm.
    pub(crate) hostile: u64,
}

/// So many sessions are under way at once.
const SESSIONS: usize = 48;
/// The share of hostile lines.
const HOSTILE_PERCENT: u64 = 15;
/// The longest time between two lines; the mean is half of it.
const GAP_MICROS: u64 = 100_000;
/// 2025-10-06T00:00:00Z
const BEGIN_MICROS: i64 = 1_759_708_800_000_000;

/// Writes a log of at least so many bytes.
pub(crate) fn write(to: &mut impl Write, bytes: u64, format: Format, seed: u64) -> io::Result<Written> {
    let mut stage = Stage::new(seed);
    let mut scenes: Vec<Scene> = Vec::with_capacity(SESSIONS);
    let mut written = Written::default();
    let mut header = Header::new(format);
    while written.bytes < bytes {
        while scenes.len() < SESSIONS {
            let hostile = written.hostile * 100 < written.lines * HOSTILE_PERCENT;
            scenes.push(stage.scene(hostile));
        }
        let at = stage.random.below(SESSIONS);
        let Some(scene) = scenes.get_mut(at) else { continue };
        stage.micros += i64::try_from(stage.random.next() % GAP_MICROS).unwrap_or(0);
        let Some(line) = scene.next_line() else {
            scenes.swap_remove(at);
            continue;
        };
        let head = header.at(stage.micros)?;
        to.write_all(head.as_bytes())?;
        to.write_all(line.as_bytes())?;
        to.write_all(b"\n")?;
        written.bytes += (head.len() + line.len() + 1) as u64;
        written.lines += 1;
        written.hostile += u64::from(scene.hostile);
    }
    Ok(written)
}

/// What one client does: its lines without time and host.
struct Scene {
    text: String,
    at: usize,
    hostile: bool,
}

impl Scene {
    fn say(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(line);
        self.text.push('\n');
    }

    fn next_line(&mut self) -> Option<&str> {
        let (line, _) = self.text.get(self.at..)?.split_once('\n')?;
        self.at += line.len() + 1;
        Some(line)
    }
}

/// A line of a scene.
macro_rules! say {
    ($scene:expr, $($line:tt)*) => { $scene.say(format_args!($($line)*)) };
}
use say;

/// Who takes part, and what time it is.
struct Stage {
    random: Random,
    cast: Cast,
    micros: i64,
}

impl Stage {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let cast = Cast::new(&mut random);
        Self { random, cast, micros: BEGIN_MICROS }
    }

    fn scene(&mut self, hostile: bool) -> Scene {
        let mut scene = Scene { text: String::with_capacity(1024), at: 0, hostile };
        let play =
            if hostile { hostile::choose(&mut self.random) } else { ordinary::choose(&mut self.random) };
        play(self, &mut scene);
        scene
    }

    /// A process id.
    fn pid(&mut self) -> usize {
        1000 + self.random.below(30_000)
    }

    /// A queue id as Postfix makes it without `enable_long_queue_ids`.
    fn queue_id(&mut self) -> String {
        format!("{:05X}{:06X}", self.random.below(1 << 20), self.random.below(1 << 24))
    }
}

/// The beginning of a line; the calendar is asked once a second.
struct Header {
    format: Format,
    second: i64,
    date: String,
    text: String,
}

impl Header {
    const fn new(format: Format) -> Self {
        Self { format, second: i64::MIN, date: String::new(), text: String::new() }
    }

    fn at(&mut self, micros: i64) -> io::Result<&str> {
        let (second, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        if second != self.second {
            let pattern = match self.format {
                Format::Rfc3339 => "%Y-%m-%dT%H:%M:%S",
                Format::Rfc3164 => "%b %e %H:%M:%S",
            };
            let time = Timestamp::from_second(second).map_err(io::Error::other)?;
            self.date = strtime::format(pattern, time).map_err(io::Error::other)?;
            self.second = second;
        }
        self.text.clear();
        // Writing to a string cannot fail.
        let _ = match self.format {
            Format::Rfc3339 => write!(self.text, "{}.{fraction:06}+00:00 mail ", self.date),
            Format::Rfc3164 => write!(self.text, "{} mail ", self.date),
        };
        Ok(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(bytes: u64, format: Format) -> (String, Written) {
        let mut out = Vec::new();
        let written = write(&mut out, bytes, format, 1).unwrap();
        (String::from_utf8(out).unwrap(), written)
    }

    #[test]
    fn it_is_the_same_each_time_and_says_what_it_wrote() {
        let (text, written) = log(2_000_000, Format::Rfc3339);
        assert_eq!(text, log(2_000_000, Format::Rfc3339).0);
        assert_eq!((text.len() as u64, text.lines().count() as u64), (written.bytes, written.lines));
        let percent = written.hostile * 100 / written.lines;
        assert!((14..=16).contains(&percent), "{percent} % of the lines are hostile");
        assert!(text.lines().all(|line| line.starts_with("2025-10-06T0") && line.contains("+00:00 mail ")));
    }

    #[test]
    fn both_formats_tell_the_same() {
        let (new, old) = (log(300_000, Format::Rfc3339).0, log(300_000, Format::Rfc3164).0);
        let (new, old) = (new.lines().nth(900).unwrap(), old.lines().nth(900).unwrap());
        assert!(old.starts_with("Oct  6 00:00:"), "{old}");
        assert_eq!(new.split_once(" mail ").unwrap().1, old.split_once(" mail ").unwrap().1);
    }

    #[test]
    fn every_kind_of_line_is_there() {
        let (text, _) = log(3_000_000, Format::Rfc3339);
        for part in [
            ": saved mail to INBOX",
            "status=sent (",
            "imap-login: Login: user=<",
            "managesieve-login: Disconnected",
            "SASL LOGIN authentication failed",
            "SSL_accept error",
            "PREGREET",
            "blocked using",
            "Relay access denied",
            "User unknown in virtual mailbox table",
            "Helo command rejected",
            "Sender address rejected",
            "non-SMTP command",
            "improper command pipelining",
            "too many errors after",
            "rate limit exceeded",
            "Blocked INFECTED",
            "Blocked SPAM",
            "no auth attempts",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }
}
