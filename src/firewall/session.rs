//! Over which connection a command was typed: a confirmation counts only from one that the new rules let in.

use std::fs;
use std::net::IpAddr;

/// A process, and those above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// As the kernel names it.
    name: String,
    /// When it was started, in ticks since the machine was.
    started: u64,
    /// What sshd told it of its connection.
    connection: Option<Connection>,
}

/// `SSH_CONNECTION`: the client's address and port, the server's address and port (ssh(1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Connection {
    client: IpAddr,
    server: IpAddr,
    port: u16,
}

/// Why a confirmation does not count.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unproved {
    #[error(
        "this SSH connection is older than the rules on trial, so it proves nothing about new ones. Open a second one and type \
         there: mailward firewall confirm"
    )]
    Old,
    #[error(
        "this SSH connection comes from this very machine, which the rules let in whatever they say. Connect from outside and \
         type there: mailward firewall confirm"
    )]
    Local,
    #[error(
        "this shell runs in {0}, which outlives the connection it is looked at through, so it proves nothing about new ones. \
         Open a new SSH connection and type there, outside of {0}: mailward firewall confirm"
    )]
    Outlives(String),
    #[error(
        "this shell was started over SSH, but its connection is gone or cannot be seen. Open a new SSH connection and type \
         there: mailward firewall confirm"
    )]
    Detached,
}

/// What a confirmation came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// An SSH connection that is younger than the rules.
    Connection,
    /// No network at all.
    Console,
}

/// Programs of SSH that a connection has to itself.
const SERVERS: [&str; 4] = ["sshd", "sshd-session", "sshd-auth", "dropbear"];

/// Programs whose shells go on when the connection ends; tmux(1) names its server `tmux: server`.
const OUTLIVING: [&str; 7] = ["tmux", "screen", "mosh-server", "zellij", "dtach", "abduco", "cockpit-bridge"];

/// Whether a command that was started by these processes, the nearest first, proves that new connections are let in since
/// the rules began to act.
pub(super) fn proof(above: &[Process], began: u64) -> Result<Proof, Unproved> {
    for process in above {
        let first = process.name.split([':', ' ']).next().unwrap_or_default().to_lowercase();
        if OUTLIVING.contains(&first.as_str()) {
            return Err(Unproved::Outlives(first));
        }
        if SERVERS.contains(&first.as_str()) {
            return by_connection(process, above, began);
        }
    }
    if connection(above).is_some() { Err(Unproved::Detached) } else { Ok(Proof::Console) }
}

/// Channels of one connection (ControlMaster of ssh(1)) share one sshd, so its age is that of the connection.
fn by_connection(sshd: &Process, above: &[Process], began: u64) -> Result<Proof, Unproved> {
    if sshd.started <= began {
        return Err(Unproved::Old);
    }
    let local = |connection: Connection| {
        connection.client.to_canonical().is_loopback() || connection.client == connection.server
    };
    if connection(above).is_some_and(local) { Err(Unproved::Local) } else { Ok(Proof::Connection) }
}

fn connection(above: &[Process]) -> Option<Connection> {
    above.iter().find_map(|process| process.connection)
}

/// The port of this machine at which the connection of these processes came in.
pub(super) fn port(above: &[Process]) -> Option<u16> {
    connection(above).map(|connection| connection.port)
}

/// This process and all above it, as far as the kernel shows them.
pub(super) fn above() -> Vec<Process> {
    let mut found = Vec::new();
    let mut next = Some(std::process::id());
    while let Some(pid) = next.filter(|pid| *pid > 1 && found.len() < DEEPEST) {
        let Some((process, parent)) = look(pid) else { break };
        found.push(process);
        next = Some(parent);
    }
    found
}

/// Processes within processes.
const DEEPEST: usize = 256;

fn look(pid: u32) -> Option<(Process, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, parent, started) = of_stat(&stat)?;
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let variables = environment.split(|byte| *byte == 0);
    let mut values = variables.filter_map(|text| str::from_utf8(text).ok()?.strip_prefix("SSH_CONNECTION="));
    Some((Process { name, started, connection: values.next().and_then(of_variable) }, parent))
}

/// `42 (sshd) S 1 …`: the name may hold anything, blanks and brackets too; the parent is the second field after it, the start
/// the twentieth (proc(5)).
fn of_stat(stat: &str) -> Option<(String, u32, u64)> {
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some((name, fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

fn of_variable(text: &str) -> Option<Connection> {
    let words: Vec<&str> = text.split(' ').collect();
    let [client, _, server, port] = words.as_slice() else { return None };
    let address = |text: &str| text.split('%').next()?.parse().ok();
    Some(Connection { client: address(client)?, server: address(server)?, port: port.parse().ok()? })
}

/// How long the machine has been up, in the ticks in which the kernel tells when processes were started: a hundredth of a
/// second on every architecture that Debian has (`USER_HZ`).
pub(super) fn ticks() -> Option<u64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 100 + hundredths.parse::<u64>().ok()?)
}

/// Which start of the machine this is: ticks of another one mean nothing.
pub(super) fn boot() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name@started`, with `+client>server` where sshd told it.
    fn processes(text: &str) -> Vec<Process> {
        let one = |word: &str| {
            let (head, connection) = word.split_once('+').map_or((word, None), |(h, c)| (h, Some(c)));
            let (name, started) = head.split_once('@').unwrap();
            let connection = connection.and_then(|text| {
                let (client, server) = text.split_once('>')?;
                of_variable(&format!("{client} 50000 {server} 22"))
            });
            Process { name: name.replace('_', " "), started: started.parse().unwrap(), connection }
        };
        text.split_whitespace().map(one).collect()
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "so that the rows of the table are short")]
    fn check(above: &str, expected: Result<Proof, Unproved>) {
        assert_eq!(proof(&processes(above), 1_000), expected, "{above}");
    }

    #[test]
    fn only_a_connection_that_the_rules_let_in_proves_them() {
        let outlives = |name: &str| Err(Unproved::Outlives(name.to_owned()));
        check(
            "mailward@1200 bash@1190+203.0.113.7>192.0.2.1 sshd@1180 sshd@1180 sshd@5",
            Ok(Proof::Connection),
        );
        check(
            "mailward@1200 bash@1190+203.0.113.7>192.0.2.1 sshd-session@1180 sshd@5",
            Ok(Proof::Connection),
        );
        check("mailward@1200 sudo@1199 bash@900+203.0.113.7>192.0.2.1 sshd@900 sshd@5", Err(Unproved::Old));
        // A second shell over the old connection.
        check("mailward@1200 bash@1190+203.0.113.7>192.0.2.1 sshd@900 sshd@5", Err(Unproved::Old));
        check("mailward@1200 bash@1190+203.0.113.7>192.0.2.1 sshd@1000 sshd@5", Err(Unproved::Old));
        check("mailward@1200 bash@1190+127.0.0.1>127.0.0.1 sshd@1180 sshd@5", Err(Unproved::Local));
        check("mailward@1200 bash@1190+::1>::1 sshd@1180 sshd@5", Err(Unproved::Local));
        check("mailward@1200 bash@1190+192.0.2.1>192.0.2.1 sshd@1180 sshd@5", Err(Unproved::Local));
        check("mailward@1200 bash@1190+203.0.113.7>192.0.2.1 tmux:_server@1100", outlives("tmux"));
        check("mailward@1200 bash@1190 screen@1100", outlives("screen"));
        check("mailward@1200 bash@1190 SCREEN@1100", outlives("screen"));
        check("mailward@1200 bash@1190 mosh-server@1100", outlives("mosh-server"));
        check("mailward@1200 bash@1190+203.0.113.7>192.0.2.1", Err(Unproved::Detached));
        check("mailward@1200 bash@1190 login@800", Ok(Proof::Console));
    }

    #[test]
    fn the_kernel_s_words_are_read() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 8192 1 1";
        assert_eq!(of_stat(stat), Some(("a) b (c".to_owned(), 7, 4711)));
        assert_eq!(of_stat("42 (x) S"), None);
        let read = of_variable("2001:db8::7 50000 fe80::1%eth0 2222").map(|connection| connection.port);
        assert_eq!(read, Some(2222));
        assert_eq!(of_variable("203.0.113.7 50000"), None);
        let this = above();
        assert_eq!(this.first().map(|process| process.started <= ticks().unwrap()), Some(true));
        assert!(!boot().is_empty());
    }
}
