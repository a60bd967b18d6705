//! Any bytes on a connection of Dovecot's auth policy: no panic, the same requests however they arrive, each one bounded, and an
//! answer that is a whole HTTP message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailward_wire::auth_policy::{Answer, Command};
use mailward_wire::http::Decoder;

fuzz_target!(|bytes: &[u8]| {
    let whole = talk(bytes, bytes.len().max(1));
    for pieces in [1, 3, 64] {
        assert_eq!(talk(bytes, pieces), whole);
    }
});

/// What is understood, and how it ends.
fn talk(bytes: &[u8], pieces: usize) -> Vec<String> {
    let (mut decoder, mut said) = (Decoder::default(), Vec::new());
    for piece in bytes.chunks(pieces) {
        decoder.push(piece);
        loop {
            match decoder.next_request() {
                Ok(None) => break,
                Ok(Some(request)) => {
                    assert!(request.body.len() <= Decoder::MOST);
                    let _ = request.knows(b"key");
                    said.push(format!("{:?}", Command::of(&request).map_err(|error| answered(error.into()))));
                }
                Err(error) => {
                    said.push(answered(error.into()));
                    return said;
                }
            }
        }
    }
    said
}

fn answered(answer: Answer<'_>) -> String {
    let mut out = Vec::new();
    answer.write(true, &mut out);
    let text = String::from_utf8(out).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())));
    text
}
