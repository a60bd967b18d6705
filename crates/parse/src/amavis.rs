//! Lines of amavis.

use mailward_model::Event;

pub(crate) fn parse<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let _ = (event, message);
}
