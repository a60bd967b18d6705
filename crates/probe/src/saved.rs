//! What is worth saving on a mail server, found by what its programs say of themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mailward_audit::Known;
use mailward_audit::facts::{Deployment, Said};
use mailward_host::run::Limits;

use crate::Options;
use crate::files::{Tree, paths, stores};

/// Something that is saved, or deliberately is not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Where it is on this machine, without links.
    pub path: PathBuf,
    /// What it is.
    pub why: &'static str,
    /// Whether it is saved.
    pub saved: bool,
}

/// What state programs of a mail server keep, and why it matters. /etc is saved in whole: configuration, accounts, certificates and keys
/// lie all over it.
const STATE: &[(&str, &str)] = &[
    ("/etc", "configuration, accounts, certificates, DKIM keys, schedules"),
    ("/var/lib/dovecot", "Dovecot's state, global Sieve scripts"),
    ("/var/lib/postfix", "Postfix's caches: verified addresses, postscreen, TLS sessions"),
    ("/var/lib/spamassassin", "what SpamAssassin has learned (Bayes)"),
    ("/var/lib/amavis", "amavis' state, and what SpamAssassin has learned behind it (Bayes)"),
    ("/var/lib/rspamd", "Rspamd's state and DKIM keys"),
    ("/var/lib/redis", "what Rspamd has learned (Bayes)"),
    ("/var/lib/postgrey", "whom the greylist knows"),
    ("/var/lib/opendkim", "OpenDKIM's state"),
    ("/var/lib/opendmarc", "collected DMARC results"),
    ("/var/lib/fail2ban", "fail2ban's bans"),
    ("/var/lib/mailman3", "mailing lists"),
    ("/var/dkim", "DKIM keys"),
    ("/var/spool/cron", "schedules of users"),
    ("/root/.acme.sh", "certificates and how they are renewed"),
    ("/usr/local/etc", "configuration of programs that no package brought"),
    ("/usr/local/bin", "programs that no package brought"),
    ("/usr/local/sbin", "programs that no package brought"),
];

/// What lies in such directories and is fetched again by itself.
const FETCHED: &[(&str, &str)] = &[
    ("/var/lib/spamassassin/compiled", "rules, compiled anew by sa-compile"),
    ("/var/lib/amavis/tmp", "mails that are being looked at"),
    ("/var/lib/amavis/virusmails", "quarantine"),
];

/// Parts of docker-mailserver's state that are fetched again by itself.
const FETCHED_IN_STATE: &[(&str, &str)] = &[("lib-clamav", "virus signatures, fetched again by freshclam")];

/// What is worth saving of the server, mail first. What is not there is not named.
#[must_use]
pub fn saved(options: &Options) -> Vec<Found> {
    let found = match options.deployment {
        Deployment::DockerMailserver => of_container(options),
        _ => of_host(&said(options)),
    };
    let mut seen = BTreeSet::new();
    found.into_iter().filter_map(real).filter(|found| seen.insert(found.path.clone())).collect()
}

fn said(options: &Options) -> BTreeMap<String, Known<Said>> {
    let tree = options.tree();
    let lines = ["postconf -n", "postconf -d queue_directory", "doveconf -n"];
    let ask = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        (line.to_owned(), tree.place().run(&words, Limits::default()))
    };
    lines.into_iter().map(ask).collect()
}

fn of_host(said: &BTreeMap<String, Known<Said>>) -> Vec<Found> {
    let text = |line: &str| said.get(line).and_then(Known::known).map_or("", |said| said.stdout.as_str());
    let mut all: Vec<Found> =
        stores(said).into_iter().chain(SPOOLS.map(str::to_owned)).map(|path| keep(path, "mail")).collect();
    all.extend(homes().map(|path| keep(path, "mail in home directories, Sieve scripts, forwards")));
    let queue =
        ["postconf -n", "postconf -d queue_directory"].into_iter().flat_map(|line| text(line).lines());
    let queue = queue.filter_map(|line| line.strip_prefix("queue_directory = ")).next();
    all.extend(
        queue
            .into_iter()
            .flat_map(|root| QUEUES.map(|name| keep(format!("{root}/{name}"), "mail in the queue"))),
    );
    all.extend(STATE.iter().map(|(path, why)| keep(*path, why)));
    // Tables and scripts that lie nowhere of these.
    let named =
        ["postconf -n", "doveconf -n"].into_iter().flat_map(|line| text(line).lines()).flat_map(paths);
    all.extend(named.filter(|path| is_own(path)).map(|path| keep(path, "named by the configuration")));
    all.extend(FETCHED.iter().map(|(path, why)| Found { path: path.into(), why, saved: false }));
    all
}

/// Where mail lies where nobody said otherwise.
const SPOOLS: [&str; 3] = ["/var/mail", "/var/vmail", "/var/spool/mail"];

/// The queues that hold mail (`qmgr(8)`, `postdrop(1)`) or say what became of it.
const QUEUES: [&str; 10] =
    ["active", "bounce", "corrupt", "defer", "deferred", "hold", "incoming", "maildrop", "saved", "trace"];

/// What users with a home of their own have of mail in it.
fn homes() -> impl Iterator<Item = String> {
    let names = ["Maildir", "mail", "mdbox", "sdbox", "sieve", ".dovecot.sieve", ".forward"];
    let homes = fs::read_dir("/home").into_iter().flatten().flatten().map(|entry| entry.path());
    homes
        .chain([PathBuf::from("/root")])
        .flat_map(move |home| names.map(|name| home.join(name).display().to_string()))
}

/// Files that belong to this server, and not to a package or the kernel.
fn is_own(path: &str) -> bool {
    let foreign = [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/dev",
        "/proc",
        "/sys",
        "/run",
        "/var/run",
        "/tmp",
        "/var/spool/postfix",
        "/etc",
    ];
    let within = |directory: &&str| Path::new(path).starts_with(directory);
    !foreign.iter().any(within) && Path::new(path).is_file()
}

fn of_container(options: &Options) -> Vec<Found> {
    let tree = options.tree();
    let beside = options.compose.iter().chain(&options.env).map(|path| keep(path, "the Compose file"));
    let mut all: Vec<Found> =
        mounts(options, &tree).into_iter().filter_map(|(host, inside)| of_mount(host, &inside)).collect();
    all.extend(beside);
    let neighbours = tree.mounts().iter().filter(|mount| mount.inside.starts_with("/compose"));
    all.extend(
        neighbours
            .filter(|mount| mount.host.is_file())
            .map(|mount| keep(&mount.host, "settings beside the Compose file")),
    );
    let state = all.iter().find(|found| found.why == STATE_OF_CONTAINER).map(|found| found.path.clone());
    let fetched = FETCHED_IN_STATE
        .iter()
        .filter_map(|(name, why)| Some(Found { path: state.as_ref()?.join(name), why, saved: false }));
    all.extend(fetched.collect::<Vec<_>>());
    all
}

const STATE_OF_CONTAINER: &str = "state: queue, Bayes, bans, Dovecot's and Rspamd's own";

fn of_mount(host: PathBuf, inside: &str) -> Option<Found> {
    let within = |directory: &str| Path::new(inside).starts_with(directory);
    let (why, saved) = match inside {
        "/etc/localtime" | "/etc/timezone" => return None,
        _ if within("/compose") => return None,
        "/var/mail" => ("mail", true),
        "/var/mail-state" => (STATE_OF_CONTAINER, true),
        "/tmp/docker-mailserver" => ("configuration, accounts, DKIM keys, Sieve scripts", true),
        "/var/log/mail" => ("logs", false),
        _ if within("/etc/letsencrypt") => ("certificates", true),
        _ if within("/run") || within("/var/run") || within("/dev") || within("/proc") || within("/sys") => {
            return None;
        }
        _ => ("mounted into the container", true),
    };
    Some(Found { path: host, why, saved })
}

/// What the container is given, as Docker says; it knows of named volumes, too. Where nobody can be asked, as the Compose file says.
fn mounts(options: &Options, tree: &Tree) -> Vec<(PathBuf, String)> {
    let composed = tree.mounts().iter().map(|mount| (mount.host.clone(), mount.inside.clone()));
    let told = match options.prefix.as_slice() {
        [docker, exec, .., name] if exec == "exec" => {
            let format = "{{range .Mounts}}{{.Source}}\t{{.Destination}}\n{{end}}";
            crate::Place::here()
                .run(&[docker, "inspect", "--format", format, name], Limits::default())
                .known()
                .cloned()
        }
        _ => None,
    };
    let told = told.filter(|said| said.status == Some(0)).map(|said| said.stdout).unwrap_or_default();
    let told = told
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(host, inside)| (host.into(), inside.to_owned()));
    told.chain(composed).collect()
}

fn keep(path: impl Into<PathBuf>, why: &'static str) -> Found {
    Found { path: path.into(), why, saved: true }
}

/// As it lies on the disk, if it does.
fn real(mut found: Found) -> Option<Found> {
    found.path = fs::canonicalize(&found.path).ok()?;
    // A store that is called the root of everything is a setting that nobody understood.
    let vast = TOO_MUCH.iter().any(|vast| found.path == Path::new(vast));
    (found.path.parent().is_some() && !vast).then_some(found)
}

const TOO_MUCH: [&str; 6] = ["/home", "/root", "/usr", "/var", "/var/lib", "/var/spool"];

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(line: &str, stdout: &str) -> (String, Known<Said>) {
        (line.to_owned(), Known::Is(Said { status: Some(0), stdout: stdout.to_owned(), ..Said::default() }))
    }

    #[test]
    fn a_host_says_where_its_mail_and_its_queue_are() {
        let said = BTreeMap::from([
            tell(
                "doveconf -n",
                "mail_location = maildir:/srv/mail/%d/%n\nuserdb {\n  args = home=/srv/homes/%u\n}\n",
            ),
            tell("postconf -d queue_directory", "queue_directory = /var/spool/postfix\n"),
        ]);
        let found = of_host(&said);
        let has = |path: &str, why: &str| {
            found.iter().any(|found| found.path == Path::new(path) && found.why == why)
        };
        assert!(has("/srv/mail", "mail") && has("/srv/homes", "mail"), "{found:?}");
        assert!(has("/var/spool/postfix/deferred", "mail in the queue"));
        assert!(found.iter().any(|found| found.path == Path::new("/etc") && found.saved));
    }

    #[test]
    fn a_container_is_saved_by_its_volumes() {
        let place = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(place.path()).unwrap();
        for name in ["config", "mail", "state/lib-clamav", "logs"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let compose = "services:\n  mailserver:\n    image: mailserver/docker-mailserver\n    env_file: mailserver.env\n    volumes:\n      \
                       - ./config/:/tmp/docker-mailserver/\n      - ./mail/:/var/mail/\n      - ./state/:/var/mail-state/\n      \
                       - ./logs/:/var/log/mail/\n      - /etc/localtime:/etc/localtime:ro\n";
        fs::write(root.join("compose.yaml"), compose).unwrap();
        fs::write(root.join("mailserver.env"), "ENABLE_FAIL2BAN=1\n").unwrap();
        let options = Options {
            deployment: Deployment::DockerMailserver,
            prefix: vec!["/nonexistent".into(), "exec".into(), "-i".into(), "mailserver".into()],
            compose: Some(root.join("compose.yaml")),
            ..Options::default()
        };
        let found = saved(&options);
        let names = |saved: bool| {
            let of = found.iter().filter(|found| found.saved == saved);
            of.map(|found| found.path.strip_prefix(&root).unwrap().display().to_string())
                .collect::<BTreeSet<_>>()
        };
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(names(true), set(&["compose.yaml", "config", "mail", "mailserver.env", "state"]));
        assert_eq!(names(false), set(&["logs", "state/lib-clamav"]));
    }
}
