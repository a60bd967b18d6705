//! The configuration as a whole: what is printed is read again, and every mistake is told.

use std::path::{Path, PathBuf};

use mailward_audit::firewall::{Opening, Port, Transport};
use mailward_detect::rules::Response;
use mailward_enforce::Action;
use mailward_model::{Network, Span};
use proptest::prelude::*;

use super::read::read;
use super::settings::{Firewall, Guard, HostFirewall, InterfaceName};
use super::*;

/// The text of all mistakes, against a golden file; `BLESS=1` writes it anew.
fn check(name: &str, text: &str) {
    let got = match read(text) {
        Ok(_) => "ok\n".to_owned(),
        Err(mistakes) => ConfigError::Mistakes { path: "mailward.toml".into(), mistakes }.to_string() + "\n",
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &got).unwrap();
    }
    let want = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(got == want, "{name} differs; BLESS=1 writes it anew\n{got}");
}

#[test]
fn mistakes_in_names() {
    check(
        "names.txt",
        r#"
mode = "enforce"
tresholds = 3

[gaurd]
mode = "enforce"

[guard]
moed = "enforce"
state_directory = "/var/lib/mailward"
enabled = true
colour = "blue"

[rules.auth-failure-fats]
threshold = 3

[rules.tls-probe-fast]
treshold = 3
scope = "network"

[rules.account-suspect]
ban = "1h"

[rules.nothing-like-it]

[never-ban]
networks = [{ net = "192.0.2.0/24" }, { comment = "office" }]
"#,
    );
}

#[test]
fn mistakes_in_values() {
    check(
        "values.txt",
        r#"
guard = 5
budget.bans-per-minute = 0
[sources]
files = ["/var/log/mail.log", "mail.log", 7, "/var/log/mail.log"]
journal = "yes"
time-zone = "Europe/Atlantis"
[guard.more]
[firewall]
ports = [25, 0, 70000, 25]
action = "reject"
enabled = "true"
table = "in et"
[never-ban]
networks = ["192.0.2.1/24", "example.org", 5, { network = "2001:db8::/129", comment = 7 }, "198.51.100.0/24", "198.51.100.0/24"]
operator-session = 1
[ladder]
steps = ["1h", "30m", "5 hours"]
[patience]
memory = "0s"
factor = -1
[rules]
pregreet = true
[rules.dnsbl]
threshold = 0
window = "29d"
ban = "10"
enabled = 1
"#,
    );
}

#[test]
fn mistakes_in_the_audit() {
    check(
        "audit.txt",
        r#"
[audit]
resolver = "example.org"
guess-passwords = "no"
compose-file = "compose.yaml"
accept = [
    { check = "SMT-11", reason = "x", owner = "alice", until = "2027-01-31" },
    { check = "SMT-011", reasn = "x", owner = "", until = "soon" },
    { check = "smt-011", subject = "port 25", reason = "monitoring", owner = "alice", until = 2027-01-31 },
    "SMT-011",
]
"#,
    );
}

#[test]
fn mistakes_in_toml() {
    check(
        "toml.txt",
        "[guard]\nmode = enforce\nsocket = \"/run/x.sock\n[firewall\nports = [25,\n[rules.dnsbl]\nthreshold = 4\nthreshold = 5\n",
    );
}

#[test]
fn mistakes_between_settings() {
    for (text, part) in [
        ("[ladder]\nsteps = []", "steps is empty"),
        ("[ladder]\nsteps = [\"2h\", \"1h\"]", "steps must grow"),
        ("[ladder]\nsteps = [\"1s\"]", "at least 1m"),
        ("[ladder]\nmost = \"1d\"", "steps goes up to 4w, and most allows 1d"),
    ] {
        let mistakes = read(text).unwrap_err();
        assert!(mistakes.iter().any(|mistake| mistake.problem.contains(part)), "{text}: {mistakes:?}");
    }
}

#[test]
fn an_attacker_chosen_file_steers_no_terminal() {
    let mistakes = read("[guard]\n\"mo\\u001b[31m\" = \"\u{9b}2J\"\n").unwrap_err();
    let shown = ConfigError::Mistakes { path: "x".into(), mistakes }.to_string();
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
}

#[test]
fn every_setting_can_be_set() {
    let settings = read(
        r#"
sources = { files = ["/srv/mail.log"], journal = true, journal-matches = [], start = "end", time-zone = "UTC" }
[guard]
mode = "dry-run"
state-directory = "/srv/mailward"
socket = "/run/other.sock"
socket-group = "adm"
[firewall]
enabled = false
ports = "all"
action = "reset"
table = "guard_2"
postscreen-table = "/etc/postfix/mailward.cidr"
[never-ban]
networks = ["192.0.2.1", { network = "2001:db8::/48", comment = "office" }]
operator-session = false
mynetworks = false
own-addresses = false
[ladder]
steps = ["2h", "4h"]
most = "1w"
memory = "30d"
[audit]
prefix = ["podman", "exec", "-i", "mail"]
compose-file = "none"
domains = ["example.org"]
resolver = "127.0.0.1:5353"
reports = "/var/mail/reports"
guess-passwords = true
accept = [{ check = "SMT-011", subject = "port 25", reason = "monitoring", owner = "alice", until = 2027-01-31 }]
[rules.auth-failure-fast]
threshold = 7
window = "1h30m"
ban = "2h"
enabled = false
"#,
    )
    .unwrap();
    assert_eq!(settings.sources.files, Auto::Set(vec![PathBuf::from("/srv/mail.log")]));
    assert_eq!((settings.guard.mode, settings.firewall.options.action), (Mode::DryRun, Action::Reset));
    assert_eq!((settings.firewall.options.ports.as_ref(), settings.never_ban.networks.len()), (None, 2));
    assert_eq!(settings.ladder.steps, [Span::from_hours(2), Span::from_hours(4)]);
    let rule = settings.rules.rule("auth-failure-fast").unwrap();
    assert_eq!((rule.threshold, rule.window, rule.enabled), (7, Span::from_mins(90), false));
    assert_eq!(read(&show(&settings, Style::Effective)).unwrap(), settings);
    assert_eq!(read(&show(&settings, Style::Template)).unwrap(), settings);
    let marked =
        show(&settings, Style::Effective).lines().filter(|line| line.contains("# changed; ")).count();
    assert_eq!(marked, 32, "what differs from its default is marked");
}

#[test]
fn defaults_are_printed() {
    let all = show(&Settings::default(), Style::Effective);
    assert!(!all.contains("changed"));
    assert_eq!(read(&all).unwrap(), Settings::default());
    assert_eq!(read("").unwrap(), Settings::default());
    let template = show(&Settings::default(), Style::Template);
    let active: Vec<_> = template.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(active.iter().all(|line| line.starts_with('[')), "{active:?}");
    // A template is edited by taking away the marks: that must be no mistake.
    let edited: String = template
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|l| is_setting(l)).unwrap_or(line).to_owned() + "\n")
        .collect();
    assert_eq!(read(&edited).unwrap(), Settings::default());
}

fn is_setting(line: &str) -> bool {
    let name = line.split_once(" = ").map(|(name, _)| name);
    line.starts_with("[rules.") || name.is_some_and(|name| !name.contains(' '))
}

fn spans(least: u64) -> impl Strategy<Value = Span> {
    prop_oneof![(least..=3_600), (least..=28 * 86_400)].prop_map(Span::from_secs)
}

fn texts() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,20}"
}

fn paths() -> impl Strategy<Value = PathBuf> {
    texts().prop_map(|text| PathBuf::from(format!("/{text}")))
}

fn networks() -> impl Strategy<Value = Vec<NamedNetwork>> {
    let network = prop_oneof![
        (any::<[u8; 4]>(), 0..=32_u8).prop_map(|(octets, prefix)| Network::around(octets.into(), prefix)),
        (any::<[u16; 8]>(), 0..=128_u8).prop_map(|(parts, prefix)| Network::around(parts.into(), prefix)),
    ];
    let comment = "[^\\p{Cc}]{0,20}";
    proptest::collection::vec((network, comment), 0..4).prop_map(|mut list| {
        list.sort();
        list.dedup_by_key(|(network, _)| *network);
        list.into_iter().map(|(network, comment)| NamedNetwork { network, comment }).collect()
    })
}

fn auto<T: std::fmt::Debug + Clone>(set: impl Strategy<Value = T>) -> impl Strategy<Value = Auto<T>> {
    prop_oneof![Just(()).prop_map(|()| None), set.prop_map(Some)]
        .prop_map(|value| value.map_or(Auto::Auto, Auto::Set))
}

prop_compose! {
    fn some_sources()(
        files in auto(proptest::collection::hash_set(paths(), 0..4).prop_map(|set| set.into_iter().collect())),
        journal in auto(any::<bool>()),
        journal_matches in proptest::collection::hash_set(texts(), 0..3),
        utc: bool,
    ) -> Sources {
        let time_zone = if utc { "UTC" } else { "local" }.into();
        let start = if utc { mailward_source::Start::End } else { mailward_source::Start::Beginning };
        Sources { files, journal, journal_matches: journal_matches.into_iter().collect(), start, time_zone }
    }
}

prop_compose! {
    fn some_firewall()(
        enabled: bool, reset: bool, table in "[a-z][a-z0-9_]{0,20}", postscreen_table in proptest::option::of(paths()),
        ports in proptest::option::of(proptest::collection::hash_set(1..=u16::MAX, 1..5)),
    ) -> Firewall {
        let action = if reset { Action::Reset } else { Action::Drop };
        let ports = ports.map(|set| set.into_iter().collect());
        Firewall { enabled, options: mailward_enforce::Options { ports, action, table }, postscreen_table }
    }
}

prop_compose! {
    fn some_host_firewall()(
        ports in proptest::collection::hash_set((any::<bool>(), 1..=u16::MAX), 0..4), networks in networks(),
        names in proptest::collection::hash_set("[a-z]{1,12}[*]?", 0..3), rates: [u16; 2], secs in 10..3_600_u64,
        blocked_networks in proptest::option::of(paths()),
    ) -> HostFirewall {
        let port = |(tcp, number)| Port { transport: if tcp { Transport::Tcp } else { Transport::Udp }, number };
        let close: Vec<Port> = ports.into_iter().map(port).collect();
        let from = networks.iter().map(|named| Some(named.network)).chain([None]);
        let allow = close.iter().zip(from).map(|(port, from)| Opening { port: *port, from }).collect();
        HostFirewall {
            allow,
            close,
            trusted_interfaces: names.into_iter().map(InterfaceName).collect(),
            mail_rate: 1 + u32::from(rates[0]),
            ssh_rate: 1 + u32::from(rates[1]),
            blocked_networks,
            trial: Span::from_secs(secs),
        }
    }
}

prop_compose! {
    fn some_settings()(
        sources in some_sources(), firewall in some_firewall(), host_firewall in some_host_firewall(), networks in networks(),
        bools: [bool; 4], state_directory in paths(), socket in paths(), socket_group in texts(),
        mut steps in proptest::collection::hash_set(spans(60), 1..5).prop_map(|set| set.into_iter().collect::<Vec<_>>()),
        rules in proptest::collection::vec((any::<bool>(), 1..1_000_u32, spans(1), spans(60)), 64),
        numbers in proptest::collection::vec(1_000..10_000_u32, 8), budget in 1..1_000_000_u32, days in 1..365_u64,
    ) -> Settings {
        let mut settings = Settings { sources, firewall, host_firewall, ..Settings::default() };
        settings.never_ban = NeverBan { networks, operator_session: bools[0], mynetworks: bools[1], own_addresses: bools[2] };
        let mode = if bools[3] { Mode::Enforce } else { Mode::DryRun };
        settings.guard = Guard { mode, state_directory, socket, socket_group };
        steps.sort();
        settings.ladder.steps = steps;
        settings.budget.bans_per_minute = budget;
        settings.budget.ipv4_addresses = u64::from(budget);
        settings.memory.sources = numbers[0] as usize;
        settings.memory.places = numbers[1] as usize;
        settings.patience.memory = Span::from_days(days);
        settings.retention.bans = Span::from_days(days);
        for (rule, (enabled, threshold, window, ban)) in settings.rules.0.iter_mut().zip(rules) {
            (rule.enabled, rule.threshold, rule.window) = (enabled, threshold.min(rule.most()), window);
            rule.ban = if rule.response == Response::Tell { rule.ban } else { ban };
        }
        settings
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_printed_is_read_again(settings in some_settings()) {
        for style in [Style::Effective, Style::Template] {
            let text = show(&settings, style);
            match read(&text) {
                Ok(read) => prop_assert_eq!(&read, &settings, "{}", text),
                Err(mistakes) => prop_assert!(false, "{:#?}\n{}", mistakes, text),
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]a-z\"'=.{}, \n0-9\\-#éx]{0,200}") {
        if let Err(mistakes) = read(&text) {
            prop_assert!(!mistakes.is_empty() && mistakes.iter().all(|mistake| mistake.line >= 1 && mistake.column >= 1));
        }
    }
}

#[test]
fn settings_that_contradict_each_other() {
    check(
        "whole.txt",
        r#"
[greylist]
delay = "2h"
window = "1h"

[login]
limits = ["bob@example.org only imap", "alice@example.org from DE", "Bob@example.org from DE"]
"#,
    );
    check("memory.txt", "[greylist]\nwindow = \"3d\"\nmemory = \"2d\"\n");
}
