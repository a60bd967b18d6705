//! Commands that ask the daemon: status, bans, ban, unban, allow, explain, top.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use mailward_model::{Network, Span};
use mailward_report::bans::{BanList, BanRow};
use mailward_report::explain::Explanation;
use mailward_report::status::Status;
use mailward_report::top::Top;
use mailward_report::{Look, View};
use mailward_web::{Method, Response, call, with_query};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Format, Outcome, Usage};

/// How to print.
#[derive(Debug, clap::Args)]
pub(crate) struct Print {
    /// For people, or for programs
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Print {
    pub(super) const fn format(&self) -> Format {
        self.format
    }

    pub(super) const fn in_format(format: Format) -> Self {
        Self { format }
    }
}

/// Options of `ban`.
#[derive(Debug, clap::Args)]
pub(crate) struct BanArgs {
    /// Address or network: 192.0.2.7, 192.0.2.0/24, 2001:db8::/48
    target: String,
    /// How long, such as 1h, 7d, 4w [default: until lifted]
    #[arg(long = "for", value_name = "TIME")]
    length: Option<String>,
    /// Why, for those who read it later
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    print: Print,
}

/// Options of `unban`.
#[derive(Debug, clap::Args)]
pub(crate) struct UnbanArgs {
    /// Address or network, as `mailward bans` lists it
    target: String,
    #[command(flatten)]
    print: Print,
}

/// Options of `allow`.
#[derive(Debug, clap::Args)]
pub(crate) struct AllowArgs {
    /// Address or network that is never banned; without one the list is shown
    network: Option<String>,
    /// How long, such as 12h, 4w [default: until removed]
    #[arg(long = "for", value_name = "TIME", requires = "network")]
    length: Option<String>,
    /// Who or why
    #[arg(long, default_value = "", requires = "network")]
    comment: String,
    /// Show the list
    #[arg(long, conflicts_with = "network")]
    list: bool,
    /// Take the network off the list
    #[arg(long, requires = "network", conflicts_with_all = ["length", "comment"])]
    remove: bool,
    #[command(flatten)]
    print: Print,
}

/// Asks the daemon on its control socket.
pub(crate) struct Daemon {
    socket: PathBuf,
}

impl Daemon {
    pub(crate) const fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    pub(crate) fn status(&self, print: &Print) -> anyhow::Result<Outcome> {
        let status: Status = self.get("/v1/status", &[])?;
        show(&status, print)?;
        let bad = |finding: &mailward_report::status::HealthFinding| {
            finding.severity >= mailward_report::Severity::Medium
        };
        Ok(if status.findings.iter().any(bad) { Outcome::Findings } else { Outcome::Fine })
    }

    pub(crate) fn bans(&self, print: &Print) -> anyhow::Result<Outcome> {
        show(&self.get::<BanList>("/v1/bans", &[])?, print)
    }

    pub(crate) fn top(&self, print: &Print) -> anyhow::Result<Outcome> {
        show(&self.get::<Top>("/v1/top", &[])?, print)
    }

    pub(crate) fn explain(&self, args: &super::explain::Args) -> anyhow::Result<Outcome> {
        show(&self.get::<Explanation>("/v1/explain", &[("subject", &args.subject)])?, &args.print)
    }

    pub(crate) fn ban(&self, args: &BanArgs) -> anyhow::Result<Outcome> {
        let target = network(&args.target)?;
        let order = json!({
            "target": target.to_string(),
            "seconds": seconds(args.length.as_deref())?,
            "reason": args.reason,
            "by": operator(),
        });
        let Some(answer) = self.change(Method::Post, "/v1/bans", Some(&order))? else {
            return Ok(Outcome::Findings);
        };
        let row = BanRow::deserialize(&answer)?;
        let until = row.until.map_or_else(|| "until lifted".to_owned(), |until| format!("until {}", until.0));
        let is = if answer.get("mode").is_some_and(|mode| mode == "dry-run") {
            "is recorded as banned, and not refused (dry-run),"
        } else {
            "is banned"
        };
        report(&args.print, &answer, &format!("{} {is} {until}", row.target))
    }

    pub(crate) fn unban(&self, args: &UnbanArgs) -> anyhow::Result<Outcome> {
        let target = network(&args.target)?.to_string();
        let path = with_query("/v1/bans", &[("target", &target), ("by", &operator())]);
        match self.change(Method::Delete, &path, None)? {
            None => Ok(Outcome::Findings),
            Some(answer) => report(&args.print, &answer, &format!("{target} is not banned any more")),
        }
    }

    pub(crate) fn allow(&self, args: &AllowArgs) -> anyhow::Result<Outcome> {
        let Some(text) = &args.network else { return self.allowlist(&args.print) };
        let network = network(text)?.to_string();
        let answer = if args.remove {
            self.change(Method::Delete, &with_query("/v1/allow", &[("network", &network)]), None)?
        } else {
            let order = json!({
                "network": network,
                "seconds": seconds(args.length.as_deref())?,
                "comment": args.comment,
                "by": operator(),
            });
            self.change(Method::Post, "/v1/allow", Some(&order))?
        };
        let Some(answer) = answer else { return Ok(Outcome::Findings) };
        let lifted = answer.get("lifted").and_then(Value::as_array).map_or(0, Vec::len);
        let text = match (args.remove, lifted) {
            (true, _) => format!("{network} is not on the allowlist any more"),
            (false, 0) => format!("{network} is never banned"),
            (false, lifted) => format!("{network} is never banned; {lifted} ban(s) lifted"),
        };
        report(&args.print, &answer, &text)
    }

    fn allowlist(&self, print: &Print) -> anyhow::Result<Outcome> {
        let answer: Value = self.get("/v1/allow", &[])?;
        let mut text = String::new();
        let field = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        for entry in answer.get("allowed").and_then(Value::as_array).into_iter().flatten() {
            let until = field(entry, "until").map_or_else(String::new, |until| format!("  until {until}"));
            let comment =
                mailward_model::Text::from(&*field(entry, "comment").unwrap_or_default()).to_string();
            text += &format!("{}{until}  {comment}\n", field(entry, "network").unwrap_or_default());
        }
        if text.is_empty() {
            text += "the allowlist is empty; add to it: mailward allow 203.0.113.10 --comment home\n";
        }
        report(print, &answer, text.trim_end())
    }

    pub(super) fn get<T: for<'a> Deserialize<'a>>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<T> {
        let response = call(&self.socket, Method::Get, &with_query(path, query), None)?;
        anyhow::ensure!(response.is_success(), refusal(&response));
        Ok(T::deserialize(&response.body)?)
    }

    /// A change that is refused with an error.
    pub(super) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let response = call(&self.socket, Method::Post, path, Some(body))?;
        anyhow::ensure!(response.is_success(), refusal(&response));
        Ok(response.body)
    }

    /// The same, of something that is to go.
    pub(super) fn delete(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let response = call(&self.socket, Method::Delete, &with_query(path, query), None)?;
        anyhow::ensure!(response.is_success(), refusal(&response));
        Ok(response.body)
    }

    /// A change; none where the daemon refused it, which is said.
    fn change(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Option<Value>> {
        let response = call(&self.socket, method, path, body)?;
        match response.status {
            200..=299 => Ok(Some(response.body)),
            404 | 409 => {
                let reason = response.reason().unwrap_or("the daemon refused it").to_owned();
                super::complain(&anyhow::anyhow!(reason));
                Ok(None)
            }
            _ => Err(anyhow::anyhow!(refusal(&response))),
        }
    }
}

fn refusal(response: &Response) -> String {
    let reason = response.reason().unwrap_or("no reason given");
    format!("the daemon answered {}: {reason}", response.status)
}

/// Prints a view model.
pub(crate) fn show(view: &impl View, print: &Print) -> anyhow::Result<Outcome> {
    let format = match print.format {
        Format::Text => mailward_report::Format::Text,
        Format::Json => mailward_report::Format::Json,
    };
    let text = view.render(format, &look())?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Outcome::Fine)
}

/// How this terminal shows text.
pub(crate) fn look() -> Look {
    let out = std::io::stdout();
    let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(80);
    let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Look { zone: TimeZone::system(), width, colour }
}

pub(super) fn report(print: &Print, answer: &Value, text: &str) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    match print.format {
        Format::Text => writeln!(out, "{text}")?,
        Format::Json => writeln!(out, "{}", crate::json::to_string(answer)?)?,
    }
    Ok(Outcome::Fine)
}

fn network(text: &str) -> Result<Network, Usage> {
    text.parse().map_err(|error: mailward_model::NetworkError| Usage(error.to_string()))
}

fn seconds(length: Option<&str>) -> Result<Option<u64>, Usage> {
    let parse = |text: &str| {
        let span = Span::parse(text).filter(|span| span.secs() > 0);
        span.map(Span::secs)
            .ok_or_else(|| Usage(format!("--for {text}: write a time such as 90m, 12h, 7d or 4w")))
    };
    length.map(parse).transpose()
}

/// Who orders it, for the record.
pub(super) fn operator() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "operator".into())
}
