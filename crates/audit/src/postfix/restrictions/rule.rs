//! The rules of a restriction list.

use core::fmt;

use crate::postfix::elements;

/// A rule of a restriction list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, in lower case: `check_sender_access`.
    pub name: String,
    /// What it is applied with: a table, a list in the DNS, a policy service.
    pub argument: Option<String>,
    /// Whether it only warns: `warn_if_reject` stands before it or before one that it belongs to.
    pub only_warns: bool,
}

/// Rules that take an argument, other than `check_*_access`.
const WITH_ARGUMENT: [&str; 13] = [
    "check_policy_service",
    "permit_dnswl_client",
    "permit_rhswl_client",
    "reject_maps_rbl",
    "reject_rbl",
    "reject_rbl_client",
    "reject_rhsbl_client",
    "reject_rhsbl_helo",
    "reject_rhsbl_recipient",
    "reject_rhsbl_reverse_client",
    "reject_rhsbl_sender",
    "sleep",
    "check_etrn_access",
];

/// Rules that take none. See postconf(5), smtpd_recipient_restrictions.
const KNOWN: [&str; 41] = [
    "check_relay_domains",
    "defer",
    "defer_if_permit",
    "defer_if_reject",
    "defer_unauth_destination",
    "permit",
    "permit_auth_destination",
    "permit_inet_interfaces",
    "permit_mx_backup",
    "permit_mynetworks",
    "permit_naked_ip_address",
    "permit_sasl_authenticated",
    "permit_tls_all_clientcerts",
    "permit_tls_clientcerts",
    "reject",
    "reject_authenticated_sender_login_mismatch",
    "reject_invalid_helo_hostname",
    "reject_invalid_hostname",
    "reject_known_sender_login_mismatch",
    "reject_multi_recipient_bounce",
    "reject_non_fqdn_helo_hostname",
    "reject_non_fqdn_hostname",
    "reject_non_fqdn_recipient",
    "reject_non_fqdn_sender",
    "reject_plaintext_session",
    "reject_sender_login_mismatch",
    "reject_unauth_destination",
    "reject_unauth_pipelining",
    "reject_unauthenticated_sender_login_mismatch",
    "reject_unlisted_recipient",
    "reject_unlisted_sender",
    "reject_unverified_recipient",
    "reject_unverified_sender",
    "reject_rhsbl_client",
    "reject_rhsbl_helo",
    "reject_rhsbl_sender",
    "reject_rhsbl_recipient",
    "reject_rbl_client",
    "reject_maps_rbl",
    "permit_dnswl_client",
    "sleep",
];

impl Rule {
    /// Whether it looks something up in a table.
    #[must_use]
    pub fn is_access_table(&self) -> bool {
        self.name.starts_with("check_") && self.name.ends_with("_access")
    }

    /// Whether Postfix has such a rule.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let name = self.name.as_str();
        KNOWN.contains(&name)
            || WITH_ARGUMENT.contains(&name)
            || self.is_access_table() && self.argument.is_some()
            || name.starts_with("reject_unknown_")
    }

    /// Whether nothing after it is ever asked.
    #[must_use]
    pub fn ends_list(&self) -> bool {
        !self.only_warns && matches!(self.name.as_str(), "permit" | "reject" | "defer")
            || self.name == "permit"
    }
}

/// The rules of an expanded list. `warn_if_reject` belongs to the rule behind it.
#[must_use]
pub fn rules(list: &str) -> Vec<Rule> {
    let mut words = elements(list).into_iter().peekable();
    let (mut rules, mut only_warns) = (Vec::new(), false);
    while let Some(word) = words.next() {
        let name = word.to_ascii_lowercase();
        if name == "warn_if_reject" {
            only_warns = true;
            continue;
        }
        let (name, argument) = if word.contains(':') {
            // A table alone stands for the list's own kind of look-up.
            ("check_access".to_owned(), Some(word.to_owned()))
        } else if takes_argument(&name) {
            (name, words.next().map(str::to_owned))
        } else {
            (name, None)
        };
        rules.push(Rule { name, argument, only_warns });
        only_warns = false;
    }
    rules
}

/// Whether the word after a rule's name belongs to it.
pub(crate) fn takes_argument(name: &str) -> bool {
    name.ends_with("_access") || WITH_ARGUMENT.contains(&name) && name != "reject_maps_rbl"
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name.as_str(), &self.argument) {
            ("check_access", Some(argument)) => f.write_str(argument),
            (name, Some(argument)) => write!(f, "{name} {argument}"),
            (name, None) => f.write_str(name),
        }
    }
}
