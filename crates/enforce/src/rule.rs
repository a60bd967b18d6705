//! The steps that rules are made of.

use crate::layout::Set;
use crate::message::{Attributes, Writer};
use crate::nf_tables::{LIST_ITEM, expr};

/// A step of a rule. All go through register 1, as in the rules that nft(8) writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expression {
    Meta(u32),
    Is(u8),
    Payload { base: u32, offset: u32, length: u32 },
    Lookup(Set),
    Counter,
    Drop,
    Reset,
}

impl Expression {
    /// The packet is TCP.
    pub(crate) const TCP: [Self; 2] = [Self::Meta(expr::META_L4PROTO), Self::Is(IPPROTO_TCP)];

    /// The destination port in a TCP header.
    pub(crate) const PORT: Self = Self::Payload { base: expr::TRANSPORT_HEADER, offset: 2, length: 2 };

    /// The source address is in the set.
    pub(crate) fn source_in(set: Set) -> [Self; 4] {
        let (family, offset) = if set.is_ipv4() { (NFPROTO_IPV4, 12) } else { (NFPROTO_IPV6, 8) };
        let length = set.key_length() as u32;
        let source = Self::Payload { base: expr::NETWORK_HEADER, offset, length };
        [Self::Meta(expr::META_NFPROTO), Self::Is(family), source, Self::Lookup(set)]
    }

    pub(crate) fn write_all(rule: &[Self], writer: &mut Writer) {
        for expression in rule {
            writer.nest(LIST_ITEM, |writer| expression.write(writer));
        }
    }

    /// Whether a list of expressions that the kernel tells of is this rule.
    pub(crate) fn are(rule: &[Self], present: Attributes<'_>) -> bool {
        rule.len() == present.count()
            && rule.iter().zip(present).all(|(expression, present)| {
                let mut writer = Writer::new(0);
                expression.write(&mut writer);
                Attributes(&writer.into_bytes()).are_in(Attributes(present.value))
            })
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        writer.text(expr::NAME, self.name());
        writer.nest(expr::DATA, |writer| self.write_data(writer));
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Meta(_) => "meta",
            Self::Is(_) => "cmp",
            Self::Payload { .. } => "payload",
            Self::Lookup(_) => "lookup",
            Self::Counter => "counter",
            Self::Drop => "immediate",
            Self::Reset => "reject",
        }
    }

    fn write_data(self, writer: &mut Writer) {
        match self {
            Self::Meta(key) => {
                writer.u32(expr::META_KEY, key);
                writer.u32(expr::META_TO, REGISTER);
            }
            Self::Is(value) => {
                writer.u32(expr::CMP_FROM, REGISTER);
                writer.u32(expr::CMP_OP, EQUAL);
                writer.nest(expr::CMP_DATA, |writer| writer.bytes(expr::VALUE, &[value]));
            }
            Self::Payload { base, offset, length } => {
                writer.u32(expr::PAYLOAD_TO, REGISTER);
                writer.u32(expr::PAYLOAD_BASE, base);
                writer.u32(expr::PAYLOAD_OFFSET, offset);
                writer.u32(expr::PAYLOAD_LENGTH, length);
            }
            Self::Lookup(set) => {
                writer.text(expr::LOOKUP_SET, set.name());
                writer.u32(expr::LOOKUP_FROM, REGISTER);
                writer.u32(expr::LOOKUP_FLAGS, 0);
            }
            Self::Counter => {}
            Self::Drop => {
                writer.u32(expr::IMMEDIATE_TO, VERDICT_REGISTER);
                writer.nest(expr::IMMEDIATE_DATA, |writer| {
                    writer.nest(expr::VERDICT, |writer| writer.u32(expr::VERDICT_CODE, NF_DROP));
                });
            }
            Self::Reset => writer.u32(expr::REJECT_TYPE, expr::TCP_RESET),
        }
    }
}

/// Packets and bytes that a counter counted.
pub(crate) fn counted(expression: Attributes<'_>) -> Option<(u64, u64)> {
    let data = expression.inside(expr::DATA);
    (expression.text(expr::NAME)? == b"counter")
        .then_some((data.u64(expr::COUNTER_PACKETS)?, data.u64(expr::COUNTER_BYTES)?))
}

/// `NFT_REG_1` and `NFT_REG_VERDICT`.
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;
/// `NFT_CMP_EQ`.
const EQUAL: u32 = 0;
/// `NF_DROP`.
const NF_DROP: u32 = 0;
const IPPROTO_TCP: u8 = 6;
/// `NFPROTO_IPV4` and `NFPROTO_IPV6`, what a packet in an inet chain is.
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
