//! `mailward harden in-path`: Dovecot is told to ask the login guard.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use mailward_apply::{Prepared, apply, tried};
use mailward_audit::plan::Layout;
use mailward_audit::plan::in_path::{Hindrance, LoginGuard, login_guard};

use super::apply::agreed;
use super::plan::Made;
use super::witness::Outside;
use super::{Ground, say, show};
use crate::cli::audit::{collect, spinner};
use crate::cli::{Format, Outcome, Usage};

/// Options of `harden in-path`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show the plan and try it on a copy; nothing is changed
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    scope: collect::Scope,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command. Status 1 says that Dovecot does not ask yet.
pub(super) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Outcome> {
    let ground = Ground::find(config, &args.scope)?;
    let history = ground.history()?;
    let guard = guard(&ground)?;
    let facts = collect::collect(config, &ground.settings, &args.scope)?.0;
    let in_container = !ground.options.prefix.is_empty();
    let plan = login_guard(&facts, in_container, &guard).map_err(|why| Usage(hindrance(&why)))?;
    let prepared = ground.with_site(|site| Prepared::make(plan, &Layout::of(&facts), site))?;
    let made = Made { facts, prepared };
    if made.prepared.is_empty() {
        say(
            "Dovecot asks the login guard already; nothing is to be done. What was answered: mailward login status",
        );
        return Ok(Outcome::Fine);
    }
    if args.format == Format::Text {
        made.show(Format::Text)?;
    }
    if args.dry_run {
        ground.with_site(|site| tried(&made.prepared, site))?;
        return show::tried(&made.prepared, args.format);
    }
    if !args.yes && !agreed("Have Dovecot ask the login guard? [yes/no] ")? {
        say("nothing was changed");
        return Ok(Outcome::Findings);
    }
    let bar = spinner();
    let witness = Outside::new(config, &ground, &args.scope, &made)?;
    let done = ground.with_site(|site| {
        apply(&history, &made.prepared, site, &witness, &|step| bar.set_message(step.to_owned()))
    });
    bar.finish_and_clear();
    let done = done?;
    ground.accept(&history, &done.id, false);
    show::done(&done, args.format)?;
    Ok(Outcome::Fine)
}

/// The login guard as the configuration has it.
fn guard(ground: &Ground) -> anyhow::Result<LoginGuard> {
    let login = &ground.settings.login;
    let off =
        "[login] enabled = true is missing in mailward.toml; set it, and systemctl restart mailward first";
    anyhow::ensure!(login.enabled, Usage(off.to_owned()));
    let address: SocketAddr =
        login.listen.context("[login] listen is \"none\", and Dovecot asks by TCP alone")?;
    let random: [u8; 16] = mailward_host::random::bytes().context("the kernel gives no random bytes")?;
    let nonce = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(LoginGuard { address, key: login.key.clone(), nonce })
}

fn hindrance(why: &Hindrance) -> String {
    match why {
        Hindrance::Untold(why) => why.why().to_owned(),
        Hindrance::Another(url) => format!(
            "Dovecot asks {url} already (auth_policy_server_url); take that out first, or leave it as it is"
        ),
        Hindrance::OtherHost => "Dovecot runs in a container, where 127.0.0.1 is the container itself: set [login] listen to this \
                                 host's address on the container's bridge, such as 172.17.0.1:4001, and a [login] key"
            .to_owned(),
    }
}
