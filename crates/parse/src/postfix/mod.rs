//! Lines of Postfix, a module per group of daemons.

use mailward_model::Event;

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let _ = (event, message);
}

/// Whether the tag's last part is the name of a Postfix daemon.
pub(crate) fn is_daemon(tag: &[u8]) -> bool {
    let _ = tag;
    false
}
