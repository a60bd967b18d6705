//! What Mailward remembers: bans, offences, counts, allowlist, cursors.
