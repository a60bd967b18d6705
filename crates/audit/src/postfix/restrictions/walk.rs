//! The walk along one restriction list.

use crate::Untold;
use crate::postfix::restrictions::access::Answer;
use crate::postfix::restrictions::{Doubt, End, Request, Rule, Verdict, rules};
use crate::postfix::{Networks, Postfix, Service, elements};

/// Restriction classes and tables may name one another.
const DEPTH: usize = 20;

/// The walk along one list.
pub(super) struct Walk<'w> {
    postfix: &'w Postfix<'w>,
    service: &'w Service,
    request: &'w Request<'w>,
    list: &'static str,
    value: String,
    place: String,
    classes: String,
    stage: Stage,
    defer_if_permit: bool,
    doubts: &'w mut Vec<Doubt>,
}

/// How far the client has come when the list is asked, with `smtpd_delay_reject = no`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Connected,
    Greeted,
    Sender,
    Recipient,
}

/// What a rule says.
enum Said {
    Nothing,
    Verdict { verdict: Verdict, because: String, found_at: String },
}

const NOTHING: Result<Said, Untold> = Ok(Said::Nothing);

impl<'w> Walk<'w> {
    pub(super) fn new(
        postfix: &'w Postfix<'w>,
        service: &'w Service,
        request: &'w Request<'w>,
        list: &'static str,
        doubts: &'w mut Vec<Doubt>,
    ) -> Result<Self, Untold> {
        let effective = postfix.in_service(service, list)?;
        let stage = match list {
            _ if postfix.is_on(service, "smtpd_delay_reject")? => Stage::Recipient,
            "smtpd_client_restrictions" => Stage::Connected,
            "smtpd_helo_restrictions" => Stage::Greeted,
            "smtpd_sender_restrictions" => Stage::Sender,
            _ => Stage::Recipient,
        };
        Ok(Self {
            postfix,
            service,
            request,
            list,
            value: effective.value,
            place: effective.place,
            classes: postfix.in_service(service, "smtpd_restriction_classes")?.value,
            stage,
            defer_if_permit: false,
            doubts,
        })
    }

    /// How the list ends.
    pub(super) fn list(&mut self) -> Result<End, Untold> {
        let rules = rules(&self.value);
        let (rule, verdict, because, found_at) = match self.rules(&rules, DEPTH)? {
            Some((rule, verdict, because, found_at)) => (Some(rule), verdict, because, found_at),
            None => (None, Verdict::Accepted, String::new(), String::new()),
        };
        Ok(End { list: self.list, place: self.place.clone(), rule, because, found_at, verdict })
    }

    /// Whether a rule asked to refuse for now what is not refused.
    pub(super) const fn defers_if_permitted(&self) -> bool {
        self.defer_if_permit
    }

    fn rules(
        &mut self,
        rules: &[Rule],
        depth: usize,
    ) -> Result<Option<(String, Verdict, String, String)>, Untold> {
        for rule in rules {
            match self.rule(rule, depth)? {
                Said::Verdict { verdict, .. } if rule.only_warns && verdict != Verdict::Accepted => {}
                Said::Verdict { verdict, because, found_at } => {
                    return Ok(Some((rule.to_string(), verdict, because, found_at)));
                }
                Said::Nothing => {}
            }
        }
        Ok(None)
    }

    fn rule(&mut self, rule: &Rule, depth: usize) -> Result<Said, Untold> {
        match rule.name.as_str() {
            "permit" => said(Verdict::Accepted),
            "reject" => said(Verdict::Refused),
            "defer" => said(Verdict::Deferred),
            "defer_if_permit" => {
                self.defer_if_permit |= !rule.only_warns;
                NOTHING
            }
            "permit_mynetworks" => self.permit_mynetworks(rule),
            "permit_inet_interfaces" if self.postfix.is_own_address(self.request.client) => {
                said(Verdict::Accepted)
            }
            "permit_sasl_authenticated" if self.login()?.is_some() => said(Verdict::Accepted),
            "reject_plaintext_session" if !self.request.encrypted => {
                let code = self.postfix.need("plaintext_reject_code")?;
                said(if code.starts_with('4') { Verdict::Deferred } else { Verdict::Refused })
            }
            "check_policy_service" => self.doubt(rule, "what a policy service answers is not known", true),
            "check_access"
            | "check_client_access"
            | "check_reverse_client_hostname_access"
            | "check_helo_access"
            | "check_sender_access"
            | "check_recipient_access"
            | "check_sasl_access" => self.access(rule, depth),
            name if name.ends_with("_sender_login_mismatch") => self.login_mismatch(rule),
            "reject_unauth_destination" => self.unauthorised(Verdict::Refused),
            "defer_unauth_destination" => self.unauthorised(Verdict::Deferred),
            "permit_auth_destination" if self.is_recipient() && self.authorised()? => said(Verdict::Accepted),
            "check_relay_domains" if self.is_recipient() => {
                if self.authorised()? {
                    said(Verdict::Accepted)
                } else {
                    said(Verdict::Refused)
                }
            }
            "permit_mx_backup" if self.is_recipient() => {
                self.doubt(rule, "it permits every domain whose MX records name this server", true)
            }
            name if self.spelt(name) => NOTHING,
            name if elements(&self.classes).contains(&name) => self.class(rule, depth),
            name if name.contains("_mx_access")
                || name.contains("_ns_access")
                || name.contains("_a_access") =>
            {
                NOTHING
            }
            _ if rule.is_known() => NOTHING,
            _ => because(Verdict::Deferred, "smtpd knows no such rule, and answers 451 to everybody", ""),
        }
    }

    fn is_recipient(&self) -> bool {
        self.stage >= Stage::Recipient
    }

    /// Logins exist only where the service offers AUTH.
    fn login(&self) -> Result<Option<&'w str>, Untold> {
        let offered = self.postfix.is_on(self.service, "smtpd_sasl_auth_enable")?;
        Ok(self.request.login.filter(|_| offered && self.stage >= Stage::Sender))
    }

    fn permit_mynetworks(&mut self, rule: &Rule) -> Result<Said, Untold> {
        let networks = self.postfix.networks(Some(self.service))?;
        match networks.contains(self.request.client) {
            Some(true) => because(Verdict::Accepted, &network_of(&networks, self.request), &networks.place),
            Some(false) => NOTHING,
            None => self.doubt(rule, &format!("{} could not be read", networks.unread.join(", ")), true),
        }
    }

    fn unauthorised(&self, verdict: Verdict) -> Result<Said, Untold> {
        if self.is_recipient() && !self.authorised()? { said(verdict) } else { NOTHING }
    }

    /// Whether the recipient is ours, or one that we relay to. A domain that is in nothing that is known is taken to be of others.
    fn authorised(&self) -> Result<bool, Untold> {
        let Some((local, domain)) = self.request.recipient.rsplit_once('@') else { return Ok(true) };
        let routed = local.contains(['@', '%', '!']);
        if routed && !self.postfix.is_on(self.service, "allow_untrusted_routing")? {
            return Ok(false);
        }
        Ok(matches!(self.postfix.class_of(Some(self.service), domain), Ok(Some(_))))
    }

    /// Rules about how names and addresses are spelt.
    fn spelt(&self, name: &str) -> bool {
        // They refuse what no real mail server says; a client that means to pass spells right.
        name.starts_with("reject_non_fqdn_") || name.starts_with("reject_invalid_")
    }

    fn access(&mut self, rule: &Rule, depth: usize) -> Result<Said, Untold> {
        let Some(table) = rule.argument.as_deref() else {
            return because(Verdict::Deferred, "it names no table, and smtpd answers 451 to everybody", "");
        };
        let (postfix, request) = (self.postfix, self.request);
        let found = match self.asked_of(&rule.name) {
            Asked::Client => postfix.access_of_client(table, request.client_name, request.client),
            Asked::Name if self.stage >= Stage::Greeted => postfix.access_of_name(table, request.helo),
            Asked::Sender if self.stage >= Stage::Sender => postfix.access_of_address(table, request.sender),
            Asked::Recipient if self.is_recipient() => postfix.access_of_address(table, request.recipient),
            Asked::Login => match self.login()? {
                Some(login) => postfix.access_of_address(table, login),
                None => return NOTHING,
            },
            _ => return NOTHING,
        };
        match found {
            Ok(Some(answer)) => self.action(rule, &answer, depth),
            Ok(None) => NOTHING,
            Err(Untold::CouldNotTell(why) | Untold::NotApplicable(why)) => self.doubt(rule, &why, true),
        }
    }

    fn asked_of(&self, name: &str) -> Asked {
        match (name, self.list) {
            ("check_client_access" | "check_reverse_client_hostname_access", _)
            | ("check_access", "smtpd_client_restrictions") => Asked::Client,
            ("check_helo_access", _) | ("check_access", "smtpd_helo_restrictions") => Asked::Name,
            ("check_sender_access", _) | ("check_access", "smtpd_sender_restrictions") => Asked::Sender,
            ("check_sasl_access", _) => Asked::Login,
            _ => Asked::Recipient,
        }
    }

    /// What an entry's action does. See access(5), "ACCEPT ACTIONS", "REJECT ACTIONS", "OTHER ACTIONS".
    fn action(&mut self, rule: &Rule, answer: &Answer, depth: usize) -> Result<Said, Untold> {
        let word = answer.action.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let decides = |verdict| because(verdict, &answer.entry, &answer.place);
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        match word.as_str() {
            "OK" | "RELAY" | "DISCARD" => decides(Verdict::Accepted),
            "REJECT" => decides(Verdict::Refused),
            "DEFER" => decides(Verdict::Deferred),
            "DEFER_IF_PERMIT" => {
                self.defer_if_permit |= !rule.only_warns;
                NOTHING
            }
            "" | "DUNNO" | "DEFER_IF_REJECT" | "FILTER" | "REDIRECT" | "BCC" | "PREPEND" | "WARN"
            | "INFO" | "HOLD" => NOTHING,
            reply if digits && reply.len() == 3 && reply.starts_with('4') => decides(Verdict::Deferred),
            reply if digits && reply.len() == 3 && reply.starts_with('5') => decides(Verdict::Refused),
            _ if digits => decides(Verdict::Accepted),
            _ => self.nested(rule, &answer.action, &answer.place, depth),
        }
    }

    fn class(&mut self, rule: &Rule, depth: usize) -> Result<Said, Untold> {
        let effective = self.postfix.in_service(self.service, &rule.name)?;
        self.nested(rule, &effective.value, &effective.place, depth)
    }

    fn nested(&mut self, rule: &Rule, list: &str, place: &str, depth: usize) -> Result<Said, Untold> {
        let Some(depth) = depth.checked_sub(1) else {
            return because(Verdict::Deferred, "restriction classes name one another without end", place);
        };
        let mut inner = rules(list);
        for inner in &mut inner {
            inner.only_warns |= rule.only_warns;
        }
        Ok(match self.rules(&inner, depth)? {
            Some((ended, verdict, because, at)) => {
                let because = if because.is_empty() { ended } else { format!("{ended}, {because}") };
                Said::Verdict {
                    verdict,
                    because,
                    found_at: if at.is_empty() { place.to_owned() } else { at },
                }
            }
            None => Said::Nothing,
        })
    }

    /// Whether the sender address belongs to who is logged in. See postconf(5), smtpd_sender_login_maps.
    fn login_mismatch(&mut self, rule: &Rule) -> Result<Said, Untold> {
        let offered = self.postfix.is_on(self.service, "smtpd_sasl_auth_enable")?;
        if !offered || self.stage < Stage::Sender || self.request.sender.is_empty() {
            return NOTHING;
        }
        let maps = self.postfix.in_service(self.service, "smtpd_sender_login_maps")?;
        let (owners, unknown) = self.postfix.owners(&maps.value, self.request.sender);
        let login = self.login()?;
        let owned = login.is_some_and(|login| owners.iter().any(|owner| owner.eq_ignore_ascii_case(login)));
        if !owned && let Some(Untold::CouldNotTell(why) | Untold::NotApplicable(why)) = unknown.first() {
            return self.doubt(rule, why, false);
        }
        let mismatch = match (rule.name.as_str(), login) {
            ("reject_unauthenticated_sender_login_mismatch", Some(_))
            | ("reject_authenticated_sender_login_mismatch", None) => false,
            ("reject_known_sender_login_mismatch", Some(_)) => !owners.is_empty() && !owned,
            (_, Some(_)) => !owned,
            (_, None) => !owners.is_empty(),
        };
        let owners = format!("{} belongs to {}", self.request.sender, name_owners(&owners));
        if mismatch { because(Verdict::Refused, &owners, &maps.place) } else { NOTHING }
    }

    fn doubt(&mut self, rule: &Rule, why: &str, may_permit: bool) -> Result<Said, Untold> {
        let doubt = Doubt { list: self.list, rule: rule.to_string(), why: why.to_owned(), may_permit };
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
        NOTHING
    }
}

/// What an access rule looks up.
enum Asked {
    Client,
    Name,
    Sender,
    Recipient,
    Login,
}

fn said(verdict: Verdict) -> Result<Said, Untold> {
    because(verdict, "", "")
}

#[expect(clippy::unnecessary_wraps, reason = "the type is that of a rule's answer")]
fn because(verdict: Verdict, because: &str, found_at: &str) -> Result<Said, Untold> {
    Ok(Said::Verdict { verdict, because: because.to_owned(), found_at: found_at.to_owned() })
}

fn network_of(networks: &Networks, request: &Request<'_>) -> String {
    let entry = networks.entries.iter().find(|entry| entry.network.contains(request.client));
    entry.map(|entry| format!("{} is in {}", request.client, entry.written)).unwrap_or_default()
}

fn name_owners(owners: &[String]) -> String {
    if owners.is_empty() { "nobody".to_owned() } else { owners.join(", ") }
}
