//! Set elements, written for the kernel and read from its dumps.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailward_model::{Network, Span, Timestamp};

use crate::contents::{Entry, FOREVER};
use crate::layout::Set;
use crate::message::{Attributes, Message, Writer, flags};
use crate::nf_tables::{LIST_ITEM, element, expr, msg};
use crate::rule::counted;

/// A ban as the kernel holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The first address.
    pub first: IpAddr,
    /// The last address; the first for a single one.
    pub last: IpAddr,
    /// After which time the kernel lifts it by itself; none is never.
    pub expires_in: Option<Span>,
    /// Packets it has stopped since it got its end.
    pub packets: u64,
    /// Bytes it has stopped since it got its end.
    pub bytes: u64,
}

impl Element {
    /// The network, where the range is one; what is left of a network around another one is not.
    #[must_use]
    pub fn network(&self) -> Option<Network> {
        (0..=128)
            .map(|prefix| Network::around(self.first, prefix))
            .find(|network| network.address() == self.first && network.last() == self.last)
    }

    fn of(set: Set, key: Key, last: u128) -> Self {
        let address = |number: u128| match set.is_ipv4() {
            true => IpAddr::from(Ipv4Addr::from_bits(number as u32)),
            false => IpAddr::from(Ipv6Addr::from_bits(number)),
        };
        let (packets, bytes) = key.counted;
        Self { first: address(key.number), last: address(last), expires_in: key.expires_in, packets, bytes }
    }
}

/// What to do to elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Adds them; none may be there already.
    Create,
    /// Sees to it that they are there, without an end, so that they can be taken away.
    Ensure,
    /// Takes them away; they must be there.
    Take,
}

/// Writes messages that change elements of a set, as many as are needed.
pub(crate) fn write(
    writer: &mut Writer,
    (table, set): (&str, Set),
    change: Change,
    entries: &[Entry],
    now: Timestamp,
) {
    let (kind, how) = match change {
        Change::Create => (msg::NEW_ELEMENT, flags::CREATE | flags::EXCLUSIVE),
        Change::Ensure => (msg::NEW_ELEMENT, flags::CREATE),
        Change::Take => (msg::DEL_ELEMENT, 0),
    };
    for entries in entries.chunks(PER_MESSAGE) {
        writer.message(kind, how, |writer| {
            writer.text(element::TABLE, table);
            writer.text(element::SET, set.name());
            writer.nest(element::ELEMENTS, |writer| {
                for entry in entries {
                    write_entry(writer, set, change, *entry, now);
                }
            });
        });
    }
}

/// How many bytes [`write()`] takes for so many elements, at the most.
pub(crate) const fn size(set: Set, count: usize) -> usize {
    let one = if set.is_interval() { 2 * ELEMENT + END } else { ELEMENT } + 2 * set.key_length();
    count * one + (count / PER_MESSAGE + 1) * HEAD
}

/// An interval is two elements: where it begins, and where it is over, flagged so; that at the end of all addresses
/// needs no second one. Only the first may have a timeout.
fn write_entry(writer: &mut Writer, set: Set, change: Change, entry: Entry, now: Timestamp) {
    writer.nest(LIST_ITEM, |writer| {
        write_key(writer, set, entry.first);
        if change == Change::Create && entry.until != FOREVER {
            writer.u64(element::TIMEOUT, timeout(entry.until.since(now)));
        }
    });
    let highest = u128::MAX >> (128 - 8 * set.key_length());
    if set.is_interval() && entry.last < highest {
        writer.nest(LIST_ITEM, |writer| {
            write_key(writer, set, entry.last + 1);
            writer.u32(element::FLAGS, element::INTERVAL_END);
        });
    }
}

fn write_key(writer: &mut Writer, set: Set, number: u128) {
    let bytes = number.to_be_bytes();
    let key = bytes.get(bytes.len() - set.key_length()..).unwrap_or_default();
    writer.nest(element::KEY, |writer| writer.bytes(expr::VALUE, key));
}

/// Milliseconds, rounded up, at least one (none would be for ever), at the most what the kernel takes
/// (`nf_msecs_to_jiffies64` refuses more nanoseconds than 64 bits hold).
fn timeout(left: Span) -> u64 {
    left.micros().div_ceil(1000).clamp(1, u64::MAX / 1_000_000 - 1)
}

/// The elements of a set, read from the messages of a dump.
#[derive(Debug, Default)]
pub(crate) struct Dump {
    keys: Vec<Key>,
}

/// An element as the kernel tells it.
#[derive(Clone, Copy, Debug)]
struct Key {
    number: u128,
    ends: bool,
    expires_in: Option<Span>,
    counted: (u64, u64),
}

impl Dump {
    /// Reads the elements in a message that came `late` after the beginning of the dump; all times are told from that.
    pub(crate) fn read(&mut self, message: Message<'_>, late: Span) {
        let elements = message.attributes().inside(element::ELEMENTS);
        let keys = elements.filter_map(|attribute| Key::read(Attributes(attribute.value)));
        self.keys
            .extend(keys.map(|key| Key { expires_in: key.expires_in.map(|left| sum(left, late)), ..key }));
    }

    /// The elements, with ends where a set has such, sorted.
    fn sorted(&mut self) -> &[Key] {
        self.keys.sort_unstable_by_key(|key| (key.number, !key.ends));
        self.keys.dedup_by_key(|key| (key.number, key.ends));
        &self.keys
    }

    /// Pairs of beginning and last number. nft(8) puts an end without a beginning before the first interval.
    fn ranges(&mut self, set: Set) -> Vec<(Key, u128)> {
        let highest = u128::MAX >> (128 - 8 * set.key_length());
        let keys = self.sorted();
        let next = keys.iter().skip(1).map(Some).chain([None]);
        let last = |key: &Key, next: Option<&Key>| match next {
            _ if !set.is_interval() => key.number,
            Some(next) => next.number.saturating_sub(1),
            None => highest,
        };
        keys.iter()
            .zip(next)
            .filter(|(key, _)| !key.ends)
            .map(|(key, next)| (*key, last(key, next)))
            .collect()
    }

    /// What the set holds.
    pub(crate) fn entries(mut self, set: Set, now: Timestamp) -> Vec<Entry> {
        let until = |key: Key| key.expires_in.map_or(FOREVER, |left| now.plus(left));
        let ranges = self.ranges(set).into_iter();
        ranges.map(|(key, last)| Entry { first: key.number, last, until: until(key) }).collect()
    }

    /// What the set holds, for a person.
    pub(crate) fn elements(mut self, set: Set) -> Vec<Element> {
        self.ranges(set).into_iter().map(|(key, last)| Element::of(set, key, last)).collect()
    }
}

impl Key {
    fn read(attributes: Attributes<'_>) -> Option<Self> {
        let number = attributes.inside(element::KEY).value(expr::VALUE)?;
        let left =
            attributes.u64(element::EXPIRATION).map(|millis| Span::from_micros(millis.saturating_mul(1000)));
        Some(Self {
            number: number.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte)),
            ends: attributes.u32(element::FLAGS).is_some_and(|flags| flags & element::INTERVAL_END != 0),
            expires_in: left,
            counted: counted(attributes.inside(element::EXPRESSION)).unwrap_or_default(),
        })
    }
}

fn sum(one: Span, other: Span) -> Span {
    Span::from_micros(one.micros().saturating_add(other.micros()))
}

/// The element around `offset` in a message of ours, where the elements come last: its set and its key; of an interval
/// where it begins.
pub(crate) fn at_offset(message: Message<'_>, offset: usize) -> Option<(Set, u128)> {
    let set = Set::named(message.attributes().text(element::SET)?)?;
    let mut elements = message.attributes().inside(element::ELEMENTS);
    let end = 16 + message.payload.len();
    let mut found = None;
    while end - elements.0.len() <= offset {
        let key = Key::read(Attributes(elements.next()?.value))?;
        found = if key.ends { found } else { Some((set, key.number)) };
    }
    found
}

/// Elements in a message: two of an interval with all they carry fit 1,000 times into the 64 kB of an attribute.
pub(crate) const PER_MESSAGE: usize = 500;
/// Bytes of an element without its key's two copies, of an interval's end, and of a message around elements.
const ELEMENT: usize = 4 + 8 + 12;
const END: usize = 8;
const HEAD: usize = 20 + 4 + 4 + 24 + 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Messages;
    use proptest::prelude::*;

    fn entries(set: Set, firsts: &[u128]) -> Vec<u8> {
        let length = u128::from(set.is_interval());
        let entry =
            |first: &u128| Entry { first: *first, last: first + length, until: Timestamp::from_secs(60) };
        let entries: Vec<Entry> = firsts.iter().map(entry).collect();
        let mut writer = Writer::new(1);
        write(&mut writer, ("mailward", set), Change::Create, &entries, Timestamp::from_secs(50));
        writer.into_bytes()
    }

    #[test]
    fn an_element_is_found_by_where_the_kernel_points() {
        for set in Set::OF_BANS {
            let bytes = entries(set, &[10, 20, 30]);
            let message = Messages(&bytes).next().unwrap();
            let found: Vec<u128> = (0..bytes.len())
                .filter_map(|offset| at_offset(message, offset))
                .map(|found| found.1)
                .collect();
            assert!(found.is_sorted() && [10, 20, 30].iter().all(|key| found.contains(key)), "{found:?}");
            assert!(found.iter().all(|key| [10, 20, 30].contains(key)), "{found:?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for set in Set::OF_BANS {
            let bytes = entries(set, &[10, 20, 30]);
            assert!(bytes.len() <= size(set, 3), "{} {}", bytes.len(), size(set, 3));
            let mut dump = Dump::default();
            Messages(&bytes).for_each(|message| dump.read(message, Span::ZERO));
            let last = u128::from(set.is_interval());
            let ranges: Vec<_> = dump.ranges(set).into_iter().map(|(key, last)| (key.number, last)).collect();
            assert_eq!(ranges, [(10, 10 + last), (20, 20 + last), (30, 30 + last)]);
        }
    }

    #[test]
    fn timeouts_are_never_none_and_never_too_long() {
        for (micros, millis) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (u64::MAX, 18_446_744_073_708)] {
            assert_eq!(timeout(Span::from_micros(micros)), millis);
        }
    }

    #[test]
    fn a_range_that_is_no_network_says_so() {
        for (first, last, network) in [
            ("192.0.2.0", "192.0.2.255", Some("192.0.2.0/24")),
            ("192.0.2.1", "192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.0", "192.0.2.254", None),
            ("2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", Some("2001:db8::/64")),
        ] {
            let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
            let element = Element { first, last, expires_in: None, packets: 0, bytes: 0 };
            assert_eq!(element.network().map(|network| network.to_string()).as_deref(), network);
        }
    }

    proptest! {
        /// The kernel writes what we read, but a reader of bytes takes any.
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), offset in 0_usize..300) {
            for message in Messages(&bytes) {
                let mut dump = Dump::default();
                dump.read(message, Span::ZERO);
                dump.entries(Set::Networks4, Timestamp::default());
                at_offset(message, offset);
            }
        }
    }
}
