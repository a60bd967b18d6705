//! Mail that leaves, or that its owner does not see: what an intruder sets up first, because it outlasts a new password.

use super::alias::Routes;
use super::sieve::{Action, Command, actions, parse};
use crate::check::could_not_tell;
use crate::facts::{File, Known};
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity, Untold};

pub(super) static ACC_014: Check = Check {
    id: "ACC-014",
    title: "All mail of an account is forwarded outside",
    severity: Severity::High,
    why: "It is how an intruder keeps reading after the password was changed; and where it is meant, SPF and DMARC break, and mail leaves the place that its rules are for.",
    proof: "An alias of an account's own address to another domain, and redirect without a condition in its Sieve scripts.",
    fix: "Ask the owner; remove it unless he knows of it.",
    references: &["M3AAWG Compromised User ID Best Practices"],
    judge: acc_014,
};

pub(super) static ACC_015: Check = Check {
    id: "ACC-015",
    title: "A filter hides mail about money or passwords",
    severity: Severity::High,
    why: "This is what fraud with invoices looks like: the intruder writes in the owner's name, and the answers and warnings never reach him.",
    proof: "A Sieve rule that discards, redirects or buries messages whose subject, sender or text speaks of invoices, payments, passwords or security.",
    fix: "Remove the rule, and treat the account as compromised: new password, end its sessions, look at its logins.",
    references: &["M3AAWG Compromised User ID Best Practices"],
    judge: acc_015,
};

/// What such rules look for, in the languages that they are known in.
const BAIT: &[&str] = &[
    "invoice",
    "payment",
    "remittance",
    "wire transfer",
    "iban",
    "bank",
    "payroll",
    "purchase order",
    "password",
    "security",
    "verification code",
    "sign-in",
    "unusual",
    "suspicious",
    "phish",
    "hacked",
    "fraud",
    "rechnung",
    "zahlung",
    "überweisung",
    "passwort",
    "sicherheit",
    "betrug",
    "facture",
    "virement",
    "paiement",
    "mot de passe",
    "factura",
    "contraseña",
    "fattura",
];

/// Folders that nobody opens.
const BURIED: &[&str] =
    &["trash", "deleted", "rss", "archive", "conversation history", "papierkorb", "corbeille", "papelera"];

/// A script that was read.
struct Script<'a> {
    path: &'a str,
    file: &'a File,
    commands: Vec<Command>,
}

/// The scripts that were read.
fn scripts<'a>(server: &Server<'a>) -> Vec<Script<'a>> {
    let files = server.facts.files.iter().filter(|(path, _)| path.ends_with(".sieve"));
    let known = files.filter_map(|(path, file)| Some((path, file.known()?)));
    known
        .filter_map(|(path, file)| Some(Script { path, file, commands: parse(file.text.known()?) }))
        .collect()
}

/// That users' scripts would have been found: the directories that they lie in were looked at.
///
/// # Errors
/// When they were not, so that nothing found means nothing.
fn all_read(server: &Server<'_>) -> Result<(), Untold> {
    let dovecot = server.dovecot()?;
    let homes = dovecot.userdbs().into_iter().flat_map(|userdb| userdb.fields());
    let homes = homes.filter_map(|field| field.strip_prefix("home=").map(str::to_owned));
    let paths =
        ["mail_home", "mail_path"].into_iter().filter_map(|name| dovecot.explicit(name).map(str::to_owned));
    let roots = paths.chain(homes).filter_map(|path| path.split_once("/%").map(|(root, _)| root.to_owned()));
    let roots: Vec<_> = roots.filter(|root| root.starts_with('/')).collect();
    if roots.is_empty() {
        return could_not_tell("users' scripts lie in their homes, which were not looked at");
    }
    roots.iter().try_for_each(|root| server.facts.file(root).map(drop))?;
    let unread =
        server.facts.files.iter().find_map(|(path, file)| match file.known().map(|file| &file.text) {
            Some(Known::Unread(why)) if path.ends_with(".sieve") => {
                Some(format!("{path} was not read: {why}"))
            }
            _ => None,
        });
    unread.map_or(Ok(()), could_not_tell)
}

fn changed(file: &File) -> String {
    let at = jiff::Timestamp::from_second(file.modified).ok().filter(|_| file.modified > 0);
    at.map(|at| format!(", changed {}", at.strftime("%Y-%m-%d %H:%M UTC"))).unwrap_or_default()
}

fn told(path: &str, file: &File, action: &Action<'_>) -> Evidence {
    let conditions: Vec<_> = action.conditions.iter().map(|condition| condition.written()).collect();
    let when =
        if conditions.is_empty() { String::new() } else { format!(" when {}", conditions.join(" and ")) };
    let seen = format!("{}{when}{}", action.command.written(), changed(file));
    Evidence { place: format!("{path}:{}", action.command.line), seen }
}

/// The address of another domain that an action sends to.
fn outside<'a>(routes: &Routes, action: &Action<'a>) -> Option<&'a str> {
    let target = action.command.texts().last().filter(|_| action.command.name == "redirect")?;
    // `${...}` is filled in for each message.
    (target.contains('@') && !target.contains("${") && routes.is_outside(&target.to_ascii_lowercase()))
        .then_some(target)
}

fn keeps(command: &Command, all: &[Action<'_>]) -> &'static str {
    let kept = command.has(":copy")
        || all.iter().any(|action| action.command.name == "keep" && action.conditions.is_empty());
    if kept { "a copy is kept" } else { "no copy is kept" }
}

fn confirm(file: &str, line: &str) -> Remedy {
    Remedy::new("Ask the owner; unless he set it up, remove it, change the password, end the sessions, and look at the logins.")
        .edit(file, &[line], &[])
        .apply("doveadm kick ACCOUNT")
        .prove("mailward audit --only ACC")
}

fn acc_014(server: &Server<'_>) -> Judged {
    let routes = Routes::read(server)?;
    let scripts = scripts(server);
    let mut findings = Vec::new();
    for alias in routes.aliases.iter().filter(|alias| routes.is_mailbox(&alias.address)) {
        let Some(target) = alias.targets.iter().find(|target| routes.is_outside(target)) else { continue };
        let kept = if alias.targets.contains(&alias.address) { "a copy is kept" } else { "no copy is kept" };
        let (file, _) = alias.place.rsplit_once(':').unwrap_or((&alias.place, ""));
        let line = format!("{} {}", alias.address, alias.targets.join(", "));
        let finding = Finding::new(
            Severity::High,
            &alias.address,
            format!("all mail of {} goes to {target}, {kept}", alias.address),
        )
        .cause(file)
        .seen(&alias.place, &line);
        findings.push(finding.remedy(confirm(file, &line)));
    }
    for Script { path, file, commands } in &scripts {
        let all = actions(commands);
        for action in all.iter().filter(|action| action.conditions.is_empty()) {
            let Some(target) = outside(&routes, action) else { continue };
            let summary = format!("{path} sends all mail to {target}, {}", keeps(action.command, &all));
            let finding = Finding::new(Severity::High, *path, summary)
                .cause(*path)
                .all_seen([told(path, file, action)]);
            findings.push(finding.remedy(confirm(path, &format!("{};", action.command.written()))));
        }
    }
    if findings.is_empty()
        && let Some(map) = routes.unread.first()
    {
        return could_not_tell(format!("{map} may forward mail, and was not looked into"));
    }
    if findings.is_empty() {
        all_read(server)?;
    }
    let shown = format!(
        "neither {} aliases nor {} scripts forward all mail of an account outside",
        routes.aliases.len(),
        scripts.len()
    );
    Ok(Outcome::of(findings, shown))
}

/// The word that a rule looks for, if it is one of those.
fn bait(action: &Action<'_>) -> Option<&'static str> {
    let mut texts = action.conditions.iter().flat_map(|condition| condition.texts());
    texts.find_map(|text| {
        let text = text.to_lowercase();
        BAIT.iter().find(|word| text.contains(**word)).copied()
    })
}

/// How an action hides a message.
fn hides(routes: &Routes, action: &Action<'_>) -> Option<String> {
    match action.command.name.as_str() {
        "discard" => Some("discards".to_owned()),
        "redirect" if !action.command.has(":copy") => {
            outside(routes, action).map(|target| format!("sends to {target}, and keeps no copy of,"))
        }
        "fileinto" => {
            let folder = action.command.texts().last()?;
            let lower = folder.to_lowercase();
            BURIED.iter().any(|buried| lower.contains(buried)).then(|| format!("buries in {folder}"))
        }
        _ => None,
    }
}

fn acc_015(server: &Server<'_>) -> Judged {
    let scripts = scripts(server);
    // Without the domains a redirect cannot be told to lead outside; what is discarded or buried can.
    let routes = Routes::read(server).unwrap_or_default();
    let mut findings = Vec::new();
    for Script { path, file, commands } in &scripts {
        for action in actions(commands) {
            let (Some(how), Some(word)) = (hides(&routes, &action), bait(&action)) else { continue };
            let summary = format!("{path} {how} mail with \"{word}\"");
            let finding = Finding::new(Severity::High, format!("{path} {word}"), summary)
                .cause(*path)
                .all_seen([told(path, file, &action)]);
            findings.push(finding.remedy(confirm(path, &format!("{};", action.command.written()))));
        }
    }
    if findings.is_empty() {
        all_read(server)?;
    }
    Ok(Outcome::of(findings, format!("{} scripts hide no mail about money or passwords", scripts.len())))
}
