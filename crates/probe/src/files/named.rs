//! Files that configuration and scripts name.

use std::collections::{BTreeMap, BTreeSet};

use mailward_audit::Known;
use mailward_audit::facts::{FileKind, Said};

use super::{Files, Wanted};

/// More names than this are a table of data.
const MOST: usize = 1000;

/// Commands whose output names files.
const NAMING: [&str; 4] = ["postconf -n", "postconf -M", "postconf -P", "doveconf -n"];

/// Parameters whose default names a directory or file that checks ask for.
const DEFAULTS: [&str; 5] =
    ["alias_maps", "command_directory", "daemon_directory", "data_directory", "queue_directory"];

/// Stores of mail: what follows these names in `doveconf -n` and `postconf -n`.
const STORES: [&str; 6] =
    ["mail_location", "mail_path", "mail_home", "virtual_mailbox_base", "mail_spool_directory", "home="];

/// Tables that Postfix indexes, and what the index is called.
const INDEXES: [(&str, &str); 4] =
    [("hash:", ".db"), ("btree:", ".db"), ("lmdb:", ".lmdb"), ("cdb:", ".cdb")];

/// Files that the effective configuration names.
pub(crate) fn by_commands(said: &BTreeMap<String, Known<Said>>) -> Vec<Wanted> {
    let text = |line: &str| said.get(line).and_then(Known::known).map_or("", |said| said.stdout.as_str());
    let defaults = text("postconf -d")
        .lines()
        .filter(|line| line.split(' ').next().is_some_and(|name| DEFAULTS.contains(&name)));
    let lines: Vec<&str> = NAMING.iter().flat_map(|line| text(line).lines()).chain(defaults).collect();
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for line in lines {
        if STORES.iter().any(|store| line.contains(store)) {
            all.extend(paths(line).map(|path| Wanted::sample(&path, 5)));
        } else {
            names.extend(paths(line));
            all.extend(indexes(line).iter().map(|path| Wanted::stat(path, 0)));
        }
    }
    all.extend(names.iter().take(MOST).filter(|path| !is_vast(path)).map(|path| Wanted::text(path, 0)));
    all
}

/// Directories that mail is stored in, by what Dovecot and Postfix say.
pub(crate) fn stores(said: &BTreeMap<String, Known<Said>>) -> Vec<String> {
    let text = |line: &str| said.get(line).and_then(Known::known).map_or("", |said| said.stdout.as_str());
    let lines = NAMING.iter().flat_map(|line| text(line).lines());
    let found: BTreeSet<String> =
        lines.filter(|line| STORES.iter().any(|store| line.contains(store))).flat_map(paths).collect();
    found.into_iter().collect()
}

/// Programs that aliases, cron, timers, hooks and filters run, and OpenDKIM's tables.
pub(crate) fn by_texts(files: &Files) -> Vec<Wanted> {
    let runs = |path: &str| {
        [
            "/etc/aliases",
            "/etc/cron",
            "/etc/anacrontab",
            "/var/spool/cron/",
            "/etc/systemd/system/",
            "/etc/letsencrypt/renewal",
        ]
        .iter()
        .any(|start| path.starts_with(start))
    };
    let mut names = BTreeSet::new();
    for (path, file) in files {
        let Known::Is(file) = file else { continue };
        if let ("/etc/opendkim.conf", Known::Is(text)) = (path.as_str(), &file.text) {
            let table = |line: &&str| line.starts_with("KeyTable") || line.starts_with("SigningTable");
            names.extend(text.lines().filter(table).flat_map(paths));
        }
        if let (true, Known::Is(text)) = (runs(path), &file.text) {
            names.extend(text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(paths));
        }
    }
    names.iter().take(MOST).filter(|path| !is_vast(path)).map(|path| Wanted::text(path, 0)).collect()
}

/// The directory above the homes that Dovecot's files of accounts name (passwd-file: the sixth field).
pub(crate) fn homes(files: &Files) -> Option<Wanted> {
    let tables = files.iter().filter(|(path, _)| path.starts_with("/etc/dovecot/"));
    let lines = tables.filter_map(|(_, file)| file.known()?.text.known()).flat_map(|text| text.lines());
    let home = |line: &str| {
        let home = line.split(':').nth(5).filter(|home| home.starts_with('/'))?.to_owned();
        (line.split(':').count() > 6 && !line.starts_with('#')).then_some(home)
    };
    let common = lines.filter_map(home).reduce(|above, home| {
        let same = above.split('/').zip(home.split('/')).take_while(|(one, other)| one == other);
        same.map(|(name, _)| name).collect::<Vec<_>>().join("/")
    })?;
    (common.matches('/').count() > 1 && !is_vast(&common)).then(|| Wanted::sample(&common, 5))
}

/// Filters of users, found among their mail, whose texts tell where mail goes.
pub(crate) fn filters(files: &Files) -> Vec<Wanted> {
    let unread = |file: &Known<mailward_audit::facts::File>| {
        file.known().is_some_and(|file| file.kind == FileKind::Regular && file.text == Known::Unasked)
    };
    let found = files.iter().filter(|(path, file)| path.ends_with(".sieve") && unread(file));
    found.take(MOST).map(|(path, _)| Wanted::text(path, 0)).collect()
}

/// The directories that lead to what was found: who may write there may replace it.
pub(crate) fn parents(files: &Files) -> Vec<Wanted> {
    let mut names = BTreeSet::new();
    for (path, file) in files {
        let sampled = matches!(file, Known::Is(file) if file.kind == FileKind::Directory && path.matches('/').count() > 4);
        if sampled || !matches!(file, Known::Is(_)) {
            continue;
        }
        let mut rest = path.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            names.insert(parent.to_owned());
            rest = parent;
        }
    }
    names.iter().map(|path| Wanted::stat(path, 0)).collect()
}

/// Whether a path names a part of the system rather than a file.
fn is_vast(path: &str) -> bool {
    [
        "/",
        "/dev",
        "/proc",
        "/sys",
        "/dev/null",
        "/home",
        "/root",
        "/usr",
        "/usr/bin",
        "/usr/sbin",
        "/bin",
        "/sbin",
    ]
    .contains(&path)
        || ["/dev/", "/proc/", "/sys/"].iter().any(|start| path.starts_with(start))
}

/// Absolute paths in a line: after blanks, quotes, `=`, `:`, `<`, `|`; up to the next of them. A path that a variable goes into ends
/// at the directory before it.
pub(crate) fn paths(line: &str) -> impl Iterator<Item = String> {
    let separators = |c: char| c.is_whitespace() || "\"'=:<>|,;()[]{}`&".contains(c);
    line.split(separators).filter(|word| word.starts_with('/') && !word.starts_with("//")).filter_map(
        |word| {
            let fixed = match word.find(['%', '$', '*', '?']) {
                Some(at) => word.get(..at)?.rsplit_once('/')?.0,
                None => word.trim_end_matches(['/', '.']),
            };
            (fixed.len() > 1 && !fixed.contains("/../")).then(|| fixed.to_owned())
        },
    )
}

/// The indexed forms of the tables in a line.
fn indexes(line: &str) -> Vec<String> {
    let words = line.split([' ', ',', '\t']);
    words
        .filter_map(|word| {
            let (kind, end) = INDEXES.iter().find(|(kind, _)| word.contains(&format!("{kind}/")))?;
            let (_, path) = word.split_once(kind)?;
            Some(format!("{path}{end}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_are_found_in_files_of_accounts() {
        let found = |text: &str| {
            let file = mailward_audit::facts::File { text: Known::Is(text.to_owned()), ..Default::default() };
            homes(&[("/etc/dovecot/users".to_owned(), Known::Is(file))].into()).map(|wanted| wanted.path)
        };
        let line = |home: &str| format!("a@example.org:***:5000:5000::{home}::\n");
        assert_eq!(found(&(line("/srv/mail/a/x") + &line("/srv/mail/b/y"))).as_deref(), Some("/srv/mail"));
        assert_eq!(found(&(line("/srv/mail/a") + &line("/home/b"))), None);
        assert_eq!(found("# passwd-file\na@example.org:***\n"), None);
    }

    #[test]
    fn paths_are_found_in_settings() {
        let found = |line| paths(line).collect::<Vec<_>>();
        assert_eq!(found("alias_maps = hash:/etc/aliases, pcre:/etc/x"), ["/etc/aliases", "/etc/x"]);
        assert_eq!(
            found("ssl_cert = </etc/letsencrypt/live/a/fullchain.pem"),
            ["/etc/letsencrypt/live/a/fullchain.pem"]
        );
        assert_eq!(found("mail_location = maildir:/var/mail/%d/%n"), ["/var/mail"]);
        assert_eq!(found("root: \"|/usr/local/bin/x -a\""), ["/usr/local/bin/x"]);
        assert_eq!(found("relayhost = https://x/y"), Vec::<String>::new());
        assert_eq!(
            indexes("alias_maps = hash:/etc/aliases, lmdb:/etc/y"),
            ["/etc/aliases.db", "/etc/y.lmdb"]
        );
    }
}
