//! Settings that a text stands for, mostly those of the answers to Postfix and Dovecot.

use std::net::SocketAddr;

use mailward_decide::Quota;
use mailward_decide::lists::DnsList;
use mailward_decide::login::Limit;
use mailward_decide::policy::Exception;

use super::super::mistake::Mistakes;
use super::{Field, Value, quoted, text, wrong};

/// Settings that a text stands for, or `"none"`.
macro_rules! or_none {
    ($($type:ty = $valid:literal, $parse:expr);+) => {$(
        impl Field for Option<$type> {
            fn valid() -> String {
                concat!($valid, ", or \"none\"").into()
            }

            fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
                let given = text(value);
                let read = if given == Some("none") { Some(None) } else { given.and_then($parse).map(Some) };
                if read.is_none() {
                    wrong(key, &Self::valid(), value, None, mistakes);
                }
                read
            }

            fn show(&self) -> String {
                self.as_ref().map_or_else(|| quoted("none"), |shown| quoted(&shown.to_string()))
            }
        }
    )+};
}

or_none!(
    String = "a text", |text: &str| Some(text.to_owned());
    Quota = "a limit such as \"100/1h\" or \"60/1h burst 25\"", Quota::parse;
    SocketAddr = "an address and port such as \"127.0.0.1:10023\"", |text: &str| text.parse().ok()
);

/// Settings whose text tells its own mistakes.
macro_rules! told {
    ($($type:ty = $valid:literal),+) => {$(
        impl Field for $type {
            fn valid() -> String {
                $valid.into()
            }

            fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
                let Some(text) = text(value) else {
                    wrong(key, &Self::valid(), value, None, mistakes);
                    return None;
                };
                text.parse::<Self>().map_err(|why| mistakes.add(value.span(), why.to_string(), "")).ok()
            }

            fn show(&self) -> String {
                quoted(&self.to_string())
            }
        }
    )+};
}

told!(
    Exception = "an exception such as \"greylist for client 192.0.2.0/24\"",
    Limit = "a limit such as \"scanner@example.org only smtp\"",
    DnsList = "a list such as \"zen.spamhaus.org=127.0.0.[2..11]*8\""
);
