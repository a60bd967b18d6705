//! Settings that 2.3 and 2.4 call differently, and their defaults.

use std::collections::BTreeMap;

/// How the value of 2.3 becomes that of 2.4, and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The same.
    Same,
    /// `yes` becomes `no`.
    Not,
    /// `yes` becomes `server`, `no` becomes `client`.
    Prefers,
    /// `</path` becomes `/path`.
    File,
}

/// Name in 2.3, name in 2.4, and what happens to the value
/// (<https://doc.dovecot.org/2.4.1/installation/upgrade/2.3-to-2.4.html>).
const RENAMED: &[(&str, &str, Turn)] = &[
    ("auth_default_realm", "auth_default_domain", Turn::Same),
    ("auth_policy_server_timeout_msecs", "auth_policy_http_client_request_timeout", Turn::Same),
    ("default_idle_kill", "default_idle_kill_interval", Turn::Same),
    ("disable_plaintext_auth", "auth_allow_cleartext", Turn::Not),
    ("mail_attachment_dir", "mail_ext_attachment_path", Turn::Same),
    ("quota_grace", "quota_storage_grace", Turn::Same),
    ("quota_max_mail_size", "quota_mail_size", Turn::Same),
    ("sieve", "sieve_script_path", Turn::Same),
    ("ssl_alt_cert", "ssl_server_alt_cert_file", Turn::File),
    ("ssl_alt_key", "ssl_server_alt_key_file", Turn::File),
    ("ssl_ca", "ssl_server_ca_file", Turn::File),
    ("ssl_cert", "ssl_server_cert_file", Turn::File),
    ("ssl_cert_username_field", "ssl_server_cert_username_field", Turn::Same),
    ("ssl_client_cert", "ssl_client_cert_file", Turn::File),
    ("ssl_client_key", "ssl_client_key_file", Turn::File),
    ("ssl_dh", "ssl_server_dh_file", Turn::File),
    ("ssl_key", "ssl_server_key_file", Turn::File),
    ("ssl_key_password", "ssl_server_key_password", Turn::Same),
    ("ssl_prefer_server_ciphers", "ssl_server_prefer_ciphers", Turn::Prefers),
    ("ssl_require_crl", "ssl_server_require_crl", Turn::Same),
    ("ssl_verify_client_cert", "ssl_server_request_client_cert", Turn::Same),
];

/// Settings of 2.3 that 2.4 has no single setting for; with what takes their place.
const ENDED: &[(&str, &str)] = &[
    ("auth_debug", "log_debug = category=auth"),
    ("auth_stats", "nothing: the setting has no successor"),
    ("auth_worker_max_count", "service auth-worker { process_limit = ... }"),
    ("imap_id_log", "the event imap_id_received"),
    ("login_access_sockets", "a Lua passdb"),
    ("mail_location", "mail_driver and mail_path"),
    ("plugin", "the same settings outside of plugin { }"),
    ("quota", "quota \"name\" { driver = count }"),
    ("quota_rule", "quota_storage_size"),
    ("quota_set", "nothing: the setting has no successor"),
    ("sieve_dir", "sieve_script storage { } with its own path"),
    ("sieve_global_dir", "sieve_script storage { } with its own path"),
    ("sieve_global_path", "sieve_script storage { type = default }"),
    ("verbose_ssl", "log_debug = category=ssl"),
];

/// Defaults that both generations share.
const DEFAULTS: &[(&str, &str)] = &[
    ("auth_allow_cleartext", "no"),
    ("auth_cache_negative_ttl", "1 hours"),
    ("auth_cache_size", "0"),
    ("auth_cache_ttl", "1 hours"),
    ("auth_debug_passwords", "no"),
    ("auth_failure_delay", "2 secs"),
    ("auth_master_user_separator", ""),
    ("auth_mechanisms", "plain"),
    ("auth_policy_check_before_auth", "yes"),
    ("auth_policy_server_url", ""),
    ("auth_username_chars", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@"),
    ("auth_verbose", "no"),
    ("auth_verbose_passwords", "no"),
    ("auth_ssl_require_client_cert", "no"),
    ("base_dir", "/run/dovecot"),
    ("default_internal_user", "dovecot"),
    ("default_internal_group", "dovecot"),
    ("default_login_user", "dovenull"),
    ("doveadm_password", ""),
    ("doveadm_port", "0"),
    ("doveadm_ssl", "no"),
    ("first_valid_uid", "500"),
    ("haproxy_trusted_networks", ""),
    ("last_valid_uid", "0"),
    ("listen", "*, ::"),
    ("login_trusted_networks", ""),
    ("mail_max_userip_connections", "10"),
    ("mail_plugins", ""),
    ("recipient_delimiter", "+"),
    ("ssl", "yes"),
    ("ssl_cipher_suites", ""),
    ("ssl_curve_list", ""),
    ("ssl_min_protocol", "TLSv1.2"),
    ("ssl_options", ""),
    ("ssl_server_cert_file", ""),
    ("ssl_server_dh_file", ""),
    ("ssl_server_key_file", ""),
];

/// Defaults of 2.3 alone.
const DEFAULTS_2_3: &[(&str, &str)] = &[
    ("auth_debug", "no"),
    ("auth_worker_max_count", "30"),
    ("imap_id_send", "name *"),
    ("login_greeting", "Dovecot ready."),
    ("login_log_format_elements", "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>"),
    ("mail_debug", "no"),
    ("mail_home", ""),
    ("mail_location", ""),
    ("protocols", "imap pop3 lmtp"),
    (
        "ssl_cipher_list",
        "ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL:!EXPORT:!DES:!3DES:!MD5:!PSK:!RC4:!ADH:!LOW@STRENGTH",
    ),
    ("ssl_prefer_server_ciphers", "no"),
    ("ssl_verify_client_cert", "no"),
    ("verbose_ssl", "no"),
];

/// Defaults of 2.4 alone.
const DEFAULTS_2_4: &[(&str, &str)] = &[
    ("imap_id_send", "name"),
    ("log_debug", ""),
    ("login_greeting", "Dovecot ready."),
    (
        "login_log_format_elements",
        "user=<%{user}> method=%{mechanism} rip=%{remote_ip} lip=%{local_ip} mpid=%{mail_pid} %{secured} session=<%{session}>",
    ),
    ("mail_debug", "no"),
    ("mail_driver", ""),
    ("mail_home", ""),
    ("mail_path", ""),
    ("protocols", ""),
    (
        "ssl_cipher_list",
        "ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL:!EXPORT:!DES:!3DES:!MD5:!PSK:!RC4:!ADH:!LOW@STRENGTH",
    ),
    ("ssl_server_prefer_ciphers", "client"),
    ("ssl_server_request_client_cert", "no"),
];

impl Turn {
    fn forth(self, value: &str) -> String {
        match (self, value) {
            (Self::Not | Self::Prefers, "") => String::new(),
            (Self::Not, _) => flag(!is_yes(value)).to_owned(),
            (Self::Prefers, _) => if is_yes(value) { "server" } else { "client" }.to_owned(),
            (Self::File, _) => value.strip_prefix('<').unwrap_or(value).to_owned(),
            (Self::Same, _) => value.to_owned(),
        }
    }

    fn back(self, value: &str) -> String {
        match (self, value) {
            (Self::Not | Self::Prefers | Self::File, "") => String::new(),
            (Self::Not, _) => flag(!is_yes(value)).to_owned(),
            (Self::Prefers, _) => flag(value == "server").to_owned(),
            (Self::File, _) => format!("<{value}"),
            (Self::Same, _) => value.to_owned(),
        }
    }
}

/// Whether a value says yes, as Dovecot reads it: `yes`, `y...`, `1`.
#[must_use]
pub fn is_yes(value: &str) -> bool {
    value == "1" || value.starts_with(['y', 'Y'])
}

/// A time as Dovecot writes it, in seconds, rounded up: `2 secs`, `1h`, `500 ms`, `0`.
#[must_use]
pub fn seconds(value: &str) -> Option<u64> {
    let value = value.trim().to_ascii_lowercase();
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim();
    let factor = match unit {
        _ if unit.starts_with("ms") || unit.starts_with("mil") => return Some(number.div_ceil(1000)),
        "" => 1,
        _ if unit.starts_with('s') => 1,
        _ if unit.starts_with('m') => 60,
        _ if unit.starts_with('h') => 3600,
        _ if unit.starts_with('d') => 86_400,
        _ if unit.starts_with('w') => 604_800,
        _ => return None,
    };
    number.checked_mul(factor)
}

const fn flag(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// The other generation's name of a setting.
pub(crate) fn other(name: &str) -> Option<&'static str> {
    RENAMED.iter().find_map(|(old, new, _)| match name {
        _ if name == *old => Some(*new),
        _ if name == *new => Some(*old),
        _ => None,
    })
}

/// What a setting is called in 2.4, or in 2.3.
pub(crate) fn called(name: &str, modern: bool) -> &str {
    let renamed = RENAMED.iter().find(|(old, new, _)| name == *old || name == *new);
    renamed.map_or(name, |(old, new, _)| if modern { new } else { old })
}

/// Name and value as a generation writes them, from those of 2.4.
pub(crate) fn spelled(name: &str, value: &str, modern: bool) -> (String, String) {
    let renamed = RENAMED.iter().find(|(old, new, _)| name == *old || name == *new);
    match renamed {
        Some((old, _, turn)) if !modern => ((*old).to_owned(), turn.back(value)),
        Some((_, new, _)) => ((*new).to_owned(), value.to_owned()),
        None => (name.to_owned(), value.to_owned()),
    }
}

/// What 2.4 has in place of a setting of 2.3, if 2.4 does not know it.
pub(crate) fn since_2_4(name: &str) -> Option<&'static str> {
    let renamed = RENAMED.iter().find(|(old, ..)| name == *old).map(|(_, new, _)| *new);
    renamed.or_else(|| ENDED.iter().find(|(old, _)| name == *old).map(|(_, instead)| *instead))
}

/// What 2.3 calls a setting that only 2.4 knows.
pub(crate) fn before_2_4(name: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(_, new, _)| name == *new).map(|(old, ..)| *old)
}

/// Puts every setting under the names of both generations.
pub(crate) fn both(mut settings: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for (old, new, turn) in RENAMED {
        match (settings.get(*old), settings.get(*new)) {
            (Some(value), None) => drop(settings.insert((*new).to_owned(), turn.forth(value))),
            (None, Some(value)) => drop(settings.insert((*old).to_owned(), turn.back(value))),
            _ => {}
        }
    }
    located(&mut settings);
    settings
}

/// `mail_location` of 2.3 is `mail_driver` and `mail_path` of 2.4.
fn located(settings: &mut BTreeMap<String, String>) {
    let Some(location) = settings.get("mail_location").cloned() else { return };
    let Some((driver, rest)) = location.split_once(':') else { return };
    let path = rest.split(':').next().unwrap_or_default();
    settings.entry("mail_driver".to_owned()).or_insert_with(|| driver.to_owned());
    settings.entry("mail_path".to_owned()).or_insert_with(|| path.to_owned());
}

/// The defaults of a generation, under the names of both.
pub(crate) fn defaults(modern: bool) -> BTreeMap<String, String> {
    let own = if modern { DEFAULTS_2_4 } else { DEFAULTS_2_3 };
    let all = DEFAULTS.iter().chain(own);
    both(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}
