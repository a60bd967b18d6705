//! The wall clock, for those who hand time on as a parameter.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01T00:00:00Z; negative before.
#[must_use]
pub fn now() -> i64 {
    micros(SystemTime::now())
}

/// The same for any system time, such as that of a file.
#[must_use]
pub fn micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn counts_both_ways_from_the_epoch() {
        assert_eq!(micros(UNIX_EPOCH + Duration::from_millis(1_500)), 1_500_000);
        assert_eq!(micros(UNIX_EPOCH - Duration::from_millis(1_500)), -1_500_000);
        assert!(now() > 1_700_000_000_000_000);
    }
}
