//! `mailward harden in-path`: Postfix is told to ask the policy service, and Dovecot the login guard.

use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use mailward_apply::Prepared;
use mailward_audit::plan::in_path::{Hindrance, LoginGuard, login_guard, policy_service};
use mailward_audit::plan::{Layout, Plan, Step};
use mailward_audit::{Facts, Server};

use super::course::Course;
use super::plan::Made;
use super::{Ground, say, show};
use crate::cli::audit::collect;
use crate::cli::{Format, Outcome, Usage};

/// Options of `harden in-path`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scope: collect::Scope,
    #[command(flatten)]
    course: Course,
}

/// Runs the command. Status 1 says that somebody does not ask yet.
pub(super) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let ground = Ground::find(config, &args.scope)?;
    let history = ground.history()?;
    let facts = collect::collect(config, &ground.settings, &args.scope)?.0;
    let plan = plan(&ground, &facts)?;
    let prepared = ground.with_site(|site| Prepared::make(plan, &Layout::of(&facts), site))?;
    let made = Made { facts, prepared };
    if made.prepared.is_empty() {
        say(
            "the mail server asks already; nothing is to be done. What was answered: mailward policy status; mailward login status",
        );
        return Ok(Outcome::Fine);
    }
    if args.course.format == Format::Text {
        made.show(Format::Text)?;
    }
    let on = (&ground, &args.scope);
    let done = match args.course.take(
        config,
        on,
        &history,
        &made,
        "Have the mail server ask Mailward? [yes/no] ",
    )? {
        ControlFlow::Continue(done) => done,
        ControlFlow::Break(outcome) => return Ok(outcome),
    };
    show::done(&done, args.course.format)?;
    Ok(Outcome::Fine)
}

/// What is to be changed for those who are answered by the configuration.
fn plan(ground: &Ground, facts: &Facts) -> anyhow::Result<Plan> {
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
    Ok(Plan { title: "in-path".to_owned(), facts: facts.about.taken.clone(), steps, ..Plan::default() })
}

fn postfix(ground: &Ground, facts: &Facts) -> anyhow::Result<Vec<Step>> {
    let none =
        "[policy] listen is \"none\"; give it an address, or wire the unix socket by hand: docs/in-path.md";
    let address = ground.settings.policy.listen.context(none)?;
    let steps = policy_service(&Server::new(facts), is_in_container(ground), address)
        .map_err(|why| Usage(hindrance(&why, "policy")))?;
    answers(address, &steps)?;
    Ok(steps)
}

fn dovecot(ground: &Ground, facts: &Facts) -> anyhow::Result<Vec<Step>> {
    let login = &ground.settings.login;
    let address: SocketAddr =
        login.listen.context("[login] listen is \"none\", and Dovecot asks by TCP alone")?;
    let random: [u8; 16] = mailward_host::random::bytes().context("the kernel gives no random bytes")?;
    let nonce = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let guard = LoginGuard { address, key: login.key.clone(), nonce };
    Ok(login_guard(facts, is_in_container(ground), &guard).map_err(|why| Usage(hindrance(&why, "login")))?)
}

const fn is_in_container(ground: &Ground) -> bool {
    !ground.options.prefix.is_empty()
}

/// Somebody listens where Postfix would ask: whoever cannot be asked costs it a second for every recipient.
fn answers(address: SocketAddr, steps: &[Step]) -> anyhow::Result<()> {
    if !steps.is_empty() {
        TcpStream::connect_timeout(&address, Duration::from_secs(2)).with_context(|| {
            format!("nobody answers on {address}, where Postfix would ask; start the guard: systemctl restart mailward")
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
