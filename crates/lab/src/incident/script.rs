//! What happens when, in order: lines with their times, the processes that write them, the ids in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use jiff::civil::date;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Zoned};

use super::random::Random;
use super::truth::Truth;
use crate::client::base64;

/// A moment or a length of time: microseconds since the log begins.
pub(super) type Micros = u64;

pub(super) const SECOND: Micros = 1_000_000;
pub(super) const MILLI: Micros = 1_000;

/// The server's address behind the container's network.
pub(super) const SERVER4: &str = "172.19.0.3";
pub(super) const SERVER6: &str = "fd5c:19::3";

/// A remote host: its address and, where it has a confirmed one, its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) address: IpAddr,
}

impl Peer {
    pub(super) fn new(name: &'static str, address: &str) -> Self {
        Self { name, address: address.parse().unwrap_or(IpAddr::from([0, 0, 0, 0])) }
    }

    pub(super) fn unnamed(address: &str) -> Self {
        Self::new("unknown", address)
    }

    /// The server's address that this peer reaches.
    pub(super) const fn server(self) -> &'static str {
        if self.address.is_ipv4() { SERVER4 } else { SERVER6 }
    }
}

/// As Postfix writes a client.
impl core::fmt::Display for Peer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}[{}]", self.name, self.address)
    }
}

type Scene = Box<dyn FnOnce(&mut Script, Micros)>;

/// The growing log.
pub(super) struct Script {
    pub(super) random: Random,
    pub(super) truth: Truth,
    scenes: Vec<(Micros, Scene)>,
    lines: Vec<(Micros, String)>,
    processes: BTreeMap<&'static str, Vec<(u32, Micros)>>,
    next_pid: u32,
    queue_files: u64,
    passed: Vec<IpAddr>,
}

impl Script {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            truth: Truth::default(),
            scenes: Vec::new(),
            lines: Vec::new(),
            processes: BTreeMap::new(),
            next_pid: 1_204,
            queue_files: 0,
            passed: Vec::new(),
        }
    }

    /// Plans something. Scenes are played in the order of their times, so that processes and ids are, too.
    pub(super) fn at(&mut self, when: Micros, scene: impl FnOnce(&mut Self, Micros) + 'static) {
        self.scenes.push((when, Box::new(scene)));
    }

    /// The same again and again, not quite regularly.
    pub(super) fn every(
        &mut self,
        first: Micros,
        period: Micros,
        times: u64,
        scene: impl Fn(&mut Self, Micros, u64) + Clone + 'static,
    ) {
        for n in 0..times {
            let jitter = self.random.between(0, (period / 8).max(1));
            let scene = scene.clone();
            self.at(first + n * period + jitter, move |script, when| scene(script, when, n));
        }
    }

    /// Plays everything that was planned and returns the log.
    pub(super) fn play(mut self) -> (String, Truth) {
        let mut scenes = std::mem::take(&mut self.scenes);
        scenes.sort_by_key(|(when, _)| *when);
        for (when, scene) in scenes {
            scene(&mut self, when);
        }
        self.lines.sort_by_key(|(when, _)| *when);
        let mut log = String::new();
        for (when, text) in &self.lines {
            let _ = writeln!(log, "{} mail {text}", stamp(*when));
        }
        let last = self.lines.last().map_or(0, |(when, _)| *when);
        let first = self.lines.first().map_or(0, |(when, _)| *when);
        self.truth.window(&stamp(first), &stamp(last), self.lines.len());
        (log, self.truth)
    }

    /// A line of a program that writes its process number.
    pub(super) fn log(&mut self, when: Micros, program: &str, pid: u32, text: &str) {
        self.lines.push((when, format!("{program}[{pid}]: {text}")));
    }

    /// A line of Dovecot, which does not.
    pub(super) fn dovecot(&mut self, when: Micros, text: &str) {
        self.lines.push((when, format!("dovecot: {text}")));
    }

    /// A process of a service that is free from `from` to `until`; as master(8) does, an idle one before a new one.
    pub(super) fn process(&mut self, service: &'static str, from: Micros, until: Micros) -> u32 {
        let pool = self.processes.entry(service).or_default();
        if let Some((pid, busy)) = pool.iter_mut().find(|(_, busy)| *busy < from) {
            *busy = until;
            return *pid;
        }
        let pid = self.next_pid;
        pool.push((pid, until));
        self.next_pid += 1 + u32::try_from(self.random.between(0, 4)).unwrap_or(0);
        pid
    }

    /// The process of a service that has only one.
    pub(super) fn only(&mut self, service: &'static str) -> u32 {
        self.process(service, Micros::MAX, 0)
    }

    /// A process that lives for one session.
    pub(super) fn fresh_pid(&mut self) -> u32 {
        let pid = self.next_pid;
        self.next_pid += 1 + u32::try_from(self.random.between(0, 3)).unwrap_or(0);
        pid
    }

    /// A short queue id: the microseconds of its second, then the inode (Postfix, `mail_queue_enter()`).
    pub(super) fn queue_id(&mut self, when: Micros) -> String {
        self.queue_files += 1;
        format!("{:05X}{:X}", drifted(when) % SECOND, 0x5_c3a0 + self.queue_files % 7)
    }

    /// A login session's id: 48 bits of microseconds, port and address (Dovecot, `client_get_session_id()`).
    pub(super) fn session(&mut self, when: Micros, peer: Peer) -> String {
        let micros = i128::from(drifted(when)) + i128::from(begin().timestamp().as_microsecond());
        let mut bytes: Vec<u8> = micros.to_le_bytes().into_iter().take(6).collect();
        bytes.extend(self.random.port().to_le_bytes());
        match peer.address {
            IpAddr::V4(v4) => bytes.extend(v4.octets()),
            IpAddr::V6(v6) => bytes.extend(v6.octets()),
        }
        base64(&bytes).trim_end_matches('=').to_owned()
    }

    /// A delivery session's id: nanoseconds, seconds, process, host (Dovecot, `guid_128_generate()`).
    pub(super) fn delivery(&self, when: Micros, pid: u32) -> String {
        let when = drifted(when);
        let nanos = u32::try_from(when % SECOND).unwrap_or(0) * 1_000;
        let seconds = begin().timestamp().as_second().wrapping_add_unsigned(when / SECOND);
        let seconds: Vec<u8> = seconds.to_le_bytes().into_iter().take(4).collect();
        let bytes =
            [&nanos.to_le_bytes()[..], &seconds, &pid.to_le_bytes(), &[0x3b, 0x91, 0x5e, 0x0c]].concat();
        base64(&bytes).trim_end_matches('=').to_owned()
    }

    /// Whether postscreen sees this address for the first time.
    pub(super) fn is_new(&mut self, peer: Peer) -> bool {
        let new = !self.passed.contains(&peer.address);
        if new {
            self.passed.push(peer.address);
        }
        new
    }
}

/// When the log begins: a Tuesday evening in winter, one hour east of Greenwich.
fn begin() -> Zoned {
    let zone = TimeZone::fixed(Offset::constant(1));
    date(2026, 2, 17).at(22, 40, 0, 0).to_zoned(zone).unwrap_or_default()
}

/// Scenes count in round milliseconds; no real clock does. Every millisecond gets an offset of its own, and between
/// them the offset changes evenly, so that the order stays.
const fn drifted(when: Micros) -> Micros {
    let (milli, rest) = (when / MILLI, when % MILLI);
    let (here, next) = (offset(milli), offset(milli + 1));
    milli * MILLI + (here * (MILLI - rest) + (next + MILLI) * rest) / MILLI
}

/// From 0 to 899 microseconds.
const fn offset(milli: Micros) -> Micros {
    (milli.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 900
}

/// As rsyslog's `RSYSLOG_FileFormat`.
pub(super) fn stamp(when: Micros) -> String {
    let past = SignedDuration::from_micros(i64::try_from(drifted(when)).unwrap_or(0));
    let moment = begin().checked_add(past).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%S.%6f%:z").to_string()
}

/// As Postfix writes delays: two digits that count.
pub(super) fn delay(micros: Micros) -> String {
    let hundredths = micros / 10_000;
    match hundredths {
        0 => "0".to_owned(),
        1..100 => format!("0.{hundredths:02}").trim_end_matches('0').to_owned(),
        100..1000 => {
            format!("{}.{}", hundredths / 100, hundredths / 10 % 10).trim_end_matches(".0").to_owned()
        }
        _ => (hundredths / 100).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_two_digits() {
        for (micros, text) in [
            (4_000, "0"),
            (70_000, "0.07"),
            (100_000, "0.1"),
            (360_000, "0.36"),
            (1_340_000, "1.3"),
            (2_000_000, "2"),
            (12_900_000, "12"),
        ] {
            assert_eq!(delay(micros), text);
        }
    }

    #[test]
    fn stamps_and_ids_are_as_the_programs_write_them() {
        let mut script = Script::new(1);
        assert!(stamp(61 * SECOND).starts_with("2026-02-17T22:41:01.000"));
        assert!(stamp(61 * SECOND).ends_with("+01:00"));
        let id = script.queue_id(3 * SECOND + 0x8a5ae);
        assert!(id.len() == 10 && id.starts_with("8A") && id.ends_with("5C3A1"), "{id}");
        let session = script.session(0, Peer::unnamed("192.0.2.200"));
        assert!(session.len() == 16 && session.ends_with("AAALI"), "{session}");
        assert_eq!(script.delivery(5, 168).len(), 22);
    }

    #[test]
    fn the_drift_keeps_the_order() {
        let drifts: Vec<_> = (0..20_000).map(|n| drifted(n * 7)).collect();
        assert!(drifts.is_sorted());
        assert!((0..20_000).all(|n| drifted(n * 7).abs_diff(n * 7) < 1_000));
    }

    #[test]
    fn a_busy_process_is_not_used_twice() {
        let mut script = Script::new(1);
        let first = script.process("smtpd", 10, 20);
        assert_ne!(script.process("smtpd", 15, 30), first);
        assert_eq!(script.process("smtpd", 25, 40), first);
    }
}
