//! Netlink messages as bytes: a writer for batches and requests, and a reader for what the kernel answers.
//!
//! Layout (netlink(7), `linux/netlink.h`): a header of 16 bytes (length, type, flags, sequence, port) in host order,
//! for nfnetlink 4 more (family, version, resource), then attributes of length, type and value, padded to 4 bytes.
//! Numbers inside of nf_tables attributes are big endian.

use crate::nf_tables::{INET, SUBSYSTEM, batch};

/// `NLM_F_REQUEST`, `_ACK`, `_DUMP`, `_CREATE`, `_EXCL`, `_APPEND`; `NLM_F_DUMP_INTR` in answers.
pub(crate) mod flags {
    pub(crate) const REQUEST: u16 = 0x1;
    pub(crate) const ACK: u16 = 0x4;
    pub(crate) const DUMP_INTERRUPTED: u16 = 0x10;
    pub(crate) const DUMP: u16 = 0x300;
    pub(crate) const EXCLUSIVE: u16 = 0x200;
    pub(crate) const CREATE: u16 = 0x400;
    pub(crate) const APPEND: u16 = 0x800;
}

/// Messages to be sent in one piece. Sequence numbers count from the one given.
#[derive(Debug)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    sequence: u32,
    /// Where the last message begins, and its flags.
    last: usize,
    last_flags: u16,
}

impl Writer {
    pub(crate) fn new(sequence: u32) -> Self {
        Self { bytes: Vec::new(), sequence, last: 0, last_flags: 0 }
    }

    /// A transaction: everything between this and [`Self::commit`] takes effect as one, or not at all.
    pub(crate) fn transaction(sequence: u32) -> Self {
        let mut writer = Self::new(sequence);
        writer.open(batch::BEGIN, flags::REQUEST, 0, u16::from(SUBSYSTEM));
        writer
    }

    /// A message of the nf_tables subsystem, its attributes written by `body`.
    pub(crate) fn message(&mut self, kind: u8, flags: u16, body: impl FnOnce(&mut Self)) {
        let start = self.open(u16::from_be_bytes([SUBSYSTEM, kind]), flags::REQUEST | flags, INET, 0);
        body(self);
        let length = (self.bytes.len() - start) as u32;
        self.patch(start, &length.to_ne_bytes());
    }

    /// Ends a transaction: asks the kernel to acknowledge its last message, by which it says that all was done.
    pub(crate) fn commit(mut self) -> Sealed {
        let awaited = self.sequence.wrapping_sub(1);
        let wanted = self.last_flags | flags::ACK;
        self.patch(self.last + 6, &wanted.to_ne_bytes());
        self.open(batch::END, flags::REQUEST, 0, u16::from(SUBSYSTEM));
        Sealed { bytes: self.bytes, awaited }
    }

    /// A single request, outside of a transaction.
    pub(crate) fn request(self) -> Sealed {
        Sealed { awaited: self.sequence.wrapping_sub(1), bytes: self.bytes }
    }

    /// What was written, for comparison.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) const fn next_sequence(&self) -> u32 {
        self.sequence
    }

    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) {
        let length = (4 + value.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
    }

    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        let length = (5 + value.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(0);
        self.pad();
    }

    pub(crate) fn u32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, kind: u16, value: u64) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// An attribute made of attributes.
    pub(crate) fn nest(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        self.bytes.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        body(self);
        debug_assert!(self.bytes.len() - start <= usize::from(u16::MAX), "an attribute holds 64 kB");
        let length = (self.bytes.len() - start) as u16;
        self.patch(start, &length.to_ne_bytes());
    }

    fn open(&mut self, kind: u16, flags: u16, family: u8, resource: u16) -> usize {
        let start = self.bytes.len();
        (self.last, self.last_flags) = (start, flags);
        self.bytes.extend_from_slice(&20_u32.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&0_u32.to_ne_bytes());
        self.bytes.extend_from_slice(&[family, 0]);
        self.bytes.extend_from_slice(&resource.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        start
    }

    fn patch(&mut self, start: usize, value: &[u8]) {
        if let Some(place) = self.bytes.get_mut(start..start + value.len()) {
            place.copy_from_slice(value);
        }
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Messages that are complete.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    /// The sequence number whose acknowledgement says that all went well.
    pub(crate) awaited: u32,
}

impl Sealed {
    /// The message with this sequence number.
    pub(crate) fn message(&self, sequence: u32) -> Option<Message<'_>> {
        Messages(&self.bytes).find(|message| message.sequence == sequence)
    }
}

/// A message that was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// Who sent it; in a notification: whose change it was.
    pub(crate) port: u32,
    /// Everything behind the 16 bytes of the netlink header.
    pub(crate) payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The kind within the nf_tables subsystem, where it is of that.
    pub(crate) fn subsystem_kind(self) -> Option<u8> {
        let [subsystem, kind] = self.kind.to_be_bytes();
        (subsystem == SUBSYSTEM).then_some(kind)
    }

    /// The protocol family of an nfnetlink message.
    pub(crate) fn family(self) -> Option<u8> {
        self.payload.first().copied()
    }

    /// The attributes of an nfnetlink message.
    pub(crate) fn attributes(self) -> Attributes<'a> {
        Attributes(self.payload.get(4..).unwrap_or_default())
    }
}

/// The messages in a buffer.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let (header, _) = self.0.split_first_chunk::<16>()?;
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3] = *header;
        let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        let payload = self.0.get(16..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            port: u32::from_ne_bytes([p0, p1, p2, p3]),
            payload,
        })
    }
}

/// Attributes, one after the other; the first one that makes no sense ends them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of the first attribute of that kind.
    pub(crate) fn value(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find(|attribute| attribute.kind == kind).map(|attribute| attribute.value)
    }

    /// The attributes inside of the first one of that kind.
    pub(crate) fn inside(self, kind: u16) -> Attributes<'a> {
        Attributes(self.value(kind).unwrap_or_default())
    }

    pub(crate) fn u32(self, kind: u16) -> Option<u32> {
        self.value(kind)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(self, kind: u16) -> Option<u64> {
        self.value(kind)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// Whether each of these is in `other`, too, with the same value; the kernel may tell more than was asked of it, and
    /// leaves out what is zero.
    pub(crate) fn are_in(mut self, other: Attributes<'_>) -> bool {
        self.all(|attribute| match other.value(attribute.kind) {
            Some(value) if attribute.nested => Attributes(attribute.value).are_in(Attributes(value)),
            Some(value) => value == attribute.value,
            None => attribute.value.iter().all(|byte| *byte == 0),
        })
    }

    /// A text, without the zero byte that ends it.
    pub(crate) fn text(self, kind: u16) -> Option<&'a [u8]> {
        let value = self.value(kind)?;
        Some(value.strip_suffix(&[0]).unwrap_or(value))
    }
}

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) kind: u16,
    pub(crate) nested: bool,
    pub(crate) value: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (head, _) = self.0.split_first_chunk::<4>()?;
        let [l0, l1, k0, k1] = *head;
        let kind = u16::from_ne_bytes([k0, k1]);
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind: kind & !(NESTED | NET_ORDER), nested: kind & NESTED != 0, value })
    }
}

/// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const NESTED: u16 = 0x8000;
const NET_ORDER: u16 = 0x4000;
