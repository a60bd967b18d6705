//! What is changed to have Postfix ask a policy service.

use mailward_audit::Server;
use mailward_audit::plan::in_path::{Hindrance, policy_service};
use mailward_audit::plan::{Change, Layout, foretold};

use crate::facts;

const RULE: &str = "check_policy_service { inet:127.0.0.1:10023, timeout=3s, default_action=DUNNO }";
const MASTER_CF: &str = "\
smtp       inet  n       -       y       -       -       smtpd
submission inet  n       -       y       -       -       smtpd
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
127.0.0.1:10025 inet n - n - - smtpd -o smtpd_recipient_restrictions=permit_mynetworks,reject
";

fn check(main_cf: &str, recipient_restrictions: &str) {
    let facts = facts(main_cf, MASTER_CF);
    let address = "127.0.0.1:10023".parse().expect("an address");
    let steps = policy_service(&Server::new(&facts), false, address).expect("Postfix is known");
    let changes: Vec<_> = steps.into_iter().map(|step| step.change).collect();
    let own = format!("{RULE}, permit_sasl_authenticated, reject");
    let expected = [
        Change::parameter("smtpd_recipient_restrictions", recipient_restrictions),
        Change::overriding("submission/inet", "smtpd_recipient_restrictions", own),
        Change::parameter("smtpd_data_restrictions", RULE),
        Change::parameter("smtpd_end_of_data_restrictions", RULE),
    ];
    assert_eq!(changes, expected, "{main_cf}");
    let after = foretold(&facts, &Layout::of(&facts), &changes);
    assert_eq!(policy_service(&Server::new(&after), true, address), Ok(Vec::new()), "{main_cf}");
    assert_eq!(policy_service(&Server::new(&facts), true, address), Err(Hindrance::OtherHost));
}

#[test]
fn it_asks_before_all_others_where_relaying_is_refused_elsewhere() {
    check("myhostname = mail.example.com\n", RULE);
    check(
        "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n\
         smtpd_recipient_restrictions = permit_sasl_authenticated, reject_rbl_client bl.example\n",
        &format!("{RULE}, permit_sasl_authenticated, reject_rbl_client bl.example"),
    );
}

#[test]
fn it_asks_behind_the_rule_that_refuses_relaying() {
    check(
        "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, reject_rbl_client bl.example\n",
        &format!("permit_mynetworks, reject_unauth_destination, {RULE}, reject_rbl_client bl.example"),
    );
}

#[test]
fn a_rule_without_a_default_action_is_replaced_and_other_services_stay() {
    check(
        "smtpd_recipient_restrictions = permit_mynetworks, check_policy_service inet:127.0.0.1:10023, \
         check_policy_service { inet:127.0.0.1:100231, default_action=DUNNO }\n",
        &format!(
            "{RULE}, permit_mynetworks, check_policy_service {{ inet:127.0.0.1:100231, default_action=DUNNO }}"
        ),
    );
}
