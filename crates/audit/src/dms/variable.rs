//! The variables that docker-mailserver 15 reads. Whatever is not here is read by nobody.

/// A variable that docker-mailserver reads.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is when nobody sets it, or sets it to nothing.
    pub default: &'static str,
    /// The values it may have; empty for free text.
    pub values: &'static [&'static str],
}

const SWITCH: &[&str] = &["0", "1"];
const PROTOCOLS: &[&str] = &["all", "ipv4", "ipv6"];

const fn switch(name: &'static str, default: &'static str) -> Variable {
    Variable { name, default, values: SWITCH }
}

const fn free(name: &'static str, default: &'static str) -> Variable {
    Variable { name, default, values: &[] }
}

const fn choice(name: &'static str, default: &'static str, values: &'static [&'static str]) -> Variable {
    Variable { name, default, values }
}

/// All, by name. Any of them may come as `NAME__FILE` instead.
pub const VARIABLES: &[Variable] = &[
    choice("ACCOUNT_PROVISIONER", "FILE", &["FILE", "LDAP", "OIDC"]),
    free("AMAVIS_LOGLEVEL", "0"),
    free("CLAMAV_MESSAGE_SIZE_LIMIT", "25M"),
    free("DEFAULT_RELAY_HOST", ""),
    free("DMS_CONFIG_POLL", "2"),
    free("DMS_VMAIL_GID", "5000"),
    free("DMS_VMAIL_UID", "5000"),
    free("DOVECOT_AUTH_BIND", "no"),
    switch("DOVECOT_ENABLE_INBOX_SHARING", "0"),
    choice("DOVECOT_INET_PROTOCOLS", "all", PROTOCOLS),
    choice("DOVECOT_MAILBOX_FORMAT", "maildir", &["maildir", "sdbox", "mdbox"]),
    free("DOVECOT_NAMESPACE_SEPARATOR", ""),
    free("DOVECOT_PASS_FILTER", ""),
    free("DOVECOT_TLS", "no"),
    free("DOVECOT_USER_FILTER", ""),
    switch("ENABLE_AMAVIS", "1"),
    switch("ENABLE_CLAMAV", "0"),
    switch("ENABLE_DNSBL", "0"),
    switch("ENABLE_FAIL2BAN", "0"),
    switch("ENABLE_FETCHMAIL", "0"),
    switch("ENABLE_GETMAIL", "0"),
    switch("ENABLE_IMAP", "1"),
    switch("ENABLE_MANAGESIEVE", "0"),
    switch("ENABLE_MTA_STS", "0"),
    switch("ENABLE_OAUTH2", "0"),
    switch("ENABLE_OPENDKIM", "1"),
    switch("ENABLE_OPENDMARC", "1"),
    switch("ENABLE_POLICYD_SPF", "1"),
    switch("ENABLE_POP3", "0"),
    switch("ENABLE_POSTGREY", "0"),
    switch("ENABLE_QUOTAS", "1"),
    switch("ENABLE_RSPAMD", "0"),
    // Its default is the value of ENABLE_RSPAMD.
    switch("ENABLE_RSPAMD_REDIS", ""),
    switch("ENABLE_SASLAUTHD", "0"),
    switch("ENABLE_SPAMASSASSIN", "0"),
    switch("ENABLE_SPAMASSASSIN_KAM", "0"),
    switch("ENABLE_SRS", "0"),
    switch("ENABLE_UPDATE_CHECK", "1"),
    choice("FAIL2BAN_BLOCKTYPE", "drop", &["drop", "reject"]),
    switch("FETCHMAIL_PARALLEL", "0"),
    free("FETCHMAIL_POLL", "300"),
    free("GETMAIL_POLL", "5"),
    free("LDAP_BIND_DN", ""),
    free("LDAP_BIND_PW", ""),
    free("LDAP_QUERY_FILTER_ALIAS", ""),
    free("LDAP_QUERY_FILTER_DOMAIN", ""),
    free("LDAP_QUERY_FILTER_GROUP", ""),
    free("LDAP_QUERY_FILTER_SENDERS", ""),
    free("LDAP_QUERY_FILTER_USER", ""),
    free("LDAP_SEARCH_BASE", ""),
    free("LDAP_SERVER_HOST", ""),
    free("LDAP_START_TLS", "no"),
    free("LOGROTATE_COUNT", "4"),
    choice("LOGROTATE_INTERVAL", "weekly", &["daily", "weekly", "monthly"]),
    choice("LOGWATCH_INTERVAL", "none", &["none", "daily", "weekly"]),
    free("LOGWATCH_RECIPIENT", ""),
    free("LOGWATCH_SENDER", ""),
    choice("LOG_LEVEL", "info", &["trace", "debug", "info", "warn", "error"]),
    switch("MARK_SPAM_AS_READ", "0"),
    switch("MOVE_SPAM_TO_JUNK", "1"),
    free("NETWORK_INTERFACE", "eth0"),
    free("OAUTH2_INTROSPECTION_URL", ""),
    free("OVERRIDE_HOSTNAME", ""),
    choice("PERMIT_DOCKER", "none", &["none", "container", "host", "network", "connected-networks"]),
    free("PFLOGSUMM_RECIPIENT", ""),
    free("PFLOGSUMM_SENDER", ""),
    choice("PFLOGSUMM_TRIGGER", "none", &["none", "daily_cron", "logrotate"]),
    free("POSTFIX_DAGENT", ""),
    choice("POSTFIX_INET_PROTOCOLS", "all", PROTOCOLS),
    free("POSTFIX_MAILBOX_SIZE_LIMIT", "0"),
    free("POSTFIX_MESSAGE_SIZE_LIMIT", "10240000"),
    switch("POSTFIX_REJECT_UNKNOWN_CLIENT_HOSTNAME", "0"),
    free("POSTGREY_AUTO_WHITELIST_CLIENTS", "5"),
    free("POSTGREY_DELAY", "300"),
    free("POSTGREY_MAX_AGE", "35"),
    free("POSTGREY_TEXT", "Delayed by Postgrey"),
    free("POSTMASTER_ADDRESS", ""),
    choice("POSTSCREEN_ACTION", "enforce", &["enforce", "drop", "ignore"]),
    free("RELAY_HOST", ""),
    free("RELAY_PASSWORD", ""),
    free("RELAY_PORT", "25"),
    free("RELAY_USER", ""),
    free("REPORT_RECIPIENT", ""),
    free("REPORT_SENDER", ""),
    switch("RSPAMD_CHECK_AUTHENTICATED", "0"),
    switch("RSPAMD_GREYLISTING", "0"),
    switch("RSPAMD_HFILTER", "1"),
    free("RSPAMD_HFILTER_HOSTNAME_UNKNOWN_SCORE", "6"),
    switch("RSPAMD_LEARN", "0"),
    switch("RSPAMD_NEURAL", "0"),
    free("SASLAUTHD_LDAP_AUTH_METHOD", "bind"),
    free("SASLAUTHD_LDAP_BIND_DN", ""),
    free("SASLAUTHD_LDAP_FILTER", ""),
    free("SASLAUTHD_LDAP_MECH", ""),
    free("SASLAUTHD_LDAP_PASSWORD", ""),
    free("SASLAUTHD_LDAP_PASSWORD_ATTR", ""),
    free("SASLAUTHD_LDAP_SEARCH_BASE", ""),
    free("SASLAUTHD_LDAP_SERVER", ""),
    free("SASLAUTHD_LDAP_START_TLS", ""),
    free("SASLAUTHD_LDAP_TLS_CACERT_DIR", ""),
    free("SASLAUTHD_LDAP_TLS_CACERT_FILE", ""),
    free("SASLAUTHD_LDAP_TLS_CHECK_PEER", ""),
    free("SASLAUTHD_MECHANISMS", "pam"),
    free("SASLAUTHD_MECH_OPTIONS", ""),
    free("SA_KILL", "10.0"),
    free("SA_TAG", "2.0"),
    free("SA_TAG2", "6.31"),
    switch("SMTP_ONLY", "0"),
    switch("SPAMASSASSIN_SPAM_TO_INBOX", "1"),
    free("SPAM_SUBJECT", ""),
    switch("SPOOF_PROTECTION", "0"),
    free("SRS_DOMAINNAME", ""),
    free("SRS_EXCLUDE_DOMAINS", ""),
    free("SRS_SECRET", ""),
    free("SRS_SENDER_CLASSES", "envelope_sender"),
    free("SSL_ALT_CERT_PATH", ""),
    free("SSL_ALT_KEY_PATH", ""),
    free("SSL_CERT_PATH", ""),
    free("SSL_DOMAIN", ""),
    free("SSL_KEY_PATH", ""),
    choice("SSL_TYPE", "", &["", "letsencrypt", "custom", "manual", "self-signed"]),
    choice("SUPERVISOR_LOGLEVEL", "warn", &["critical", "error", "warn", "info", "debug"]),
    choice("TLS_LEVEL", "modern", &["modern", "intermediate"]),
    free("TZ", ""),
    free("UPDATE_CHECK_INTERVAL", "1d"),
    free("VIRUSMAILS_DELETE_DELAY", "7"),
];

/// Variables that mean something to the container's system, or to companions that read the environment of their neighbours
/// (nginx-proxy, acme-companion, watchtower), though not to docker-mailserver.
const OTHERS: &[&str] = &[
    "ACME_",
    "CERTBOT_",
    "COMPOSE_",
    "DEBIAN_FRONTEND",
    "DOCKER_",
    "HOME",
    "HOSTNAME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LC_",
    "LETSENCRYPT_",
    "NO_PROXY",
    "PATH",
    "TERM",
    "TRAEFIK_",
    "VIRTUAL_HOST",
    "VIRTUAL_PORT",
    "WATCHTOWER_",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What earlier releases read and 15 does not, with what took its place.
const GONE: &[(&str, &str)] = &[
    ("DMS_DEBUG", "LOG_LEVEL"),
    ("ENABLE_ELK_FORWARDER", ""),
    ("ENABLE_LDAP", "ACCOUNT_PROVISIONER=LDAP"),
    ("ENABLE_POSTFIX_VIRTUAL_TRANSPORT", "POSTFIX_DAGENT"),
    ("ONE_DIR", ""),
    ("REPORT_INTERVAL", "PFLOGSUMM_TRIGGER"),
    ("SA_SPAM_SUBJECT", "SPAM_SUBJECT"),
];

/// The variable of a name, of a `NAME__FILE` too.
#[must_use]
pub fn variable(name: &str) -> Option<&'static Variable> {
    let name = name.strip_suffix("__FILE").unwrap_or(name);
    VARIABLES.binary_search_by(|variable| variable.name.cmp(name)).ok().and_then(|at| VARIABLES.get(at))
}

/// Whether somebody else than docker-mailserver has a use for it.
pub(super) fn belongs_elsewhere(name: &str) -> bool {
    OTHERS.iter().any(|other| if other.ends_with('_') { name.starts_with(other) } else { name == *other })
}

/// What took the place of a variable of earlier releases.
pub(crate) fn replaced(name: &str) -> Option<&'static str> {
    GONE.iter().find(|(gone, _)| *gone == name).map(|(_, instead)| *instead)
}

/// The known variable that a name is most likely a slip of.
pub(crate) fn meant(name: &str) -> Option<&'static str> {
    let near = |known: &&Variable| distance(known.name, name);
    let nearest = VARIABLES.iter().min_by_key(near)?;
    (distance(nearest.name, name) <= 2 && name.len() > 4).then_some(nearest.name)
}

/// How many letters have to be put in, taken out or changed to make one name of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(other.bytes()) {
            let change = diagonal + usize::from(a != b);
            diagonal = *cell;
            *cell = change.min(left + 1).min(diagonal + 1);
            left = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_defaults_are_values() {
        assert!(VARIABLES.is_sorted_by_key(|variable| variable.name));
        for variable in VARIABLES {
            let fits = variable.values.is_empty() || variable.values.contains(&variable.default);
            assert!(fits || variable.name == "ENABLE_RSPAMD_REDIS", "{}", variable.name);
        }
    }

    #[test]
    fn slips_are_recognised() {
        assert_eq!(meant("SPOOF_PROTECTON"), Some("SPOOF_PROTECTION"));
        assert_eq!(meant("ENABLE_FAILBAN"), Some("ENABLE_FAIL2BAN"));
        assert_eq!(meant("POSTFIX_SMTPD_TLS_SECURITY_LEVEL"), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert!(variable("RELAY_PASSWORD__FILE").is_some());
    }
}
