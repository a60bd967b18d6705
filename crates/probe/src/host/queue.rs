//! The mail queue, as `postqueue -j` prints it: a JSON document a line.

use std::time::Duration;

use mailward_audit::Known;
use mailward_audit::facts::{File, Queue, Queued};
use mailward_host::run::Limits;

use crate::files::Files;
use crate::place::Place;

/// Messages that are kept, and recipients of each.
const MESSAGES: usize = 100_000;
const RECIPIENTS: usize = 20;

/// A queue of a hundred thousand messages is 40 MB of JSON.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), max_output: 64 << 20 };

#[derive(serde::Deserialize)]
struct Message {
    queue_name: String,
    queue_id: String,
    arrival_time: i64,
    #[serde(default)]
    message_size: u64,
    #[serde(default)]
    sender: String,
    #[serde(default)]
    recipients: Vec<Recipient>,
}

#[derive(serde::Deserialize)]
struct Recipient {
    #[serde(default)]
    address: String,
    #[serde(default)]
    delay_reason: String,
}

/// Reads the queue of a place.
pub(crate) fn read(place: &Place) -> Known<Queue> {
    match place.raw(&["postqueue", "-j"], LIMITS) {
        Known::Is(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            let messages = text.lines().filter_map(message).take(MESSAGES).collect();
            Known::Is(Queue { messages, corrupt: 0 })
        }
        Known::Is(output) if output.status.code() == Some(127) => Known::Absent,
        Known::Is(output) => {
            let error = String::from_utf8_lossy(&output.stderr);
            Known::Unread(format!(
                "`postqueue -j` failed: {}",
                error.lines().next().unwrap_or("it said nothing")
            ))
        }
        Known::Absent => Known::Absent,
        Known::Unread(why) => Known::Unread(why),
        Known::Unasked => Known::Unasked,
    }
}

/// A line; a last one that the limit cut off is none.
fn message(line: &str) -> Option<Queued> {
    let message: Message = serde_json::from_str(line).ok()?;
    let reason = message
        .recipients
        .iter()
        .map(|recipient| recipient.delay_reason.as_str())
        .find(|why| !why.is_empty());
    Some(Queued {
        queue: message.queue_name,
        id: message.queue_id,
        arrived: message.arrival_time,
        size: message.message_size,
        sender: if message.sender == "MAILER-DAEMON" { String::new() } else { message.sender },
        reason: reason.unwrap_or_default().to_owned(),
        recipients: message
            .recipients
            .into_iter()
            .take(RECIPIENTS)
            .map(|recipient| recipient.address)
            .collect(),
    })
}

/// Counts corrupt files among those that were found.
pub(crate) fn count_corrupt(queue: &mut Known<Queue>, files: &Files) {
    if let Known::Is(queue) = queue {
        let corrupt = |(path, file): &(&String, &Known<File>)| {
            matches!(file, Known::Is(_)) && path.contains("/postfix/corrupt/")
        };
        queue.corrupt = files.iter().filter(corrupt).count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_message() {
        let line = r#"{"queue_name": "deferred", "queue_id": "4bXyz", "arrival_time": 1760000000, "message_size": 512, "forced_expire": false, "sender": "MAILER-DAEMON", "recipients": [{"address": "a@example.org", "delay_reason": "connection timed out"}, {"address": "b@example.org"}]}"#;
        let found = message(line).unwrap_or_default();
        assert_eq!((found.sender.as_str(), found.reason.as_str()), ("", "connection timed out"));
        assert_eq!(found.recipients, ["a@example.org", "b@example.org"]);
        assert!(message("{\"queue_name\": \"def").is_none());
    }
}
