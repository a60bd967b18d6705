//! The weaknesses.

mod accounts;
mod dovecot;
mod files;
mod postfix;
mod smtp;
mod tls;

use super::Plant;

/// All of them.
pub(super) fn all() -> impl Iterator<Item = Plant> {
    [
        smtp::STATIC,
        smtp::LIVE,
        tls::STATIC,
        tls::LIVE,
        postfix::PLANTS,
        dovecot::PLANTS,
        accounts::PLANTS,
        files::PLANTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
