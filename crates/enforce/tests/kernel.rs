//! The firewall against the kernel, checked with nft(8).

mod namespace;

use mailward_enforce::{Firewall, Options, Structure};
use namespace::{Namespace, ban, now, run};

#[test]
fn first_light() {
    let Some(_namespace) = Namespace::new("a") else { return };
    let mut firewall = Firewall::open(Options::default()).unwrap();
    let bans = [
        ban("198.51.100.1", None),
        ban("203.0.113.0/24", Some(now().plus(mailward_model::Span::from_hours(1)))),
        ban("2001:db8::1", None),
        ban("2001:db8:1::/48", None),
    ];
    let done = firewall.reconcile(&bans.iter().collect::<Vec<_>>(), now()).unwrap();
    assert_eq!(done.structure, Structure::Created);
    eprintln!("{done:?} {}", run("nft list ruleset"));
    let done = firewall.reconcile(&bans.iter().collect::<Vec<_>>(), now()).unwrap();
    eprintln!("{done:?}");
    assert!(done.was_right());
}
