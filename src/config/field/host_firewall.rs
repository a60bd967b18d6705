//! Settings of the host's packet filter: ports and interfaces.

use std::str::FromStr;

use mailward_audit::firewall::{Opening, Port, is_interface};

use super::super::mistake::Mistakes;
use super::super::settings::InterfaceName;
use super::{Field, Value, quoted, text, wrong};

fn parsed<T: Field + FromStr>(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<T> {
    let read = text(value).and_then(|text| text.parse().ok());
    if read.is_none() {
        wrong(key, &T::valid(), value, None, mistakes);
    }
    read
}

impl Field for Opening {
    fn valid() -> String {
        "a protocol and a port such as \"tcp/443\", perhaps with a network: \"tcp/9100 from 192.0.2.0/24\""
            .into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        parsed(key, value, mistakes)
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Field for Port {
    fn valid() -> String {
        "a protocol and a port such as \"tcp/443\" or \"udp/111\"".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        parsed(key, value, mistakes)
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Field for InterfaceName {
    fn valid() -> String {
        "the name of an interface such as \"wg0\" or \"wg*\"".into()
    }

    fn read(key: &str, value: &Value<'_>, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let read = text(value).filter(|name| is_interface(name)).map(|name| Self(name.to_owned()));
        if read.is_none() {
            wrong(key, &Self::valid(), value, None, mistakes);
        }
        read
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}
