//! What the file system says of a file, in the words of the format.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use jiff::Timestamp;
use rustic_core::repofile::{Node, NodeType};
use serde_json::{Value, json};

/// Names of users and groups, by number.
#[derive(Debug, Default)]
pub(super) struct Owners {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Owners {
    pub(super) fn of_host() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self { users: numbered(&read("/etc/passwd")), groups: numbered(&read("/etc/group")) }
    }
}

/// passwd(5) and group(5): name, password, number.
fn numbered(text: &str) -> BTreeMap<u32, String> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    };
    text.lines().filter_map(entry).collect()
}

/// A file as the format knows it; none for a socket or a pipe, which whoever listens makes anew.
pub(super) fn node(path: &Path, name: &OsStr, found: &Metadata, owners: &Owners) -> io::Result<Option<Node>> {
    let kind = found.file_type();
    let node_type = if kind.is_dir() {
        NodeType::Dir
    } else if kind.is_symlink() {
        NodeType::from_link(&fs::read_link(path)?)
    } else if kind.is_file() {
        NodeType::File
    } else {
        return Ok(None);
    };
    let meta = rustic_core::repofile::Metadata {
        mode: Some(go_mode(found)),
        mtime: time(found.mtime(), found.mtime_nsec()),
        atime: None,
        ctime: time(found.ctime(), found.ctime_nsec()),
        uid: Some(found.uid()),
        gid: Some(found.gid()),
        user: owners.users.get(&found.uid()).cloned(),
        group: owners.groups.get(&found.gid()).cloned(),
        inode: found.ino(),
        device_id: if found.nlink() > 1 && kind.is_file() { found.dev() } else { 0 },
        size: if kind.is_file() { found.len() } else { 0 },
        links: if kind.is_dir() { 0 } else { found.nlink() },
        extended_attributes: if kind.is_symlink() { Vec::new() } else { parsed(&attributes(path)) },
    };
    Ok(Some(Node::new_node(name, node_type, meta)))
}

/// The bits of Go's `os.FileMode`, in which restic keeps modes.
fn go_mode(found: &Metadata) -> u32 {
    let (mode, kind) = (found.mode(), found.file_type());
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let bits: u32 = special.iter().filter(|(bit, _)| mode & bit != 0).map(|(_, go)| go).sum();
    let of_kind = if kind.is_dir() {
        1 << 31
    } else if kind.is_symlink() {
        1 << 27
    } else if kind.is_block_device() {
        1 << 26
    } else {
        0
    };
    (mode & 0o777) | bits | of_kind
}

fn time(seconds: i64, nanoseconds: i64) -> Option<Timestamp> {
    Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()
}

/// Extended attributes: access control lists above all. Few files have any, and a file system may not know of them.
fn attributes(path: &Path) -> Value {
    let mut names = vec![0_u8; 4096];
    let Ok(length) = rustix::fs::llistxattr(path, &mut names[..]) else { return Value::Null };
    if length == 0 {
        return Value::Null;
    }
    let names = names.get(..length).unwrap_or_default();
    let names = names.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok());
    let attribute = |name: &str| {
        let mut value = vec![0_u8; 1 << 16];
        let length = rustix::fs::lgetxattr(path, name, &mut value[..]).ok()?;
        value.truncate(length);
        Some(json!({ "name": name, "value": base64(&value) }))
    };
    names.filter(|name| !name.is_empty()).filter_map(attribute).collect()
}

/// `rustic_core` has a type for them that it does not give out; it reads it from its own JSON.
fn parsed<T: serde::de::DeserializeOwned + Default>(attributes: &Value) -> T {
    serde_json::from_value(attributes.clone()).unwrap_or_default()
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::{Base64, Encoding};
    Base64::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_read_from_the_systems_tables() {
        let users = numbered(
            "root:x:0:0:root:/root:/bin/bash\nvmail:x:5000:5000::/var/mail:/bin/false\nbroken\n:x:\n",
        );
        assert_eq!(users.get(&5000).map(String::as_str), Some("vmail"));
        assert_eq!(users.len(), 2);
    }
}
