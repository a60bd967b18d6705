//! Clients that talk SMTP as agreed, with bad intentions.

use super::run::Try;
use super::{Attack, Sources, attack};
use crate::client::Trouble;
use crate::topology::{DOMAINS, NORA};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        sources: Sources::Listed,
        count: 28,
        rate: 2.0,
        parallel: 6,
        ..attack(
            "rbl",
            "Delivers from four addresses on DNS blocklists; two of them only smtpd's.",
            25,
            listed,
        )
    },
    Attack {
        count: 12,
        rate: 2.0,
        parallel: 4,
        ..attack("relay-probe", "Tries to relay to foreign domains with assorted address tricks.", 25, relay)
    },
    Attack {
        count: 10,
        rate: 1.0,
        parallel: 4,
        ..attack("user-harvest", "Asks with RCPT and VRFY which of many names exist.", 25, harvest)
    },
];

fn listed(attempt: &Try<'_>) -> Result<(), Trouble> {
    let mut smtp = attempt.smtp(25)?;
    let mut reply = smtp.reply()?;
    if reply.good() {
        smtp.command(&format!("EHLO out{}.spam.example", attempt.n))?;
        smtp.command(&format!("MAIL FROM:<a{}@spam.example>", attempt.n))?;
        reply = smtp.command(&format!("RCPT TO:<{}>", NORA.name))?;
    }
    attempt.reply(&reply);
    smtp.quit();
    Ok(())
}

fn relay(attempt: &Try<'_>) -> Result<(), Trouble> {
    const RECIPIENTS: [&str; 8] = [
        "target@elsewhere.example",
        "target%elsewhere.example@example.org",
        "target@elsewhere.example@example.org",
        "@example.org:target@elsewhere.example",
        "elsewhere.example!target",
        "\"target@elsewhere.example\"",
        "target@[192.0.2.99]",
        "target%elsewhere.example@[198.51.100.25]",
    ];
    const SENDERS: [&str; 4] = ["a@spam.example", "", "postmaster@example.org", NORA.name];
    let recipient = RECIPIENTS.get(attempt.n % RECIPIENTS.len()).copied().unwrap_or_default();
    let sender = SENDERS.get(attempt.n % SENDERS.len()).copied().unwrap_or_default();
    let mut smtp = attempt.smtp(25)?;
    smtp.reply()?;
    smtp.command(&format!("EHLO relay{}.spam.example", attempt.n))?;
    smtp.command(&format!("MAIL FROM:<{sender}>"))?;
    let reply = smtp.command(&format!("RCPT TO:<{recipient}>"))?;
    if reply.good() {
        attempt.note("relayed");
    }
    attempt.reply(&reply);
    smtp.quit();
    Ok(())
}

fn harvest(attempt: &Try<'_>) -> Result<(), Trouble> {
    const NAMES: [&str; 12] =
        ["admin", "info", "sales", "test", "office", "backup", "scan", "billing", "hr", "it", "ceo", "jobs"];
    let mut smtp = attempt.smtp(25)?;
    smtp.reply()?;
    smtp.command("EHLO harvest.spam.example")?;
    let verify = attempt.n % 3 == 2;
    if !verify {
        smtp.command("MAIL FROM:<a@spam.example>")?;
    }
    for k in 0..8 {
        let name = NAMES.get((attempt.n * 8 + k) % NAMES.len()).copied().unwrap_or("root");
        let address = format!("{name}{}@{}", attempt.n, DOMAINS[0]);
        let command = if verify { format!("VRFY {address}") } else { format!("RCPT TO:<{address}>") };
        let reply = smtp.command(&command)?;
        attempt.reply(&reply);
        if reply.code == 421 {
            return Ok(());
        }
    }
    smtp.quit();
    Ok(())
}
