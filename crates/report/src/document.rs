//! A document between the view models and the media: blocks of escaped text with a meaning.

use crate::Shown;
use crate::words::number;

/// What a view says, before it is terminal text, Markdown or HTML.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The heading of all.
    pub title: Shown,
    /// One line under it.
    pub subtitle: Shown,
    /// What follows.
    pub blocks: Vec<Block>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading.
    Section(Shown),
    /// Running text.
    Paragraph(Vec<Cell>),
    /// Large numbers with their meaning.
    Figures(Vec<Figure>),
    /// Names and values.
    Facts(Vec<(Shown, Cell)>),
    /// Rows and columns.
    Table(Table),
    /// Counts by name.
    Bars(Bars),
    /// Counts over time.
    Columns(Columns),
    /// One thing led to the next.
    Chain(Vec<Link>),
    /// Lines to take out of a file and to put in, as they stand.
    Edit {
        /// The file; empty where it was named before.
        target: Shown,
        /// The lines, with their signs.
        lines: Vec<Cell>,
    },
    /// Something that needs attention, and what to do.
    Notice {
        /// How much attention.
        tone: Tone,
        /// What is so.
        title: Shown,
        /// More about it.
        body: Shown,
        /// What to do.
        remedy: Shown,
    },
    /// More about something, for who wants to know.
    Detail {
        /// About what.
        title: Cell,
        /// What there is.
        blocks: Vec<Block>,
        /// Whether a terminal leaves it out: its last lines are read first.
        minor: bool,
    },
}

/// What a text means; media show it as colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing particular.
    #[default]
    Plain,
    /// Less important.
    Dim,
    /// More important.
    Strong,
    /// As it should be.
    Good,
    /// Worth a look.
    Notable,
    /// Not as it should be.
    Bad,
    /// To be typed as it stands.
    Code,
}

/// A piece of text with a tone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// The text.
    pub text: Shown,
    /// What it means.
    pub tone: Tone,
}

impl Cell {
    /// A text with a tone.
    #[must_use]
    pub fn toned(text: impl Into<Shown>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }

    /// A text in the background.
    #[must_use]
    pub fn dim(text: impl Into<Shown>) -> Self {
        Self::toned(text, Tone::Dim)
    }

    /// A text in the foreground.
    #[must_use]
    pub fn strong(text: impl Into<Shown>) -> Self {
        Self::toned(text, Tone::Strong)
    }

    /// A command, as it is to be typed.
    #[must_use]
    pub fn code(text: impl Into<Shown>) -> Self {
        Self::toned(text, Tone::Code)
    }
}

impl<T: Into<Shown>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// A large number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The number.
    pub value: Cell,
    /// What it counts.
    pub label: Shown,
}

/// Rows and columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// How many rows there are, with those that are left out; 0 if none are.
    pub all: u64,
    /// How many rows a terminal shows; none is all of these.
    pub glance: Option<usize>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub name: Shown,
    /// Where its cells stand.
    pub align: Align,
}

/// Where the cells of a column stand, and whether they may wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Left, on one line.
    Left,
    /// Right, on one line: numbers.
    Right,
    /// Left, wrapped where the width is short.
    Wrap,
    /// Right, on one line, and drawn as a bar where the medium can: counts.
    Bar,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new<const N: usize>(columns: [(&str, Align); N]) -> Self {
        let columns = columns.into_iter().map(|(name, align)| Column { name: name.into(), align }).collect();
        Self { columns, ..Self::default() }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// What to say about rows that are not among the first few; nothing if there are none.
    pub(crate) fn rest(&self, shown: usize) -> Option<String> {
        let all = self.all.max(self.rows.len() as u64);
        let rest = all.saturating_sub(self.rows.len().min(shown) as u64);
        (rest > 0).then(|| format!("and {} more", number(rest)))
    }

    /// Leaves out columns in which no row has anything.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        let used: Vec<bool> = (0..self.columns.len())
            .map(|place| self.rows.iter().any(|row| row.get(place).is_some_and(|cell| !cell.text.is_empty())))
            .collect();
        keep(&mut self.columns, &used);
        self.rows.iter_mut().for_each(|row| keep(row, &used));
        self
    }
}

fn keep<T>(items: &mut Vec<T>, used: &[bool]) {
    let mut used = used.iter();
    items.retain(|_| used.next().copied().unwrap_or(true));
}

/// Counts by name, as bars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bars {
    /// What they count, for who cannot see them.
    pub caption: Shown,
    /// The bars.
    pub rows: Vec<Bar>,
    /// Whether they have the colours of the series of [`Columns`], in order.
    pub as_series: bool,
}

/// One bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The name.
    pub label: Shown,
    /// The count.
    pub value: u64,
    /// Said behind the count.
    pub note: Cell,
}

/// Counts over time, as stacked columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// What they count, for who cannot see them.
    pub caption: Shown,
    /// A label for each column.
    pub labels: Vec<Shown>,
    /// What is stacked, each with a value for each column.
    pub series: Vec<Series>,
}

impl Columns {
    /// All series together, for each column.
    pub(crate) fn totals(&self) -> Vec<u64> {
        let value = |place| self.series.iter().filter_map(move |series| series.values.get(place));
        (0..self.labels.len())
            .map(|place| value(place).fold(0_u64, |sum, v| sum.saturating_add(*v)))
            .collect()
    }
}

/// One of the stacked series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Its name.
    pub name: Shown,
    /// Its values.
    pub values: Vec<u64>,
}

/// A link of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is: `line`, `event`, `offence`, `signal`, `ban`.
    pub step: Shown,
    /// What it says.
    pub text: Cell,
    /// More, in the background.
    pub details: Vec<Shown>,
}
