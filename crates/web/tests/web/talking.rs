//! Asking and answering, with our client and with curl.

use mailward_web::{Limits, Method, Response, call, with_query};
use serde_json::{Value, json};

use crate::place::{Place, curl};

#[test]
fn what_is_asked_arrives() {
    let place = Place::new();
    let _server = place.serve(Limits::default());
    let path = with_query("/v1/bans", &[("target", "2001:db8::/48"), ("why", "a&b c")]);
    let body = json!({ "until": null, "name": "ä\u{0}\n" });
    for method in [Method::Get, Method::Post, Method::Put, Method::Delete] {
        let answer = call(&place.socket(), method, &path, Some(&body)).unwrap();
        assert_eq!(answer.status, 200);
        let asked = &answer.body;
        assert_eq!((&asked["method"], &asked["path"]), (&json!(method.name()), &json!("/v1/bans")));
        assert_eq!(asked["query"], json!([["target", "2001:db8::/48"], ["why", "a&b c"]]));
        assert_eq!(asked["body"], body);
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        assert_eq!(asked["peer"], json!([uid, gid, std::process::id()]));
    }
    assert_eq!(call(&place.socket(), Method::Get, "/", None).unwrap().body["body"], Value::Null);
}

#[test]
fn refusals_and_faults_are_answers() {
    let place = Place::new();
    let _server = place.serve(Limits::default());
    let ask = |path| call(&place.socket(), Method::Get, path, None).unwrap();
    let missing = ask("/missing");
    assert_eq!((missing.status, missing.reason()), (404, Some("no such thing")));
    assert_eq!(ask("/nothing"), Response { status: 204, body: Value::Null });
    assert_eq!(ask("/fault").status, 500);
    assert_eq!(ask("/after").status, 200);
    assert_eq!(ask("/large").body.as_str().unwrap().len(), 20 << 20);
}

#[test]
fn curl_is_a_client() {
    let place = Place::new();
    let _server = place.serve(Limits::default());
    let check = |arguments: &[&str], status: u16, field: &str, value: Value| {
        let Some((code, document)) = curl(&place.socket(), &[], arguments) else { return };
        assert_eq!(code, status, "{arguments:?}: {document}");
        let document: Value = serde_json::from_str(&document).unwrap_or_default();
        assert_eq!(document[field], value, "{arguments:?}");
    };
    check(&["http://mailward/v1/status"], 200, "path", json!("/v1/status"));
    check(&["-G", "--data-urlencode", "a=b c", "http://mailward/"], 200, "query", json!([["a", "b c"]]));
    check(
        &["-d", r#"{"target":"192.0.2.1"}"#, "http://mailward/v1/bans"],
        200,
        "body",
        json!({"target": "192.0.2.1"}),
    );
    check(&["-X", "DELETE", "http://mailward/v1/bans"], 200, "method", json!("DELETE"));
    check(&["-H", "Transfer-Encoding: chunked", "-d", "[1]", "http://mailward/"], 200, "body", json!([1]));
    check(&["-H", "Expect: 100-continue", "-d", "[1]", "http://mailward/"], 200, "body", json!([1]));
    check(
        &["-X", "PATCH", "http://mailward/"],
        405,
        "error",
        json!("only GET, POST, PUT and DELETE are known here"),
    );
    check(&["-d", "{", "http://mailward/"], 400, "path", Value::Null);
    check(&["-I", "http://mailward/"], 200, "path", Value::Null);
}
