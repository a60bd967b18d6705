//! Where lines come from: files with rotation, the journal, standard input; cursors that survive a restart.
//!
//! [`Reader`] gives out [`Batch`]es of whole lines, each with a cursor. Whoever stores the cursor together with what the lines
//! led to, in one transaction, processes every line exactly once, whatever happens to the program, and whatever rotation does
//! to the files. Nothing is read ahead: who does not ask gets nothing, and the lines wait where they are.
//!
//! For logs as a whole there are [`history()`], [`open_any`] and [`chunks`].
#![forbid(unsafe_code)]

mod chunk;
mod cursor;
mod error;
mod file;
mod frame;
mod generation;
mod history;
mod journal;
mod pipe;
mod reader;
mod search;
mod source;
mod unpack;
mod wake;
mod watch;
mod watched;

pub use chunk::{Chunk, Chunks, chunks};
pub use error::SourceError;
pub use frame::LINE_MAX;
pub use history::history;
pub use reader::{Batch, Next, Reader};
pub use source::{SourceStatus, Spec, Start, State};
pub use unpack::open_any;
pub use wake::Waker;
