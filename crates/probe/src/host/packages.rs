//! Installed packages that matter to mail, and newer versions that the package manager already knows of.

use std::collections::BTreeMap;

use mailward_audit::Known;
use mailward_audit::facts::{Package, Said};

use super::LIMITS;
use crate::files::Files;
use crate::place::Place;

/// What names of packages begin with.
const RELEVANT: [&str; 35] = [
    "amavisd",
    "apache2",
    "apt",
    "bash",
    "bind9",
    "certbot",
    "chrony",
    "clamav",
    "docker",
    "dovecot",
    "exim4",
    "fail2ban",
    "glibc",
    "gnutls",
    "libc6",
    "libclamav",
    "libgnutls",
    "libmilter",
    "libopendkim",
    "libopendmarc",
    "libssl",
    "linux-image",
    "logrotate",
    "mailutils",
    "nftables",
    "nginx",
    "opendkim",
    "opendmarc",
    "openssh",
    "openssl",
    "postfix",
    "postgrey",
    "redis",
    "rspamd",
    "rsyslog",
];

/// Whole names.
const EXACT: [&str; 9] = [
    "spamassassin",
    "spamc",
    "sudo",
    "systemd",
    "sshguard",
    "syslog-ng",
    "unbound",
    "valkey-server",
    "zlib1g",
];

/// What `dpkg-query -W` said, without the packages that are nobody's business here, which are taken out of the fact too.
pub(crate) fn installed(said: &mut BTreeMap<String, Known<Said>>) -> Known<Vec<Package>> {
    match said.get_mut("dpkg-query -W") {
        Some(Known::Is(said)) if !said.stdout.is_empty() => {
            let kept: Vec<&str> = said.stdout.lines().filter(|line| relevant(line)).collect();
            let packages = kept.iter().filter_map(|line| package(line)).collect();
            said.stdout = kept.join("\n") + "\n";
            Known::Is(packages)
        }
        Some(Known::Is(said)) => Known::Unread(format!("`dpkg-query -W` failed: {}", said.stderr.trim())),
        Some(Known::Absent) => Known::Absent,
        Some(Known::Unread(why)) => Known::Unread(why.clone()),
        Some(Known::Unasked) | None => Known::Unasked,
    }
}

fn relevant(line: &str) -> bool {
    let Some(name) = line.split('\t').nth(1) else { return false };
    EXACT.contains(&name) || RELEVANT.iter().any(|start| name.starts_with(start))
}

/// `ii \tpostfix\t3.7.11-0+deb12u1\tpostfix`: what is installed, not what has left its configuration behind.
fn package(line: &str) -> Option<Package> {
    let mut fields = line.split('\t');
    let state = fields.next()?;
    let name = fields.next()?.split(':').next()?.to_owned();
    let version = fields.next()?.to_owned();
    state.starts_with("ii").then_some(Package { name, version, ..Package::default() })
}

/// What `apt-cache policy` said of packages; nothing is fetched. Without its cache it takes seconds to say so, which only a deep look
/// waits for.
pub(crate) fn policy(
    place: &Place,
    installed: &Known<Vec<Package>>,
    files: &Files,
    deep: bool,
) -> Known<Said> {
    let Known::Is(packages) = installed else { return Known::Unasked };
    let cached = matches!(files.get("/var/cache/apt/pkgcache.bin"), Some(Known::Is(_)));
    if !cached && !deep {
        return Known::Unread(
            "the package manager has no cache here; a deep audit asks it all the same".to_owned(),
        );
    }
    let words: Vec<&str> = ["apt-cache", "policy"]
        .into_iter()
        .chain(packages.iter().map(|package| package.name.as_str()))
        .collect();
    place.run(&words, LIMITS)
}

/// With the versions that an update would install.
pub(crate) fn with_candidates(installed: Known<Vec<Package>>, policy: &Known<Said>) -> Known<Vec<Package>> {
    let Known::Is(mut packages) = installed else { return installed };
    if let Known::Is(policy) = policy {
        let candidates = candidates(&policy.stdout);
        for package in &mut packages {
            if let Some((version, security)) =
                candidates.get(&package.name).filter(|(version, _)| *version != package.version)
            {
                package.candidate = Some(version.clone());
                package.security = *security;
            }
        }
    }
    Known::Is(packages)
}

/// `apt-cache policy`: of every package its candidate, and whether that one comes from an archive of security updates.
fn candidates(policy: &str) -> BTreeMap<String, (String, bool)> {
    let mut all = BTreeMap::new();
    let (mut name, mut candidate, mut listed) = (String::new(), String::new(), String::new());
    for line in policy.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [title] if !line.starts_with(' ') => {
                name = title.trim_end_matches(':').to_owned();
            }
            ["Candidate:", version] if *version != "(none)" => {
                candidate = (*version).to_owned();
                all.insert(name.clone(), (candidate.clone(), false));
            }
            ["***", version, _] | [version, _] if line.starts_with("     ") || line.starts_with(" ***") => {
                listed = (*version).to_owned();
            }
            [_, source, suite, ..]
                if listed == candidate && (source.contains("security") || suite.contains("-security")) =>
            {
                all.entry(name.clone()).and_modify(|(_, security)| *security = true);
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_and_where_they_come_from() {
        let policy = "\
postfix:
  Installed: 3.7.10-0+deb12u1
  Candidate: 3.7.11-0+deb12u1
  Version table:
     3.7.11-0+deb12u1 500
        500 http://security.debian.org/debian-security bookworm-security/main amd64 Packages
 *** 3.7.10-0+deb12u1 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
        100 /var/lib/dpkg/status
dovecot-core:
  Installed: 1:2.3.19
  Candidate: 1:2.3.19
  Version table:
 *** 1:2.3.19 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
        100 /var/lib/dpkg/status
";
        let all = candidates(policy);
        assert_eq!(all.get("postfix"), Some(&("3.7.11-0+deb12u1".to_owned(), true)));
        assert_eq!(all.get("dovecot-core"), Some(&("1:2.3.19".to_owned(), false)));
    }

    #[test]
    fn a_removed_package_is_not_installed() {
        assert!(package("rc \tpostfix\t3.7.11\tpostfix").is_none());
        let found = package("ii \tlibssl3:amd64\t3.0.15\topenssl").map(|package| package.name);
        assert_eq!(found.as_deref(), Some("libssl3"));
    }
}
