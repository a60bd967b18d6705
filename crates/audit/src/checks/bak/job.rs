//! The jobs that make backups.

use super::backups;
use crate::check::{could_not_tell, not_applicable, pass};
use crate::facts::Known;
use crate::{Check, Evidence, Finding, Judged, Outcome, Remedy, Server, Severity};

/// Programs that make backups, and words by which people call their own.
const PROGRAMS: [&str; 11] = [
    "restic",
    "borg",
    "duplicity",
    "duply",
    "kopia",
    "rsnapshot",
    "rdiff-backup",
    "bacula",
    "bareos",
    "proxmox-backup",
    "backup",
];

/// A line of a job that makes a backup.
pub(super) struct Job<'a> {
    path: &'a str,
    number: usize,
    line: &'a str,
}

impl Job<'_> {
    /// Whether it runs something; units describe themselves in other lines.
    fn is_command(&self) -> bool {
        !self.path.starts_with("/etc/systemd/") || self.line.starts_with("Exec")
    }

    /// Whether it runs every day.
    pub(super) fn is_daily(&self) -> bool {
        let words: Vec<&str> = self.line.split_whitespace().collect();
        let every = words.get(2..5).is_some_and(|fields| fields.iter().all(|field| *field == "*"));
        self.path.contains("cron.daily")
            || words.first() == Some(&"@daily")
            || every
            || self.line.contains("OnCalendar=daily")
    }
}

/// The jobs that make backups; of Debian's own, `dpkg` copies its tables.
pub(super) fn jobs<'a>(server: &Server<'a>) -> Vec<Job<'a>> {
    let places = ["/etc/cron", "/var/spool/cron/", "/etc/systemd/system/"];
    let files =
        server.facts.files.iter().filter(|(path, _)| places.iter().any(|place| path.starts_with(place)));
    let files = files.filter(|(path, _)| {
        !["dpkg", "apt-compat", "mdadm", "e2scrub_all", "0hourly"].iter().any(|own| path.ends_with(own))
    });
    let texts = files.filter_map(|(path, file)| Some((path.as_str(), file.known()?.text.known()?)));
    texts
        .flat_map(|(path, text)| {
            text.lines().enumerate().map(move |(at, line)| Job { path, number: at + 1, line: line.trim() })
        })
        .filter(|job| {
            job.is_command()
                && !job.line.starts_with('#')
                && PROGRAMS.iter().any(|program| job.line.to_lowercase().contains(program))
        })
        .collect()
}

pub(super) static BAK_001: Check = Check {
    id: "BAK-001",
    title: "No backup was found",
    severity: Severity::High,
    why: "A broken disk, a wrong command or an intruder takes all mail of all users for ever.",
    proof: "No archive in the directories named in the configuration and in the usual ones, no state of a backup program (restic, Borg, \
            duplicity, Kopia, rsnapshot), and no job of cron or systemd that speaks of one. Backups that another machine fetches are not seen: \
            name a directory, or suppress this with a reason.",
    fix: "Set up an encrypted backup of mail, configuration, keys and state to another machine, and try to restore it.",
    references: &["CIS Controls v8 11.2"],
    judge: bak_001,
};

fn bak_001(server: &Server<'_>) -> Judged {
    let all = backups(server)?;
    if let Some(first) = all.first() {
        return pass(format!("{} and others ({})", first.path, all.len()));
    }
    if let Some(job) = jobs(server).first() {
        return pass(format!("{}:{}: {}", job.path, job.number, job.line));
    }
    if !server.facts.about.prefix.is_empty() {
        return could_not_tell(
            "backups of a container are made outside of it, and no directory of them was named",
        );
    }
    let tables = ["/etc/crontab", "/etc/cron.d", "/etc/cron.daily", "/etc/systemd/system"];
    if !tables.iter().any(|table| matches!(server.facts.files.get(*table), Some(Known::Is(_)))) {
        return could_not_tell("neither the tables of cron nor the timers of systemd were read");
    }
    let finding = Finding::new(Severity::High, "", "No backup was found, and no job that makes one")
        .seen(
            "directories",
            "no archive in /backup, /srv/backup, /opt/backup, /mnt/backup, /root/backup, /var/backups",
        )
        .seen("cron and systemd", "no job that speaks of a backup");
    let remedy = Remedy::new("Back up mail, configuration, keys and state to another machine, encrypted, every night.")
        .add("/etc/cron.d/mail-backup", &["0 3 * * * root restic -r sftp:backup@backup.example.org:mail --password-file /root/.restic backup /etc /var/mail"])
        .apply("restic -r sftp:backup@backup.example.org:mail --password-file /root/.restic init")
        .prove("restic -r sftp:backup@backup.example.org:mail --password-file /root/.restic check");
    Ok(Outcome::from(finding.remedy(remedy)))
}

pub(super) static BAK_008: Check = Check {
    id: "BAK-008",
    title: "The backup job leaves its contents or its pass phrase open",
    severity: Severity::Medium,
    why: "A plain archive on the disk, a pass phrase in the script or a broken cipher make the encryption worthless to whoever gets at one of them.",
    proof: "Scripts of jobs: an archive that is written first and encrypted afterwards, a pass phrase on the command line, or DES, 3DES, RC4 or \
            an undated key derivation.",
    fix: "Pipe the archive into age or gpg with a public key, so that neither plain text nor pass phrase is on this machine.",
    references: &["CIS Controls v8 11.3", "openssl-enc(1)"],
    judge: bak_008,
};

fn bak_008(server: &Server<'_>) -> Judged {
    let places = ["/etc/cron", "/usr/local/", "/opt/", "/root/", "/srv/", "/etc/systemd/system/"];
    let scripts =
        server.facts.files.iter().filter(|(path, _)| places.iter().any(|place| path.starts_with(place)));
    let scripts: Vec<(&str, &str)> = scripts
        .filter_map(|(path, file)| Some((path.as_str(), file.known()?.text.known()?.as_str())))
        .filter(|(_, text)| makes_archives(text))
        .collect();
    if scripts.is_empty() {
        return not_applicable("no script that makes archives was read");
    }
    let findings: Vec<Finding> = scripts.iter().filter_map(|(path, text)| open_script(path, text)).collect();
    Ok(Outcome::of(findings, format!("{} scripts encrypt as they should", scripts.len())))
}

fn makes_archives(text: &str) -> bool {
    let archives = ["tar ", "mysqldump", "pg_dump", "doveadm backup"].iter().any(|word| text.contains(word));
    let encrypts = ["gpg", "openssl", "age "].iter().any(|word| text.contains(word));
    archives && encrypts
}

fn open_script(path: &str, text: &str) -> Option<Finding> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim()))
        .filter(|(_, line)| !line.starts_with('#'));
    let lines: Vec<(usize, &str)> = lines.collect();
    let seen = |wanted: &dyn Fn(&str) -> bool, why: &str| {
        let (number, line) = lines.iter().find(|(_, line)| wanted(line))?;
        Some(Evidence { place: format!("{path}:{number}"), seen: format!("{line} ({why})") })
    };
    let phrase = |line: &str| {
        line.contains("-pass pass:") || line.contains("--passphrase ") && !line.contains("--passphrase-f")
    };
    let cipher = |line: &str| {
        line.contains("openssl")
            && ["-des", "-rc4", "-rc2", "-bf", "-des3"].iter().any(|weak| line.contains(weak))
    };
    let archive = lines.iter().position(|(_, line)| writes_archive(line));
    let plain = |line: &str| writes_archive(line) && !line.contains('|');
    let later = archive.is_some_and(|at| {
        lines
            .iter()
            .skip(at + 1)
            .any(|(_, line)| ["gpg", "openssl", "age "].iter().any(|program| line.contains(program)))
    });
    let evidence: Vec<Evidence> = [
        seen(&phrase, "the pass phrase is on the command line, where every process sees it"),
        seen(&cipher, "the cipher is broken"),
        later
            .then(|| seen(&plain, "the archive lies on the disk unencrypted until a later line encrypts it"))
            .flatten(),
    ]
    .into_iter()
    .flatten()
    .collect();
    if evidence.is_empty() {
        return None;
    }
    let remedy = Remedy::new("Pipe the archive into age with the public key of another machine.")
        .edit(
            path,
            &[],
            &["tar -c /etc /var/mail | zstd | age -r age1... > /backup/mail-$(date +%F).tar.zst.age"],
        )
        .apply(path)
        .prove("head -c 21 /backup/mail-*.age | tail -1");
    Some(
        Finding::new(
            Severity::Medium,
            path,
            format!("{path} leaves what it backs up, or the key to it, open"),
        )
        .all_seen(evidence)
        .remedy(remedy),
    )
}

/// `tar -czf x`, `tar czf x`, a redirection: into a file that is not `-`.
fn writes_archive(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| !word.ends_with("tar"));
    let tar = words.next().is_some();
    let mut words =
        words.skip_while(|word| !(word.trim_start_matches('-').contains('c') && word.ends_with('f')));
    tar && words.next().is_some() && words.next().is_some_and(|target| target != "-") && !line.contains("| ")
}
