//! A view model, and the media it can be shown in.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::{Document, html, mail, markdown, terminal};

/// A view model: the JSON document itself, and a document for people.
pub trait View: Serialize {
    /// For people, with times in a zone.
    fn document(&self, zone: &TimeZone) -> Document;

    /// As terminal text.
    fn text(&self, look: &Look) -> String {
        terminal::render(&self.document(&look.zone), look)
    }

    /// As GitHub-flavoured Markdown.
    fn markdown(&self, zone: &TimeZone) -> String {
        markdown::render(&self.document(zone))
    }

    /// As one self-contained HTML page.
    fn html(&self, zone: &TimeZone) -> String {
        html::page(&self.document(zone))
    }

    /// As the HTML part of a mail.
    fn mail(&self, zone: &TimeZone) -> String {
        mail::page(&self.document(zone))
    }

    /// As JSON, indented.
    ///
    /// # Errors
    /// None in practice: view models have only string keys and finite numbers.
    fn json(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// In a format.
    ///
    /// # Errors
    /// As [`View::json`].
    fn render(&self, format: Format, look: &Look) -> Result<String, serde_json::Error> {
        match format {
            Format::Text => Ok(self.text(look)),
            Format::Markdown => Ok(self.markdown(&look.zone)),
            Format::Html => Ok(self.html(&look.zone)),
            Format::Json => self.json(),
        }
    }
}

/// A format for output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Text,
    /// GitHub-flavoured Markdown.
    Markdown,
    /// A document for programs.
    Json,
    /// A page.
    Html,
}

/// How terminal text looks.
#[derive(Clone, Debug)]
pub struct Look {
    /// The zone in which times are shown.
    pub zone: TimeZone,
    /// The width of the terminal; text uses 60 to 100 columns of it.
    pub width: usize,
    /// Whether there is colour: a terminal, and no `NO_COLOR`.
    pub colour: bool,
}

impl Look {
    /// Without a terminal: 80 columns, no colour.
    #[must_use]
    pub const fn plain(zone: TimeZone) -> Self {
        Self { zone, width: 80, colour: false }
    }

    pub(crate) fn columns(&self) -> usize {
        self.width.clamp(60, 100)
    }
}
