//! A name server of our own on a high port of loopback.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mailward_probe::dns::Resolver;
use tempfile::TempDir;

const NSD: &str = "/usr/sbin/nsd";

/// nsd with a root zone; ends when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    _directory: TempDir,
}

impl Server {
    /// Starts it with the base zone and more records; none, loudly, if nsd is not installed.
    pub(crate) fn start(more: &str) -> Option<Self> {
        Self::serve(&format!("{}\n{more}", include_str!("base.zone")))
    }

    /// Starts it with a root zone.
    pub(crate) fn serve(zone: &str) -> Option<Self> {
        if !Path::new(NSD).exists() {
            eprintln!("SKIPPED: nsd is not installed (apt-get install nsd)");
            return None;
        }
        let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}"));
        let at = directory.path().display().to_string();
        let port = free_port();
        let conf = format!(
            "server:\n  ip-address: 127.0.0.1\n  port: {port}\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  database: \"\"\n  \
             zonesdir: \"{at}\"\n  zonelistfile: \"{at}/zone.list\"\n  xfrdfile: \"{at}/xfrd.state\"\n  xfrdir: \"{at}\"\n  pidfile: \"{at}/nsd.pid\"\n  \
             rrl-ratelimit: 0\nremote-control:\n  control-enable: no\nzone:\n  name: \".\"\n  zonefile: root.zone\n"
        );
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        };
        write("root.zone", zone);
        write("nsd.conf", &conf);
        let log =
            std::fs::File::create(directory.path().join("log")).unwrap_or_else(|error| panic!("{error}"));
        let child = Command::new(NSD)
            .args(["-d", "-c"])
            .arg(directory.path().join("nsd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("nsd: {error}"));
        let server =
            Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), child, _directory: directory };
        server.wait();
        Some(server)
    }

    /// Until it answers; a port that is closed says so at once.
    fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if Resolver::find(Some(self.address), self.address.port(), end).is_ok() {
                return;
            }
            std::thread::yield_now();
        }
        let log = std::fs::read_to_string(self._directory.path().join("log")).unwrap_or_default();
        panic!("nsd does not answer: {log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nsd has children of its own, which it ends when it is told to; killed, it would leave them.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    socket.unwrap_or_else(|error| panic!("no port: {error}")).port()
}

/// A TXT record of a zone file, cut into strings.
pub(crate) fn txt(name: &str, text: &str) -> String {
    let mut record = format!("{name}. IN TXT");
    let octets = text.as_bytes();
    for piece in octets.chunks(255) {
        record.push_str(" \"");
        for octet in piece {
            match octet {
                b'"' | b'\\' | b';' => {
                    let _ = write!(record, "\\{}", char::from(*octet));
                }
                b' '..=b'~' => record.push(char::from(*octet)),
                other => {
                    let _ = write!(record, "\\{other:03}");
                }
            }
        }
        record.push('"');
    }
    record.push('\n');
    record
}
