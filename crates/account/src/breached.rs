//! Passwords that were stolen somewhere, in the format of Pwned Passwords: the SHA-1 of each, and how often it was seen.
//!
//! Two ways of keeping them are known: one file of `HASH:COUNT` lines in the order of the hashes (30 GB and more, so it is searched on the
//! disk), or a file for each of the 16^5 first five digits, with lines of the other 35 (what the range API answers, so that nobody who
//! sees which file is read knows the password).

use core::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::Password;

/// Longer than any line of the list: forty digits, a colon, a count, a line end.
const LONGEST_LINE: u64 = 128;

/// The SHA-1 of a password in forty capital hexadecimal digits. It is a fast hash: as much of a secret as the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest(String);

impl Digest {
    /// Of a password.
    #[must_use]
    pub fn of(password: &Password) -> Self {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.reveal().as_bytes());
        let mut text = String::with_capacity(40);
        for byte in hash.as_ref() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02X}");
        }
        Self(text)
    }

    /// Its first five digits: the name of the range.
    #[must_use]
    pub fn range(&self) -> &str {
        self.0.get(..5).unwrap_or_default()
    }

    fn rest(&self) -> &str {
        self.0.get(5..).unwrap_or_default()
    }
}

/// How often a password was seen, from the file of its range; none if it was not.
#[must_use]
pub fn in_range(text: &[u8], digest: &Digest) -> Option<u64> {
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line));
    lines.find_map(|line| {
        let (hash, count) = parted(&line);
        hash.eq_ignore_ascii_case(digest.rest()).then_some(count)
    })
}

/// How often a password was seen, from a file of all hashes in their order; none if it was not.
///
/// # Errors
/// When the file cannot be read, or is no list of hashes in their order.
pub fn in_sorted<R: Read + Seek>(file: &mut R, digest: &Digest) -> io::Result<Option<u64>> {
    let wanted = digest.0.as_str();
    // The first line at or after `low` is not after the wanted one, and that at or after `high` is not before it.
    let (mut low, mut high) = (0, file.seek(SeekFrom::End(0))?);
    while low < high {
        let middle = low + (high - low) / 2;
        match line_from(file, middle)? {
            Some((start, end, line)) => {
                let (hash, count) = parted(&line);
                well_formed(hash, start)?;
                match hash.to_ascii_uppercase().as_str().cmp(wanted) {
                    core::cmp::Ordering::Equal => return Ok(Some(count)),
                    core::cmp::Ordering::Less => low = end.max(low + 1),
                    core::cmp::Ordering::Greater => high = middle,
                }
            }
            None => high = middle,
        }
    }
    Ok(None)
}

/// The first whole line that begins at or after `at`: where it begins, where it ends, and what it says.
fn line_from<R: Read + Seek>(file: &mut R, at: u64) -> io::Result<Option<(u64, u64, String)>> {
    // A line begins where the byte before is a line end.
    let from = at.saturating_sub(1);
    file.seek(SeekFrom::Start(from))?;
    let mut reader = BufReader::with_capacity(256, file.by_ref().take(2 * LONGEST_LINE));
    let mut start = from;
    if at > 0 {
        let mut skipped = Vec::new();
        start += reader.read_until(b'\n', &mut skipped)? as u64;
    }
    let mut line = Vec::new();
    let length = reader.read_until(b'\n', &mut line)? as u64;
    if length == 0 {
        return Ok(None);
    }
    Ok(Some((start, start + length, String::from_utf8_lossy(&line).into_owned())))
}

fn well_formed(hash: &str, at: u64) -> io::Result<()> {
    if hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    let what = format!(
        "at byte {at} there is no SHA-1 in hexadecimal digits; it must be the list of Pwned Passwords ordered by hash"
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Hash and count of a line; a line without a count is one time.
fn parted(line: &str) -> (&str, u64) {
    let line = line.trim();
    let (hash, count) = line.split_once(':').unwrap_or((line, "1"));
    (hash.trim(), count.trim().parse().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn digest_of(text: &str) -> Digest {
        Digest::of(&Password::new(text.as_bytes()).unwrap())
    }

    fn sorted(words: &[String], line_end: &str) -> Vec<u8> {
        let mut lines: Vec<_> = (1..)
            .zip(words)
            .map(|(count, word)| format!("{}:{count}{line_end}", digest_of(word).0))
            .collect();
        lines.sort();
        lines.dedup_by_key(|line| line.get(..40).map(str::to_owned));
        lines.concat().into_bytes()
    }

    /// Line by line, as anybody would.
    fn slowly(list: &[u8], digest: &Digest) -> Option<u64> {
        let text = String::from_utf8_lossy(list);
        text.lines().map(parted).find(|(hash, _)| *hash == digest.0).map(|(_, count)| count)
    }

    #[test]
    fn digests_are_those_of_the_list() {
        let digest = digest_of("password");
        assert_eq!(digest.0, "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8");
        assert_eq!(digest.range(), "5BAA6");
    }

    #[test]
    fn a_range_is_searched_by_the_other_digits() {
        let text =
            b"1D2DA4053E34E76F6576ED1DA63134B5E2A:2\r\n1E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\r\n";
        assert_eq!(in_range(text, &digest_of("password")), Some(9_545_824));
        assert_eq!(in_range(&text.to_ascii_lowercase(), &digest_of("password")), Some(9_545_824));
        assert_eq!(in_range(text, &digest_of("passwore")), None);
        assert_eq!(in_range(b"", &digest_of("password")), None);
    }

    #[test]
    fn what_is_no_list_is_told() {
        for text in ["hello\nworld\n", "password:3\n", "\n\n\n", &"x".repeat(5_000)] {
            assert!(in_sorted(&mut Cursor::new(text), &digest_of("password")).is_err(), "{text}");
        }
        assert_eq!(in_sorted(&mut Cursor::new(""), &digest_of("password")).unwrap(), None);
    }

    proptest! {
        #[test]
        fn searching_finds_what_reading_finds(words in proptest::collection::vec("[a-z]{1,3}", 0..60), asked in "[a-z]{1,3}", windows: bool, cut: bool) {
            let mut list = sorted(&words, if windows { "\r\n" } else { "\n" });
            if cut {
                // The last line without its end.
                let end = list.iter().rposition(u8::is_ascii_digit).map_or(0, |at| at + 1);
                list.truncate(end);
            }
            for word in words.iter().chain([&asked]) {
                let digest = digest_of(word);
                prop_assert_eq!(in_sorted(&mut Cursor::new(&list), &digest).unwrap(), slowly(&list, &digest));
            }
        }
    }
}
