//! Who is connected: what Dovecot says of itself, and which connections Postfix's processes hold.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An open session of Dovecot's: of IMAP, POP3, ManageSieve or its own submission service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// The login name.
    pub name: String,
    /// `imap`, `pop3`, `sieve`, `submission`.
    pub service: String,
    /// The client, as Dovecot writes it.
    pub address: String,
    /// The process.
    pub pid: u32,
}

/// A process that talks SMTP, as its command line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtpd {
    /// The service's name in master.cf: `submission`, `465`, `smtp`.
    pub service: String,
    /// Whether clients log in there, where master.cf says so.
    pub authenticates: Option<bool>,
}

/// An open connection to a listening port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// The socket's inode.
    pub inode: u64,
    /// The port that was connected to.
    pub port: u16,
    /// The client; an IPv4 address that was mapped into IPv6 is IPv4.
    pub client: SocketAddr,
}

/// The sessions in what `doveadm -f tab who -1` says. Columns are found by their titles, which differ between Dovecot's versions in brackets
/// only.
#[must_use]
pub fn who(said: &str) -> Vec<Session> {
    let mut lines = said.lines();
    let titles: Vec<String> = lines
        .next()
        .unwrap_or_default()
        .split('\t')
        .map(|title| title.trim_matches(['(', ')', ' ']).to_ascii_lowercase())
        .collect();
    let column = |names: &[&str]| titles.iter().position(|title| names.contains(&title.as_str()));
    let (Some(name), Some(service)) = (column(&["username", "user"]), column(&["proto", "service"])) else {
        return Vec::new();
    };
    let (pid, address) = (column(&["pid", "pids"]), column(&["ip", "ips"]));
    let session = |line: &str| {
        let fields: Vec<&str> = line.split('\t').map(|field| field.trim_matches(['(', ')', ' '])).collect();
        let at =
            |column: Option<usize>| column.and_then(|column| fields.get(column)).copied().unwrap_or_default();
        Session {
            name: at(Some(name)).to_owned(),
            service: at(Some(service)).to_owned(),
            address: at(address).to_owned(),
            pid: at(pid).parse().unwrap_or(0),
        }
    };
    lines.map(session).filter(|session| !session.name.is_empty()).collect()
}

impl Smtpd {
    /// What a process is by its words, if it is an smtpd of Postfix's: master(8) gives it its service's name (`-n`) and what master.cf sets
    /// for it (`-o`). Only master starts it, so the words are not somebody else's.
    #[must_use]
    pub fn of(words: &[&str]) -> Option<Self> {
        let (program, words) = words.split_first()?;
        if program.rsplit('/').next() != Some("smtpd") {
            return None;
        }
        let after = |option: &'static str| {
            let pairs = words.iter().zip(words.iter().skip(1));
            pairs.filter(move |(word, _)| **word == option).map(|(_, value)| *value)
        };
        let mut set = after("-o").filter_map(|setting| setting.strip_prefix("smtpd_sasl_auth_enable="));
        Some(Self {
            service: after("-n").next()?.to_owned(),
            authenticates: set.next_back().map(|value| value.trim() == "yes"),
        })
    }
}

/// The connections to listening ports in the tables of a network namespace, `/proc/PID/net/tcp` and `tcp6`. What a process opened itself, to
/// a policy service or a database, is no connection to it.
#[must_use]
pub fn connections(tables: &[&str]) -> Vec<Connection> {
    let rows: Vec<Row> = tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(row).collect();
    let listening: Vec<u16> = rows.iter().filter(|row| row.state == LISTEN).map(|row| row.port).collect();
    let open = rows.iter().filter(|row| row.state == ESTABLISHED && listening.contains(&row.port));
    open.map(|row| Connection { inode: row.inode, port: row.port, client: row.client }).collect()
}

// include/net/tcp_states.h
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;

struct Row {
    state: u8,
    port: u16,
    client: SocketAddr,
    inode: u64,
}

/// A line of `/proc/net/tcp` (proc_net(5)): number, local address, remote address, state, ..., inode as the tenth.
fn row(line: &str) -> Option<Row> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let local = socket(words.next()?)?;
    let client = socket(words.next()?)?;
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let inode = words.nth(5)?.parse().ok()?;
    Some(Row { state, port: local.port(), client, inode })
}

/// An address in hexadecimal digits, 32 bits at a time in the order of this machine.
fn socket(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    let mut rest = address;
    while let Some((word, more)) = rest.split_at_checked(8) {
        bytes.extend(u32::from_str_radix(word, 16).ok()?.to_ne_bytes());
        rest = more;
    }
    let address = match bytes.as_slice() {
        four if four.len() == 4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(four).ok()?)),
        sixteen => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(sixteen).ok()?)).to_canonical(),
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doveadm_who_is_read_by_its_titles() {
        let old = "username\tproto\tpid\tip\nnora@example.org\timap\t1234\t203.0.113.5\nsam@example.net\tsieve\t7\t2001:db8::1\n";
        let new = "username\tservice\t(pids)\t(ips)\nnora@example.org\timap\t(1234)\t(203.0.113.5)\n";
        let nora = Session {
            name: "nora@example.org".into(),
            service: "imap".into(),
            address: "203.0.113.5".into(),
            pid: 1234,
        };
        assert_eq!(who(old).first(), Some(&nora));
        assert_eq!(who(old).len(), 2);
        assert_eq!(who(new), [nora]);
        assert_eq!(who(""), []);
        assert_eq!(who("Fatal: no anvil\n"), []);
    }

    #[test]
    fn an_smtpd_says_whose_it_is() {
        let words = |text: &'static str| text.split(' ').collect::<Vec<_>>();
        let submission = "smtpd -n submission -t inet -u -c -o stress= -s 2 -o syslog_name=postfix/submission -o smtpd_sasl_auth_enable=yes";
        let smtpd = |service: &str, authenticates| Some(Smtpd { service: service.into(), authenticates });
        assert_eq!(Smtpd::of(&words(submission)), smtpd("submission", Some(true)));
        assert_eq!(Smtpd::of(&words("smtpd -n smtp -t inet -u -c")), smtpd("smtp", None));
        assert_eq!(
            Smtpd::of(&words("/usr/lib/postfix/sbin/smtpd -n 10025 -o smtpd_sasl_auth_enable=no")),
            smtpd("10025", Some(false))
        );
        for other in
            ["smtp -t unix -u", "sshd -n submission", "vi smtpd -n x", "smtpd", "", "postscreen -n smtp"]
        {
            assert_eq!(Smtpd::of(&words(other)), None, "{other}");
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn connections_to_listening_ports_are_told_from_those_that_a_process_opened() {
        let tcp =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:024B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1
   1: 196433C6:024B 057100CB:C001 01 00000000:00000000 00:00000000 00000000   100        0 4711 1
   2: 0100007F:9C40 0100007F:2766 01 00000000:00000000 00:00000000 00000000   100        0 4712 1
   3: 196433C6:024B 067100CB:C002 06 00000000:00000000 00:00000000 00000000     0        0 0 1
";
        let tcp6 = "  sl  local_address remote_address st
   0: 00000000000000000000000000000000:01D1 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 101 1
   1: B80D0120000025000000000025000000:01D1 B80D01200DD60000000000000A000000:C003 01 0:0 00:0 0 100 0 4713 1
   2: 0000000000000000FFFF0000196433C6:024B 0000000000000000FFFF0000077100CB:C004 01 0:0 00:0 0 100 0 4714 1
";
        let found = connections(&[tcp, tcp6]);
        let of = |inode| {
            found
                .iter()
                .find(|connection| connection.inode == inode)
                .map(|connection| (connection.port, connection.client.to_string()))
        };
        assert_eq!(of(4711), Some((587, "203.0.113.5:49153".into())));
        assert_eq!(of(4712), None);
        assert_eq!(of(4713).map(|(port, _)| port), Some(465));
        assert_eq!(of(4714), Some((587, "203.0.113.7:49156".into())));
        assert_eq!(found.len(), 3);
    }

    proptest! {
        #[test]
        fn whatever_is_said_it_is_read(text in "\\PC{0,200}", table in "(sl\n)?( *[0-9]: [0-9A-F:]{0,45} [0-9A-F:]{0,45} (0A|01) [ 0-9]{0,30}\n){0,4}") {
            let _ = (who(&text), connections(&[&text, &table]));
        }
    }
}
