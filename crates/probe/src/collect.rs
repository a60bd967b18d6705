//! Everything in order.

use std::path::{Path, PathBuf};

use mailward_audit::Facts;
use mailward_audit::dms::{CONFIG, env_files_of};
use mailward_audit::facts::{About, Deployment};
use mailward_host::run::Limits;

use crate::files::{self, Mount, Tree, Wanted};
use crate::place::Place;
use crate::{accounts, commands, host, log, tls};

/// What to collect, and where.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The words before every command: `docker exec -i mailserver`; none for this machine.
    pub prefix: Vec<String>,
    /// What runs the mail server.
    pub deployment: Deployment,
    /// A docker-mailserver's config volume on this machine.
    pub config_dir: Option<PathBuf>,
    /// The compose file; what it mounts is read on this machine.
    pub compose: Option<PathBuf>,
    /// The environment file.
    pub env: Option<PathBuf>,
    /// Mail logs, as this machine sees them.
    pub logs: Vec<PathBuf>,
    /// Directories of backups, beside the usual ones.
    pub backups: Vec<PathBuf>,
    /// Whether to read backups in whole, and all that takes longer than a moment.
    pub deep: bool,
    /// Whether to try the few guessable passwords on stored hashes.
    pub guess_passwords: bool,
    /// Whether probes may leave a trace on the server.
    pub active: bool,
    /// Our version.
    pub version: String,
}

/// Collects what this machine, or what is behind the prefix, tells without a question to the network.
#[must_use]
pub fn collect(options: &Options, progress: &dyn Fn(&str)) -> Facts {
    let place = Place::behind(&options.prefix);
    let tree = tree(options, &place);
    let mut facts = Facts { about: about(options), ..Facts::default() };
    std::thread::scope(|scope| {
        // These wait for nothing else, and a queue whose server is down takes its second.
        let queue = scope.spawn(|| host::queue(&place));
        let log = scope.spawn(|| log::read(&options.logs));
        let backups = scope.spawn(|| host::backups(&backup_directories(options), options.deep));
        progress("commands");
        facts.said = commands::collect(&place, options.deployment, options.active);
        progress("files");
        facts.files = files::collect(&tree, options.deployment, &wanted(options), &facts.said);
        progress("machine");
        let names = host::Names::of(&tree);
        facts.host = host::collect(&tree, &names, &mut facts.said, &facts.files, options.deep);
        names.give(&mut facts.files);
        facts.log.health = log.join().unwrap_or_default();
        facts.host.backups = backups.join().unwrap_or_default();
        facts.host.queue = queue.join().unwrap_or_default();
    });
    host::count_corrupt(&mut facts.host.queue, &facts.files);
    progress("accounts");
    let guessing = options.guess_passwords.then_some(accounts::GUESSING);
    facts.accounts = accounts::collect(&facts, &|path| accounts::text(&tree, path), guessing);
    facts.dns.signing = crate::dns::signing_keys(&tree);
    tls::read_files(&mut facts, &|path| accounts::text(&tree, path));
    facts
}

/// Collects what tells of accounts alone: Dovecot's configuration, and the files of accounts that it names.
#[must_use]
pub fn collect_accounts(options: &Options) -> Facts {
    let mut facts = Facts { about: about(options), ..Facts::default() };
    let tree = options.tree();
    let said = tree.place().run(&["doveconf", "-n"], Limits::default());
    facts.said.insert("doveconf -n".to_owned(), said);
    let guessing = options.guess_passwords.then_some(accounts::GUESSING);
    facts.accounts = accounts::collect(&facts, &|path| accounts::text(&tree, path), guessing);
    facts
}

/// Collects the queue alone.
#[must_use]
pub fn collect_queue(options: &Options) -> Facts {
    let mut facts = Facts { about: about(options), ..Facts::default() };
    facts.host.queue = host::queue(&Place::behind(&options.prefix));
    facts
}

/// Collects space and inodes alone.
#[must_use]
pub fn collect_space(options: &Options) -> Facts {
    let mut facts = Facts { about: about(options), ..Facts::default() };
    let tree = options.tree();
    let said = tree.place().run(&["doveconf", "-n"], Limits::default());
    facts.said.insert("doveconf -n".to_owned(), said);
    facts.host.space = host::space(&tree, &facts.said, &facts.files);
    facts
}

impl Options {
    /// The file tree of the mail server, with the parts of it that are on this machine.
    #[must_use]
    pub fn tree(&self) -> Tree {
        tree(self, &Place::behind(&self.prefix))
    }
}

/// The directories that were named, and those beside the compose file.
fn backup_directories(options: &Options) -> Vec<PathBuf> {
    let beside = options.compose.as_deref().and_then(Path::parent);
    let beside =
        beside.into_iter().flat_map(|directory| ["backup", "backups"].map(|name| directory.join(name)));
    options.backups.iter().cloned().chain(beside).collect()
}

fn about(options: &Options) -> About {
    About {
        version: options.version.clone(),
        taken: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        deployment: options.deployment,
        prefix: options.prefix.clone(),
        active: options.active,
        remote: false,
    }
}

/// The tree with what the compose file and the options say is on this machine.
pub(crate) fn tree(options: &Options, place: &Place) -> Tree {
    let mut mounts: Vec<Mount> =
        composed(options).into_iter().map(|(host, inside)| Mount { host, inside }).collect();
    if let Some(directory) = &options.config_dir {
        mounts.push(Mount { host: directory.clone(), inside: CONFIG.to_owned() });
    }
    if let Some(compose) = options.compose.as_deref().filter(|_| !place.is_here()) {
        let text = std::fs::read_to_string(compose).unwrap_or_default();
        let directory = compose.parent().unwrap_or(Path::new("."));
        let given = options.config_dir.is_some();
        let mounted = files::mounts_of_compose(&text, directory).into_iter();
        mounts.extend(mounted.filter(|mount| !(given && mount.inside.trim_end_matches('/') == CONFIG)));
    }
    Tree::new(place.clone(), mounts)
}

/// The compose file, the environment files and what tells of secrets beside them, with their keys under `/compose/`.
fn composed(options: &Options) -> Vec<(PathBuf, String)> {
    let named = options.compose.iter().chain(&options.env).cloned();
    let beside = options.compose.as_deref().or(options.env.as_deref()).and_then(Path::parent);
    let text =
        options.compose.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let names = [".env", ".git", ".gitignore"].map(str::to_owned).into_iter().chain(env_files_of(&text));
    let neighbours = beside.into_iter().flat_map(|directory| names.clone().map(|name| directory.join(name)));
    let all = named.chain(neighbours);
    all.filter_map(|path| Some((path.clone(), format!("/compose/{}", path.file_name()?.to_str()?)))).collect()
}

/// What the options name: the compose file and its neighbours, and the directories of logs, in which rotated ones are too.
fn wanted(options: &Options) -> Vec<Wanted> {
    let composed = composed(options).into_iter().map(|(_, inside)| Wanted::text(&inside, 0));
    let directories = options.logs.iter().filter_map(|log| log.parent()?.to_str());
    let logs = directories
        .filter(|path| options.prefix.is_empty() && *path != "/")
        .map(|path| Wanted::stat(path, 1));
    composed.chain(logs).collect()
}
