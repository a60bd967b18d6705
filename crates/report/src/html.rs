//! Documents as one self-contained HTML page: no script, nothing loaded, and a policy that forbids both.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{Align, Block, Cell, Document, Figure, Link, Shown, Table, Tone, chart};

/// The document as a page.
pub(crate) fn page(document: &Document) -> String {
    let sections = sections(&document.blocks);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { (document.title.as_str()) " · Mailward" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.brand { "Mailward" }
                    h1 { (document.title.as_str()) }
                    @if !document.subtitle.is_empty() { p.subtitle { (document.subtitle.as_str()) } }
                }
                @if sections.iter().filter(|(title, _)| title.is_some()).count() > 2 { (contents(&sections)) }
                main { @for (place, (title, blocks)) in sections.iter().enumerate() { (section(place, *title, blocks)) } }
            }
        }
    };
    markup.into_string()
}

/// The blocks after each heading.
fn sections(blocks: &[Block]) -> Vec<(Option<&Shown>, Vec<&Block>)> {
    let mut sections: Vec<(Option<&Shown>, Vec<&Block>)> = Vec::new();
    for block in blocks {
        match (block, sections.last_mut()) {
            (Block::Section(title), _) => sections.push((Some(title), Vec::new())),
            (_, Some((_, inner))) => inner.push(block),
            (_, None) => sections.push((None, vec![block])),
        }
    }
    sections
}

fn contents(sections: &[(Option<&Shown>, Vec<&Block>)]) -> Markup {
    html! {
        nav aria-label="Contents" {
            @for (place, (title, _)) in sections.iter().enumerate() {
                @if let Some(title) = title { a href={ "#s" (place) } { (title.as_str()) } }
            }
        }
    }
}

fn section(place: usize, title: Option<&Shown>, blocks: &[&Block]) -> Markup {
    html! {
        section id={ "s" (place) } .lead[title.is_none()] {
            @if let Some(title) = title { h2 { (title.as_str()) } }
            @for block in blocks { (self::block(block)) }
        }
    }
}

fn block(block: &Block) -> Markup {
    match block {
        Block::Section(title) => html! { h3 { (title.as_str()) } },
        Block::Paragraph(cells) => html! { p { @for cell in cells { (self::cell(cell)) } } },
        Block::Figures(figures) => self::figures(figures),
        Block::Facts(facts) => html! {
            dl { @for (name, value) in facts { dt { (name.as_str()) } dd { (cell(value)) } } }
        },
        Block::Table(table) => self::table(table),
        Block::Bars(bars) => chart::bars(bars),
        Block::Columns(columns) => chart::columns(columns),
        Block::Chain(links) => chain(links),
        Block::Edit { target, lines } => edit(target, lines),
        Block::Notice { tone, title, body, remedy } => notice(*tone, title, body, remedy),
        Block::Detail { title, blocks, .. } => html! {
            details {
                summary { (cell(title)) }
                @for inner in blocks { (self::block(inner)) }
            }
        },
    }
}

fn figures(figures: &[Figure]) -> Markup {
    html! {
        div.figures {
            @for figure in figures {
                div { strong class=(class(figure.value.tone)) { (figure.value.text.as_str()) } span { (figure.label.as_str()) } }
            }
        }
    }
}

fn table(table: &Table) -> Markup {
    let aligned = |place: usize| match table.columns.get(place).map(|column| column.align) {
        Some(Align::Right) => "number",
        Some(Align::Bar) => "number drawn",
        Some(Align::Wrap) => "wrap",
        _ => "one-line",
    };
    html! {
        div.scroll {
            table {
                thead { tr {
                    @for (place, column) in table.columns.iter().enumerate() {
                        th scope="col" class=(aligned(place)) { (column.name.as_str()) }
                    }
                } }
                tbody {
                    @for row in &table.rows {
                        tr { @for (place, value) in row.iter().enumerate() {
                            td class=(aligned(place)) { (cell(value)) (bar(table, place, value)) }
                        } }
                    }
                }
            }
        }
        @if let Some(rest) = table.rest(usize::MAX) { p.rest { (rest) } }
    }
}

/// Under a count, how it compares with the largest of its column.
fn bar(table: &Table, place: usize, value: &Cell) -> Markup {
    let count = |cell: &Cell| cell.text.as_str().replace(',', "").parse::<u64>().unwrap_or(0);
    let drawn = table.columns.get(place).is_some_and(|column| column.align == Align::Bar);
    let most = table.rows.iter().filter_map(|row| row.get(place)).map(count).max().unwrap_or(0);
    html! { @if drawn { (chart::bar(count(value), most, 0)) } }
}

fn chain(links: &[Link]) -> Markup {
    html! {
        ol.chain {
            @for link in links {
                li {
                    b { (link.step.as_str()) }
                    div {
                        (cell(&link.text))
                        @for detail in &link.details { p { (detail.as_str()) } }
                    }
                }
            }
        }
    }
}

fn edit(target: &Shown, lines: &[Cell]) -> Markup {
    html! {
        div.edit {
            @if !target.is_empty() { p { (target.as_str()) } }
            pre { @for line in lines { span class=(class(line.tone)) { (line.text.as_str()) } "\n" } }
        }
    }
}

fn notice(tone: Tone, title: &Shown, body: &Shown, remedy: &Shown) -> Markup {
    html! {
        div class={ "notice " (class(tone)) } {
            strong { (title.as_str()) }
            @if !body.is_empty() { p { (body.as_str()) } }
            @if !remedy.is_empty() { p { "→ " code { (remedy.as_str()) } } }
        }
    }
}

fn cell(cell: &Cell) -> Markup {
    match cell.tone {
        Tone::Plain => html! { (cell.text.as_str()) },
        Tone::Strong => html! { strong { (cell.text.as_str()) } },
        Tone::Code => html! { code { (cell.text.as_str()) } },
        tone => html! { span class=(class(tone)) { (cell.text.as_str()) } },
    }
}

const fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain | Tone::Strong | Tone::Code => "plain",
        Tone::Dim => "dim",
        Tone::Good => "good",
        Tone::Notable => "notable",
        Tone::Bad => "bad",
    }
}

const STYLE: &str = include_str!("page.css");
