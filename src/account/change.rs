//! Changes of accounts.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use mailward_account::{Accounts, Format, Name, Refusal};
use mailward_audit::integrity::Digest;
use mailward_host::atomic;
use mailward_host::lock::{Mark, Turn};

use super::sessions::SECOND_LOOK;
use super::{Book, Ended, Server, complaint};
use crate::integrity::Written;

/// A change that was made, and what followed from it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The files that were changed; none if all was so already.
    pub(crate) files: Vec<String>,
    /// The same files on this machine, with what they held before.
    pub(crate) written: Vec<Written>,
    /// The sessions that were ended.
    pub(crate) ended: Ended,
    /// What is left to do or to know, in sentences.
    pub(crate) notes: Vec<String>,
}

/// How long one waits for somebody else who changes accounts.
const PATIENCE: Duration = Duration::from_secs(10);

/// docker-mailserver looks for this file before it works up its configuration, and takes it for left over after a minute (its helpers/lock.sh).
const DMS_LOCK: &str = "check-for-changes.sh.lock";
const DMS_STALE: Duration = Duration::from_secs(60);

/// What docker-mailserver makes of its accounts, within six seconds.
const DMS_USERDB: &str = "/etc/dovecot/userdb";
const DMS_PATIENCE: Duration = Duration::from_secs(20);

impl Server {
    /// Adds an account; it can log in when this comes back.
    pub(crate) fn add(
        &self,
        book: &Book,
        name: &Name,
        field: &str,
        home: Option<&str>,
    ) -> anyhow::Result<Done> {
        let mut done = Done::default();
        self.edit(book, &mut done, |accounts| accounts.with(name, field, home))?;
        let found = self.wait_for(name.as_str());
        if !found {
            done.notes.push(format!(
                "Dovecot does not find {name} yet: `doveadm user {name}` tells why; the account is in {}",
                book.path
            ));
        }
        done.notes.extend(self.undelivered(name));
        Ok(done)
    }

    /// Gives an account another password, and ends the sessions that the old one opened.
    pub(crate) fn passwd(&self, name: &str, field: &str, keeps_sessions: bool) -> anyhow::Result<Done> {
        self.replaced(name, !keeps_sessions, |accounts| accounts.with_password(name, field))
    }

    /// Closes an account for IMAP, SMTP AUTH and all else that asks Dovecot, and ends its sessions. Its mail still comes in.
    pub(crate) fn disable(&self, name: &str) -> anyhow::Result<Done> {
        let mut done = self.replaced(name, true, |accounts| accounts.locking(name))?;
        done.notes.extend(self.asks_another().map(|kind| {
            format!(
                "Postfix asks {kind} for passwords, not Dovecot (smtpd_sasl_type): close {name} there as well"
            )
        }));
        for other in self.others(name) {
            done.notes.push(format!(
                "Dovecot asks {other} too, which is not looked into here: close {name} there as well"
            ));
        }
        Ok(done)
    }

    /// Whom Postfix asks for passwords, if it is not Dovecot.
    fn asks_another(&self) -> Option<String> {
        let main = self.say(&["postconf", "-xh", "smtpd_sasl_auth_enable", "smtpd_sasl_type"]).ok()?;
        let (enabled, kind) = main.trim().split_once('\n')?;
        // As master.cf has it: `submission/inet/smtpd_sasl_auth_enable = yes`.
        let services = self.say(&["postconf", "-P"]).unwrap_or_default();
        let mut overrides = services.lines().filter(|line| line.contains("/smtpd_sasl_auth_enable"));
        let logs_in = enabled == "yes" || overrides.any(|line| line.ends_with("yes"));
        (logs_in && kind != "dovecot").then(|| kind.to_owned())
    }

    /// Opens an account as it was before it was closed.
    pub(crate) fn enable(&self, name: &str) -> anyhow::Result<Done> {
        self.replaced(name, false, |accounts| accounts.unlocking(name))
    }

    /// Opens an account that was closed because somebody else has its password: with another one, where there is one.
    pub(crate) fn reopen(&self, name: &str, field: Option<&str>) -> anyhow::Result<Done> {
        self.replaced(name, true, |accounts| {
            let open = accounts.unlocking(name)?;
            field.map_or(Ok(open.clone()), |field| open.with_password(name, field))
        })
    }

    /// Whether an account can log in now, as far as files tell.
    pub(crate) fn is_open(&self, name: &str) -> anyhow::Result<bool> {
        let books = self.holding(name)?;
        let locked = books.iter().map(|book| Ok(book.read()?.is_locked(name) == Some(true)));
        Ok(!locked.collect::<anyhow::Result<Vec<_>>>()?.into_iter().all(|locked| locked))
    }

    /// Takes an account out. Its mail stays.
    pub(crate) fn delete(&self, name: &str) -> anyhow::Result<Done> {
        // Closed first: what docker-mailserver made of it is there for seconds more.
        let mut done = match self.disable(name) {
            Err(error) if matches!(error.downcast_ref(), Some(Refusal::NoPassword { .. })) => Done::default(),
            closed => closed?,
        };
        for book in self.holding(name)? {
            self.edit(&book, &mut done, |accounts| accounts.without(name))?;
        }
        self.flush(name, &mut done);
        Ok(done)
    }

    /// Where the mail of an account is.
    pub(crate) fn home(&self, name: &str) -> Option<String> {
        let said = self.say(&["doveadm", "user", "-f", "home", name]).ok();
        let home = said.map(|said| said.trim().to_owned()).filter(|home| home.starts_with('/'));
        home.or_else(|| self.holding(name).ok()?.first()?.read().ok()?.of(name).next()?.home())
    }

    /// Changes the password field of an account, and all that depends on it.
    fn replaced(
        &self,
        name: &str,
        ends_sessions: bool,
        change: impl Fn(&Accounts) -> Result<Accounts, Refusal>,
    ) -> anyhow::Result<Done> {
        let mut done = Done::default();
        let mut names = vec![name.to_owned()];
        for book in self.holding(name)? {
            let (before, after) = self.edit(&book, &mut done, &change)?;
            for (old, new) in pairs(&before, &after, name) {
                match self.work_up(&old, &new) {
                    Ok(aliases) => names.extend(aliases),
                    Err(error) => done.notes.push(format!(
                        "docker-mailserver takes the change over within six seconds, and could not be helped to do it at once: {error:#}"
                    )),
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        for name in &names {
            self.flush(name, &mut done);
        }
        if ends_sessions {
            done.ended = self.end_sessions(&names, &mut done.notes);
        } else if !done.files.is_empty() {
            // So that it is so when it is said to be so.
            std::thread::sleep(SECOND_LOOK);
        }
        Ok(done)
    }

    /// Writes a changed file of accounts, while nobody else does; gives what it was and what it is.
    pub(super) fn edit(
        &self,
        book: &Book,
        done: &mut Done,
        mut change: impl FnMut(&Accounts) -> Result<Accounts, Refusal>,
    ) -> anyhow::Result<(Accounts, Accounts)> {
        let target = fs::canonicalize(&book.host).unwrap_or_else(|_| book.host.clone());
        let directory = target.parent().context("a file of accounts has a directory")?;
        let _turn = Turn::wait(directory, PATIENCE)?;
        let _mark = match book.format {
            Format::Bars | Format::Limits => Some(Mark::set(&directory.join(DMS_LOCK), PATIENCE, DMS_STALE)?),
            Format::Colons => None,
        };
        let before = book.read()?;
        let after = change(&before)?;
        if after != before {
            let old = fs::metadata(&target).ok();
            atomic::write(&target, &after.bytes(), None)?;
            advance(&target, old.as_ref())?;
            if book.read()? != after {
                bail!(
                    "{} was changed by somebody else at the same moment; `mailward account list` shows what is so, then try again",
                    book.host.display()
                );
            }
            // Of a file that is changed twice, what it held first counts.
            if !done.files.contains(&book.path) {
                let held = old.map(|_| Digest::of(&before.bytes()));
                done.files.push(book.path.clone());
                done.written.push(Written { path: target, before: held });
            }
        }
        Ok((before, after))
    }

    /// Makes docker-mailserver's own copy of an account what it will make it itself, but now; gives the aliases that log in with it.
    fn work_up(&self, old: &[u8], new: &[u8]) -> anyhow::Result<Vec<String>> {
        if !self.is_dms() {
            return Ok(Vec::new());
        }
        let userdb = Accounts::read(self.say(&["cat", DMS_USERDB])?.as_bytes(), Format::Colons);
        let equal = userdb.entries().filter(|entry| !old.is_empty() && entry.password == old);
        let names = equal.map(|entry| String::from_utf8_lossy(entry.name).into_owned()).collect();
        let after = userdb.with_equal(old, new);
        if after != userdb {
            let beside = format!("{DMS_USERDB}.mailward");
            // As docker-mailserver's helpers/accounts.sh makes it; put in place in one step.
            let install =
                ["install", "-T", "-m", "0640", "-o", "dovecot", "-g", "dovecot", "/dev/stdin", &beside];
            for (words, input) in
                [(&install[..], after.bytes()), (&["mv", "-T", &beside, DMS_USERDB][..], Vec::new())]
            {
                let output = self.run(words, &input)?;
                if !output.status.success() {
                    bail!("{}: {}", words.join(" "), complaint(&output));
                }
            }
        }
        Ok(names)
    }

    /// Makes Dovecot forget what it remembers of a login, where it has a cache (`auth_cache_size`).
    pub(super) fn flush(&self, name: &str, done: &mut Done) {
        match self.run(&["doveadm", "auth", "cache", "flush", name], b"") {
            Ok(output) if output.status.success() => {}
            Ok(output) => done.notes.push(format!(
                "Dovecot's cache of logins was not emptied ({}); if Dovecot is down, it has none",
                complaint(&output)
            )),
            Err(error) => done.notes.push(format!("Dovecot's cache of logins was not emptied: {error:#}")),
        }
    }

    /// Whether Dovecot finds a new account; docker-mailserver takes seconds to tell it.
    fn wait_for(&self, name: &str) -> bool {
        let end =
            std::time::Instant::now() + if self.is_dms() { DMS_PATIENCE } else { Duration::from_secs(2) };
        loop {
            match self.run(&["doveadm", "user", name], b"") {
                Ok(output) if output.status.success() => return true,
                _ if std::time::Instant::now() > end => return false,
                _ => std::thread::sleep(Duration::from_millis(250)),
            }
        }
    }

    /// What Postfix needs besides to take mail for a new account: a line in a map, or a domain.
    fn undelivered(&self, name: &Name) -> Option<String> {
        let domain = name.domain().filter(|_| !self.is_dms())?;
        let maps = self.say(&["postconf", "-xh", "virtual_mailbox_maps"]).ok()?;
        let maps: Vec<&str> = maps.split([',', ' ', '\t', '\n']).filter(|map| !map.is_empty()).collect();
        let asked = |map: &&str| {
            [name.as_str(), &format!("@{domain}")].iter().any(|key| {
                self.run(&["postmap", "-q", key, map], b"").is_ok_and(|output| output.status.success())
            })
        };
        let told = !maps.is_empty() && !maps.iter().any(asked);
        told.then(|| {
            format!(
                "{name} can log in and send; mail for it is refused until it is in virtual_mailbox_maps ({})",
                maps.join(", ")
            )
        })
    }
}

/// The password fields of an account that changed, as they were and as they are.
fn pairs(before: &Accounts, after: &Accounts, name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let fields =
        |accounts: &Accounts| accounts.of(name).map(|entry| entry.password.to_vec()).collect::<Vec<_>>();
    fields(before).into_iter().zip(fields(after)).collect()
}

/// Lets a file be newer than the one before by a second at least: Dovecot reads a passwd-file again when its size or its time in whole seconds
/// is another one (db-passwd-file.c), and a new hash is as long as the old one.
fn advance(path: &Path, old: Option<&fs::Metadata>) -> anyhow::Result<()> {
    let (Some(old), new) = (old, fs::metadata(path)?) else { return Ok(()) };
    if new.mtime() > old.mtime() {
        return Ok(());
    }
    let seconds = u64::try_from(old.mtime()).unwrap_or(0) + 1;
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let file = File::options().write(true).open(path)?;
    file.set_modified(later).with_context(|| format!("cannot set the time of {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_changed_twice_in_a_second_is_newer_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        atomic::write(&path, b"a", None).unwrap();
        let mut last = fs::metadata(&path).unwrap();
        for _ in 0..3 {
            atomic::write(&path, b"b", None).unwrap();
            advance(&path, Some(&last)).unwrap();
            let now = fs::metadata(&path).unwrap();
            assert!(now.mtime() > last.mtime());
            last = now;
        }
    }
}
