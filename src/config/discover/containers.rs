//! docker-mailserver: found by its Compose file, which also tells where its logs are on the host.

use std::path::{Path, PathBuf};

use mailward_host::path::without_dots;

use super::host::Host;

/// A mail server in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    /// Its Compose file.
    pub(crate) compose: PathBuf,
    /// Its image, with the version.
    pub(crate) image: String,
    /// Its log on the host; none if the volume is not a place that can be known.
    pub(crate) log: Option<PathBuf>,
    /// Whether the Compose file is root's or our own: anybody may write one into his home directory, and with it choose
    /// what is read as a log.
    pub(crate) trusted: bool,
}

/// Looks where people keep their Compose files: at most three levels below the usual places.
pub(super) fn find(host: &Host, notes: &mut Vec<String>) -> Vec<Container> {
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for place in places(host) {
        for directory in below(host, &place) {
            if seen.contains(&directory) || seen.len() >= MOST {
                continue;
            }
            found.extend(in_directory(host, &directory, notes));
            seen.push(directory);
        }
    }
    found
}

/// Directories that are looked at, at the most.
const MOST: usize = 5_000;

const FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

fn places(host: &Host) -> Vec<PathBuf> {
    let here = std::env::current_dir().ok().filter(|_| host.is_this());
    let usual = ["/root", "/opt", "/srv", "/docker", "/etc/docker", "/var/docker", "/home", "/mnt", "/data"];
    let root = (!host.is_this()).then(|| PathBuf::from("/"));
    here.into_iter().chain(root).chain(usual.into_iter().map(PathBuf::from)).collect()
}

/// A directory and those in it, two levels deep; hidden ones are not looked into.
fn below(host: &Host, place: &Path) -> Vec<PathBuf> {
    let inside = |directory: &PathBuf| -> Vec<PathBuf> {
        let hidden =
            |path: &Path| path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let mut entries = host.list(directory);
        // A symbolic link could lead anywhere, also in circles.
        entries.retain(|path| {
            !hidden(path) && host.path(path).symlink_metadata().is_ok_and(|data| data.is_dir())
        });
        entries
    };
    let mut all = vec![place.to_path_buf()];
    if place == Path::new("/") {
        return all;
    }
    let first = inside(&place.to_path_buf());
    let second: Vec<_> = first.iter().flat_map(inside).collect();
    all.extend(first);
    all.extend(second);
    all
}

/// Docker itself takes the first of these names.
fn in_directory(host: &Host, directory: &Path, notes: &mut Vec<String>) -> Option<Container> {
    let compose = FILES.iter().map(|file| directory.join(file)).find(|file| host.path(file).is_file())?;
    let text = host.read(&compose)?;
    let image = text.lines().find_map(image)?;
    let log = match volume(&text) {
        Some(source) => log(directory, source),
        None => None,
    };
    if log.is_none() {
        notes.push(format!(
            "{}: where /var/log/mail of the container is on this host could not be found out. Add its mail.log to files in [sources]",
            compose.display()
        ));
    }
    let trusted = host.is_trusted(&compose);
    Some(Container { compose, image: image.to_owned(), log, trusted })
}

/// `image: ghcr.io/docker-mailserver/docker-mailserver:15.1.0`.
fn image(line: &str) -> Option<&str> {
    let image = line.trim_start().strip_prefix("image:")?.trim().trim_matches(['"', '\'']);
    let name = image.split('@').next().unwrap_or(image);
    // A colon before a slash is the registry's port.
    let name = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    name.ends_with("/docker-mailserver").then_some(image)
}

/// What is mounted at /var/log/mail: `- ./docker-data/dms/mail-logs/:/var/log/mail/`, or `source:` beside `target:`.
fn volume(text: &str) -> Option<&str> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let short = lines.iter().find_map(|line| {
        let item = line.strip_prefix('-')?.trim().trim_matches(['"', '\'']);
        let (source, rest) = item.split_once(":/var/log/mail")?;
        matches!(rest.trim_start_matches('/'), "" | ":rw" | ":z" | ":Z").then_some(source)
    });
    short.or_else(|| {
        let target = lines.iter().position(|line| {
            let value = line
                .trim_start_matches("- ")
                .strip_prefix("target:")
                .map(|value| value.trim().trim_matches(['"', '\'']));
            value.is_some_and(|value| value.trim_end_matches('/') == "/var/log/mail")
        })?;
        let near = lines.get(target.saturating_sub(3)..(target + 4).min(lines.len()))?;
        near.iter()
            .find_map(|line| line.trim_start_matches("- ").strip_prefix("source:"))
            .map(|source| source.trim().trim_matches(['"', '\'']))
    })
}

/// A path is relative to the Compose file; a name is a volume that Docker keeps, named after the project.
fn log(directory: &Path, source: &str) -> Option<PathBuf> {
    if source.contains('$') || source.starts_with('~') {
        return None;
    }
    let volume = if source.starts_with('/') || source.starts_with('.') {
        without_dots(&directory.join(source))
    } else {
        let project = directory.file_name()?.to_str()?.to_lowercase();
        let project: String =
            project.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
        PathBuf::from(format!("/var/lib/docker/volumes/{project}_{source}/_data"))
    };
    Some(volume.join("mail.log"))
}
