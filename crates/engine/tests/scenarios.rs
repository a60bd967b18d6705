//! Scenarios: what goes in is log lines, what comes out is decisions.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use jiff::tz::TimeZone;
use mailward_decide::{Bans, Budget, Ladder, NeverBan, Protection};
use mailward_detect::{Capacity, Detector, Patience, Rules};
use mailward_engine::{Effect, Engine, Now, Refused};
use mailward_model::Timestamp;
use mailward_parse::Context;

fn engine(never: NeverBan) -> Engine {
    let detector = Detector::new(Rules::default(), Patience::default(), Capacity::default());
    let bans = Bans::new(never, Ladder::default(), Budget::default());
    let reference = Timestamp::from_secs(1_800_000_000);
    Engine::new(Context { reference, zone: TimeZone::UTC }, detector, bans)
}

/// Lines are `HH:MM:SS program: message` of one day, or `DAY HH:MM:SS …`; empty ones are left out.
fn run(engine: &mut Engine, script: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (day, rest) = match line.split_once(' ') {
            Some((day, rest)) if !day.contains(':') => (day.parse::<u32>().unwrap(), rest),
            _ => (1, line),
        };
        let (time, message) = rest.split_once(' ').unwrap();
        let line = format!("2026-03-{day:02}T{time}.000000+00:00 mail {message}");
        engine.step(0, line.as_bytes(), Now::Logged, &mut effects);
    }
    effects
}

/// The bans, as `target length rule`.
fn bans(effects: &[Effect]) -> Vec<String> {
    let ban = |effect: &Effect| match effect {
        Effect::Ban(cleared) => {
            let ban = cleared.ban();
            Some(format!("{} {} {}", ban.target, ban.until.unwrap().since(ban.from), ban.by))
        }
        _ => None,
    };
    effects.iter().filter_map(ban).collect()
}

fn signals(effects: &[Effect]) -> Vec<String> {
    let signal = |effect: &Effect| match effect {
        Effect::Signal(signal) => Some(format!("{} {}", signal.rule, signal.subject)),
        _ => None,
    };
    effects.iter().filter_map(signal).collect()
}

#[track_caller]
fn check(script: &str, expected: &[&str]) {
    assert_eq!(bans(&run(&mut engine(NeverBan::built_in()), script)), expected);
}

fn imap_failure(address: &str, user: &str, session: u32) -> String {
    format!(
        "dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<{user}>, \
         method=PLAIN, rip={address}, lip=192.0.2.10, TLS: Connection closed, session=<s{session}>"
    )
}

fn imap_login(address: &str, user: &str) -> String {
    format!(
        "dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip={address}, lip=192.0.2.10, mpid=9, TLS, session=<ok>"
    )
}

fn sasl_failure(address: &str, user: &str) -> String {
    format!(
        "postfix/submission/smtpd[7]: warning: unknown[{address}]: SASL LOGIN authentication failed: (reason unavailable), \
         sasl_username={user}"
    )
}

/// `count` failures of an address, the first at `from` minutes, then every `every` minutes; beyond a day on the next.
fn failures(address: &str, user: &str, count: u32, every: u32) -> String {
    let line = |n: u32| {
        let minute = n * every;
        let (day, minute) = (1 + minute / 1_440, minute % 1_440);
        format!("{day} {:02}:{:02}:00 {}\n", minute / 60, minute % 60, imap_failure(address, user, n))
    };
    (0..count).map(line).collect()
}

#[test]
fn three_wrong_passwords_in_ten_minutes() {
    check(&failures("198.51.100.7", "alice@example.org", 2, 1), &[]);
    check(&failures("198.51.100.7", "alice@example.org", 3, 1), &["198.51.100.7 1h auth-failure-fast"]);
    check(&failures("2001:db8:a::7", "alice@example.org", 3, 1), &["2001:db8:a::7 1h auth-failure-fast"]);
}

#[test]
fn the_slow_guesser_is_seen_over_a_day_and_over_a_week() {
    check(&failures("198.51.100.7", "alice@example.org", 10, 95), &["198.51.100.7 1d auth-failure-day"]);
    check(&failures("198.51.100.7", "alice@example.org", 20, 470), &["198.51.100.7 1w auth-failure-week"]);
    check(&failures("198.51.100.7", "alice@example.org", 40, 600), &[]);
}

#[test]
fn one_failed_login_counts_once_over_all_its_lines() {
    let mut script = String::new();
    for n in 0..2 {
        script += &format!(
            "10:0{n}:00 dovecot: auth: passwd-file(alice@example.org,198.51.100.7,<s{n}>): Password mismatch\n\
             10:0{n}:02 {}\n",
            imap_failure("198.51.100.7", "alice@example.org", n)
        );
    }
    for n in 2..4 {
        script += &format!(
            "10:0{n}:00 dovecot: auth: passwd-file(bob@example.org,198.51.100.8): Password mismatch\n\
             10:0{n}:02 {}\n\
             10:0{n}:03 postfix/submission/smtpd[7]: disconnect from unknown[198.51.100.8] ehlo=1 auth=0/1 quit=1 \
             commands=2/3\n",
            sasl_failure("198.51.100.8", "bob@example.org")
        );
    }
    let effects = run(&mut engine(NeverBan::built_in()), &script);
    let counted: u32 = effects
        .iter()
        .map(|effect| if let Effect::Offence(offence) = effect { offence.count } else { 0 })
        .sum();
    assert_eq!((counted, bans(&effects).len()), (4, 0));
}

#[test]
fn attempts_in_one_connection_count_each() {
    let line = imap_failure("198.51.100.7", "alice@example.org", 1).replace("1 attempts", "8 attempts");
    check(&format!("10:00:00 {line}"), &["198.51.100.7 1h auth-failure-fast"]);
}

#[test]
fn a_device_with_an_old_password_is_no_guesser() {
    let try_at = |minute: u32, digits: &str| {
        format!(
            "{:02}:{:02}:00 dovecot: auth: passwd-file(sales@example.org,192.0.2.77,<s{minute}>): Password mismatch (SHA1 \
             of given password: {digits})\n{:02}:{:02}:02 {}\n",
            10 + minute / 60,
            minute % 60,
            10 + minute / 60,
            minute % 60,
            imap_failure("192.0.2.77", "sales@example.org", minute)
        )
    };
    let same: String = (0..60).map(|minute| try_at(minute, "3f9a1c")).collect();
    check(&same, &[]);
    let guesses: String = (0..3).map(|minute| try_at(minute, &format!("3f9a1{minute}"))).collect();
    check(&guesses, &["192.0.2.77 1h auth-failure-fast"]);
    // Digits that many passwords share tell nothing.
    let alike: String = (0..3).map(|minute| try_at(minute, "3")).collect();
    check(&alike, &["192.0.2.77 1h auth-failure-fast"]);
}

#[test]
fn where_people_log_in_a_failing_device_bans_nobody_but_a_guesser_is_banned() {
    let office = format!("00:00:00 {}\n", imap_login("203.0.113.11", "grace@example.org"));
    check(&(office.clone() + &failures("203.0.113.11", "heidi@example.org", 200, 5)), &[]);
    let mut guesser = office;
    for n in 0..40 {
        guesser +=
            &format!("01:00:{n:02} {}\n", imap_failure("203.0.113.11", &format!("user{n}@example.org"), n));
    }
    check(&guesser, &["203.0.113.11 1h auth-failure-fast"]);
}

#[test]
fn many_sources_on_one_account_are_a_siege_and_its_owner_stays_in() {
    let mut script = format!("00:00:00 {}\n", imap_login("203.0.113.10", "bob@example.org"));
    for n in 1..=6 {
        script += &format!("01:0{n}:00 {}\n", imap_failure(&format!("198.51.{n}.1"), "bob@example.org", n));
    }
    script += &format!("01:08:00 {}\n", imap_failure("203.0.113.10", "bob@example.org", 9));
    let expected: Vec<String> = (1..=6).map(|n| format!("198.51.{n}.1 1h account-siege")).collect();
    check(&script, &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn guesses_from_all_over_a_network_are_banned_one_by_one_where_somebody_logs_in() {
    let mut script = format!("00:00:00 {}\n", imap_login("198.51.100.200", "carol@example.org"));
    for n in 0..20 {
        script += &format!(
            "01:00:{n:02} {}\n",
            sasl_failure(&format!("198.51.100.{}", 10 + n), &format!("u{n}@example.org"))
        );
    }
    let effects = run(&mut engine(NeverBan::built_in()), &script);
    let banned = bans(&effects);
    assert_eq!(banned.len(), 20, "{banned:?}");
    assert!(banned.iter().all(|ban| !ban.contains('/')), "the network is precious: {banned:?}");
}

#[test]
fn a_network_of_guessers_without_users_is_banned_as_a_whole() {
    let script: String = (0..12)
        .map(|n| {
            format!(
                "01:{n:02}:00 {}\n",
                sasl_failure(&format!("198.51.100.{n}"), &format!("u{n}@example.org"))
            )
        })
        .collect();
    let banned = bans(&run(&mut engine(NeverBan::built_in()), &script));
    assert_eq!(banned.last().unwrap(), "198.51.100.0/24 1d network-guessing-ban");
}

#[test]
fn ipv6_sources_that_rotate_or_hop_are_banned_by_their_network() {
    let rotate: String = (1..=3)
        .map(|n| {
            format!("01:00:0{n} {}\n", sasl_failure(&format!("2001:db8:a1:66::{n}"), "alice@example.org"))
        })
        .collect();
    check(&rotate, &["2001:db8:a1:66::/64 1h auth-failure-fast"]);
    let hop: String = (1..=4)
        .map(|n| {
            format!(
                "01:00:0{n} {}\n",
                sasl_failure(&format!("2001:db8:a2:10{n}::1"), &format!("u{n}@example.org"))
            )
        })
        .collect();
    let expected: Vec<String> =
        (1..=4).map(|n| format!("2001:db8:a2:10{n}::/64 1h network-guessing")).collect();
    check(&hop, &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_login_after_failures_from_a_new_place_is_told() {
    let mut script = format!("00:00:00 {}\n", imap_login("203.0.113.10", "bob@example.org"));
    script += &failures("198.51.100.7", "bob@example.org", 3, 200);
    script += &format!("23:00:00 {}\n", imap_login("192.0.2.200", "bob@example.org"));
    let effects = run(&mut engine(NeverBan::built_in()), &script);
    assert_eq!((signals(&effects), bans(&effects)), (vec!["account-suspect bob@example.org".into()], vec![]));
    let known = script.replace("192.0.2.200", "203.0.113.99");
    assert!(
        signals(&run(&mut engine(NeverBan::built_in()), &known)).is_empty(),
        "a neighbour of home is known"
    );
}

#[test]
fn our_own_outage_bans_nobody_and_an_outlasted_guess_counts() {
    let lost = |address: &str| {
        format!(
            "postfix/submission/smtpd[7]: warning: unknown[{address}]: SASL LOGIN authentication failed: Connection lost to \
             authentication server, sasl_username=(unavailable)"
        )
    };
    let outage: String =
        (0..30).map(|n| format!("01:00:{n:02} {}\n", lost(&format!("198.51.100.{}", n % 5)))).collect();
    check(&outage, &[]);
    let guesser = format!(
        "01:00:00 {}\n01:00:20 {}\n01:00:40 {}\n",
        sasl_failure("198.51.100.7", "a@example.org"),
        lost("198.51.100.7"),
        lost("198.51.100.7")
    );
    check(&guesser, &["198.51.100.7 1h auth-failure-fast"]);
    let during_outage = format!("00:59:00 {}\n{guesser}", lost("203.0.113.5"));
    check(&during_outage, &[]);
}

#[test]
fn tls_probes_ban_strangers_and_not_monitoring() {
    let probe = |client: &str, reason: &str| {
        format!("postfix/submissions/smtpd[7]: SSL_accept error from {client}: {reason}")
    };
    let many = |client: &str, reason: &str| -> String {
        (0..20).map(|n| format!("01:{n:02}:00 {}\n", probe(client, reason))).collect()
    };
    check(&many("unknown[198.51.100.7]", "lost connection"), &["198.51.100.7 1d tls-probe-fast"]);
    check(&many("unknown[198.51.100.7]", "Connection reset by peer"), &["198.51.100.7 1d tls-probe-fast"]);
    check(&many("probe1.monitor.example[203.0.113.12]", "lost connection"), &[]);
    let user = format!("00:00:00 {}\n", imap_login("203.0.113.40", "erin@example.org"));
    check(&(user + &many("unknown[203.0.113.40]", "-1")), &[]);
}

#[test]
fn a_mailing_list_with_dead_members_is_no_harvester() {
    let unknown = |client: &str, n: u32| {
        format!(
            "01:00:{n:02} postfix/smtpd[7]: NOQUEUE: reject: RCPT from {client}: 550 5.1.1 <gone{n}@example.org>: Recipient \
             address rejected: User unknown in virtual mailbox table; from=<list@lists.example> to=<gone{n}@example.org> \
             proto=ESMTP helo=<mx.lists.example>\n"
        )
    };
    let many = |client: &str| (0..30).map(|n| unknown(client, n)).collect::<String>();
    check(&many("unknown[198.51.100.7]"), &["198.51.100.7 1h user-harvest"]);
    let delivers = "00:59:58 postfix/smtpd[7]: connect from mx.lists.example[203.0.113.25]\n\
                    00:59:59 postfix/smtpd[7]: 4AAAA1B2C3: client=mx.lists.example[203.0.113.25]\n";
    check(&(delivers.to_owned() + &many("mx.lists.example[203.0.113.25]")), &[]);
}

#[test]
fn spam_through_a_mail_server_that_delivers_bans_it_not() {
    let reject = |client: &str| -> String {
        (0..59)
            .map(|n| {
                format!(
                    "01:00:{n:02} postfix/cleanup[9]: 4AAAA1B2C3: milter-reject: END-OF-MESSAGE from {client}: 5.7.1 Spam \
                     message rejected; from=<a@b.example> to=<alice@example.org> proto=ESMTP helo=<x.example>\n"
                )
            })
            .collect()
    };
    assert_eq!(bans(&run(&mut engine(NeverBan::built_in()), &reject("unknown[198.51.100.7]"))).len(), 1);
    let delivers = "00:59:58 postfix/smtpd[7]: connect from mail.provider.example[203.0.113.25]\n\
                    00:59:59 postfix/smtpd[7]: 4AAAA1B2C3: client=mail.provider.example[203.0.113.25]\n";
    check(&(delivers.to_owned() + &reject("mail.provider.example[203.0.113.25]")), &[]);
}

#[test]
fn a_blocklist_error_code_never_counts() {
    let reject = |answer: &str| -> String {
        (0..6)
            .map(|n| {
                format!(
                    "01:0{n}:00 postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[198.51.100.7]: 554 5.7.1 Service \
                     unavailable; Client host [198.51.100.7] blocked using zen.example.net; {answer}; from=<a@b.example> \
                     to=<alice@example.org> proto=ESMTP helo=<x.example>\n"
                )
            })
            .collect()
    };
    check(&reject("https://lists.example/query/ip/198.51.100.7"), &["198.51.100.7 6h dnsbl"]);
    check(&reject("Error: open resolver; https://lists.example/returnc/pub/ 127.255.255.254"), &[]);
}

#[test]
fn the_never_ban_list_holds_and_says_so() {
    let mut never = NeverBan::built_in();
    never.protect("198.51.100.0/24".parse().unwrap(), Protection::MyNetworks, None);
    let effects = run(&mut engine(never), &failures("198.51.100.7", "alice@example.org", 5, 1));
    assert!(bans(&effects).is_empty());
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Refused(Refused::Protected(_)))));
    check(&failures("172.20.0.1", "alice@example.org", 50, 1), &[]);
}

#[test]
fn many_open_connections_are_seen_before_any_of_them_ends() {
    let open = |client: &str| -> String {
        (0..40)
            .map(|n| format!("01:00:{n:02} postfix/submission/smtpd[{}]: connect from {client}\n", 100 + n))
            .collect()
    };
    check(&open("unknown[198.51.100.7]"), &["198.51.100.7 1h open-connections"]);
    let mut polite = String::new();
    for n in 0..200 {
        polite += &format!(
            "01:{:02}:00 postfix/smtpd[7]: connect from unknown[198.51.100.7]\n\
             01:{:02}:01 postfix/smtpd[7]: disconnect from unknown[198.51.100.7] ehlo=1 quit=1 commands=2\n",
            n % 60,
            n % 60
        );
    }
    check(&polite, &[]);
}

#[test]
fn a_private_address_that_stands_for_everybody_is_told_and_not_banned() {
    let connect = "postfix/smtpd[7]: connect from unknown[172.20.0.1]";
    let mut script: String =
        (0..120).map(|n| format!("01:{:02}:{:02} {connect}\n", n / 60, n % 60)).collect();
    script += &format!("01:12:00 {connect}\n");
    let effects = run(&mut engine(NeverBan::built_in()), &script);
    let told = vec!["open-connections 172.20.0.1".into(), "clients-hidden 172.20.0.1".into()];
    assert_eq!((signals(&effects), bans(&effects)), (told, vec![]));
}

#[test]
fn forged_addresses_never_reach_a_ban() {
    let forged = "x>, method=PLAIN, rip=203.0.113.40, lip=192.0.2.10, TLS, session=<AAAA>";
    let script: String = (0..9)
        .map(|n| {
            let user = if n % 2 == 0 { forged } else { "x from unknown[203.0.113.40]: SASL LOGIN" };
            format!("01:00:0{n} {}\n", imap_failure("198.51.100.7", user, n))
        })
        .collect();
    check(&script, &["198.51.100.7 1h auth-failure-fast"]);
}

#[test]
fn whoever_is_pardoned_begins_anew() {
    for (target, expected) in [("198.51.100.7", 2), ("198.51.100.0/24", 2), ("203.0.113.0/24", 3)] {
        let mut engine = engine(NeverBan::built_in());
        run(&mut engine, &failures("198.51.100.7", "alice@example.org", 2, 1));
        engine.detector_mut().pardon_network(target.parse().unwrap());
        let line = format!("00:02:30 {}", imap_failure("198.51.100.7", "alice@example.org", 9));
        let banned = !bans(&run(&mut engine, &line)).is_empty();
        assert_eq!(banned, expected == 3, "{target}");
    }
}

#[test]
fn where_a_login_after_failures_is_not_told_its_owner_is_known_all_the_same() {
    let mut rules = Rules::default();
    rules.0.iter_mut().filter(|rule| rule.id.0 == "account-suspect").for_each(|rule| rule.enabled = false);
    let detector = Detector::new(rules, Patience::default(), Capacity::default());
    let bans = Bans::new(NeverBan::built_in(), Ladder::default(), Budget::default());
    let context = Context { reference: Timestamp::from_secs(1_800_000_000), zone: TimeZone::UTC };
    let mut engine = Engine::new(context, detector, bans);
    let effects = run(&mut engine, &format!("00:00:00 {}", imap_login("203.0.113.9", "alice@example.org")));
    let Some(Effect::Login(login)) = effects.first() else { panic!("{effects:?}") };
    let known = engine.detector().known(login.address, Some(&login.account), login.time);
    assert!(known.is_used && signals(&effects).is_empty());
}

#[test]
fn who_is_on_the_allowlist_of_postscreen_holds_one_connection_open() {
    let visits: String = (0..40)
        .map(|n| {
            format!(
                "01:{n:02}:00 postfix/postscreen[5]: CONNECT from [198.51.100.7]:40000 to [192.0.2.10]:25\n\
                 01:{n:02}:00 postfix/postscreen[5]: ALLOWLISTED [198.51.100.7]:40000\n\
                 01:{n:02}:00 postfix/smtpd[7]: connect from mx.example.net[198.51.100.7]\n\
                 01:{n:02}:01 postfix/smtpd[7]: disconnect from mx.example.net[198.51.100.7] ehlo=1 quit=1 commands=2\n"
            )
        })
        .collect();
    check(&visits, &[]);
}

#[test]
fn an_old_log_bans_anew_whoever_comes_back_after_his_ban() {
    let script = failures("198.51.100.7", "alice@example.org", 3, 1)
        + &failures("198.51.100.7", "alice@example.org", 3, 1).replace("1 00:", "1 05:");
    check(&script, &["198.51.100.7 1h auth-failure-fast", "198.51.100.7 6h auth-failure-fast"]);
}

#[test]
fn a_great_threshold_is_reached_too() {
    for (threshold, failed, banned) in [(200, 199, false), (200, 200, true), (4_096, 4_096, true)] {
        let mut rules = Rules::default();
        rules.0.iter_mut().for_each(|rule| rule.enabled = rule.id.0 == "auth-failure-week");
        rules.0.iter_mut().for_each(|rule| rule.threshold = threshold);
        let detector = Detector::new(rules, Patience::default(), Capacity::default());
        let all = Bans::new(NeverBan::built_in(), Ladder::default(), Budget::default());
        let context = Context { reference: Timestamp::from_secs(1_800_000_000), zone: TimeZone::UTC };
        let mut engine = Engine::new(context, detector, all);
        let effects = run(&mut engine, &failures("198.51.100.7", "alice@example.org", failed, 1));
        assert_eq!(!bans(&effects).is_empty(), banned, "{failed} of {threshold}");
    }
}
