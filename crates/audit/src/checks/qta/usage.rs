//! What each mailbox uses of its limit, as `doveadm quota get -A` prints it.

use crate::{Server, Untold};

/// Storage of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// Its name.
    pub(super) user: String,
    /// KiB in it.
    pub(super) used: u64,
    /// KiB it may have; none if there is no limit.
    pub(super) limit: Option<u64>,
    /// Used in per cent of the limit.
    pub(super) percent: u64,
}

/// The mailboxes that Dovecot knows of.
pub(super) fn read(server: &Server<'_>) -> Result<Vec<Usage>, Untold> {
    Ok(server.facts.output("doveadm quota get -A")?.lines().filter_map(usage).collect())
}

/// `alice@example.org User quota STORAGE 3 - 0`: the quota's name may have blanks.
fn usage(line: &str) -> Option<Usage> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().rposition(|word| *word == "STORAGE")?;
    let number = |offset: usize| words.get(at + offset)?.parse().ok();
    let user = (*words.first()?).to_owned();
    Some(Usage {
        user,
        used: number(1)?,
        limit: number(2).filter(|limit| *limit > 0),
        percent: number(3).unwrap_or(0),
    })
}

/// `1.5G` of KiB.
pub(super) fn size(kib: u64) -> String {
    match kib {
        0..1024 => format!("{kib}K"),
        1024..1_048_576 => format!("{}M", kib / 1024),
        _ => format!("{}.{}G", kib / 1_048_576, kib % 1_048_576 * 10 / 1_048_576),
    }
}
