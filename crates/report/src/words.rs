//! Numbers as people read them.

/// `1,234,567`.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 source`, `24 sources`.
pub(crate) fn counted(value: u64, noun: &str) -> String {
    let end = match noun {
        _ if value == 1 => return format!("1 {noun}"),
        _ if noun.ends_with("ss") => "es",
        _ => "s",
    };
    format!("{} {noun}{end}", number(value))
}

/// `449 kB`, `1.2 GB`.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if value < 1_000 {
        return format!("{value} B");
    }
    let mut scaled = value as f64 / 1_000.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while scaled >= 999.5 {
        let Some(next) = units.next() else { break };
        (scaled, unit) = (scaled / 1_000.0, Some(next));
    }
    let digits = usize::from(scaled < 9.95);
    format!("{scaled:.digits$} {}", unit.copied().unwrap_or_default())
}

/// `99.9 %`; never rounded to all or nothing where it is not.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0 %".into();
    }
    if part >= whole {
        return "100 %".into();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        p if p < 0.01 => "< 0.01 %".into(),
        p if p < 1.0 => format!("{p:.2} %"),
        p if p < 10.0 => format!("{p:.1} %"),
        p if p < 99.0 => format!("{p:.0} %"),
        p if p <= 99.99 => format!("{p:.2} %"),
        _ => "> 99.99 %".into(),
    }
}

/// `3d 4h`: the two largest units.
pub(crate) fn lasting(seconds: u64) -> String {
    const UNITS: [(&str, u64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (name, unit) in UNITS {
        if parts.len() == 2 || (!parts.is_empty() && rest < unit) {
            break;
        }
        if rest >= unit {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if parts.is_empty() { "0s".into() } else { parts.join(" ") }
}

/// `0.4`, `12`, `1,234`: a rate per second.
pub(crate) fn rate(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { number(value.round().max(0.0) as u64) }
}

/// `8 ms`, `1.4 s`, `3m 20s`.
pub(crate) fn lag(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{:.1} s", millis as f64 / 1_000.0),
        _ => lasting(millis / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), text);
        }
        for (value, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (448_900, "449 kB"),
            (999_600, "1.0 MB"),
            (1_240_000_000, "1.2 GB"),
        ] {
            assert_eq!(bytes(value), text);
        }
        for (part, whole, text) in [
            (0, 5, "0 %"),
            (5, 5, "100 %"),
            (1, 2_571, "0.04 %"),
            (2_570, 2_571, "99.96 %"),
            (999_999, 1_000_000, "> 99.99 %"),
            (1, 1_000_000, "< 0.01 %"),
            (0, 0, "0 %"),
        ] {
            assert_eq!(share(part, whole), text);
        }
        for (seconds, text) in [(0, "0s"), (90, "1m 30s"), (3_600, "1h"), (3_601, "1h"), (273_600, "3d 4h")] {
            assert_eq!(lasting(seconds), text);
        }
        assert_eq!(
            (counted(1, "address"), counted(2, "address")),
            ("1 address".into(), "2 addresses".into())
        );
    }
}
