//! The host's packet filter in a network of its own: what is reached from outside, who is measured, and that nobody is locked out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod live;

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::{scope, spawn};
use std::time::{Duration, Instant};

use live::daemon::Place;
use live::namespace::{Namespace, run, skipped};
use live::random::Random;
use mailward_audit::facts::{Facts, Known, Listener, Said};
use mailward_audit::firewall::{Fate, Firewall, Opening, Port, Reach, TABLE, Transport, Wishes, propose};
use mailward_audit::{Outcome, Server, find};
use mailward_enforce::{HostFilter, HostFilterError, Loaded, Side};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mailward");

/// For what has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// For what must not happen: a machine that is slower than this only makes a test more lenient.
const MOMENT: Duration = Duration::from_millis(500);

/// What the host listens on: mail, what is internal, and what nobody expects.
const MAIL: [u16; 5] = [25, 143, 465, 587, 993];
const INTERNAL: u16 = 3306;
const STRANGER: u16 = 8080;
/// Ports that are sent on to the container: one of mail, and one that is none.
const PUBLISHED_MAIL: u16 = 995;
const PUBLISHED_STRANGER: u16 = 3307;
const OPEN_UDP: u16 = 5001;
const CLOSED_UDP: u16 = 5002;

const CONFIG: &str = "\
[never-ban]
mynetworks = false
operator-session = false
[host-firewall]
allow = [\"udp/5001\"]
close = [\"tcp/8080\", \"udp/5002\", \"tcp/3307\"]
";

/// A mail host between an outside and a container.
struct Scene {
    outside: Namespace,
    container: Namespace,
    _host: Namespace,
    folder: tempfile::TempDir,
}

impl Scene {
    /// The calling thread is in the host afterwards. None, with a loud word, where namespaces cannot be made.
    fn new(settings: &str) -> Option<Self> {
        let outside = Namespace::new("outside")?;
        let container = Namespace::new("container")?;
        let host = Namespace::new("host")?;
        run(&format!("ip link add up0 type veth peer name out0 netns {}", outside.name));
        run(&format!("ip link add docker0 type veth peer name eth0 netns {}", container.name));
        for command in [
            "ip addr add 192.0.2.1/24 dev up0",
            "ip -6 addr add 2001:db8:1::1/64 dev up0 nodad",
            "ip addr add 172.17.0.1/16 dev docker0",
            "ip link set up0 up",
            "ip link set docker0 up",
            "ip -6 route add 2001:db8:a::/64 dev up0",
            "ip -6 route add 2001:db8:b::/64 dev up0",
        ] {
            run(command);
        }
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        listen_on_host();
        in_namespace(&outside, || {
            for n in 10..20 {
                run(&format!("ip addr add 192.0.2.{n}/24 dev out0"));
            }
            for address in ["2001:db8:1::10/64", "2001:db8:a::1/64", "2001:db8:a::2/64", "2001:db8:b::1/64"] {
                run(&format!("ip -6 addr add {address} dev out0 nodad"));
            }
            run("ip link set out0 up");
        });
        in_namespace(&container, || {
            run("ip addr add 172.17.0.2/16 dev eth0");
            run("ip link set eth0 up");
            run("ip route add default via 172.17.0.1");
            [PUBLISHED_MAIL, INTERNAL].into_iter().for_each(echo_tcp);
        });
        let folder = tempfile::Builder::new().prefix("mailward-firewall-").tempdir().unwrap();
        let scene = Self { outside, container, _host: host, folder };
        scene.configure(settings);
        scene.publish();
        Some(scene)
    }

    fn configure(&self, more: &str) {
        let state = self.path("state");
        let text = format!("[guard]\nstate-directory = \"{}\"\n{CONFIG}{more}", state.display());
        fs::write(self.path("mailward.toml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Rules as Docker 29 makes them with its nftables backend.
    fn publish(&self) {
        let text = format!(
            "table ip docker-bridges {{\n chain DOCKER {{\n\
             iifname != \"docker0\" tcp dport {PUBLISHED_MAIL} dnat to 172.17.0.2:{PUBLISHED_MAIL}\n\
             iifname != \"docker0\" tcp dport {PUBLISHED_STRANGER} dnat to 172.17.0.2:{INTERNAL}\n }}\n\
             chain prerouting {{ type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }}\n}}\n"
        );
        fs::write(self.path("docker.nft"), text).unwrap();
        run(&format!("nft -f {}", self.path("docker.nft").display()));
    }

    /// `mailward firewall …`, on the host.
    fn firewall(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(self.path("mailward.toml")).arg("firewall").args(words.split(' '));
        command.stdin(Stdio::null()).env_remove("SSH_CONNECTION");
        command
    }

    /// The same, which has to go well.
    #[track_caller]
    fn does(&self, words: &str) -> String {
        let output = self.firewall(words);
        let said = text(&output);
        assert!(output.status.success(), "firewall {words}: {said}");
        said
    }

    /// Confirms as from a console: no process above it came over SSH, wherever this test was started from.
    #[track_caller]
    fn confirm(&self) {
        let mut command = Command::new("/usr/bin/setsid");
        command.arg("--fork").arg(PROGRAM).arg("--config").arg(self.path("mailward.toml"));
        let output = command.args(["firewall", "confirm"]).env_clear().stdin(Stdio::null()).output().unwrap();
        assert!(text(&output).contains("taken for a console"), "{}", text(&output));
    }

    /// Whether a connection is let in.
    fn reaches(&self, source: &str, target: &str, patience: Duration) -> bool {
        let (source, target): (IpAddr, SocketAddr) = (source.parse().unwrap(), target.parse().unwrap());
        in_namespace(&self.outside, || open(source, target, patience).is_some())
    }

    #[track_caller]
    fn is_open(&self, port: u16) {
        assert!(self.reaches("192.0.2.10", &format!("192.0.2.1:{port}"), PATIENCE), "{port} by IPv4");
    }

    #[track_caller]
    fn is_closed(&self, port: u16) {
        assert!(!self.reaches("192.0.2.10", &format!("192.0.2.1:{port}"), MOMENT), "{port} by IPv4");
    }

    /// Whether a datagram is answered.
    fn answers_udp(&self, port: u16, patience: Duration) -> bool {
        in_namespace(&self.outside, || {
            let socket = UdpSocket::bind("192.0.2.10:0").unwrap();
            socket.set_read_timeout(Some(patience)).unwrap();
            socket.send_to(b"hello", ("192.0.2.1", port)).unwrap();
            socket.recv(&mut [0; 16]).is_ok()
        })
    }

    /// Processes of ours that wait for the end of a trial.
    fn watchers(&self) -> Vec<u32> {
        let config = self.path("mailward.toml");
        let watches = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(config.to_str().unwrap()) && line.contains(" firewall watch ")
        };
        let pids = fs::read_dir("/proc").unwrap().flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(watches).collect()
    }
}

fn listen_on_host() {
    MAIL.into_iter().chain([INTERNAL, STRANGER]).for_each(echo_tcp);
    [OPEN_UDP, CLOSED_UDP].into_iter().for_each(echo_udp);
    let loopback = TcpListener::bind("127.0.0.1:10025").unwrap();
    spawn(move || loopback.accept());
}

/// Says again what it hears, by both families.
fn echo_tcp(port: u16) {
    let listener = TcpListener::bind(("::", port)).unwrap();
    spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
}

fn echo_udp(port: u16) {
    let socket = UdpSocket::bind(("0.0.0.0", port)).unwrap();
    spawn(move || {
        let mut heard = [0; 64];
        while let Ok((size, from)) = socket.recv_from(&mut heard) {
            let _ = socket.send_to(&heard[..size], from);
        }
    });
}

/// Does something on a thread in another namespace; what it starts is there, too.
fn in_namespace<T: Send>(namespace: &Namespace, act: impl FnOnce() -> T + Send) -> T {
    scope(|threads| {
        let thread = threads.spawn(|| {
            namespace.enter();
            act()
        });
        thread.join().unwrap()
    })
}

/// A connection from an address, or none if nobody takes it in time.
fn open(source: IpAddr, target: SocketAddr, patience: Duration) -> Option<TcpStream> {
    let family = if source.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    set_socket_timeout(&socket, Timeout::Send, Some(patience)).unwrap();
    bind(&socket, &SocketAddr::new(source, 0)).unwrap();
    connect(&socket, &target).ok()?;
    Some(TcpStream::from(socket))
}

/// Whether an address answers an echo request (icmp(7), for processes whose group may).
fn is_pinged(address: IpAddr) -> bool {
    fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").unwrap();
    let (family, protocol, request) = match address {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, 8),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, 128),
    };
    let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(protocol)).unwrap();
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&[request, 0, 0, 0, 0, 0, 0, 1], SocketAddr::new(address, 0)).unwrap();
    socket.recv(&mut [0; 16]).is_ok()
}

#[track_caller]
fn is_echoed(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"still there?").unwrap();
    let mut heard = [0; 12];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"still there?");
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

fn ruleset() -> String {
    run("nft -s list ruleset")
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not so after {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn only_what_is_meant_for_the_world_is_reached() {
    let Some(scene) = Scene::new("trial = \"1h\"\n") else { return };
    let before = ruleset();
    let old = |port: u16| {
        in_namespace(&scene.outside, || {
            open("192.0.2.10".parse().unwrap(), SocketAddr::new("192.0.2.1".parse().unwrap(), port), PATIENCE)
        })
    };
    let (mut mail, mut stranger) = (old(25).unwrap(), old(STRANGER).unwrap());
    let mut published = old(PUBLISHED_STRANGER).unwrap();
    let said = scene.does("apply");
    assert!(said.contains("mailward firewall confirm"), "{said}");
    for port in MAIL.into_iter().chain([PUBLISHED_MAIL]) {
        scene.is_open(port);
    }
    for port in [INTERNAL, STRANGER, PUBLISHED_STRANGER] {
        scene.is_closed(port);
    }
    assert!(scene.reaches("2001:db8:1::10", "[2001:db8:1::1]:993", PATIENCE));
    assert!(!scene.reaches("2001:db8:1::10", "[2001:db8:1::1]:8080", MOMENT));
    assert!(scene.answers_udp(OPEN_UDP, PATIENCE));
    assert!(!scene.answers_udp(CLOSED_UDP, MOMENT));
    // Ping of both families, and a new neighbour: its address has to be found.
    in_namespace(&scene.outside, || {
        assert!(is_pinged("192.0.2.1".parse().unwrap()));
        run("ip -6 neigh flush dev out0");
        assert!(is_pinged("2001:db8:1::1".parse().unwrap()));
    });
    // What was open stays open, also where nothing new is let in.
    [&mut mail, &mut stranger, &mut published].into_iter().for_each(is_echoed);
    in_namespace(&scene.container, || {
        assert!(open("172.17.0.2".parse().unwrap(), "172.17.0.1:3306".parse().unwrap(), PATIENCE).is_some());
    });
    assert!(scene.does("apply").contains("nothing was changed"));
    scene.does("undo");
    assert_eq!(ruleset(), before);
    scene.is_open(STRANGER);
    until("nobody waits for the end of a trial that is ended", || scene.watchers().is_empty());
}

/// Without rules that ask for it, the kernel tracks no connection: what is open is not known to be.
#[test]
fn connections_that_nobody_tracked_go_on() {
    let Some(scene) = Scene::new("trial = \"1h\"\n") else { return };
    run("nft flush ruleset");
    let target = SocketAddr::new("192.0.2.1".parse().unwrap(), STRANGER);
    let mut old =
        in_namespace(&scene.outside, || open("192.0.2.10".parse().unwrap(), target, PATIENCE).unwrap());
    is_echoed(&mut old);
    scene.does("apply");
    is_echoed(&mut old);
    scene.is_closed(STRANGER);
}

#[test]
fn an_undecided_port_is_asked_about() {
    let Some(scene) = Scene::new("") else { return };
    let text_of = |output: Output| (output.status.code(), text(&output));
    let config = fs::read_to_string(scene.path("mailward.toml")).unwrap();
    fs::write(scene.path("mailward.toml"), config.replace("\"tcp/8080\", ", "")).unwrap();
    let before = ruleset();
    for command in ["plan", "apply"] {
        let (code, said) = text_of(scene.firewall(command));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("tcp/8080") && said.contains("--close-others"), "{said}");
    }
    assert_eq!(ruleset(), before);
    let (code, said) = text_of(scene.firewall("plan --format json --close-others"));
    assert_eq!(code, Some(0), "{said}");
    let plan: serde_json::Value = serde_json::from_str(&said).unwrap();
    let fate = |port: &str| {
        let rows = plan["services"].as_array().unwrap();
        rows.iter().find(|row| row["port"] == port).map(|row| row["fate"].as_str().unwrap().to_owned())
    };
    let expected = [
        ("tcp/25", Some("open")),
        ("tcp/995", Some("open")),
        ("tcp/3306", Some("closed")),
        ("tcp/8080", Some("closed")),
        ("udp/5001", Some("open")),
        ("tcp/10025", None),
    ];
    for (port, expected) in expected {
        assert_eq!(fate(port).as_deref(), expected, "{port}: {plan:#}");
    }
}

#[test]
fn a_trial_ends_by_itself() {
    let Some(scene) = Scene::new("trial = \"10s\"\n") else { return };
    let before = ruleset();
    scene.does("apply");
    until("the ruleset is as before", || ruleset() == before);
    scene.is_open(STRANGER);
    let late = scene.firewall("confirm");
    assert_eq!(late.status.code(), Some(3), "{}", text(&late));
}

#[test]
fn a_trial_ends_though_all_are_killed() {
    let Some(scene) = Scene::new("trial = \"10s\"\n") else { return };
    let before = ruleset();
    scene.does("apply");
    for pid in scene.watchers() {
        let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    until("nobody watches", || scene.watchers().is_empty());
    until("the port is open again", || scene.reaches("192.0.2.10", "192.0.2.1:8080", MOMENT));
    // The next command takes away what is left.
    scene.does("status");
    assert_eq!(ruleset(), before);
}

#[test]
fn each_source_is_measured_by_itself() {
    let Some(scene) = Scene::new("trial = \"1h\"\nmail-rate = 12\n") else { return };
    scene.does("apply");
    let floods = |source: &str, target: &str| {
        for _ in 0..12 {
            assert!(scene.reaches(source, target, PATIENCE), "{source} to {target}");
        }
        until("the source is held back", || !scene.reaches(source, target, MOMENT));
    };
    floods("192.0.2.10", "192.0.2.1:25");
    assert!(scene.reaches("192.0.2.11", "192.0.2.1:25", PATIENCE));
    floods("2001:db8:a::1", "[2001:db8:1::1]:25");
    assert!(!scene.reaches("2001:db8:a::2", "[2001:db8:1::1]:25", MOMENT), "one /64 is one source");
    assert!(scene.reaches("2001:db8:b::1", "[2001:db8:1::1]:25", PATIENCE));
    floods("192.0.2.12", "192.0.2.1:995");
    assert!(scene.reaches("192.0.2.13", "192.0.2.1:995", PATIENCE), "a published port");
}

#[test]
fn a_confirmed_ruleset_survives() {
    let Some(scene) = Scene::new("trial = \"1h\"\n") else { return };
    scene.does("apply");
    scene.confirm();
    let confirmed = ruleset();
    let with_handles = run("nft -a -s list ruleset");
    assert!(scene.does("apply").contains("nothing was changed"));
    assert_eq!(run("nft -a -s list ruleset"), with_handles);
    scene.does("status");
    is_judged_well();

    // The daemon comes and goes, with its own table.
    let own = "nft -a -s list table inet mailward_firewall";
    let rules = run(own);
    let place = Place::new(PROGRAM);
    fs::write(&place.log, "").unwrap();
    place.guard().kill();
    place.guard().terminate();
    assert_eq!(run(own), rules);

    // A start of the machine, or somebody who flushes: all is gone, and seen to be.
    run("nft flush ruleset");
    scene.publish();
    let status = scene.firewall("status");
    assert_eq!(status.status.code(), Some(1), "{}", text(&status));
    scene.does("restore");
    assert_eq!(sorted(&ruleset()), sorted(&confirmed));
    scene.does("status");
    scene.is_open(25);
    scene.is_closed(STRANGER);

    // Somebody opens a port by hand.
    run("nft insert rule inet mailward_firewall input_a tcp dport 8080 accept");
    let status = scene.firewall("status");
    assert!(text(&status).contains("+ tcp dport 8080 accept"), "{}", text(&status));
    scene.does("restore");
    run("nft add element inet mailward_firewall tcp_a {8080}");
    let status = scene.firewall("status");
    assert!(text(&status).contains("+ elements = { 8080 }"), "{}", text(&status));
    scene.does("restore");
    scene.does("status");

    // Other rules on trial, not confirmed: the confirmed ones are back.
    let before = ruleset();
    scene.configure("trusted-interfaces = [\"wg0\"]\ntrial = \"1h\"\n");
    scene.does("apply");
    assert_ne!(ruleset(), before);
    scene.is_open(25);
    scene.does("undo");
    assert_eq!(ruleset(), before);
    scene.is_closed(STRANGER);
    // Confirmed, they take the place of the old ones.
    scene.does("apply");
    scene.confirm();
    assert!(ruleset().contains("iifname \"wg0\" accept") && !ruleset().contains("input_a"), "{}", ruleset());
    scene.does("off");
    assert!(!ruleset().contains("mailward_firewall"));
    assert!(!scene.path("state/firewall.nft").exists());
}

/// What the plan says is what the ruleset does, as the audit follows the rules that nft(8) lists.
#[test]
fn what_is_planned_is_what_is_loaded() {
    let Some(_network) = Namespace::new("planned") else { return };
    let filter = HostFilter::new(TABLE).unwrap();
    let mut random = Random(0x66_69_6c_74);
    for round in 0..40 {
        let (facts, wishes) = (some_facts(&mut random), some_wishes(&mut random));
        let proposal = propose(&facts, &wishes).unwrap();
        let definition = proposal.ruleset.definition("a");
        filter.restore(&filter.file(&definition, Side::A)).unwrap();
        let mut loaded = Facts::default();
        loaded.said.insert("nft -j list ruleset".into(), Known::Is(Said::ok(run("nft -j list ruleset"))));
        let loaded = Firewall::read(&loaded, "nft -j list ruleset").unwrap();
        for number in POOL {
            let port = Port { transport: Transport::Tcp, number };
            let fate =
                proposal.services.iter().find(|service| service.port == port).map(|service| &service.fate);
            let allowed = wishes.allow.contains(&Opening { port, from: None });
            let is_open = matches!(fate, Some(Fate::Open(_))) || fate.is_none() && allowed;
            let expected = if is_open { Reach::Open } else { Reach::Closed };
            assert_eq!(
                loaded.reach(number),
                expected,
                "round {round}, port {number}: {fate:?}\n{definition}"
            );
        }
    }
}

/// Ports of mail, of SSH, internal ones and others.
const POOL: [u16; 12] = [22, 25, 80, 110, 443, 465, 993, 2222, 3306, 8080, 10_025, 60_000];

fn some_facts(random: &mut Random) -> Facts {
    let mut facts = Facts::default();
    let mut pick = |from: &[&str]| from[random.below(from.len() as u64) as usize].to_owned();
    let mut listener = |port: u16| Listener {
        protocol: pick(&["tcp", "tcp", "tcp", "udp"]),
        address: pick(&["0.0.0.0", "::", "192.0.2.1", "127.0.0.1", "::1"]),
        port,
        program: pick(&["", "sshd", "master", "dovecot", "nginx"]),
    };
    let listeners = POOL.iter().map(|port| listener(*port)).collect();
    facts.host.listeners = Known::Is(listeners);
    facts.said.insert("nft -j list ruleset".into(), Known::Is(Said::ok("{\"nftables\": []}")));
    facts
}

fn some_wishes(random: &mut Random) -> Wishes {
    let networks = ["192.0.2.0/24", "2001:db8::/32", "203.0.113.7"].map(|text| text.parse().unwrap());
    let mut wishes = Wishes { mail_rate: 300, ssh_rate: 30, ..Wishes::default() };
    for number in POOL {
        let transport = if random.one_in(4) { Transport::Udp } else { Transport::Tcp };
        let port = Port { transport, number };
        match random.below(6) {
            0 => wishes.allow.push(Opening { port, from: None }),
            1 => wishes.allow.push(Opening { port, from: Some(networks[random.below(3) as usize]) }),
            2 => wishes.close.push(port),
            _ => {}
        }
    }
    wishes.unmetered = networks[..random.below(3) as usize].to_vec();
    wishes.blocked = networks[random.below(3) as usize..].to_vec();
    wishes
}

/// Tables come in the order in which they were made.
fn sorted(ruleset: &str) -> Vec<&str> {
    let mut tables: Vec<&str> =
        ruleset.split("\ntable ").map(|table| table.trim_start_matches("table ").trim()).collect();
    tables.sort_unstable();
    tables
}

/// The audit has nothing against the ruleset.
fn is_judged_well() {
    let mut facts = Facts::default();
    facts.said.insert("nft -j list ruleset".into(), Known::Is(Said::ok(run("nft -j list ruleset"))));
    let listener = |port: u16| Listener {
        protocol: "tcp".into(),
        address: "0.0.0.0".into(),
        port,
        program: "mariadbd".into(),
    };
    facts.host.listeners = Known::Is([INTERNAL, 6379].map(listener).to_vec());
    for id in ["BAN-011", "BAN-013"] {
        let judged = (find(id).unwrap().1.judge)(&Server::new(&facts));
        assert!(matches!(judged, Ok(Outcome::Pass(_))), "{id}: {judged:?}");
    }
    let firewall = Firewall::read(&facts, "nft -j list ruleset").unwrap();
    for (port, reach) in [(25, Reach::Open), (993, Reach::Open), (3306, Reach::Closed), (8080, Reach::Closed)]
    {
        // Bridges of containers are let in, so that who comes from there gets everywhere.
        let reach = if reach == Reach::Closed { Reach::Depends } else { reach };
        assert_eq!(firewall.reach(port), reach, "{port}");
    }
}

#[test]
fn a_wrong_ruleset_is_refused_before_anything_is_changed() {
    let Some(_network) = Namespace::new("wrong") else { return };
    run("nft add table inet somebody");
    let filter = HostFilter::new("mailward_firewall").unwrap();
    let before = ruleset();
    let wrong = "  chain input_a { tcp dport nonsense accept; }\n  chain forward_a { }\n";
    let refused = filter.try_out(wrong, Duration::from_secs(60), "1").unwrap_err();
    assert!(matches!(refused, HostFilterError::Refused { .. }), "{refused}");
    assert!(refused.to_string().contains("nonsense"), "{refused}");
    assert_eq!(ruleset(), before);
    assert_eq!(filter.loaded().unwrap(), Loaded::Nothing);
}

/// sshd of this machine on the host of a scene, and a key to it.
struct Ssh {
    server: Child,
    key: PathBuf,
}

impl Ssh {
    fn start(scene: &Scene) -> Option<Self> {
        if !Path::new("/usr/sbin/sshd").exists() {
            skipped("no sshd (apt install openssh-server)");
            return None;
        }
        let (host_key, key) = (scene.path("host_key"), scene.path("key"));
        for path in [&host_key, &key] {
            let words = ["-q", "-t", "ed25519", "-N", "", "-f"];
            assert!(Command::new("/usr/bin/ssh-keygen").args(words).arg(path).status().unwrap().success());
        }
        fs::create_dir_all("/run/sshd").unwrap();
        let config = format!(
            "Port 22\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n",
            host_key.display(),
            scene.path("key.pub").display()
        );
        fs::write(scene.path("sshd_config"), config).unwrap();
        let mut server = Command::new("/usr/sbin/sshd");
        server.arg("-D").arg("-e").arg("-f").arg(scene.path("sshd_config"));
        let server = server.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("sshd listens", || scene.reaches("192.0.2.10", "192.0.2.1:22", MOMENT));
        Some(Self { server, key })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("/usr/bin/ssh");
        let options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "ConnectTimeout=30",
            "BatchMode=yes",
        ];
        command.args(["-F", "none", "-q", "-i"]).arg(&self.key);
        command.args(options.iter().flat_map(|option| ["-o", option])).arg("root@192.0.2.1");
        command
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn only_a_new_ssh_connection_confirms() {
    let Some(scene) = Scene::new("trial = \"1h\"\n") else { return };
    let Some(ssh) = Ssh::start(&scene) else { return };
    let confirm =
        format!("{PROGRAM} --config {} firewall confirm 2>&1", scene.path("mailward.toml").display());
    // Begun before, it goes on under the new rules, and proves nothing about them.
    let mut old = in_namespace(&scene.outside, || {
        ssh.command().arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    });
    let hears = |session: &mut Child, words: &str| {
        session.stdin.as_mut().unwrap().write_all(words.as_bytes()).unwrap();
        let mut heard = vec![0; words.len()];
        session.stdout.as_mut().unwrap().read_exact(&mut heard).unwrap();
        assert_eq!(heard, words.as_bytes());
    };
    hears(&mut old, "before\n");
    let mut shell = in_namespace(&scene.outside, || {
        ssh.command().arg("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    });
    shell.stdin.as_mut().unwrap().write_all(b"echo ready\n").unwrap();
    let mut ready = [0; 6];
    shell.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();

    let said = scene.does("apply");
    assert!(said.contains("mailward firewall confirm"), "{said}");
    scene.is_closed(STRANGER);
    hears(&mut old, "after\n");
    shell.stdin.take().unwrap().write_all(format!("{confirm}\n").as_bytes()).unwrap();
    let mut refused = String::new();
    shell.stdout.take().unwrap().read_to_string(&mut refused).unwrap();
    assert!(refused.contains("older than the rules"), "{refused}");

    let confirmed = in_namespace(&scene.outside, || ssh.command().arg(&confirm).output().unwrap());
    assert!(text(&confirmed).contains("over a connection that the rules let in"), "{}", text(&confirmed));
    scene.is_open(22);
    scene.does("status");
    old.kill().unwrap();
    old.wait().unwrap();
    shell.wait().unwrap();
}
