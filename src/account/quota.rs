//! Limits of mailboxes.

use std::time::{Duration, Instant};

use anyhow::bail;
use mailward_account::{Accounts, Format, Limit};
use mailward_audit::dms::CONFIG;
use mailward_audit::dovecot::Dovecot;

use super::{Book, Done, Server};

/// A mailbox whose limit is to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// Its account.
    pub(crate) name: String,
    /// What it holds; none where Dovecot does not count.
    pub(crate) used: Option<Limit>,
    /// What it may hold now; none is all that the disk has.
    pub(crate) limit: Option<Limit>,
}

/// A file of limits, before a change and after it.
struct Changed {
    book: Book,
    before: Accounts,
    written: Accounts,
}

/// docker-mailserver takes changes over within six seconds; Dovecot looks at its files once a second.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(250);

impl Server {
    /// An account's mailbox, or with `@example.org` those of all accounts of a domain.
    pub(crate) fn mailboxes(&self, target: &str) -> anyhow::Result<Vec<Mailbox>> {
        let target = target.to_ascii_lowercase();
        let mut names: Vec<String> = Vec::new();
        for book in self.books()? {
            let accounts = book.read()?;
            let all =
                accounts.entries().map(|entry| String::from_utf8_lossy(entry.name).to_ascii_lowercase());
            names.extend(
                all.filter(|name| *name == target || target.starts_with('@') && name.ends_with(&target)),
            );
        }
        names.sort();
        names.dedup();
        if names.is_empty() {
            bail!(
                "there is no account {}; `mailward account list` shows those that are there",
                target.escape_debug()
            );
        }
        names.into_iter().map(|name| self.mailbox(name)).collect()
    }

    /// What a mailbox holds and may hold.
    fn mailbox(&self, name: String) -> anyhow::Result<Mailbox> {
        let output = self.run(&["doveadm", "quota", "get", "-u", &name], b"")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<&str> = said
            .lines()
            .find(|line| line.contains("STORAGE"))
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let Some(at) = words.iter().rposition(|word| *word == "STORAGE") else {
            let why = if output.status.success() {
                "it counts nothing".to_owned()
            } else {
                super::complaint(&output)
            };
            bail!(
                "Dovecot does not say what {name} holds, so no limit would hold ({why}). Where its quota plugin is off, `mailward \
                 harden plan --only QTA-002` turns it on"
            );
        };
        let number = |offset: usize| words.get(at + offset)?.parse().ok().map(Limit::of_kib);
        Ok(Mailbox { name, used: number(1), limit: number(2).filter(|limit| limit.kib() > 0) })
    }

    /// Gives mailboxes another limit, or none of their own, and waits until Dovecot says the same; takes it back where it does not.
    pub(crate) fn limit(&self, mailboxes: &[Mailbox], limit: Option<Limit>) -> anyhow::Result<Done> {
        let mut done = Done::default();
        let mut changed = Vec::new();
        let held = self
            .write_limits(mailboxes, limit, &mut done, &mut changed)
            .and_then(|()| self.wait_for_limit(mailboxes, limit));
        match held {
            Ok(()) => Ok(done),
            Err(why) => match self.take_back(mailboxes, &changed) {
                Ok(()) => Err(why.context("the limit was taken back")),
                Err(error) => Err(why.context(format!(
                    "the limit could not be taken back everywhere ({error:#}); type `mailward account quota ACCOUNT none`"
                ))),
            },
        }
    }

    /// Writes limits into every file that holds them, and notes each file that was changed.
    fn write_limits(
        &self,
        mailboxes: &[Mailbox],
        limit: Option<Limit>,
        done: &mut Done,
        changed: &mut Vec<Changed>,
    ) -> anyhow::Result<()> {
        let modern = self.is_modern();
        for book in self.limit_books(mailboxes)? {
            let mut texts = None;
            let edited = self.edit(&book, done, |before| {
                let own = |name: &str| book.format == Format::Limits || before.of(name).next().is_some();
                let mut own = mailboxes.iter().filter(|mailbox| own(&mailbox.name));
                let written = own.try_fold(before.clone(), |accounts, one| {
                    accounts.with_limit(&one.name, limit, modern)
                })?;
                texts = Some((before.clone(), written.clone()));
                Ok(written)
            });
            // Also where it failed: it may be written all the same.
            changed.extend(texts.map(|(before, written)| Changed { book, before, written }));
            edited?;
        }
        mailboxes.iter().for_each(|mailbox| self.flush(&mailbox.name, done));
        Ok(())
    }

    /// Gives mailboxes the limits again that they had. Whatever else was changed in the files meanwhile stays.
    fn take_back(&self, mailboxes: &[Mailbox], changed: &[Changed]) -> anyhow::Result<()> {
        let (modern, mut done) = (self.is_modern(), Done::default());
        let names = || mailboxes.iter().map(|mailbox| mailbox.name.as_str());
        for Changed { book, before, written } in changed {
            self.edit(book, &mut done, |now| Ok(now.with_limits_of(names(), before, written, modern)))?;
        }
        names().for_each(|name| self.flush(name, &mut done));
        Ok(())
    }

    fn is_modern(&self) -> bool {
        Dovecot::read(&self.facts).is_ok_and(|dovecot| dovecot.is_modern())
    }

    /// The files that limits are written in.
    fn limit_books(&self, mailboxes: &[Mailbox]) -> anyhow::Result<Vec<Book>> {
        if self.is_dms() {
            let path = format!("{CONFIG}/dovecot-quotas.cf");
            let Some(host) = self.tree.host(&path) else {
                bail!(
                    "{path} is inside the container, where it is lost with it; mount {CONFIG} into the container, and try again"
                );
            };
            return Ok(vec![Book { path, host, format: Format::Limits }]);
        }
        let mut books = self.books()?;
        let holds = |book: &Book| {
            let accounts = book.read()?;
            Ok::<_, anyhow::Error>(
                mailboxes.iter().any(|mailbox| accounts.of(&mailbox.name).next().is_some()),
            )
        };
        let held: Vec<bool> = books.iter().map(holds).collect::<Result<_, _>>()?;
        let mut held = held.into_iter();
        books.retain(|_| held.next().unwrap_or_default());
        Ok(books)
    }

    /// Waits until Dovecot has the limits. What it has where there is no limit of one's own is not known here.
    fn wait_for_limit(&self, mailboxes: &[Mailbox], limit: Option<Limit>) -> anyhow::Result<()> {
        let Some(limit) = limit else { return Ok(()) };
        let end = Instant::now() + PATIENCE;
        for Mailbox { name, .. } in mailboxes {
            // Dovecot may be reading its files anew just now, and say nothing.
            while !self.mailbox(name.clone()).is_ok_and(|now| now.limit.map(Limit::kib) == Some(limit.kib()))
            {
                if Instant::now() > end {
                    bail!(
                        "Dovecot does not take the limit of {name} from there. Its userdb is to read the same file (userdb {{ driver = \
                         passwd-file }}), or prefetch; `doveadm user {name}` shows what it reads"
                    );
                }
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    /// Accounts without a limit of their own that docker-mailserver gives this one, because their name is the end of the other.
    pub(crate) fn shadowed(&self, mailboxes: &[Mailbox]) -> anyhow::Result<Vec<String>> {
        if !self.is_dms() {
            return Ok(Vec::new());
        }
        let limits: Vec<Accounts> =
            self.limit_books(mailboxes)?.iter().map(Book::read).collect::<Result<_, _>>()?;
        let mut shadowed = Vec::new();
        for book in self.books()? {
            let accounts = book.read()?;
            let names =
                accounts.entries().map(|entry| String::from_utf8_lossy(entry.name).to_ascii_lowercase());
            let longer = |name: &String| {
                mailboxes.iter().any(|own| own.name != *name && own.name.ends_with(name.as_str()))
            };
            let alone = |name: &String| limits.iter().all(|limits| limits.of(name).next().is_none());
            shadowed.extend(names.filter(|name| longer(name) && alone(name)));
        }
        Ok(shadowed)
    }
}
