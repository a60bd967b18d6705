//! The keys that outgoing mail is signed with: OpenDKIM's tables and Rspamd's files. Of a private key only the public half leaves
//! this module.

use std::collections::BTreeMap;

use mailward_audit::facts::{Known, PublicKey, SigningKey};
use mailward_audit::plan::dkim::rspamd;
use mailward_audit::records::{base64, der, dkim};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::round_trip::{self, Signed};

/// Where tables are, for each place where a signer may have them; the first that exists counts.
const OPENDKIM: &[&str] = &["/etc/opendkim", "/etc/dkimkeys", "/tmp/docker-mailserver/opendkim"];
/// Rspamd's directories of keys named `domain.selector.key`, or, in docker-mailserver, `rsa-2048-selector-domain.private.txt`.
const RSPAMD: &[&str] = &[SEARCHED, "/tmp/docker-mailserver/rspamd/dkim"];
/// Where Rspamd looks for a key by its name.
const SEARCHED: &str = "/var/lib/rspamd/dkim";

/// A tree of files: what is in a directory, and what a file holds, with when it was changed.
pub trait Tree {
    /// The names in a directory; none if it does not exist.
    fn list(&self, directory: &str) -> Option<Vec<String>>;
    /// What a file holds.
    ///
    /// # Errors
    /// Why it cannot be read; none if it does not exist.
    fn read(&self, path: &str) -> Result<Vec<u8>, Option<String>>;
    /// When a file was changed, seconds since 1970; 0 if that is not known.
    fn modified(&self, path: &str) -> i64;
}

/// Collects them all. Absent if nothing here signs.
#[must_use]
pub fn collect(tree: &dyn Tree) -> Known<Vec<SigningKey>> {
    let mut keys: Vec<SigningKey> =
        OPENDKIM.iter().find_map(|directory| of_tables(tree, directory)).unwrap_or_default();
    if keys.is_empty() {
        keys.extend(of_one_key(tree));
    }
    let conf = text(tree, "/etc/opendkim.conf").unwrap_or_default();
    let beside =
        setting(&conf, "KeyTable").and_then(|table| Some(path_of(&table).rsplit_once('/')?.0.to_owned()));
    for directory in OPENDKIM.iter().copied().chain(beside.as_deref()) {
        keys.extend(unused(tree, directory, &keys));
    }
    keys.extend(of_rspamd(tree));
    if keys.is_empty() { Known::Absent } else { Known::Is(keys) }
}

fn text(tree: &dyn Tree, path: &str) -> Option<String> {
    tree.read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Lines of a table without comments, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The value of a setting of opendkim.conf(5): the last that is not commented.
fn setting(conf: &str, name: &str) -> Option<String> {
    let values = lines(conf).filter_map(|(_, line)| {
        let (key, value) = line.split_once(char::is_whitespace)?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    values.last()
}

/// The path of a table: `refile:/etc/opendkim/KeyTable`.
fn path_of(table: &str) -> &str {
    table.rsplit_once(':').map_or(table, |(_, path)| path)
}

/// What KeyTable and SigningTable name (opendkim.conf(5)).
fn of_tables(tree: &dyn Tree, directory: &str) -> Option<Vec<SigningKey>> {
    let conf = text(tree, "/etc/opendkim.conf").unwrap_or_default();
    let named = |name: &str| {
        let configured = setting(&conf, name).map(|table| path_of(&table).to_owned());
        configured.filter(|path| text(tree, path).is_some()).unwrap_or_else(|| format!("{directory}/{name}"))
    };
    let table = named("KeyTable");
    let keys = text(tree, &table)?;
    let senders = senders(&text(tree, &named("SigningTable")).unwrap_or_default());
    let entries = lines(&keys);
    Some(
        entries
            .filter_map(|(number, line)| entry(tree, directory, (&table, number), line, &senders))
            .collect(),
    )
}

fn senders(table: &str) -> BTreeMap<String, Vec<String>> {
    let mut senders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, line) in lines(table) {
        if let Some((pattern, name)) = line.split_once(char::is_whitespace) {
            senders.entry(name.trim().to_owned()).or_default().push(pattern.to_owned());
        }
    }
    senders
}

/// `name domain:selector:/path/to/key`.
fn entry(
    tree: &dyn Tree,
    directory: &str,
    (table, number): (&str, usize),
    line: &str,
    senders: &BTreeMap<String, Vec<String>>,
) -> Option<SigningKey> {
    let (name, value) = line.split_once(char::is_whitespace)?;
    let mut parts = value.trim().splitn(3, ':');
    let (domain, selector, place) = (parts.next()?, parts.next()?, parts.next()?);
    // Outside of the container the tables name places inside of it.
    let moved = place.replacen("/etc/opendkim", directory, 1);
    let place = if tree.read(place).is_ok() { place.to_owned() } else { moved };
    Some(SigningKey {
        senders: senders.get(name).cloned().unwrap_or_default(),
        table: format!("{table}:{number}"),
        ..key_at(tree, domain, selector, &place)
    })
}

fn key_at(tree: &dyn Tree, domain: &str, selector: &str, place: &str) -> SigningKey {
    let private = tree.read(place);
    let signed = private
        .as_ref()
        .ok()
        .map(|file| round_trip::sign(file, &domain.to_ascii_lowercase(), &selector.to_ascii_lowercase()));
    let (round_trip, sample) = match signed {
        Some(Signed::Field(field)) => (Known::Unasked, Some(field)),
        Some(Signed::Broken(why)) => (Known::Is(why), None),
        Some(Signed::Not(why)) => (Known::Unread(why), None),
        None => (Known::Unread(format!("the private key {place} could not be read")), None),
    };
    let (place, key) = match private {
        Ok(bytes) => (place.to_owned(), public_half(&bytes, place)),
        Err(Some(why)) => (place.to_owned(), Known::Unread(why)),
        Err(None) => beside(tree, place).unwrap_or_else(|| (place.to_owned(), Known::Absent)),
    };
    SigningKey {
        domain: domain.to_ascii_lowercase(),
        selector: selector.to_ascii_lowercase(),
        modified: if matches!(key, Known::Is(_)) { tree.modified(&place) } else { 0 },
        place,
        key,
        round_trip,
        sample,
        ..SigningKey::default()
    }
}

/// A key of Rspamd's, which takes every key in PEM for one of RSA.
fn rspamd_key_at(tree: &dyn Tree, domain: &str, selector: &str, place: &str) -> SigningKey {
    let key = key_at(tree, domain, selector, place);
    let is_edwards = key.key.known().is_some_and(|public| public.algorithm == "ed25519");
    if !is_edwards || !tree.read(place).is_ok_and(|file| file.starts_with(b"-----")) {
        return key;
    }
    let why = "Rspamd reads no Ed25519 key in PEM, and does not sign with this one: rspamadm dkim_keygen -t ed25519 makes one that it reads";
    SigningKey { round_trip: Known::Is(why.to_owned()), sample: None, ..key }
}

/// The record that opendkim-genkey(8) wrote beside the private key, which is kept away from the collector.
fn beside(tree: &dyn Tree, place: &str) -> Option<(String, Known<PublicKey>)> {
    let place = format!("{}.txt", place.strip_suffix(".private")?);
    let text = text(tree, &place)?;
    let strings: String = text.split('"').skip(1).step_by(2).collect();
    let key = dkim::Record::read(&strings).key?;
    Some((place, Known::Is(public(&key))))
}

fn public(key: &der::Key) -> PublicKey {
    PublicKey {
        algorithm: if matches!(key, der::Key::Rsa { .. }) { "rsa" } else { "ed25519" }.to_owned(),
        bits: key.bits(),
        base64: base64::encode(&key.published()),
    }
}

/// `keys/<domain>/<selector>.private` that no table names.
fn unused(tree: &dyn Tree, directory: &str, named: &[SigningKey]) -> Vec<SigningKey> {
    let keys = format!("{directory}/keys");
    let mut found = Vec::new();
    for domain in tree.list(&keys).unwrap_or_default() {
        for file in tree.list(&format!("{keys}/{domain}")).unwrap_or_default() {
            let Some(selector) = file.strip_suffix(".private") else { continue };
            let same = |key: &SigningKey| key.domain == domain && key.selector == selector;
            if !named.iter().any(same) {
                found.push(key_at(tree, &domain, selector, &format!("{keys}/{domain}/{file}")));
            }
        }
    }
    found
}

/// `Domain`, `Selector` and `KeyFile` of opendkim.conf(5), for a signer without tables.
fn of_one_key(tree: &dyn Tree) -> Vec<SigningKey> {
    let conf = text(tree, "/etc/opendkim.conf").unwrap_or_default();
    let [Some(domains), Some(selector), Some(place)] =
        ["Domain", "Selector", "KeyFile"].map(|name| setting(&conf, name))
    else {
        return Vec::new();
    };
    let domains = domains.split(',').map(str::trim).filter(|domain| domain.contains('.'));
    let key = |domain: &str| SigningKey {
        senders: vec![domain.to_owned()],
        table: "/etc/opendkim.conf".to_owned(),
        ..key_at(tree, domain, &selector, &place)
    };
    domains.map(key).collect()
}

/// The keys that Rspamd's files name, and those that lie where it looks by their names.
fn of_rspamd(tree: &dyn Tree) -> Vec<SigningKey> {
    let files: Vec<(&str, String)> =
        rspamd::FILES.iter().filter_map(|file| Some((*file, text(tree, file)?))).collect();
    let key = |file: &str, key: rspamd::Signing| SigningKey {
        senders: vec![key.domain.clone()],
        table: format!("{file}:{}", key.line),
        ..rspamd_key_at(tree, &key.domain, &key.selector, &key.path)
    };
    let mut keys: Vec<SigningKey> = Vec::new();
    for (file, text) in &files {
        if rspamd::names_any(text) {
            keys.clear();
        }
        keys.extend(rspamd::named(file, text).into_iter().map(|named| key(file, named)));
    }
    for (file, conf) in files.iter().rev() {
        let mapped = rspamd::mapped(conf, &|path| text(tree, path)).into_iter();
        let new: Vec<_> = mapped.filter(|one| !keys.iter().any(|known| known.domain == one.domain)).collect();
        keys.extend(new.into_iter().map(|one| key(file, one)));
    }
    let selector = files.iter().rev().find_map(|(_, text)| rspamd::selector(text));
    let selector = selector.as_deref().unwrap_or(rspamd::SELECTOR);
    let by_name: Vec<SigningKey> =
        RSPAMD.iter().flat_map(|directory| by_name(tree, directory, &keys, selector)).collect();
    keys.extend(by_name);
    keys
}

/// Keys in a folder that nothing names. Of a domain without a name Rspamd uses the one with the selector that is set for all.
fn by_name(tree: &dyn Tree, directory: &str, named: &[SigningKey], selector: &str) -> Vec<SigningKey> {
    let names = tree.list(directory).unwrap_or_default();
    let key = |file: String| {
        let (domain, own) = rspamd_name(&file)?;
        let mut known = named.iter().filter(|key| key.domain == domain).peekable();
        let is_found = directory == SEARCHED && file == format!("{domain}.{selector}.key");
        let used = is_found && known.peek().is_none();
        if known.any(|key| key.selector == own) {
            return None;
        }
        Some(SigningKey {
            senders: if used { vec![domain.clone()] } else { Vec::new() },
            table: directory.to_owned(),
            ..rspamd_key_at(tree, &domain, &own, &format!("{directory}/{file}"))
        })
    };
    names.into_iter().filter_map(key).collect()
}

/// Domain and selector of `example.org.mail.key` and of `rsa-2048-mail-example.org.private.txt`.
fn rspamd_name(file: &str) -> Option<(String, String)> {
    if let Some(stem) = file.strip_suffix(".key") {
        let (domain, selector) = stem.rsplit_once('.')?;
        return Some((domain.to_owned(), selector.to_owned()));
    }
    let mut parts = file.strip_suffix(".private.txt")?.splitn(4, '-');
    let kind = parts.next()?;
    let rest: Vec<&str> = parts.collect();
    match (kind, rest.as_slice()) {
        ("rsa", [_, selector, domain]) => Some(((*domain).to_owned(), (*selector).to_owned())),
        ("ed25519", [selector, domain]) => Some(((*domain).to_owned(), (*selector).to_owned())),
        _ => None,
    }
}

/// The public half of a private key.
fn public_half(file: &[u8], place: &str) -> Known<PublicKey> {
    let key = round_trip::private(file).and_then(|(key, _)| match key {
        der::Key::Ed25519(seed) => {
            let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
            Some(der::Key::Ed25519(pair.public_key().as_ref().to_vec()))
        }
        key @ der::Key::Rsa { .. } => Some(key),
    });
    match key {
        Some(key) => Known::Is(public(&key)),
        None => Known::Unread(format!(
            "{place} holds no private RSA or Ed25519 key: openssl pkey -in {place} -noout -text"
        )),
    }
}
