//! Counts per hour.

use mailward_model::{OffenceKind, Program, Timestamp};
use rusqlite::{Connection, params};

use crate::column::text;
use crate::{Counter, Store, StoreError, Tally};

impl Store {
    /// The counts of the hours that begin in `from..to`, by hour and counter.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn hourly(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Tally>, StoreError> {
        let first = from.secs().saturating_add(HOUR - 1).div_euclid(HOUR);
        let end = to.secs().saturating_add(HOUR - 1).div_euclid(HOUR);
        self.read("read the counts per hour", |connection, _| {
            let mut find = connection.prepare_cached(
                "SELECT hour, count, counter, name FROM hourly WHERE hour >= ?1 AND hour < ?2 ORDER BY hour, counter, name",
            )?;
            let mut rows = find.query([first, end])?;
            let mut tallies = Vec::new();
            while let Some(row) = rows.next()? {
                let Some(counter) = counter(&text(row, 2)?, &text(row, 3)?) else { continue };
                let hour = Timestamp::from_secs(row.get::<_, i64>(0)?.saturating_mul(HOUR));
                let count = row.get::<_, i64>(1)?.max(0).cast_unsigned();
                tallies.push(Tally { hour, counter, count });
            }
            Ok(tallies)
        })
    }
}

pub(crate) fn add(tx: &Connection, tallies: &[Tally]) -> rusqlite::Result<()> {
    for tally in tallies {
        let (counter, name) = names(tally.counter);
        let count = i64::try_from(tally.count).unwrap_or(i64::MAX);
        tx.prepare_cached(
            "INSERT INTO hourly (hour, counter, name, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET count = min(count, 9223372036854775807 - excluded.count) + excluded.count",
        )?
        .execute(params![hour_of(tally.hour.micros()), counter, name, count])?;
    }
    Ok(())
}

const fn names(counter: Counter) -> (&'static str, &'static str) {
    match counter {
        Counter::Offences(kind) => ("offences", kind.name()),
        Counter::Lines(program) => ("lines", program.name()),
        Counter::Unknown(program) => ("unknown", program.name()),
    }
}

/// None for what only another version counts.
fn counter(counter: &str, name: &str) -> Option<Counter> {
    match counter {
        "offences" => OffenceKind::from_name(name).map(Counter::Offences),
        "lines" => Program::from_name(name).map(Counter::Lines),
        "unknown" => Program::from_name(name).map(Counter::Unknown),
        _ => None,
    }
}

/// The hour of a time in microseconds, counted from the epoch.
pub(crate) const fn hour_of(micros: i64) -> i64 {
    micros.div_euclid(HOUR * 1_000_000)
}

/// Seconds.
const HOUR: i64 = 3600;
