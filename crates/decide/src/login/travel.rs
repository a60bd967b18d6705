//! Who logs in here and shortly after far away: faster than anybody travels. That is told and never refused, because a VPN, a phone
//! network and a wrong database look the same.

use std::collections::HashMap;

use foldhash::quality::RandomState;
use mailward_model::{Account, Span, Timestamp};

use crate::Whereabouts;

/// What is too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Kilometres in an hour that nobody makes. Airliners make 900.
    pub speed: u32,
    /// Where no positions are known: another country within that time.
    pub country: Span,
}

/// Where an account logged in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stay {
    /// When last.
    pub time: Timestamp,
    /// Where.
    pub at: Whereabouts,
    /// Since when somebody knows that it travels too fast; once a day is enough.
    told: Option<Timestamp>,
}

/// The last login of each account, in two generations, of which the older one is forgotten.
#[derive(Debug, Default)]
pub struct Travels {
    young: HashMap<Account, Stay, RandomState>,
    old: HashMap<Account, Stay, RandomState>,
    turned: Timestamp,
}

impl Travels {
    /// How long a login is remembered, at the least, unless a flood of others follows.
    const MEMORY: Span = Span::from_hours(24);
    /// The most that are remembered in each generation.
    const MOST: usize = 65_536;
    /// Databases are wrong by as much, and neighbouring exits of one provider are as far apart.
    const NEAR: f64 = 500.0;

    /// Somebody logged in; gives the kilometres in an hour, or 0 where only the countries differ, where nobody is that fast.
    /// At a place of his own nobody is told, such as with a phone at home.
    pub fn arrived(
        &mut self,
        account: &Account,
        at: Whereabouts,
        is_own: bool,
        time: Timestamp,
        pace: Pace,
    ) -> Option<u32> {
        // Who cannot be placed went nowhere.
        at.country?;
        self.turn(time);
        let last = self.last(account);
        let told = last.and_then(|last| last.told).filter(|told| time.since(*told) < Self::MEMORY);
        let is_news = !is_own && told.is_none();
        let speed = last.filter(|_| is_news).and_then(|last| too_fast(last, at, time, pace));
        let stay = Stay { time, at, told: told.or_else(|| speed.map(|_| time)) };
        self.young.insert(account.clone(), stay);
        speed
    }

    /// Where an account logged in last.
    #[must_use]
    pub fn last(&self, account: &Account) -> Option<&Stay> {
        self.young.get(account).or_else(|| self.old.get(account))
    }

    fn turn(&mut self, now: Timestamp) {
        if now.since(self.turned) >= Self::MEMORY || self.young.len() >= Self::MOST {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
    }
}

fn too_fast(last: &Stay, at: Whereabouts, time: Timestamp, pace: Pace) -> Option<u32> {
    let past = time.since(last.time);
    let Some(distance) = last.at.distance(&at) else {
        return (last.at.country != at.country && past < pace.country).then_some(0);
    };
    let speed = distance / (past.micros().max(1) as f64 / 3.6e9);
    (distance >= Travels::NEAR && speed > f64::from(pace.speed)).then_some(speed.min(1e6) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The minute, the country, the position.
    type Arrival = (i64, &'static str, Option<(f64, f64)>);

    fn check(logins: &[Arrival], told: &[bool]) {
        let (mut travels, bob) = (Travels::default(), Account::of("bob@example.org".into()).unwrap());
        let pace = Pace { speed: 1_000, country: Span::from_hours(4) };
        let seen: Vec<bool> = logins
            .iter()
            .map(|(minute, country, position)| {
                let at = Whereabouts { country: country.parse().ok(), position: *position };
                travels.arrived(&bob, at, false, Timestamp::from_secs(minute * 60), pace).is_some()
            })
            .collect();
        assert_eq!(seen, told, "{logins:?}");
    }

    const BERLIN: Option<(f64, f64)> = Some((52.52, 13.40));
    const PARIS: Option<(f64, f64)> = Some((48.86, 2.35));
    const SYDNEY: Option<(f64, f64)> = Some((-33.87, 151.21));

    #[test]
    fn nobody_is_in_sydney_an_hour_after_berlin() {
        check(&[(0, "DE", BERLIN), (60, "AU", SYDNEY)], &[false, true]);
        check(&[(0, "DE", BERLIN), (20 * 60, "AU", SYDNEY)], &[false, false]);
        // 880 km in an hour.
        check(&[(0, "DE", BERLIN), (60, "FR", PARIS)], &[false, false]);
        check(&[(0, "DE", BERLIN), (30, "FR", PARIS)], &[false, true]);
        check(&[(0, "DE", BERLIN), (0, "DE", Some((51.34, 12.37)))], &[false, false]);
    }

    #[test]
    fn countries_alone_are_compared_for_some_hours() {
        check(&[(0, "DE", None), (60, "AU", None)], &[false, true]);
        check(&[(0, "DE", None), (5 * 60, "AU", None)], &[false, false]);
        check(&[(0, "DE", None), (60, "DE", None)], &[false, false]);
        check(&[(0, "DE", BERLIN), (60, "AU", None)], &[false, true]);
    }

    #[test]
    fn a_phone_at_home_does_not_hide_whoever_is_far_away() {
        let (mut travels, bob) = (Travels::default(), Account::of("bob@example.org".into()).unwrap());
        let pace = Pace { speed: 1_000, country: Span::from_hours(4) };
        let mut arrives = |minute: i64, country: &str, is_own| {
            let at = Whereabouts { country: country.parse().ok(), position: None };
            travels.arrived(&bob, at, is_own, Timestamp::from_secs(minute * 60), pace)
        };
        assert_eq!(arrives(0, "DE", true), None);
        assert_eq!(arrives(10, "AT", true), None);
        assert_eq!(arrives(20, "AU", false), Some(0));
        assert_eq!(arrives(30, "DE", true), None);
        assert_eq!(arrives(40, "AU", false), None);
    }

    #[test]
    fn it_is_told_once_a_day_and_never_of_places_that_nobody_knows() {
        let there_and_back = [(0, "DE", None), (60, "AU", None), (120, "DE", None), (1_560, "AU", None)];
        check(&there_and_back, &[false, true, false, false]);
        check(
            &[(0, "DE", None), (60, "AU", None), (1_600, "DE", None), (1_601, "AU", None)],
            &[false, true, false, true],
        );
        check(&[(0, "DE", None), (60, "", None), (120, "DE", None)], &[false, false, false]);
    }
}
