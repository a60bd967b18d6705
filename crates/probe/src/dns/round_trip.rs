//! A built-in message, signed with a private key as the server's signer would, and verified with the published record as a stranger
//! would (RFC 6376, RFC 8463). Nobody sends the message, and its author's domain does not exist: it is worth nothing to others.

use mailward_audit::Known;
use mailward_audit::facts::SigningKey;
use mailward_audit::records::tags::Tags;
use mailward_audit::records::{base64, der, dkim};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ED25519, Ed25519KeyPair, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

/// The signed fields and the body, in the form that `relaxed` makes of them.
const FIELDS: &str = "from:Mailward <audit@mailward.invalid>\r\nsubject:a message that nobody sends\r\n";
const BODY: &str = "Only signed and verified.\r\n";

/// What was signed, or why it could not be.
pub(super) enum Signed {
    /// The value of the DKIM-Signature field.
    Field(String),
    /// The key is broken; how.
    Broken(String),
    /// This kind of key is not signed with here; why.
    Not(String),
}

/// Signs the message with the private key of a file.
pub(super) fn sign(file: &[u8], domain: &str, selector: &str) -> Signed {
    match private(file) {
        Some((der::Key::Ed25519(seed), _)) => ed25519(&seed, domain, selector),
        Some((key @ der::Key::Rsa { .. }, _)) if key.bits() < 2048 => {
            Signed::Not(format!("a key of {} bit is not signed with here", key.bits()))
        }
        Some((der::Key::Rsa { .. }, octets)) => rsa(&octets, domain, selector),
        None => Signed::Not("it is no RSA or Ed25519 key".to_owned()),
    }
}

/// The private key of a file and its octets: DER in PEM, or, as Rspamd has Ed25519 keys, the 32 octets of the seed, with those of the
/// public key behind them or without, plain or in base64.
pub(super) fn private(file: &[u8]) -> Option<(der::Key, Vec<u8>)> {
    let text = String::from_utf8_lossy(file);
    let body: String = text.lines().filter(|line| !line.starts_with('-') && !line.contains(':')).collect();
    let octets = Some(file.to_vec()).filter(|file| is_plain(file)).or_else(|| base64::decode(&body))?;
    let key = match octets.get(..32).filter(|_| is_plain(&octets)) {
        Some(seed) => der::Key::Ed25519(seed.to_vec()),
        None => der::Key::private(&octets)?,
    };
    Some((key, octets))
}

const fn is_plain(octets: &[u8]) -> bool {
    matches!(octets.len(), 32 | 64)
}

fn rsa(octets: &[u8], domain: &str, selector: &str) -> Signed {
    let read = match RsaKeyPair::from_pkcs8(octets) {
        // PKCS #1, as OpenDKIM's own tool writes it.
        Err(why) if why.to_string() == "InvalidEncoding" => RsaKeyPair::from_der(octets),
        read => read,
    };
    let pair = match read {
        Ok(pair) => pair,
        Err(why) if why.to_string() == "TooLarge" => {
            return Signed::Not("a key of more than 4096 bit is not signed with here".to_owned());
        }
        Err(why) => return Signed::Broken(format!("the private key does not hold together ({why})")),
    };
    let field = unsigned("rsa-sha256", domain, selector);
    let mut signature = vec![0; pair.public().modulus_len()];
    match pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), hashed(&field).as_bytes(), &mut signature) {
        Ok(()) => Signed::Field(field + &base64::encode(&signature)),
        Err(_) => Signed::Broken("nothing can be signed with the private key".to_owned()),
    }
}

fn ed25519(seed: &[u8], domain: &str, selector: &str) -> Signed {
    let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(seed) else {
        return Signed::Broken("the private key has not 32 octets".to_owned());
    };
    let field = unsigned("ed25519-sha256", domain, selector);
    // RFC 8463 section 3: it is the hash that is signed.
    let signature = pair.sign(digest(&SHA256, hashed(&field).as_bytes()).as_ref());
    Signed::Field(field + &base64::encode(signature.as_ref()))
}

/// The field's value up to and with an empty `b=`.
fn unsigned(algorithm: &str, domain: &str, selector: &str) -> String {
    let body = base64::encode(digest(&SHA256, BODY.as_bytes()).as_ref());
    format!("v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector}; h=from:subject; bh={body}; b=")
}

/// What the signature is over (RFC 6376 section 3.7): the fields, then the signature's own with an empty `b=` and no line's end.
fn hashed(unsigned: &str) -> String {
    format!("{FIELDS}dkim-signature:{unsigned}")
}

/// Verifies a field that [`sign`] made, with the records at its selector.
fn verify(field: &str, records: &[String]) -> Result<(), String> {
    let [record] = records else {
        return Err(format!("there are {} records at the selector, not one", records.len()));
    };
    let record = dkim::Record::read(record);
    if let Some(problem) = record.problems.first() {
        return Err(problem.clone());
    }
    let Some(key) = record.key else { return Err("the record holds no key".to_owned()) };
    let tags = Tags::read(field);
    let algorithm = tags.get("a").unwrap_or_default();
    let signature = tags.get("b").and_then(base64::decode).unwrap_or_default();
    let unsigned = field.rfind(" b=").and_then(|at| field.get(..at + 3)).unwrap_or(field);
    let message = hashed(unsigned);
    let verified = match (&key, algorithm) {
        (der::Key::Rsa { modulus, exponent }, "rsa-sha256") => {
            RsaPublicKeyComponents { n: modulus, e: exponent }.verify(
                &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                message.as_bytes(),
                &signature,
            )
        }
        (der::Key::Ed25519(public), "ed25519-sha256") => UnparsedPublicKey::new(&ED25519, public)
            .verify(digest(&SHA256, message.as_bytes()).as_ref(), &signature),
        _ => return Err(format!("the record's key is of another kind than a={algorithm}")),
    };
    verified.map_err(|_| "the signature does not verify with the published key".to_owned())
}

/// Verifies what was signed with each key, as far as the DNS told its record.
pub(super) fn verify_all(dns: &mut mailward_audit::facts::Dns) {
    let mut signing = std::mem::take(&mut dns.signing);
    if let Known::Is(keys) = &mut signing {
        keys.iter_mut().for_each(|key| verify_one(dns, key));
    }
    dns.signing = signing;
}

fn verify_one(dns: &mailward_audit::facts::Dns, key: &mut SigningKey) {
    let Some(field) = key.sample.take() else { return };
    let name = format!("{}._domainkey.{}", key.selector, key.domain);
    key.round_trip = match dns.records("TXT", &name) {
        Ok(records) => Known::Is(verify(&field, records).err().unwrap_or_default()),
        Err(mailward_audit::Untold::NotApplicable(why) | mailward_audit::Untold::CouldNotTell(why)) => {
            Known::Unread(why)
        }
    };
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn openssl(arguments: &[&str]) -> Option<String> {
        let output = Command::new("/usr/bin/openssl").args(arguments).output().ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap())
    }

    /// A new key in PEM, and its record.
    fn pair(arguments: &[&str]) -> Option<(String, String)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key").display().to_string();
        let Some(_) = openssl(&[arguments, &["-out", &path]].concat()) else {
            eprintln!("SKIPPED: openssl is not installed");
            return None;
        };
        let public = openssl(&["pkey", "-in", &path, "-pubout"]).unwrap();
        let public: String = public.lines().filter(|line| !line.starts_with('-')).collect();
        let key = der::Key::public(&base64::decode(&public).unwrap()).unwrap();
        let kind = if matches!(key, der::Key::Rsa { .. }) { "rsa" } else { "ed25519" };
        let record = format!("v=DKIM1; k={kind}; p={}", base64::encode(&key.published()));
        Some((std::fs::read_to_string(&path).unwrap(), record))
    }

    fn field(pem: &str) -> String {
        match sign(pem.as_bytes(), "example.org", "mail") {
            Signed::Field(field) => field,
            Signed::Broken(why) | Signed::Not(why) => panic!("{why}"),
        }
    }

    const RSA: &[&str] = &["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"];
    const EDWARDS: &[&str] = &["genpkey", "-algorithm", "ed25519"];

    #[test]
    fn what_a_key_signs_its_record_verifies_and_no_other() {
        let (Some(rsa), Some(edwards), Some(other)) = (pair(RSA), pair(EDWARDS), pair(RSA)) else { return };
        let Some(old) = pair(&["genrsa", "-traditional"]) else { return };
        for (pem, record) in [&rsa, &edwards, &old] {
            let field = field(pem);
            assert_eq!(verify(&field, std::slice::from_ref(record)), Ok(()));
            for (records, why) in [
                (vec![other.1.clone()], "verif kind"),
                (vec![], "0 records"),
                (vec![record.clone(), record.clone()], "2 records"),
                (vec![format!("{record}; s=tlsrpt")], "not for mail"),
                (vec!["v=DKIM1; p=".to_owned()], "no key"),
            ] {
                let said = verify(&field, &records).unwrap_err();
                assert!(why.split(' ').any(|word| said.contains(word)), "{records:?}: {said}");
            }
            let turned = field.replace("d=example.org", "d=example.net");
            assert!(verify(&turned, std::slice::from_ref(record)).is_err());
        }
    }

    #[test]
    fn an_ed25519_key_is_read_however_rspamd_reads_it() {
        let Some((pem, record)) = pair(EDWARDS) else { return };
        let Some((der::Key::Ed25519(seed), _)) = private(pem.as_bytes()) else { panic!("{pem}") };
        let public = base64::decode(record.rsplit_once("p=").unwrap().1).unwrap();
        let whole = [seed.clone(), public].concat();
        let encoded = base64::encode(&seed) + "\n";
        for file in [&seed, encoded.as_bytes(), &whole, base64::encode(&whole).as_bytes()] {
            let Signed::Field(field) = sign(file, "example.org", "mail") else { panic!("{file:?}") };
            assert_eq!(verify(&field, std::slice::from_ref(&record)), Ok(()));
        }
        assert!(private(&[7; 33]).is_none());
    }

    #[test]
    fn short_and_broken_keys_say_so() {
        let Some((short, _)) = pair(&["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024"])
        else {
            return;
        };
        assert!(
            matches!(sign(short.as_bytes(), "example.org", "mail"), Signed::Not(why) if why.contains("1024"))
        );
        assert!(matches!(sign(b"-----BEGIN X-----\n*\n", "example.org", "mail"), Signed::Not(_)));
        let Some((whole, _)) = pair(RSA) else { return };
        // Another octet at the end of the last number: the parts no longer belong together.
        let mut octets =
            base64::decode(&whole.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
        *octets.last_mut().unwrap() ^= 1;
        assert!(matches!(sign(base64::encode(&octets).as_bytes(), "example.org", "mail"), Signed::Broken(_)));
    }

    /// Another implementation verifies it, too.
    #[test]
    fn dkimpy_agrees() {
        let script = "import sys, dkim\nraw, record = sys.stdin.buffer.read().split(b'\\0')\n\
                      print(dkim.verify(raw, dnsfunc=lambda *a, **k: record))";
        let there = Command::new("/usr/bin/python3").args(["-c", "import dkim"]).output();
        if !there.is_ok_and(|said| said.status.success()) {
            eprintln!("SKIPPED: python3-dkim is not installed");
            return;
        }
        for arguments in [RSA, EDWARDS] {
            let Some((pem, record)) = pair(arguments) else { return };
            let mail = format!(
                "DKIM-Signature: {}\r\nFrom: Mailward <audit@mailward.invalid>\r\nSubject: a message that nobody sends\r\n\
                 \r\n{BODY}\0{record}",
                field(&pem)
            );
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), mail).unwrap();
            let input = std::fs::File::open(file.path()).unwrap();
            let said = Command::new("/usr/bin/python3").args(["-c", script]).stdin(input).output().unwrap();
            assert_eq!(
                String::from_utf8_lossy(&said.stdout),
                "True\n",
                "{}",
                String::from_utf8_lossy(&said.stderr)
            );
        }
    }
}
