//! Which accounts there are.

use std::collections::{BTreeMap, BTreeSet};

use super::alias::Routes;
use super::{account_names, accounts, all_accounts, named, seen};
use crate::check::{could_not_tell, not_applicable, pass};
use crate::dovecot::Dovecot;
use crate::facts::{Account, Deployment, FileKind};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

pub(super) static ACC_007: Check = Check {
    id: "ACC-007",
    title: "Test, role or default names can log in",
    severity: Severity::Medium,
    why: "These names are in every list of names to guess passwords for, and nobody feels that such an account is his.",
    proof: "Names of accounts against a list; in docker-mailserver also aliases, which are login names of their account when quotas are on.",
    fix: "Remove what was for a test; make role addresses aliases of a person's account.",
    references: &["CIS Controls v8 5.2"],
    judge: acc_007,
};

pub(super) static ACC_008: Check = Check {
    id: "ACC-008",
    title: "Accounts are open that nobody uses",
    severity: Severity::Low,
    why: "Nobody notices when somebody else uses them.",
    proof: "Accounts without a login in logs that go back 180 days or more.",
    fix: "Lock them, and ask the owners.",
    references: &["CIS Controls v8 5.3"],
    judge: acc_008,
};

pub(super) static ACC_009: Check = Check {
    id: "ACC-009",
    title: "An account is listed twice",
    severity: Severity::Medium,
    why: "Only the first one counts, so a new password in the second has no effect, and an account that was removed may still be open.",
    proof: "Equal names in the files of accounts, in the order in which they are asked.",
    fix: "Remove the line that has no effect.",
    references: &["https://doc.dovecot.org/2.4.1/core/config/auth/databases/passwd_file.html"],
    judge: acc_009,
};

pub(super) static ACC_010: Check = Check {
    id: "ACC-010",
    title: "Accounts are in domains that are not served",
    severity: Severity::Low,
    why: "They get no mail but can log in and send, and nobody looks at them.",
    proof: "Domains of the accounts against mydestination, virtual_mailbox_domains and virtual_alias_domains.",
    fix: "Remove them, or add the domain.",
    references: &["postconf(5): virtual_mailbox_domains"],
    judge: acc_010,
};

pub(super) static ACC_011: Check = Check {
    id: "ACC-011",
    title: "Mailboxes lie there without an account",
    severity: Severity::Low,
    why: "Mail of people who left is kept without a reason, and comes to whoever gets the name next.",
    proof: "Directories of mailboxes, where mail_location says they are, against the accounts.",
    fix: "Archive or delete them, as your rules for such data say.",
    references: &["Regulation (EU) 2016/679 article 5(1)(e)"],
    judge: acc_011,
};

/// Names that were made to try something, or that installers make.
const THROWAWAY: &[&str] = &[
    "test", "test1", "test2", "testing", "tester", "testuser", "demo", "guest", "temp", "tmp", "user",
    "user1", "example", "default", "sample", "dummy", "foo", "scan", "scanner", "printer", "copier", "fax",
    "ftp", "oracle", "postgres", "mysql",
];

/// Names that stand for a task. A mailbox of that name is honest; attackers try it all the same.
const ROLES: &[&str] = &[
    "admin",
    "administrator",
    "root",
    "info",
    "sales",
    "support",
    "office",
    "contact",
    "hello",
    "mail",
    "webmaster",
    "hostmaster",
    "postmaster",
    "abuse",
    "noreply",
    "no-reply",
    "newsletter",
    "marketing",
    "billing",
    "accounting",
    "hr",
    "jobs",
    "service",
    "backup",
    "monitor",
    "nagios",
    "www",
];

/// Days without a login after which an account is dormant.
const DORMANT: i64 = 180 * 86_400;

fn local_part(name: &str) -> String {
    name.split('@').next().unwrap_or(name).to_ascii_lowercase()
}

fn acc_007(server: &Server<'_>) -> Judged {
    let all: Vec<_> = accounts(server)?.into_iter().filter(|account| !account.master).collect();
    let of = |names: &[&str]| -> Vec<&Account> {
        all.iter().copied().filter(|account| names.contains(&local_part(&account.name).as_str())).collect()
    };
    let (throwaway, roles) = (of(THROWAWAY), of(ROLES));
    let mut findings = Vec::new();
    if !throwaway.is_empty() {
        findings.push(listed(server, Severity::Medium, "test and default names can log in", &throwaway));
    } else if !roles.is_empty() {
        findings.push(listed(
            server,
            Severity::Info,
            "names of roles, which attackers try first, can log in",
            &roles,
        ));
    }
    findings.extend(alias_logins(server));
    Ok(Outcome::of(findings, format!("no test or role name among {} accounts", all.len())))
}

fn listed(server: &Server<'_>, severity: Severity, summary: &str, found: &[&Account]) -> Finding {
    let used = |account: &Account| {
        let usage = server.facts.usage.known()?;
        let last = usage.last.get(&account.name.to_ascii_lowercase())?;
        Some(format!("last login {}", date(*last)))
    };
    let evidence =
        found.iter().map(|account| seen(account, &used(account).unwrap_or_else(|| "can log in".to_owned())));
    let names = named(found.iter().map(|account| account.name.as_str()));
    Finding::new(severity, "", format!("{summary}: {names}"))
        .all_seen(evidence)
        .remedy(Remedy::new("Remove what was for a test; make a role address an alias of a person's account, or watch it as your own."))
}

/// docker-mailserver makes a Dovecot user of each alias of a local account, with the account's hash, when quotas are on: quota
/// look-ups are made for the address that mail is for.
fn alias_logins(server: &Server<'_>) -> Option<Finding> {
    let dms = server.dms().ok()?;
    let quotas = dms.in_force("ENABLE_QUOTAS").ok()?;
    if !quotas.is_on()
        || dms
            .in_force("ACCOUNT_PROVISIONER")
            .is_ok_and(|kind| kind.value != "FILE" && !kind.value.is_empty())
    {
        return None;
    }
    let routes = Routes::read(server).ok()?;
    let logins: Vec<_> = routes
        .aliases
        .iter()
        .filter(|alias| !alias.local && !alias.address.starts_with('@') && !routes.is_mailbox(&alias.address))
        .filter(|alias| alias.targets.iter().any(|target| routes.is_mailbox(target)))
        .collect();
    let first = logins.first()?;
    let names = named(logins.iter().map(|alias| alias.address.as_str()));
    let finding = Finding::new(Severity::Info, "aliases", format!("aliases are login names too: {names}"))
        .cause("ENABLE_QUOTAS")
        .seen(
            quotas.place,
            format!(
                "{}: each alias of a local account becomes a Dovecot user with the account's hash",
                quotas.seen
            ),
        )
        .all_seen(logins.iter().map(|alias| Evidence {
            place: alias.place.clone(),
            seen: format!("{} logs in as {}", alias.address, alias.targets.join(", ")),
        }));
    let advice = format!(
        "Count {} and the others as names that can be guessed at; ENABLE_QUOTAS=0 takes them away, with all quotas.",
        first.address
    );
    Some(finding.remedy(Remedy::new(advice)))
}

fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

fn acc_008(server: &Server<'_>) -> Judged {
    let all: Vec<_> = accounts(server)?.into_iter().filter(|account| !account.master).collect();
    let usage = server.facts.usage.get()?;
    let now: i64 =
        server.facts.about.taken.parse::<jiff::Timestamp>().map_or(usage.to, jiff::Timestamp::as_second);
    let last = |account: &Account| usage.last.get(&account.name.to_ascii_lowercase()).copied();
    if usage.last.is_empty() || now - usage.from < DORMANT {
        let days = (now - usage.from) / 86_400;
        return could_not_tell(format!(
            "logs go back {days} days only; 180 are needed to call an account dormant"
        ));
    }
    let dormant: Vec<_> =
        all.iter().filter(|account| last(account).is_none_or(|last| now - last > DORMANT)).collect();
    if dormant.is_empty() {
        return pass(format!("each of {} accounts was used within 180 days", all.len()));
    }
    let told = |account: &Account| match last(account) {
        Some(last) => format!("last login {}", date(last)),
        None => format!("no login since {}", date(usage.from)),
    };
    let names = named(dormant.iter().map(|account| account.name.as_str()));
    let finding = Finding::new(Severity::Low, "", format!("unused for 180 days: {names}"))
        .all_seen(dormant.iter().map(|account| seen(account, &told(account))))
        .remedy(Remedy::new(
            "Lock them, {SCHEME}!LOCKED! before the hash does it and can be taken back, and ask the owners.",
        ));
    Ok(finding.into())
}

fn acc_009(server: &Server<'_>) -> Judged {
    let all: Vec<_> = all_accounts(server)?.iter().filter(|account| !account.master).collect();
    let mut by_name = BTreeMap::<String, Vec<&Account>>::new();
    for account in &all {
        by_name.entry(account.name.to_ascii_lowercase()).or_default().push(account);
    }
    let twice = by_name.into_iter().filter(|(_, lines)| lines.len() > 1);
    let findings = twice.map(|(name, lines)| {
        let remedy = Remedy::new("Remove the line that has no effect.");
        let mut finding =
            Finding::new(Severity::Medium, name.clone(), format!("{name} is listed {} times", lines.len()))
                .remedy(remedy);
        for (number, account) in lines.iter().enumerate() {
            finding = finding.seen(
                &account.place,
                if number == 0 { format!("{name}: counts") } else { format!("{name}: no effect") },
            );
        }
        finding
    });
    Ok(Outcome::of(findings.collect(), format!("{} accounts, each listed once", all.len())))
}

fn acc_010(server: &Server<'_>) -> Judged {
    if server.facts.about.deployment == Deployment::DockerMailserver {
        return not_applicable("docker-mailserver serves the domain of every account");
    }
    let all = accounts(server)?;
    let routes = Routes::read(server)?;
    let stray: Vec<_> = all
        .iter()
        .filter(|account| {
            account
                .name
                .rsplit_once('@')
                .is_some_and(|(_, domain)| !routes.serves(&domain.to_ascii_lowercase()))
        })
        .collect();
    if stray.is_empty() {
        return pass(format!("the domain of each of {} accounts is served", all.len()));
    }
    if !routes.domains_known {
        return could_not_tell("a list of domains is in a table that was not looked into");
    }
    let names = named(stray.iter().map(|account| account.name.as_str()));
    let finding = Finding::new(Severity::Low, "", format!("in domains that are not served: {names}"))
        .all_seen(stray.iter().map(|account| seen(account, "its domain is in no list of Postfix")))
        .remedy(Remedy::new("Remove the accounts, or add the domain to virtual_mailbox_domains."));
    Ok(finding.into())
}

/// How the directory of a mailbox is made of its name.
struct Layout {
    root: String,
    /// Whether the domain has a directory above the user's.
    domains: bool,
}

/// The directories of mailboxes: `/var/mail/%d/%n`, `/var/vmail/%u`, and the same in 2.4.
fn layout(dovecot: &Dovecot) -> Option<Layout> {
    let home = dovecot.explicit("mail_home").filter(|home| home.contains('%'));
    let path = dovecot.explicit("mail_path").filter(|path| path.starts_with('/')).or(home)?;
    let modern = path.replace("%{user | domain}", "%d").replace("%{user|domain}", "%d");
    let path = modern
        .replace("%{user | username}", "%n")
        .replace("%{user|username}", "%n")
        .replace("%{user}", "%u")
        .replace("%L", "%");
    let (root, rest) = path.split_once("/%")?;
    let domains = match rest {
        _ if rest.starts_with("d/%n") => true,
        _ if rest == "u" || rest.starts_with("u/") => false,
        _ => return None,
    };
    Some(Layout { root: root.to_owned(), domains })
}

fn acc_011(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    all_accounts(server)?;
    let names = account_names(server).unwrap_or_default();
    let Some(layout) = layout(dovecot) else {
        return could_not_tell("mail_location does not say plainly which directory is whose");
    };
    if server.facts.file(&layout.root)?.is_none() {
        return not_applicable(format!("{} does not exist", layout.root));
    }
    let depth = if layout.domains { 2 } else { 1 };
    let mut strays = BTreeSet::new();
    for (path, file) in server.facts.below(&layout.root) {
        let rest = path.strip_prefix(&layout.root).unwrap_or_default().trim_start_matches('/');
        let parts: Vec<_> = rest.split('/').collect();
        if file.kind != FileKind::Directory
            || parts.len() != depth
            || parts.iter().any(|part| part.starts_with('.'))
        {
            continue;
        }
        let name = match parts.as_slice() {
            [domain, user] => format!("{user}@{domain}"),
            [user] => (*user).to_owned(),
            _ => continue,
        };
        // `lost+found` and the like are no mailboxes; what has no account but looks like one is.
        let plausible = if layout.domains { name.contains('.') } else { name.contains('@') };
        if plausible && !names.contains(&name.to_ascii_lowercase()) {
            strays.insert((path.to_owned(), name));
        }
    }
    if strays.is_empty() {
        return pass(format!("every mailbox below {} has an account", layout.root));
    }
    let finding = Finding::new(
        Severity::Low,
        "",
        format!("mailboxes without an account: {}", named(strays.iter().map(|(_, name)| name.as_str()))),
    )
    .all_seen(
        strays
            .iter()
            .map(|(path, name)| Evidence { place: path.clone(), seen: format!("{name} has no account") }),
    )
    .remedy(Remedy::new("Archive or delete them, as your rules for such data say."));
    Ok(finding.into())
}
