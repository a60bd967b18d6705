//! What an account has in Postfix's queue, and how that is held, let go, or thrown away.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use mailward_host::run::Limits;
use serde::Deserialize;

use super::{Server, complaint};

/// A queue of a hundred thousand messages, and not more patience than an incident allows.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(60), max_output: 256 << 20 };
/// So many files of the queue are looked into by one postcat.
const BATCH: usize = 200;
/// Where postqueue says that a message is held.
const HOLD: &str = "hold";

/// A message in the queue, as `postqueue -j` lists it (postqueue(1)).
#[derive(Debug, Deserialize)]
struct Listed {
    queue_name: String,
    queue_id: String,
    #[serde(default)]
    sender: String,
}

impl Server {
    /// The queue ids of an account's messages that are not on hold: those that were sent with its login, and those in its name that
    /// nobody's login stands on, as a content filter hands them back.
    pub(crate) fn queued(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let output = self.run_within(&["postqueue", "-j"], b"", LIMITS)?;
        if !output.status.success() {
            bail!("postqueue -j: {}", complaint(&output));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let listed = said.lines().map(serde_json::from_str::<Listed>).collect::<Result<Vec<_>, _>>();
        let mut waiting =
            listed.context("postqueue -j said something else than JSON; is Postfix older than 3.1?")?;
        waiting.retain(|message| message.queue_name != HOLD);
        let mut own = Vec::new();
        for some in waiting.chunks(BATCH) {
            let ids: Vec<&str> = some.iter().map(|message| message.queue_id.as_str()).collect();
            let logins = self.logins(&ids)?;
            let is_own = |message: &&Listed| match logins.iter().find(|(id, _)| *id == message.queue_id) {
                Some((_, Some(login))) => login.eq_ignore_ascii_case(name),
                Some((_, None)) => message.sender.eq_ignore_ascii_case(name),
                None => false,
            };
            own.extend(some.iter().filter(is_own).map(|message| message.queue_id.clone()));
        }
        Ok(own)
    }

    /// The login that each message was sent with, if any. A message that left the queue meanwhile is left out.
    fn logins(&self, ids: &[&str]) -> anyhow::Result<Vec<(String, Option<String>)>> {
        let words: Vec<&str> = ["postcat", "-e", "-q"].into_iter().chain(ids.iter().copied()).collect();
        let output = self.run_within(&words, b"", LIMITS)?;
        if output.status.success() {
            return Ok(logins(&String::from_utf8_lossy(&output.stdout)));
        }
        // One that is gone ends postcat, which says nothing of those behind it.
        match ids.split_at_checked(ids.len() / 2) {
            Some((first, second)) if !first.is_empty() => {
                let mut both = self.logins(first)?;
                both.extend(self.logins(second)?);
                Ok(both)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Puts messages on hold: they stay in the queue until somebody lets them go.
    pub(crate) fn hold(&self, ids: &[String]) -> anyhow::Result<()> {
        self.postsuper("-h", ids)
    }

    /// Lets held messages go.
    pub(crate) fn release(&self, ids: &[String]) -> anyhow::Result<()> {
        self.postsuper("-H", ids)
    }

    /// Throws messages away.
    pub(crate) fn discard(&self, ids: &[String]) -> anyhow::Result<()> {
        self.postsuper("-d", ids)
    }

    /// postsuper reads queue ids from its input, and passes over those that are gone.
    fn postsuper(&self, what: &str, ids: &[String]) -> anyhow::Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let output =
            self.run_within(&["postsuper", what, "-"], (ids.join("\n") + "\n").as_bytes(), LIMITS)?;
        if !output.status.success() {
            bail!("postsuper {what}: {}", complaint(&output));
        }
        Ok(())
    }

    /// Those of some messages that are on hold.
    pub(crate) fn held(&self, ids: &[String]) -> anyhow::Result<Vec<String>> {
        let wanted: BTreeSet<&String> = ids.iter().collect();
        let output = self.run_within(&["postqueue", "-j"], b"", LIMITS)?;
        let said = String::from_utf8_lossy(&output.stdout);
        let listed = said.lines().filter_map(|line| serde_json::from_str::<Listed>(line).ok());
        let held = listed.filter(|message| message.queue_name == HOLD && wanted.contains(&message.queue_id));
        Ok(held.map(|message| message.queue_id).collect())
    }
}

/// What `postcat -e` says of some messages (postcat(1)): `*** ENVELOPE RECORDS deferred/4F1A2B3C4D ***` begins each.
fn logins(said: &str) -> Vec<(String, Option<String>)> {
    let mut all: Vec<(String, Option<String>)> = Vec::new();
    for line in said.lines() {
        if let Some(file) =
            line.strip_prefix("*** ENVELOPE RECORDS ").and_then(|rest| rest.strip_suffix(" ***"))
        {
            all.push((file.rsplit('/').next().unwrap_or(file).to_owned(), None));
        } else if let Some(login) = line.strip_prefix("named_attribute: sasl_username=")
            && let Some((_, of)) = all.last_mut()
        {
            *of = Some(login.to_owned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_those_of_each_message() {
        let said = "*** ENVELOPE RECORDS deferred/4/4F1A2B3C4D ***\nmessage_size: 512\nnamed_attribute: log_ident=4F1A2B3C4D\n\
                    named_attribute: sasl_method=PLAIN\nnamed_attribute: sasl_username=rosa@example.org\nsender: rosa@example.org\n\
                    *** HEADER EXTRACTED deferred/4/4F1A2B3C4D ***\n*** MESSAGE FILE END deferred/4/4F1A2B3C4D ***\n\
                    *** ENVELOPE RECORDS active/4zq1XbZ9k2 ***\nsender: kim@partner.example\n";
        let found = logins(said);
        assert_eq!(
            found,
            [("4F1A2B3C4D".to_owned(), Some("rosa@example.org".to_owned())), ("4zq1XbZ9k2".to_owned(), None)]
        );
    }
}
