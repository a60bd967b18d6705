//! Real packets: what a banned client gets, and what everybody else gets.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod namespace;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mailward_decide::Cleared;
use mailward_enforce::{Action, Firewall, Options, Structure};
use namespace::{Namespace, ban, nft, now, run};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

const HOST4: &str = "198.51.100.1";
const HOST6: &str = "2001:db8:1::1";
/// The client's addresses; the first of each family are the ones that get banned.
const BANNED: [&str; 4] = ["198.51.100.7", "2001:db8:1::7", "198.51.100.130", "2001:db8:1:1::7"];
const HONEST: [&str; 2] = ["198.51.100.8", "2001:db8:1::8"];

/// A host, in which the test's thread is, and a client with many addresses, on one wire.
struct Wire {
    client: Namespace,
    host: Namespace,
}

impl Wire {
    fn new(name: &str) -> Option<Self> {
        let client = Namespace::new(&format!("{name}-c"))?;
        let host = Namespace::new(&format!("{name}-h"))?;
        run(&format!("ip link add wire type veth peer name wire netns {}", client.name));
        run(&format!("ip addr add {HOST4}/24 dev wire"));
        run(&format!("ip addr add {HOST6}/48 dev wire nodad"));
        run("ip link set wire up");
        client.within(|| {
            for address in BANNED.iter().chain(&HONEST) {
                let prefix = if address.contains(':') { "48 nodad" } else { "24" };
                let (length, flag) = prefix.split_once(' ').unwrap_or((prefix, ""));
                run(format!("ip addr add {address}/{length} dev wire {flag}").trim());
            }
            run("ip link set wire up");
        });
        Some(Self { client, host })
    }

    /// Connects from one of the client's addresses, which has to succeed.
    fn connect(&self, from: &str, port: u16) -> TcpStream {
        let stream = self.dial(from, port, 10_000);
        stream.unwrap_or_else(|errno| panic!("from {from} to port {port}: {errno}"))
    }

    /// Connects from one of the client's addresses, which has to fail: tells how.
    fn refusal(&self, from: &str, port: u16) -> Option<Errno> {
        self.dial(from, port, 300).err()
    }

    fn dial(&self, from: &str, port: u16, millis: u64) -> Result<TcpStream, Errno> {
        let host = if from.contains(':') { HOST6 } else { HOST4 };
        self.client.within(|| dial(from, (host, port), millis))
    }
}

fn dial(from: &str, (to, port): (&str, u16), millis: u64) -> Result<TcpStream, Errno> {
    let (from, to): (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let to = SocketAddr::new(to, port);
    let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK, None)?;
    bind(&socket, &SocketAddr::new(from, 0))?;
    match connect(&socket, &to) {
        Err(Errno::INPROGRESS) => {}
        result => result?,
    }
    match is_ready(&socket, PollFlags::OUT, millis) {
        true => sockopt::socket_error(&socket)??,
        false => return Err(Errno::TIMEDOUT),
    }
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false).unwrap();
    Ok(stream)
}

fn is_ready(socket: &impl std::os::fd::AsFd, what: PollFlags, millis: u64) -> bool {
    let timeout = Timespec::try_from(Duration::from_millis(millis)).unwrap();
    poll(&mut [PollFd::new(socket, what)], Some(&timeout)).unwrap() > 0
}

fn options(ports: Option<Vec<u16>>, action: Action) -> Options {
    Options { ports, action, ..Options::default() }
}

/// Both families, single addresses and networks.
fn bans() -> [Cleared; 4] {
    ["198.51.100.7", "2001:db8:1::7", "198.51.100.128/25", "2001:db8:1:1::/64"]
        .map(|target| ban(target, None))
}

fn reconcile(firewall: &mut Firewall, bans: &[Cleared]) -> Structure {
    firewall.reconcile(&bans.iter().collect::<Vec<_>>(), now()).unwrap().structure
}

#[test]
fn banned_sources_are_stopped_and_nobody_else_is() {
    let Some(wire) = Wire::new("stop") else { return };
    let _smtp = TcpListener::bind("[::]:25").unwrap();
    let _web = TcpListener::bind("[::]:80").unwrap();
    for from in BANNED.iter().chain(&HONEST) {
        wire.connect(from, 25);
    }
    let (drop, reset) = (Some(Errno::TIMEDOUT), Some(Errno::CONNREFUSED));
    for (ports, action, smtp, web) in [
        (Some(vec![25]), Action::Drop, drop, None),
        (Some(vec![25]), Action::Reset, reset, None),
        (None, Action::Drop, drop, drop),
        (None, Action::Reset, reset, reset),
    ] {
        let mut firewall = Firewall::open(options(ports, action)).unwrap();
        reconcile(&mut firewall, &bans());
        for from in BANNED {
            let before = firewall.counters().unwrap();
            assert_eq!(wire.refusal(from, 25), smtp, "{from} {action:?}");
            let after = firewall.counters().unwrap();
            assert!(after.packets > before.packets && after.bytes > before.bytes, "{before:?} {after:?}");
            assert_eq!(wire.refusal(from, 80), web, "{from} {action:?}");
        }
        assert!(firewall.elements().unwrap().iter().all(|element| element.packets > 0 && element.bytes > 0));
        for from in HONEST {
            wire.connect(from, 25);
            wire.connect(from, 80);
        }
        firewall.uninstall().unwrap();
        for from in BANNED {
            wire.connect(from, 25);
        }
    }
}

#[test]
fn a_ban_cuts_what_is_established_and_lifting_it_lets_it_go_on() {
    let Some(wire) = Wire::new("cut") else { return };
    let smtp = TcpListener::bind("[::]:25").unwrap();
    let mut firewall = Firewall::open(Options::default()).unwrap();
    reconcile(&mut firewall, &[]);
    for (from, ban) in BANNED.iter().zip(bans()) {
        let mut client = wire.connect(from, 25);
        let (mut server, _) = smtp.accept().unwrap();
        client.write_all(b"before").unwrap();
        let mut word = [0; 6];
        server.read_exact(&mut word).unwrap();
        firewall.add(core::slice::from_ref(&ban), now()).unwrap();
        client.write_all(b"during").unwrap();
        assert!(!is_ready(&server, PollFlags::IN, 300), "{from}");
        assert!(firewall.counters().unwrap().packets > 0);
        firewall.remove(&[ban.ban().target], now()).unwrap();
        assert!(is_ready(&server, PollFlags::IN, 10_000), "{from}");
        server.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"during");
    }
}

/// What docker does for `-p 25:25 -p 2525:25`: destination NAT to a container that is reached by forwarding.
#[test]
fn published_container_ports_are_covered_by_their_number_on_the_host() {
    let Some(wire) = Wire::new("nat") else { return };
    let container = Namespace::new("nat-k").unwrap();
    container
        .within(|| run(&format!("ip link add eth0 type veth peer name docker0 netns {}", wire.host.name)));
    wire.host.enter();
    run("ip addr add 172.31.9.1/24 dev docker0");
    run("ip link set docker0 up");
    container.within(|| {
        run("ip addr add 172.31.9.2/24 dev eth0");
        run("ip link set eth0 up");
        run("ip route add default via 172.31.9.1");
    });
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    nft("add table ip nat; add chain ip nat prerouting { type nat hook prerouting priority dstnat; }; \
         add rule ip nat prerouting tcp dport { 25, 2525 } dnat to 172.31.9.2:25");
    let _smtp = container.within(|| TcpListener::bind("0.0.0.0:25").unwrap());
    wire.connect(BANNED[0], 25);
    let mut firewall = Firewall::open(options(Some(vec![25]), Action::Drop)).unwrap();
    reconcile(&mut firewall, &bans());
    assert_eq!(wire.refusal(BANNED[0], 25), Some(Errno::TIMEDOUT));
    assert_eq!(wire.refusal(BANNED[2], 25), Some(Errno::TIMEDOUT));
    wire.connect(BANNED[0], 2525);
    wire.connect(HONEST[0], 25);
    let mut firewall = Firewall::open(options(Some(vec![25, 2525]), Action::Reset)).unwrap();
    assert_eq!(reconcile(&mut firewall, &bans()), Structure::RulesReplaced);
    assert_eq!(wire.refusal(BANNED[0], 25), Some(Errno::CONNREFUSED));
    assert_eq!(wire.refusal(BANNED[0], 2525), Some(Errno::CONNREFUSED));
    wire.connect(HONEST[0], 2525);
}

/// Mail that this host sends to a banned server goes out: the answers come to other ports.
#[test]
fn a_ban_from_the_mail_ports_does_not_stop_what_goes_out() {
    let Some(wire) = Wire::new("out") else { return };
    let _smtp = wire.client.within(|| TcpListener::bind("[::]:25").unwrap());
    let mut firewall = Firewall::open(Options::default()).unwrap();
    reconcile(&mut firewall, &bans());
    dial(HOST4, (BANNED[0], 25), 10_000).unwrap();
    dial(HOST6, (BANNED[1], 25), 10_000).unwrap();
}

/// A banned client fires as fast as it can while bans are reconciled, refreshed, rules replaced, the table replaced:
/// not one packet may come through. An honest one counts that packets do arrive all the while.
#[test]
fn no_packet_slips_through_while_the_table_changes() {
    let Some(wire) = Wire::new("gap") else { return };
    let inbox = UdpSocket::bind((HOST4, 25)).unwrap();
    inbox.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let all = options(None, Action::Drop);
    reconcile(&mut Firewall::open(all.clone()).unwrap(), &bans());
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let fire = |from: &str| {
        wire.client.enter();
        let socket = UdpSocket::bind((from, 0)).unwrap();
        while !stop.load(Ordering::Relaxed) {
            // A full queue on the way is no matter.
            if socket.send_to(from.as_bytes(), (HOST4, 25)).is_ok() && from != HONEST[0] {
                sent.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::yield_now();
        }
    };
    let (mut honest, mut slipped) = (0, 0);
    let mut seen = std::collections::BTreeSet::new();
    std::thread::scope(|scope| {
        for from in [BANNED[0], BANNED[2], HONEST[0]] {
            scope.spawn(move || fire(from));
        }
        let reader = scope.spawn(|| {
            let mut buffer = [0; 64];
            loop {
                let Ok(size) = inbox.recv(&mut buffer) else {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    continue;
                };
                let is_honest = &buffer[..size] == HONEST[0].as_bytes();
                honest += u64::from(is_honest);
                slipped += u64::from(!is_honest);
            }
        });
        for round in 0..60 {
            let mut firewall = Firewall::open(all.clone()).unwrap();
            assert!(firewall.reconcile(&bans().iter().collect::<Vec<_>>(), now()).unwrap().was_right());
            firewall.add(&bans(), now()).unwrap();
            match round % 3 {
                0 => nft("add rule inet mailward prerouting counter"),
                1 => nft("add chain inet mailward other"),
                _ => nft("add element inet mailward banned4 { 198.51.100.66 }"),
            }
            seen.insert(format!("{:?}", reconcile(&mut firewall, &bans())));
        }
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["Kept", "RulesReplaced", "TableReplaced"]);
    let sent = sent.into_inner();
    assert!(
        honest > 1_000 && sent > 2_000,
        "{honest} of the honest client came, {sent} of the banned were sent"
    );
    assert_eq!(slipped, 0, "of {sent}");
}
