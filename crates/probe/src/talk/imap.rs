//! IMAP (RFC 9051), POP3 (RFC 1939, 2449, 2595) and ManageSieve (RFC 5804): what is offered before and inside of TLS, and
//! whether a password would be taken in clear. The user and password that are said are nobody's.

use std::time::Instant;

use mailward_audit::Known;

use super::line::Connection;
use super::{Ended, NOBODY, Speaker};

/// IMAP.
pub(super) fn imap(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    let (mut connection, greeting) = greeted(speaker, |connection| Ok(vec![connection.line()?]))?;
    let _ = greeting;
    let capabilities = |connection: &mut Connection| -> Result<Vec<String>, Ended> {
        let lines = imap_command(connection, "c1", "CAPABILITY")?;
        let words = lines.iter().filter_map(|line| line.strip_prefix("* CAPABILITY "));
        Ok(words.flat_map(str::split_ascii_whitespace).map(str::to_owned).collect())
    };
    let offered = capabilities(&mut connection)?;
    if speaker.target.implicit_tls {
        speaker.talk.secured = Known::Is(offered);
        id(speaker, &mut connection)?;
    } else {
        let starttls = offered.iter().any(|word| word.eq_ignore_ascii_case("STARTTLS"));
        speaker.talk.plain = Known::Is(offered);
        if starttls {
            let reply = imap_command(&mut connection, "c2", "STARTTLS")?;
            if last(&reply).starts_with("c2 OK") && secure(speaker, &mut connection) {
                let inside = capabilities(&mut connection)?;
                speaker.talk.secured = Known::Is(inside);
                id(speaker, &mut connection)?;
            }
        }
    }
    let _ = connection.send(b"c9 LOGOUT\r\n");
    Ok(())
}

/// What the server tells about itself (RFC 2971).
fn id(speaker: &mut Speaker<'_>, connection: &mut Connection) -> Result<(), Ended> {
    let lines = imap_command(connection, "c3", "ID NIL")?;
    let told = lines.iter().find(|line| line.starts_with("* ID")).map_or("", String::as_str);
    speaker.tried("id", true, &["ID NIL"], told);
    Ok(())
}

/// A wrong password for a mailbox that nobody has and for one that is there, a connection each, inside of TLS.
pub(super) fn wrong_passwords(speaker: &mut Speaker<'_>, recipient: &str) -> Result<(), Ended> {
    let domain = recipient.rsplit('@').next().unwrap_or_default();
    let nobody = format!("{NOBODY}@{domain}");
    for (name, user) in [("login-unknown-user", nobody.as_str()), ("login-wrong-password", recipient)] {
        let (mut connection, _) = greeted(speaker, |connection| Ok(vec![connection.line()?]))?;
        let lines = imap_command(&mut connection, "c1", &format!("LOGIN \"{user}\" \"mailward-audit\""))?;
        speaker.tried(name, true, &[&format!("LOGIN {user}")], &last(&lines).replace(user, "<user>"));
        let _ = connection.send(b"c9 LOGOUT\r\n");
    }
    Ok(())
}

fn imap_command(connection: &mut Connection, tag: &str, command: &str) -> Result<Vec<String>, Ended> {
    connection.send(format!("{tag} {command}\r\n").as_bytes())?;
    let lines = connection.lines(|line| line.starts_with(tag) || line.starts_with("* BYE"))?;
    match lines.iter().find(|line| line.starts_with("* BYE")) {
        Some(bye) => Err(Ended(bye.clone())),
        None => Ok(lines),
    }
}

/// POP3.
pub(super) fn pop3(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    let (mut connection, _) = greeted(speaker, |connection| Ok(vec![connection.line()?]))?;
    let capabilities = |connection: &mut Connection| -> Result<Vec<String>, Ended> {
        connection.send(b"CAPA\r\n")?;
        let lines = connection.lines(|line| line == "." || line.starts_with("-ERR"))?;
        Ok(lines.into_iter().filter(|line| line != "." && !line.starts_with(['+', '-'])).collect())
    };
    let offered = capabilities(&mut connection)?;
    if speaker.target.implicit_tls {
        speaker.talk.secured = Known::Is(offered);
    } else {
        let starttls = offered.iter().any(|line| line.eq_ignore_ascii_case("STLS"));
        // Where USER is not offered (RFC 2449 section 6.3) it is refused, and Dovecot logs a failed login that may be banned.
        let user = offered.iter().any(|line| line.eq_ignore_ascii_case("USER"));
        speaker.talk.plain = Known::Is(offered);
        if user {
            connection.send(b"USER mailward-audit\r\n")?;
            let reply = connection.line()?;
            speaker.tried("user-before-tls", false, &["USER mailward-audit"], &reply);
        }
        if starttls {
            connection.send(b"STLS\r\n")?;
            if connection.line()?.starts_with("+OK") && secure(speaker, &mut connection) {
                let inside = capabilities(&mut connection)?;
                speaker.talk.secured = Known::Is(inside);
            }
        }
    }
    let _ = connection.send(b"QUIT\r\n");
    Ok(())
}

/// ManageSieve: the greeting tells what is offered, and comes again inside of TLS.
pub(super) fn sieve(speaker: &mut Speaker<'_>) -> Result<(), Ended> {
    let is_last = |line: &str| {
        ["OK", "NO", "BYE"]
            .iter()
            .any(|word| line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
    };
    let offer = |connection: &mut Connection| -> std::io::Result<Vec<String>> { connection.lines(is_last) };
    let (mut connection, lines) = greeted(speaker, offer)?;
    if last(&lines).starts_with("BYE") {
        return Err(Ended(last(&lines).to_owned()));
    }
    let plain = unquoted(&lines);
    let starttls = plain.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS"));
    if speaker.target.implicit_tls {
        speaker.talk.secured = Known::Is(plain);
    } else {
        speaker.talk.plain = Known::Is(plain);
        if starttls {
            connection.send(b"STARTTLS\r\n")?;
            if last(&connection.lines(is_last)?).starts_with("OK") && secure(speaker, &mut connection) {
                let inside = offer(&mut connection)?;
                speaker.talk.secured = Known::Is(unquoted(&inside));
            }
        }
    }
    let _ = connection.send(b"LOGOUT\r\n");
    Ok(())
}

/// `"SASL" "PLAIN LOGIN"` as `SASL PLAIN LOGIN`.
fn unquoted(lines: &[String]) -> Vec<String> {
    let capabilities = lines.iter().filter(|line| line.starts_with('"'));
    capabilities.map(|line| line.replace("\" \"", " ").replace('"', "")).collect()
}

fn last(lines: &[String]) -> &str {
    lines.last().map_or("", String::as_str)
}

/// Connects and takes the greeting; its first line is kept.
fn greeted(
    speaker: &mut Speaker<'_>,
    read: impl FnOnce(&mut Connection) -> std::io::Result<Vec<String>>,
) -> Result<(Connection, Vec<String>), Ended> {
    let begun = Instant::now();
    let mut connection = speaker.connect()?;
    let lines = read(&mut connection)?;
    speaker.greeted(lines.first().map_or("", String::as_str), begun);
    Ok((connection, lines))
}

/// Begins TLS; why it failed is kept.
fn secure(speaker: &mut Speaker<'_>, connection: &mut Connection) -> bool {
    match connection.secure(&speaker.target.host) {
        Ok(()) => true,
        Err(error) => {
            speaker.talk.secured = Known::Unread(format!("the TLS handshake failed: {error}"));
            false
        }
    }
}
