//! Files of a container, with `find` and `head` in it: a few executions in all, for each costs a tenth of a second.

use std::collections::BTreeMap;
use std::time::Duration;

use mailward_audit::Known;
use mailward_audit::facts::{File, FileKind};
use mailward_host::run::{Limits, Output};

use super::text::{LARGEST, Secrets};
use super::{Files, Wanted};
use crate::place::Place;

const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), max_output: 32 << 20 };

/// `find -printf` (findutils), a record per file, ended by NUL: names may hold anything else.
const RECORD: &str = "%y\\t%m\\t%U\\t%G\\t%u\\t%g\\t%s\\t%T@\\t%D\\t%p\\0";
const LINK: &str = "%p\\0%l\\0";

/// Paths per execution of `head`; a command line holds 128 KiB at least.
const AT_ONCE: usize = 200;

/// Looks at paths and what is below them.
pub(crate) fn walk(place: &Place, wanted: &[&Wanted], secrets: &Secrets, files: &mut Files) {
    let mut by_depth: BTreeMap<u8, Vec<&Wanted>> = BTreeMap::new();
    for wanted in wanted {
        by_depth.entry(wanted.depth).or_default().push(wanted);
    }
    let mut found = Files::new();
    for (depth, wanted) in &by_depth {
        find(place, *depth, wanted, &mut found);
    }
    texts(place, wanted, secrets, &mut found);
    for (path, file) in found {
        files.entry(path).or_insert(file);
    }
}

fn find(place: &Place, depth: u8, wanted: &[&Wanted], found: &mut Files) {
    let depth = depth.to_string();
    let paths = || wanted.iter().map(|wanted| wanted.path.as_str());
    let targets = ["find", "-L"].into_iter().chain(paths()).chain(["-maxdepth", &depth, "-printf", RECORD]);
    match ran(place, &targets.collect::<Vec<_>>()) {
        Ok(listing) => {
            let records = listing.split('\0').filter_map(record);
            let keeps = |path: &str, file: &File| {
                paths().any(|wanted| wanted == path)
                    || wanted.iter().any(|wanted| {
                        wanted.holds(path) && wanted.keeps(path, file.kind == FileKind::Directory)
                    })
            };
            found.extend(
                records.filter(|(path, file)| keeps(path, file)).map(|(path, file)| (path, Known::Is(file))),
            );
            for path in paths() {
                found.entry(path.to_owned()).or_insert(Known::Absent);
            }
        }
        Err(why) => {
            found.extend(paths().map(|path| (path.to_owned(), Known::Unread(why.clone()))));
            return;
        }
    }
    let links =
        ["find"].into_iter().chain(paths()).chain(["-maxdepth", &depth, "-type", "l", "-printf", LINK]);
    let listing = ran(place, &links.collect::<Vec<_>>()).unwrap_or_default();
    let mut words = listing.split('\0');
    while let (Some(path), Some(target)) = (words.next(), words.next()) {
        if let Some(Known::Is(file)) = found.get_mut(path) {
            file.link = Some(target.to_owned());
        }
    }
}

/// The output of a program in the container. `find` ends with 1 when one of its paths is missing.
fn ran(place: &Place, words: &[&str]) -> Result<String, String> {
    let program = words.first().copied().unwrap_or_default();
    match place.raw(words, LIMITS) {
        Known::Is(Output { status, stdout, .. })
            if matches!(status.code(), Some(0 | 1)) && !stdout.is_empty() =>
        {
            Ok(String::from_utf8_lossy(&stdout).into_owned())
        }
        Known::Is(output) => {
            let error = String::from_utf8_lossy(&output.stderr);
            let first =
                error.lines().find(|line| !line.contains("No such file")).unwrap_or("it said nothing");
            let short: String = first.chars().take(120).collect();
            Err(format!("`{program}` cannot be run where the mail server is: {short}"))
        }
        Known::Unread(why) => Err(why),
        Known::Absent | Known::Unasked => Err(format!("`{program}` is not there")),
    }
}

fn record(record: &str) -> Option<(String, File)> {
    let mut fields = record.splitn(10, '\t');
    let mut next = || fields.next();
    let kind = match next()? {
        "f" => FileKind::Regular,
        "d" => FileKind::Directory,
        "s" => FileKind::Socket,
        _ => FileKind::Other,
    };
    let file = File {
        kind,
        mode: u32::from_str_radix(next()?, 8).ok()?,
        uid: next()?.parse().ok()?,
        gid: next()?.parse().ok()?,
        owner: next()?.to_owned(),
        group: next()?.to_owned(),
        size: next()?.parse().ok()?,
        modified: next()?.split('.').next()?.parse().ok()?,
        device: next()?.parse().ok()?,
        ..File::default()
    };
    Some((next()?.to_owned(), file))
}

fn texts(place: &Place, wanted: &[&Wanted], secrets: &Secrets, found: &mut Files) {
    let readable = |path: &str, file: &File| {
        file.kind == FileKind::Regular
            && wanted.iter().any(|wanted| wanted.text && (wanted.path == path || wanted.holds(path)))
    };
    let mut asked = Vec::new();
    for (path, file) in found.iter_mut() {
        let Known::Is(file) = file else { continue };
        if !readable(path, file) {
            continue;
        }
        let secret = Secrets::whole(path) || file.link.as_deref().is_some_and(Secrets::whole);
        file.text = match file.size {
            _ if secret => Known::Unread("it holds secrets, so its text is not kept".to_owned()),
            0 => Known::Is(String::new()),
            size if size > LARGEST => Known::Unread("it is too large to be kept".to_owned()),
            _ => {
                asked.push(path.clone());
                Known::Unread("it could not be read".to_owned())
            }
        };
    }
    for paths in asked.chunks(AT_ONCE) {
        let largest = LARGEST.to_string();
        let words = ["head", "-v", "-c", &largest].into_iter().chain(paths.iter().map(String::as_str));
        let Known::Is(output) = place.raw(&words.collect::<Vec<_>>(), LIMITS) else { return };
        for (path, bytes) in split(&output.stdout, paths) {
            if let Some(Known::Is(file)) = found.get_mut(path) {
                file.text = secrets.kept(path, bytes.to_vec());
            }
        }
    }
}

/// What `head -v` printed, by file: each begins with `==> path <==`, and an empty line is before all but the first.
fn split<'a>(printed: &'a [u8], paths: &'a [String]) -> Vec<(&'a str, &'a [u8])> {
    let mut starts: Vec<(&str, usize, usize)> = Vec::new();
    let mut from = 0;
    for path in paths {
        let header = if from == 0 { format!("==> {path} <==\n") } else { format!("\n==> {path} <==\n") };
        let rest = printed.get(from..).unwrap_or_default();
        if let Some(at) = position(rest, header.as_bytes()) {
            starts.push((path, from + at, from + at + header.len()));
            from += at + header.len();
        }
    }
    let ends: Vec<usize> = starts.iter().skip(1).map(|(_, at, _)| *at).chain([printed.len()]).collect();
    let texts = starts.iter().zip(ends);
    texts.map(|((path, _, start), end)| (*path, printed.get(*start..end).unwrap_or_default())).collect()
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_head_prints_is_cut_by_file() {
        let paths: Vec<String> =
            ["/a", "/gone", "/b", "/empty", "/c"].iter().map(ToString::to_string).collect();
        let printed = b"==> /a <==\none\ntwo\n\n==> /b <==\nthree\n==> /empty <==\n\n==> /c <==\nfour\n";
        let texts: Vec<_> = split(printed, &paths)
            .into_iter()
            .map(|(path, text)| (path, String::from_utf8_lossy(text)))
            .collect();
        let expected = [("/a", "one\ntwo\n"), ("/b", "three"), ("/empty", ""), ("/c", "four\n")];
        assert_eq!(texts, expected.map(|(path, text)| (path, text.into())));
    }
}
