//! Alerts as a message: a subject and a text. Whatever an attacker wrote into them cannot steer the reader's program.

use jiff::tz::TimeZone;
use mailward_report::{At, Severity, Shown};

use crate::{Alert, Dispatch, Letter};

/// What goes out on a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The same for each try to send it.
    pub id: String,
    /// The worst severity in it.
    pub severity: Severity,
    /// One line.
    pub subject: String,
    /// The text, lines of at most some hundred characters.
    pub text: String,
    /// The same as HTML, where there is one.
    pub html: Option<String>,
}

/// Characters of a subject.
const SUBJECT: usize = 120;

impl Message {
    /// The message of what goes together, from the server of this name.
    #[must_use]
    pub fn of(dispatch: &Dispatch, host: &str, zone: &TimeZone) -> Self {
        if let Some(Letter { subject, text, html }) = &dispatch.letter {
            return Self {
                id: dispatch.id.clone(),
                severity: Severity::Info,
                subject: line(subject),
                text: text.clone(),
                html: Some(html.clone()),
            };
        }
        let severity = dispatch.alerts.iter().map(|(alert, _)| alert.severity).max().unwrap_or_default();
        let mut parts: Vec<String> =
            dispatch.alerts.iter().map(|(alert, times)| paragraph(alert, *times, zone)).collect();
        if dispatch.given_up > 0 {
            let given_up = dispatch.given_up;
            parts.push(format!(
                "{given_up} more waited for too long, or among too many, and are left out. What is wrong now: mailward status"
            ));
        }
        Self {
            id: dispatch.id.clone(),
            severity,
            subject: format!("[{host}] {}", subject(&dispatch.alerts)),
            text: parts.join("\n\n") + "\n",
            html: None,
        }
    }

    /// A message that only shows that the channel works.
    #[must_use]
    pub fn test(channel: &str, host: &str, now: At) -> Self {
        Self {
            id: format!("test.{}", now.0.micros()),
            severity: Severity::Info,
            subject: format!("[{host}] Mailward: a test of the channel {channel}"),
            text: format!(
                "This is a test. Alerts of Mailward on {host} reach you here.\n\nSent by: mailward notify test {channel}\n"
            ),
            html: None,
        }
    }
}

fn subject(alerts: &[(Alert, u32)]) -> String {
    // What is over is not what makes it bad.
    let first = alerts.iter().map(|(alert, _)| alert).min_by_key(|alert| alert.resolved.is_some());
    let Some(first) = first else { return String::new() };
    let word = if first.resolved.is_some() { "Over" } else { word(first.severity) };
    let title = Shown::from(first.title.as_str()).clipped(SUBJECT);
    match alerts.len() {
        0 | 1 => format!("{word}: {title}"),
        more => format!("{word}: {title}, and {} more", more - 1),
    }
}

fn paragraph(alert: &Alert, times: u32, zone: &TimeZone) -> String {
    let word = if alert.resolved.is_some() { "OVER" } else { word(alert.severity) };
    let mut lines = vec![format!("{}: {}", word.to_uppercase(), line(&alert.title))];
    let often = if times > 1 { format!(", {times} times") } else { String::new() };
    lines.push(match alert.resolved {
        Some(end) => format!("    from {} to {}{often}", civil(alert.since, zone), civil(end, zone)),
        None => format!("    since {}{often}", civil(alert.since, zone)),
    });
    lines
        .extend(alert.text.lines().filter(|text| !text.is_empty()).map(|text| format!("    {}", line(text))));
    if !alert.next.is_empty() && alert.resolved.is_none() {
        lines.push(format!("    → {}", line(&alert.next)));
    }
    lines.join("\n")
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "Info",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

fn line(text: &str) -> String {
    Shown::from(text).to_string()
}

fn civil(at: At, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0.micros()).unwrap_or_default();
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}
