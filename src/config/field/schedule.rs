//! When a task is due.

use super::super::mistake::Mistakes;
use super::{Field, Value, quoted, text, wrong};
use crate::tasks::Schedule;

impl Field for Schedule {
    fn valid() -> String {
        "\"never\", \"every 15m\", \"daily 06:30\", \"monday 06:30\", or \"monthly 1 06:30\"".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let read = text(value).and_then(|text| text.parse().ok());
        if read.is_none() {
            wrong(key, &Self::valid(), value, None, mistakes);
        }
        read
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}
