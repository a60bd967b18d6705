//! Takes secrets out of what is kept: nothing that opens a door may be in facts, which people send to each other.

/// What stands for a secret.
const HIDDEN: &str = "***";

/// A text without private keys, password hashes, and values of names that speak of a password. It errs towards hiding: `***` in a
/// query is a smaller evil than a password in a report.
pub(crate) fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_key = false;
    for line in text.split_inclusive('\n') {
        if in_key {
            in_key = !line.contains("-----END");
            continue;
        }
        if line.contains("-----BEGIN") && line.contains("PRIVATE KEY-----") {
            in_key = !line.contains("-----END");
            let before = line.split("-----BEGIN").next().unwrap_or_default();
            out.push_str(before);
            out.push_str("(a private key: ***)\n");
            continue;
        }
        out.push_str(&line_hidden(line));
    }
    out
}

/// A line without secrets. The patterns of fail2ban speak of passwords and hold none; changed, they would match something else.
fn line_hidden(line: &str) -> String {
    let patterns = ["failregex", "ignoreregex", "prefregex"];
    if patterns.iter().any(|pattern| line.contains(pattern)) {
        return line.to_owned();
    }
    let line = hashes_hidden(line);
    values_hidden(&if line.starts_with("['") { members_hidden(&line) } else { line })
}

/// A list as `fail2ban-client -d` prints it: `['set', 'sshd', 'action', 'x', 'x_apikey', 'secret']`.
fn members_hidden(line: &str) -> String {
    let mut hides = false;
    let parts = line.split('\'').enumerate().map(|(at, part)| {
        if at % 2 == 0 {
            return part;
        }
        let shown = if hides && !is_no_secret(part) { HIDDEN } else { part };
        hides = speaks_of_a_secret(part);
        shown
    });
    parts.collect::<Vec<_>>().join("'")
}

/// A file of accounts, a line each, in which the field after the first `separator` is the password or its hash.
pub(crate) fn accounts_redacted(text: &str, separator: char) -> String {
    text.split_inclusive('\n').map(|line| account_redacted(line, separator)).collect()
}

fn account_redacted(line: &str, separator: char) -> String {
    let Some((name, rest)) = line.split_once(separator).filter(|_| !line.trim_start().starts_with('#'))
    else {
        return redacted(line);
    };
    let end = rest.find([separator, '\n']).unwrap_or(rest.len());
    let (field, after) = rest.split_at(end);
    let scheme =
        field.find('}').filter(|_| field.starts_with('{')).map_or("", |at| field.get(..=at).unwrap_or(""));
    let hidden = if field.len() > scheme.len() { HIDDEN } else { "" };
    format!("{name}{separator}{scheme}{hidden}{}", redacted(after))
}

/// A map of relay passwords (`smtp_sasl_password_maps`): the value is `user:password`.
pub(crate) fn relay_redacted(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            let value = line.find([' ', '\t']).filter(|_| !line.trim_start().starts_with('#'));
            let colon = value.and_then(|at| line.get(at..)?.find(':').map(|colon| at + colon));
            match colon.and_then(|colon| line.get(..=colon)) {
                Some(kept) => format!("{kept}{HIDDEN}\n"),
                None => redacted(line),
            }
        })
        .collect()
}

/// `{SCHEME}hash` and `$id$...` of crypt(5).
fn hashes_hidden(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['{', '$']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (kept, len) = hash(from).unwrap_or((1, 1));
        out.push_str(from.get(..kept).unwrap_or_default());
        if len > kept {
            out.push_str(HIDDEN);
        }
        rest = from.get(len..).unwrap_or_default();
    }
    out + rest
}

/// Whether a password hash begins here: how much of it tells its kind, and how long it is.
fn hash(from: &str) -> Option<(usize, usize)> {
    let kept = if from.starts_with('{') { scheme(from)? } else { crypt_id(from)? };
    let value = from.get(kept..)?;
    let len = value.find(|c: char| c.is_whitespace() || "|:\"';,".contains(c)).unwrap_or(value.len());
    (len >= 4 && !value.starts_with(HIDDEN)).then_some((kept, kept + len))
}

/// `{SHA512-CRYPT}`.
fn scheme(from: &str) -> Option<usize> {
    let end = from.find('}')?;
    let name = from.get(1..end)?;
    let known = [
        "CRYPT", "SHA", "MD5", "PLAIN", "CLEAR", "ARGON2", "SCRAM", "PBKDF2", "CRAM", "LANMAN", "NTLM",
        "RPA", "SMD5",
    ];
    let upper = name.to_ascii_uppercase();
    (name.len() <= 24 && known.iter().any(|word| upper.contains(word))).then_some(end + 1)
}

/// `$6$`, `$2y$`, `$argon2id$`.
fn crypt_id(from: &str) -> Option<usize> {
    let id = from.get(1..)?.split('$').next()?;
    let known = [
        "1", "2", "2a", "2b", "2x", "2y", "5", "6", "7", "y", "gy", "sha1", "md5", "argon2i", "argon2d",
        "argon2id", "pbkdf2", "scrypt",
    ];
    (known.contains(&id) && from.as_bytes().get(id.len() + 1) == Some(&b'$')).then_some(id.len() + 2)
}

/// Values of names that speak of a password: `password = x`, `FOO_SECRET=x`, `"api_key": "x"`, `pass:x`, `//user:x@host`.
fn values_hidden(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['=', ':']) {
        let (name, from) = rest.split_at(at);
        out.push_str(name);
        let (kept, len) = value(name, from);
        out.push_str(from.get(..kept).unwrap_or_default());
        if len > 0 {
            out.push_str(HIDDEN);
        }
        rest = from.get(kept + len..).unwrap_or_default();
    }
    out + rest
}

/// What follows a name: how much of it is kept, and the length of the secret after that, 0 if there is none.
fn value(name: &str, from: &str) -> (usize, usize) {
    if let Some((kept, len)) = credentials_of_url(name, from) {
        return (kept, len);
    }
    if !speaks_of_a_secret(name) {
        return (1, 0);
    }
    let kept = from.find(|c: char| !" \t=:>\"'".contains(c)).unwrap_or(from.len());
    // Dovecot's `auth_policy_server_api_header = Name: secret` has words.
    let is_header = name.trim_end().ends_with("api_header");
    let quote = from.get(..kept).and_then(|start| start.chars().rev().find(|c| "\"'".contains(*c)));
    let value = from.get(kept..).unwrap_or_default();
    let end = match quote {
        Some(quote) => value.find([quote, '\n']),
        None if is_header => value.find('\n'),
        None => value.find(|c: char| c.is_whitespace() || "\"',;)".contains(c)),
    };
    let len = end.unwrap_or(value.len());
    if is_no_secret(value.get(..len).unwrap_or_default()) { (kept, 0) } else { (kept, len) }
}

/// `//user:password@host`, of which `from` begins at the colon before the password.
fn credentials_of_url(name: &str, from: &str) -> Option<(usize, usize)> {
    let (_, user) = name.rsplit_once("//").or_else(|| name.strip_prefix("//").map(|user| ("", user)))?;
    let password = from.strip_prefix(':')?;
    let at = password.find(['@', '/', ' ', '"', '\n'])?;
    let fits = password.as_bytes().get(at) == Some(&b'@') && at > 0 && !user.contains([' ', '/']);
    fits.then_some((1, at))
}

fn speaks_of_a_secret(name: &str) -> bool {
    let word: String = name
        .trim_end_matches([' ', '\t', '"', '\''])
        .rsplit(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)))
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
        .replace('-', "_");
    let ends = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "secret_key",
        "token",
        "api_key",
        "apikey",
        "bindpw",
        "bind_pw",
        "dnpass",
        "rootpw",
        "access_key",
        "private_key",
        "sshpass",
        "hash_nonce",
        "api_header",
        "_pass",
        "_pw",
        "_pwd",
    ];
    ends.iter().any(|end| word.ends_with(end)) || word == "pass" || word == "pwd"
}

/// A reference to a secret that is elsewhere, or a word that is none.
fn is_no_secret(value: &str) -> bool {
    let words = [
        "", "yes", "no", "y", "n", "true", "false", "0", "1", "none", "null", "#", "{", "[", "|", ">", HIDDEN,
    ];
    words.contains(&value.to_ascii_lowercase().as_str()) || value.starts_with(['$', '<', '%', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(&str, &str)]) {
        for (text, expected) in rows {
            assert_eq!(redacted(text), *expected);
        }
    }

    #[test]
    fn values_of_secret_names_are_hidden() {
        check(&[
            ("password = hunter2\n", "password = ***\n"),
            (
                "connect = host=db dbname=mail user=mail password=hunter2",
                "connect = host=db dbname=mail user=mail password=***",
            ),
            ("  MYSQL_ROOT_PASSWORD: \"hunter 2\"\n", "  MYSQL_ROOT_PASSWORD: \"***\"\n"),
            ("      - RELAY_PASSWORD=hunter2\n", "      - RELAY_PASSWORD=***\n"),
            ("{\"api_key\": \"abc\", \"name\": \"x\"}", "{\"api_key\": \"***\", \"name\": \"x\"}"),
            (
                "openssl enc -aes-256-cbc -pass pass:hunter2 -out x",
                "openssl enc -aes-256-cbc -pass pass:*** -out x",
            ),
            ("restic -r rest:https://me:hunter2@host/x", "restic -r rest:https://me:***@host/x"),
            (
                "auth_policy_server_api_header = Authorization: Bearer abc\nauth_policy_hash_nonce = abc\n",
                "auth_policy_server_api_header = ***\nauth_policy_hash_nonce = ***\n",
            ),
            ("dnpass = geheim\nbind_pw: x y\n", "dnpass = ***\nbind_pw: *** y\n"),
        ]);
    }

    #[test]
    fn names_that_only_sound_so_are_kept() {
        for text in [
            "smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd\n",
            "auth_verbose_passwords = sha1:6\n",
            "default_pass_scheme = SHA512-CRYPT\n",
            "PASSPHRASE=$(cat /root/key)\n",
            "PASSWORD=${SECRET}\n",
            "ssl_key = # hidden, use -P to show it\n",
            "password_file: /run/secrets/x\n",
            "passdb {\n  args = scheme=SHA512-CRYPT username_format=%u /etc/dovecot/userdb\n",
            "dovecot://[::1]:4190/x",
        ] {
            assert_eq!(redacted(text), text);
        }
    }

    #[test]
    fn lists_of_fail2ban_lose_keys_and_keep_patterns() {
        check(&[
            (
                "['set', 'sshd', 'action', 'x', 'x_apikey', 'abc']\n",
                "['set', 'sshd', 'action', 'x', 'x_apikey', '***']\n",
            ),
            (
                "['set', 'x', 'addfailregex', 'password=\\\\S+ <HOST>']\n",
                "['set', 'x', 'addfailregex', 'password=\\\\S+ <HOST>']\n",
            ),
            ("['set', 'x', 'maxretry', 6]\n", "['set', 'x', 'maxretry', 6]\n"),
        ]);
    }

    #[test]
    fn hashes_and_keys_are_hidden() {
        check(&[
            ("alice:{SHA512-CRYPT}$6$abc$def:1000\n", "alice:{SHA512-CRYPT}***:1000\n"),
            ("bob:$2y$10$abcdefgh:1\n", "bob:$2y$***:1\n"),
            (
                "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb\n",
                "a\n(a private key: ***)\nb\n",
            ),
            ("-----BEGIN PRIVATE KEY-----\nMIIE\n", "(a private key: ***)\n"),
            ("mail_home = ${home}/$1\n", "mail_home = ${home}/$1\n"),
        ]);
    }

    #[test]
    fn accounts_keep_all_but_the_password() {
        let text =
            "# name|hash\nalice@example.org|{SHA512-CRYPT}$6$a$b|allow_nets=192.0.2.0/24\nbob@example.org|\n";
        let expected =
            "# name|hash\nalice@example.org|{SHA512-CRYPT}***|allow_nets=192.0.2.0/24\nbob@example.org|\n";
        assert_eq!(accounts_redacted(text, '|'), expected);
        assert_eq!(accounts_redacted("carol:plain:1000::/home\n", ':'), "carol:***:1000::/home\n");
        assert_eq!(relay_redacted("[mx.example]:587 me:hunter2\n#x\n"), "[mx.example]:587 me:***\n#x\n");
    }
}
