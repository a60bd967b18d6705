//! Messages in a snapshot, by what stands in them.

use std::path::{Path, PathBuf};

use mail_parser::{Address, MessageParser};

use crate::restore::Copying;
use crate::tree::Walk;
use crate::{BackupError, Entry, Repository, Snapshot};

/// What a message has to have; everything that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Part of the sender's or a recipient's address or name.
    pub address: Option<String>,
    /// Part of the subject.
    pub subject: Option<String>,
    /// The Message-ID, with or without its brackets.
    pub message_id: Option<String>,
    /// Part of its text.
    pub text: Option<String>,
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The file in the snapshot.
    pub path: PathBuf,
    /// When it was sent, as its header says, in seconds since 1970.
    pub sent: Option<i64>,
    /// The sender.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Larger messages are passed over: 64 MiB is more than any server takes by default.
const MOST: u64 = 64 << 20;

impl Repository {
    /// The messages below some paths that a query asks for. Each message has to be a file of its own (Maildir, sdbox).
    ///
    /// # Errors
    /// When a path is not in the snapshot, or a message in it cannot be read.
    pub fn find(
        &self,
        snapshot: &Snapshot,
        below: &[PathBuf],
        query: &Query,
    ) -> Result<Vec<Message>, BackupError> {
        let indexed = self.indexed()?;
        let mut found = Vec::new();
        for entry in Walk::of(self, &indexed, snapshot, below)? {
            let entry = entry?;
            if !is_message(&entry) {
                continue;
            }
            let mut bytes = Vec::new();
            let read = self.bytes_of(&indexed, &entry, &mut |part| {
                bytes.extend_from_slice(part);
                Ok(())
            });
            match read {
                Err(Copying::Source(error)) => return Err(error),
                Err(Copying::Target(_)) | Ok(()) => found.extend(query.judge(&entry, &bytes)),
            }
        }
        found.sort_by_key(|message| message.sent);
        Ok(found)
    }
}

fn is_message(entry: &Entry) -> bool {
    let directory = entry.path.parent().and_then(Path::file_name);
    let of_maildir = directory.is_some_and(|name| name == "cur" || name == "new");
    let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
    let of_dbox = directory.is_some_and(|name| name == "dbox-Mails") && name.starts_with("u.");
    entry.is_file() && entry.size() <= MOST && (of_maildir || of_dbox)
}

impl Query {
    fn judge(&self, entry: &Entry, bytes: &[u8]) -> Option<Message> {
        let message = MessageParser::default().parse(bytes)?;
        let addresses = [message.from(), message.to(), message.cc(), message.sender(), message.reply_to()];
        let addresses = addresses.into_iter().flatten().flat_map(all).collect::<Vec<_>>().join(" ");
        let id = message.message_id().unwrap_or_default();
        let asked = |part: &Option<String>, of: &str| part.as_ref().is_none_or(|part| has(of, part));
        let is_id = self.message_id.as_ref().is_none_or(|asked| asked.trim_matches(['<', '>']) == id);
        let has_text = self.text.is_none()
            || (0..message.text_body.len())
                .filter_map(|part| message.body_text(part))
                .any(|text| asked(&self.text, &text));
        let subject = message.subject().unwrap_or_default();
        let matches = is_id && asked(&self.address, &addresses) && asked(&self.subject, subject) && has_text;
        matches.then(|| Message {
            path: entry.path.clone(),
            sent: message.date().map(mail_parser::DateTime::to_timestamp),
            from: message.from().into_iter().flat_map(all).next().unwrap_or_default(),
            subject: subject.to_owned(),
            size: entry.size(),
        })
    }
}

/// Addresses of a header with their names.
fn all(addresses: &Address<'_>) -> Vec<String> {
    let word = |address: &mail_parser::Addr<'_>| match (address.name(), address.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => address.or(name).unwrap_or_default().to_owned(),
    };
    addresses.iter().map(word).collect()
}

fn has(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}
