//! `mailward.toml`: every setting has a default, every mistake is told at once.
//!
//! The settings are one [`table`]; reading, printing, and what `config check` says about a mistake all come from it.

pub(crate) mod discover;
pub(crate) mod edit;
mod field;
mod mistake;
mod read;
mod settings;
mod show;
mod table;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use mistake::Mistake;
pub(crate) use settings::{
    Accepted, Auto, Login, Mode, NamedChannel, NamedNetwork, NeverBan, Policy, Resolver, Settings, Sources,
    TaskSettings,
};
pub(crate) use show::{Style, show};

/// Where the configuration is, unless the command line says otherwise.
pub(crate) const PATH: &str = "/etc/mailward/mailward.toml";

/// Settings, and where they are from.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// The file; none where there is none and every setting has its default.
    pub(crate) path: Option<PathBuf>,
}

/// Reads the configuration: the file that was asked for, else [`PATH`] if it is there, else the defaults.
pub(crate) fn load(asked: Option<&Path>) -> Result<Loaded, ConfigError> {
    let path = asked.unwrap_or(Path::new(PATH));
    match std::fs::read_to_string(path) {
        Ok(text) => match read::read(&text) {
            Ok(settings) => Ok(Loaded { settings, path: Some(path.to_path_buf()) }),
            Err(mistakes) => Err(ConfigError::Mistakes { path: path.to_path_buf(), mistakes }),
        },
        Err(error) if asked.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Ok(Loaded { settings: Settings::default(), path: None })
        }
        Err(source) => Err(ConfigError::Read { path: path.to_path_buf(), source }),
    }
}

/// Why there are no settings.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It has mistakes.
    Mistakes {
        /// The file.
        path: PathBuf,
        /// All of them, in the order of the file.
        mistakes: Vec<Mistake>,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } if source.kind() == io::ErrorKind::NotFound => {
                write!(f, "{}: no such file; `mailward init --output {0}` writes one", path.display())
            }
            Self::Read { path, source } if source.kind() == io::ErrorKind::InvalidData => {
                write!(f, "{} is not UTF-8; `file {0}` shows what it is", path.display())
            }
            Self::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Mistakes { path, mistakes } => {
                let mistakes_word = if mistakes.len() == 1 { "mistake" } else { "mistakes" };
                writeln!(f, "{} {mistakes_word} in {}:", mistakes.len(), path.display())?;
                mistakes.iter().try_for_each(|mistake| write!(f, "\n{}", mistake.shown(path)))?;
                write!(f, "\nEvery setting with its meaning: mailward config show --defaults")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests;
