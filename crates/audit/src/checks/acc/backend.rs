//! Who keeps the passwords, and whether a password is all that it takes.

use crate::check::{not_applicable, pass};
use crate::dovecot::{Assignment, Database, Dovecot};
use crate::{Check, Finding, Judged, Remedy, Server, Severity};

pub(super) static ACC_018: Check = Check {
    id: "ACC-018",
    title: "Users of the system can log in to mail",
    severity: Severity::Medium,
    why: "Whoever guesses at mail guesses at the passwords of root and of every service user, and what he finds opens a shell as well.",
    proof: "A passdb of the system (pam, passwd, shadow) beside one of mail accounts, which mostly is a leftover of the installation, or as the only one.",
    fix: "Take the passdb of the system out (`!include auth-system.conf.ext`), and keep mail accounts in a passwd-file or SQL.",
    references: &["https://doc.dovecot.org/2.4.1/core/config/auth/databases/pam.html"],
    judge: acc_018,
};

pub(super) static ACC_020: Check = Check {
    id: "ACC-020",
    title: "A password is all it takes to log in",
    severity: Severity::Info,
    why: "One stolen or guessed password gives everything: mail, and with it the reset mails of all other accounts.",
    proof: "No OAuth2 mechanism or passdb, no client certificates, and no passdb of its own for app passwords.",
    fix: "Offer OAuth2 with a second factor, or app passwords per device.",
    references: &["NIST SP 800-63B section 4.2", "RFC 7628"],
    judge: acc_020,
};

fn is_system(passdb: &Database) -> bool {
    ["pam", "passwd", "shadow", "bsdauth"].contains(&passdb.driver.as_str())
}

/// Whether users of the system are all that can log in.
pub(super) fn system_only(server: &Server<'_>) -> bool {
    let passdbs = server.dovecot().map(Dovecot::passdbs).unwrap_or_default();
    !passdbs.is_empty() && passdbs.iter().filter(|passdb| !passdb.denies()).all(is_system)
}

fn acc_018(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let passdbs: Vec<_> = dovecot.passdbs().into_iter().filter(|passdb| !passdb.denies()).collect();
    let (system, own): (Vec<_>, Vec<_>) = passdbs.iter().partition(|passdb| is_system(passdb));
    let Some(first) = system.first() else {
        return if own.is_empty() {
            not_applicable("Dovecot has no passdb")
        } else {
            pass("only mail accounts can log in")
        };
    };
    // A server for the users of the machine is meant so; beside mail accounts it is a leftover.
    let (severity, summary) = match own.first() {
        Some(own) => (
            Severity::Medium,
            format!("users of the system can log in beside the accounts of {}", own.title()),
        ),
        None => (
            Severity::Info,
            "mail accounts are users of the system, so a mail password opens a shell".to_owned(),
        ),
    };
    let mut finding = Finding::new(severity, "", summary).cause(first.title());
    for passdb in &system {
        finding = finding.seen(place(dovecot, passdb), format!("{} {{ }}", passdb.title()));
    }
    let line = "!include auth-system.conf.ext";
    let remedy =
        Remedy::new("Keep mail accounts in a passwd-file or SQL, and take the passdb of the system out.")
            .edit("/etc/dovecot/conf.d/10-auth.conf", &[line], &[])
            .apply("doveadm reload")
            .prove("doveconf passdb");
    Ok(finding.remedy(remedy).into())
}

/// The line of a passdb's driver.
fn place(dovecot: &Dovecot, passdb: &Database) -> String {
    let lines = dovecot.assignments().iter();
    let mut own = lines.filter(|line| line.scope.last().is_some_and(|scope| scope.starts_with("passdb")));
    let driver = own.rfind(|line| line.key == "driver" && line.value == passdb.driver);
    driver.map_or_else(|| "doveconf -n".to_owned(), Assignment::place)
}

fn acc_020(server: &Server<'_>) -> Judged {
    let dovecot = server.dovecot()?;
    let mechanisms = dovecot.setting("auth_mechanisms").unwrap_or_default().to_ascii_lowercase();
    let mut mechanisms = mechanisms.split_whitespace();
    if let Some(oauth) = mechanisms.find(|one| ["oauthbearer", "xoauth2", "gssapi", "external"].contains(one))
    {
        return pass(format!("auth_mechanisms has {oauth}"));
    }
    if dovecot.is_on("auth_ssl_require_client_cert") {
        return pass("auth_ssl_require_client_cert = yes");
    }
    let passdbs: Vec<_> =
        dovecot.passdbs().into_iter().filter(|passdb| !passdb.denies() && !passdb.is_master()).collect();
    if let Some(passdb) = passdbs.iter().find(|passdb| ["oauth2", "lua"].contains(&passdb.driver.as_str())) {
        return pass(format!("{} decides", passdb.title()));
    }
    if passdbs.is_empty() {
        return not_applicable("Dovecot has no passdb");
    }
    let finding = Finding::new(Severity::Info, "", "neither a second factor nor passwords per device")
        .cause("auth_mechanisms")
        .seen(dovecot.place("auth_mechanisms"), dovecot.line("auth_mechanisms"))
        .all_seen(
            passdbs
                .iter()
                .map(|passdb| crate::Evidence { place: place(dovecot, passdb), seen: passdb.title() }),
        );
    let remedy = Remedy::new(
        "Offer OAuth2 with a second factor (ENABLE_OAUTH2 in docker-mailserver), or a second passdb with app passwords.",
    );
    Ok(finding.remedy(remedy).into())
}
