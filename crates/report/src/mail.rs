//! Documents as HTML for mail programs: tables and inline styles alone. Most of them show no SVG, no style sheet and no flexible
//! layout, and load nothing.

use maud::{DOCTYPE, Markup, html};

use crate::words::number;
use crate::{Align, Bars, Block, Cell, Columns, Document, Figure, Link, Shown, Table, Tone};

/// The document as a mail's HTML part.
pub(crate) fn page(document: &Document) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (document.title.as_str()) }
            }
            body style="margin:0;padding:0;background:#f3f4f6" {
                table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:#f3f4f6" { tr { td align="center" style="padding:16px 8px" {
                    table role="presentation" width="640" cellpadding="0" cellspacing="0" style={ "max-width:640px;width:100%;background:#ffffff;" (FONT) } {
                        tr { td style="padding:24px 28px 8px" {
                            p style="margin:0;font-size:12px;color:#6b7280" { "Mailward" }
                            h1 style="margin:4px 0 0;font-size:22px;line-height:28px;color:#111827" { (document.title.as_str()) }
                            @if !document.subtitle.is_empty() { p style="margin:4px 0 0;font-size:14px;color:#6b7280" { (document.subtitle.as_str()) } }
                        } }
                        @for block in &document.blocks { tr { td style="padding:4px 28px" { (self::block(block)) } } }
                        tr { td style="padding:12px 28px 24px" {} }
                    }
                } } }
            }
        }
    };
    markup.into_string()
}

const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:14px;line-height:20px;color:#1f2937";
/// Series of stacked columns, and single bars.
const COLOURS: [&str; 5] = ["#2563eb", "#0d9488", "#d97706", "#7c3aed", "#64748b"];
/// Pixels of the tallest column.
const HEIGHT: u64 = 90;
const CELL: &str = "padding:4px 10px 4px 0;border-bottom:1px solid #e5e7eb;font-size:13px;vertical-align:top";

fn block(block: &Block) -> Markup {
    match block {
        Block::Section(title) => html! {
            h2 style="margin:18px 0 4px;font-size:16px;line-height:22px;color:#111827" { (title.as_str()) }
        },
        Block::Paragraph(cells) => {
            html! { p style="margin:6px 0" { @for cell in cells { (self::cell(cell)) } } }
        }
        Block::Figures(figures) => self::figures(figures),
        Block::Facts(facts) => html! {
            table role="presentation" cellpadding="0" cellspacing="0" {
                @for (name, value) in facts { tr { td style={ (CELL) ";color:#6b7280" } { (name.as_str()) } td style=(CELL) { (cell(value)) } } }
            }
        },
        Block::Table(table) => self::table(table),
        Block::Bars(bars) => self::bars(bars),
        Block::Columns(columns) => self::columns(columns),
        Block::Chain(links) => html! { @for link in links { (chain(link)) } },
        Block::Edit { target, lines } => html! {
            @if !target.is_empty() { p style="margin:6px 0 0" { (target.as_str()) } }
            pre style="margin:4px 0;font-size:12px;white-space:pre-wrap" { @for line in lines { (line.text.as_str()) "\n" } }
        },
        Block::Notice { tone, title, body, remedy } => notice(*tone, title, body, remedy),
        Block::Detail { title, blocks, .. } => html! {
            p style="margin:8px 0 0;font-weight:bold" { (cell(title)) }
            @for inner in blocks { (self::block(inner)) }
        },
    }
}

fn figures(figures: &[Figure]) -> Markup {
    let width = 100 / figures.len().max(1);
    html! {
        table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="margin:8px 0" { tr {
            @for figure in figures {
                td width={ (width) "%" } style="padding:4px 8px 4px 0;vertical-align:top" {
                    span style={ "font-size:24px;line-height:30px;font-weight:bold;color:" (colour(figure.value.tone)) } { (figure.value.text.as_str()) }
                    br; span style="font-size:12px;color:#6b7280" { (figure.label.as_str()) }
                }
            }
        } }
    }
}

fn table(table: &Table) -> Markup {
    let align = |place: usize| match table.columns.get(place).map(|column| column.align) {
        Some(Align::Right | Align::Bar) => "right",
        _ => "left",
    };
    html! {
        table width="100%" cellpadding="0" cellspacing="0" style="margin:6px 0;border-collapse:collapse" {
            tr { @for (place, column) in table.columns.iter().enumerate() {
                th align=(align(place)) style={ (CELL) ";color:#6b7280;font-weight:normal" } { (column.name.as_str()) }
            } }
            @for row in &table.rows {
                tr { @for (place, value) in row.iter().enumerate() { td align=(align(place)) style=(CELL) { (cell(value)) } } }
            }
        }
        @if let Some(rest) = table.rest(usize::MAX) { p style="margin:2px 0;font-size:12px;color:#6b7280" { (rest) } }
    }
}

/// A bar is a cell with a colour, as wide as its part of the largest.
fn bars(bars: &Bars) -> Markup {
    let most = bars.rows.iter().map(|bar| bar.value).max().unwrap_or(0);
    html! {
        table width="100%" cellpadding="0" cellspacing="0" style="margin:6px 0" {
            @for (place, bar) in bars.rows.iter().enumerate() {
                @let width = part(bar.value, most, 100);
                @let colour = COLOURS.get(if bars.as_series { place % COLOURS.len() } else { 0 }).copied().unwrap_or_default();
                tr {
                    td width="30%" style="padding:2px 10px 2px 0;font-size:13px" { (bar.label.as_str()) }
                    td width="50%" style="padding:2px 0" {
                        @if width > 0 {
                            table role="presentation" width={ (width) "%" } cellpadding="0" cellspacing="0" {
                                tr { td bgcolor=(colour) height="12" style={ "height:12px;font-size:1px;line-height:12px;background:" (colour) } { "\u{a0}" } }
                            }
                        }
                    }
                    td align="right" style="padding:2px 0 2px 10px;font-size:13px;white-space:nowrap" { (number(bar.value)) " " (cell(&bar.note)) }
                }
            }
        }
    }
}

/// Columns stand on the ground of a row; a series is a cell on top of the one before.
fn columns(columns: &Columns) -> Markup {
    let totals = columns.totals();
    let most = totals.iter().copied().max().unwrap_or(0);
    let last = columns.labels.len().saturating_sub(1);
    html! {
        @if columns.series.len() > 1 {
            p style="margin:4px 0;font-size:12px;color:#6b7280" {
                @for (place, series) in columns.series.iter().enumerate() {
                    span style={ "color:" (series_colour(place)) } { "■ " } (series.name.as_str()) "\u{a0}\u{a0} "
                }
            }
        }
        table role="img" aria-label=(columns.caption.as_str()) width="100%" cellpadding="0" cellspacing="1" style="margin:4px 0 0;border-bottom:1px solid #9ca3af" {
            tr { @for (place, total) in totals.iter().enumerate() {
                td valign="bottom" height=(HEIGHT) style={ "height:" (HEIGHT) "px;vertical-align:bottom" } { (column(columns, place, *total, most)) }
            } }
        }
        table role="presentation" width="100%" cellpadding="0" cellspacing="0" { tr {
            td style="font-size:11px;color:#6b7280" { (columns.labels.first().map_or("", Shown::as_str)) }
            td align="center" style="font-size:11px;color:#6b7280" { "at most " (number(most)) }
            td align="right" style="font-size:11px;color:#6b7280" { (columns.labels.get(last).map_or("", Shown::as_str)) }
        } }
    }
}

fn column(columns: &Columns, place: usize, total: u64, most: u64) -> Markup {
    let label = columns.labels.get(place).map_or("", Shown::as_str);
    let values = columns.series.iter().enumerate().rev();
    let pieces = values.filter_map(|(at, series)| {
        let height = part(series.values.get(place).copied()?, most, HEIGHT);
        (height > 0).then(|| (series_colour(at), height))
    });
    html! {
        @if total > 0 {
            table role="presentation" title={ (label) ": " (number(total)) } width="100%" cellpadding="0" cellspacing="0" {
                @for (colour, height) in pieces {
                    tr { td bgcolor=(colour) height=(height) style={ "height:" (height) "px;font-size:1px;line-height:1px;background:" (colour) } { "\u{a0}" } }
                }
            }
        }
    }
}

fn series_colour(place: usize) -> &'static str {
    COLOURS.get(place % COLOURS.len()).copied().unwrap_or_default()
}

/// How much of `whole` a value is, where `most` is all of it; what there is can be seen.
fn part(value: u64, most: u64, whole: u64) -> u64 {
    if value == 0 || most == 0 { 0 } else { (value.saturating_mul(whole) / most).max(1) }
}

fn chain(link: &Link) -> Markup {
    html! {
        p style="margin:4px 0" {
            b { (link.step.as_str()) } " " (cell(&link.text))
            @for detail in &link.details { br; span style="color:#6b7280" { (detail.as_str()) } }
        }
    }
}

fn notice(tone: Tone, title: &Shown, body: &Shown, remedy: &Shown) -> Markup {
    html! {
        table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="margin:6px 0" { tr {
            td width="4" bgcolor=(colour(tone)) style={ "width:4px;background:" (colour(tone)) } {}
            td bgcolor="#f9fafb" style="padding:8px 12px;background:#f9fafb" {
                b { (title.as_str()) }
                @if !body.is_empty() { br; span style="font-size:13px" { (body.as_str()) } }
                @if !remedy.is_empty() { br; (cell(&Cell::code(remedy.as_str()))) }
            }
        } }
    }
}

fn cell(cell: &Cell) -> Markup {
    match cell.tone {
        Tone::Plain => html! { (cell.text.as_str()) },
        Tone::Strong => html! { b { (cell.text.as_str()) } },
        Tone::Code => {
            html! { code style="font-family:Menlo,Consolas,monospace;font-size:12px;color:#1d4ed8" { (cell.text.as_str()) } }
        }
        tone => html! { span style={ "color:" (colour(tone)) } { (cell.text.as_str()) } },
    }
}

const fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain | Tone::Strong | Tone::Code => "#111827",
        Tone::Dim => "#6b7280",
        Tone::Good => "#15803d",
        Tone::Notable => "#b45309",
        Tone::Bad => "#b91c1c",
    }
}
