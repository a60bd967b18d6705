//! Documents as GitHub-flavoured Markdown.

use crate::words::number;
use crate::{Align, Bars, Block, Cell, Columns, Document, Figure, Link, Shown, Table, Tone};

/// The document as Markdown.
pub(crate) fn render(document: &Document) -> String {
    let mut out = format!("# {}\n", plain(&document.title));
    if !document.subtitle.is_empty() {
        out.push_str(&format!("\n{}\n", plain(&document.subtitle)));
    }
    blocks(&document.blocks, 2, &mut out);
    out
}

fn blocks(blocks: &[Block], level: usize, out: &mut String) {
    for block in blocks {
        out.push('\n');
        match block {
            Block::Section(title) => out.push_str(&format!("{} {}\n", "#".repeat(level), plain(title))),
            Block::Paragraph(cells) => out.push_str(&format!("{}\n", inline(cells))),
            Block::Figures(figures) => out.push_str(&all_figures(figures)),
            Block::Facts(facts) => out.push_str(&all_facts(facts)),
            Block::Table(shown) => out.push_str(&table(shown)),
            Block::Bars(shown) => out.push_str(&bars(shown)),
            Block::Columns(shown) => out.push_str(&columns(shown)),
            Block::Chain(links) => out.push_str(&chain(links)),
            Block::Edit { target, lines } => out.push_str(&edit(target, lines)),
            Block::Notice { title, body, remedy, .. } => out.push_str(&notice(title, body, remedy)),
            Block::Detail { title, blocks: inner, .. } => {
                out.push_str(&format!("{} {}\n", "#".repeat(level + 1), plain(&title.text)));
                self::blocks(inner, level + 1, out);
            }
        }
    }
}

fn all_figures(figures: &[Figure]) -> String {
    figures
        .iter()
        .map(|figure| format!("- **{}** {}\n", plain(&figure.value.text), plain(&figure.label)))
        .collect()
}

fn all_facts(facts: &[(Shown, Cell)]) -> String {
    facts.iter().map(|(name, value)| format!("- {}: {}\n", plain(name), cell(value))).collect()
}

fn table(table: &Table) -> String {
    let heads = table.columns.iter().map(|column| plain(&column.name));
    let rules = table.columns.iter().map(|column| match column.align {
        Align::Right | Align::Bar => "---:".to_owned(),
        Align::Left | Align::Wrap => "---".to_owned(),
    });
    let mut out = row(heads) + &row(rules);
    for cells in &table.rows {
        out.push_str(&row(cells.iter().map(cell)));
    }
    if let Some(rest) = table.rest(usize::MAX) {
        out.push_str(&format!("\n{rest}\n"));
    }
    out
}

fn bars(bars: &Bars) -> String {
    let heads = ["", "count", ""].map(str::to_owned);
    let rules = ["---", "---:", "---"].map(str::to_owned);
    let mut out = row(heads) + &row(rules);
    for bar in &bars.rows {
        out.push_str(&row([plain(&bar.label), number(bar.value), cell(&bar.note)]));
    }
    out
}

/// Only the columns that are not empty.
fn columns(columns: &Columns) -> String {
    let names = columns.series.iter().map(|series| plain(&series.name));
    let mut out = row(["".to_owned(), "all".to_owned()].into_iter().chain(names));
    out.push_str(&row(core::iter::once("---".to_owned())
        .chain(core::iter::repeat_n("---:".to_owned(), columns.series.len() + 1))));
    for (place, (label, total)) in columns.labels.iter().zip(columns.totals()).enumerate() {
        if total > 0 {
            let values =
                columns.series.iter().map(|series| series.values.get(place).map_or(0, |value| *value));
            let shown = values.map(|value| if value == 0 { String::new() } else { number(value) });
            out.push_str(&row([plain(label), number(total)].into_iter().chain(shown)));
        }
    }
    out
}

fn chain(links: &[Link]) -> String {
    let mut out = String::new();
    for (place, link) in links.iter().enumerate() {
        out.push_str(&format!("{}. **{}** {}\n", place + 1, plain(&link.step), cell(&link.text)));
        for detail in &link.details {
            out.push_str(&format!("   - {}\n", plain(detail)));
        }
    }
    out
}

/// A fence longer than any run of backticks inside.
fn edit(target: &Shown, lines: &[Cell]) -> String {
    let longest = lines.iter().flat_map(|line| line.text.as_str().split(|c| c != '`')).map(str::len).max();
    let fence = "`".repeat(3.max(1 + longest.unwrap_or(0)));
    let lines: String = lines.iter().map(|line| format!("{}\n", line.text)).collect();
    let target = if target.is_empty() { String::new() } else { format!("{}\n\n", code(target)) };
    format!("{target}{fence}diff\n{lines}{fence}\n")
}

fn notice(title: &Shown, body: &Shown, remedy: &Shown) -> String {
    let mut out = format!("> **{}**\n", plain(title));
    if !body.is_empty() {
        out.push_str(&format!("> {}\n", plain(body)));
    }
    if !remedy.is_empty() {
        out.push_str(&format!(">\n> {}\n", code(remedy)));
    }
    out
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    format!("| {} |\n", cells.into_iter().collect::<Vec<_>>().join(" | "))
}

fn inline(cells: &[Cell]) -> String {
    cells.iter().map(cell).collect()
}

/// White space stays outside of the marks, inside it would undo them.
fn cell(cell: &Cell) -> String {
    let text = cell.text.as_str();
    let inner = text.trim();
    if inner.is_empty() {
        return text.to_owned();
    }
    let marked = match cell.tone {
        Tone::Strong | Tone::Bad => format!("**{}**", plain(&inner.into())),
        Tone::Code => code(&inner.into()),
        _ => plain(&inner.into()),
    };
    let (before, after) = (text.len() - text.trim_start().len(), text.len() - text.trim_end().len());
    format!("{}{marked}{}", " ".repeat(before), " ".repeat(after))
}

/// With more backticks around than there are inside. A pipe would end a table's cell even there.
fn code(text: &Shown) -> String {
    let text = text.as_str().replace('|', "\u{a6}");
    let fence = "`".repeat(1 + text.split(|c| c != '`').map(str::len).max().unwrap_or(0));
    let gap = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{gap}{text}{gap}{fence}")
}

/// Nothing in it means anything to Markdown: no markup, no HTML, no link.
fn plain(text: &Shown) -> String {
    let mut out = String::with_capacity(text.as_str().len() + 8);
    for c in text.as_str().chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '>' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    // GitHub makes links of bare addresses.
    out.replace("://", "\\://").replace("www.", "www\\.")
}
