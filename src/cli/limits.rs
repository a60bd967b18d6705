//! `mailward limits`: how much an account may send, and has sent.

use serde_json::Value;

use super::Outcome;
use super::remote::{Daemon, Print, report};

/// What to do about the limits of an account.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The limits of an account, and what it has used of them
    Show {
        /// The login name
        account: String,
        #[command(flatten)]
        print: Print,
    },
    /// Forget what an account has used, so that it may send again; change its password first if somebody stole it
    Reset {
        /// The login name
        account: String,
        #[command(flatten)]
        print: Print,
    },
}

/// Runs the command.
pub(crate) fn run(daemon: &Daemon, command: &Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Show { account, print } => {
            let answer: Value = daemon.get("/v1/policy/limits", &[("account", account)])?;
            report(print, &answer, &text(&answer))
        }
        Command::Reset { account, print } => {
            let answer = daemon.delete("/v1/policy/limits", &[("account", account)])?;
            report(print, &answer, &format!("{account} may send again"))
        }
    }
}

fn text(answer: &Value) -> String {
    let string =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
    let mut lines = vec![string(answer, "account")];
    if answer.get("known").and_then(Value::as_bool) != Some(true) {
        lines.push("  has sent nothing yet".into());
    }
    for row in answer.get("limits").and_then(Value::as_array).into_iter().flatten() {
        let (used, at_once) = (number(row, "used"), number(row, "at_once"));
        lines.push(format!(
            "  {:<18} {used} of {at_once} used; limit {}",
            string(row, "what"),
            string(row, "limit")
        ));
    }
    if number(answer, "usual") > 0 {
        lines.push(format!(
            "  usually sends {} messages in its busiest hour of a day",
            number(answer, "usual")
        ));
    }
    if let Some(over) = answer.get("over").and_then(Value::as_str) {
        lines.push(format!(
            "  was over a limit at {over}: is it its owner who sends? If not: mailward account disable {}",
            string(answer, "account")
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_type_is_a_command() {
        let told =
            text(&serde_json::json!({"account": "nora", "known": true, "over": "2026-11-22T00:00:00Z"}));
        assert!(told.ends_with("mailward account disable nora"), "{told}");
    }
}
