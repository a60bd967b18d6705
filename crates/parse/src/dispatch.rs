//! From a syslog tag to the module of the program.

use mailward_model::{Event, EventKind, Program};

use crate::{
    amavis, clamav, dovecot, fail2ban, opendkim, opendmarc, pam, policyd_spf, postfix, postgrey, rspamd,
    saslauthd, spamd,
};

/// Sets the program by the tag and lets its module read the message. A program that does not handle mail is no format
/// drift: its lines are notices.
pub(crate) fn dispatch<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    let tag = event.tag.bytes();
    if tag.starts_with(b"postfix") {
        return postfix::parse(event, message);
    }
    if message.starts_with(b"pam_") && writes_pam(tag) {
        event.program = Program::Pam;
        return pam::parse(event, message);
    }
    if tag.starts_with(b"dovecot") {
        event.program = Program::DovecotService;
        return dovecot::parse(event, message);
    }
    let Some((program, parse)) = by_tag(tag) else { return foreign(event, message) };
    event.program = program;
    parse(event, message);
}

type Parse = for<'a> fn(&mut Event<'a>, &'a [u8]);

fn by_tag(tag: &[u8]) -> Option<(Program, Parse)> {
    Some(match tag {
        b"amavis" | b"amavisd" | b"amavisd-new" => (Program::Amavis, amavis::parse),
        b"spamd" => (Program::Spamd, spamd::parse),
        b"rspamd" => (Program::Rspamd, rspamd::parse),
        b"clamd" | b"clamav-milter" | b"freshclam" | b"clamav" => (Program::Clamav, clamav::parse),
        b"opendkim" => (Program::Opendkim, opendkim::parse),
        b"opendmarc" => (Program::Opendmarc, opendmarc::parse),
        b"policyd-spf" | b"policy-spf" => (Program::PolicydSpf, policyd_spf::parse),
        b"postgrey" => (Program::Postgrey, postgrey::parse),
        b"saslauthd" => (Program::Saslauthd, saslauthd::parse),
        b"fail2ban" | b"fail2ban-server" => (Program::Fail2ban, fail2ban::parse),
        _ if tag.starts_with(b"fail2ban.") => (Program::Fail2ban, fail2ban::parse),
        _ => return None,
    })
}

/// PAM modules write under the name of the process that loaded them: Dovecot's `auth`, saslauthd, older daemons.
fn writes_pam(tag: &[u8]) -> bool {
    matches!(tag, b"auth" | b"auth-worker" | b"saslauthd" | b"smtpd" | b"imapd" | b"pop3d")
        || tag.starts_with(b"dovecot")
}

/// Any `syslog_name` may stand before a Postfix daemon's name (`mx/smtpd`).
fn foreign<'a>(event: &mut Event<'a>, message: &'a [u8]) {
    if event.tag.bytes().contains(&b'/') && postfix::is_daemon(event.tag.bytes()) {
        return postfix::parse(event, message);
    }
    event.kind = EventKind::Notice;
    event.detail = message.into();
}
