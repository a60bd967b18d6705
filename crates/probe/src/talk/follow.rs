//! What a log says about one mail from now on: Postfix and filters name it by its message id or by queue ids.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the log is looked at.
const PAUSE: Duration = Duration::from_millis(100);
/// A log does not grow faster while a mail is under way; what is beyond is not read.
const MOST: u64 = 8 << 20;

/// A log, from a place on.
pub(super) struct Follower {
    path: PathBuf,
    from: u64,
}

impl Follower {
    /// From the log's end on; none if it cannot be read.
    pub(super) fn begin(path: PathBuf) -> Option<Self> {
        let from = File::open(&path).ok()?.metadata().ok()?.len();
        Some(Self { path, from })
    }

    /// Lines about a mail, until it has left the queue or was kept from it, or there is no more patience.
    pub(super) fn follow(&mut self, token: &str, patience: Duration) -> Vec<String> {
        let end = Instant::now() + patience;
        loop {
            let told = about(&self.text(), token);
            if told.is_over || Instant::now() >= end {
                return told.lines;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// All that was written since; a log that was replaced meanwhile has nothing to say.
    fn text(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.from))?;
            file.take(MOST).read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => String::new(),
        }
    }
}

/// What is said about a mail.
struct Told {
    lines: Vec<String>,
    is_over: bool,
}

/// Every queue id that has the mail's message id is the mail: a filter behind the queue hands it in once more.
fn about(text: &str, token: &str) -> Told {
    let queued: BTreeSet<&str> =
        text.lines().filter(|line| line.contains(token)).filter_map(queue_id).collect();
    let of = |line: &&str| line.contains(token) || id(line).is_some_and(|id| queued.contains(id));
    let lines: Vec<String> = text.lines().filter(of).map(str::to_owned).collect();
    let removed = |id: &&str| lines.iter().any(|line| line.ends_with(&format!("{id}: removed")));
    let kept = ["milter-reject:", "milter-discard:", "milter-hold:"];
    let is_kept = lines.iter().any(|line| kept.iter().any(|word| line.contains(word)));
    let is_over = is_kept || (!queued.is_empty() && queued.iter().all(removed));
    Told { lines, is_over }
}

/// The id of `postfix/cleanup[1]: 4bXYZ: message-id=<…>`.
fn queue_id(line: &str) -> Option<&str> {
    let id = id(line)?;
    line.contains(&format!("{id}: message-id=")).then_some(id)
}

/// What stands between the program and the next colon.
fn id(line: &str) -> Option<&str> {
    let (_, said) = line.split_once("]: ")?;
    let (id, _) = said.split_once(": ")?;
    let is_id = id.len() >= 6 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_id.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-11-21T10:00:00+00:00 mail postfix/smtpd[9]: 4dXQ1p0001z: client=localhost[127.0.0.1]
2026-11-21T10:00:00+00:00 mail postfix/cleanup[9]: 4dXQ1p0001z: message-id=<tok.eicar@mailward.invalid>
2026-11-21T10:00:00+00:00 mail postfix/cleanup[9]: 4dXQ1p0002z: message-id=<other@example.org>
2026-11-21T10:00:01+00:00 mail postfix/cleanup[9]: 4dXQ1p0003z: message-id=<tok.eicar@mailward.invalid>
2026-11-21T10:00:01+00:00 mail amavis[7]: (7-1) Passed CLEAN, Message-ID: <tok.eicar@mailward.invalid>, queued_as: 4dXQ1p0003z
2026-11-21T10:00:01+00:00 mail postfix/smtp[9]: 4dXQ1p0001z: to=<a@example.org>, relay=127.0.0.1[127.0.0.1]:10024, status=sent
2026-11-21T10:00:01+00:00 mail postfix/qmgr[9]: 4dXQ1p0001z: removed
";

    #[test]
    fn a_mail_is_over_when_all_its_ids_are() {
        let told = about(LOG, "tok.eicar");
        assert_eq!((told.lines.len(), told.is_over), (6, false));
        let whole = format!("{LOG}x mail postfix/qmgr[9]: 4dXQ1p0003z: removed\n");
        assert!(about(&whole, "tok.eicar").is_over);
        assert!(!about(LOG, "tok.gtube").is_over);
    }

    #[test]
    fn a_mail_that_a_milter_keeps_is_over() {
        let held = "x mail postfix/cleanup[9]: 4dXQ1p0001z: message-id=<tok.gtube@mailward.invalid>\n\
                    x mail postfix/cleanup[9]: 4dXQ1p0001z: milter-hold: END-OF-MESSAGE from localhost\n";
        assert!(about(held, "tok.gtube").is_over);
    }
}
