//! Files of this machine.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use mailward_audit::Known;
use mailward_audit::facts::{File, FileKind};

use super::text::{LARGEST, Secrets};
use super::{Files, Tree, Wanted};

/// A tree that is larger than this is not configuration.
const MOST: usize = 20_000;

/// In a directory of data this many entries tell what the others are like.
const SAMPLE: usize = 200;

/// Looks at a path and what is below it.
pub(crate) fn walk(tree: &Tree, wanted: &Wanted, secrets: &Secrets, files: &mut Files) {
    let mut left = vec![(wanted.path.clone(), 0)];
    while let Some((path, depth)) = left.pop() {
        if files.len() >= MOST {
            return;
        }
        let file = look(tree, &path, wanted, secrets);
        let descends = matches!(&file, Known::Is(file) if file.kind == FileKind::Directory);
        if depth > 0 && !wanted.keeps(&path, descends) {
            continue;
        }
        files.entry(path.clone()).and_modify(|old| better(old, &file)).or_insert(file);
        if descends && depth < wanted.depth {
            left.extend(entries(tree, &path, wanted).into_iter().map(|name| (join(&path, &name), depth + 1)));
        }
    }
}

/// A file that was looked at without its text may be wanted with it.
fn better(old: &mut Known<File>, new: &Known<File>) {
    let asked = |file: &Known<File>| matches!(file, Known::Is(file) if file.text != Known::Unasked);
    if !asked(old) && asked(new) {
        old.clone_from(new);
    }
}

fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

fn entries(tree: &Tree, path: &str, wanted: &Wanted) -> Vec<String> {
    let Some(Ok(entries)) = tree.host(path).map(fs::read_dir) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.take(if wanted.sample { SAMPLE } else { MOST }).collect();
    names.sort_unstable();
    names
}

fn look(tree: &Tree, path: &str, wanted: &Wanted, secrets: &Secrets) -> Known<File> {
    let Some(host) = tree.host(path) else { return Known::Unread("it is not on this machine".to_owned()) };
    match stat(tree, path, &host) {
        Ok((link, found, metadata)) => {
            let mut file = described(&metadata);
            file.link = link;
            if wanted.text && file.kind == FileKind::Regular {
                file.text = read(path, &found, &metadata, secrets);
            }
            Known::Is(file)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Known::Absent,
        Err(error) => Known::Unread(format!("cannot look at {path}: {error}")),
    }
}

/// Where a link leads, the path that it ends at, and what is there. Links of a container lead within the container.
fn stat(tree: &Tree, path: &str, host: &Path) -> io::Result<(Option<String>, std::path::PathBuf, Metadata)> {
    let metadata = fs::symlink_metadata(host)?;
    if !metadata.is_symlink() {
        return Ok((None, host.to_path_buf(), metadata));
    }
    let target = fs::read_link(host)?;
    let link = Some(target.to_string_lossy().into_owned());
    let target = target.to_string_lossy();
    let end = if target.starts_with('/') {
        tree.host(&target).ok_or(io::ErrorKind::Unsupported)?
    } else {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        tree.host(&resolved(parent, &target)).ok_or(io::ErrorKind::Unsupported)?
    };
    let metadata = fs::metadata(&end)?;
    Ok((link, end, metadata))
}

/// A relative path from a directory, with `..` taken as text.
fn resolved(parent: &str, target: &str) -> String {
    let mut parts: Vec<&str> = parent.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn described(metadata: &Metadata) -> File {
    let kind = metadata.file_type();
    let kind = match kind {
        _ if kind.is_file() => FileKind::Regular,
        _ if kind.is_dir() => FileKind::Directory,
        _ if kind.is_socket() => FileKind::Socket,
        _ => FileKind::Other,
    };
    File {
        kind,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        size: metadata.len(),
        modified: metadata.mtime(),
        device: metadata.dev(),
        ..File::default()
    }
}

fn read(path: &str, host: &Path, metadata: &Metadata, secrets: &Secrets) -> Known<String> {
    let end = host.to_string_lossy();
    if Secrets::whole(path) || Secrets::whole(&end) {
        return Known::Unread("it holds secrets, so its text is not kept".to_owned());
    }
    if metadata.len() > LARGEST {
        return Known::Unread("it is too large to be kept".to_owned());
    }
    match bytes(host) {
        Ok(bytes) => secrets.kept(path, bytes),
        Err(error) => Known::Unread(format!("cannot read {path}: {error}")),
    }
}

/// The first bytes of a file. It may have become a pipe since it was looked at: that must not hold us up.
pub(crate) fn bytes(host: &Path) -> io::Result<Vec<u8>> {
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nonblock).open(host)?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
