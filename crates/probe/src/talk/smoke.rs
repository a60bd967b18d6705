//! What works of a mail server, as its users and its peers need it. Looked at before and after a change: what worked must work.
//!
//! A message is sent that nobody gets: Postfix throws away what is for `double-bounce` at a local domain after it went through
//! everything that mail goes through, content filters too (qmgr(8) does it). Recipients who are real are only named, over LMTP
//! too, so that nothing is left in a mailbox.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mailward_audit::facts::{MailService, Talk};
use mailward_host::run::Limits;

use super::line::Connection;
use super::{Ended, Manners, Speaker, Target, begin, imap, smtp};
use crate::Place;

/// What works, by its name, and what does not, with the reason.
pub type Works = BTreeMap<String, Result<(), String>>;

/// Mail to try.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    /// Addresses that the server takes mail for.
    pub recipients: Vec<String>,
    /// An address whose mail is thrown away.
    pub sink: Option<String>,
    /// The socket at which Dovecot takes mail over LMTP.
    pub lmtp: Option<PathBuf>,
}

/// Looks at everything, all ports at once. `place` is asked for the queue.
#[must_use]
pub fn smoke(targets: &[Target], manners: &Manners, mail: &Mail, place: &Place) -> Works {
    let look = |target: &Target| {
        let mut works = ports(&greeted(target, manners));
        if target.service == MailService::Smtp && works.values().any(Result::is_ok) {
            works.extend(accepted(target, manners, mail, place));
        }
        works
    };
    std::thread::scope(|scope| {
        let (look, lmtp) = (&look, scope.spawn(|| local(mail, manners)));
        let running: Vec<_> = targets.iter().map(|target| scope.spawn(move || look(target))).collect();
        let all = running.into_iter().chain([lmtp]).filter_map(|thread| thread.join().ok());
        all.flatten().collect()
    })
}

/// What a port offers before and inside of TLS, and nothing else.
fn greeted(target: &Target, manners: &Manners) -> Talk {
    let mut speaker = Speaker { target, manners, talk: begin(target) };
    let told = match target.service {
        MailService::Smtp | MailService::Submission => smtp::greet(&mut speaker),
        MailService::Imap => imap::imap(&mut speaker),
        MailService::Pop3 => imap::pop3(&mut speaker),
        MailService::Sieve => imap::sieve(&mut speaker),
    };
    if let Err(Ended(why)) = told {
        speaker.talk.ended = why;
    }
    speaker.talk
}

/// What works of a port.
fn ports(talk: &Talk) -> Works {
    let name = |what: &str| format!("{}: {what}", talk.place());
    let missing = |what: &str| {
        let why = if talk.ended.is_empty() { what.to_owned() } else { talk.ended.clone() };
        Err(why)
    };
    let mut works = Works::new();
    works.insert(
        name("greeting"),
        if talk.greeting.known().is_some() { Ok(()) } else { missing("no greeting") },
    );
    let (plain, secured) = (talk.plain.known(), talk.secured.known());
    works.insert(name("TLS"), if secured.is_some() { Ok(()) } else { missing("no TLS") });
    if talk.service != MailService::Smtp {
        let inside = secured.is_some_and(|offered| offers_login(talk.service, offered));
        works.insert(
            name("login inside of TLS"),
            if inside { Ok(()) } else { missing("no login is offered") },
        );
    }
    if let Some(plain) = plain {
        let clear = offers_login(talk.service, plain);
        works.insert(
            name("no login in clear"),
            if clear { missing("a login is offered in clear") } else { Ok(()) },
        );
    }
    works
}

fn offers_login(service: MailService, offered: &[String]) -> bool {
    let has = |start: &str| offered.iter().any(|line| line.to_ascii_uppercase().starts_with(start));
    match service {
        MailService::Smtp | MailService::Submission => has("AUTH ") || has("AUTH="),
        MailService::Imap => !has("LOGINDISABLED"),
        MailService::Pop3 => has("SASL ") || has("USER"),
        MailService::Sieve => {
            offered.iter().any(|line| line.split_ascii_whitespace().count() > 1 && line.starts_with("SASL"))
        }
    }
}

/// Whether mail is taken for those who are there, and goes its way.
fn accepted(target: &Target, manners: &Manners, mail: &Mail, place: &Place) -> Works {
    let mut works = Works::new();
    for recipient in &mail.recipients {
        let named = smtp::named(&mut speaker(target, manners), recipient);
        works.insert(format!("mail for {recipient} is taken"), named.map_err(|Ended(why)| why));
    }
    if let Some(sink) = &mail.sink {
        let sent = smtp::message(&mut speaker(target, manners), sink);
        let gone = sent.map_err(|Ended(why)| why).and_then(|id| leaves(place, &id));
        works.insert("a message goes its way".to_owned(), gone);
    }
    works
}

fn speaker<'a>(target: &'a Target, manners: &'a Manners) -> Speaker<'a> {
    Speaker { target, manners, talk: begin(target) }
}

/// How long a message to nobody may stay in the queue.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whether a message leaves the queue.
fn leaves(place: &Place, id: &str) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let said = place.run(&["postqueue", "-j"], Limits::default());
        let Some(said) = said.known().filter(|said| said.status == Some(0)) else {
            // It was taken, and who cannot be asked cannot tell more.
            return Ok(());
        };
        if id.is_empty() || !said.stdout.contains(&format!("\"{id}\"")) {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(format!("message {id} stays in the queue (`postqueue -j` says why)"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether Dovecot takes mail over LMTP for those who are there; none is given to it.
fn local(mail: &Mail, manners: &Manners) -> Works {
    let Some(path) = &mail.lmtp else { return Works::new() };
    let mut works = Works::new();
    for recipient in &mail.recipients {
        let asked = Connection::open_local(path, Instant::now() + manners.deadline).map_err(Ended::from);
        let known = asked.and_then(|connection| smtp::lmtp(connection, recipient));
        works.insert(format!("LMTP: {recipient} is known"), known.map_err(|Ended(why)| why));
    }
    works
}

#[cfg(test)]
mod tests {
    use mailward_audit::Known;

    use super::*;

    fn talk(service: MailService, plain: &[&str], secured: Option<&[&str]>) -> Works {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        ports(&Talk {
            port: 587,
            service,
            greeting: Known::Is("220 here".to_owned()),
            plain: Known::Is(owned(plain)),
            secured: secured.map_or(Known::Unasked, |lines| Known::Is(owned(lines))),
            ..Talk::default()
        })
    }

    fn fine(works: &Works) -> Vec<&str> {
        let names = works.iter().filter(|(_, works)| works.is_ok());
        names.filter_map(|(name, _)| Some(name.split_once(": ")?.1)).collect()
    }

    #[test]
    fn logins_count_inside_of_tls_alone() {
        let whole = ["TLS", "greeting", "login inside of TLS", "no login in clear"];
        assert_eq!(fine(&talk(MailService::Submission, &["STARTTLS"], Some(&["AUTH PLAIN"]))), whole);
        assert_eq!(
            fine(&talk(MailService::Submission, &["STARTTLS", "AUTH PLAIN"], Some(&["SIZE"]))),
            ["TLS", "greeting"]
        );
        assert_eq!(
            fine(&talk(MailService::Imap, &["STARTTLS", "LOGINDISABLED"], Some(&["AUTH=PLAIN"]))),
            whole
        );
        assert_eq!(fine(&talk(MailService::Imap, &["IMAP4rev1"], None)), ["greeting"]);
    }
}
