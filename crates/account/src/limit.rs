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

    /// What sets it in an extra field of a passwd-file, as this generation of Dovecot spells it.
    pub(crate) fn part(self, modern: bool) -> Vec<u8> {
        if modern { self.to_string() } else { format!("storage={self}") }.into_bytes()
    }
}

/// The extra field of Dovecot 2.4.
const MODERN: &[u8] = b"userdb_quota_storage_size";
/// Of 2.3, whose rules are numbered: `userdb_quota_rule`, `userdb_quota_rule2`. Of two with the same name only one counts.
const CLASSIC: &str = "userdb_quota_rule";

/// What an extra field says of the whole mailbox.
struct Rule<'a> {
    name: &'a [u8],
    /// The limit, as it stands there.
    limit: Option<&'a [u8]>,
    /// What else it limits, such as the number of messages; none in Dovecot 2.4, where that are fields of their own.
    others: Vec<&'a [u8]>,
    modern: bool,
}

impl<'a> Rule<'a> {
    fn of(word: &'a [u8], modern: bool) -> Option<Self> {
        let (name, value) = word.split_at_checked(word.iter().position(|byte| *byte == b'=')?)?;
        let value = value.get(1..)?;
        if modern {
            return (name == MODERN).then(|| Self { name, limit: Some(value), others: vec![], modern });
        }
        let number = name.strip_prefix(CLASSIC.as_bytes())?;
        let parts = value.strip_prefix(b"*:").filter(|_| number.iter().all(u8::is_ascii_digit))?;
        let is_limit = |part: &&[u8]| part.starts_with(b"storage=") || part.starts_with(b"bytes=");
        let (limits, others): (Vec<&[u8]>, _) = parts.split(|byte| *byte == b':').partition(is_limit);
        Some(Self { name, limit: limits.first().copied(), others, modern })
    }

    /// The field with another limit; none if it says nothing any more.
    fn with(&self, limit: Option<&[u8]>) -> Option<Vec<u8>> {
        let parts: Vec<&[u8]> = limit.into_iter().chain(self.others.iter().copied()).collect();
        let mark: &[u8] = if self.modern { b"=" } else { b"=*:" };
        (!parts.is_empty()).then(|| [self.name, mark, &parts.join(&b':')].concat())
    }
}

/// The words of the extra fields of `uid:gid:comment:home:shell:extra fields`.
fn words(rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let extra = rest.splitn(6, |byte| *byte == b':').nth(5).unwrap_or_default();
    extra.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

/// The limit that the fields of a passwd-file after the password set, as it stands there.
pub(crate) fn limit_of(rest: &[u8], modern: bool) -> Option<&[u8]> {
    words(rest).find_map(|word| Rule::of(word, modern)?.limit)
}

/// The same fields with another limit, or without any. All else stays, rules of single folders and of numbers of messages among it.
pub(crate) fn limited(rest: &[u8], limit: Option<&[u8]>, modern: bool) -> Vec<u8> {
    let (mut new, mut left) = (Vec::new(), limit);
    for word in words(rest) {
        match Rule::of(word, modern) {
            Some(rule) => new.extend(rule.with(left.take())),
            None => new.push(word.to_vec()),
        }
    }
    if left.is_some() {
        let name = free_name(rest, modern);
        new.extend(Rule { name: &name, limit: None, others: vec![], modern }.with(left));
    }
    let fields: Vec<&[u8]> = rest.splitn(6, |byte| *byte == b':').collect();
    if new.is_empty() && fields.len() < 6 {
        return rest.to_vec();
    }
    let mut all: Vec<&[u8]> = fields.into_iter().take(5).collect();
    all.resize(5, b"");
    let new = new.join(&b' ');
    all.push(&new);
    all.join(&b':')
}

/// A name that no rule of a folder has taken.
fn free_name(rest: &[u8], modern: bool) -> Vec<u8> {
    if modern {
        return MODERN.to_vec();
    }
    let is_taken = |name: &String| words(rest).any(|word| word.starts_with(format!("{name}=").as_bytes()));
    let mut numbered = (2..100).map(|number| format!("{CLASSIC}{number}"));
    let name = Some(CLASSIC.to_owned()).filter(|name| !is_taken(name));
    name.or_else(|| numbered.find(|name| !is_taken(name))).unwrap_or_default().into_bytes()
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
            &format!("b:x\nA@example.org:{{X}}h:1:1::/home::{five} allow_nets=192.0.2.0/24\r\n"),
        );
        colons(&format!("a@example.org:{{X}}h:1:1::/home::{five}"), None, "a@example.org:{X}h:1:1::/home::");
        colons("a@example.org:{X}h\n", None, "a@example.org:{X}h\n");
        // What is limited besides stays.
        let line = |extra: &str| format!("a@example.org:{{X}}h:1:1::/home::{extra}\n");
        for (before, limit, after) in [
            (
                "userdb_quota_rule=*:storage=1G:messages=9",
                Some("5G"),
                "userdb_quota_rule=*:storage=5G:messages=9",
            ),
            ("userdb_quota_rule=*:messages=9", Some("5G"), "userdb_quota_rule=*:storage=5G:messages=9"),
            ("userdb_quota_rule=*:bytes=9:messages=9", None, "userdb_quota_rule=*:messages=9"),
            (
                "userdb_quota_rule=Trash:storage=+9M x=y",
                Some("5G"),
                "userdb_quota_rule=Trash:storage=+9M x=y userdb_quota_rule2=*:storage=5G",
            ),
            (
                "userdb_quota_rule=*:storage=1G userdb_quota_rule2=Trash:storage=+9M",
                Some("5G"),
                "userdb_quota_rule=*:storage=5G userdb_quota_rule2=Trash:storage=+9M",
            ),
            (
                "userdb_quota_rule=*:storage=1G userdb_quota_rule2=Trash:ignore",
                None,
                "userdb_quota_rule2=Trash:ignore",
            ),
        ] {
            colons(&line(before), limit, &line(after));
        }
        let modern =
            Accounts::read(b"a:x\n", Format::Colons).with_limit("a", Some("5G".parse().unwrap()), true);
        assert_eq!(modern.unwrap().bytes(), b"a:x::::::userdb_quota_storage_size=5G\n");
        let nobody = Accounts::read(b"a:x\n", Format::Colons).with_limit("b", None, false);
        assert!(matches!(nobody, Err(Refusal::Unknown { .. })));
    }

    /// A limit that did not hold is taken back; what somebody else changed meanwhile is not.
    #[test]
    fn what_others_changed_is_not_taken_back() {
        const BEFORE: &str = "a:x:1:1::/h::userdb_quota_rule=*:storage=1G:messages=9\nb:x\nc:x\n";
        for (format, before, meanwhile, after) in [
            (Format::Colons, BEFORE, ("b:x", "b:!x"), BEFORE.replace("b:x", "b:!x")),
            // The very account is disabled.
            (Format::Colons, BEFORE, ("a:x", "a:!x"), BEFORE.replace("a:x", "a:!x")),
            (Format::Colons, BEFORE, ("", ""), BEFORE.to_owned()),
            (Format::Colons, "a:x\nc:y\n", ("", ""), "a:x\nc:y\n".to_owned()),
            (Format::Colons, BEFORE, ("c:x\n", ""), BEFORE.replace("c:x\n", "")),
            (Format::Limits, "a:0\nb:1G\n", ("b:1G", "b:2G"), "a:0\nb:2G\n".to_owned()),
            (Format::Limits, "b:1G\n", ("b:1G", "b:2G"), "b:2G\n".to_owned()),
            (Format::Limits, "# x\nca:1G\na:2G\n", ("", ""), "# x\nca:1G\na:2G\n".to_owned()),
        ] {
            let before = Accounts::read(before.as_bytes(), format);
            let written = before.with_limit("a", Some("5G".parse().unwrap()), false).unwrap();
            let text = String::from_utf8(written.bytes()).unwrap().replacen(meanwhile.0, meanwhile.1, 1);
            let now = Accounts::read(text.as_bytes(), format);
            let back = now.with_limits_of(["a", "gone"], &before, &written, false);
            assert_eq!(String::from_utf8(back.bytes()).unwrap(), after);
        }
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
