//! The other programs: each has a mode in which it only reads its configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::copy::Copy;
use super::{Trial, Tried, numbered};
use crate::{ApplyError, Complaint};

/// How a program is asked about its configuration.
struct Asked {
    /// Its files, or its folder with a `/` at the end. A folder is copied in whole.
    reads: &'static str,
    /// The command; `@` is the copy of the folder, `%` of one file.
    command: &'static [&'static str],
    /// A line that says one of these is a complaint; without any, every line of a program that fails is.
    says: &'static [&'static str],
}

const ASKED: &[Asked] = &[
    Asked { reads: "/etc/fail2ban/", command: &["fail2ban-client", "-c", "@", "-t"], says: &["ERROR"] },
    Asked {
        reads: "/etc/spamassassin/",
        command: &["spamassassin", "--lint", "--siteconfigpath=@"],
        says: &["warn", "error"],
    },
    Asked {
        reads: "/etc/rspamd/",
        command: &["rspamadm", "--var=CONFDIR=@", "configtest", "-c", "@/rspamd.conf"],
        says: &[],
    },
    // amavis' settings stand in packages of its own, so strictness is what perl misses here, and only the syntax counts.
    Asked {
        reads: "/etc/amavis/conf.d/",
        command: &["perl", "-c", "%"],
        says: &["syntax error", "Unmatched", "Missing"],
    },
    Asked {
        reads: "/etc/amavis/",
        command: &["amavisd", "-c", "%", "test-config"],
        says: &["error", "Error"],
    },
    Asked { reads: "/etc/opendkim.conf", command: &["opendkim", "-n", "-x", "%"], says: &[] },
    Asked { reads: "/etc/opendmarc.conf", command: &["opendmarc", "-n", "-c", "%"], says: &[] },
    Asked {
        reads: "/etc/logrotate",
        command: &["logrotate", "-d", "-s", "/dev/null", "%"],
        // 3.22 (Debian 13) only warns of words that it does not know.
        says: &["error:", "unknown option"],
    },
    Asked { reads: "/etc/nftables", command: &["nft", "-c", "-f", "%"], says: &[] },
    Asked { reads: "/etc/rsyslog", command: &["rsyslogd", "-N1", "-f", "%"], says: &["error"] },
];

/// What is said against new configurations.
pub(super) fn complaints(tried: &Tried<'_>) -> Result<Vec<Complaint>, ApplyError> {
    let mut complaints = Vec::new();
    for asked in ASKED {
        let files: Vec<&Trial> =
            tried.files.iter().filter(|trial| trial.becomes.starts_with(asked.reads)).collect();
        let program = asked.command.first().copied().unwrap_or_default();
        if !files.is_empty() && tried.site.has(program) {
            complaints.extend(if asked.command.contains(&"%") {
                one_by_one(tried, asked, &files)?
            } else {
                together(tried, asked, &files)?
            });
        }
    }
    Ok(complaints)
}

/// The whole folder, before and after.
fn together(tried: &Tried<'_>, asked: &Asked, files: &[&Trial]) -> Result<Vec<Complaint>, ApplyError> {
    let copy = Copy::of(tried.site, asked.reads.trim_end_matches('/'))?;
    let before = said(&copy, asked, "")?;
    for file in files {
        if let Some(path) = copy.path(&file.becomes) {
            copy.put(&path, file.after.as_deref())?;
        }
    }
    let after = said(&copy, asked, "")?;
    Ok(after.difference(&before).map(|line| complaint(line, files)).collect())
}

/// Each file by itself, before and after.
fn one_by_one(tried: &Tried<'_>, asked: &Asked, files: &[&Trial]) -> Result<Vec<Complaint>, ApplyError> {
    let mut complaints = Vec::new();
    for file in files {
        let folder = file.becomes.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let copy = Copy::empty(tried.site, folder)?;
        let Some(path) = copy.path(&file.becomes) else { continue };
        let before = match &file.before {
            Some(text) => {
                copy.put(&path, Some(text))?;
                said(&copy, asked, &path)?
            }
            None => BTreeSet::new(),
        };
        if let Some(text) = &file.after {
            copy.put(&path, Some(&with_new(tried, file, &copy, text)?))?;
            complaints
                .extend(said(&copy, asked, &path)?.difference(&before).map(|line| complaint(line, &[file])));
        }
    }
    Ok(complaints)
}

/// A file's text, in which other new files that it names are the copies of them.
fn with_new(tried: &Tried<'_>, file: &Trial, copy: &Copy<'_>, text: &str) -> Result<String, ApplyError> {
    let mut text = text.to_owned();
    let others = tried.files.iter().filter(|other| other.becomes != file.becomes);
    for (number, other) in others.enumerate().filter(|(_, other)| file.names(other)) {
        let path = format!("{}/named.{number}", copy.folder());
        copy.put(&path, other.after.as_deref())?;
        text = text.replace(&other.becomes, &path);
    }
    Ok(text)
}

/// What a program complains of.
fn said(copy: &Copy<'_>, asked: &Asked, file: &str) -> Result<BTreeSet<String>, ApplyError> {
    let words: Vec<String> = asked.command.iter().map(|word| word.replace('%', file)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let said = copy.ask(&words)?;
    let lines = said.err.lines().chain(said.out.lines()).map(str::trim).filter(|line| !line.is_empty());
    Ok(match asked.says {
        [] if said.is_fine() => BTreeSet::new(),
        [] => lines.map(str::to_owned).collect(),
        words => lines
            .filter_map(|line| words.iter().find_map(|word| Some(line.get(line.find(word)?..)?.to_owned())))
            .collect(),
    })
}

/// What a program says, with the line that it means: the one that it numbers, or the one that holds what it quotes.
fn complaint(message: &str, files: &[&Trial]) -> Complaint {
    let says = message.trim_start_matches("ERROR").trim();
    let named = |file: &&&Trial| message.contains(file.becomes.as_str());
    let numbers = files.iter().find(named).or_else(|| files.first().filter(|_| files.len() == 1));
    if let (Some(file), Some((number, _))) = (numbers, numbered(message)) {
        return file.at(number, says);
    }
    if let Some(line) = message
        .rsplit_once(':')
        .and_then(|(start, _)| start.rsplit_once(':'))
        .and_then(|(_, n)| n.trim().parse().ok())
        && let Some(file) = numbers
    {
        return file.at(line, says);
    }
    let quoted: BTreeMap<usize, &str> =
        message.split('\'').skip(1).step_by(2).map(|word| (word.len(), word)).collect();
    let holds = |file: &&&Trial, word: &str| file.after.as_deref().unwrap_or_default().contains(word);
    // `filter.d/postfix-ssl` is what a line calls `postfix-ssl`.
    let words = quoted.values().rev().map(|word| word.rsplit('/').next().unwrap_or(word));
    let found = words.filter_map(|word| Some((files.iter().find(|file| holds(file, word))?, word)));
    match found.into_iter().next() {
        Some((file, word)) => file.about(word, says),
        None => {
            let place = files.first().map_or_else(String::new, |file| file.path.clone());
            Complaint { place, line: String::new(), says: says.to_owned() }
        }
    }
}
