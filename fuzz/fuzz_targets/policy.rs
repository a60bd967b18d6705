//! Any bytes on a policy connection, in any pieces: the same requests or the same error, and bounded memory.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailward_wire::policy::{Attribute, Decoder, LONGEST, PolicyError};

/// Every value of every request, or why there are no more.
fn requests(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<PolicyError>) {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_request() {
                Ok(Some(request)) => {
                    let _ = (request.client(), request.stage());
                    found.push(Attribute::ALL.iter().flat_map(|name| request.get(*name).bytes().to_vec()).collect());
                }
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = requests(&[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    let pieces = requests(&single);
    assert!(whole.0.iter().all(|request| request.len() <= LONGEST));
    // Byte by byte a request that is too long is noticed earlier, and nothing else is different.
    if whole.1 != Some(PolicyError::TooLong) && pieces.1 != Some(PolicyError::TooLong) {
        assert_eq!(whole, pieces);
    }
});
