//! What a check asks for mends what it found: a plan made of the facts that have the weakness makes it pass, as far as files and
//! settings tell.

use std::collections::BTreeSet;

use mailward_audit::facts::LoggedHabit;
use mailward_audit::plan::{Change, Layout, Plan, Program, Scale, Tls, Wishes, foretold, harden};
use mailward_audit::{Facts, Outcome, Server, find, judge};

use crate::build::{file, nothing, postfix, said};
use crate::{cases, judged};

fn plan(id: &str, facts: &Facts) -> Plan {
    let server = Server::new(facts);
    let audit = judge(facts, |check| check.id == id);
    harden(&server, &audit, &Wishes::default())
}

/// The checks whose changes, as far as they are any, would not have been enough.
#[test]
fn changes_are_enough() {
    let mut short = Vec::new();
    for case in cases::all() {
        let plan = plan(case.id, &(case.fails)());
        let left = plan.by_hand.iter().filter(|left| left.advice.contains("would not be enough"));
        short.extend(left.map(|left| format!("{}: {}", left.reason.check, left.reason.summary)));
    }
    assert!(short.is_empty(), "{short:#?}");
}

#[test]
fn afterwards_nothing_is_left_to_plan() {
    let mut mended = BTreeSet::new();
    for case in cases::all() {
        let facts = (case.fails)();
        let plan = plan(case.id, &facts);
        if plan.steps.is_empty() {
            continue;
        }
        let changes: Vec<_> = plan.steps.iter().map(|step| step.change.clone()).collect();
        let after = foretold(&facts, &Layout::of(&facts), &changes);
        match judged(case.id, &after) {
            Ok(Outcome::Fail(findings)) => {
                let asked: BTreeSet<_> =
                    plan.steps.iter().flat_map(|step| &step.reasons).map(|reason| &reason.subject).collect();
                let same = findings.iter().find(|finding| asked.contains(&finding.subject));
                let foreseen = !changes.iter().any(|change| is_asked(&Layout::of(&facts), change));
                assert!(same.is_none() || !foreseen, "{} is still there: {same:#?}\n{changes:#?}", case.id);
            }
            _ => drop(mended.insert(case.id)),
        }
    }
    eprintln!("{} checks are mended by their changes: {mended:?}", mended.len());
    assert!(mended.len() >= 90, "{}", mended.len());
}

/// Whether only the program itself tells what it makes of a change.
fn is_asked(layout: &Layout, change: &Change) -> bool {
    let asked = [Program::Fail2ban, Program::Rspamd, Program::Clamav, Program::Container];
    asked.contains(&layout.program(change))
}

/// A plan does not leave to the reader what a value is.
#[test]
fn values_are_whole() {
    for case in cases::all() {
        for step in plan(case.id, &(case.fails)()).steps {
            let text = format!("{:?}", step.change);
            assert!(
                !text.contains("...") && !text.contains('…') && !text.contains("<your"),
                "{}: {text}",
                case.id
            );
        }
    }
}

#[test]
fn what_is_accepted_or_not_named_is_left_out() {
    let facts = cases::all().find(|case| case.id == "SMT-007").map(|case| (case.fails)()).unwrap_or_default();
    let audit = judge(&facts, |_| true);
    let server = Server::new(&facts);
    let asks = |wishes: &Wishes| {
        let plan = harden(&server, &audit, wishes);
        plan.steps.iter().flat_map(|step| &step.reasons).any(|reason| reason.check == "SMT-007")
    };
    assert!(find("SMT-007").is_some() && asks(&Wishes::default()));
    assert!(asks(&Wishes { only: vec!["smt-007".to_owned()], ..Wishes::default() }));
    assert!(asks(&Wishes { only: vec!["SMT".to_owned()], ..Wishes::default() }));
    assert!(!asks(&Wishes { only: vec!["DOV".to_owned()], ..Wishes::default() }));
    let accepted = vec![("SMT-007".to_owned(), String::new())];
    assert!(!asks(&Wishes { accepted, ..Wishes::default() }));
}

/// All weaknesses of a host in one plan: each thing is changed once.
#[test]
fn each_thing_is_changed_once() {
    // Every tenth: all checks are asked of each.
    for case in cases::all().step_by(10) {
        let facts = (case.fails)();
        let audit = judge(&facts, |_| true);
        let plan = harden(&Server::new(&facts), &audit, &Wishes::default());
        let targets: Vec<_> = plan.steps.iter().map(|step| step.change.target()).collect();
        let different: BTreeSet<_> = targets.iter().collect();
        assert_eq!(different.len(), targets.len(), "{}: {targets:#?}", case.id);
    }
}

#[test]
fn who_is_cut_off_is_told_first() {
    let mut facts = postfix("smtpd_sasl_auth_enable = yes\n");
    facts.log.habits = vec![LoggedHabit {
        kind: "login-on-25".to_owned(),
        service: "smtp".to_owned(),
        count: 12,
        distinct: 2,
        examples: vec!["nora@example.org".to_owned()],
    }];
    let audit = judge(&facts, |check| check.id == "SMT-005");
    let plan = harden(&Server::new(&facts), &audit, &Wishes::default());
    let [warning] = plan.warnings.as_slice() else { panic!("{plan:#?}") };
    assert_eq!((warning.count, warning.checks.as_slice()), (12, ["SMT-005".to_owned()].as_slice()));
    assert!(warning.text.starts_with("2 users send over port 25"), "{}", warning.text);

    // Nothing that they do is ended.
    let audit = judge(&facts, |check| check.id == "SMT-007");
    assert!(harden(&Server::new(&facts), &audit, &Wishes::default()).warnings.is_empty());
}

#[test]
fn customers_are_many_behind_an_address() {
    let facts = postfix("");
    let audit = judge(&facts, |check| check.id == "SMT-025");
    let limit = |scale| {
        let plan = harden(&Server::new(&facts), &audit, &Wishes { scale, ..Wishes::default() });
        let values = plan.steps.into_iter().filter_map(|step| match step.change {
            Change::Override { name, value, .. } if name == "smtpd_client_message_rate_limit" => value,
            _ => None,
        });
        values.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(limit(Scale::SingleDomain), ["100"]);
    assert_eq!(limit(Scale::Hoster), ["500"]);
}

/// TLS 1.3 alone locks nobody out that the log knows.
#[test]
fn modern_waits_for_the_last_one_with_less() {
    let mut facts = postfix("");
    let plan = |facts: &Facts| {
        let audit = judge(facts, |check| check.id == "QUE-001");
        harden(&Server::new(facts), &audit, &Wishes { tls: Tls::Modern, ..Wishes::default() })
    };
    assert!(plan(&facts).by_hand.iter().any(|hand| hand.advice.contains("No log was read")));
    facts.log.lines = 1000;
    // What is not logged is not known.
    let silent = |plan: Plan| plan.by_hand.iter().any(|hand| hand.advice.contains("smtpd_tls_loglevel = 1"));
    assert!(silent(plan(&facts)) && plan(&facts).steps.is_empty());
    let mut facts = postfix("smtpd_tls_loglevel = 1\n");
    facts.log.lines = 1000;
    assert!(!silent(plan(&facts)));
    let least: BTreeSet<String> =
        plan(&facts).steps.iter().map(|step| format!("{:?}", step.change)).collect();
    let least: Vec<_> =
        least.iter().filter(|change| change.contains("smtpd_tls_mandatory_protocols")).collect();
    assert!(!least.is_empty() && least.iter().all(|change| change.contains("sub")), "{least:?}");
    for (kind, service, ends) in [
        ("tls-1.2", "imap", false),
        ("tls-1.2", "smtp", true),
        ("old-tls", "submission", false),
        ("tls-unknown", "imap", false),
    ] {
        let (kind, service) = (kind.to_owned(), service.to_owned());
        facts.log.habits = vec![LoggedHabit { kind, service, distinct: 2, ..LoggedHabit::default() }];
        assert_eq!(!plan(&facts).steps.is_empty(), ends, "{:?}", facts.log.habits);
    }
}

/// The operator's own list of what is banned stays, and is added to.
#[test]
fn types_are_banned_besides_those_that_are() {
    let user = "/etc/amavis/conf.d/50-user";
    let own = "use strict;\n$banned_filename_re = new_RE(\n  qr'^secret\\.txt$',\n);\n1;\n";
    let facts = file(file(nothing(), "/etc/amavis/conf.d/05-node_id", "1;\n"), user, own);
    let plan = plan("AVS-005", &facts);
    let after = foretold(&facts, &Layout::of(&facts), plan.steps.iter().map(|step| &step.change));
    let text = after.text(user).unwrap().unwrap();
    assert!(text.starts_with(own.trim_end_matches("1;\n")) && text.ends_with("\n1;\n"), "{text}");
    assert!(text.contains("push(@$banned_filename_re, qr'.\\.(exe|js|"), "{text}");
    let (_, check) = find("AVS-005").unwrap();
    let again = judge(&after, |one| one.id == check.id);
    assert!(again.findings().is_empty(), "{:?}", again.findings().len());
}

/// A rule that the operator put in stays in, where he put it.
#[test]
fn lists_keep_what_they_hold() {
    let facts = postfix(
        "smtpd_helo_required = yes\nsmtpd_helo_restrictions = check_helo_access hash:/etc/postfix/friends, permit\n",
    );
    let audit = judge(&facts, |check| check.id == "SMT-013");
    let plan = harden(&Server::new(&facts), &audit, &Wishes::default());
    let lists: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.change {
            Change::Override { name, value, .. } if name == "smtpd_helo_restrictions" => value.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(
        lists,
        [
            "permit_mynetworks, check_helo_access hash:/etc/postfix/friends, reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname, permit"
        ]
    );
}

/// Jails that are turned on later take what the default leaves out.
#[test]
fn jails_of_tomorrow_ban_everybody_too() {
    let running = "['add', 'sshd', 'polling']\n['set', 'sshd', 'addignoreip', '127.0.0.1/8', '0.0.0.0/0']\n";
    let facts = said(nothing(), "fail2ban-client -d", running);
    let facts = file(facts, "/etc/fail2ban/jail.local", "[DEFAULT]\nignoreip = 127.0.0.1/8, 0.0.0.0/0\n");
    let changes = plan("BAN-007", &facts).steps.into_iter().map(|step| step.change);
    let ignored: BTreeSet<_> = changes
        .filter_map(|change| match change {
            Change::Setting { section, value, .. } => Some((section, value.unwrap_or_default())),
            _ => None,
        })
        .collect();
    let narrow = |section: &str| (section.to_owned(), "127.0.0.1/8".to_owned());
    assert_eq!(ignored, BTreeSet::from([narrow("DEFAULT"), narrow("sshd")]));
}
