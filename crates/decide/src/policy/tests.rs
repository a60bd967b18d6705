//! The order of the policy: who is answered what, and why.

use mailward_model::{Ban, Network, Origin as Source, Span};

use super::*;
use crate::{Budget, Ladder, NeverBan, Quota};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000_000 + secs)
}

fn policy(settings: PolicySettings) -> Policy {
    Policy::new(settings, Secret::new([7; 32]))
}

fn bans(banned: &[&str]) -> Bans {
    let mut bans = Bans::new(NeverBan::built_in(), Ladder::default(), Budget::default());
    for text in banned {
        let target: Network = text.parse().unwrap();
        let ban = Ban {
            target,
            from: at(0),
            until: None,
            origin: Source::Operator,
            by: "test".into(),
            step: 0,
            reason: "".into(),
        };
        bans.impose(ban, at(0)).unwrap();
    }
    bans
}

/// A well-run server.
const PARTNER: Question<'static> = Question {
    stage: Stage::Rcpt,
    client: IpAddr::V4(core::net::Ipv4Addr::new(198, 51, 100, 7)),
    name: "mail.partner.example",
    helo: "mail.partner.example",
    sender: "kim@partner.example",
    recipient: "alice@example.com",
    recipients: 0,
    instance: "1.2.3",
    user: "",
    service: "25",
};
const BOT: Question<'static> = Question { name: "", helo: "ylmf-pc", sender: "x@spam.example", ..PARTNER };
const ERIN: Question<'static> = Question {
    name: "",
    helo: "win-pc",
    sender: "erin@example.com",
    recipient: "x@shop.example",
    user: "erin@example.com",
    ..PARTNER
};

fn judged(
    policy: &mut Policy,
    question: &Question<'_>,
    evidence: &Evidence,
    now: i64,
) -> (Answer, Option<Family>) {
    let verdict = policy.judge(question, evidence, &bans(&[]), at(now));
    (verdict.answer, verdict.by)
}

fn by(policy: &mut Policy, question: &Question<'_>, now: i64) -> Option<Family> {
    judged(policy, question, &Evidence::default(), now).1
}

#[test]
fn a_well_run_server_is_not_delayed_and_a_bot_is() {
    let mut policy = policy(PolicySettings::default());
    assert_eq!(by(&mut policy, &PARTNER, 0), None);
    assert_eq!(by(&mut policy, &BOT, 0), Some(Family::Greylist));
    assert_eq!(by(&mut policy, &BOT, 299), Some(Family::Greylist));
    assert_eq!(by(&mut policy, &BOT, 300), None);
    let to_postmaster = Question { recipient: "Postmaster@example.com", ..BOT };
    assert_eq!(by(&mut policy, &to_postmaster, 0), None);
}

#[test]
fn in_the_mode_all_everybody_is_asked_to_come_again() {
    let mut settings = PolicySettings::default();
    settings.greylist.clients = Clients::All;
    let mut policy = policy(settings);
    assert_eq!(by(&mut policy, &PARTNER, 0), Some(Family::Greylist));
    let vouched = Evidence { listed: vec![("list.dnswl.example".into(), -1)], ..Evidence::default() };
    assert_eq!(judged(&mut policy, &PARTNER, &vouched, 0).1, None);
}

#[test]
fn a_pool_that_spf_vouches_for_is_one_sender() {
    let mut policy = policy(PolicySettings::default());
    let vouched = Evidence { spf: Spf::Pass, ..Evidence::default() };
    let elsewhere = Question { client: "203.0.113.9".parse().unwrap(), ..BOT };
    assert_eq!(judged(&mut policy, &BOT, &vouched, 0).1, Some(Family::Greylist));
    assert_eq!(judged(&mut policy, &elsewhere, &vouched, 300).1, None);
    assert_eq!(by(&mut policy, &elsewhere, 300), Some(Family::Greylist));
}

#[test]
fn lists_refuse_and_vouch_by_weight() {
    let mut policy = policy(PolicySettings::default());
    let listed = |weights: &[i32]| Evidence {
        listed: weights.iter().enumerate().map(|(n, weight)| (format!("list{n}.example"), *weight)).collect(),
        ..Evidence::default()
    };
    assert_eq!(judged(&mut policy, &PARTNER, &listed(&[4, 4]), 0).1, Some(Family::Doubts));
    assert_eq!(judged(&mut policy, &PARTNER, &listed(&[4]), 0).1, Some(Family::Greylist));
    assert_eq!(judged(&mut policy, &PARTNER, &listed(&[4, 4, -3]), 0).1, None);
    // A list that did not answer could have vouched for it.
    let unheard = |unheard| Evidence { unheard, ..listed(&[4, 4]) };
    assert!(matches!(policy.judge(&PARTNER, &unheard(-1), &bans(&[]), at(0)).answer, Answer::Later(_)));
    assert!(matches!(policy.judge(&PARTNER, &unheard(0), &bans(&[]), at(0)).answer, Answer::Refuse(_)));
    // What is known without lists never refuses.
    let evidence = Evidence { spf: Spf::Fail, ..Evidence::default() };
    assert_eq!(judged(&mut policy, &BOT, &evidence, 0).1, Some(Family::Greylist));
}

#[test]
fn a_banned_client_is_hung_up_on_at_every_stage_and_whoever_is_never_banned_is_not() {
    let mut policy = policy(PolicySettings::default());
    let bans = bans(&["198.51.100.0/24"]);
    for stage in [Stage::Connect, Stage::Helo, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::EndOfMessage] {
        let verdict = policy.judge(&Question { stage, ..PARTNER }, &Evidence::default(), &bans, at(1));
        assert!(matches!(verdict.answer, Answer::HangUp(_)), "{stage}");
    }
    let near = Question { client: "10.0.0.1".parse().unwrap(), ..BOT };
    assert_eq!(policy.judge(&near, &Evidence::default(), &bans, at(1)).answer, Answer::Pass);
}

#[test]
fn an_account_over_its_limit_is_put_off_and_told_once() {
    let mut policy = policy(PolicySettings::default());
    let mut sent = 0;
    let mut signals = Vec::new();
    for n in 0..200 {
        let instance = format!("1.{n}");
        let question = Question { instance: &instance, ..ERIN };
        let verdict = policy.judge(&question, &Evidence::default(), &bans(&[]), at(n / 20));
        sent += u32::from(verdict.answer == Answer::Pass);
        signals.extend(verdict.signal);
    }
    assert_eq!((sent, signals.len()), (25, 1));
    assert_eq!(signals.first().unwrap().subject.to_string(), "erin@example.com");
}

#[test]
fn whom_somebody_here_wrote_to_is_no_stranger() {
    let mut policy = policy(PolicySettings::default());
    assert_eq!(by(&mut policy, &ERIN, 0), None);
    let answer = Question { sender: "x@shop.example", recipient: "erin@example.com", ..BOT };
    assert_eq!(by(&mut policy, &answer, 1), None);
    assert_eq!(by(&mut policy, &BOT, 1), Some(Family::Greylist));
}

#[test]
fn clients_have_the_limits_that_are_set() {
    let settings = PolicySettings {
        clients: ClientRates { network: Some(Quota::new(2, Span::from_hours(1))), ..ClientRates::default() },
        ..PolicySettings::default()
    };
    let mut policy = policy(settings);
    let near = Question { client: "198.51.100.8".parse().unwrap(), ..PARTNER };
    let far = Question { client: "198.51.101.8".parse().unwrap(), ..PARTNER };
    let answers = [&PARTNER, &near, &PARTNER, &far].map(|question| by(&mut policy, question, 0));
    assert_eq!(answers, [None, None, Some(Family::Clients), None]);
}

#[test]
fn every_part_can_be_off_only_warn_or_have_exceptions() {
    let check = |settings: PolicySettings, expected: Option<Family>, warnings: usize| {
        let verdict = policy(settings).judge(&BOT, &Evidence::default(), &bans(&[]), at(0));
        assert_eq!((verdict.by, verdict.warnings.len()), (expected, warnings));
    };
    check(PolicySettings { greylist_mode: Mode::Off, ..PolicySettings::default() }, None, 0);
    check(PolicySettings { greylist_mode: Mode::WarnOnly, ..PolicySettings::default() }, None, 1);
    for (text, holds) in [
        ("greylist for client 198.51.100.0/24", true),
        ("all for client 198.51.100.7", true),
        ("doubts for client 198.51.100.7", false),
        ("greylist for client-name partner.example", false),
        ("greylist for sender spam.example", true),
        ("greylist for sender am.example", false),
        ("greylist for sender y@spam.example", false),
        ("greylist for recipient alice@example.com", true),
        ("greylist for recipient example.com", true),
        ("greylist for user alice", false),
        ("greylist for service 25", true),
        ("greylist for service 587", false),
    ] {
        let exception: Exception = text.parse().unwrap();
        assert_eq!(exception.to_string(), text);
        let settings = PolicySettings { exceptions: vec![exception], ..PolicySettings::default() };
        check(settings, (!holds).then_some(Family::Greylist), 0);
    }
    for bad in
        ["", "greylist", "greylist for", "grey for client 192.0.2.1", "all for moon x", "all for client x"]
    {
        assert!(bad.parse::<Exception>().is_err(), "{bad}");
    }
}

#[test]
fn an_explanation_changes_nothing_and_says_what_the_answer_is() {
    let mut policy = policy(PolicySettings::default());
    for _ in 0..2 {
        let (verdict, steps) = policy.explain(&BOT, &Evidence::default(), &bans(&[]), at(0));
        assert_eq!(verdict.by, Some(Family::Greylist));
        let text: Vec<_> = steps.iter().map(|step| format!("{}: {}", step.what, step.found)).collect();
        assert!(text.iter().any(|line| line.contains("+1 its address has no confirmed name")), "{text:?}");
        assert!(text.last().unwrap().contains("never seen from 198.51.100.0/24"), "{text:?}");
    }
    assert!(policy.greylist_mut().take_changes().is_empty());
    assert!(
        policy.wants_evidence(&BOT, &bans(&[]), at(0)) && !policy.wants_evidence(&ERIN, &bans(&[]), at(0))
    );
}

#[test]
fn an_account_sends_from_where_it_may() {
    let limits = ["erin@example.com from DE,192.0.2.0/24".parse().unwrap()].into_iter().collect();
    let mut policy = policy(PolicySettings { limits, ..PolicySettings::default() });
    let within = |country: &str| Evidence { country: country.parse().ok(), ..Evidence::default() };
    for (country, by) in [("DE", None), ("FR", Some(Family::Places)), ("", None)] {
        assert_eq!(judged(&mut policy, &ERIN, &within(country), 0).1, by, "{country}");
    }
    let at_home = Question { client: "192.0.2.7".parse().unwrap(), ..ERIN };
    assert_eq!(judged(&mut policy, &at_home, &within("FR"), 0).1, None);
    let webmail = Question { client: "127.0.0.1".parse().unwrap(), ..ERIN };
    assert_eq!(judged(&mut policy, &webmail, &within("FR"), 0).1, None);
}

#[test]
fn an_account_sends_as_whom_it_owns() {
    let mut policy = policy(PolicySettings::default());
    let as_boss = Question { sender: "boss@example.com", ..ERIN };
    let warned = |policy: &mut Policy, question: &Question<'_>| {
        let verdict = policy.judge(question, &Evidence::default(), &bans(&[]), at(0));
        (verdict.by, verdict.warnings.first().map(|(family, _)| *family))
    };
    assert_eq!(warned(&mut policy, &as_boss), (None, None), "nobody knows who owns what");
    let mut owners = Owners::default();
    owners.add("boss@example.com alice@example.com\nsales@example.com erin@example.com\n");
    policy.set_owners(owners);
    assert_eq!(warned(&mut policy, &as_boss), (None, Some(Family::Senders)), "it only warns");
    policy.set(PolicySettings { senders: Mode::On, ..PolicySettings::default() });
    assert_eq!(warned(&mut policy, &as_boss), (Some(Family::Senders), None));
    for sender in ["", "erin@example.com", "sales@example.com"] {
        assert_eq!(warned(&mut policy, &Question { sender, ..ERIN }), (None, None), "{sender}");
    }
}

#[test]
fn postmaster_and_abuse_get_their_mail_whatever_the_doubts() {
    let mut policy = policy(PolicySettings::default());
    let listed = Evidence { listed: vec![("bl.example".into(), 100)], ..Evidence::default() };
    assert_eq!(judged(&mut policy, &BOT, &listed, 0).1, Some(Family::Doubts));
    for recipient in ["Postmaster@example.com", "abuse@example.com", "postmaster"] {
        let complaint = Question { recipient, ..BOT };
        assert_eq!(judged(&mut policy, &complaint, &listed, 0).1, None, "{recipient}");
        assert!(!policy.wants_evidence(&complaint, &bans(&[]), at(0)));
    }
}

#[test]
fn whoever_somebody_here_wrote_to_is_known_without_limits_too_but_not_in_his_name() {
    let settings = PolicySettings { accounts_mode: Mode::Off, ..PolicySettings::default() };
    let mut policy = policy(settings);
    let answer = Question { sender: "x@shop.example", ..BOT };
    assert_eq!(by(&mut policy, &answer, 0), Some(Family::Greylist));
    assert_eq!(by(&mut policy, &ERIN, 1), None);
    for spf in [Spf::Fail, Spf::SoftFail] {
        let forged = Evidence { spf, ..Evidence::default() };
        assert_eq!(judged(&mut policy, &answer, &forged, 2).1, Some(Family::Greylist), "{spf:?}");
    }
    assert_eq!(by(&mut policy, &answer, 2), None);
}

#[test]
fn whoever_is_only_allowed_makes_nobody_known() {
    let mut policy = policy(PolicySettings::default());
    let mut never_ban = NeverBan::built_in();
    never_ban.protect(
        "198.51.100.7".parse().unwrap(),
        Protection::Allowed { comment: "a partner".into() },
        None,
    );
    let bans = Bans::new(never_ban, Ladder::default(), Budget::default());
    assert_eq!(policy.judge(&PARTNER, &Evidence::default(), &bans, at(0)).by, None);
    let forged = Question { sender: PARTNER.recipient, client: "203.0.113.9".parse().unwrap(), ..BOT };
    assert_eq!(policy.judge(&forged, &Evidence::default(), &bans, at(1)).by, Some(Family::Greylist));
}
