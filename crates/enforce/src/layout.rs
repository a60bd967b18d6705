//! What our table looks like: its sets, its chain, its rules, written for the kernel and compared with what is there.

use crate::message::{Attributes, Writer, flags};
use crate::nf_tables::{chain, msg, rule, set, table};
use crate::rule::Expression;

/// What the firewall does to a banned source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The TCP ports that are closed to it, as the client dials them, so published container ports are told by their
    /// number on the host. None closes everything: every port and protocol, and answers to what this host sends there.
    pub ports: Option<Vec<u16>>,
    /// Silence, or a reset.
    pub action: Action,
    /// The name of the table, `mailward`.
    pub table: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { ports: Some(MAIL_PORTS.to_vec()), action: Action::Drop, table: "mailward".to_owned() }
    }
}

/// SMTP, POP3, IMAP, submission and ManageSieve, with and without implicit TLS.
pub const MAIL_PORTS: [u16; 8] = [25, 110, 143, 465, 587, 993, 995, 4190];

/// How a banned source is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Its packets vanish.
    Drop,
    /// Its TCP segments are answered with a reset, everything else vanishes. Needs Linux 5.9.
    Reset,
}

/// A set in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    Banned4,
    Banned6,
    Networks4,
    Networks6,
    Ports,
}

impl Set {
    /// The ports first: without them the others stop nothing.
    pub(crate) const ALL: [Self; 5] =
        [Self::Ports, Self::Banned4, Self::Banned6, Self::Networks4, Self::Networks6];
    /// Those that hold bans. Single addresses are apart from networks: a hash takes one in microseconds, however many
    /// there are, an interval set does not.
    pub(crate) const OF_BANS: [Self; 4] = [Self::Banned4, Self::Banned6, Self::Networks4, Self::Networks6];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Banned4 => "banned4",
            Self::Banned6 => "banned6",
            Self::Networks4 => "networks4",
            Self::Networks6 => "networks6",
            Self::Ports => "ports",
        }
    }

    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name().as_bytes() == name)
    }

    pub(crate) const fn is_ipv4(self) -> bool {
        matches!(self, Self::Banned4 | Self::Networks4)
    }

    /// Whether it holds ranges rather than single keys.
    pub(crate) const fn is_interval(self) -> bool {
        self.flags() & set::INTERVAL != 0
    }

    /// Bytes of a key.
    pub(crate) const fn key_length(self) -> usize {
        match self {
            Self::Banned4 | Self::Networks4 => 4,
            Self::Banned6 | Self::Networks6 => 16,
            Self::Ports => 2,
        }
    }

    const fn flags(self) -> u32 {
        match self {
            Self::Banned4 | Self::Banned6 => set::TIMEOUT,
            Self::Networks4 | Self::Networks6 => set::TIMEOUT | set::INTERVAL,
            Self::Ports => 0,
        }
    }

    /// `ipv4_addr`, `ipv6_addr`, `inet_service` as nft(8) numbers them, for its listings.
    const fn key_type(self) -> u32 {
        match self {
            Self::Banned4 | Self::Networks4 => 7,
            Self::Banned6 | Self::Networks6 => 8,
            Self::Ports => 13,
        }
    }

    fn write(self, writer: &mut Writer) {
        writer.text(set::NAME, self.name());
        writer.u32(set::FLAGS, self.flags());
        writer.u32(set::KEY_TYPE, self.key_type());
        writer.u32(set::KEY_LENGTH, self.key_length() as u32);
        if !matches!(self, Self::Ports) {
            writer.nest(set::EXPRESSION, |writer| Expression::Counter.write(writer));
        }
    }
}

impl Options {
    /// Everything but the elements. The table must not be there.
    pub(crate) fn create(&self, writer: &mut Writer) {
        writer.message(msg::NEW_TABLE, flags::CREATE, |writer| {
            writer.text(table::NAME, &self.table);
            writer.u32(table::FLAGS, 0);
        });
        for (id, set) in (1..).zip(Set::ALL) {
            writer.message(msg::NEW_SET, flags::CREATE, |writer| {
                writer.text(set::TABLE, &self.table);
                set.write(writer);
                writer.u32(set::ID, id);
            });
        }
        self.create_chain(writer);
    }

    /// Takes the table away with everything in it.
    pub(crate) fn delete(&self, writer: &mut Writer) {
        writer.message(msg::DEL_TABLE, 0, |writer| writer.text(table::NAME, &self.table));
    }

    /// The chain with its rules.
    pub(crate) fn create_chain(&self, writer: &mut Writer) {
        writer.message(msg::NEW_CHAIN, flags::CREATE, |writer| {
            writer.text(chain::TABLE, &self.table);
            Self::write_chain(writer);
        });
        self.create_rules(writer);
    }

    /// The rules alone.
    pub(crate) fn create_rules(&self, writer: &mut Writer) {
        for expressions in self.rules() {
            writer.message(msg::NEW_RULE, flags::CREATE | flags::APPEND, |writer| {
                writer.text(rule::TABLE, &self.table);
                writer.text(rule::CHAIN, CHAIN);
                writer.nest(rule::EXPRESSIONS, |writer| Expression::write_all(&expressions, writer));
            });
        }
    }

    /// Takes away all rules of the chain.
    pub(crate) fn delete_rules(&self, writer: &mut Writer) {
        writer.message(msg::DEL_RULE, 0, |writer| {
            writer.text(rule::TABLE, &self.table);
            writer.text(rule::CHAIN, CHAIN);
        });
    }

    /// The same under another name, to stand in for this one while it is replaced.
    pub(crate) fn stand_in(&self) -> Self {
        Self { table: format!("{}-stand-in", self.table), ..self.clone() }
    }

    /// Whether a chain that the kernel tells of is ours as it should be.
    pub(crate) fn chain_is_right(chain: Attributes<'_>) -> bool {
        let mut writer = Writer::new(0);
        Self::write_chain(&mut writer);
        Attributes(&writer.into_bytes()).are_in(chain)
    }

    /// Whether a set that the kernel tells of is as it should be.
    pub(crate) fn set_is_right(set: Set, attributes: Attributes<'_>) -> bool {
        let mut writer = Writer::new(0);
        set.write(&mut writer);
        Attributes(&writer.into_bytes()).are_in(attributes)
    }

    /// Whether the rules that the kernel tells of, each as its list of expressions, are ours, in order and alone.
    pub(crate) fn rules_are_right(&self, present: &[Vec<u8>]) -> bool {
        let wanted = self.rules();
        wanted.len() == present.len()
            && wanted.iter().zip(present).all(|(rule, present)| Expression::are(rule, Attributes(present)))
    }

    /// The ports, sorted, each once; none where everything is closed.
    pub(crate) fn closed_ports(&self) -> Vec<u16> {
        let mut ports = self.ports.clone().unwrap_or_default();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// The chain hangs in prerouting before destination NAT (-100), where a packet to a published container port still
    /// has the port that the client dialled; a chain in `input` would not see it at all. Established connections pass
    /// here, too, so a ban cuts them. Priority -150 lies behind connection tracking (-200), which puts fragments
    /// together.
    fn write_chain(writer: &mut Writer) {
        writer.text(chain::NAME, CHAIN);
        writer.nest(chain::HOOK, |writer| {
            writer.u32(chain::HOOK_NUMBER, chain::PREROUTING);
            writer.u32(chain::HOOK_PRIORITY, (-150_i32).cast_unsigned());
        });
        writer.u32(chain::POLICY, NF_ACCEPT);
        writer.text(chain::TYPE, "filter");
    }

    fn rules(&self) -> Vec<Vec<Expression>> {
        Set::OF_BANS.into_iter().flat_map(|set| self.rules_of(set)).collect()
    }

    /// One rule, or two where everything is closed but only TCP can be reset.
    fn rules_of(&self, set: Set) -> Vec<Vec<Expression>> {
        let of_tcp = self.ports.is_some() || self.action == Action::Reset;
        let mut first = if of_tcp { Expression::TCP.to_vec() } else { Vec::new() };
        if self.ports.is_some() {
            first.extend([Expression::PORT, Expression::Lookup(Set::Ports)]);
        }
        let with_end = |mut rule: Vec<Expression>, end| {
            rule.extend(Expression::source_in(set));
            rule.extend([Expression::Counter, end]);
            rule
        };
        match self.action {
            Action::Drop => vec![with_end(first, Expression::Drop)],
            Action::Reset if self.ports.is_some() => vec![with_end(first, Expression::Reset)],
            Action::Reset => {
                vec![with_end(first, Expression::Reset), with_end(Vec::new(), Expression::Drop)]
            }
        }
    }
}

/// The chain's name.
pub(crate) const CHAIN: &str = "prerouting";
/// `NF_ACCEPT`.
const NF_ACCEPT: u32 = 1;
