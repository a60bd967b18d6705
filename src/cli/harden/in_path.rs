//! `mailward harden plan --only in-path`, and `apply`: Postfix is told to ask the policy service, and Dovecot the login guard.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use mailward_audit::plan::in_path::{Hindrance, LoginGuard, login_guard, policy_service};
use mailward_audit::plan::{Plan, Step};
use mailward_audit::{Facts, Server};

use super::Ground;
use crate::cli::Usage;

/// What it is called where a plan is asked for.
pub(super) const NAME: &str = "in-path";

/// Whether that is asked for. It mends no finding, so it is in a plan by itself.
pub(super) fn is_meant(only: &[String]) -> Result<bool, Usage> {
    let is_named = only.iter().any(|id| id == NAME);
    if is_named && only.len() > 1 {
        return Err(Usage("in-path is a plan of its own: --only in-path".to_owned()));
    }
    Ok(is_named)
}

/// What is to be changed for those who are answered by the configuration.
pub(super) fn plan(ground: &Ground, facts: &Facts) -> anyhow::Result<Plan> {
    let (policy, login) = (&ground.settings.policy, &ground.settings.login);
    let off = "nobody would be answered: set [policy] enabled = true for Postfix, [login] enabled = true for Dovecot, or both in mailward.toml, and systemctl restart mailward first";
    anyhow::ensure!(policy.enabled || login.enabled, Usage(off.to_owned()));
    let mut steps = Vec::new();
    if policy.enabled {
        steps.extend(postfix(ground, facts)?);
    }
    if login.enabled {
        steps.extend(dovecot(ground, facts)?);
    }
    Ok(Plan { title: NAME.to_owned(), facts: facts.about.taken.clone(), steps, ..Plan::default() })
}

fn postfix(ground: &Ground, facts: &Facts) -> anyhow::Result<Vec<Step>> {
    let none =
        "[policy] listen is \"none\"; give it an address, or wire the unix socket by hand: docs/in-path.md";
    let address = ground.settings.policy.listen.context(none)?;
    let steps = policy_service(&Server::new(facts), is_in_container(ground), address)
        .map_err(|why| Usage(hindrance(&why, "policy")))?;
    answers(address, "Postfix", &steps)?;
    Ok(steps)
}

fn dovecot(ground: &Ground, facts: &Facts) -> anyhow::Result<Vec<Step>> {
    let login = &ground.settings.login;
    let address: SocketAddr =
        login.listen.context("[login] listen is \"none\", and Dovecot asks by TCP alone")?;
    let random: [u8; 16] = mailward_host::random::bytes().context("the kernel gives no random bytes")?;
    let nonce = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let guard = LoginGuard { address, key: login.key.clone(), nonce };
    let steps =
        login_guard(facts, is_in_container(ground), &guard).map_err(|why| Usage(hindrance(&why, "login")))?;
    answers(address, "Dovecot", &steps)?;
    Ok(steps)
}

const fn is_in_container(ground: &Ground) -> bool {
    !ground.options.prefix.is_empty()
}

/// Somebody listens where they would ask: whoever cannot be asked costs Postfix a second for every recipient, and Dovecot an error for
/// every login.
fn answers(address: SocketAddr, who: &str, steps: &[Step]) -> anyhow::Result<()> {
    if !steps.is_empty() {
        TcpStream::connect_timeout(&address, Duration::from_secs(2)).with_context(|| {
            format!("nobody answers on {address}, where {who} would ask; start the guard: systemctl restart mailward")
        })?;
    }
    Ok(())
}

fn hindrance(why: &Hindrance, section: &str) -> String {
    match why {
        Hindrance::Untold(why) => why.why().to_owned(),
        Hindrance::Another(url) => format!(
            "Dovecot asks {url} already (auth_policy_server_url); take that out first, or leave it as it is"
        ),
        Hindrance::OtherHost => format!(
            "the mail server runs in a container, where 127.0.0.1 is the container itself: set [{section}] listen to this host's address on the \
             container's bridge, such as 172.17.0.1, and keep others from it; [login] needs a key, too"
        ),
    }
}
