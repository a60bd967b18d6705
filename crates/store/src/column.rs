//! Model types as columns.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mailward_model::{Account, Network, Span, Text, Timestamp};
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};

/// An address: IPv4 as an integer, IPv6 as 16 bytes.
#[derive(Clone, Copy)]
pub(crate) enum Address {
    V4(i64),
    V6([u8; 16]),
}

impl Address {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits().into()),
            IpAddr::V6(v6) => Self::V6(v6.octets()),
        }
    }

    pub(crate) const fn ip(self) -> IpAddr {
        match self {
            Self::V4(bits) => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
            Self::V6(octets) => IpAddr::V6(Ipv6Addr::from_octets(octets)),
        }
    }
}

impl ToSql for Address {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::V4(bits) => ToSqlOutput::Owned(Value::Integer(*bits)),
            Self::V6(octets) => ToSqlOutput::Borrowed(ValueRef::Blob(octets)),
        })
    }
}

impl From<Address> for Value {
    fn from(address: Address) -> Self {
        match address {
            Address::V4(bits) => Self::Integer(bits),
            Address::V6(octets) => Self::Blob(octets.into()),
        }
    }
}

impl FromSql for Address {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(bits) if u32::try_from(bits).is_ok() => Ok(Self::V4(bits)),
            ValueRef::Blob(octets) => octets.try_into().map(Self::V6).map_err(|_| FromSqlError::InvalidType),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// The network in two neighbouring columns, address and prefix.
pub(crate) fn network(row: &Row<'_>, at: usize) -> rusqlite::Result<Network> {
    let address: Address = row.get(at)?;
    Ok(Network::around(address.ip(), row.get(at + 1)?))
}

pub(crate) fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    row.get(at).map(Timestamp::from_micros)
}

pub(crate) fn time_or_none(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_micros))
}

pub(crate) fn text(row: &Row<'_>, at: usize) -> rusqlite::Result<Box<str>> {
    Ok(row.get_ref(at)?.as_str()?.into())
}

pub(crate) fn account(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Account>> {
    Ok(row.get_ref(at)?.as_str_or_null()?.and_then(|name| Account::of(Text::from(name))))
}

/// A count that the file may hold larger than we ever write.
pub(crate) fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u32> {
    Ok(u32::try_from(row.get::<_, i64>(at)?.max(0)).unwrap_or(u32::MAX))
}

pub(crate) fn span(row: &Row<'_>, at: usize) -> rusqlite::Result<Span> {
    row.get(at).map(|micros: i64| Span::from_micros(micros.max(0).cast_unsigned()))
}

/// SQLite's integers end at 2^63; a longer span means for ever as well.
pub(crate) fn micros(span: Span) -> i64 {
    i64::try_from(span.micros()).unwrap_or(i64::MAX)
}

/// The first and the last address of a network.
pub(crate) fn range(network: Network) -> (Address, Address) {
    (Address::of(network.address()), Address::of(network.last()))
}
