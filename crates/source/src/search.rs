//! Finding a file again.

use std::io;

use rustix::io::Errno;

use crate::cursor::Position;
use crate::generation::{Generation, Match};
use crate::history::Listed;

/// The file that a position tells of, by its content: newest first, and one that holds all of it before one that only begins the
/// same.
pub(crate) fn find(files: &[Listed], position: &Position) -> io::Result<Option<(usize, Match, Generation)>> {
    let mut begins = None;
    for (at, file) in files.iter().enumerate().rev() {
        let found =
            Generation::open(file).and_then(|mut generation| Ok((generation.seek(position)?, generation)));
        match found {
            Ok((Match::Exact, generation)) => return Ok(Some((at, Match::Exact, generation))),
            Ok((Match::Begins, generation)) => begins = begins.or(Some((at, Match::Begins, generation))),
            Ok((Match::Other, _)) => {}
            Err(error) if file.live || may_pass(&error) => return Err(error),
            // It cannot be read, so it cannot be the one.
            Err(_) => {}
        }
    }
    Ok(begins)
}

/// Whether it is the log itself.
pub(crate) fn is_live(files: &[Listed], at: usize) -> bool {
    files.get(at).is_some_and(|file| file.live)
}

/// Whether asking again may give another answer: no error of the file, but of the moment.
pub(crate) fn may_pass(error: &io::Error) -> bool {
    has_moved(error)
        || matches!(
            Errno::from_io_error(error),
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR)
        )
}

/// Whether a name led to another file, or to none, since it was listed.
pub(crate) fn has_moved(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}
