//! Short ids for the names that stand in every offence.
//!
//! The ids belong to the file and not to the program: an enumeration may grow in the middle and old rows keep their meaning.

use std::collections::HashMap;

use mailward_model::{EventKind, OffenceKind, Reason, Weight};
use rusqlite::{Connection, OptionalExtension};

/// The ids of all these enumerations in one file.
pub(crate) struct Codes {
    pub(crate) kinds: Table<OffenceKind>,
    pub(crate) events: Table<EventKind>,
    pub(crate) reasons: Table<Reason>,
    pub(crate) weights: Table<Weight>,
}

impl Codes {
    /// Reads the ids. Names that the file lacks are added first if `grow`; without it they have none.
    pub(crate) fn load(connection: &Connection, grow: bool) -> rusqlite::Result<Self> {
        Ok(Self {
            kinds: Table::load(connection, grow, OffenceKind::ALL, OffenceKind::name)?,
            events: Table::load(connection, grow, EventKind::ALL, EventKind::name)?,
            reasons: Table::load(connection, grow, Reason::ALL, Reason::name)?,
            weights: Table::load(connection, grow, Weight::ALL, Weight::name)?,
        })
    }
}

/// The ids of one enumeration.
pub(crate) struct Table<T> {
    ids: Vec<i64>,
    values: HashMap<i64, T>,
}

impl<T: Copy> Table<T> {
    fn load(
        connection: &Connection,
        grow: bool,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> rusqlite::Result<Self> {
        let mut find = connection.prepare("SELECT id FROM name WHERE name = ?1")?;
        let mut table =
            Self { ids: Vec::with_capacity(all.len()), values: HashMap::with_capacity(all.len()) };
        for value in all {
            let found = find.query_row([name(*value)], |row| row.get(0)).optional()?;
            let id = match found {
                Some(id) => id,
                None if grow => insert(connection, name(*value))?,
                None => NOT_IN_FILE,
            };
            table.ids.push(id);
            table.values.insert(id, *value);
        }
        Ok(table)
    }

    /// The id of the variant at this position of the enumeration.
    pub(crate) fn id(&self, position: usize) -> i64 {
        self.ids.get(position).copied().unwrap_or(NOT_IN_FILE)
    }

    /// The value of an id; none for a name that only another version knows.
    pub(crate) fn value(&self, id: i64) -> Option<T> {
        self.values.get(&id).copied()
    }
}

fn insert(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.execute("INSERT INTO name (name) VALUES (?1)", [name])?;
    Ok(connection.last_insert_rowid())
}

/// SQLite counts row ids from 1.
const NOT_IN_FILE: i64 = 0;
