//! Rates against a bucket of tokens.

use proptest::prelude::*;

use super::*;

#[test]
fn quotas_read_what_they_write() {
    for (text, read) in [
        ("100/1h", Some(Quota::new(100, Span::from_hours(1)))),
        ("100/1h burst 25", Some(Quota::new(100, Span::from_hours(1)).burst(25))),
        (" 5 / 10m", Some(Quota::new(5, Span::from_mins(10)))),
        ("0/1h", None),
        ("5/0s", None),
        ("5/1h burst 0", None),
        ("5", None),
        ("-1/1h", None),
        ("5/1h burst", None),
        ("", None),
    ] {
        assert_eq!(Quota::parse(text), read, "{text}");
        if let Some(quota) = read {
            assert_eq!(Quota::parse(&quota.to_string()), Some(quota));
        }
    }
}

#[test]
fn a_clock_that_is_set_back_closes_nobody_out_for_longer_than_an_empty_bucket() {
    let quota = Quota::new(60, Span::from_hours(1)).burst(10);
    let (later, now) = (Timestamp::from_secs(1_000_000), Timestamp::from_secs(1_000));
    let mut taken = Taken::default();
    assert_eq!(taken.take(quota, 10, later), Ok(()));
    assert_eq!(taken.take(quota, 1, now), Err(Span::from_mins(1)));
    assert_eq!(taken.take(quota, 1, now.plus(Span::from_mins(1))), Ok(()));
}

#[test]
fn what_is_given_back_can_be_taken_again() {
    let quota = Quota::new(3_600, Span::from_hours(1)).burst(10);
    let now = Timestamp::from_secs(1_000);
    let mut taken = Taken::default();
    assert_eq!(taken.take(quota, 10, now), Ok(()));
    assert_eq!(taken.take(quota, 1, now), Err(Span::from_secs(1)));
    taken.give_back(quota, 4);
    assert_eq!((taken.used(quota, now), taken.take(quota, 5, now)), (6, Err(Span::from_secs(1))));
    assert_eq!(taken.take(quota, 4, now), Ok(()));
    assert_eq!(taken.take(quota, 1, now.plus(Span::from_secs(1))), Ok(()));
}

#[test]
fn a_flood_of_strangers_does_not_grow_memory() {
    let mut rates = Rates::new(1_000);
    let quota = Quota::new(10, Span::from_hours(1));
    for n in 0..100_000_u64 {
        let now = Timestamp::from_micros(i64::try_from(n).unwrap());
        let _ = rates.take(Fingerprint::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)), quota, now);
        assert!(rates.table.len() <= 1_000);
    }
}

/// The obvious way: a bucket of `burst` tokens that fills with one every interval.
struct Bucket {
    level: f64,
    at: i64,
}

proptest! {
    /// GCRA lets through exactly what a bucket of tokens does.
    #[test]
    fn it_is_a_bucket_of_tokens(
        amount in 1_u32..100, secs in 1_u64..1_000, burst in 1_u32..50,
        steps in prop::collection::vec((0_u64..20_000_000, 1_u32..5), 1..200),
    ) {
        // An interval of whole microseconds, so that the bucket does not round.
        let window = Span::from_micros(secs * 1_000_000 / u64::from(amount) * u64::from(amount));
        let quota = Quota { amount, window, burst };
        let interval = quota.interval() as f64;
        let (mut taken, mut now) = (Taken::default(), Timestamp::from_secs(1_000_000));
        let mut bucket = Bucket { level: f64::from(burst), at: now.micros() };
        for (pause, n) in steps {
            now = now.plus(Span::from_micros(pause));
            bucket.level = (bucket.level + (now.micros() - bucket.at) as f64 / interval).min(f64::from(burst));
            bucket.at = now.micros();
            let fits = bucket.level - f64::from(n);
            // On the very edge the bucket's rounding decides, and not the rule.
            if fits.abs() < 1e-6 {
                break;
            }
            if fits > 0.0 {
                bucket.level = fits;
            }
            prop_assert_eq!(taken.take(quota, n, now).is_ok(), fits > 0.0);
        }
    }
}
