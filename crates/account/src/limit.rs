//! How much mail a mailbox may hold, and where that is written: an extra field of a passwd-file, a line of docker-mailserver's
//! `dovecot-quotas.cf`.

use core::fmt;
use core::str::FromStr;

/// How much mail a mailbox may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit {
    octets: u64,
}

/// Why a text is no limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no size: write 500M, 5G or 1T, or `none` for no limit")]
pub struct LimitError(String);

/// Units, as Dovecot and docker-mailserver write them (their `k` is small), and how often 1024 goes into them.
const UNITS: [(char, u32); 5] = [('T', 4), ('G', 3), ('M', 2), ('k', 1), ('B', 0)];

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let wrong = || LimitError(text.escape_debug().to_string());
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let mut letters = unit.chars();
        let letter = letters.next().unwrap_or('B');
        let rest = letters.as_str();
        let known = UNITS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&letter));
        let (_, power) = known.filter(|_| matches!(rest, "" | "B" | "iB")).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let octets = number.checked_mul(1024_u64.pow(*power)).filter(|octets| *octets > 0);
        octets.map(|octets| Self { octets }).ok_or_else(wrong)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, power): &&(char, u32)| self.octets.is_multiple_of(1024_u64.pow(*power));
        let (letter, power) = UNITS.iter().find(fits).copied().unwrap_or(('B', 0));
        write!(f, "{}{letter}", self.octets / 1024_u64.pow(power))
    }
}

impl Limit {
    /// Of KiB, as doveadm-quota(1) prints them.
    #[must_use]
    pub const fn of_kib(kib: u64) -> Self {
        Self { octets: kib.saturating_mul(1024) }
    }

    /// Whole KiB.
    #[must_use]
    pub const fn kib(self) -> u64 {
        self.octets / 1024
    }

    /// The extra field that sets it in a passwd-file, as this generation of Dovecot spells it.
    #[must_use]
    pub fn field(self, modern: bool) -> String {
        if modern { format!("{MODERN}{self}") } else { format!("{CLASSIC}*:storage={self}") }
    }
}

/// Of Dovecot 2.4, and of 2.3.
const MODERN: &str = "userdb_quota_storage_size=";
const CLASSIC: &str = "userdb_quota_rule=";

/// The fields of a passwd-file after the password, with a limit or without any: `uid:gid:comment:home:shell:extra fields`. All else stays.
pub(crate) fn limited(rest: &[u8], limit: Option<&str>) -> Vec<u8> {
    let fields: Vec<&[u8]> = rest.splitn(6, |byte| *byte == b':').collect();
    let is_limit = |word: &&[u8]| word.starts_with(MODERN.as_bytes()) || word.starts_with(CLASSIC.as_bytes());
    let extra = fields.get(5).copied().unwrap_or_default();
    let words = extra.split(|byte| *byte == b' ').filter(|word| !word.is_empty() && !is_limit(word));
    let words: Vec<&[u8]> = words.chain(limit.map(str::as_bytes)).collect();
    let mut new: Vec<&[u8]> = fields.iter().take(5).copied().collect();
    if words.is_empty() && fields.len() < 6 {
        return rest.to_vec();
    }
    new.resize(5, b"");
    let words = words.join(&b' ');
    new.push(&words);
    new.join(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Accounts, Format, Refusal};

    #[test]
    fn sizes_are_read_and_written() {
        for (text, written, kib) in [
            ("5G", "5G", 5 << 20),
            ("500M", "500M", 500 << 10),
            ("1t", "1T", 1 << 30),
            ("1024m", "1G", 1 << 20),
            ("10GB", "10G", 10 << 20),
            ("2GiB", "2G", 2 << 20),
            ("512k", "512k", 512),
            ("1025", "1025B", 1),
        ] {
            let limit: Limit = text.parse().unwrap();
            assert_eq!((limit.to_string().as_str(), limit.kib()), (written, kib), "{text}");
        }
        for text in [
            "",
            "G",
            "0",
            "0G",
            "-5G",
            "5 G",
            "5X",
            "5Gx",
            "1.5G",
            "99999999999999999999G",
            "18014398509481984T",
            "\u{1b}",
        ] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    fn check(format: Format, before: &str, name: &str, limit: Option<&str>, after: &str) {
        let limit: Option<Limit> = limit.map(|text| text.parse().unwrap());
        let accounts = Accounts::read(before.as_bytes(), format);
        let new = accounts.with_limit(name, limit, false).unwrap();
        assert_eq!(String::from_utf8(new.bytes()).unwrap(), after);
        assert_eq!(new.with_limit(name, limit, false).unwrap(), new, "twice is once");
    }

    #[test]
    fn a_passwd_file_gets_an_extra_field() {
        let five = "userdb_quota_rule=*:storage=5G";
        let colons =
            |before: &str, limit, after: &str| check(Format::Colons, before, "a@example.org", limit, after);
        colons("a@example.org:{X}h\n", Some("5G"), &format!("a@example.org:{{X}}h::::::{five}\n"));
        colons(
            "a@example.org:{X}h:1:1::/home::\n",
            Some("5G"),
            &format!("a@example.org:{{X}}h:1:1::/home::{five}\n"),
        );
        colons(
            "b:x\nA@example.org:{X}h:1:1::/home::userdb_quota_rule=*:storage=1G allow_nets=192.0.2.0/24\r\n",
            Some("5G"),
            &format!("b:x\nA@example.org:{{X}}h:1:1::/home::allow_nets=192.0.2.0/24 {five}\r\n"),
        );
        colons(&format!("a@example.org:{{X}}h:1:1::/home::{five}"), None, "a@example.org:{X}h:1:1::/home::");
        colons("a@example.org:{X}h\n", None, "a@example.org:{X}h\n");
        let modern =
            Accounts::read(b"a:x\n", Format::Colons).with_limit("a", Some("5G".parse().unwrap()), true);
        assert_eq!(modern.unwrap().bytes(), b"a:x::::::userdb_quota_storage_size=5G\n");
        let nobody = Accounts::read(b"a:x\n", Format::Colons).with_limit("b", None, false);
        assert!(matches!(nobody, Err(Refusal::Unknown { .. })));
    }

    #[test]
    fn docker_mailserver_gets_a_line_before_those_that_its_search_would_take_for_it() {
        let limits =
            |before: &str, name: &str, limit, after: &str| check(Format::Limits, before, name, limit, after);
        limits("", "admin@example.org", Some("5G"), "admin@example.org:5G\n");
        limits("admin@example.org:1G\n", "admin@example.org", Some("5G"), "admin@example.org:5G\n");
        limits(
            "# x\nb@example.org:1G",
            "a@example.org",
            Some("5G"),
            "# x\nb@example.org:1G\na@example.org:5G\n",
        );
        limits(
            "sysadmin@example.org:9G\n",
            "admin@example.org",
            Some("1G"),
            "admin@example.org:1G\nsysadmin@example.org:9G\n",
        );
        limits(
            "sysadmin@example.org:9G\nadmin@example.org:1G\n",
            "admin@example.org",
            None,
            "sysadmin@example.org:9G\n",
        );
    }
}
