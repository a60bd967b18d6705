//! A restore on trial: files are brought back to a scratch place and held against the checksums with which they were saved and against
//! what is live, the programs load the configuration that came back, and Dovecot opens a mailbox.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use mailward_backup::{Entry, Meter, Repository, Snapshot, Verified};
use mailward_host::random;
use mailward_host::run::{self, Limits};
use serde::Serialize;

/// Files that are picked at random where not everything is tried.
const SAMPLE: usize = 300;

/// A mailbox that is larger is not brought back only to be looked at.
const LARGEST: u64 = 2 << 30;

/// Configuration that is always tried.
const CONFIGURATION: [&str; 2] = ["/etc/postfix", "/etc/dovecot"];

/// What was tried, and what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Trial {
    /// Whether everything was tried, or a sample.
    pub(crate) whole: bool,
    /// Files that are what was saved, by their checksums.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Files that are not.
    pub(crate) wrong: Vec<PathBuf>,
    /// Files that are, byte for byte, what lies on the server.
    pub(crate) as_live: u64,
    /// Files that are not, although nobody changed them since.
    pub(crate) not_as_live: Vec<PathBuf>,
    /// What programs said of what came back.
    pub(crate) steps: Vec<Step>,
}

/// What a program said.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    /// What was tried.
    pub(crate) what: String,
    /// Whether it worked; none where it could not be tried.
    pub(crate) fine: Option<bool>,
    /// What was seen.
    pub(crate) seen: String,
}

impl Trial {
    /// Whether the snapshot is proven.
    pub(crate) fn is_fine(&self) -> bool {
        let none_wrong = self.wrong.is_empty() && self.not_as_live.is_empty();
        self.files > 0 && none_wrong && self.steps.iter().all(|step| step.fine != Some(false))
    }
}

/// Tries a snapshot. What was brought back is removed afterwards.
pub(crate) fn drill(
    repository: &Repository,
    snapshot: &Snapshot,
    whole: bool,
    meter: &Meter,
) -> anyhow::Result<Trial> {
    let scratch = Scratch::new()?;
    let entries = repository.entries(snapshot, &[])?;
    let mailbox = pick_mailbox(&entries)?;
    let paths = if whole { Vec::new() } else { sample(&entries, mailbox.as_ref())? };
    repository.restore(snapshot, &paths, &scratch.0, meter)?;
    let verified = repository.verify(snapshot, &paths, &scratch.0)?;
    let mut trial = Trial::of(verified, whole);
    trial.compare(&entries, &scratch.0);
    trial.steps.extend(configuration(&scratch.0));
    trial.steps.push(match &mailbox {
        Some(mailbox) => open_mailbox(mailbox, &scratch.0)?,
        None => untried("a mailbox is opened", "no mailbox of at most 2 GiB is in the snapshot"),
    });
    Ok(trial)
}

impl Trial {
    fn of(verified: Verified, whole: bool) -> Self {
        Self { whole, files: verified.files, bytes: verified.bytes, wrong: verified.wrong, ..Self::default() }
    }

    /// Holds what came back against what lies on the server, where nobody changed that since.
    fn compare(&mut self, entries: &[Entry], scratch: &Path) {
        for entry in entries.iter().filter(|entry| entry.is_file()) {
            let back = below(scratch, &entry.path);
            if !back.is_file() || !is_unchanged(entry) {
                continue;
            }
            match is_same(&back, &entry.path) {
                Ok(true) => self.as_live += 1,
                // Changed or removed in this very moment.
                Ok(false) if is_unchanged(entry) => self.not_as_live.push(entry.path.clone()),
                Ok(false) | Err(_) => {}
            }
        }
    }
}

fn below(scratch: &Path, path: &Path) -> PathBuf {
    scratch.join(path.strip_prefix("/").unwrap_or(path))
}

fn is_unchanged(entry: &Entry) -> bool {
    let micros = |found: &fs::Metadata| found.mtime() * 1_000_000 + found.mtime_nsec() / 1000;
    // A database is another file when SQLite has copied it, and its log goes with it.
    let is_database =
        [".db", ".sqlite", ".sqlite3", ".db3"].iter().any(|end| entry.path.to_string_lossy().ends_with(end));
    let found = fs::symlink_metadata(&entry.path);
    !is_database
        && found.is_ok_and(|found| {
            found.is_file() && found.len() == entry.size() && micros(&found) == entry.changed()
        })
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    use std::io::Read;
    let (mut one, mut other) = (fs::File::open(one)?, fs::File::open(other)?);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        Read::by_ref(&mut one).take(1 << 20).read_to_end(&mut left)?;
        Read::by_ref(&mut other).take(1 << 20).read_to_end(&mut right)?;
        if left != right || left.is_empty() {
            return Ok(left == right);
        }
    }
}

/// A mailbox of the snapshot.
#[derive(Debug)]
struct Mailbox {
    path: PathBuf,
    /// As mail_location calls it.
    format: &'static str,
    /// Messages in files of their own.
    messages: usize,
}

/// One of the mailboxes, by lot.
fn pick_mailbox(entries: &[Entry]) -> anyhow::Result<Option<Mailbox>> {
    let mut found: Vec<Mailbox> = Vec::new();
    for directory in entries.iter().filter(|entry| entry.is_directory()) {
        let within = found.last().is_some_and(|last| directory.path.starts_with(&last.path));
        if let (false, Some(format)) = (within, format(entries, &directory.path)) {
            found.push(Mailbox { path: directory.path.clone(), format, messages: 0 });
        }
    }
    let mut found: Vec<Mailbox> =
        found.into_iter().filter(|mailbox| bytes(entries, &mailbox.path) <= LARGEST).collect();
    if found.is_empty() {
        return Ok(None);
    }
    let mut mailbox = found.swap_remove(lot(found.len())?);
    mailbox.messages = within(entries, &mailbox.path).filter(|entry| is_message(entry)).count();
    Ok(Some(mailbox))
}

/// Entries are in order, each directory before what is in it.
fn within<'a>(entries: &'a [Entry], path: &'a Path) -> impl Iterator<Item = &'a Entry> {
    let from = entries.partition_point(|entry| entry.path.as_path() < path);
    entries.get(from..).unwrap_or_default().iter().take_while(move |entry| entry.path.starts_with(path))
}

fn format(entries: &[Entry], path: &Path) -> Option<&'static str> {
    let has = |name: &str| {
        let path = path.join(name);
        entries.binary_search_by(|entry| entry.path.cmp(&path)).is_ok()
    };
    match () {
        () if has("cur") && has("new") => Some("maildir"),
        () if has("mailboxes") && has("storage") => Some("mdbox"),
        () if has("mailboxes/INBOX/dbox-Mails") => Some("sdbox"),
        () => None,
    }
}

fn bytes(entries: &[Entry], path: &Path) -> u64 {
    within(entries, path).filter(|entry| entry.is_file()).map(Entry::size).sum()
}

fn is_message(entry: &Entry) -> bool {
    let directory = entry.path.parent().and_then(Path::file_name);
    entry.is_file() && directory.is_some_and(|name| name == "cur" || name == "new")
}

fn lot(of: usize) -> io::Result<usize> {
    let number = usize::from_le_bytes(random::bytes()?);
    Ok(number.checked_rem(of).unwrap_or_default())
}

/// Files by lot, the configuration, and the mailbox.
fn sample(entries: &[Entry], mailbox: Option<&Mailbox>) -> io::Result<Vec<PathBuf>> {
    let files: Vec<&Entry> =
        entries.iter().filter(|entry| entry.is_file() && entry.size() <= LARGEST).collect();
    let mut paths = BTreeSet::new();
    for _ in 0..SAMPLE.min(files.len()) {
        paths.extend(files.get(lot(files.len())?).map(|entry| entry.path.clone()));
    }
    let there = |path: &PathBuf| entries.binary_search_by(|entry| entry.path.cmp(path)).is_ok();
    paths.extend(CONFIGURATION.iter().map(PathBuf::from).filter(there));
    paths.extend(mailbox.map(|mailbox| mailbox.path.clone()));
    Ok(paths.into_iter().collect())
}

/// The programs load the configuration that came back.
fn configuration(scratch: &Path) -> Vec<Step> {
    let postfix = ("etc/postfix/main.cf", "Postfix loads its configuration", "postconf");
    let dovecot = ("etc/dovecot/dovecot.conf", "Dovecot loads its configuration", "doveconf");
    [postfix, dovecot]
        .into_iter()
        .filter(|(file, ..)| scratch.join(file).is_file())
        .map(|(file, what, program)| {
            let file = scratch.join(file);
            // postconf(1) takes the directory, doveconf(1) the file.
            let place = if program == "postconf" { file.parent().unwrap_or(&file) } else { &file };
            loads(what, program, place)
        })
        .collect()
}

fn loads(what: &str, program: &str, place: &Path) -> Step {
    let Some(path) = run::find(program) else {
        return untried(what, &format!("{program} is not installed here"));
    };
    match run::output(&path, &["-c", &place.to_string_lossy(), "-n"], Limits::default()) {
        Err(error) => untried(what, &error.to_string()),
        Ok(said) => {
            let lines =
                String::from_utf8_lossy(&said.stdout).lines().filter(|line| line.contains('=')).count();
            let complaint = String::from_utf8_lossy(&said.stderr)
                .lines()
                .find(|line| line.contains("atal") || line.contains("rror"))
                .map(str::to_owned);
            let fine = said.status.success() && lines > 0 && complaint.is_none();
            let seen = complaint.unwrap_or_else(|| format!("{program} -n: {lines} settings"));
            Step { what: what.to_owned(), fine: Some(fine), seen }
        }
    }
}

fn untried(what: &str, why: &str) -> Step {
    Step { what: what.to_owned(), fine: None, seen: why.to_owned() }
}

/// Dovecot opens a mailbox that came back, as its owner, with a configuration that names nothing else of this host.
fn open_mailbox(mailbox: &Mailbox, scratch: &Path) -> anyhow::Result<Step> {
    let what = format!("Dovecot opens {}", mailbox.path.display());
    let (Some(env), Some(doveadm)) = (run::find("env"), run::find("doveadm")) else {
        return Ok(untried(&what, "doveadm is not installed here"));
    };
    let place = below(scratch, &mailbox.path);
    let found = fs::metadata(&place)?;
    if found.uid() == 0 || !mailward_host::user::is_root() {
        return Ok(untried(&what, "it belongs to root, as whom Dovecot opens no mail"));
    }
    let settings = scratch.join("doveadm.conf");
    fs::write(&settings, settings_of(mailbox.format, &place, &found, scratch))?;
    fs::set_permissions(&settings, fs::Permissions::from_mode(0o644))?;
    let (doveadm, settings) = (doveadm.to_string_lossy(), settings.to_string_lossy());
    // doveadm(1) without -u asks no user database, and takes the name from the environment.
    let words = ["USER=trial", &doveadm, "-c", &settings, "-f", "tab", "mailbox", "status", "messages", "*"];
    let limits = Limits { timeout: Duration::from_secs(300), ..Limits::default() };
    let said = match run::output(&env, &words, limits) {
        Ok(said) => said,
        Err(error) => return Ok(untried(&what, &error.to_string())),
    };
    let stdout = String::from_utf8_lossy(&said.stdout);
    let counts: Vec<usize> =
        stdout.lines().filter_map(|line| line.rsplit('\t').next()?.parse().ok()).collect();
    let messages: usize = counts.iter().sum();
    if !said.status.success() || counts.is_empty() {
        let why =
            String::from_utf8_lossy(&said.stderr).lines().next().unwrap_or("it said nothing").to_owned();
        return Ok(Step { what, fine: Some(false), seen: why });
    }
    // What Dovecot counts is what was saved; of dbox, where messages are inside of files, that it counts at all.
    let expected = (mailbox.format == "maildir").then_some(mailbox.messages);
    let fine = expected.is_none_or(|expected| expected == messages);
    let seen = format!("{messages} messages in {} mailboxes", counts.len());
    let seen = if fine { seen } else { format!("{seen}, and {} were saved", mailbox.messages) };
    Ok(Step { what, fine: Some(fine), seen })
}

/// As few settings as it takes; 2.4 calls some by other names, and wants to know for which version they were written.
fn settings_of(format: &str, place: &Path, owner: &fs::Metadata, scratch: &Path) -> String {
    let (place, scratch) = (place.display(), scratch.display());
    let version = run::find("dovecot")
        .and_then(|program| run::output(&program, &["--version"], Limits::default()).ok());
    let version = version.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    let location = if version.starts_with("2.4") {
        format!("mail_driver = {format}\nmail_path = {place}\n")
    } else {
        format!("mail_location = {format}:{place}\nstats_writer_socket_path =\n")
    };
    let head = if version.starts_with("2.4") {
        "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"
    } else {
        ""
    };
    format!(
        "{head}base_dir = {scratch}/run\nlog_path = /dev/stderr\nssl = no\nfirst_valid_uid = 1\nmail_home = {place}\nmail_uid = {}\nmail_gid = {}\n{location}",
        owner.uid(),
        owner.gid()
    )
}

/// A directory that is gone afterwards. What is in it has the modes that it had; the directory lets others pass, because Dovecot opens the
/// mailbox as its owner, and its name tells nobody where it is.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let name: String = random::bytes::<12>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = Path::new("/var/tmp").join(format!("mailward-drill-{name}"));
        let made = fs::DirBuilder::new().mode(0o711).create(&path);
        made.with_context(|| format!("cannot make {} for the trial", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over is a copy that its owner sees in /var/tmp.
        let _ = fs::remove_dir_all(&self.0);
    }
}
