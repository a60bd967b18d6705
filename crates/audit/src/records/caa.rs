//! CAA records (RFC 8659, RFC 8657).

/// A CAA record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caa {
    /// Whether a CA that does not know the property must refuse.
    pub critical: bool,
    /// `issue`, `issuewild`, `iodef`, ...
    pub property: String,
    /// The CA's domain, or the value of another property; empty forbids all.
    pub value: String,
    /// Parameters of `issue`: `accounturi`, `validationmethods`.
    pub parameters: Vec<(String, String)>,
}

impl Caa {
    /// Reads presentation format, with or without quotes: `0 issue letsencrypt.org`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut fields = text.splitn(3, ' ');
        let flags: u8 = fields.next()?.parse().ok()?;
        let property = fields.next()?.to_ascii_lowercase();
        let rest = fields.next().unwrap_or_default().trim().trim_matches('"');
        let (value, parameters) = if property.starts_with("issue") {
            let mut parts = rest.split(';').map(str::trim);
            let value = parts.next().unwrap_or_default().to_ascii_lowercase();
            let pairs = parts.filter_map(|part| part.split_once('='));
            (value, pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect())
        } else {
            (rest.to_owned(), Vec::new())
        };
        Some(Self { critical: flags & 128 != 0, property, value, parameters })
    }
}

/// CAA domains of the CAs that mail servers commonly use, by a word in the issuer's organisation.
const AUTHORITIES: &[(&str, &[&str])] = &[
    ("let's encrypt", &["letsencrypt.org"]),
    ("zerossl", &["sectigo.com", "zerossl.com"]),
    ("sectigo", &["sectigo.com", "comodoca.com", "comodo.com", "usertrust.com", "trust-provider.com"]),
    ("google trust", &["pki.goog"]),
    ("buypass", &["buypass.com", "buypass.no"]),
    ("digicert", &["digicert.com", "symantec.com", "geotrust.com", "rapidssl.com", "thawte.com"]),
    ("globalsign", &["globalsign.com"]),
    ("ssl corporation", &["ssl.com"]),
    ("actalis", &["actalis.it"]),
    ("godaddy", &["godaddy.com", "starfieldtech.com"]),
    ("entrust", &["entrust.net", "affirmtrust.com"]),
    ("harica", &["harica.gr"]),
    ("certum", &["certum.pl", "certum.eu"]),
    ("swisssign", &["swisssign.com"]),
    ("telesec", &["telesec.de"]),
    ("gandi", &["sectigo.com", "gandi.net"]),
];

/// The CAA domains of the CA that an issuer's name tells of; none if the CA is not known here.
#[must_use]
pub fn domains_of(issuer: &str) -> Option<&'static [&'static str]> {
    let issuer = issuer.to_ascii_lowercase();
    AUTHORITIES.iter().find(|(word, _)| issuer.contains(word)).map(|(_, domains)| *domains)
}
