//! Values that are lists: what a change puts in or takes out of what the operator has, and two such changes in one.

use crate::postfix::elements;
use crate::postfix::restrictions::takes_argument;

/// The elements of a list as written, a rule of a restriction list together with its argument and with `warn_if_reject`.
pub(crate) fn pieces(list: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut open = false;
    for word in elements(list) {
        let name = word.to_ascii_lowercase();
        match pieces.last_mut().filter(|_| open) {
            Some(last) => {
                last.push(' ');
                last.push_str(word);
            }
            None => pieces.push(word.to_owned()),
        }
        // What follows `warn_if_reject` is a rule, whose argument follows in turn.
        open = name == "warn_if_reject" || takes_argument(&name);
    }
    pieces
}

/// Whether two lists have the same elements in the same order.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    pieces(one) == pieces(other)
}

/// A list written out of its elements.
pub(crate) fn written(pieces: &[String]) -> String {
    pieces.join(", ")
}

/// The list with an element before all others, if it is not there yet.
pub(crate) fn first(list: &str, piece: &str) -> String {
    before(list, |_| true, piece)
}

/// The list with an element before the first one of some, or behind all.
pub(crate) fn before(list: &str, of: impl Fn(&str) -> bool, piece: &str) -> String {
    let mut pieces = without_piece(list, piece);
    let at = pieces.iter().position(|known| of(known)).unwrap_or(pieces.len());
    pieces.insert(at, piece.to_owned());
    written(&pieces)
}

/// The list with an element behind the first one of some, or behind all.
pub(crate) fn behind(list: &str, of: impl Fn(&str) -> bool, piece: &str) -> String {
    let mut pieces = without_piece(list, piece);
    let at = pieces.iter().position(|known| of(known)).map_or(pieces.len(), |at| at + 1);
    pieces.insert(at, piece.to_owned());
    written(&pieces)
}

/// The list without some elements.
pub(crate) fn without(list: &str, of: impl Fn(&str) -> bool) -> String {
    let kept: Vec<_> = pieces(list).into_iter().filter(|piece| !of(piece)).collect();
    written(&kept)
}

fn without_piece(list: &str, piece: &str) -> Vec<String> {
    pieces(list).into_iter().filter(|known| known != piece).collect()
}

/// What two changes make of a list together: elements that either takes out are gone, those that either puts in are there.
pub(super) fn merged(base: &str, one: &str, other: &str) -> String {
    let (base, mut result, other) = (pieces(base), pieces(one), pieces(other));
    result.retain(|piece| !base.contains(piece) || other.contains(piece));
    let mut after: Option<&String> = None;
    for piece in &other {
        if !result.contains(piece) && !base.contains(piece) {
            let at = after.and_then(|after| result.iter().position(|known| known == after));
            result.insert(at.map_or(0, |at| at + 1), piece.clone());
        }
        if result.contains(piece) {
            after = Some(piece);
        }
    }
    written(&result)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "permit_mynetworks, check_client_access cidr:/etc/x warn_if_reject reject_rbl_client a.example,reject";

    #[test]
    fn rules_keep_their_arguments() {
        assert_eq!(
            pieces(LIST),
            [
                "permit_mynetworks",
                "check_client_access cidr:/etc/x",
                "warn_if_reject reject_rbl_client a.example",
                "reject"
            ]
        );
        assert_eq!(pieces("{ a, b }, c"), ["{ a, b }", "c"]);
    }

    #[test]
    fn elements_find_their_place() {
        assert_eq!(first("a, b", "c"), "c, a, b");
        assert_eq!(first("a, c", "c"), "c, a");
        assert_eq!(before("a, b", |piece| piece == "b", "c"), "a, c, b");
        assert_eq!(behind("a, b", |piece| piece == "a", "c"), "a, c, b");
        assert_eq!(behind("", |_| true, "c"), "c");
        assert_eq!(without("a, b a", |piece| piece == "a"), "b");
    }

    #[test]
    fn two_changes_are_one() {
        assert_eq!(merged("a, b", "a, x, b", "a, b, y"), "a, x, b, y");
        assert_eq!(merged("a, b", "b", "a, b, y"), "b, y");
        assert_eq!(merged("a, b", "a", "b"), "");
        assert_eq!(merged("", "x", "y"), "y, x");
        assert_eq!(merged("a", "a, x", "a, x"), "a, x");
    }
}
