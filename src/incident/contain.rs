//! An account is contained, and given back.

use mailward_report::At;

use super::record::{Closed, Folder, Record};
use crate::account::{Done, Server};

/// What was done to contain an account.
pub(crate) struct Contained {
    /// As it is kept.
    pub(crate) record: Record,
    /// What closing the account did.
    pub(crate) done: Done,
    /// How many messages were put on hold now.
    pub(crate) held: usize,
}

/// What becomes of the messages that are on hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// They stay on hold.
    Keep,
    /// They are sent.
    Release,
    /// They are thrown away.
    Discard,
}

/// Closes the account for IMAP, POP3 and SMTP AUTH, ends its sessions, and holds what it has in the queue. Where one of these fails the others
/// are done all the same, and the failure is told. Done again, it goes on with the same incident.
///
/// # Errors
/// When nothing could be written down: then nothing was done.
pub(crate) fn contain(
    server: &Server,
    folder: &Folder,
    account: &str,
    now: At,
    by: &str,
) -> anyhow::Result<Contained> {
    let _turn = folder.turn()?;
    let mut record = match folder.open_of(account)? {
        Some(record) => record,
        None => folder.begin(account, now, by)?,
    };
    let open = server.is_open(account);
    record.was_open |= open.as_ref().is_ok_and(|open| *open);
    folder.save(&record)?;
    let mut done = match open.and_then(|_| server.disable(account)) {
        Ok(done) => done,
        Err(error) => closed_elsewhere(server, account, &error),
    };
    let held = match hold(server, folder, &mut record) {
        Ok(held) => held,
        Err(error) => {
            done.notes.push(format!(
                "its mail in the queue is not held: {error:#}; `postsuper -h ALL` holds everybody's"
            ));
            0
        }
    };
    Ok(Contained { record, done, held })
}

/// Sessions end even where the password is in a database that is not changed here.
fn closed_elsewhere(server: &Server, account: &str, error: &anyhow::Error) -> Done {
    let mut done = Done::default();
    done.ended = server.end_sessions(&[account.to_owned()], &mut done.notes);
    done.notes.push(format!("{account} can still log in: {error:#}"));
    done
}

/// Written down before it is done: what is on hold is let go by `close` alone.
fn hold(server: &Server, folder: &Folder, record: &mut Record) -> anyhow::Result<usize> {
    let waiting = server.queued(&record.account)?;
    let new: Vec<String> = waiting.into_iter().filter(|id| !record.held.contains(id)).collect();
    record.held.extend(new.iter().cloned());
    folder.save(record)?;
    server.hold(&new)?;
    Ok(new.len())
}

/// Gives the account back to its owner: opens it if it was open, with the new password if there is one, and does with the held messages what is
/// said. How many these were.
///
/// # Errors
/// When the account cannot be opened, or the queue cannot be changed: the incident then stays open, and it can be tried again.
pub(crate) fn close(
    server: &Server,
    folder: &Folder,
    mut record: Record,
    field: Option<&str>,
    queue: Queue,
    (now, by): (At, &str),
) -> anyhow::Result<(Done, usize)> {
    let _turn = folder.turn()?;
    let held = server.held(&record.held)?;
    match queue {
        Queue::Keep => {}
        Queue::Release => server.release(&held)?,
        Queue::Discard => server.discard(&held)?,
    }
    let done = if record.was_open && !server.is_open(&record.account)? {
        server.reopen(&record.account, field)?
    } else {
        Done::default()
    };
    record.closed = Some(Closed { time: now, by: by.to_owned(), new_password: field.is_some() });
    folder.save(&record)?;
    Ok((done, held.len()))
}
