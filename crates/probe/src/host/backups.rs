//! Backups: archives in the directories that were named and in the usual places, and the state of backup programs. Nothing is
//! unpacked; a deep look lets the archivers test and list what they packed.

use std::fs::{self, File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailward_audit::Known;
use mailward_audit::facts::Backup;
use mailward_host::run::Limits;

use crate::place::Place;

/// Where people put backups.
const USUAL: [&str; 9] = [
    "/backup",
    "/backups",
    "/srv/backup",
    "/srv/backups",
    "/opt/backup",
    "/opt/backups",
    "/mnt/backup",
    "/root/backup",
    "/root/backups",
];

/// Where the system keeps copies of its own tables; what is about mail there is somebody's backup.
const SYSTEM: &str = "/var/backups";

/// What programs write at each run.
const STATES: [(&str, &str); 6] = [
    ("restic", "/root/.cache/restic"),
    ("borg", "/root/.cache/borg"),
    ("duplicity", "/root/.cache/duplicity"),
    ("kopia", "/root/.cache/kopia"),
    ("rsnapshot", "/var/cache/rsnapshot"),
    ("duply", "/root/.duply"),
];

/// More archives than this are not looked at one by one.
const MOST: usize = 500;

const LISTED: usize = 2_000;

/// An archive of a hundred gigabytes takes this long to test.
const DEEP: Limits = Limits { timeout: Duration::from_secs(600), max_output: 4 << 20 };

/// Looks for backups.
pub(crate) fn read(named: &[PathBuf], deep: bool) -> Known<Vec<Backup>> {
    let mut found = Vec::new();
    for directory in named.iter().cloned().chain(USUAL.map(PathBuf::from)) {
        archives(&directory, 3, &|_| true, &mut found);
    }
    archives(
        Path::new(SYSTEM),
        2,
        &|name| ["mail", "dms", "dovecot", "postfix"].iter().any(|word| name.contains(word)),
        &mut found,
    );
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found.dedup_by(|one, other| one.path == other.path);
    if deep {
        let newest = found.iter().map(|backup| backup.modified).max();
        for backup in found.iter_mut().filter(|backup| Some(backup.modified) == newest) {
            examine(backup);
        }
    }
    found.extend(STATES.iter().filter_map(|(tool, path)| state(tool, path)));
    Known::Is(found)
}

fn archives(directory: &Path, depth: u8, wanted: &dyn Fn(&str) -> bool, found: &mut Vec<Backup>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten().take(MOST) {
        let Ok(metadata) = entry.metadata() else { continue };
        let path = entry.path();
        if metadata.is_dir() && depth > 1 {
            archives(&path, depth - 1, wanted, found);
        } else if metadata.is_file()
            && found.len() < MOST
            && wanted(&entry.file_name().to_string_lossy().to_lowercase())
        {
            found.extend(archive(&path, &metadata));
        }
    }
}

/// A file that its first bytes or its name say is an archive.
fn archive(path: &Path, metadata: &Metadata) -> Option<Backup> {
    let mut head = [0; 512];
    let mut file = File::open(path).ok()?;
    let len = file.read(&mut head).ok()?;
    let head = head.get(..len)?;
    let format = format(head);
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let named =
        [".tar", ".gz", ".tgz", ".xz", ".zst", ".bz2", ".zip", ".age", ".gpg", ".enc", ".sql", ".dump"];
    if format.is_empty() && !named.iter().any(|end| name.ends_with(end)) {
        return None;
    }
    Some(Backup {
        path: path.to_string_lossy().into_owned(),
        format: format.to_owned(),
        encrypted: encrypted(format, head),
        broken: cut_off(format, &mut file, metadata.len()),
        ..described(metadata)
    })
}

fn described(metadata: &Metadata) -> Backup {
    Backup {
        size: metadata.len(),
        modified: metadata.mtime(),
        mode: metadata.mode() & 0o7777,
        device: metadata.dev(),
        ..Backup::default()
    }
}

/// What a file is, by its first bytes; its name may lie.
fn format(head: &[u8]) -> &'static str {
    let starts: [(&[u8], &str); 11] = [
        (b"\x1f\x8b", "gzip"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"age-encryption.org/", "age"),
        (b"-----BEGIN AGE ENCRYPTED", "age"),
        (b"-----BEGIN PGP MESSAGE", "openpgp"),
        (b"Salted__", "openssl"),
        (b"-- ", "sql"),
    ];
    if let Some((_, name)) = starts.iter().find(|(start, _)| head.starts_with(start)) {
        return name;
    }
    if head.get(257..262) == Some(b"ustar") {
        return "tar";
    }
    if is_openpgp(head) { "openpgp" } else { "" }
}

/// A session key, encrypted to a public key (tag 1) or by a pass phrase (tag 3), with the version that follows the length (RFC 9580,
/// sections 4.2, 5.1 and 5.3).
fn is_openpgp(head: &[u8]) -> bool {
    let (Some(first), Some(second)) = (head.first(), head.get(1)) else { return false };
    let (tag, version) = match first {
        0xc0..=0xff => (first & 0x3f, head.get(2)),
        0x80..=0xbf => (first >> 2 & 0xf, head.get(2 + usize::from(first & 3 == 1))),
        _ => return false,
    };
    let version = version.copied().unwrap_or_default();
    *second > 0 && (tag == 1 && matches!(version, 3 | 6) || tag == 3 && matches!(version, 4..=6))
}

fn encrypted(format: &str, head: &[u8]) -> Known<bool> {
    match format {
        "age" | "openpgp" | "openssl" => Known::Is(true),
        // APPNOTE.TXT 4.4.4: bit 0 of the general purpose flag.
        "zip" => Known::Is(head.get(6).is_some_and(|flags| flags & 1 != 0)),
        "" | "7z" => Known::Unread("its first bytes do not say".to_owned()),
        _ => Known::Is(false),
    }
}

/// What can be said of its end without reading it all.
fn cut_off(format: &str, file: &mut File, len: u64) -> Known<String> {
    if len == 0 {
        return Known::Is("it is empty".to_owned());
    }
    let mut tail = Vec::new();
    let from = len.saturating_sub(66_000);
    if file.seek(SeekFrom::Start(from)).and_then(|_| file.take(66_000).read_to_end(&mut tail)).is_err() {
        return Known::Unread("its end could not be read".to_owned());
    }
    let whole = match format {
        // POSIX pax: two blocks of zeroes end an archive.
        "tar" => len.is_multiple_of(512) && tail.ends_with(&[0; 1024]),
        "xz" => tail.ends_with(b"YZ"),
        "zip" => tail.windows(4).any(|bytes| bytes == b"PK\x05\x06"),
        _ => return Known::Unread("only a deep look tells".to_owned()),
    };
    Known::Is(if whole { String::new() } else { "its end is missing".to_owned() })
}

/// Lets the archiver test it, and list it.
fn examine(backup: &mut Backup) {
    let tester = match backup.format.as_str() {
        "gzip" => "gzip",
        "xz" => "xz",
        "zstd" => "zstd",
        "bzip2" => "bzip2",
        _ => "",
    };
    if !tester.is_empty()
        && let Known::Is(said) = Place::here().run(&[tester, "-t", &backup.path], DEEP)
    {
        let why = said
            .stderr
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("its checksum is wrong")
            .to_owned();
        backup.broken = Known::Is(if said.status == Some(0) { String::new() } else { why });
    }
    let listing = match backup.format.as_str() {
        "zip" => Place::here().run(&["unzip", "-Z1", &backup.path], DEEP),
        "tar" | "gzip" | "xz" | "zstd" | "bzip2" => Place::here().run(&["tar", "-tf", &backup.path], DEEP),
        _ => return,
    };
    if let Known::Is(said) = listing
        && said.status == Some(0)
    {
        backup.contents = Known::Is(said.stdout.lines().take(LISTED).map(str::to_owned).collect());
    }
}

/// A program's cache, whose newest entry is as old as its last run.
fn state(tool: &str, path: &str) -> Option<Backup> {
    let metadata = fs::metadata(path).ok()?;
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let below =
        entries.flat_map(|entry| fs::read_dir(entry.path()).into_iter().flatten().flatten().chain([entry]));
    let newest =
        below.take(MOST).filter_map(|entry| entry.metadata().ok().map(|metadata| metadata.mtime())).max();
    let encrypted = match tool {
        "restic" | "kopia" => Known::Is(true),
        "rsnapshot" => Known::Is(false),
        _ => Known::Unread("its configuration says".to_owned()),
    };
    let modified = newest.unwrap_or_else(|| metadata.mtime());
    Some(Backup { path: path.to_owned(), tool: tool.to_owned(), encrypted, modified, ..described(&metadata) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_format() {
        let rows: [(&[u8], &str); 8] = [
            (b"\x1f\x8b\x08", "gzip"),
            (b"age-encryption.org/v1\n", "age"),
            (b"Salted__12345678", "openssl"),
            (b"\x8c\x0d\x04\x09", "openpgp"),
            (b"\x85\x02\x0c\x03", "openpgp"),
            (b"\xc3\x0d\x04\x09", "openpgp"),
            (b"\x84\x00\x03", ""),
            (b"hello", ""),
        ];
        for (head, expected) in rows {
            assert_eq!(format(head), expected, "{head:?}");
        }
    }

    #[test]
    fn a_truncated_archive_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("mail.txt"), "x".repeat(5000)).unwrap();
        let run = |words: &[&str]| Place::here().run(words, DEEP);
        let (tar, text) = (at("a.tar"), at("mail.txt"));
        let _ = run(&["tar", "-cPf", tar.to_str().unwrap(), text.to_str().unwrap()]);
        let whole = fs::read(&tar).unwrap();
        fs::write(at("b.tar"), &whole[..whole.len() / 2]).unwrap();
        fs::write(at("c.tar.gz"), "").unwrap();
        let _ = run(&["gzip", "-k", tar.to_str().unwrap()]);
        let packed = fs::read(at("a.tar.gz")).unwrap();
        fs::write(at("d.tar.gz"), &packed[..packed.len() - 9]).unwrap();
        let Known::Is(mut all) = read(&[directory.path().to_path_buf()], false) else { return };
        all.retain(|backup| backup.path.starts_with(directory.path().to_str().unwrap()));
        all.iter_mut().for_each(examine);
        let broken: Vec<_> =
            all.iter().map(|backup| backup.broken.known().is_some_and(|why| !why.is_empty())).collect();
        assert_eq!(broken, [false, false, true, true, true], "{all:#?}");
        let listed = all[0].contents.known().unwrap();
        assert!(listed.iter().any(|name| name.ends_with("mail.txt")), "{listed:?}");
    }
}
