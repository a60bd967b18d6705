//! The catalogue: families of checks, and the rows that no check proves yet.

use crate::checks;
use crate::{Area, Check};

/// Checks whose ids begin alike.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// What their ids begin with: `TLS`.
    pub prefix: &'static str,
    /// What they are about.
    pub title: &'static str,
    /// The part of a report that they belong to.
    pub area: Area,
    /// How many rows the catalogue has; every one is a check or says why it is none.
    pub rows: u16,
    /// The checks, by id.
    pub checks: &'static [&'static Check],
    /// The rows that no check proves yet, by id.
    pub not_yet: &'static [NotYet],
}

/// A row of the catalogue that no check proves yet.
#[derive(Clone, Copy, Debug)]
pub struct NotYet {
    /// Its id.
    pub id: &'static str,
    /// The weakness.
    pub title: &'static str,
    /// Why there is no check.
    pub because: &'static str,
}

/// Prefix, title, area, rows and module of every family, in the order of the catalogue.
macro_rules! families {
    ($($prefix:literal $title:literal $area:ident $rows:literal $module:ident;)*) => {
        /// All families, in the order of the catalogue.
        pub const FAMILIES: &[Family] = &[$(Family {
            prefix: $prefix,
            title: $title,
            area: Area::$area,
            rows: $rows,
            checks: checks::$module::CHECKS,
            not_yet: checks::$module::NOT_YET,
        }),*];
    };
}

families! {
    "TLS" "TLS: protocol, cipher, key exchange" Encryption 37 tls;
    "CRT" "Certificates and keys" Encryption 21 crt;
    "SMT" "SMTP behaviour" Smtp 30 smt;
    "PFX" "Postfix configuration" Smtp 32 pfx;
    "DOV" "Dovecot, IMAP, POP3, Sieve" Mailboxes 25 dov;
    "ACC" "Accounts, aliases, filters" Accounts 20 acc;
    "DNS" "Names, addresses, trust" Dns 26 dns;
    "SPF" "SPF" Dns 16 spf;
    "DKM" "DKIM" Dns 18 dkm;
    "DMR" "DMARC" Dns 14 dmr;
    "BIM" "BIMI" Dns 1 bim;
    "STS" "MTA-STS" Dns 8 sts;
    "TRP" "TLS-RPT" Dns 3 trp;
    "DAN" "DANE" Dns 7 dan;
    "RPT" "What received reports say" Dns 8 rpt;
    "REP" "Reputation and block lists" Dns 11 rep;
    "FIL" "Files and permissions" Host 14 fil;
    "QUE" "Queue" Host 6 que;
    "QTA" "Quota and space" Host 7 qta;
    "BAK" "Backup" Host 9 bak;
    "AVS" "Content filtering" Content 19 avs;
    "BAN" "Intrusion response and network exposure" Defence 13 ban;
    "LOG" "Logs" Defence 9 log;
    "VER" "Versions" Host 7 ver;
    "DMS" "docker-mailserver and containers" Host 14 dms;
}

/// The check with an id, in upper or lower case.
#[must_use]
pub fn find(id: &str) -> Option<(&'static Family, &'static Check)> {
    FAMILIES.iter().find_map(|family| {
        Some((family, *family.checks.iter().find(|check| check.id.eq_ignore_ascii_case(id))?))
    })
}
