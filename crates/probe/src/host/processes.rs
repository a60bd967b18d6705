//! Processes that run.

use std::collections::BTreeSet;
use std::fs;

use mailward_audit::Known;
use mailward_audit::facts::Process;

use super::{Names, text};
use crate::place::Place;
use crate::secret::redacted;

/// More than this is not a mail server's.
const MOST: usize = 4096;

/// The longest command line that is kept; programs that write their state into it are longer.
const LONGEST: usize = 400;

/// Those of a place, kernel threads left out.
pub(crate) fn read(place: &Place, names: &Names) -> Known<Vec<Process>> {
    if place.is_here() { here(names) } else { behind(place) }
}

fn here(names: &Names) -> Known<Vec<Process>> {
    let entries = match fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) => return Known::Unread(format!("cannot list /proc: {error}")),
    };
    let booted = booted().unwrap_or_default();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Known::Is(pids.filter_map(|pid| process(pid, booted, names)).take(MOST).collect())
}

fn booted() -> Option<i64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.parse().ok())
}

/// None for a kernel thread, and for one that has just ended.
fn process(pid: u32, booted: i64, names: &Names) -> Option<Process> {
    let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).ok();
    let command = read("cmdline").filter(|words| !words.is_empty())?;
    let stat = String::from_utf8_lossy(&read("stat")?).into_owned();
    let status = String::from_utf8_lossy(&read("status")?).into_owned();
    let uid =
        status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1)?.parse().ok());
    // proc(5): the name in parentheses may hold anything; the 22nd field is when it was started, in clock ticks.
    let (before, after) = stat.rsplit_once(')')?;
    let ticks: i64 = after.split_whitespace().nth(19)?.parse().ok()?;
    let second = i64::try_from(rustix::param::clock_ticks_per_second()).ok()?.max(1);
    Some(Process {
        pid,
        name: before.split_once('(')?.1.to_owned(),
        command: shown(&String::from_utf8_lossy(&command).replace('\0', " ")),
        user: names.user(uid.unwrap_or_default()),
        started: booted + ticks / second,
        deleted_libraries: read("maps")
            .map(|maps| deleted(&String::from_utf8_lossy(&maps)))
            .unwrap_or_default(),
    })
}

/// A command line that may be shown.
fn shown(command: &str) -> String {
    redacted(command.trim_end()).chars().take(LONGEST).collect()
}

/// Libraries in `/proc/*/maps` whose files were replaced.
fn deleted(maps: &str) -> Vec<String> {
    let paths = maps
        .lines()
        .filter_map(|line| line.strip_suffix(" (deleted)")?.find('/').and_then(|at| line.get(at..)));
    let libraries: BTreeSet<String> = paths
        .filter_map(|path| path.strip_suffix(" (deleted)"))
        .filter(|path| path.contains("/lib") && path.contains(".so"))
        .map(str::to_owned)
        .collect();
    libraries.into_iter().collect()
}

/// Through `ps`, which minimal images lack.
fn behind(place: &Place) -> Known<Vec<Process>> {
    let now = jiff::Timestamp::now().as_second();
    match text(place, &["ps", "-eo", "pid=,etimes=,user:32=,comm:15=,args="]) {
        Ok(text) => Known::Is(text.lines().filter_map(|line| listed(line, now)).take(MOST).collect()),
        Err(missing) => missing,
    }
}

fn listed(line: &str, now: i64) -> Option<Process> {
    let mut words = line.split_whitespace();
    let (pid, age) = (words.next()?.parse().ok()?, words.next()?.parse::<i64>().ok()?);
    let (user, name) = (words.next()?.to_owned(), words.next()?.to_owned());
    let command = shown(&words.collect::<Vec<_>>().join(" "));
    Some(Process { pid, name, command, user, started: now - age, deleted_libraries: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_libraries_are_seen_in_maps() {
        let maps = "7f00-7f01 r-xp 0 08:01 1  /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)\n\
                    7f02-7f03 r--p 0 08:01 1  /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)\n\
                    7f04-7f05 rw-s 0 00:01 2  /dev/zero (deleted)\n7f06-7f07 r-xp 0 08:01 3  /usr/lib/libc.so.6\n";
        assert_eq!(deleted(maps), ["/usr/lib/x86_64-linux-gnu/libssl.so.3"]);
    }

    #[test]
    fn a_line_of_ps_is_a_process() {
        let found = listed("  12  60 postfix   qmgr  qmgr -l -t unix -u", 1000);
        let found = found.map(|process| (process.pid, process.started, process.user, process.command));
        assert_eq!(found, Some((12, 940, "postfix".to_owned(), "qmgr -l -t unix -u".to_owned())));
    }
}
