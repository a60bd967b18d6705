//! HTTP/1.1 requests as mail servers make them: a head, a body of known length, one after the other on a connection.

use base64ct::{Base64, Encoding};
use subtle::ConstantTimeEq;
use thiserror::Error;

/// Why a request is not understood. The connection has to be closed: where the next one begins is not known.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HttpError {
    /// Head and body together are larger than [`Decoder::MOST`].
    #[error("the request is larger than {most} bytes", most = Decoder::MOST)]
    TooLarge,
    /// The head breaks RFC 9112.
    #[error("this is no HTTP/1.1 request")]
    Malformed,
    /// The length of the body is told twice, or is no number.
    #[error("Content-Length is no single number")]
    Length,
    /// The body comes in chunks; neither Dovecot nor weakforced's clients do that.
    #[error("Transfer-Encoding is not supported, send Content-Length")]
    Encoding,
}

impl HttpError {
    /// The status code to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::Malformed | Self::Length => 400,
            Self::Encoding => 501,
        }
    }
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is asked for: path and query, as sent.
    pub target: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// Whether the connection stays open after the answer.
    pub keep_alive: bool,
    authorization: &'a [u8],
    api_key: &'a [u8],
}

impl Request<'_> {
    /// Whether the client knows the key: as the password of Basic, whoever the user is (weakforced asks no more either),
    /// or as `X-API-Key`. Takes as long for a wrong key as for the right one.
    #[must_use]
    pub fn knows(&self, key: &[u8]) -> bool {
        let in_header: bool = self.api_key.ct_eq(key).into();
        let mut buffer = [0; Self::CREDENTIALS];
        let in_basic: bool = basic_password(self.authorization, &mut buffer).ct_eq(key).into();
        in_header | in_basic
    }

    /// The most bytes of a user and his password.
    const CREDENTIALS: usize = 512;
}

/// The password in `Basic dXNlcjpwYXNz` (RFC 7617), empty where there is none.
fn basic_password<'b>(authorization: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let Some((scheme, credentials)) = authorization.split_at_checked(6) else { return b"" };
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return b"";
    }
    let Ok(decoded) = Base64::decode(credentials.trim_ascii(), buffer) else { return b"" };
    decoded.iter().position(|byte| *byte == b':').and_then(|at| decoded.get(at + 1..)).unwrap_or_default()
}

/// Takes bytes as they arrive and gives out whole requests.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// What of the buffer was given out.
    done: usize,
    /// Up to where no end of a head was found.
    looked: usize,
    /// Where the request ends, once its head is there.
    end: Option<usize>,
}

impl Decoder {
    /// The most bytes of one request.
    pub const MOST: usize = 8_192;
    /// The most headers; Dovecot sends seven.
    const HEADERS: usize = 32;

    /// Takes bytes that arrived. Give out the requests before more is pushed: what is pushed at once is held.
    pub fn push(&mut self, bytes: &[u8]) {
        self.drop_done();
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a request has begun and is not whole.
    #[must_use]
    pub const fn is_amid(&self) -> bool {
        self.buffer.len() > self.done
    }

    /// The next whole request, if there is one.
    ///
    /// # Errors
    /// [`HttpError`]; nothing can be read from this connection any more.
    pub fn next_request(&mut self) -> Result<Option<Request<'_>>, HttpError> {
        self.drop_done();
        let end = match self.end {
            Some(end) => end,
            None => match self.measure()? {
                Some(end) => end,
                None => return Ok(None),
            },
        };
        self.end = Some(end);
        if self.buffer.len() < end {
            return Ok(None);
        }
        self.done = end;
        let whole = self.buffer.get(..end).unwrap_or_default();
        head(whole).map(|found| found.map(|(request, _)| request))
    }

    fn drop_done(&mut self) {
        if self.done > 0 {
            self.buffer.drain(..self.done);
            (self.done, self.looked, self.end) = (0, 0, None);
        }
    }

    /// Where the request ends, once its head is there.
    fn measure(&mut self) -> Result<Option<usize>, HttpError> {
        if self.looked == 0 {
            // Empty lines before a request are passed over (RFC 9112 section 2.2); they would look like the end of a head.
            let blank = self.buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.buffer.drain(..blank);
        }
        // Parsed once the empty line is there, and not at each byte of a slow client.
        let from = self.looked.saturating_sub(3);
        let new = self.buffer.get(from..).unwrap_or_default();
        self.looked = self.buffer.len();
        let has_end =
            new.windows(3).any(|three| three == b"\n\r\n") || new.windows(2).any(|two| two == b"\n\n");
        let found = if has_end { head(&self.buffer)? } else { None };
        match found {
            Some((_, end)) if end > Self::MOST => Err(HttpError::TooLarge),
            None if self.buffer.len() > Self::MOST => Err(HttpError::TooLarge),
            found => Ok(found.map(|(_, end)| end)),
        }
    }
}

/// The request at the start of the bytes, with as much of its body as is there, and where it ends.
fn head(bytes: &[u8]) -> Result<Option<(Request<'_>, usize)>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; Decoder::HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let start = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(HttpError::Malformed),
    };
    let mut request = Request {
        target: parsed.path.unwrap_or_default(),
        body: b"",
        keep_alive: parsed.version == Some(1),
        authorization: b"",
        api_key: b"",
    };
    let mut length = None;
    for header in parsed.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("Content-Length") {
            length = Some(content_length(header.value, length)?);
        } else if is("Transfer-Encoding") {
            return Err(HttpError::Encoding);
        } else if is("Connection") {
            request.keep_alive = keeps_alive(header.value, request.keep_alive);
        } else if is("Authorization") {
            request.authorization = header.value;
        } else if is("X-API-Key") {
            request.api_key = header.value;
        }
    }
    let end = start.saturating_add(length.unwrap_or(0));
    request.body = bytes.get(start..end).unwrap_or_default();
    Ok(Some((request, end)))
}

/// RFC 9112 section 6.3: a length that differs from another, or is no number, is an attempt to smuggle.
fn content_length(value: &[u8], before: Option<usize>) -> Result<usize, HttpError> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value).ok_or(HttpError::Length)?;
    let text = core::str::from_utf8(digits).map_err(|_| HttpError::Length)?;
    let length: usize = text.parse().map_err(|_| HttpError::Length)?;
    if before.is_some_and(|other| other != length) { Err(HttpError::Length) } else { Ok(length) }
}

fn keeps_alive(connection: &[u8], default: bool) -> bool {
    let mut options = connection.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    options.clone().any(|option| option.eq_ignore_ascii_case(b"keep-alive"))
        || default && !options.any(|option| option.eq_ignore_ascii_case(b"close"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAPTURED: &[u8] =
        b"POST /?command=allow HTTP/1.1\r\nHost: 127.0.0.1:4001\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\
        User-Agent: dovecot/auth-policy-client\r\nAuthorization: Basic d2ZvcmNlOnN1cGVy\r\n\
        Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

    fn all(bytes: &[u8], pieces: usize) -> Result<Vec<(String, Vec<u8>)>, HttpError> {
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        for piece in bytes.chunks(pieces) {
            decoder.push(piece);
            while let Some(request) = decoder.next_request()? {
                found.push((request.target.to_owned(), request.body.to_vec()));
            }
        }
        Ok(found)
    }

    #[test]
    fn requests_are_the_same_however_they_arrive() {
        let three = CAPTURED.repeat(3);
        let whole = all(&three, three.len()).unwrap();
        assert_eq!(whole, vec![("/?command=allow".to_owned(), b"{}".to_vec()); 3]);
        for pieces in 1..200 {
            assert_eq!(all(&three, pieces).unwrap(), whole, "{pieces}");
        }
    }

    #[test]
    fn empty_lines_before_a_request_are_no_head() {
        let spaced = [b"\n\r\n", CAPTURED, b"\r\n\n\n", CAPTURED, b"\n\n"].concat();
        for pieces in [1, 2, 3, 64, spaced.len()] {
            assert_eq!(all(&spaced, pieces), all(&CAPTURED.repeat(2), 4_096), "{pieces}");
            assert_eq!(all(b"\n\n!c\xa9", pieces), Ok(Vec::new()), "{pieces}");
        }
    }

    #[test]
    fn what_is_refused() {
        let long = format!("POST / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9_000));
        for (request, error) in [
            ("POST / HTTP/1.1\r\nContent-Length: 9000\r\n\r\n", HttpError::TooLarge),
            ("POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n", HttpError::TooLarge),
            (&long, HttpError::TooLarge),
            (&long[..8_500], HttpError::TooLarge),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", HttpError::Length),
            ("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx", HttpError::Length),
            ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\nx", HttpError::Length),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                HttpError::Encoding,
            ),
            ("\x16\x03\x01\x02\n\n", HttpError::Malformed),
            ("EHLO client.example\r\n\r\n", HttpError::Malformed),
        ] {
            for pieces in [1, 7, request.len()] {
                assert_eq!(all(request.as_bytes(), pieces), Err(error), "{request:.60}");
            }
        }
    }

    #[test]
    fn who_knows_the_key() {
        for (header, knows) in [
            ("Authorization: Basic d2ZvcmNlOnN1cGVy", true),
            ("authorization: basic d2ZvcmNlOnN1cGVy", true),
            ("X-API-Key: super", true),
            ("X-API-Key: supe", false),
            ("X-API-Key:", false),
            ("Authorization: Basic d2ZvcmNl", false),
            ("Authorization: Basic =", false),
            ("Authorization: Bearer super", false),
            ("X-Other: super", false),
        ] {
            let mut decoder = Decoder::default();
            decoder.push(format!("POST / HTTP/1.1\r\n{header}\r\n\r\n").as_bytes());
            assert_eq!(decoder.next_request().unwrap().unwrap().knows(b"super"), knows, "{header}");
        }
    }

    #[test]
    fn when_the_connection_stays() {
        for (request, stays) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ] {
            let mut decoder = Decoder::default();
            decoder.push(request.as_bytes());
            assert_eq!(decoder.next_request().unwrap().unwrap().keep_alive, stays, "{request}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_holds_more_than_a_request(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just(b"POST / HTTP/1.1\r\n".to_vec()),
                    (0..10_000_usize).prop_map(|length| format!("Content-Length: {length}\r\n\r\n").into_bytes()),
                    (0..9_000_usize).prop_map(|length| vec![b'x'; length]),
                    any::<Vec<u8>>(),
                ],
                0..20,
            ),
            pieces in 1..5_000_usize,
        ) {
            let mut decoder = Decoder::default();
            'all: for piece in parts.concat().chunks(pieces) {
                decoder.push(piece);
                loop {
                    match decoder.next_request() {
                        Ok(Some(request)) => prop_assert!(request.body.len() <= Decoder::MOST),
                        Ok(None) => break,
                        Err(_) => break 'all,
                    }
                }
                prop_assert!(decoder.buffer.len() <= Decoder::MOST);
            }
        }
    }
}
