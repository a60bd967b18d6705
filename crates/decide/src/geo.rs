//! Where on earth an address is, as a database of networks says.

use core::fmt;
use core::str::FromStr;

/// A country, by its two letters (ISO 3166-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

/// It is not two letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCountry;

impl FromStr for Country {
    type Err = NoCountry;

    fn from_str(text: &str) -> Result<Self, NoCountry> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(NoCountry),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

/// Where an address is, as far as that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Whereabouts {
    /// In which country.
    pub country: Option<Country>,
    /// Latitude and longitude in degrees.
    pub position: Option<(f64, f64)>,
}

impl Whereabouts {
    /// Kilometres to another place, the short way round the earth; none where one of them has no position.
    #[must_use]
    pub fn distance(&self, other: &Self) -> Option<f64> {
        const EARTH: f64 = 6_371.0;
        let ((lat, lon), (lat2, lon2)) = (self.position?, other.position?);
        let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
        let haversine = half(lat, lat2) + lat.to_radians().cos() * lat2.to_radians().cos() * half(lon, lon2);
        Some(2.0 * EARTH * haversine.clamp(0.0, 1.0).sqrt().asin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_two_letters() {
        assert_eq!("de".parse::<Country>().map(|country| country.to_string()), Ok("DE".to_owned()));
        for text in ["", "D", "DEU", "1A", "Ä", "D "] {
            assert_eq!(text.parse::<Country>(), Err(NoCountry), "{text}");
        }
    }

    #[test]
    fn distances_are_those_of_an_atlas() {
        let at = |lat, lon| Whereabouts { position: Some((lat, lon)), ..Whereabouts::default() };
        let (berlin, sydney) = (at(52.52, 13.40), at(-33.87, 151.21));
        let far = berlin.distance(&sydney).unwrap();
        assert!((16_000.0..16_200.0).contains(&far), "{far}");
        assert_eq!(berlin.distance(&berlin), Some(0.0));
        assert_eq!(berlin.distance(&Whereabouts::default()), None);
        let across = at(0.0, 179.5).distance(&at(0.0, -179.5)).unwrap();
        assert!((100.0..120.0).contains(&across), "{across}");
    }
}
