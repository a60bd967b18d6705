//! Finds out with a bare SYN whether an address can connect.
//!
//! The handshake is never finished (the kernel answers the server's SYN-ACK with a reset), so the mail servers do not
//! notice and the log has no trace of it.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, ipproto, recv, send,
    socket_with,
};

use crate::topology::mail_for;

/// What became of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Answered: a connection could be opened.
    Open,
    /// Answered with a reset.
    Refused,
    /// Not answered.
    Silent,
}

/// Can `source` reach this port of the mail host? The calling thread must be in the source's namespace.
///
/// # Errors
/// When raw sockets cannot be used.
pub fn reach(source: IpAddr, port: u16, limit: Duration) -> std::io::Result<Reach> {
    let target = mail_for(source);
    let family = if source.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::RAW, flags, Some(ipproto::TCP))?;
    bind(&socket, &SocketAddr::new(source, 0))?;
    connect(&socket, &SocketAddr::new(target, 0))?;
    let probe = Probe::new(source, target, port);
    let end = Instant::now() + limit;
    // A second SYN, in case that the first was lost in a burst.
    for pause in [limit / 2, limit] {
        let _ = send(&socket, &probe.segment, SendFlags::empty());
        if let Some(reach) = probe.wait(&socket, source.is_ipv4(), end.min(Instant::now() + pause))? {
            return Ok(reach);
        }
    }
    Ok(Reach::Silent)
}

struct Probe {
    segment: Vec<u8>,
    from: u16,
    to: u16,
    sequence: u32,
}

impl Probe {
    fn new(source: IpAddr, target: IpAddr, to: u16) -> Self {
        let [a, b, c, d, e, f, ..] = random();
        // Below the kernel's own range (32768 and up), so that no real connection has this port.
        let from = 20_000 + u16::from_be_bytes([a, b]) % 12_000;
        let sequence = u32::from_be_bytes([c, d, e, f]);
        let mut segment = [from.to_be_bytes(), to.to_be_bytes()].concat();
        segment.extend(sequence.to_be_bytes());
        // No acknowledgement, six words of header, SYN, window, checksum and urgent pointer to come, MSS 1460.
        segment.extend([0, 0, 0, 0, 0x60, 0x02, 0xfa, 0xf0, 0, 0, 0, 0, 2, 4, 5, 0xb4]);
        let sum = checksum(source, target, &segment).to_be_bytes();
        if let Some(place) = segment.get_mut(16..18) {
            place.copy_from_slice(&sum);
        }
        Self { segment, from, to, sequence }
    }

    fn wait(&self, socket: &OwnedFd, v4: bool, end: Instant) -> std::io::Result<Option<Reach>> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let limit = Timespec::try_from(left).ok();
            poll(&mut [PollFd::new(socket, PollFlags::IN)], limit.as_ref())?;
            let mut buffer = [0; 256];
            let Ok((length, _)) = recv(socket, &mut buffer, RecvFlags::empty()) else { continue };
            let packet = buffer.get(..length).unwrap_or_default();
            if let Some(reach) = self.answer(packet, v4) {
                return Ok(Some(reach));
            }
        }
    }

    /// A raw IPv4 socket delivers the IP header, too (raw(7)); an IPv6 one does not (ipv6(7)).
    fn answer(&self, packet: &[u8], v4: bool) -> Option<Reach> {
        let header = if v4 { usize::from(packet.first()? & 15) * 4 } else { 0 };
        let segment = packet.get(header..)?;
        let ports = [self.to.to_be_bytes(), self.from.to_be_bytes()].concat();
        let acknowledged = self.sequence.wrapping_add(1).to_be_bytes();
        let ours = segment.get(..4)? == ports && segment.get(8..12)? == acknowledged;
        let reset = segment.get(13)? & 4 != 0;
        ours.then_some(if reset { Reach::Refused } else { Reach::Open })
    }
}

/// The TCP checksum over pseudo header and segment (RFC 9293, 3.1; RFC 8200, 8.1).
fn checksum(source: IpAddr, target: IpAddr, segment: &[u8]) -> u16 {
    let mut bytes = Vec::new();
    for address in [source, target] {
        match address {
            IpAddr::V4(v4) => bytes.extend(v4.octets()),
            IpAddr::V6(v6) => bytes.extend(v6.octets()),
        }
    }
    // Zeroes in IPv6's longer form do not change the sum.
    let length = u16::try_from(segment.len()).unwrap_or(0);
    bytes.extend([0, 6]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(segment);
    let sum = bytes.chunks(2).fold(0u32, |sum, pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        sum + u32::from(u16::from_be_bytes([pair.first().copied().unwrap_or(0), low]))
    });
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(0)
}

/// Eight unpredictable bytes, from the seed that the standard library's maps use.
fn random() -> [u8; 8] {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(Instant::now()).to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_with_its_checksum_sums_to_zero() {
        for (source, target) in [("192.0.2.1", "198.51.100.25"), ("2001:db8::1", "2001:db8:25::25")] {
            let (source, target) = (source.parse().unwrap(), target.parse().unwrap());
            let probe = Probe::new(source, target, 993);
            assert_eq!(checksum(source, target, &probe.segment), 0);
        }
    }

    #[test]
    fn only_the_answer_to_this_very_syn_counts() {
        let (source, target) = ("2001:db8::1".parse().unwrap(), "2001:db8:25::25".parse().unwrap());
        let probe = Probe::new(source, target, 993);
        let mut answer = [probe.to.to_be_bytes(), probe.from.to_be_bytes()].concat();
        answer.extend([0; 4]);
        answer.extend(probe.sequence.wrapping_add(1).to_be_bytes());
        answer.extend([0x50, 0x12]);
        assert_eq!(probe.answer(&answer, false), Some(Reach::Open));
        answer[13] = 4;
        assert_eq!(probe.answer(&answer, false), Some(Reach::Refused));
        answer[11] ^= 1;
        assert_eq!(probe.answer(&answer, false), None);
        assert_eq!(probe.answer(&[], true), None);
    }
}
