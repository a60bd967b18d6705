//! What is in the kernel after each step, told by nft(8).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod namespace;

use std::net::IpAddr;

use mailward_decide::Cleared;
use mailward_enforce::{Action, Firewall, FirewallError, Heard, Monitor, Options, Reconciled, Structure};
use mailward_model::{Network, Span, Timestamp};
use namespace::{Namespace, ban, in_an_hour, listed, listed_rules, nft, now, run};

fn firewall() -> Firewall {
    Firewall::open(Options::default()).unwrap()
}

fn reconcile(firewall: &mut Firewall, bans: &[Cleared]) -> Reconciled {
    firewall.reconcile(&bans.iter().collect::<Vec<_>>(), now()).unwrap()
}

fn bans() -> Vec<Cleared> {
    vec![
        ban("198.51.100.1", None),
        ban("198.51.100.2", in_an_hour()),
        ban("2001:db8::1", in_an_hour()),
        ban("203.0.113.0/24", in_an_hour()),
        ban("2001:db8:1::/48", None),
    ]
}

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

/// Ranges of a set as texts, with the seconds left.
fn texts(set: &str) -> Vec<(String, Option<u64>)> {
    let text = |(first, last): (IpAddr, IpAddr)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    listed(set).into_iter().map(|(range, left)| (text(range), left)).collect()
}

fn names(set: &str) -> Vec<String> {
    texts(set).into_iter().map(|(text, _)| text).collect()
}

#[test]
fn the_table_is_made_as_meant() {
    let Some(_namespace) = Namespace::new("made") else { return };
    let sets = "table inet mailward {
set ports {
type inet_service
}
set banned4 {
type ipv4_addr
flags timeout
counter
}
set banned6 {
type ipv6_addr
flags timeout
counter
}
set networks4 {
type ipv4_addr
flags interval,timeout
counter
}
set networks6 {
type ipv6_addr
flags interval,timeout
counter
}
chain prerouting {
type filter hook prerouting priority mangle; policy accept;
";
    let lists = ["ip saddr @banned4", "ip6 saddr @banned6", "ip saddr @networks4", "ip6 saddr @networks6"];
    let ports = Some(vec![587, 25, 25]);
    for (ports, action, rules) in [
        (ports.clone(), Action::Drop, &["tcp dport @ports LIST counter drop"][..]),
        (ports, Action::Reset, &["tcp dport @ports LIST counter reject with tcp reset"]),
        (None, Action::Drop, &["LIST counter drop"]),
        (None, Action::Reset, &["meta l4proto tcp LIST counter reject with tcp reset", "LIST counter drop"]),
    ] {
        let options = Options { ports: ports.clone(), action, ..Options::default() };
        let mut firewall = Firewall::open(options).unwrap();
        let done = reconcile(&mut firewall, &bans());
        assert_eq!(done.action, action);
        let rules = lists.iter().flat_map(|list| rules.iter().map(|rule| rule.replace("LIST", list) + "\n"));
        assert_eq!(listed_rules(), format!("{sets}{}}}\n}}", rules.collect::<String>()));
        let listing = run("nft list set inet mailward ports");
        assert_eq!(listing.contains("elements = { 25, 587 }"), ports.is_some(), "{listing}");
        assert!(reconcile(&mut firewall, &bans()).was_right());
    }
}

#[test]
fn a_new_process_takes_over_and_writes_nothing() {
    let Some(_namespace) = Namespace::new("over") else { return };
    let bans = bans();
    let done = reconcile(&mut firewall(), &bans);
    assert_eq!((done.structure, done.added), (Structure::Created, 5 + 8));
    let mut second = firewall();
    let mut monitor = Monitor::open(&firewall()).unwrap();
    assert!(reconcile(&mut second, &bans).was_right());
    assert_eq!(monitor.hear().unwrap(), Heard::Nothing);
    let elements = second.elements().unwrap();
    let ends: Vec<bool> = elements.iter().map(|element| element.expires_in.is_some()).collect();
    let targets: Vec<String> =
        elements.iter().map(|element| element.network().unwrap().to_string()).collect();
    assert_eq!(targets, ["198.51.100.1", "198.51.100.2", "2001:db8::1", "203.0.113.0/24", "2001:db8:1::/48"]);
    assert_eq!(ends, [false, true, true, true, false]);
}

#[test]
fn bans_come_and_go_and_change_their_end() {
    let Some(_namespace) = Namespace::new("come") else { return };
    let mut firewall = firewall();
    reconcile(&mut firewall, &[]);
    let minute = |minutes| Some(now().plus(Span::from_mins(minutes)));
    for (until, left) in
        [(minute(10), Some(599)), (None, None), (minute(5), Some(299)), (minute(60), Some(3599))]
    {
        firewall.add(&[ban("198.51.100.1", until), ban("203.0.113.0/24", until)], now()).unwrap();
        for set in ["banned4", "networks4"] {
            let (_, found) = texts(set)[0].clone();
            let fits = found.zip(left).is_none_or(|(found, left)| found.abs_diff(left) <= 1);
            assert!(fits && found.is_some() == left.is_some(), "{set}: {found:?} {left:?}");
        }
    }
    let targets = [network("198.51.100.1"), network("203.0.113.0/24"), network("198.51.100.9")];
    for _ in 0..2 {
        firewall.remove(&targets, now()).unwrap();
        assert_eq!((names("banned4"), names("networks4")), (vec![], vec![]));
    }
}

#[test]
fn a_ban_that_is_over_is_left_out_and_one_of_ages_is_cut() {
    let Some(_namespace) = Namespace::new("ages") else { return };
    let mut firewall = firewall();
    let ages = Some(Timestamp::from_micros(i64::MAX - 1));
    let bans = [ban("198.51.100.1", Some(now())), ban("198.51.100.2", ages), ban("198.51.100.0/25", ages)];
    reconcile(&mut firewall, &bans);
    firewall.add(&[ban("198.51.100.3", Some(now())), ban("203.0.113.0/24", Some(now()))], now()).unwrap();
    assert_eq!((names("banned4"), names("networks4").len()), (vec!["198.51.100.2".to_owned()], 1));
    let century = 100 * 365 * 86_400;
    assert!(texts("banned4").iter().all(|(_, left)| left.is_some_and(|left| left > century)));
}

#[test]
fn the_kernel_lifts_a_ban_by_itself() {
    let Some(_namespace) = Namespace::new("self") else { return };
    let mut firewall = firewall();
    reconcile(&mut firewall, &[]);
    let soon = Some(now().plus(Span::from_micros(300_000)));
    firewall.add(&[ban("198.51.100.1", soon), ban("203.0.113.0/24", soon)], now()).unwrap();
    assert_eq!(firewall.elements().unwrap().len(), 2);
    let late = now().plus(Span::from_secs(10));
    // The kernel counts in ticks, and may be one early.
    while !firewall.elements().unwrap().is_empty() || Some(now()) < soon {
        assert!(now() < late);
    }
    // What is over does not get in the way of what comes in its place.
    firewall.add(&[ban("203.0.113.0/25", None), ban("203.0.113.192/26", in_an_hour())], now()).unwrap();
    assert_eq!(names("networks4"), ["203.0.113.0-203.0.113.127", "203.0.113.192-203.0.113.255"]);
}

#[test]
fn a_network_within_another_stays_banned_when_that_is_lifted() {
    let Some(_namespace) = Namespace::new("nest") else { return };
    let mut firewall = firewall();
    reconcile(&mut firewall, &[ban("203.0.113.0/24", in_an_hour())]);
    firewall.add(&[ban("203.0.113.64/26", None), ban("203.0.113.70", None)], now()).unwrap();
    let parts = ["203.0.113.0-203.0.113.63", "203.0.113.64-203.0.113.127", "203.0.113.128-203.0.113.255"];
    assert_eq!(names("networks4"), parts);
    firewall.remove(&[network("203.0.113.0/24")], now()).unwrap();
    assert_eq!(texts("networks4"), [(parts[1].to_owned(), None)]);
    firewall.remove(&[network("203.0.113.64/26")], now()).unwrap();
    assert_eq!((names("networks4"), names("banned4")), (vec![], vec!["203.0.113.70".to_owned()]));
}

#[test]
fn what_others_did_to_the_table_is_undone() {
    let Some(_namespace) = Namespace::new("undo") else { return };
    let bans = bans();
    let mut firewall = firewall();
    reconcile(&mut firewall, &bans);
    let rules = listed_rules();
    let sets = || ["banned4", "banned6", "networks4", "networks6"].map(names);
    let before = sets();
    let chain = "chain inet mailward prerouting";
    for (tampering, structure) in [
        ("flush ruleset", Structure::Created),
        ("delete table inet mailward", Structure::Created),
        ("delete element inet mailward banned4 { 198.51.100.1 }", Structure::Kept),
        ("add element inet mailward banned4 { 198.51.100.77 }", Structure::Kept),
        ("add element inet mailward networks6 { 2001:db8:7::/48 }", Structure::Kept),
        ("flush set inet mailward networks4", Structure::Kept),
        ("flush set inet mailward banned6", Structure::Kept),
        ("delete element inet mailward ports { 25 }", Structure::Kept),
        ("add element inet mailward ports { 80 }", Structure::Kept),
        ("flush chain inet mailward prerouting", Structure::RulesReplaced),
        ("insert rule inet mailward prerouting accept", Structure::RulesReplaced),
        ("add rule inet mailward prerouting counter", Structure::RulesReplaced),
        (&format!("flush {chain}; delete {chain}"), Structure::RulesReplaced),
        (&format!("add {chain} {{ policy drop; }}"), Structure::TableReplaced),
        (
            "flush chain inet mailward prerouting; add rule inet mailward prerouting ip saddr != @banned4 drop",
            Structure::RulesReplaced,
        ),
        ("add chain inet mailward other", Structure::TableReplaced),
        ("add set inet mailward other { type ipv4_addr; }", Structure::TableReplaced),
        ("add table inet mailward { flags dormant; }", Structure::TableReplaced),
        (
            "delete table inet mailward; add table inet mailward; \
             add set inet mailward banned4 { type ipv6_addr; flags timeout; }",
            Structure::TableReplaced,
        ),
    ] {
        nft(tampering);
        let done = reconcile(&mut firewall, &bans);
        assert_eq!(done.structure, structure, "{tampering}: {done:?}");
        assert!(!done.was_right(), "{tampering}");
        assert_eq!((listed_rules(), sets()), (rules.clone(), before.clone()), "{tampering}");
        assert!(reconcile(&mut firewall, &bans).was_right(), "{tampering}");
    }
}

#[test]
fn a_rule_with_another_verdict_is_seen() {
    let Some(_namespace) = Namespace::new("rule") else { return };
    let mut firewall = firewall();
    reconcile(&mut firewall, &bans());
    let rules = listed_rules();
    for (from, to) in
        [("drop", "accept"), ("@banned4", "@networks4"), ("ip saddr", "ip daddr"), ("@ports", "25")]
    {
        let listing = run("nft -a list chain inet mailward prerouting");
        let line = listing.lines().find(|line| line.contains("@banned4")).unwrap();
        let (rule, handle) = line.trim().split_once(" # handle ").unwrap();
        let rule = rule.replace("counter packets 0 bytes 0", "counter").replace(from, to);
        nft(&format!("replace rule inet mailward prerouting handle {handle} {rule}"));
        assert_eq!(reconcile(&mut firewall, &bans()).structure, Structure::RulesReplaced, "{rule}");
        assert_eq!(listed_rules(), rules);
    }
}

#[test]
fn other_options_replace_the_rules_and_keep_the_sets() {
    let Some(_namespace) = Namespace::new("other") else { return };
    reconcile(&mut firewall(), &bans());
    let mut firewall = Firewall::open(Options { ports: None, ..Options::default() }).unwrap();
    let done = reconcile(&mut firewall, &bans());
    assert_eq!((done.structure, done.added, done.removed), (Structure::RulesReplaced, 0, 8));
}

#[test]
fn tables_of_others_are_left_alone() {
    let Some(_namespace) = Namespace::new("alone") else { return };
    nft(
        "add table ip mailward; add chain ip mailward prerouting; add table inet filter; add set inet filter banned4 { type ipv4_addr; }",
    );
    let before = run("nft list ruleset");
    let mut firewall = firewall();
    reconcile(&mut firewall, &bans());
    reconcile(&mut firewall, &[]);
    firewall.uninstall().unwrap();
    firewall.uninstall().unwrap();
    assert_eq!(run("nft list ruleset"), before);
}

#[test]
fn changes_before_and_beside_reconciling_say_what_to_do() {
    let Some(_namespace) = Namespace::new("say") else { return };
    let mut firewall = firewall();
    let one = [ban("198.51.100.1", None)];
    assert!(matches!(firewall.add(&one, now()), Err(FirewallError::Unknown)));
    reconcile(&mut firewall, &[]);
    nft("delete table inet mailward");
    let error = firewall.add(&one, now()).unwrap_err();
    assert!(error.is_mended_by_reconciling(), "{error}");
    assert!(error.to_string().contains("adding an element: No such file"), "{error}");
    assert!(firewall.elements().unwrap_err().is_mended_by_reconciling());
    assert_eq!(reconcile(&mut firewall, &one).structure, Structure::Created);
    firewall.add(&one, now()).unwrap();
}

#[test]
fn what_others_put_in_the_way_is_cleared() {
    let Some(_namespace) = Namespace::new("way") else { return };
    let mut firewall = firewall();
    reconcile(&mut firewall, &[]);
    nft("add element inet mailward networks4 { 203.0.113.0-203.0.113.9 }");
    nft("add element inet mailward banned4 { 198.51.100.1 timeout 1h, 198.51.100.3 }");
    let both = ["198.51.100.1", "198.51.100.2", "203.0.112.0/23"].map(|target| ban(target, None));
    firewall.add(&both, now()).unwrap();
    assert_eq!(names("networks4"), ["203.0.112.0-203.0.113.255"]);
    assert_eq!(texts("banned4")[0], ("198.51.100.1".to_owned(), None));
    nft("flush set inet mailward networks4");
    firewall.remove(&[network("203.0.112.0/23")], now()).unwrap();
    assert!(names("networks4").is_empty());
}

#[test]
fn without_the_right_it_says_so() {
    let Some(_namespace) = Namespace::new("right") else { return };
    let none = rustix::thread::CapabilitySet::empty();
    let sets = rustix::thread::CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).unwrap();
    let error = Firewall::open(Options::default()).unwrap_err();
    assert!(matches!(error, FirewallError::Forbidden), "{error}");
    assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
}
