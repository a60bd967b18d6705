//! Limits of mailboxes: whether there are any, and whether they are noticed in time.

use super::usage::{self, Usage, size};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::dovecot::{Dovecot, Socket};
use crate::facts::Deployment;
use crate::plan::asking::lists_of_role;
use crate::plan::{Change, list};
use crate::postfix::Role;
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static QTA_001: Check = Check {
    id: "QTA-001",
    title: "Quotas are switched on, but no mailbox has a limit",
    severity: Severity::Medium,
    why: "One mailbox, or one flood of mail, can fill the disk; then no mail arrives for anybody.",
    proof: "Dovecot's quota plugin is on, and neither a rule nor an account has a limit: quota_rule (2.4: quota_storage_size), what \
            `doveadm quota get -A` says of every mailbox, docker-mailserver's dovecot-quotas.cf and POSTFIX_MAILBOX_SIZE_LIMIT.",
    fix: "Set a limit for everybody, and one of their own for those who need more.",
    references: &["Dovecot: quota plugin", "docker-mailserver: ENABLE_QUOTAS, dovecot-quotas.cf"],
    judge: qta_001,
};

fn qta_001(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    if !is_on(server)? {
        return not_applicable("the quota plugin is off");
    }
    if let Some(rule) = rule(dovecot) {
        return pass(format!("a rule for everybody: {rule}"));
    }
    let mut evidence = evidence_of_rules(server, dovecot);
    match usage::read(server) {
        Ok(all) if all.iter().any(|one| one.limit.is_some()) => {
            return pass("some mailboxes have a limit of their own");
        }
        Ok(all) if !all.is_empty() => {
            let seen = format!("{} mailboxes, and no limit for any", all.len());
            evidence.push(Evidence { place: "doveadm quota get -A".to_owned(), seen });
        }
        // Limits may come from a user database that only Dovecot can ask.
        _ if !only_files(dovecot) => {
            return could_not_tell(
                "limits may come from a database, and `doveadm quota get -A` said nothing",
            );
        }
        _ if accounts_have_rules(server) => return pass("some accounts have a limit of their own"),
        _ => {}
    }
    let finding =
        Finding::new(Severity::Medium, "", "Quotas are on, but no mailbox has a limit").all_seen(evidence);
    Ok(Outcome::from(with_remedy(server, dovecot, finding)))
}

/// Whether any protocol loads the quota plugin.
fn is_on(server: &Server<'_>) -> Result<bool, Untold> {
    let dovecot = server.dovecot()?;
    Ok(dovecot
        .values("mail_plugins")
        .iter()
        .any(|value| value.value.split([' ', '"']).any(|plugin| plugin == "quota")))
}

/// The rule that limits everybody: `quota_rule = *:storage=1G` (2.3), `quota_storage_size = 1G` (2.4).
fn rule(dovecot: &Dovecot) -> Option<String> {
    let new =
        dovecot.root().settings.iter().chain(dovecot.root().of("quota").flat_map(|quota| &quota.settings));
    let new = new.filter(|(name, _)| name == "quota_storage_size" || name == "storage_size");
    let old = dovecot
        .root()
        .of("plugin")
        .flat_map(|plugin| &plugin.settings)
        .filter(|(name, _)| name.starts_with("quota") && name.contains("rule"));
    let limits = |(name, value): &(String, String)| {
        let limit = match value.split_once(':') {
            Some(("*", limit)) => limit
                .split(':')
                .find_map(|part| part.strip_prefix("storage=").or(part.strip_prefix("bytes="))),
            Some(_) => None,
            None => Some(value.as_str()),
        };
        let limited = limit
            .is_some_and(|limit| !limit.starts_with('0') && limit != "unlimited" && !limit.starts_with('+'));
        limited.then(|| format!("{name} = {value}"))
    };
    old.chain(new).find_map(limits)
}

/// Whether the user databases are files whose limits the facts would show.
fn only_files(dovecot: &Dovecot) -> bool {
    dovecot
        .userdbs()
        .iter()
        .all(|userdb| matches!(userdb.driver.as_str(), "passwd-file" | "static" | "passwd" | "prefetch"))
}

fn accounts_have_rules(server: &Server<'_>) -> bool {
    let accounts = server.facts.accounts.known();
    accounts.is_some_and(|all| {
        all.iter().any(|account| account.extra.iter().any(|extra| extra.contains("quota")))
    })
}

fn evidence_of_rules(server: &Server<'_>, dovecot: &Dovecot) -> Vec<Evidence> {
    let mut all = Vec::new();
    let name = if dovecot.is_modern() { "quota_storage_size" } else { "quota_rule" };
    let seen = dovecot
        .root()
        .of("plugin")
        .find_map(|plugin| plugin.get("quota_rule"))
        .map_or("not set", |rule| rule);
    all.push(Evidence { place: "doveconf -n".to_owned(), seen: format!("{name}: {seen}") });
    let Ok(dms) = server.dms() else { return all };
    for name in ["ENABLE_QUOTAS", "POSTFIX_MAILBOX_SIZE_LIMIT"] {
        if let Ok(setting) = dms.setting(name) {
            let zero = if name == "ENABLE_QUOTAS" || setting.value != "0" { "" } else { " (0: no limit)" };
            all.push(Evidence { place: setting.place, seen: format!("{}{zero}", setting.seen) });
        }
    }
    if let Ok(text) = server.facts.text(QUOTAS) {
        let lines = text
            .unwrap_or_default()
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
            .count();
        all.push(Evidence {
            place: "dovecot-quotas.cf".to_owned(),
            seen: format!("{lines} accounts with a limit"),
        });
    }
    all
}

const QUOTAS: &str = "/tmp/docker-mailserver/dovecot-quotas.cf";

fn with_remedy(server: &Server<'_>, dovecot: &Dovecot, finding: Finding) -> Finding {
    if server.facts.about.deployment == Deployment::DockerMailserver {
        let advice = "Set a limit for everybody, a little above what the largest mailbox uses now, and exact lines for those who need \
                      another one; a pattern such as `*@example.org` matches nobody.";
        let remedy = Remedy::new(advice)
            .change(Change::variable("POSTFIX_MAILBOX_SIZE_LIMIT", (gigabytes(server) << 30).to_string()))
            .prove("docker exec mailserver doveadm quota get -A");
        return finding.cause("POSTFIX_MAILBOX_SIZE_LIMIT and dovecot-quotas.cf").remedy(remedy);
    }
    let remedy = Remedy::new("Set a limit for everybody, a little above what the largest mailbox uses now.")
        .change(limited(server, dovecot))
        .prove("doveadm quota get -A");
    finding.cause("quota_rule").remedy(remedy)
}

/// Above what the largest mailbox uses now, by a half, and 5 GB at least.
fn gigabytes(server: &Server<'_>) -> u64 {
    let largest = usage::read(server).unwrap_or_default().iter().map(|one| one.used).max().unwrap_or(0);
    (largest + largest / 2).div_ceil(1 << 20).max(5)
}

/// A limit for everybody.
fn limited(server: &Server<'_>, dovecot: &Dovecot) -> Change {
    let limit = gigabytes(server);
    if dovecot.is_modern() {
        Change::dovecot(&[], "quota_storage_size", format!("{limit}G"))
    } else {
        Change::dovecot(&["plugin"], "quota_rule", format!("*:storage={limit}G"))
    }
}

/// The quota plugin, counting in Dovecot's own index.
fn counted(dovecot: &Dovecot) -> Vec<Change> {
    if dovecot.is_modern() {
        return vec![
            Change::dovecot(&["mail_plugins"], "quota", "yes"),
            Change::dovecot(&["quota User quota"], "driver", "count"),
        ];
    }
    // A protocol with plugins of its own does not have those of all.
    let own = dovecot.values("mail_plugins");
    let scopes = own.iter().filter(|value| !value.scope.is_empty() && !value.default);
    let with = |plugins: &str| format!("{plugins} quota").trim_start().to_owned();
    let narrower =
        scopes.map(|value| Change::dovecot(&[value.scope.as_str()], "mail_plugins", with(value.value)));
    let all = dovecot.setting("mail_plugins").unwrap_or_default();
    [
        Change::dovecot(&[], "mail_plugins", with(all)),
        Change::dovecot(&["plugin"], "quota", "count:User quota"),
        Change::dovecot(&["plugin"], "quota_vsizes", "yes"),
    ]
    .into_iter()
    .chain(narrower)
    .collect()
}

pub(super) static QTA_002: Check = Check {
    id: "QTA-002",
    title: "Mailboxes have no limit",
    severity: Severity::Low,
    why: "A mailbox without a limit can fill the disk alone.",
    proof: "The mailboxes for which `doveadm quota get -A` shows no limit although others have one, or that Dovecot counts nothing at all.",
    fix: "Set a limit for everybody, and an explicit one for those who need more.",
    references: &["Dovecot: quota plugin"],
    judge: qta_002,
};

fn qta_002(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    if !is_on(server)? {
        let finding =
            Finding::new(Severity::Low, "", "No mailbox has a limit: Dovecot's quota plugin is off")
                .cause("mail_plugins")
                .seen(
                    dovecot.place("mail_plugins"),
                    format!("mail_plugins = {}", dovecot.setting("mail_plugins").unwrap_or_default()),
                );
        let remedy = Remedy::new("Load the quota plugin and set a limit for everybody.")
            .changes(counted(dovecot))
            .change(limited(server, dovecot))
            .prove("doveadm quota get -A");
        return Ok(Outcome::from(finding.remedy(remedy)));
    }
    let all = usage::read(server)?;
    let without: Vec<&Usage> = all.iter().filter(|one| one.limit.is_none()).collect();
    if without.len() == all.len() {
        return not_applicable("no mailbox at all has a limit, which QTA-001 judges");
    }
    if without.is_empty() {
        return pass(format!("all {} mailboxes have a limit", all.len()));
    }
    let names: Vec<&str> = without.iter().take(10).map(|one| one.user.as_str()).collect();
    let finding = Finding::new(
        Severity::Low,
        "",
        format!("{} of {} mailboxes have no limit", without.len(), all.len()),
    )
    .seen("doveadm quota get -A", names.join(", "));
    Ok(Outcome::from(with_remedy(server, dovecot, finding)))
}

pub(super) static QTA_004: Check = Check {
    id: "QTA-004",
    title: "A mailbox is nearly full",
    severity: Severity::Low,
    why: "At its limit it gets no mail any more, and its senders get errors.",
    proof: "Mailboxes that use 95 per cent or more of their limit, by `doveadm quota get -A`.",
    fix: "Let its user delete or archive mail, or raise the limit.",
    references: &["doveadm-quota(1)"],
    judge: qta_004,
};

fn qta_004(server: &Server<'_>) -> Judged {
    let all = usage::read(server)?;
    let limited = all.iter().filter(|one| one.limit.is_some()).count();
    if limited == 0 {
        return not_applicable("no mailbox has a limit");
    }
    let full: Vec<&Usage> = all.iter().filter(|one| one.limit.is_some() && one.percent >= 95).collect();
    if full.is_empty() {
        return pass(format!("none of {limited} mailboxes with a limit uses 95 per cent of it"));
    }
    let findings = full.iter().map(|one| {
        let limit = one.limit.unwrap_or_default();
        Finding::new(
            Severity::Low,
            one.user.clone(),
            format!("{} uses {} per cent of its limit", one.user, one.percent),
        )
        .seen("doveadm quota get -A", format!("{}: {} of {}", one.user, size(one.used), size(limit)))
        .remedy(
            Remedy::new("Ask its user to clean up, or raise the limit.")
                .apply(format!("doveadm expunge -u {} mailbox Trash savedbefore 30d", one.user))
                .prove(format!("doveadm quota get -u {}", one.user)),
        )
    });
    Ok(Outcome::Fail(findings.collect()))
}

pub(super) static QTA_005: Check = Check {
    id: "QTA-005",
    title: "That a mailbox is full is noticed only after its mail was accepted",
    severity: Severity::Medium,
    why: "Mail that was accepted and cannot be delivered is bounced to its sender, who is often forged: backscatter.",
    proof: "Quotas have limits, and no restriction of port 25 asks Dovecot's quota-status service, nor verifies recipients.",
    fix: "Ask quota-status at RCPT TO: `check_policy_service` at the end of smtpd_recipient_restrictions.",
    references: &["RFC 3834", "Postfix BACKSCATTER_README", "Dovecot: quota-status"],
    judge: qta_005,
};

fn qta_005(server: &Server<'_>) -> Judged {
    let (postfix, dovecot) = (server.postfix()?, server.dovecot()?);
    if !is_on(server)? {
        return not_applicable("the quota plugin is off");
    }
    let limited = usage::read(server).map(|all| all.iter().any(|one| one.limit.is_some()));
    if rule(dovecot).is_none() && limited == Ok(false) {
        return not_applicable("no mailbox has a limit, so none can be full");
    }
    let targets = quota_status(dovecot);
    let lists = ["smtpd_recipient_restrictions", "smtpd_end_of_data_restrictions", "smtpd_data_restrictions"];
    let mut blind = Vec::new();
    let mut mx = 0;
    for service in postfix.smtpd().filter(|service| postfix.role(service) == Role::Mx) {
        mx += 1;
        let values: Vec<String> =
            lists.iter().filter_map(|list| Some(postfix.in_service(service, list).ok()?.value)).collect();
        let asks = values.iter().any(|value| {
            value.contains("reject_unverified_recipient")
                || value.contains("check_policy_service")
                    && targets.iter().any(|target| value.contains(target.as_str()))
        });
        if !asks {
            blind.push(Evidence {
                place: postfix.label(service),
                seen: format!(
                    "smtpd_recipient_restrictions = {}",
                    values.first().cloned().unwrap_or_default()
                ),
            });
        }
    }
    if mx == 0 {
        return not_applicable("no service takes mail on port 25");
    }
    if blind.is_empty() {
        return pass("port 25 asks Dovecot whether the mailbox has room");
    }
    let status = if targets.is_empty() {
        "no listener of quota-status".to_owned()
    } else {
        format!("quota-status listens at {}", targets.join(", "))
    };
    let finding = Finding::new(
        Severity::Medium,
        "",
        "Port 25 accepts mail for mailboxes that are full, and bounces it later",
    )
    .cause("smtpd_recipient_restrictions")
    .all_seen(blind)
    .seen("doveconf -n", status);
    let remedy = Remedy::new("Let Dovecot say at RCPT TO whether there is room.")
        .changes(asked(server, dovecot, &targets))
        .prove("postconf -h smtpd_recipient_restrictions");
    Ok(Outcome::from(finding.remedy(remedy)))
}

/// quota-status, and port 25 asking it once the recipient is known to be ours.
fn asked(server: &Server<'_>, dovecot: &Dovecot, targets: &[String]) -> Vec<Change> {
    const SERVICE: &str = "service quota-status";
    let mut changes = Vec::new();
    if targets.is_empty() {
        let answers = [
            ("quota_status_success", "DUNNO"),
            ("quota_status_nouser", "DUNNO"),
            ("quota_status_overquota", "552 5.2.2 Mailbox is full"),
        ];
        let blocks: &[&str] = if dovecot.is_modern() { &[] } else { &["plugin"] };
        changes.extend(answers.map(|(name, value)| Change::dovecot(blocks, name, value)));
        let listener = [SERVICE, "inet_listener quota-status"];
        changes.push(Change::dovecot(&[SERVICE], "executable", "quota-status -p postfix"));
        changes.push(Change::dovecot(&[SERVICE], "client_limit", "1"));
        changes.push(Change::dovecot(&listener, "address", "127.0.0.1"));
        changes.push(Change::dovecot(&listener, "port", "65265"));
    }
    let at = match targets.first() {
        None => "inet:127.0.0.1:65265".to_owned(),
        Some(port) if port.starts_with(':') => format!("inet:127.0.0.1{port}"),
        Some(socket) => format!("unix:private/{socket}"),
    };
    let service = format!("check_policy_service {at}");
    changes.extend(lists_of_role(server, Role::Mx, "smtpd_recipient_restrictions", |list| {
        // A policy service that is asked about foreign recipients would only cost time.
        let refuses = list::pieces(list).iter().any(|piece| piece == "reject_unauth_destination");
        let list = if refuses {
            list.to_owned()
        } else {
            list::before(list, |piece| piece == "permit", "reject_unauth_destination")
        };
        let list = list::first(&list, "permit_mynetworks");
        list::behind(&list, |piece| piece == "reject_unauth_destination", &service)
    }));
    changes
}

/// What restrictions would name quota-status by: its port, or its socket.
fn quota_status(dovecot: &Dovecot) -> Vec<String> {
    let own = dovecot.listeners().into_iter().filter(|listener| listener.service == "quota-status");
    own.map(|listener| match listener.socket {
        Socket::Inet { port, .. } => format!(":{port}"),
        Socket::Unix { .. } => listener.name.rsplit('/').next().unwrap_or_default().to_owned(),
    })
    .collect()
}

pub(super) static QTA_007: Check = Check {
    id: "QTA-007",
    title: "Users are not warned before their mailbox is full",
    severity: Severity::Info,
    why: "They learn it from people whose mail came back.",
    proof: "Limits exist, and Dovecot has no quota_warning.",
    fix: "Add warnings at 80 and 95 per cent.",
    references: &["Dovecot: quota_warning"],
    judge: qta_007,
};

fn qta_007(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    if !is_on(server)? {
        return not_applicable("the quota plugin is off");
    }
    let old = dovecot
        .root()
        .of("plugin")
        .flat_map(|plugin| &plugin.settings)
        .find(|(name, _)| name.starts_with("quota_warning"));
    let new = dovecot.root().of("quota_warning").next().is_some()
        || dovecot
            .root()
            .of("quota")
            .any(|quota| quota.blocks.iter().any(|block| block.kind.contains("warning")));
    if let Some((name, value)) = old {
        return pass(format!("{name} = {value}"));
    }
    if new {
        return pass("quota_warning is set");
    }
    let finding = Finding::new(Severity::Info, "", "Dovecot warns nobody before a mailbox is full")
        .cause("quota_warning")
        .seen("doveconf -n", "no quota_warning");
    let remedy = Remedy::new("Add a warning, with a service that sends it.")
        .add(
            "/etc/dovecot/conf.d/99-quota.conf",
            &["plugin {", "  quota_warning = storage=95%% quota-warning 95 %u", "}"],
        )
        .apply("doveadm reload")
        .prove("doveconf -n | grep quota_warning");
    Ok(Outcome::from(finding.remedy(remedy)))
}
