//! What people and programs are told: view models, and their renderings to terminal text, Markdown, JSON and HTML.
//!
//! A view model is a plain struct and is the JSON document. Each turns itself into a [`Document`], and each rendering
//! knows only documents, so that escaping what an attacker wrote happens in one place per medium. Pure: the time zone,
//! the width and whether there is colour are parameters.
#![forbid(unsafe_code)]

pub mod accounts;
mod at;
pub mod attacks;
pub mod audit;
pub mod bans;
mod chart;
pub mod digest;
mod document;
mod escape;
pub mod explain;
mod html;
pub mod incident;
pub mod integrity;
mod mail;
mod markdown;
pub mod status;
mod tally;
mod terminal;
pub mod top;
mod view;
mod words;

pub use at::At;
pub use document::{
    Align, Bar, Bars, Block, Cell, Column, Columns, Document, Figure, Link, Series, Table, Tone,
};
pub use escape::Shown;
pub use tally::{Severity, Tally};
pub use view::{Format, Look, View};
