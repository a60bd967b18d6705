//! Where addresses are, by a database in MaxMind's format: GeoLite2, DB-IP Lite, or any other with countries.
//!
//! It is read whole: a page of a mapped file would be fetched when an answer needs it, and answers wait for no disk.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use mailward_decide::Whereabouts;
use mailward_model::{Span, Timestamp};
use maxminddb::{MaxMindDbError, Reader, path};
use thiserror::Error;

/// A database of networks and their places; the empty one knows nothing.
#[derive(Default)]
pub struct Geo(Option<Reader<Vec<u8>>>);

impl fmt::Debug for Geo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Geo").field(&self.0.as_ref().map(Reader::metadata)).finish()
    }
}

/// Why a database is not used; nobody is refused by it then.
#[derive(Debug, Error)]
pub enum GeoError {
    /// The file cannot be read.
    #[error("cannot read {path} ([geoip] database): {error}; countries do not count until it is there")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no database.
    #[error(
        "{path} ([geoip] database) is no database of countries: {why}; fetch it again (geoipupdate). Countries do not count until then"
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Networks have moved since.
    #[error(
        "{path} ([geoip] database) is {days} days old; fetch a new one (geoipupdate). Countries do not count until then"
    )]
    Stale {
        /// The file.
        path: PathBuf,
        /// How old.
        days: u64,
    },
}

/// Publishers make a new one every week or month; after that time too many networks have moved.
const FRESH: Span = Span::from_days(120);

impl Geo {
    /// Reads a database.
    ///
    /// # Errors
    /// [`GeoError`], when it is not there, broken, or too old.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, GeoError> {
        let broken =
            |error: MaxMindDbError| GeoError::Broken { path: path.to_owned(), why: error.to_string() };
        let bytes =
            std::fs::read(path).map_err(|error| GeoError::Unreadable { path: path.to_owned(), error })?;
        let reader = Reader::from_source(bytes).map_err(broken)?;
        let built = Timestamp::from_secs(i64::try_from(reader.metadata().build_epoch).unwrap_or(0));
        let age = now.since(built);
        if age > FRESH {
            return Err(GeoError::Stale { path: path.to_owned(), days: age.secs() / 86_400 });
        }
        Ok(Self(Some(reader)))
    }

    /// Where an address is. What cannot be read is not known.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Whereabouts {
        let found = self.0.as_ref().and_then(|reader| reader.lookup(address).ok());
        let Some(found) = found.filter(maxminddb::LookupResult::has_data) else {
            return Whereabouts::default();
        };
        let nested = found.decode_path::<&str>(&path!["country", "iso_code"]).ok().flatten();
        // IPinfo's databases are flat.
        let country = nested.or_else(|| found.decode_path::<&str>(&path!["country_code"]).ok().flatten());
        let number = |name| found.decode_path::<f64>(&path!["location", name]).ok().flatten();
        Whereabouts {
            country: country.and_then(|text| text.parse().ok()),
            position: number("latitude").zip(number("longitude")),
        }
    }
}
