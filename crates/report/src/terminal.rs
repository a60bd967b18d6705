//! Documents as terminal text, 60 to 100 columns wide.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table as Grid, TableStyle, Width,
};

use crate::words::number;
use crate::{Align, Bars, Block, Cell, Columns, Document, Figure, Link, Look, Shown, Table, Tone};

/// The document as text.
pub(crate) fn render(document: &Document, look: &Look) -> String {
    let mut page = Page { out: String::new(), indent: 0, columns: look.columns(), colour: look.colour };
    if !document.title.is_empty() {
        page.say(&[Cell::strong(document.title.as_str())]);
    }
    if !document.subtitle.is_empty() {
        page.say(&[Cell::dim(document.subtitle.as_str())]);
    }
    page.blocks(&document.blocks);
    page.out
}

struct Page {
    out: String,
    indent: usize,
    columns: usize,
    colour: bool,
}

impl Page {
    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            if !self.out.is_empty() && !matches!(block, Block::Detail { .. }) {
                self.out.push('\n');
            }
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Section(title) => self.section(title),
            Block::Paragraph(cells) => self.indented(|page| page.say(cells)),
            Block::Figures(figures) => self.indented(|page| page.figures(figures)),
            Block::Facts(facts) => self.indented(|page| page.facts(facts)),
            Block::Table(table) => self.indented(|page| page.table(table)),
            Block::Bars(bars) => self.indented(|page| page.bars(bars)),
            Block::Columns(columns) => self.indented(|page| page.histogram(columns)),
            Block::Chain(links) => self.indented(|page| page.chain(links)),
            Block::Edit { target, lines } => self.indented(|page| page.edit(target, lines)),
            Block::Notice { tone, title, body, remedy } => {
                self.indented(|page| page.notice(*tone, title, body, remedy));
            }
            Block::Detail { minor: true, .. } => {}
            Block::Detail { title, blocks, .. } => self.indented(|page| page.detail(title, blocks)),
        }
    }

    fn indented(&mut self, write: impl FnOnce(&mut Self)) {
        self.indent += 2;
        write(self);
        self.indent -= 2;
    }

    fn width(&self) -> usize {
        self.columns.saturating_sub(self.indent).max(20)
    }

    /// A heading stands at the left and needs no line under it: all else is indented.
    fn section(&mut self, title: &Shown) {
        let title = Cell::strong(title.as_str());
        self.say(&[title]);
    }

    fn say(&mut self, cells: &[Cell]) {
        let text: String = cells.iter().map(|cell| self.mark(cell)).collect();
        // A command is copied and typed: the terminal may wrap it, a line break inside of it would be typed, too.
        if cells.iter().any(|cell| cell.tone == Tone::Code) {
            return self.line(&text);
        }
        let mut grid = self.grid();
        grid.add_row([text]);
        gaps(&mut grid, 0);
        self.print(&grid);
    }

    /// The values over their meanings.
    fn figures(&mut self, figures: &[Figure]) {
        let mut grid = self.grid();
        let strong = |figure: &Figure| match figure.value.tone {
            Tone::Plain => Cell::strong(figure.value.text.as_str()),
            _ => figure.value.clone(),
        };
        grid.add_row(figures.iter().map(|figure| self.mark(&strong(figure))));
        grid.add_row(figures.iter().map(|figure| self.mark(&Cell::dim(figure.label.as_str()))));
        gaps(&mut grid, 3);
        self.print(&grid);
    }

    fn facts(&mut self, facts: &[(Shown, Cell)]) {
        let mut grid = self.grid();
        for (name, value) in facts {
            grid.add_row([self.mark(&Cell::dim(name.as_str())), self.mark(value)]);
        }
        if let Some(column) = grid.column_mut(0) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        gaps(&mut grid, 2);
        self.print(&grid);
    }

    fn table(&mut self, table: &Table) {
        let mut grid = self.grid();
        grid.load_style(RULED);
        grid.set_header(table.columns.iter().map(|column| self.mark(&Cell::dim(column.name.as_str()))));
        for row in table.rows.iter().take(table.glance.unwrap_or(usize::MAX)) {
            grid.add_row(row.iter().map(|cell| self.mark(cell)));
        }
        let least = self.least_widths(table, &grid.column_max_content_widths());
        for ((column, told), least) in grid.column_iter_mut().zip(&table.columns).zip(least) {
            if matches!(told.align, Align::Right | Align::Bar) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
        gaps(&mut grid, GAP);
        self.print(&grid);
        if let Some(rest) = table.rest(table.glance.unwrap_or(usize::MAX)) {
            self.say(&[Cell::dim(rest)]);
        }
    }

    /// The least width of each column with which the table fits: what may wrap gives way first, then long addresses.
    fn least_widths(&self, table: &Table, widths: &[u16]) -> Vec<u16> {
        let with = |wrapped: u16, long: u16| -> Vec<u16> {
            let least = table.columns.iter().zip(widths).map(|(column, width)| match column.align {
                Align::Wrap => wrapped.min(*width),
                Align::Left | Align::Right | Align::Bar => long.min(*width),
            });
            let last = table.columns.len().saturating_sub(1);
            least.enumerate().map(|(place, width)| if place < last { width + GAP } else { width }).collect()
        };
        let fits = |widths: &Vec<u16>| usize::from(widths.iter().sum::<u16>()) <= self.width();
        LEAST.into_iter().map(|(wrapped, long)| with(wrapped, long)).find(fits).unwrap_or_else(|| with(1, 1))
    }

    fn bars(&mut self, bars: &Bars) {
        let most = bars.rows.iter().map(|bar| bar.value).max().unwrap_or(0).max(1);
        let room = (self.width() / 3).max(8) as u64;
        let mut grid = self.grid();
        for bar in &bars.rows {
            let eighths = (u128::from(bar.value) * u128::from(room) * 8 / u128::from(most)) as u64;
            let drawn = horizontal(eighths.max(u64::from(bar.value > 0)));
            grid.add_row([bar.label.to_string(), number(bar.value), drawn, self.mark(&bar.note)]);
        }
        if let Some(column) = grid.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for place in 0..3 {
            if let Some(column) = grid.column_mut(place) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        gaps(&mut grid, 2);
        self.print(&grid);
    }

    fn histogram(&mut self, columns: &Columns) {
        let totals = columns.totals();
        let most = totals.iter().copied().max().unwrap_or(0).max(1);
        let scale = number(most).chars().count();
        let room = self.width().saturating_sub(scale + 2);
        let wide = (room / totals.len().max(1)).clamp(1, 4);
        for level in (0..HEIGHT).rev() {
            let label = match level {
                0 => "0".to_owned(),
                _ if level == HEIGHT - 1 => number(most),
                _ => String::new(),
            };
            let drawn: String = totals.iter().flat_map(|value| cell_of(*value, most, level, wide)).collect();
            self.line(&format!("{label:>scale$} {}", drawn.trim_end()));
        }
        self.line(&axis(&columns.labels, wide, scale + 1, self.width()));
    }

    fn chain(&mut self, links: &[Link]) {
        let last = links.len().saturating_sub(1);
        for (place, link) in links.iter().enumerate() {
            let mut grid = self.grid();
            let step = Cell::strong(link.step.as_str());
            grid.add_row([self.mark(&step), self.mark(&link.text)]);
            for detail in &link.details {
                let rail = if place < last { "│" } else { "" };
                grid.add_row([rail.to_owned(), self.mark(&Cell::dim(detail.as_str()))]);
            }
            gaps(&mut grid, 0);
            if let Some(column) = grid.column_mut(0) {
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(STEP)));
            }
            self.print(&grid);
            if place < last {
                self.line("↓");
            }
        }
    }

    /// The lines are copied: the terminal may wrap them.
    fn edit(&mut self, target: &Shown, lines: &[Cell]) {
        if !target.is_empty() {
            self.say(&[Cell::dim("edit "), Cell::strong(target.as_str())]);
        }
        self.indented(|page| {
            for line in lines {
                let text = page.mark(line);
                page.line(&text);
            }
        });
    }

    fn notice(&mut self, tone: Tone, title: &Shown, body: &Shown, remedy: &Shown) {
        let sign = match tone {
            Tone::Good => "✓ ",
            Tone::Bad | Tone::Notable => "! ",
            _ => "· ",
        };
        self.say(&[Cell::toned(format!("{sign}{title}"), tone)]);
        self.indented(|page| {
            if !body.is_empty() {
                page.say(&[body.as_str().into()]);
            }
            if !remedy.is_empty() {
                page.say(&[Cell::dim("→ "), Cell::code(remedy.as_str())]);
            }
        });
    }

    fn detail(&mut self, title: &Cell, blocks: &[Block]) {
        self.out.push('\n');
        self.say(std::slice::from_ref(title));
        blocks.iter().for_each(|block| self.block(block));
    }

    fn grid(&self) -> Grid {
        let mut grid = Grid::new();
        grid.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
        grid.set_width(u16::try_from(self.width()).unwrap_or(80));
        grid
    }

    fn print(&mut self, grid: &Grid) {
        for line in grid.lines() {
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        let line = line.trim_end();
        let start = self.out.len();
        self.out.extend(core::iter::repeat_n(' ', self.indent));
        coloured(line, &mut self.out);
        let kept = self.out.trim_end_matches(' ').len().max(start);
        self.out.truncate(kept);
        self.out.push('\n');
    }

    /// Marks each word with its tone: marks have no width, so that the layout does not see them, and cannot come from
    /// outside, because [`Shown`] has none of them.
    fn mark(&self, cell: &Cell) -> String {
        let Some(mark) = MARKS.iter().find(|(tone, ..)| *tone == cell.tone).filter(|_| self.colour) else {
            return cell.text.to_string();
        };
        let words = cell.text.as_str().split(' ').map(|word| match word {
            "" => String::new(),
            word => format!("{}{word}{END}", mark.1),
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// A rule under the head and nothing else.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle {
    left: None,
    fill: Some('─'),
    junction: None,
    right: None,
});

/// Between two columns.
const GAP: u16 = 2;

/// The least widths to try, for columns that may wrap and for those that should not: an IPv6 network is 43 long at the
/// most, a common one 24.
const LEAST: [(u16, u16); 7] = [(24, 43), (16, 24), (12, 24), (12, 20), (8, 18), (8, 12), (6, 8)];

/// Rows of a histogram.
const HEIGHT: u64 = 5;

/// Columns for the name of a step of a chain.
const STEP: u16 = 10;

/// Tone, mark, and the escape sequence that the mark becomes.
const MARKS: [(Tone, char, &str); 6] = [
    (Tone::Dim, '\u{2061}', "\x1b[2m"),
    (Tone::Strong, '\u{2062}', "\x1b[1m"),
    (Tone::Good, '\u{2063}', "\x1b[32m"),
    (Tone::Notable, '\u{2064}', "\x1b[33m"),
    (Tone::Bad, '\u{206a}', "\x1b[31m"),
    (Tone::Code, '\u{206b}', "\x1b[36m"),
];

const END: char = '\u{206c}';

/// Turns marks into escape sequences; a tone never outlives its line.
fn coloured(line: &str, out: &mut String) {
    let mut open = false;
    for c in line.chars() {
        match MARKS.iter().find(|(_, mark, _)| *mark == c) {
            Some((.., sequence)) => {
                out.push_str(sequence);
                open = true;
            }
            None if c == END => {
                out.push_str("\x1b[0m");
                open = false;
            }
            None => out.push(c),
        }
    }
    if open {
        out.push_str("\x1b[0m");
    }
}

fn gaps(grid: &mut Grid, gap: u16) {
    let last = grid.column_iter().count().saturating_sub(1);
    for (place, column) in grid.column_iter_mut().enumerate() {
        column.set_padding((0, if place < last { gap } else { 0 }));
    }
}

/// A bar so many eighths of a column long.
fn horizontal(eighths: u64) -> String {
    let full = core::iter::repeat_n('█', usize::try_from(eighths / 8).unwrap_or(0));
    full.chain("▏▎▍▌▋▊▉".chars().nth(((eighths % 8) as usize).wrapping_sub(1))).collect()
}

/// What a column of a histogram shows on one level, with a gap where there is room for it.
fn cell_of(value: u64, most: u64, level: u64, wide: usize) -> impl Iterator<Item = char> {
    let eighths = (u128::from(value) * u128::from(HEIGHT) * 8).div_ceil(u128::from(most)) as u64;
    let here = eighths.saturating_sub(level * 8).min(8) as usize;
    let block = " ▁▂▃▄▅▆▇█".chars().nth(here).unwrap_or(' ');
    let gap = usize::from(wide > 1);
    core::iter::repeat_n(block, wide - gap).chain(core::iter::repeat_n(' ', gap))
}

/// Labels under their columns, as many as fit.
fn axis(labels: &[Shown], wide: usize, start: usize, width: usize) -> String {
    let mut line = " ".repeat(start);
    let mut used = 0;
    for (place, label) in labels.iter().enumerate() {
        let (column, long) = (start + place * wide, label.as_str().chars().count());
        if column >= used && column + long <= width {
            line.extend(core::iter::repeat_n(' ', column.saturating_sub(line.chars().count())));
            line.push_str(label.as_str());
            used = column + long + 2;
        }
    }
    line
}
