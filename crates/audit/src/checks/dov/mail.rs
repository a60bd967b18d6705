//! Mail storage, protocols and Sieve.

use super::{applied, set};
use crate::check::{could_not_tell, pass};
use crate::dovecot::Dovecot;
use crate::facts::FileKind;
use crate::plan::Change;
use crate::{Check, Evidence, Finding, Judged, Remedy, Server, Severity, Untold};

pub(super) static DOV_009: Check = Check {
    id: "DOV-009",
    title: "POP3 is served though nobody uses it",
    severity: Severity::Info,
    why: "A protocol that nobody uses is two more ports to guess passwords on.",
    proof: "POP3 among the protocols served, and no POP3 login in a log of two weeks or more that has IMAP logins.",
    fix: "Take pop3 out of protocols.",
    references: &["RFC 8314 section 4.1"],
    judge: dov_009,
};

pub(super) static DOV_016: Check = Check {
    id: "DOV-016",
    title: "Dovecot may act as root for a user",
    severity: Severity::Medium,
    why: "A wrong line in a user database, or a hole in a parser, then opens the whole machine instead of one mailbox.",
    proof: "The effective first_valid_uid, mail_uid and the uid field of the userdbs.",
    fix: "Keep mail under a user of its own (vmail), and set first_valid_uid to its number.",
    references: &["https://doc.dovecot.org/2.4.1/core/config/system_users.html"],
    judge: dov_016,
};

pub(super) static DOV_017: Check = Check {
    id: "DOV-017",
    title: "Users' Sieve scripts may run programs",
    severity: Severity::High,
    why: "With a stolen mail password an attacker uploads a script that runs a program on the server at each message.",
    proof: "The plugin sieve_extprograms with vnd.dovecot.execute, pipe or filter in sieve_extensions, where users can upload scripts and programs lie ready, or others may put some there.",
    fix: "Move the extensions from sieve_extensions to sieve_global_extensions, so that only the administrator's scripts have them.",
    references: &["https://doc.dovecot.org/2.4.1/core/plugins/sieve_extprograms.html"],
    judge: dov_017,
};

/// A log shorter than this does not tell that nobody uses a protocol.
const TWO_WEEKS: i64 = 14 * 86_400;

fn dov_009(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    if !dovecot.serves("pop3") {
        return pass("POP3 is not served");
    }
    let Some(usage) = server.facts.usage.known() else {
        return could_not_tell("POP3 is served, and no log was read that tells whether anybody uses it");
    };
    let count = |service: &str| usage.by_service.get(service).copied().unwrap_or(0);
    if count("pop3") > 0 {
        return pass(format!("{} POP3 logins in the log", count("pop3")));
    }
    if usage.to - usage.from < TWO_WEEKS || count("imap") == 0 {
        return could_not_tell("POP3 is served, and the log is too short to tell whether anybody uses it");
    }
    let rest: Vec<_> = dovecot.protocols().into_iter().filter(|protocol| protocol != "pop3").collect();
    let finding =
        Finding::new(Severity::Info, "", "POP3 is served, and nobody used it as long as the log goes back")
            .cause("protocols")
            .seen(dovecot.place("protocols"), dovecot.line("protocols"))
            .seen("mail log", format!("no POP3 login, {} IMAP logins", count("imap")));
    Ok(finding.remedy(set(server, dovecot, "protocols", &rest.join(" "), "Serve only what is used.")).into())
}

fn is_root(uid: &str) -> bool {
    uid == "0" || uid == "root"
}

fn dov_016(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let mut seen = Vec::new();
    for name in ["first_valid_uid", "mail_uid"] {
        if dovecot.explicit(name).is_some_and(is_root) {
            seen.push(Evidence { place: dovecot.place(name), seen: dovecot.line(name) });
        }
    }
    for userdb in dovecot.userdbs() {
        let fields = userdb.fields();
        let root = fields.iter().filter(|field| field.strip_prefix("uid=").is_some_and(is_root));
        seen.extend(root.map(|field| Evidence {
            place: "doveconf -n".to_owned(),
            seen: format!("{}: {field}", userdb.title()),
        }));
    }
    let Some(first) = seen.first() else {
        return pass(format!("first_valid_uid = {}", dovecot.setting("first_valid_uid").unwrap_or_default()));
    };
    let finding = Finding::new(Severity::Medium, "", format!("mail may be handled as root ({})", first.seen))
        .cause("first_valid_uid")
        .all_seen(seen);
    let remedy = set(
        server,
        dovecot,
        "first_valid_uid",
        "500",
        "Give mail a user of its own, and refuse lower numbers.",
    );
    Ok(finding.remedy(remedy).into())
}

/// Extensions that run programs, with the setting of the directory of theirs.
const RUNNING: [(&str, &str); 3] = [
    ("vnd.dovecot.execute", "sieve_execute_bin_dir"),
    ("vnd.dovecot.pipe", "sieve_pipe_bin_dir"),
    ("vnd.dovecot.filter", "sieve_filter_bin_dir"),
];

/// The extensions that users' scripts may use, with their directories.
fn running(dovecot: &Dovecot) -> Vec<(&'static str, Option<&str>)> {
    let listed =
        |name: &str| -> Vec<&str> { dovecot.explicit(name).unwrap_or_default().split_whitespace().collect() };
    let plugged = listed("sieve_plugins").contains(&"sieve_extprograms");
    let extensions = listed("sieve_extensions");
    let users = |extension: &str| extensions.iter().any(|word| word.trim_start_matches('+') == extension);
    let found = RUNNING.iter().filter(|(extension, _)| plugged && users(extension));
    found.map(|(extension, directory)| (*extension, dovecot.explicit(directory))).collect()
}

/// What can be run from a directory, or that others may put something there; none if nothing.
fn ready(server: &Server<'_>, directory: &str) -> Result<Option<String>, Untold> {
    let Some(found) = server.facts.file(directory)? else { return Ok(None) };
    if found.mode & 0o002 != 0 {
        return Ok(Some(format!("mode 0{:o}: every local user may put programs there", found.mode & 0o7777)));
    }
    let programs = server.facts.below(directory).filter(|(_, file)| file.kind == FileKind::Regular);
    let names: Vec<_> = programs.map(|(path, _)| path.rsplit('/').next().unwrap_or(path)).take(5).collect();
    Ok((!names.is_empty()).then(|| format!("holds {}", names.join(", "))))
}

fn dov_017(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let running = running(dovecot);
    if running.is_empty() {
        return pass("scripts of users have no extension that runs programs");
    }
    if !dovecot.serves("sieve") {
        return pass("users cannot upload scripts: ManageSieve is not served");
    }
    let mut seen = Vec::new();
    for (extension, directory) in &running {
        let Some(directory) = directory else { continue };
        if let Some(what) = ready(server, directory)? {
            seen.push(Evidence { place: (*directory).to_owned(), seen: format!("{extension}: {what}") });
        }
    }
    let names: Vec<_> = running.iter().map(|(extension, _)| *extension).collect();
    if seen.is_empty() {
        return pass(format!("{}: no program lies in their directories", names.join(", ")));
    }
    let extensions = dovecot.explicit("sieve_extensions").unwrap_or_default();
    let kept: Vec<_> =
        extensions.split_whitespace().filter(|word| !names.contains(&word.trim_start_matches('+'))).collect();
    let moved: Vec<_> = names.iter().map(|name| format!("+{name}")).collect();
    let blocks: &[&str] = if dovecot.is_modern() { &[] } else { &["plugin"] };
    let remedy = Remedy::new("Give these extensions to the administrator's own scripts only.")
        .change(Change::dovecot(blocks, "sieve_extensions", kept.join(" ")))
        .change(Change::dovecot(blocks, "sieve_global_extensions", moved.join(" ")));
    let finding =
        Finding::new(Severity::High, "", format!("every user's script may use {}", names.join(", ")))
            .cause("sieve_extensions")
            .seen(dovecot.place("sieve_extensions"), format!("sieve_extensions = {extensions}"))
            .all_seen(seen);
    Ok(finding.remedy(applied(server, remedy, "doveconf -n")).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Facts;
    use crate::facts::{File, Known};

    #[test]
    fn a_directory_nobody_looked_at_tells_nothing() {
        let mut facts = Facts::default();
        assert!(ready(&Server::new(&facts), "/usr/lib/dovecot/sieve-pipe").is_err());
        let directory = File { kind: FileKind::Directory, mode: 0o755, ..File::default() };
        facts.files.insert("/usr/lib/dovecot/sieve-pipe".to_owned(), Known::Is(directory));
        assert_eq!(ready(&Server::new(&facts), "/usr/lib/dovecot/sieve-pipe").unwrap(), None);
    }
}
