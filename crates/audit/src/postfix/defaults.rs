//! Defaults of parameters, for a server whose `postconf -d` is not known. Those of `defaults.cf` are what Postfix 3.7 prints;
//! what other versions do otherwise stands here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::version::Version;

const OF_3_7: &str = include_str!("defaults.cf");

static TABLE: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let pairs = OF_3_7.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim())).collect()
});

/// A parameter, the version that changed its default, and the default before and from then on; none where the parameter did not
/// exist before.
type Change = (&'static str, Version, Option<&'static str>, &'static str);

const V3_4: Version = Version(3, 4, 0);
const V3_5: Version = Version(3, 5, 0);
const V3_6: Version = Version(3, 6, 0);
const V3_8: Version = Version(3, 8, 0);
const V3_9: Version = Version(3, 9, 0);
const V3_10: Version = Version(3, 10, 0);
const V3_11: Version = Version(3, 11, 0);

/// Release notes of Postfix 3.4 to 3.11.
const CHANGES: &[Change] = &[
    ("lmtp_tls_mandatory_protocols", V3_6, Some("!SSLv2, !SSLv3"), ">=TLSv1"),
    ("lmtp_tls_protocols", V3_6, Some("!SSLv2, !SSLv3"), ">=TLSv1"),
    ("smtp_tls_mandatory_protocols", V3_6, Some("!SSLv2, !SSLv3"), ">=TLSv1"),
    ("smtp_tls_protocols", V3_6, Some("!SSLv2, !SSLv3"), ">=TLSv1"),
    ("smtp_tls_security_level", V3_11, Some(""), "${{$compatibility_level} >=level {3.11} ? {may} : {}}"),
    ("smtpd_client_ipv4_prefix_length", V3_8, None, "32"),
    ("smtpd_client_ipv6_prefix_length", V3_8, None, "84"),
    ("smtpd_forbid_bare_newline", V3_9, Some("no"), "normalize"),
    ("smtpd_forbid_unauth_pipelining", V3_9, Some("no"), "yes"),
    ("smtpd_hide_client_session", V3_10, None, "no"),
    (
        "smtpd_relay_before_recipient_restrictions",
        V3_6,
        None,
        "${{$compatibility_level} <level {3.6} ? {no} : {yes}}",
    ),
    ("smtpd_sasl_mechanism_filter", V3_6, None, "!external, static:rest"),
    ("smtpd_tls_chain_files", V3_4, None, ""),
    ("smtpd_tls_mandatory_protocols", V3_6, Some("!SSLv2, !SSLv3"), ">=TLSv1"),
    ("smtpd_tls_protocols", V3_6, Some("!SSLv2, !SSLv3"), ">=TLSv1"),
    ("tls_server_sni_maps", V3_4, None, ""),
    ("info_log_address_format", V3_5, None, "external"),
];

/// The default of a parameter, unexpanded; none if it is not in the table, or depends on a version that is not known.
#[must_use]
pub(super) fn default_of(parameter: &str, version: Option<Version>) -> Option<&'static str> {
    if let Some((_, since, before, after)) = CHANGES.iter().find(|(name, ..)| *name == parameter) {
        return if version? >= *since { Some(after) } else { *before };
    }
    TABLE.get(parameter).copied()
}

/// The names of the parameters that a Postfix usually has, for a server whose `postconf -d` is not known.
pub(crate) fn usual_parameters() -> impl Iterator<Item = &'static str> {
    let of_machine = ["mail_version", "mydomain", "myhostname", "mynetworks"];
    TABLE.keys().copied().chain(CHANGES.iter().map(|(name, ..)| *name)).chain(of_machine)
}
