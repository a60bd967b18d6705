//! YAML as a tree whose nodes know their lines: anchors resolved, merge keys (`<<`) merged, and everything bounded.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, Span};

/// The most nodes of a tree; aliases of aliases would otherwise grow without end.
const MOST_NODES: usize = 20_000;
/// The deepest nesting.
const DEEPEST: usize = 64;

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// What it is.
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing.
    #[default]
    Null,
    /// Text, whatever its type would be.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the text.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The first document of a text; what is no YAML says where it ends to be.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut builder = Builder::default();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| error.to_string())?;
            if builder.take(event, span)? {
                break;
            }
        }
        Ok(builder.root.unwrap_or_default())
    }

    /// The value under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The value under a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Its text, if it is a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Key and value of a mapping.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Self, &Self)> {
        let entries = match &self.value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, value)| (key, value))
    }

    /// The items of a list; a scalar is a list of one.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Scalar(_) => std::slice::from_ref(self),
            _ => &[],
        }
    }

    /// Whether it is a scalar that means yes.
    pub(crate) fn is_true(&self) -> bool {
        matches!(self.text(), Some("true" | "True" | "TRUE" | "yes" | "on"))
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(entries) => entries.iter().map(|(key, value)| key.size() + value.size()).sum(),
            _ => 0,
        }
    }
}

/// A collection that is still open.
#[derive(Debug)]
struct Open {
    anchor: usize,
    line: usize,
    map: bool,
    items: Vec<Node>,
}

#[derive(Debug, Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    nodes: usize,
}

impl Builder {
    /// Takes an event; whether the first document is complete.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<bool, String> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == saphyr_parser::ScalarStyle::Plain;
                let null = plain && matches!(text.as_ref(), "" | "~" | "null");
                let value = if null { Value::Null } else { Value::Scalar(text.into_owned()) };
                self.close(anchor, Node { line, value })?;
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().unwrap_or_default();
                self.close(0, Node { line, ..node })?;
            }
            Event::SequenceStart(anchor, _) => self.start(anchor, line, false)?,
            Event::MappingStart(anchor, _) => self.start(anchor, line, true)?,
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(false) };
                let value = if open.map { mapping(open.items) } else { Value::List(open.items) };
                self.close(open.anchor, Node { line: open.line, value })?;
            }
            Event::DocumentEnd => return Ok(true),
            _ => {}
        }
        Ok(false)
    }

    fn start(&mut self, anchor: usize, line: usize, map: bool) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(format!("line {line}: nested deeper than {DEEPEST} levels"));
        }
        self.open.push(Open { anchor, line, map, items: Vec::new() });
        Ok(())
    }

    fn close(&mut self, anchor: usize, node: Node) -> Result<(), String> {
        self.nodes += node.size();
        if self.nodes > MOST_NODES {
            return Err(format!("line {}: more than {MOST_NODES} nodes", node.line));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.items.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

/// The mapping of keys and values in turn; what it merges stands behind its own keys, so that these win.
fn mapping(items: Vec<Node>) -> Value {
    let mut own = Vec::new();
    let mut merged = Vec::new();
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        if key.text() == Some("<<") {
            let sources =
                if matches!(value.value, Value::List(_)) { value.items().to_vec() } else { vec![value] };
            merged.extend(
                sources.iter().flat_map(Node::entries).map(|(key, value)| (key.clone(), value.clone())),
            );
        } else {
            own.push((key, value));
        }
    }
    own.extend(merged);
    Value::Map(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_know_their_lines_and_merges_lose_to_own_keys() {
        let text = "x: &base\n  a: 1\n  b: 2\ny:\n  <<: *base\n  b: 3\nz: [p, 'q']\nn:\n";
        let node = Node::read(text).unwrap();
        let y = node.get("y").unwrap();
        assert_eq!(y.get("a").and_then(Node::text), Some("1"));
        assert_eq!(y.get("b").and_then(Node::text), Some("3"));
        assert_eq!(node.get("z").unwrap().items().len(), 2);
        assert_eq!(node.get("z").unwrap().line, 7);
        assert_eq!(node.get("n").unwrap().value, Value::Null);
    }

    #[test]
    fn what_would_grow_without_end_is_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(Node::read(&bomb).unwrap_err().contains("nodes"));
        assert!(Node::read(&"[".repeat(1000)).is_err());
    }
}
