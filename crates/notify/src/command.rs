//! A program of the operator's: the subject and the text on its standard input, no shell, and a limit on its time.

use std::path::Path;
use std::time::Duration;

use mailward_host::run::{Limits, output_with_input};

use crate::{Message, SendError, secret};

const LIMITS: Limits = Limits { timeout: Duration::from_secs(30), max_output: 4 << 10 };

/// Runs the program.
pub(crate) fn send(words: &[String], message: &Message) -> Result<(), SendError> {
    let Some((program, args)) = words.split_first() else {
        return Err(SendError::Setting("program is empty; give an absolute path".into()));
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let input = format!("{}\n\n{}", message.subject, message.text);
    let output = output_with_input(Path::new(program), &args, input.as_bytes(), LIMITS)?;
    if output.status.success() {
        return Ok(());
    }
    let said = if output.stderr.is_empty() { output.stdout } else { output.stderr };
    let said = secret::without("", &String::from_utf8_lossy(&said));
    Err(SendError::Command { program: program.clone(), status: output.status.to_string(), said })
}
