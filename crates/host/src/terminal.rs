//! Secrets from a person or a program: typed without an echo, or sent on standard input.

use std::io::{self, BufRead, IsTerminal, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// Longer than any secret.
const LONGEST: usize = 64 << 10;

/// Whether a person is there to be asked.
#[must_use]
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A line of standard input without its end. On a terminal it is asked for on standard error, and what is typed is not shown.
///
/// # Errors
/// When nothing can be read, or the person ends it with Ctrl-C or Ctrl-D ([`io::ErrorKind::Interrupted`], [`io::ErrorKind::UnexpectedEof`]).
pub fn secret(prompt: &str) -> io::Result<Vec<u8>> {
    if !is_there() {
        return line(&mut io::stdin().lock(), None);
    }
    let mut errors = io::stderr();
    write!(errors, "{prompt}")?;
    errors.flush()?;
    let quiet = Quiet::begin()?;
    let typed = line(&mut io::stdin().lock(), Some(CTRL_C));
    drop(quiet);
    writeln!(errors)?;
    typed
}

/// What a terminal sends for Ctrl-C. It does not end the program while the echo is off, or the terminal would stay without one.
const CTRL_C: u8 = 0x03;

fn line(input: &mut impl BufRead, cancel: Option<u8>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut ended = false;
    for byte in input.bytes().take(LONGEST) {
        match byte? {
            b'\n' => {
                ended = true;
                break;
            }
            byte if cancel == Some(byte) => return Err(io::ErrorKind::Interrupted.into()),
            byte => bytes.push(byte),
        }
    }
    if bytes.is_empty() && !ended {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(bytes)
}

/// A terminal without echo, for as long as this lives.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        // It ends the line, so that nobody waits for a return key after it.
        quiet.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that went away needs no echo.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_without_its_end() {
        for (sent, read) in [
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            ("secret", "secret"),
            ("\n", ""),
            ("a\nb\n", "a"),
        ] {
            assert_eq!(line(&mut sent.as_bytes(), None).unwrap(), read.as_bytes());
        }
        assert_eq!(
            line(&mut "ab\x03".as_bytes(), Some(CTRL_C)).unwrap_err().kind(),
            io::ErrorKind::Interrupted
        );
        assert_eq!(line(&mut "".as_bytes(), None).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(line(&mut io::Cursor::new(vec![b'x'; 1 << 20]), None).unwrap().len(), 64 << 10);
    }
}
