//! Charts as inline SVG; colours come from the page's style sheet, so that they follow light and dark.

use maud::{Markup, html};

use crate::words::number;
use crate::{Bars, Columns};

/// Counts over time: stacked columns with a scale, a legend, and the numbers of each column on hovering.
pub(crate) fn columns(columns: &Columns) -> Markup {
    let totals = columns.totals();
    let top = round_up(totals.iter().copied().max().unwrap_or(0));
    let step = PLOT_WIDTH / totals.len().max(1) as f64;
    html! {
        figure.columns {
            @if columns.series.len() > 1 { (legend(columns)) }
            div.scroll {
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(columns.caption.as_str()) {
                    @for quarter in 0..=4_u64 { (grid_line(quarter, top)) }
                    @for (place, total) in totals.iter().enumerate() {
                        @if *total > 0 { (stack(columns, place, *total, top, step)) }
                    }
                    (ticks(columns, step))
                }
            }
        }
    }
}

fn legend(columns: &Columns) -> Markup {
    html! {
        ul.legend {
            @for (place, series) in columns.series.iter().enumerate() {
                li {
                    svg.swatch viewBox="0 0 10 10" aria-hidden="true" {
                        rect class=(colour(place)) width="10" height="10" rx="2" {}
                    }
                    (series.name.as_str())
                }
            }
        }
    }
}

/// Whole numbers only: four lines make no sense for a top of two.
fn grid_line(quarter: u64, top: u64) -> Markup {
    let y = px(TOP + PLOT_HEIGHT * (1.0 - quarter as f64 / 4.0));
    html! {
        @if (top * quarter).is_multiple_of(4) {
            line.grid x1=(px(LEFT)) x2=(px(LEFT + PLOT_WIDTH)) y1=(y) y2=(y) {}
            text.tick x=(px(LEFT - 8.0)) y=(y) dy="4" text-anchor="end" { (number(top * quarter / 4)) }
        }
    }
}

fn stack(columns: &Columns, place: usize, total: u64, top: u64, step: f64) -> Markup {
    let values = columns.series.iter().map(|series| series.values.get(place).copied().unwrap_or(0));
    let named = columns.series.iter().zip(values.clone()).filter(|(_, value)| *value > 0);
    let parts: Vec<_> = named.map(|(series, value)| format!("{} {}", series.name, number(value))).collect();
    let label = columns.labels.get(place).map_or("", |label| label.as_str());
    let gap = (step * 0.15).min(6.0);
    let mut below = 0_u64;
    let mut pieces = Vec::new();
    for (series, value) in values.enumerate().filter(|(_, value)| *value > 0) {
        let height = PLOT_HEIGHT * value as f64 / top as f64;
        below += value;
        let y = TOP + PLOT_HEIGHT * (1.0 - below as f64 / top as f64);
        pieces.push((colour(series), px(y), px(height)));
    }
    html! {
        g {
            title { (label) ": " (number(total)) " (" (parts.join(", ")) ")" }
            @for (class, y, height) in pieces {
                rect class=(class) x=(px(LEFT + place as f64 * step + gap / 2.0)) y=(y)
                    width=(px(step - gap)) height=(height) {}
            }
        }
    }
}

/// As many labels as fit beside each other.
fn ticks(columns: &Columns, step: f64) -> Markup {
    let every = (LABEL_WIDTH / step).ceil().max(1.0) as usize;
    html! {
        @for (place, label) in columns.labels.iter().enumerate().step_by(every) {
            text.tick x=(px(LEFT + place as f64 * step + step / 2.0)) y=(px(TOP + PLOT_HEIGHT + 18.0))
                text-anchor="middle" { (label.as_str()) }
        }
    }
}

/// Counts by name.
pub(crate) fn bars(bars: &Bars) -> Markup {
    let most = bars.rows.iter().map(|bar| bar.value).max().unwrap_or(0).max(1);
    html! {
        table.bars aria-label=(bars.caption.as_str()) {
            @for (place, bar) in bars.rows.iter().enumerate() {
                tr {
                    th scope="row" { (bar.label.as_str()) }
                    td.number { (number(bar.value)) }
                    td.bar { (self::bar(bar.value, most, if bars.as_series { place } else { 0 })) }
                    td.note { (bar.note.text.as_str()) }
                }
            }
        }
    }
}

/// One count, compared with the largest.
pub(crate) fn bar(value: u64, most: u64, series: usize) -> Markup {
    let width = px(value as f64 * 100.0 / most.max(1) as f64);
    html! {
        svg role="presentation" { rect class=(colour(series)) height="100%" rx="2" width={ (width) "%" } {} }
    }
}

/// The style sheet's class for a series.
fn colour(series: usize) -> &'static str {
    CLASSES.get(series).copied().unwrap_or("s8")
}

const CLASSES: [&str; SERIES] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];

/// How many series have a colour of their own.
pub(crate) const SERIES: usize = 8;

/// The next number that four grid lines divide, or a small whole one.
fn round_up(most: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        let found = [1, 2, 4, 8].into_iter().map(|step| step * unit).find(|top| *top >= most);
        match found {
            Some(top) => return top,
            None => unit = unit.saturating_mul(10),
        }
    }
}

/// A coordinate: two digits behind the point are enough.
fn px(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

const WIDTH: u32 = 960;
const HEIGHT: u32 = 240;
const LEFT: f64 = 48.0;
const TOP: f64 = 10.0;
const PLOT_WIDTH: f64 = 904.0;
const PLOT_HEIGHT: f64 = 196.0;
const LABEL_WIDTH: f64 = 54.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round() {
        for (most, top) in [(0, 1), (1, 1), (3, 4), (9, 10), (11, 20), (41, 80), (81, 100), (999, 1_000)] {
            assert_eq!(round_up(most), top);
        }
    }
}
