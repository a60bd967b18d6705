//! Files of accounts, edited so that every byte that is not meant to change stays.

use crate::limit::{limit_of, limited};
use crate::{Limit, Name};

/// How a file of accounts is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// docker-mailserver: `name|{SCHEME}hash|extra fields`.
    Bars,
    /// Dovecot's passwd-file: `name:{SCHEME}hash:uid:gid::home::extra fields`.
    Colons,
    /// docker-mailserver's `dovecot-quotas.cf`: `name:limit`.
    Limits,
}

/// A file of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    format: Format,
    /// Its lines with their ends; the last one may have none.
    lines: Vec<Vec<u8>>,
}

/// A line that holds an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The name as it stands there.
    pub name: &'a [u8],
    /// The field of the password, with its scheme: a secret.
    pub password: &'a [u8],
    /// What is after that: in a passwd-file uid, gid, comment, home, shell, extra fields.
    pub rest: &'a [u8],
}

/// A change of an account that was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not there.
    #[error("there is no account {name} in the file; `mailward account list` shows those that are there")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// It is there already.
    #[error(
        "{name} is there already, in line {line}; `mailward account passwd {name}` gives it another password"
    )]
    Exists {
        /// Its name.
        name: String,
        /// Its line.
        line: usize,
    },
    /// It is there more than once, and only the first one counts.
    #[error(
        "{name} is listed twice, in lines {first} and {second}, of which only the first one counts; remove the second one first"
    )]
    Twice {
        /// Its name.
        name: String,
        /// The line that counts.
        first: usize,
        /// The next one.
        second: usize,
    },
    /// A line lets in without a password, so there is nothing to lock.
    #[error(
        "line {line} lets {name} in without a password (nopassword), so no lock of its password closes it; take that field out first"
    )]
    NoPassword {
        /// Its name.
        name: String,
        /// The line.
        line: usize,
    },
    /// It is locked, and a new password would open it.
    #[error("{name} is disabled; `mailward account enable {name}` opens it with its old password first")]
    Disabled {
        /// Its name.
        name: String,
    },
    /// It is not locked by a mark of ours.
    #[error("{name} is not disabled; nothing to do")]
    NotDisabled {
        /// Its name.
        name: String,
    },
    /// Its home cannot be told from that of others.
    #[error(
        "the home of {neighbour} is {home}, which does not say where that of {name} is to be; give it with --home"
    )]
    Home {
        /// The new account.
        name: String,
        /// The account that was looked at.
        neighbour: String,
        /// Its home.
        home: String,
    },
}

/// What closes an account. No crypt(3) makes a hash that begins so, because `!` is in no setting of a hash; the whole field that was
/// there follows, so that nothing is lost whatever its scheme. (Before a scheme that stores passwords in clear, a mark alone would only
/// change the password.)
const LOCK: &[u8] = b"{SHA512-CRYPT}!LOCKED-BY-MAILWARD!";

/// What people put between scheme and hash by hand, to the same end.
const MARK: &[u8] = b"!LOCKED!";

impl Format {
    const fn separator(self) -> u8 {
        match self {
            Self::Bars => b'|',
            Self::Colons | Self::Limits => b':',
        }
    }
}

impl Accounts {
    /// Takes a file apart. Nothing is too strange: what is no account stays as it is.
    #[must_use]
    pub fn read(bytes: &[u8], format: Format) -> Self {
        Self { format, lines: bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() }
    }

    /// The file, whole.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.lines.concat()
    }

    /// The lines that hold accounts.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (1..).zip(&self.lines).filter_map(|(number, line)| entry(number, line, self.format.separator()))
    }

    /// The lines of one account; Dovecot looks names up in lower case, and takes the first one.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Entry<'a>> {
        self.entries().filter(|entry| entry.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Whether all lines of an account are locked; none if it is not there.
    #[must_use]
    pub fn is_locked(&self, name: &str) -> Option<bool> {
        let mut all = self.of(name).map(|entry| unlocked(entry.password).is_some()).peekable();
        all.peek()?;
        Some(all.all(|locked| locked))
    }

    /// With a new account at the end, its password field given.
    ///
    /// # Errors
    /// When it is there already, or nobody can tell its home.
    pub fn with(&self, name: &Name, field: &str, home: Option<&str>) -> Result<Self, Refusal> {
        if let Some(entry) = self.of(name.as_str()).next() {
            return Err(Refusal::Exists { name: name.to_string(), line: entry.number });
        }
        let line = match self.format {
            Format::Bars => format!("{name}|{field}\n"),
            Format::Colons => self.passwd_line(name, field, home)?,
            Format::Limits => format!("{name}:{field}\n"),
        };
        let mut after = self.clone();
        match after.lines.last_mut() {
            Some(last) if !last.ends_with(b"\n") => last.push(b'\n'),
            _ => {}
        }
        after.lines.push(line.into_bytes());
        Ok(after)
    }

    /// With another password.
    ///
    /// # Errors
    /// When it is not there, is there twice, or is locked.
    pub fn with_password(&self, name: &str, field: &str) -> Result<Self, Refusal> {
        let mut entries = self.of(name);
        let first = entries.next().ok_or_else(|| Refusal::Unknown { name: name.to_owned() })?;
        if let Some(second) = entries.next() {
            return Err(Refusal::Twice { name: name.to_owned(), first: first.number, second: second.number });
        }
        if unlocked(first.password).is_some() {
            return Err(Refusal::Disabled { name: name.to_owned() });
        }
        Ok(self.changed(name, |_| Some(field.as_bytes().to_vec())))
    }

    /// With every line of it locked.
    ///
    /// # Errors
    /// When it is not there, or needs no password.
    pub fn locking(&self, name: &str) -> Result<Self, Refusal> {
        let mut entries = self.of(name).peekable();
        if entries.peek().is_none() {
            return Err(Refusal::Unknown { name: name.to_owned() });
        }
        match entries.find(Entry::needs_no_password) {
            Some(entry) => Err(Refusal::NoPassword { name: name.to_owned(), line: entry.number }),
            None => Ok(self
                .changed(name, |password| unlocked(password).is_none().then(|| [LOCK, password].concat()))),
        }
    }

    /// With every line of it as it was before it was locked.
    ///
    /// # Errors
    /// When it is not there, or is not locked.
    pub fn unlocking(&self, name: &str) -> Result<Self, Refusal> {
        let mut entries = self.of(name).peekable();
        if entries.peek().is_none() {
            return Err(Refusal::Unknown { name: name.to_owned() });
        }
        if !entries.any(|entry| unlocked(entry.password).is_some()) {
            return Err(Refusal::NotDisabled { name: name.to_owned() });
        }
        Ok(self.changed(name, unlocked))
    }

    /// With another limit of a mailbox, or without one of its own.
    ///
    /// # Errors
    /// When it is not there, where the file holds accounts.
    pub fn with_limit(&self, name: &str, limit: Option<Limit>, modern: bool) -> Result<Self, Refusal> {
        if self.format == Format::Limits {
            return Ok(self.with_line(name, limit.map(|limit| limit.to_string().into_bytes()).as_deref()));
        }
        self.with_part(name, limit.map(|limit| limit.part(modern)).as_deref(), modern)
    }

    /// With the limits of some mailboxes as they were `before` they were `written`. What somebody else changed since stays changed.
    #[must_use]
    pub fn with_limits_of<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
        before: &Self,
        written: &Self,
        modern: bool,
    ) -> Self {
        if self == written {
            return before.clone();
        }
        let restored = |accounts: Self, name| {
            let old = before.of(name).next();
            if self.format == Format::Limits {
                return accounts.with_line(name, old.map(|entry| entry.password));
            }
            let limit = old.and_then(|entry| limit_of(entry.rest, modern));
            // Whoever is gone needs no limit.
            accounts.with_part(name, limit, modern).unwrap_or(accounts)
        };
        names.into_iter().fold(self.clone(), restored)
    }

    /// With what sets a limit in the extra fields of a passwd-file.
    fn with_part(&self, name: &str, limit: Option<&[u8]>, modern: bool) -> Result<Self, Refusal> {
        if self.of(name).next().is_none() {
            return Err(Refusal::Unknown { name: name.to_owned() });
        }
        let mut after = self.clone();
        for entry in self.of(name) {
            let rest = limited(entry.rest, limit, modern);
            if let Some(line) = after.lines.get_mut(entry.number - 1).filter(|_| rest != entry.rest) {
                let end = line.get(line.trim_ascii_end().len()..).unwrap_or_default();
                *line = [entry.name, b":", entry.password, b":", &rest, end].concat();
            }
        }
        Ok(after)
    }

    /// With a line of `name:limit`. docker-mailserver searches for the name anywhere in a line, and takes the first line that has it: it
    /// stands before longer names that end in it.
    fn with_line(&self, name: &str, limit: Option<&[u8]>) -> Self {
        let mut after = self.without(name).unwrap_or_else(|_| self.clone());
        let Some(limit) = limit else { return after };
        let same = self.of(name).next().map(|entry| entry.number - 1);
        let longer = |entry: &Entry<'_>| {
            let long = entry.name.to_ascii_lowercase();
            long.ends_with(name.to_ascii_lowercase().as_bytes())
        };
        let first = after.entries().find(longer).map(|entry| entry.number - 1);
        let at = first.into_iter().chain(same).min().unwrap_or(after.lines.len());
        if let Some(last) = after.lines.last_mut().filter(|last| !last.ends_with(b"\n")) {
            last.push(b'\n');
        }
        after.lines.insert(at.min(after.lines.len()), [name.as_bytes(), b":", limit, b"\n"].concat());
        after
    }

    /// Without any line of it: the second one would count once the first one is gone.
    ///
    /// # Errors
    /// When it is not there.
    pub fn without(&self, name: &str) -> Result<Self, Refusal> {
        let gone: Vec<_> = self.of(name).map(|entry| entry.number).collect();
        if gone.is_empty() {
            return Err(Refusal::Unknown { name: name.to_owned() });
        }
        let mut after = self.clone();
        let mut number = 0;
        after.lines.retain(|_| {
            number += 1;
            !gone.contains(&number)
        });
        Ok(after)
    }

    /// With password fields put in the place of those that are equal to `old`, whosever they are: docker-mailserver gives the aliases of an
    /// account copies of its line.
    #[must_use]
    pub fn with_equal(&self, old: &[u8], new: &[u8]) -> Self {
        if old.is_empty() {
            return self.clone();
        }
        let lines =
            (1..).zip(&self.lines).map(|(number, line)| match entry(number, line, self.format.separator()) {
                Some(entry) if entry.password == old => rewritten(line, &entry, new, self.format.separator()),
                _ => line.clone(),
            });
        Self { format: self.format, lines: lines.collect() }
    }

    /// With the password fields of an account changed, where `change` gives another one.
    fn changed(&self, name: &str, change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        let mut after = self.clone();
        for entry in self.of(name) {
            if let (Some(field), Some(line)) = (change(entry.password), after.lines.get_mut(entry.number - 1))
            {
                *line = rewritten(line, &entry, &field, self.format.separator());
            }
        }
        after
    }

    /// A line of a passwd-file like that of a neighbour: of the same domain, or else the first one.
    fn passwd_line(&self, name: &Name, field: &str, home: Option<&str>) -> Result<String, Refusal> {
        let domain = |entry: &Entry<'_>| {
            let text = String::from_utf8_lossy(entry.name).to_ascii_lowercase();
            text.split_once('@').map(|(_, domain)| domain.to_owned())
        };
        let wanted = name.domain().map(str::to_owned);
        let neighbour =
            self.entries().find(|entry| domain(entry) == wanted).or_else(|| self.entries().next());
        let Some(neighbour) = neighbour else {
            return Ok(format!("{name}:{field}::::{}::\n", home.unwrap_or_default()));
        };
        let rest = String::from_utf8_lossy(neighbour.rest);
        let fields: Vec<&str> = rest.split(':').collect();
        let at = |number: usize| fields.get(number).copied().unwrap_or_default();
        let home = match home {
            Some(home) => home.to_owned(),
            None => home_like(at(3), &String::from_utf8_lossy(neighbour.name), name)?,
        };
        if neighbour.rest.is_empty() && home.is_empty() {
            return Ok(format!("{name}:{field}\n"));
        }
        Ok(format!("{name}:{field}:{}:{}::{home}::\n", at(0), at(1)))
    }
}

impl Entry<'_> {
    /// Whether an extra field lets in without a password.
    fn needs_no_password(&self) -> bool {
        let words = self.rest.split(|byte| byte.is_ascii_whitespace() || b":|".contains(byte));
        words.into_iter().any(|word| {
            word.strip_prefix(b"nopassword").is_some_and(|value| value.is_empty() || value.starts_with(b"="))
        })
    }

    /// Its home directory, as a passwd-file tells it.
    #[must_use]
    pub fn home(&self) -> Option<String> {
        let home = self.rest.split(|byte| *byte == b':').nth(3).filter(|home| !home.is_empty())?;
        Some(String::from_utf8_lossy(home).into_owned())
    }
}

/// A line taken apart; none if it holds no account. Dovecot skips what begins with `#` or `:` and empty lines, docker-mailserver also
/// blanks before a `#`.
fn entry(number: usize, line: &[u8], separator: u8) -> Option<Entry<'_>> {
    let body = line.trim_ascii_end();
    if matches!(body.trim_ascii_start().first(), None | Some(b'#')) || body.first() == Some(&separator) {
        return None;
    }
    let mut fields = body.splitn(3, |byte| *byte == separator);
    let (name, password) = (fields.next()?, fields.next().unwrap_or_default());
    Some(Entry { number, name, password, rest: fields.next().unwrap_or_default() })
}

/// A line with another password, everything else as it was.
fn rewritten(line: &[u8], entry: &Entry<'_>, field: &[u8], separator: u8) -> Vec<u8> {
    let rest = line.get(entry.name.len()..).unwrap_or_default();
    let after = match rest.strip_prefix(&[separator]) {
        Some(fields) => fields.get(entry.password.len()..).unwrap_or_default(),
        // A name alone, without any field.
        None => rest,
    };
    [entry.name, &[separator], field, after].concat()
}

/// What a locked field was before; none if it is not locked.
fn unlocked(field: &[u8]) -> Option<Vec<u8>> {
    if let Some(whole) = field.strip_prefix(LOCK) {
        return Some(whole.to_vec());
    }
    let braces = field.starts_with(b"{").then(|| field.iter().position(|byte| *byte == b'}')).flatten();
    let (scheme, hash) = field.split_at_checked(braces.map_or(0, |end| end + 1))?;
    Some([scheme, hash.strip_prefix(MARK)?].concat())
}

/// The home of a new account, made like that of a neighbour: the parts of the path that are the neighbour's names become the new ones.
fn home_like(home: &str, neighbour: &str, name: &Name) -> Result<String, Refusal> {
    if home.is_empty() {
        return Ok(String::new());
    }
    let (local, domain) = neighbour.split_once('@').unwrap_or((neighbour, ""));
    let mut own = false;
    let parts: Vec<&str> = home
        .split('/')
        .map(|part| match part {
            _ if part == neighbour => {
                own = true;
                name.as_str()
            }
            _ if part == local => {
                own = true;
                name.local()
            }
            _ if !domain.is_empty() && part == domain => name.domain().unwrap_or(part),
            _ => part,
        })
        .collect();
    if own {
        return Ok(parts.join("/"));
    }
    Err(Refusal::Home { name: name.to_string(), neighbour: neighbour.to_owned(), home: home.to_owned() })
}
