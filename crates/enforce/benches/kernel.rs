//! What bans cost in the kernel, by our netlink and by nft(8), in one run, in a network namespace of its own.
//!
//! `cargo bench -p mailward-enforce --bench kernel`, as root.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../tests/namespace/mod.rs"]
mod namespace;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use mailward_decide::Cleared;
use mailward_enforce::{Firewall, Monitor, Options};
use mailward_model::{Network, Span};
use namespace::{Namespace, ban_of, now};

fn main() {
    let Some(_namespace) = Namespace::new("bench") else { return };
    println!("{:<66}{:>12}{:>12}", "", "ours", "nft");
    for (count, many) in [(5_000, true), (100_000, false)] {
        at_once(count, if many { 5 } else { 1 });
    }
    one_by_one();
    networks();
}

/// Single addresses that no never-ban list holds: three quarters IPv4, one quarter IPv6.
fn address(index: u32) -> Network {
    let spread = index.wrapping_mul(2_654_435_761) >> 8;
    match index % 4 {
        0 => Network::host(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(index)).into()),
        _ => Network::host(Ipv4Addr::from_bits(0x5000_0000 | spread).into()),
    }
}

fn bans(range: std::ops::Range<u32>) -> Vec<Cleared> {
    range
        .map(|index| ban_of(address(index), Some(now().plus(Span::from_hours(24 + u64::from(index % 100))))))
        .collect()
}

fn at_once(count: u32, rounds: u32) {
    let bans = bans(0..count);
    let wanted: Vec<&Cleared> = bans.iter().collect();
    let (mut monitored, mut overflows) = (vec![], 0);
    let (mut restore, mut again, mut add, mut refresh, mut remove, mut script) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let mut firewall = Firewall::open(Options::default()).unwrap();
        restore.push(time(|| assert!(!firewall.reconcile(&wanted, now()).unwrap().was_right())));
        let mut fresh = Firewall::open(Options::default()).unwrap();
        firewall.uninstall().unwrap();
        let mut monitor = Monitor::open(&firewall).unwrap();
        monitored.push(time(|| assert!(!firewall.reconcile(&wanted, now()).unwrap().was_right())));
        overflows += u32::from(monitor.hear().unwrap().calls_for_reconciling());
        drop(monitor);
        again.push(time(|| assert!(fresh.reconcile(&wanted, now()).unwrap().was_right())));
        firewall.uninstall().unwrap();
        firewall.reconcile(&[], now()).unwrap();
        add.push(time(|| firewall.add(&bans, now()).unwrap()));
        refresh.push(time(|| firewall.add(&bans, now()).unwrap()));
        let targets: Vec<Network> = bans.iter().map(|ban| ban.ban().target).collect();
        remove.push(time(|| firewall.remove(&targets, now()).unwrap()));
        let text = nft_script(&bans);
        script.push(time(|| nft(&text)));
        firewall.uninstall().unwrap();
    }
    line(&format!("{count} bans restored into an empty kernel (reconcile)"), median(&mut restore), None);
    let what = format!("{count} the same while a monitor listens ({overflows} overflows)");
    line(&what, median(&mut monitored), None);
    line(&format!("{count} bans found there after a restart (reconcile)"), median(&mut again), None);
    line(&format!("{count} new bans at once (add)"), median(&mut add), Some(median(&mut script)));
    line(&format!("{count} bans with a new end (add)"), median(&mut refresh), None);
    line(&format!("{count} bans lifted at once (remove)"), median(&mut remove), None);
}

fn one_by_one() {
    let many = bans(0..100_000);
    let mut firewall = Firewall::open(Options::default()).unwrap();
    firewall.reconcile(&many.iter().collect::<Vec<_>>(), now()).unwrap();
    let mut ours = singles(&mut firewall, 200_000);
    let mut monitor = Monitor::open(&firewall).unwrap();
    let mut heard = singles(&mut firewall, 300_000);
    assert!(!monitor.hear().unwrap().calls_for_reconciling());
    drop(monitor);
    let mut nft: Vec<Duration> = bans(400_000..400_040).iter().map(nft_single).collect();
    line("one ban into 100000, p50", quantile(&mut ours, 50), Some(quantile(&mut nft, 50)));
    line("one ban into 100000, p99", quantile(&mut ours, 99), Some(quantile(&mut nft, 99)));
    line("one ban into 100000 while a monitor listens, p50", quantile(&mut heard, 50), None);
    line("one ban into 100000 while a monitor listens, p99", quantile(&mut heard, 99), None);
    firewall.uninstall().unwrap();
}

fn nft_single(ban: &Cleared) -> Duration {
    let element = element(ban);
    let mut command = std::process::Command::new("/usr/sbin/nft");
    command.args(["add", "element", "inet", "mailward", &element]);
    time(|| assert!(command.status().unwrap().success()))
}

fn singles(firewall: &mut Firewall, first: u32) -> Vec<Duration> {
    bans(first..first + 1000).chunks(1).map(|ban| time(|| firewall.add(ban, now()).unwrap())).collect()
}

fn networks() {
    let network = |index: u32| Network::around(Ipv4Addr::from_bits(0x5000_0000 + (index << 9)).into(), 24);
    let wanted: Vec<Cleared> =
        (0..1000).map(|index| ban_of(network(index), Some(now().plus(Span::from_hours(24))))).collect();
    let mut firewall = Firewall::open(Options::default()).unwrap();
    line(
        "1000 networks restored",
        time(|| assert!(!firewall.reconcile(&wanted.iter().collect::<Vec<_>>(), now()).unwrap().was_right())),
        None,
    );
    let more: Vec<Cleared> = (1000..1500).map(|index| ban_of(network(index), None)).collect();
    let mut times: Vec<Duration> =
        more.chunks(1).map(|ban| time(|| firewall.add(ban, now()).unwrap())).collect();
    line("one network into 1000, p50", quantile(&mut times, 50), None);
    line("one network into 1000, p99", quantile(&mut times, 99), None);
    firewall.uninstall().unwrap();
}

fn element(ban: &Cleared) -> String {
    let target = ban.ban().target;
    let set = if target.address().is_ipv4() { "banned4" } else { "banned6" };
    format!("{set} {{ {target} timeout {}s }}", ban.ban().until.unwrap().since(now()).secs())
}

fn nft_script(bans: &[Cleared]) -> String {
    let mut text = String::new();
    for v4 in [true, false] {
        let set = if v4 { "banned4" } else { "banned6" };
        write!(text, "add element inet mailward {set} {{").unwrap();
        for ban in bans.iter().filter(|ban| ban.ban().target.address().is_ipv4() == v4) {
            let left = ban.ban().until.unwrap().since(now()).secs();
            write!(text, " {} timeout {left}s,", ban.ban().target).unwrap();
        }
        text.push_str(" }\n");
    }
    text
}

fn nft(script: &str) {
    let mut child = std::process::Command::new("/usr/sbin/nft")
        .args(["-f", "-"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    quantile(times, 50)
}

fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}

fn line(what: &str, ours: Duration, nft: Option<Duration>) {
    let millis = |time: Duration| format!("{:.3} ms", time.as_secs_f64() * 1e3);
    println!("{what:<66}{:>12}{:>12}", millis(ours), nft.map(millis).unwrap_or_default());
}
