//! What a login process appends to what it says (`login_log_format_elements`):
//! `user=<…>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.10, mpid=1, TLS, session=<…>`.
//!
//! The client chooses the user name (up to 80 bytes, control bytes become `?`), before 2.4 the text of the mechanism, and
//! with client certificates the subject, which stands in what was said and in the error after `TLS:`. It may write
//! `>, method=PLAIN, rip=…, session=<…>` there. But the true `rip=` comes after user and mechanism, so the last one is the
//! true one, and the session id at the end holds the client's address: it decides where several addresses stand, and
//! without it nobody can tell and there is none.
//!
//! An administrator may have put the elements into another order. With `rip=` before `user=<` the first one is the true
//! one. With text of the client at the end (`%{local_name}` last, say) no end of the line belongs to Dovecot, and an
//! address there could be forged: a documented limit.

use core::net::IpAddr;

use mailward_model::{Text, Timestamp, Tls};
use memchr::{memchr, memmem};

use super::session_id;
use crate::scan::{address, contains, find, leading, number, rsplit_str, seek, split, split_str, take_until};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tail<'a> {
    /// What the process said before the elements.
    pub(super) said: &'a [u8],
    pub(super) user: &'a [u8],
    pub(super) method: &'a [u8],
    pub(super) address: Option<IpAddr>,
    /// `TLS`, `TLS handshaking: <error>`, `secured`, `TLSv1.3 with cipher …`, or nothing.
    pub(super) secured: &'a [u8],
    pub(super) session: &'a [u8],
}

/// Whose text stands before the elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Only the program's.
    Own,
    /// A user name, or what another server answered, is in it.
    Mixed,
}

/// The elements; none where the line has none.
pub(super) fn read(text: &[u8], said: Said, time: Timestamp) -> Option<Tail<'_>> {
    usual(text, time).or_else(|| unusual(text, said, time))
}

fn unusual(text: &[u8], said: Said, time: Timestamp) -> Option<Tail<'_>> {
    let (tail, end) = match split_str(text, b": user=<") {
        Some((before, list)) if said == Said::Mixed || own_rip(before).is_none() => {
            // A certificate's subject may end the line, with a session id of its own, where Dovecot logs none.
            let end = if contains(before, b"certificate: ") { End::Anybodys } else { End::Dovecots };
            (user_first(before, list)?, end)
        }
        _ if said == Said::Own => (rip_first(text)?, End::Users),
        _ => return None,
    };
    let address = settle(text, &tail, end, time);
    Some(Tail { address, ..tail })
}

/// The elements as nearly every line has them: none of them holds a mark of another, so that there is one way to read it.
/// All others are left to [`unusual`], which gives the same answer for these, only later.
fn usual(text: &[u8], time: Timestamp) -> Option<Tail<'_>> {
    let (before, list) = split(text, b'=')?;
    let said = before.strip_suffix(b": user")?;
    let (user, rest) = until(list.strip_prefix(b"<")?, [b'>', b'='])?;
    let rest = rest.strip_prefix(b">, ")?;
    let (method, rest) = match rest.strip_prefix(b"method=") {
        Some(rest) => until(rest, [b','])?,
        None => (&b""[..], rest),
    };
    let rest =
        if method.is_empty() { rest } else { rest.strip_prefix(b", ").filter(|_| is_mechanism(method))? };
    let (address, rest) = leading(rest.strip_prefix(b"rip=")?)?;
    let rest = after_local(rest)?;
    let (secured, rest) = match rest.strip_prefix(b", session=<") {
        Some(rest) => (&b""[..], rest),
        None => {
            let (secured, rest) = until(rest.strip_prefix(b", ")?, [b',', b'=', b'<'])?;
            (secured, rest.strip_prefix(b", session=<")?)
        }
    };
    let (session, end) = until(rest, [b'>', b','])?;
    let whose = session_id::made_for(session, time);
    let address = Some(address).filter(|only| whose.is_none_or(|whose| whose == *only));
    (end == b">").then_some(Tail { said, user, method, address, secured, session })
}

/// Up to the first of some bytes, and the rest that begins with it.
fn until<const N: usize>(text: &[u8], set: [u8; N]) -> Option<(&[u8], &[u8])> {
    text.split_at_checked(seek(text, set)?)
}

/// Whose text may end the line, and with it whose the session id is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Dovecots,
    /// The first address is Dovecot's.
    Users,
    Anybodys,
}

/// The client among the addresses of the line. Where there are several, the session id tells which.
fn settle(text: &[u8], tail: &Tail<'_>, end: End, time: Timestamp) -> Option<IpAddr> {
    let whose = session_id::made_for(tail.session, time);
    if tail.is_alone(text) || addresses(text).all(|address| tail.address == Some(address)) {
        return tail.address.filter(|only| whose.is_none_or(|whose| whose == *only));
    }
    whose.filter(|whose| match end {
        End::Dovecots => addresses(text).any(|address| address == *whose),
        End::Users => tail.address == Some(*whose),
        End::Anybodys => false,
    })
}

/// Every address that looks like an element, whoever wrote it.
fn addresses(text: &[u8]) -> impl Iterator<Item = IpAddr> {
    memmem::find_iter(text, b" rip=").filter_map(|at| {
        let after = text.get(at + 5..)?;
        let (address_text, _) = take_until(after.get(..64).unwrap_or(after), |b| b == b',');
        address(address_text)
    })
}

/// The order that Dovecot comes with.
fn user_first<'a>(said: &'a [u8], list: &'a [u8]) -> Option<Tail<'a>> {
    let (before, after) = rsplit_str(list, b", rip=")?;
    let (user, method) = user_and_method(before);
    let tail = Tail { said, user, method, ..after_rip(after) };
    Some(tail)
}

/// `alice>, method=PLAIN` or `alice>`.
fn user_and_method(before: &[u8]) -> (&[u8], &[u8]) {
    match rsplit_str(before, b">, method=") {
        Some((user, method)) if is_mechanism(method) => (user, method),
        _ => (before.strip_suffix(b">").unwrap_or(before), b""),
    }
}

fn is_mechanism(text: &[u8]) -> bool {
    matches!(text.len(), 1..=20)
        && text.iter().all(|&b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

/// An order in which `rip=` comes before any text of the client.
fn rip_first(text: &[u8]) -> Option<Tail<'_>> {
    let at = own_rip(text)?;
    let after = text.get(at + 4..)?;
    let (address_text, rest) = take_until(after, |b| b == b',');
    let said = split_str(text, b"): ").map_or_else(
        || take_until(text, |b| b == b':').0,
        |(before, _)| text.get(..=before.len()).unwrap_or(before),
    );
    let user = split_str(rest, b"user=<").map_or(&b""[..], |(_, user)| take_until(user, |b| b == b'>').0);
    let session =
        rsplit_str(rest, b", session=<").and_then(|(_, id)| id.strip_suffix(b">")).unwrap_or_default();
    // Whether there was TLS is not looked for in an unknown order.
    Some(Tail { said, user, address: address(address_text), secured: b"unknown", session, ..Tail::default() })
}

/// Where `rip=` first stands as an element.
fn own_rip(text: &[u8]) -> Option<usize> {
    // Most texts before the elements have no such byte, and many blanks.
    memchr(b'=', text)?;
    let at = find(text, b" rip=")?;
    matches!(text.get(..at)?.last(), Some(b',' | b':')).then_some(at + 1)
}

/// `192.0.2.1, lip=192.0.2.10, mpid=1, TLS, session=<…>`. The address counts only if all that follows is well-formed.
fn after_rip(after: &[u8]) -> Tail<'_> {
    let (address, rest) = leading(after).unzip();
    let (middle, session) = session(rest.unwrap_or(after));
    match secured(middle) {
        Some(secured) => Tail { address, secured, session, ..Tail::default() },
        None => Tail { session, ..Tail::default() },
    }
}

/// What stands before the session id, and the id, perhaps followed by further elements.
fn session(rest: &[u8]) -> (&[u8], &[u8]) {
    let Some((middle, id)) = rsplit_str(rest, b", session=<") else { return (rest, b"") };
    match split(id, b'>') {
        Some((id, end)) if end.is_empty() || end.starts_with(b", ") && memchr(b'<', end).is_none() => {
            (middle, id)
        }
        _ => (rest, b""),
    }
}

/// The element about TLS, where all the elements are what they should be.
fn secured(middle: &[u8]) -> Option<&[u8]> {
    if memchr(b'<', middle).is_some() {
        return None;
    }
    let middle = after_local(middle)?;
    if middle.is_empty() { Some(middle) } else { middle.strip_prefix(b", ") }
}

/// Without `, lip=192.0.2.10, mpid=1` in front.
fn after_local(middle: &[u8]) -> Option<&[u8]> {
    let middle = match middle.strip_prefix(b", lip=") {
        Some(local) => leading(local)?.1,
        None => middle,
    };
    match middle.strip_prefix(b", mpid=") {
        Some(pid) => Some(number(pid)?.1),
        None => Some(middle),
    }
}

impl<'a> Tail<'a> {
    /// Whether there can be no other address in the line, seen without a search: nothing else in it has a `=`.
    fn is_alone(&self, text: &[u8]) -> bool {
        let ends_with_session = text.strip_suffix(b">").is_some_and(|text| text.ends_with(self.session));
        self.address.is_some()
            && (self.session.is_empty() || ends_with_session)
            && [self.said, self.user, self.secured].iter().all(|part| memchr(b'=', part).is_none())
    }

    /// The error of a handshake that was not finished; empty where it just stopped.
    pub(super) fn handshake_error(&self) -> Option<&'a [u8]> {
        let error = self.secured.strip_prefix(b"TLS handshaking")?;
        Some(error.strip_prefix(b": ").unwrap_or_default())
    }

    /// TLS, where it was established.
    pub(super) fn tls(&self) -> Option<Tls<'a>> {
        if !self.secured.starts_with(b"TLS") || self.handshake_error().is_some() {
            return None;
        }
        let detail = self.secured.strip_prefix(b"TLS, ").unwrap_or(self.secured);
        let versioned = detail.starts_with(b"TLSv").then(|| split_str(detail, b" with cipher ")).flatten();
        let Some((protocol, cipher)) = versioned else {
            return Some(Tls { protocol: Text::EMPTY, cipher: Text::EMPTY });
        };
        Some(Tls { protocol: Text::new(protocol), cipher: Text::new(take_until(cipher, |b| b == b' ').0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// The elements in their order, and what a client may have put between them.
    fn element() -> impl Strategy<Value = &'static str> {
        select(vec![
            "Login",
            ": user=<",
            "alice",
            ">, method=PLAIN",
            ">",
            ", rip=192.0.2.1",
            ", rip=2001:db8::1",
            ", lip=192.0.2.10",
            ", mpid=1",
            ", TLS",
            ", session=<SEn4fLlgZ6XAAAIo",
            ", session=<x",
            "=",
            ",",
            " (no auth attempts)",
            "Disconnected: certificate: ",
        ])
    }

    proptest! {
        #[test]
        fn the_usual_way_reads_what_the_long_one_reads(
            said in element(),
            before in prop::collection::vec(element(), 0..2),
            user in prop::collection::vec(element(), 0..3),
            after in prop::collection::vec(element(), 0..3),
            mixed in any::<bool>(),
        ) {
            let [before, user, after] = [before, user, after].map(|parts| parts.concat());
            let line = format!("{said}{before}: user=<{user}>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.10{after}, session=<SEn4fLlgZ6XAAAIo>");
            let said = if mixed { Said::Mixed } else { Said::Own };
            let time = Timestamp::from_secs(1_795_199_642);
            if let Some(usual) = usual(line.as_bytes(), time) {
                prop_assert_eq!(Some(usual), unusual(line.as_bytes(), said, time), "{}", line);
            }
        }
    }

    #[test]
    fn usual_lines_go_the_usual_way() {
        for line in [
            "Login: user=<alice>, method=PLAIN, rip=192.0.2.64, lip=192.0.2.10, mpid=1, TLS, session=<SEn4fLlgZ6XAAAIo>",
            "Aborted login (no auth attempts in 0 secs): user=<>, rip=192.0.2.64, lip=192.0.2.10, session=<SEn4fLlgZ6XAAAIo>",
        ] {
            assert!(usual(line.as_bytes(), Timestamp::default()).is_some(), "{line}");
        }
    }
}
