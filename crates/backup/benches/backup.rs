//! A Maildir tree, saved beside restic and `tar | gpg`: the first time, and again when nothing was changed.
//!
//! `cargo bench -p mailward-backup -- 0.05` takes a twentieth of the whole, which is 200,000 files and 5 GB; the whole without a number.
//! restic and gpg are Debian's; what is not installed is left out. Everything happens below a temporary directory (`TMPDIR` says where).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and prints what it measured"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mailward_backup::{Key, Meter, Repository, Selection};

/// The whole: files, and bytes of each on average.
const FILES: usize = 200_000;
const AVERAGE: u64 = 25_000;

/// Files of one mailbox.
const MAILBOX: usize = 2000;

fn main() {
    let share: f64 = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1.0);
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("mail");
    let files = (FILES as f64 * share) as usize;
    println!("{files} files, {:.0} MB", plant(&tree, files) as f64 / 1e6);
    let mut rows = vec![("mailward", mailward(place.path(), &tree))];
    rows.extend(restic(place.path(), &tree).map(|times| ("restic", times)));
    rows.extend(tar(place.path(), &tree).map(|times| ("tar | gpg", times)));
    println!("{:<10} {:>10} {:>10} {:>12}", "", "first", "unchanged", "size");
    for (name, Times { first, again }) in rows {
        let size = size(&place.path().join(name)) as f64 / 1e6;
        println!("{name:<10} {:>8.2} s {:>8.2} s {size:>9.0} MB", first.as_secs_f64(), again.as_secs_f64());
    }
}

struct Times {
    first: Duration,
    again: Duration,
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// Messages as people have them: most are small, one in ten has an attachment that does not compress.
fn plant(tree: &Path, files: usize) -> u64 {
    let mut dice = 0x1234_5678_9ABC_DEF1_u64;
    let mut roll = move || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice
    };
    let mut bytes = 0;
    for number in 0..files {
        let mailbox = tree.join(format!("example.org/user{}", number / MAILBOX));
        if number % MAILBOX == 0 {
            for part in ["cur", "new", "tmp"] {
                fs::create_dir_all(mailbox.join(part)).unwrap();
            }
        }
        let mut text = format!("From: a{}@example.net\r\nSubject: {}\r\n\r\n", roll() % 1000, roll());
        let length = AVERAGE / 4 + roll() % 2000;
        while (text.len() as u64) < length {
            text.push_str(&format!(
                "And then, on day {}, {} of them came.\r\n",
                roll() % 366,
                roll() % 100_000
            ));
        }
        let mut text = text.into_bytes();
        if number % 10 == 0 {
            text.extend((0..AVERAGE * 7 / 8).flat_map(|_| roll().to_le_bytes()));
        }
        bytes += text.len() as u64;
        let name = format!("cur/{}.M{number}P1.mail:2,S", 1_700_000_000 + number);
        fs::write(mailbox.join(name), text).unwrap();
    }
    bytes
}

/// As `mailward backup run`: the repository is opened with its key, and what a killed run left is looked for.
fn mailward(place: &Path, tree: &Path) -> Times {
    let (repository, key) = (place.join("mailward"), Key::make(&place.join("key")).unwrap());
    let selection = Selection { roots: vec![fs::canonicalize(tree).unwrap()], excludes: Vec::new() };
    drop(Repository::create(&repository, &key, &Meter::silent()).unwrap());
    let run = || {
        let opened = Repository::open(&repository, &key, None, &Meter::silent()).unwrap();
        opened.capture(&selection, &place.join("scratch"), "mail.example.org").unwrap();
    };
    Times { first: timed(run), again: timed(run) }
}

fn restic(place: &Path, tree: &Path) -> Option<Times> {
    if !Path::new("/usr/bin/restic").exists() {
        return None;
    }
    let restic = |words: &[&str]| {
        let mut command = Command::new("/usr/bin/restic");
        command.args(["--quiet", "--no-cache", "--password-file"]).arg(place.join("key"));
        command.arg("--repo").arg(place.join("restic")).args(words);
        assert!(command.status().unwrap().success());
    };
    restic(&["init"]);
    let run = || restic(&["backup", tree.to_str().unwrap()]);
    Some(Times { first: timed(run), again: timed(run) })
}

/// The archive that people make: everything, every time.
fn tar(place: &Path, tree: &Path) -> Option<Times> {
    if !Path::new("/usr/bin/gpg").exists() {
        return None;
    }
    let (archives, home) = (place.join("tar | gpg"), place.join("gnupg"));
    fs::create_dir(&archives).unwrap();
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let run = || {
        let mut tar = Command::new("/usr/bin/tar");
        let mut tar = tar.arg("-C").arg(tree).args(["-cf", "-", "."]).stdout(Stdio::piped()).spawn().unwrap();
        let output = fs::File::create(archives.join("mail.tar.gpg")).unwrap();
        let mut gpg = Command::new("/usr/bin/gpg");
        gpg.arg("--homedir").arg(&home).args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
        gpg.arg("--passphrase-file").arg(place.join("key")).args(["--symmetric", "-o", "-"]);
        let gpg = gpg.stdin(tar.stdout.take().unwrap()).stdout(output).status().unwrap();
        assert!(gpg.success() && tar.wait().unwrap().success());
        // The other two have what they wrote on the disk when they end.
        fs::File::open(archives.join("mail.tar.gpg")).unwrap().sync_all().unwrap();
    };
    Some(Times { first: timed(run), again: timed(run) })
}

fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}
