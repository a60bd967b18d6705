//! Signing keys: what is told of them is what openssl says, and nothing private.

use std::path::Path;
use std::process::Command;

use mailward_audit::Known;
use mailward_audit::facts::SigningKey;
use mailward_probe::dns::signing_keys;
use mailward_probe::{Mount, Place, Tree};

fn openssl(arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("/usr/bin/openssl").args(arguments).output().ok()?;
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// A directory that stands in for `/etc/opendkim` and `/var/lib/rspamd/dkim`.
fn tree(directory: &Path) -> Tree {
    let mount = |inside: &str, name: &str| Mount { host: directory.join(name), inside: inside.to_owned() };
    let mounts = vec![
        mount("/etc/opendkim", "opendkim"),
        mount("/etc/opendkim.conf", "opendkim.conf"),
        mount("/var/lib/rspamd/dkim", "rspamd"),
        mount("/etc/rspamd", "etc-rspamd"),
        mount("/tmp/docker-mailserver", "none"),
        mount("/etc/dkimkeys", "none"),
    ];
    Tree::new(Place::here(), mounts)
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    let parent = path.parent().unwrap_or(directory);
    std::fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{error}"));
}

fn found(directory: &Path) -> Vec<SigningKey> {
    match signing_keys(&tree(directory)) {
        Known::Is(keys) => keys,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_public_half_is_the_one_that_openssl_computes() {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let at = |name: &str| directory.path().join(name).display().to_string();
    if openssl(&["version"]).is_none() {
        eprintln!("SKIPPED: openssl is not installed");
        return;
    }
    let keys = [
        ("rsa2048", vec!["genrsa", "-out"], vec!["2048"], "rsa", 2048),
        ("rsa1024", vec!["genrsa", "-traditional", "-out"], vec!["1024"], "rsa", 1024),
        ("ed25519", vec!["genpkey", "-algorithm", "ed25519", "-out"], vec![], "ed25519", 256),
    ];
    let mut key_table = "# a comment\n".to_owned();
    let mut signing_table = String::new();
    for (selector, before, after, ..) in &keys {
        write(directory.path(), &format!("opendkim/keys/example.org/{selector}.private"), "");
        let path = at(&format!("opendkim/keys/example.org/{selector}.private"));
        let arguments: Vec<&str> =
            before.iter().copied().chain([path.as_str()]).chain(after.iter().copied()).collect();
        openssl(&arguments);
        key_table += &format!(
            "key-{selector} example.org:{selector}:/etc/opendkim/keys/example.org/{selector}.private\n"
        );
        signing_table += &format!("*@{selector}.example.org key-{selector}\n");
    }
    write(directory.path(), "opendkim/KeyTable", &key_table);
    write(directory.path(), "opendkim/SigningTable", &signing_table);
    let found = found(directory.path());
    assert_eq!(found.len(), 3, "{found:?}");
    for (key, (selector, .., algorithm, bits)) in found.iter().zip(&keys) {
        let Known::Is(public) = &key.key else { panic!("{key:?}") };
        assert_eq!(
            (key.selector.as_str(), public.algorithm.as_str(), public.bits),
            (*selector, *algorithm, *bits)
        );
        assert_eq!(key.senders, [format!("*@{selector}.example.org")]);
        assert!(key.modified > 1_700_000_000, "{key:?}");
        let path = at(&format!("opendkim/keys/example.org/{selector}.private"));
        let der = openssl(&["pkey", "-in", &path, "-pubout", "-outform", "DER"]).unwrap_or_default();
        // An Ed25519 record holds the last 32 octets only (RFC 8463 4.2).
        let expected = if *algorithm == "rsa" { &der[..] } else { &der[der.len() - 32..] };
        assert_eq!(
            mailward_audit::records::base64::decode(&public.base64).as_deref(),
            Some(expected),
            "{selector}"
        );
        let private = std::fs::read_to_string(&path).unwrap_or_default();
        let told = serde_json::to_string(key).unwrap_or_default();
        // The modulus stands in the private key as well, at its beginning.
        let secret = private.lines().rev().skip(1).take(2).any(|line| told.contains(line));
        assert!(!secret, "{selector}: the private key is in the facts");
    }
}

#[test]
fn a_record_beside_a_missing_key_tells_the_key() {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    write(
        directory.path(),
        "opendkim/KeyTable",
        "k example.org:mail:/etc/opendkim/keys/example.org/mail.private\n",
    );
    write(directory.path(), "opendkim/SigningTable", "*@example.org k\n");
    write(
        directory.path(),
        "opendkim/keys/example.org/mail.txt",
        "mail._domainkey IN TXT ( \"v=DKIM1; k=ed25519; \"\n  \"p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\" ) ; ----- DKIM key\n",
    );
    let keys = found(directory.path());
    let Some(SigningKey { key: Known::Is(public), place, .. }) = keys.first() else { panic!("{keys:?}") };
    assert_eq!(public.base64, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    assert!(place.ends_with("mail.txt"));
}

#[test]
fn keys_that_no_table_names_and_keys_of_rspamd_are_told() {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    write(
        directory.path(),
        "opendkim/KeyTable",
        "k example.org:mail:/etc/opendkim/keys/example.org/mail.private\n",
    );
    write(directory.path(), "opendkim/keys/example.org/old.private", "no key");
    write(directory.path(), "rspamd/example.net.dkim.key", "no key");
    write(directory.path(), "rspamd/rsa-2048-mail-example.com.private.txt", "no key");
    // Rspamd does not look for this name, unless `selector` is set to it.
    write(directory.path(), "rspamd/example.net.old.key", "no key");
    write(directory.path(), "rspamd/readme", "");
    let keys = found(directory.path());
    let told: Vec<_> =
        keys.iter().map(|key| (key.domain.as_str(), key.selector.as_str(), key.senders.len())).collect();
    assert_eq!(
        told,
        [
            ("example.org", "mail", 0),
            ("example.org", "old", 0),
            ("example.net", "dkim", 1),
            ("example.net", "old", 0),
            ("example.com", "mail", 0)
        ]
    );
    assert!(matches!(keys.first().map(|key| &key.key), Some(Known::Absent)), "{keys:?}");
    assert!(keys.iter().skip(1).all(|key| matches!(key.key, Known::Unread(_))), "{keys:?}");
}

/// Rspamd's maps of selectors and paths, and a block, which counts before them.
#[test]
fn keys_of_rspamds_maps_are_told() {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let conf = "selector_map = \"$LOCAL_CONFDIR/selectors.map\";\npath_map = \"/etc/rspamd/paths.map\";\n\
                domain {\n  example.com { selector = \"block\"; path = \"/var/lib/rspamd/dkim/c.key\"; }\n}\n";
    write(directory.path(), "etc-rspamd/local.d/dkim_signing.conf", conf);
    write(
        directory.path(),
        "etc-rspamd/selectors.map",
        "# selectors\nexample.org mail\nExample.com x\nexample.edu y\n",
    );
    write(
        directory.path(),
        "etc-rspamd/paths.map",
        "example.org /var/lib/rspamd/dkim/$domain.$selector.pem\nexample.net /var/lib/rspamd/dkim/n.key\n",
    );
    for name in ["example.org.mail.pem", "n.key", "c.key", "example.org.old.key"] {
        write(directory.path(), &format!("rspamd/{name}"), "no key");
    }
    let keys = found(directory.path());
    let told: Vec<_> = keys
        .iter()
        .map(|key| {
            (&*key.domain, &*key.selector, key.place.rsplit('/').next().unwrap_or(""), key.senders.len())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("example.com", "block", "c.key", 1),
            ("example.edu", "y", "example.edu.y.key", 1),
            ("example.net", "dkim", "n.key", 1),
            ("example.org", "mail", "example.org.mail.pem", 1),
            ("example.org", "old", "example.org.old.key", 0),
        ]
    );
}

/// A docker-mailserver whose container does not answer: its config volume tells all but the private halves.
#[test]
fn the_config_volume_of_docker_mailserver_tells_its_keys() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures/dms-incident/docker-data/dms/config");
    if !config.exists() {
        eprintln!("SKIPPED: {} is not there", config.display());
        return;
    }
    let mount = Mount { host: config, inside: "/tmp/docker-mailserver".to_owned() };
    let tree = Tree::new(Place::behind(&["/usr/bin/false".to_owned()]), vec![mount]);
    let Known::Is(keys) = signing_keys(&tree) else { panic!("no keys") };
    let told: Vec<_> = keys
        .iter()
        .map(|key| {
            (
                key.domain.as_str(),
                key.selector.as_str(),
                key.senders.join(" "),
                key.key.known().map(|key| key.bits),
            )
        })
        .collect();
    let of = |domain: &str| format!("*@{domain}");
    assert_eq!(
        told,
        [
            ("example.net", "mail", of("example.net"), Some(2048)),
            ("example.org", "mail", of("example.org"), Some(2048)),
        ]
    );
}

#[test]
fn nothing_that_signs_is_absent() {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(signing_keys(&tree(directory.path())), Known::Absent);
}
