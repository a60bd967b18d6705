//! Mails of our own to an address that the operator named. Port 25 alone, no login, and an empty sender, so that nothing comes back
//! to anybody.

use std::path::Path;

use mailward_audit::Known;
use mailward_audit::facts::{FalseEnd, MailService, Sample, Trial};

use super::follow::Follower;
use super::smtp::Session;
use super::{Ended, Manners, Speaker, Target, begin};
use crate::Place;

/// What to send, and where its traces are.
#[derive(Clone, Debug)]
pub struct Mailing {
    /// The operator's address.
    pub recipient: String,
    /// What nobody else uses: it is in every message id.
    pub token: String,
    /// The log in which the server's programs tell what they did; none where it cannot be read.
    pub log: Option<std::path::PathBuf>,
    /// Where Dovecot can be asked for the mail; none where it cannot.
    pub place: Option<Place>,
}

/// What servers were seen to take for the end of a mail, although it is not (CVE-2023-51764).
const FALSE_ENDS: [(&str, &[u8]); 11] = [
    ("<LF>.<LF>", b"\n.\n"),
    ("<LF>.<CR><LF>", b"\n.\r\n"),
    ("<CR><LF>.<LF>", b"\r\n.\n"),
    ("<CR>.<CR><LF>", b"\r.\r\n"),
    ("<CR>.<LF>", b"\r.\n"),
    ("<CR>.<CR>", b"\r.\r"),
    ("<LF>.<CR>", b"\n.\r"),
    ("<CR><LF>.<CR>", b"\r\n.\r"),
    ("<CR><LF>.<CR><CR><LF>", b"\r\n.\r\r\n"),
    ("<CR><LF><NUL>.<CR><LF>", b"\r\n\0.\r\n"),
    ("<CR><LF>.<NUL><CR><LF>", b"\r\n.\0\r\n"),
];

/// Sends them all. A connection each: what is behind a false end is nobody's business after it.
#[must_use]
pub fn trial(target: &Target, manners: &Manners, mailing: &Mailing) -> Trial {
    let mut speaker = Speaker { target, manners, talk: begin(target) };
    let mut trial = Trial {
        recipient: mailing.recipient.clone(),
        address: target.address.ip().to_string(),
        ..Trial::default()
    };
    if target.service == MailService::Smtp
        && let Err(Ended(why)) = all(&mut speaker, mailing, &mut trial)
    {
        trial.ended = why;
    }
    trial.source = speaker.talk.source;
    trial
}

fn all(speaker: &mut Speaker<'_>, mailing: &Mailing, trial: &mut Trial) -> Result<(), Ended> {
    for (name, text) in [("gtube", gtube(mailing)), ("eicar", eicar(mailing))] {
        let sample = sample(speaker, mailing, name, &text)?;
        trial.samples.push(sample);
    }
    for (number, (name, end)) in FALSE_ENDS.into_iter().enumerate() {
        let replies = false_end(speaker, mailing, number, end)?;
        trial.ends.push(FalseEnd { name: name.to_owned(), replies });
    }
    Ok(())
}

/// Up to the 354, or the answer that is none.
fn until_data(session: &mut Session<'_, '_>, recipient: &str) -> Result<Result<(), String>, Ended> {
    session.ehlo()?;
    for line in ["MAIL FROM:<>", &format!("RCPT TO:<{recipient}>"), "DATA"] {
        let reply = session.command(line)?;
        if !reply.starts_with(['2', '3']) {
            return Ok(Err(format!("{line} was answered with {reply}")));
        }
    }
    Ok(Ok(()))
}

/// Behind the false end a second mail begins, which is never finished: a server that passes the end over sees a connection break off
/// in the middle of a mail, and keeps nothing.
fn false_end(
    speaker: &mut Speaker<'_>,
    mailing: &Mailing,
    number: usize,
    end: &[u8],
) -> Result<Known<Vec<String>>, Ended> {
    let mut session = Session::open(speaker)?;
    if let Err(why) = until_data(&mut session, &mailing.recipient)? {
        session.quit();
        return Ok(Known::Unread(why));
    }
    let head = head(mailing, &format!("end{number}"), "the end of a mail");
    let second = format!(
        "MAIL FROM:<>\r\nRCPT TO:<{}>\r\nDATA\r\nSubject: a second mail\r\n\r\nIt is never finished.\r\n",
        mailing.recipient
    );
    let bytes = [format!("{head}\r\n{EXPLAINED}").as_bytes(), end, second.as_bytes()].concat();
    session.break_off(&bytes)
}

const EXPLAINED: &str = "This mail is a test by `mailward audit --active`. You can delete it.";

fn head(mailing: &Mailing, name: &str, about: &str) -> String {
    let Mailing { recipient, token, .. } = mailing;
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S +0000");
    format!(
        "From: Mailward <audit@mailward.invalid>\r\nTo: <{recipient}>\r\nDate: {date}\r\n\
         Subject: Test by mailward audit: {about}\r\nMessage-ID: <{token}.{name}@mailward.invalid>\r\n"
    )
}

/// <https://spamassassin.apache.org/gtube/>, in two parts, so that no filter takes this program for it.
fn gtube(mailing: &Mailing) -> String {
    let text = ["XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE", "-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"].concat();
    format!("{}\r\n{EXPLAINED}\r\n\r\n{text}\r\n", head(mailing, "gtube", "spam (GTUBE)"))
}

/// The EICAR test file as an attachment; its 68 octets in base64, in two parts.
fn eicar(mailing: &Mailing) -> String {
    let file = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat();
    let file = mailward_audit::records::base64::encode(file.as_bytes());
    let bound = format!("mailward-{}", mailing.token);
    format!(
        "{}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{bound}\"\r\n\r\n\
         --{bound}\r\nContent-Type: text/plain\r\n\r\n{EXPLAINED}\r\n\
         --{bound}\r\nContent-Type: text/plain; name=\"eicar.txt\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"eicar.txt\"\r\n\r\n{file}\r\n--{bound}--\r\n",
        head(mailing, "eicar", "virus (EICAR)")
    )
}

fn sample(speaker: &mut Speaker<'_>, mailing: &Mailing, name: &str, text: &str) -> Result<Sample, Ended> {
    let mut follower = mailing.log.as_deref().map(Path::to_path_buf).and_then(Follower::begin);
    let token = format!("{}.{name}", mailing.token);
    let reply = deliver(speaker, mailing, text)?;
    let accepted = reply.known().is_some_and(|reply| reply.starts_with('2'));
    let log = match &mut follower {
        Some(follower) if accepted => follower.follow(&token, speaker.manners.deadline),
        _ => Vec::new(),
    };
    let stored = match &mailing.place {
        Some(place) if accepted => stored(place, &mailing.recipient, &token),
        _ => Known::Unasked,
    };
    Ok(Sample { name: name.to_owned(), token, reply, log, stored })
}

fn deliver(speaker: &mut Speaker<'_>, mailing: &Mailing, text: &str) -> Result<Known<String>, Ended> {
    let mut session = Session::open(speaker)?;
    if let Err(why) = until_data(&mut session, &mailing.recipient)? {
        session.quit();
        return Ok(Known::Unread(why));
    }
    let reply = session.command(&format!("{text}."))?;
    session.quit();
    Ok(Known::Is(reply))
}

/// What Dovecot has of a mail: its folder, and the fields that filters write.
fn stored(place: &Place, recipient: &str, token: &str) -> Known<Vec<String>> {
    let fields = "mailbox hdr.subject hdr.x-spam hdr.x-spam-flag hdr.x-spam-status hdr.x-virus-status \
                  hdr.x-amavis-alert hdr.x-quarantine-id";
    let words = ["doveadm", "fetch", "-u", recipient, fields, "header", "message-id", token];
    match place.run(&words, mailward_host::run::Limits::default()) {
        Known::Is(said) if said.status == Some(0) => {
            let lines = said.stdout.lines().map(str::trim).filter(|line| !line.is_empty());
            Known::Is(lines.map(str::to_owned).collect())
        }
        Known::Is(said) => Known::Unread(said.stderr.lines().next().unwrap_or("doveadm failed").to_owned()),
        Known::Absent => Known::Absent,
        Known::Unread(why) => Known::Unread(why),
        Known::Unasked => Known::Unasked,
    }
}
