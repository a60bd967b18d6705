//! Dovecot's files: ours is a marked part at the end of the file that Dovecot reads last, so what it says holds. Nothing else in the
//! file is touched.

use super::Clash;
use super::marked::Marked;
use super::text::Text;
use crate::dovecot::Block;

/// Sets a setting in our part.
pub(super) fn set(file: &str, text: &str, blocks: &[String], name: &str, value: &str) -> Result<Text, Clash> {
    let mut marked = Marked::read(Text::read(text));
    readable(file, &marked)?;
    let mut tree = Block::parse(&marked.own.to_string());
    if !put(&mut tree, blocks, name, value) && marked.is_last() {
        return Ok(Text::read(text));
    }
    let mut own = marked.own.take(0..0);
    write(&tree, 0, &mut own);
    marked.own = own;
    if !marked.is_last() {
        marked.move_to_end();
    }
    Ok(marked.into_text())
}

/// Sets a setting in a tree; whether that made a difference.
pub(crate) fn put(tree: &mut Block, blocks: &[String], name: &str, value: &str) -> bool {
    let block = blocks.iter().fold(tree, inner);
    match block.settings.iter_mut().rev().find(|(known, _)| known == name) {
        Some((_, now)) if now == value => return false,
        Some((_, now)) => value.clone_into(now),
        None => block.settings.push((name.to_owned(), value.to_owned())),
    }
    true
}

/// Our part is written anew, so a line in it that is not understood would be lost.
fn readable(file: &str, marked: &Marked) -> Result<(), Clash> {
    match marked.own.lines().find(|(_, line)| !crate::dovecot::is_understood(line)) {
        Some((at, line)) => Err(Clash::Unreadable {
            file: file.to_owned(),
            line: marked.first_line() + at,
            text: line.to_owned(),
        }),
        None => Ok(()),
    }
}

/// The section of a title in a block; a new one if there is none.
fn inner<'a>(block: &'a mut Block, title: &String) -> &'a mut Block {
    let at = block.blocks.iter().rposition(|known| known.title() == *title).unwrap_or_else(|| {
        let (kind, name) = title.split_once(' ').unwrap_or((title, ""));
        let (kind, name) = (kind.to_owned(), name.to_owned());
        block.blocks.push(Block { kind, name, ..Block::default() });
        block.blocks.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "found just now, or the last one")]
    &mut block.blocks[at]
}

fn write(block: &Block, depth: usize, text: &mut Text) {
    let indent = "  ".repeat(depth);
    for (name, value) in &block.settings {
        text.push(format!("{indent}{name} = {}", quoted(value)).trim_end().to_owned());
    }
    for inner in &block.blocks {
        text.push(format!("{indent}{} {{", inner.title()));
        write(inner, depth + 1, text);
        text.push(format!("{indent}}}"));
    }
}

/// A value as Dovecot reads it back: one that a comment or a quote could cut short stands in quotes.
pub(crate) fn quoted(value: &str) -> String {
    let cut = value.starts_with(['#', '"', '\'']) || value.contains(" #") || value.contains("\t#");
    if cut || value.trim() != value {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        value.to_owned()
    }
}
