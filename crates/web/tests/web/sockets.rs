//! The file: left behind, in use, or not ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use mailward_web::{Limits, Method, WebError, call, serve};

use crate::place::{Place, echo};

fn again(place: &Place) -> Result<mailward_web::Server, WebError> {
    serve(&place.socket(), 0o660, None, Limits::default(), Arc::new(echo))
}

#[test]
fn a_dead_daemons_socket_is_replaced_and_a_living_ones_is_not() {
    let place = Place::new();
    fs::create_dir_all(place.socket().parent().unwrap()).unwrap();
    drop(UnixListener::bind(place.socket()).unwrap());
    assert!(matches!(call(&place.socket(), Method::Get, "/", None), Err(WebError::NotRunning { .. })));
    let server = again(&place).unwrap();
    let refused = again(&place).unwrap_err();
    assert!(matches!(refused, WebError::InUse { .. }), "{refused}");
    assert_eq!(call(&place.socket(), Method::Get, "/", None).unwrap().status, 200);
    server.stop();
    assert_eq!(again(&place).map(drop).map_err(|e| e.to_string()), Ok(()));
}

#[test]
fn what_is_not_ours_stays() {
    let place = Place::new();
    fs::create_dir_all(place.socket().parent().unwrap()).unwrap();
    fs::write(place.socket(), "precious").unwrap();
    assert!(matches!(again(&place), Err(WebError::NotASocket { .. })));
    assert_eq!(fs::read(place.socket()).unwrap(), b"precious");
    fs::remove_file(place.socket()).unwrap();
    let _other = UnixListener::bind(place.socket()).unwrap();
    assert!(matches!(again(&place), Err(WebError::InUse { .. })));
}

#[test]
fn the_mode_is_what_was_asked_for() {
    for mode in [0o600, 0o660, 0o666] {
        let place = Place::new();
        let _server = serve(&place.socket(), mode, None, Limits::default(), Arc::new(echo)).unwrap();
        assert_eq!(fs::metadata(place.socket()).unwrap().permissions().mode() & 0o777, mode);
        let left: Vec<_> =
            fs::read_dir(place.socket().parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "the socket and its lock: {left:?}");
    }
}

#[test]
fn errors_tell_what_to_do() {
    let place = Place::new();
    let missing = call(&place.socket(), Method::Get, "/", None).unwrap_err();
    assert!(missing.to_string().contains("systemctl start mailward"), "{missing}");
    let long = place.socket().join("x".repeat(200));
    let refused = serve(&long, 0o660, None, Limits::default(), Arc::new(echo)).unwrap_err();
    assert!(matches!(refused, WebError::Io { .. }), "{refused}");
}
