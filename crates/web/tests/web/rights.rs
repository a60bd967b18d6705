//! Who may ask and who may change, as real users.

use std::sync::Arc;

use mailward_web::{Limits, serve};

use crate::place::{Place, curl, echo, is_root};

/// A group that nobody is in.
const GROUP: &str = "61234";

const GET: &[&str] = &["http://mailward/"];
const POST: &[&str] = &["-d", "1", "http://mailward/"];

/// The status of each; 0 for no connection.
fn check(mode: u32, who: &[&str], get: u16, post: u16) {
    let place = Place::new();
    let group = Some(GROUP.parse().unwrap());
    let _server = serve(&place.socket(), mode, group, Limits::default(), Arc::new(echo)).unwrap();
    for (arguments, expected) in [(GET, get), (POST, post)] {
        let before: Vec<_> = [&["/usr/bin/setpriv"], who].concat();
        let Some((status, document)) = curl(&place.socket(), &before, arguments) else { return };
        assert_eq!(status, expected, "{mode:o} {who:?} {arguments:?}: {document}");
    }
}

#[test]
fn the_kernel_keeps_others_out() {
    if is_root("the_kernel_keeps_others_out") {
        check(0o660, &["--reuid=65534", "--regid=65534", "--clear-groups"], 0, 0);
        check(0o660, &["--reuid=65534", "--regid=65534", "--groups", GROUP], 200, 200);
        check(0o660, &["--reuid=65534", "--regid", GROUP, "--clear-groups"], 200, 200);
        check(0o660, &["--reuid=0", "--clear-groups"], 200, 200);
    }
}

#[test]
fn others_may_ask_where_the_mode_lets_them_in_and_change_nothing() {
    if is_root("others_may_ask_where_the_mode_lets_them_in_and_change_nothing") {
        check(0o666, &["--reuid=65534", "--regid=65534", "--clear-groups"], 200, 403);
        check(0o666, &["--reuid=65534", "--regid", GROUP, "--clear-groups"], 200, 200);
        check(0o666, &["--reuid=0", "--clear-groups"], 200, 200);
    }
}
