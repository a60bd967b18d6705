//! The steps of a key's life, from facts alone.

use super::*;
use crate::facts::{Answer, File, PublicKey};
use crate::plan::Layout;
use crate::plan::edit::rewrite;

const NOW: i64 = 1_795_305_600; // 2026-11-22

/// The octets of a key of this many bit, as a record has them: a DER sequence around a modulus.
fn public(bits: usize, first: u8) -> String {
    let number = |octets: &[u8]| {
        let mut der = vec![0x02];
        length(&mut der, octets.len());
        der.extend(octets);
        der
    };
    let mut modulus = vec![0, 0x80 | first];
    modulus.resize(bits / 8 + 1, 0x5b);
    let pair = [number(&modulus), number(&[1, 0, 1])].concat();
    let key = sequence(&pair);
    let algorithm =
        [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let mut string = vec![0x03];
    length(&mut string, key.len() + 1);
    string.push(0);
    base64::encode(&sequence(&[algorithm.as_slice(), &string, &key].concat()))
}

fn length(der: &mut Vec<u8>, length: usize) {
    match length {
        0..0x80 => der.push(u8::try_from(length).unwrap()),
        0x80..0x100 => der.extend([0x81, u8::try_from(length).unwrap()]),
        _ => {
            der.push(0x82);
            der.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
}

fn sequence(inner: &[u8]) -> Vec<u8> {
    let mut der = vec![0x30];
    length(&mut der, inner.len());
    der.extend(inner);
    der
}

/// A server of example.org whose name server is ns.example.net.
struct Scene {
    facts: Facts,
}

impl Scene {
    fn new() -> Self {
        let mut facts = Facts::default();
        facts.about.taken = day(NOW, "%Y-%m-%dT%H:%M:%SZ");
        facts.dns.resolver = Known::Is("192.0.2.53".to_owned());
        facts.dns.domains = vec!["example.org".to_owned()];
        facts.dns.signing = Known::Is(Vec::new());
        let mut scene = Self { facts };
        scene.file("/etc/opendkim.conf", "KeyTable /etc/opendkim/KeyTable\nSigningTable refile:/etc/opendkim/SigningTable\nUserID opendkim\n", 0);
        scene.answer("NS example.org", &["ns.example.net"]);
        scene.answer("A ns.example.net", &["192.0.2.1"]);
        scene
    }

    fn file(&mut self, path: &str, text: &str, modified: i64) {
        let file = File { modified, ..File::of(text) };
        self.facts.files.insert(path.to_owned(), Known::Is(file));
    }

    fn answer(&mut self, question: &str, records: &[&str]) {
        let answer = if records.is_empty() { Answer::nothing() } else { Answer::of(records.iter().copied()) };
        self.facts.dns.answers.insert(question.to_owned(), Known::Is(answer));
    }

    /// A key of a selector that was made some days ago; with `used`, mail is signed with it.
    fn key(&mut self, selector: &str, bits: u32, days: i64, used: bool) {
        let place = format!("/etc/opendkim/keys/example.org/{selector}.private");
        let first = selector.bytes().fold(0_u8, u8::wrapping_add);
        let key = SigningKey {
            domain: "example.org".to_owned(),
            selector: selector.to_owned(),
            place,
            table: "/etc/opendkim/KeyTable:1".to_owned(),
            senders: if used { vec!["*@example.org".to_owned()] } else { Vec::new() },
            key: Known::Is(PublicKey {
                algorithm: "rsa".to_owned(),
                bits,
                base64: public(bits as usize, first & 0x7f),
            }),
            modified: NOW - days * DAY,
            ..SigningKey::default()
        };
        let zone = format!("_domainkey.{}", key.domain);
        self.answer(&format!("NS {zone}"), &[]);
        self.answer(&format!("NS {selector}.{zone}"), &[]);
        self.keys().push(key);
    }

    fn keys(&mut self) -> &mut Vec<SigningKey> {
        let Known::Is(keys) = &mut self.facts.dns.signing else { unreachable!() };
        keys
    }

    /// The key that was made last is another domain's, another kind's, elsewhere.
    fn with(&mut self, turn: impl FnOnce(&mut SigningKey)) {
        turn(self.keys().last_mut().unwrap());
    }

    fn published(&mut self, selector: &str, at: &[&str], there: bool) {
        let Known::Is(keys) = &self.facts.dns.signing else { unreachable!() };
        let key = keys.iter().find(|key| key.selector == selector).unwrap().key.known().unwrap();
        let record = format!("v=DKIM1; k={}; p={}", key.algorithm, key.base64);
        let records: &[&str] = if there { &[&record] } else { &[] };
        for end in at {
            self.answer(&format!("TXT {selector}._domainkey.example.org{end}"), records);
        }
    }

    fn step(&self, renew: bool) -> (Step, Plan) {
        let wishes = Wishes { renew, ..Wishes::default() };
        let found = rotations(&Server::new(&self.facts), &wishes).unwrap();
        (found.first().unwrap().step.clone(), plan(&self.facts, &found))
    }

    /// A file once the plan's changes of it are made.
    fn after(&self, plan: &Plan, path: &str) -> String {
        let layout = Layout::of(&self.facts);
        let own: Vec<&Change> = plan
            .steps
            .iter()
            .map(|step| &step.change)
            .filter(|change| layout.file(change).as_deref() == Some(path))
            .collect();
        let mut text = self.facts.text(path).unwrap_or_default().map(str::to_owned);
        for change in own {
            text = Some(rewrite(layout.format(change), path, text.as_deref(), change).unwrap());
        }
        text.unwrap_or_default()
    }
}

const ALL: [&str; 2] = ["", " @192.0.2.1"];

fn tables(scene: &mut Scene, days: i64) {
    let line = "mail._domainkey.example.org example.org:mail:/etc/opendkim/keys/example.org/mail.private\n";
    scene.file("/etc/opendkim/KeyTable", line, NOW - 400 * DAY);
    scene.file(
        "/etc/opendkim/SigningTable",
        "*@example.net other\n*@example.org\tmail._domainkey.example.org\n",
        NOW - days * DAY,
    );
}

#[test]
fn a_key_goes_through_its_six_steps() {
    let mut scene = Scene::new();
    tables(&mut scene, 400);
    scene.key("mail", 2048, 100, true);
    assert!(matches!(scene.step(false).0, Step::Rest { days: 100, .. }));

    let (step, plan) = scene.step(true);
    assert_eq!(
        step,
        Step::Make {
            name: "r20261122._domainkey.example.org".to_owned(),
            why: "you asked for it".to_owned()
        }
    );
    assert_eq!(
        plan.steps.first().unwrap().change,
        Change::Key {
            file: "/etc/opendkim/keys/example.org/r20261122.private".to_owned(),
            algorithm: Algorithm::Rsa,
            owner: Some("opendkim".to_owned())
        }
    );

    scene.key("r20261122", 2048, 0, false);
    scene.published("r20261122", &ALL, false);
    let (step, plan) = scene.step(false);
    let Step::Publish { value, missing, .. } = step else { panic!("{step:?}") };
    assert_eq!(missing, ["192.0.2.53", "ns.example.net"]);
    assert!(value.starts_with("\"v=DKIM1; k=rsa; p=") && value.contains("\" \""), "{value}");
    assert!(plan.steps.is_empty() && plan.publish.len() == 1);

    scene.published("r20261122", &[""], true);
    let (step, plan) = scene.step(false);
    assert!(matches!(&step, Step::Publish { missing, .. } if missing == &["ns.example.net"]), "{step:?}");
    assert!(plan.steps.is_empty(), "one name server does not have it yet");

    scene.published("r20261122", &ALL, true);
    let (step, plan) = scene.step(false);
    assert!(matches!(step, Step::Switch { .. }));
    assert_eq!(
        scene.after(&plan, "/etc/opendkim/SigningTable"),
        "*@example.net other\n*@example.org\tr20261122._domainkey.example.org\n"
    );
    assert!(scene.after(&plan, "/etc/opendkim/KeyTable").ends_with(
        "\nr20261122._domainkey.example.org example.org:r20261122:/etc/opendkim/keys/example.org/r20261122.private\n"
    ));
}

#[test]
fn an_old_key_waits_for_mail_under_way_and_goes_after_its_record() {
    let mut scene = Scene::new();
    tables(&mut scene, 6);
    scene.key("mail", 2048, 100, false);
    scene.key("r20261116", 2048, 7, true);
    scene.published("mail", &ALL, true);
    assert!(matches!(scene.step(false).0, Step::Wait { until, .. } if until == "2026-11-23"));
    tables(&mut scene, 7);
    let (step, plan) = scene.step(false);
    assert_eq!(step, Step::Withdraw { name: "mail._domainkey.example.org".to_owned() });
    assert!(plan.steps.is_empty());
    scene.published("mail", &[""], false);
    assert!(matches!(scene.step(false).0, Step::Withdraw { .. }), "the name server has it still");
    scene.published("mail", &ALL, false);
    let (step, plan) = scene.step(false);
    assert!(matches!(step, Step::Remove { .. }));
    assert_eq!(scene.after(&plan, "/etc/opendkim/KeyTable"), "");
    let file = "/etc/opendkim/keys/example.org/mail.private".to_owned();
    assert_eq!(plan.steps.last().unwrap().change, Change::Remove { file });
}

/// What docker-mailserver reads is a copy of its volume, which is what lasts.
#[test]
fn keys_of_docker_mailserver_are_those_of_its_volume() {
    let mut scene = Scene::new();
    scene.facts.about.deployment = Deployment::DockerMailserver;
    let folder = "/tmp/docker-mailserver/opendkim";
    let table = "mail._domainkey.example.org example.org:mail:/etc/opendkim/keys/example.org/mail.private\n";
    scene.file(&format!("{folder}/KeyTable"), table, NOW);
    scene.file(&format!("{folder}/SigningTable"), "*@example.org mail._domainkey.example.org\n", NOW);
    scene.key("mail", 2048, 100, true);
    let (_, made) = scene.step(true);
    scene.key("r20261122", 2048, 0, false);
    let Known::Is(keys) = &mut scene.facts.dns.signing else { unreachable!() };
    keys.last_mut().unwrap().place = format!("{folder}/keys/example.org/r20261122.private");
    scene.published("r20261122", &ALL, true);
    let (_, switched) = scene.step(false);
    assert!(
        scene
            .after(&switched, &format!("{folder}/KeyTable"))
            .ends_with("example.org:r20261122:/etc/opendkim/keys/example.org/r20261122.private\n")
    );
    let Known::Is(keys) = &mut scene.facts.dns.signing else { unreachable!() };
    keys.iter_mut().for_each(|key| {
        key.senders = if key.selector == "mail" { vec![] } else { vec!["*@example.org".to_owned()] }
    });
    scene.published("mail", &ALL, false);
    let (step, removed) = scene.step(false);
    assert!(matches!(step, Step::Remove { .. }), "{step:?}");
    let layout = Layout::of(&scene.facts);
    for step in [made, switched, removed].iter().flat_map(|plan| &plan.steps) {
        let file = layout.file(&step.change).unwrap_or_default();
        assert!(file.starts_with(folder), "{step:?}");
    }
}

#[test]
fn short_and_old_keys_are_changed_and_unsigned_domains_get_one() {
    for (bits, days, why) in [(1024, 3, "1024 bit"), (2048, 365, "365 days ago")] {
        let mut scene = Scene::new();
        tables(&mut scene, 400);
        scene.key("mail", bits, days, true);
        assert!(matches!(scene.step(false).0, Step::Make { why: told, .. } if told.contains(why)));
    }
    let mut scene = Scene::new();
    tables(&mut scene, 400);
    assert!(matches!(scene.step(false).0, Step::Make { why, .. } if why == "its mail is not signed"));
    scene.key("r20261122", 2048, 0, false);
    scene.published("r20261122", &ALL, true);
    let (_, plan) = scene.step(false);
    assert!(
        scene
            .after(&plan, "/etc/opendkim/SigningTable")
            .ends_with("*@example.org\tr20261122._domainkey.example.org\n")
    );
}

#[test]
fn a_single_key_becomes_a_table() {
    let mut scene = Scene::new();
    scene.file("/etc/opendkim.conf", "Domain example.org\nSelector mail\nKeyFile /etc/dkimkeys/mail.private\nSocket local:/run/opendkim/opendkim.sock\n", 0);
    scene.key("mail", 1024, 10, true);
    scene.key("r20261122", 2048, 0, false);
    scene.published("r20261122", &ALL, true);
    let (_, plan) = scene.step(false);
    let conf = scene.after(&plan, "/etc/opendkim.conf");
    assert_eq!(
        conf,
        "Socket local:/run/opendkim/opendkim.sock\nKeyTable /etc/dkimkeys/KeyTable\nSigningTable refile:/etc/dkimkeys/SigningTable\n"
    );
    let keys = scene.after(&plan, "/etc/dkimkeys/KeyTable");
    assert_eq!(
        keys.lines().next(),
        Some("mail._domainkey.example.org example.org:mail:/etc/dkimkeys/mail.private")
    );
    assert_eq!(keys.lines().count(), 2, "the old key stays known: {keys}");
    assert_eq!(
        scene.after(&plan, "/etc/dkimkeys/SigningTable"),
        "*@example.org r20261122._domainkey.example.org\n"
    );
}

#[test]
fn rspamd_gets_another_block() {
    const CONF: &str = "enabled = true;\ndomain {\n    example.net {\n        path = \"/b\";\n        selector = \"mail\";\n    }\n    \
                        example.org {\n        path = \"/a\";\n        selector = \"mail\";\n    }\n}\n";
    let path = "/etc/rspamd/local.d/dkim_signing.conf";
    let mut scene = Scene::new();
    scene.file(path, CONF, NOW);
    scene.key("mail", 2048, 400, true);
    scene.key("r20261122", 2048, 0, false);
    let Known::Is(keys) = &mut scene.facts.dns.signing else { unreachable!() };
    keys.first_mut().unwrap().table = format!("{path}:7");
    scene.published("r20261122", &ALL, true);
    let (_, plan) = scene.step(false);
    let after = scene.after(&plan, path);
    let now = named(path, &after);
    assert_eq!(
        now,
        [
            ("example.net", "mail", "/b"),
            ("example.org", "r20261122", "/etc/opendkim/keys/example.org/r20261122.private")
        ]
    );
    assert!(
        after.starts_with("enabled = true;\ndomain {\n    example.net {\n        path = \"/b\";\n"),
        "{after}"
    );

    // A file without a block, and none at all.
    for text in ["selector = \"dkim\";\n", ""] {
        scene.file(path, text, NOW);
        let (_, plan) = scene.step(false);
        let after = scene.after(&plan, path);
        assert_eq!(named(path, &after).len(), 1, "{after}");
        assert!(after.starts_with(text));
    }
}

/// A wish is fulfilled once, not at every word of it.
#[test]
fn a_renewed_key_is_not_renewed_again() {
    let mut scene = Scene::new();
    tables(&mut scene, 0);
    scene.key("mail", 2048, 100, false);
    scene.key("r20261122", 2048, 0, true);
    scene.published("mail", &ALL, true);
    assert!(matches!(scene.step(true).0, Step::Wait { .. }), "{:?}", scene.step(true).0);
    scene.published("mail", &ALL, false);
    assert!(matches!(scene.step(true).0, Step::Remove { .. }));
}

#[test]
fn a_file_that_is_another_keys_too_stays() {
    let mut scene = Scene::new();
    tables(&mut scene, 10);
    scene.key("mail", 2048, 100, false);
    scene.key("mail", 2048, 100, true);
    scene.with(|key| key.domain = "example.net".to_owned());
    scene.key("r20261112", 2048, 10, true);
    scene.published("mail", &ALL, false);
    let (step, plan) = scene.step(false);
    assert!(matches!(step, Step::Remove { .. }), "{step:?}");
    assert_eq!(scene.after(&plan, "/etc/opendkim/KeyTable"), "");
    let changes: Vec<_> = plan.steps.iter().map(|step| &step.change).collect();
    assert!(changes.iter().all(|change| matches!(change, Change::Lines { .. })), "{changes:?}");
}

/// OpenDKIM has one key for each domain: an Ed25519 key beside it would take its place.
#[test]
fn opendkim_keeps_its_rsa_key() {
    let mut scene = Scene::new();
    tables(&mut scene, 10);
    scene.key("mail", 2048, 100, true);
    scene.key("e20261122", 256, 0, false);
    scene.with(edwards);
    scene.published("e20261122", &ALL, true);
    let found = rotations(&Server::new(&scene.facts), &Wishes::default()).unwrap();
    assert!(matches!(found.as_slice(), [Rotation { step: Step::Rest { .. }, .. }]), "{found:?}");
    let wishes = Wishes { ed25519: true, ..Wishes::default() };
    let found = rotations(&Server::new(&scene.facts), &wishes).unwrap();
    assert!(
        matches!(&found.last().unwrap().step, Step::Blocked { why } if why.contains("one key")),
        "{found:?}"
    );
    assert!(plan(&scene.facts, &found).steps.is_empty());
}

fn edwards(key: &mut SigningKey) {
    key.key = Known::Is(PublicKey {
        algorithm: "ed25519".to_owned(),
        bits: 256,
        base64: "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned(),
    });
}

/// `_domainkey` may be a zone of its own, and a record an alias in somebody else's.
#[test]
fn a_record_is_looked_for_where_it_really_is() {
    let start = || {
        let mut scene = Scene::new();
        tables(&mut scene, 400);
        scene.key("mail", 2048, 100, true);
        scene.key("r20261122", 2048, 0, false);
        scene.published("r20261122", &[""], true);
        // What the servers of example.org tell of it: nothing.
        scene.published("r20261122", &[" @192.0.2.1"], false);
        scene.answer("A ns.provider.example", &["192.0.2.9"]);
        scene
    };
    assert!(matches!(start().step(false).0, Step::Publish { .. }));
    let mut scene = start();
    scene.answer("NS _domainkey.example.org", &["ns.provider.example"]);
    scene.published("r20261122", &[" @192.0.2.9"], true);
    assert!(matches!(scene.step(false).0, Step::Switch { .. }), "{:?}", scene.step(false).0);

    let mut scene = start();
    let target = "r20261122.dkim.provider.example";
    let question = "TXT r20261122._domainkey.example.org";
    let Some(Known::Is(answer)) = scene.facts.dns.answers.get_mut(question) else { unreachable!() };
    answer.aliases = vec![target.to_owned()];
    let record = answer.records.first().unwrap().clone();
    for name in [target, "dkim.provider.example"] {
        scene.answer(&format!("NS {name}"), &[]);
    }
    scene.answer("NS provider.example", &["ns.provider.example"]);
    assert!(crate::questions::questions(&scene.facts.dns).contains(&format!("TXT {target} @192.0.2.9")));
    scene.answer(&format!("TXT {target} @192.0.2.9"), &[]);
    assert!(matches!(scene.step(false).0, Step::Publish { .. }));
    scene.answer(&format!("TXT {target} @192.0.2.9"), &[&record]);
    assert!(matches!(scene.step(false).0, Step::Switch { .. }), "{:?}", scene.step(false).0);
}

/// Keys of Rspamd's for these domains, whose records are published: one of RSA that signs by its name, and a new one of each kind.
fn of_rspamd(scene: &mut Scene, domain: &str, kinds: &[Algorithm]) {
    let folder = "/var/lib/rspamd/dkim";
    let mut put = |selector: &str, days, used: bool, algorithm| {
        scene.key(selector, 2048, days, used);
        scene.with(|key| {
            key.domain = domain.to_owned();
            key.place = format!("{folder}/{domain}.{selector}.key");
            key.table = folder.to_owned();
            if used {
                key.senders = vec![domain.to_owned()];
            }
            if algorithm == Algorithm::Ed25519 {
                edwards(key);
            }
        });
        let public = scene.keys().last().unwrap().key.known().unwrap().clone();
        let record = format!("v=DKIM1; k={}; p={}", public.algorithm, public.base64);
        scene.answer(&format!("TXT {selector}._domainkey.{domain}"), &[&record]);
    };
    put("dkim", 100, true, Algorithm::Rsa);
    for kind in kinds {
        put(if *kind == Algorithm::Rsa { "r20261122" } else { "e20261122" }, 0, false, *kind);
    }
    scene.facts.dns.domains.push(domain.to_owned());
}

fn switched(scene: &Scene, path: &str) -> Vec<(&'static str, &'static str)> {
    let found = rotations(&Server::new(&scene.facts), &Wishes::default()).unwrap();
    assert!(found.iter().any(|one| matches!(one.step, Step::Switch { .. })), "{found:?}");
    let after = scene.after(&plan(&scene.facts, &found), path);
    named(path, &after).into_iter().map(|(domain, selector, _)| (domain, selector)).collect()
}

#[test]
fn a_new_kind_of_key_signs_beside_the_one_that_was_found_by_its_name() {
    let path = "/etc/rspamd/local.d/dkim_signing.conf";
    let mut scene = Scene::new();
    scene.facts.dns.domains.clear();
    of_rspamd(&mut scene, "example.com", &[Algorithm::Ed25519]);
    assert_eq!(switched(&scene, path), [("example.com", "dkim"), ("example.com", "e20261122")]);
}

#[test]
fn several_keys_begin_to_sign_in_one_run() {
    let path = "/etc/rspamd/local.d/dkim_signing.conf";
    for text in [
        "",
        "domain {\n}\n",
        "enabled = true;\ndomain {\n    example.net {\n        path = \"/b\";\n        selector = \"x\";\n    }\n}\n",
    ] {
        let mut scene = Scene::new();
        scene.facts.dns.domains.clear();
        scene.file(path, text, NOW);
        of_rspamd(&mut scene, "example.com", &[Algorithm::Rsa, Algorithm::Ed25519]);
        of_rspamd(&mut scene, "example.edu", &[Algorithm::Rsa]);
        let mut all = switched(&scene, path);
        all.sort_unstable();
        all.retain(|(domain, _)| *domain != "example.net");
        let now = [("example.com", "e20261122"), ("example.com", "r20261122"), ("example.edu", "r20261122")];
        assert_eq!(all, now, "{text}");
        let found = rotations(&Server::new(&scene.facts), &Wishes::default()).unwrap();
        let made = plan(&scene.facts, &found);
        let after = scene.after(&made, path);
        assert_eq!(after.matches("domain {").count(), 1, "{after}");
        assert!(after.contains("example.net") == text.contains("example.net") && made.steps.len() == 1);
    }
}

/// Rspamd 3.4 takes two sections in `override.d` for a list, and signs for nobody.
#[test]
fn two_sections_that_sign_for_nobody_are_told() {
    let text = "domain { example.com { selector = a; path = \"/a\"; } }\ndomain { example.net { selector = b; path = \"/b\"; } }\n";
    let [local, own, _] = rspamd::FILES;
    assert_eq!(rspamd::named(local, text).len(), 2);
    assert!(rspamd::named(own, text).is_empty());
    let mut scene = Scene::new();
    scene.facts.dns.domains.clear();
    scene.file(own, text, NOW);
    of_rspamd(&mut scene, "example.com", &[Algorithm::Rsa]);
    let found = rotations(&Server::new(&scene.facts), &Wishes::default()).unwrap();
    let step = &found.first().unwrap().step;
    assert!(
        matches!(step, Step::Blocked { why } if why.starts_with(own) && why.contains("more than one")),
        "{step:?}"
    );
}

fn named(file: &str, text: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    let leaked = |text: String| &*text.leak();
    rspamd::named(file, text)
        .into_iter()
        .map(|key| (leaked(key.domain), leaked(key.selector), leaked(key.path)))
        .collect()
}

#[test]
fn what_cannot_be_done_says_why() {
    let mut scene = Scene::new();
    tables(&mut scene, 400);
    scene.key("mail", 2048, 400, true);
    let Known::Is(keys) = &mut scene.facts.dns.signing else { unreachable!() };
    keys.first_mut().unwrap().domain = "example.net".to_owned();
    assert!(matches!(scene.step(false).0, Step::Blocked { why } if why.contains("as example.net")));
    let wishes = Wishes { ed25519: true, ..Wishes::default() };
    let found = rotations(&Server::new(&scene.facts), &wishes).unwrap();
    assert_eq!(found.len(), 2);
    let nothing = Facts::default();
    assert!(rotations(&Server::new(&nothing), &Wishes::default()).is_err());
}
