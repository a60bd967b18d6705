//! What attackers do: each kind of offence at least once.

use super::cast::{HOST, guessed, session_id, stranger};
use super::random::Random;
use super::{Scene, Stage, say};

type Play = fn(&mut Stage, &mut Scene);

/// How often what happens.
const PLAYS: &[(usize, Play)] = &[
    (20, sasl_guess),
    (12, imap_guess),
    (3, pop3_guess),
    (2, sieve_guess),
    (5, looks_around),
    (8, tls_probe),
    (6, pregreet),
    (6, dnsbl),
    (4, blocklisted_at_rcpt),
    (4, relay_probe),
    (8, harvest),
    (3, helo),
    (3, sender),
    (3, not_smtp),
    (2, pipelining),
    (2, too_many_errors),
    (2, too_fast),
    (2, malware),
    (3, spam),
    (2, refused_by_policy),
];

pub(super) fn choose(random: &mut Random) -> Play {
    random.weighted(PLAYS)
}

fn sasl_guess(stage: &mut Stage, scene: &mut Scene) {
    let peer = stranger(&mut stage.random);
    let (address, name, pid) = (peer.address, peer.name, stage.pid());
    let user = guessed(&mut stage.random, &stage.cast);
    let (why, digits) =
        (*stage.random.pick(&["Password mismatch", "unknown user"]), stage.random.next() >> 40);
    say!(scene, "postfix/submission/smtpd[{pid}]: connect from {name}[{address}]");
    say!(scene, "dovecot: auth: passwd-file({user},{address}): {why} (SHA1 of given password: {digits:06x})");
    say!(
        scene,
        "postfix/submission/smtpd[{pid}]: warning: {name}[{address}]: SASL LOGIN authentication failed: (reason \
         unavailable), sasl_username={user}"
    );
    say!(
        scene,
        "postfix/submission/smtpd[{pid}]: disconnect from {name}[{address}] ehlo=1 auth=0/1 quit=1 commands=2/3"
    );
}

fn imap_guess(stage: &mut Stage, scene: &mut Scene) {
    dovecot_guess(stage, scene, "imap-login");
}

fn pop3_guess(stage: &mut Stage, scene: &mut Scene) {
    dovecot_guess(stage, scene, "pop3-login");
}

fn sieve_guess(stage: &mut Stage, scene: &mut Scene) {
    dovecot_guess(stage, scene, "managesieve-login");
}

fn dovecot_guess(stage: &mut Stage, scene: &mut Scene, program: &str) {
    let address = stranger(&mut stage.random).address;
    let session = session_id(stage.micros, 1024 + stage.random.below(60_000), address);
    let (attempts, seconds) = (1 + stage.random.below(3), 2 + stage.random.below(15));
    let user = guessed(&mut stage.random, &stage.cast);
    for _ in 0..attempts {
        say!(scene, "dovecot: auth: passwd-file({user},{address},<{session}>): Password mismatch");
    }
    say!(
        scene,
        "dovecot: {program}: Disconnected: Connection closed (auth failed, {attempts} attempts in {seconds} secs): \
         user=<{user}>, method=PLAIN, rip={address}, lip={HOST}, TLS: Connection closed, session=<{session}>"
    );
}

fn looks_around(stage: &mut Stage, scene: &mut Scene) {
    let address = stranger(&mut stage.random).address;
    let session = session_id(stage.micros, 1024 + stage.random.below(60_000), address);
    let tls = *stage.random.pick(&[
        "",
        " TLS handshaking: SSL_accept() failed: error:0A00010B:SSL routines::wrong version number,",
    ]);
    say!(
        scene,
        "dovecot: imap-login: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip={address}, \
         lip={HOST},{tls} session=<{session}>"
    );
}

fn tls_probe(stage: &mut Stage, scene: &mut Scene) {
    let peer = stranger(&mut stage.random);
    let (address, name, pid) = (peer.address, peer.name, stage.pid());
    say!(scene, "postfix/submissions/smtpd[{pid}]: connect from {name}[{address}]");
    let why = *stage.random.pick(&["lost connection", "-1", "Connection reset by peer"]);
    say!(scene, "postfix/submissions/smtpd[{pid}]: SSL_accept error from {name}[{address}]: {why}");
    if why == "-1" {
        say!(
            scene,
            "postfix/submissions/smtpd[{pid}]: warning: TLS library problem: error:0A00010B:SSL routines::wrong version \
             number:../ssl/record/ssl3_record.c:350:"
        );
    }
    say!(scene, "postfix/submissions/smtpd[{pid}]: lost connection after CONNECT from {name}[{address}]");
    say!(scene, "postfix/submissions/smtpd[{pid}]: disconnect from {name}[{address}] commands=0/0");
}

fn pregreet(stage: &mut Stage, scene: &mut Scene) {
    let (address, port) = (stranger(&mut stage.random).address, 1024 + stage.random.below(60_000));
    say!(scene, "postfix/postscreen[812]: CONNECT from [{address}]:{port} to [{HOST}]:25");
    say!(scene, "postfix/postscreen[812]: PREGREET 11 after 0.08 from [{address}]:{port}: EHLO User\\r\\n");
    say!(scene, "postfix/postscreen[812]: DISCONNECT [{address}]:{port}");
}

fn dnsbl(stage: &mut Stage, scene: &mut Scene) {
    let (address, port) = (stranger(&mut stage.random).address, 1024 + stage.random.below(60_000));
    say!(scene, "postfix/postscreen[812]: CONNECT from [{address}]:{port} to [{HOST}]:25");
    say!(scene, "postfix/dnsblog[815]: addr {address} listed by domain dnsbl.example.net as 127.0.0.2");
    say!(scene, "postfix/postscreen[812]: DNSBL rank 3 for [{address}]:{port}");
    say!(
        scene,
        "postfix/postscreen[812]: NOQUEUE: reject: RCPT from [{address}]:{port}: 550 5.7.1 Service unavailable; client \
         [{address}] blocked using dnsbl.example.net; from=<win@lottery.example>, to=<anna.berg@example.org>, \
         proto=ESMTP, helo=<lottery.example>"
    );
    say!(scene, "postfix/postscreen[812]: DISCONNECT [{address}]:{port}");
}

/// A session on port 25 that smtpd refuses with this text.
fn refused(stage: &mut Stage, scene: &mut Scene, stage_name: &str, helo: &str, text: &str) {
    let peer = stranger(&mut stage.random);
    let (address, name, pid) = (peer.address, peer.name, stage.pid());
    let text = text.replace("ADDRESS", &address.to_string()).replace("NAME", &name);
    say!(scene, "postfix/smtpd[{pid}]: connect from {name}[{address}]");
    for n in 0..1 + stage.random.below(2) {
        say!(
            scene,
            "postfix/smtpd[{pid}]: NOQUEUE: reject: {stage_name} from {name}[{address}]: {text}; \
             from=<a{n}@lottery.example> to=<x{n}@example.org> proto=ESMTP helo=<{helo}>"
        );
    }
    say!(
        scene,
        "postfix/smtpd[{pid}]: disconnect from {name}[{address}] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4"
    );
}

fn blocklisted_at_rcpt(stage: &mut Stage, scene: &mut Scene) {
    let text = "554 5.7.1 Service unavailable; Client host [ADDRESS] blocked using rbl.example.net; Listed, see \
                https://rbl.example.net/?ip=ADDRESS";
    refused(stage, scene, "RCPT", "lottery.example", text);
}

fn relay_probe(stage: &mut Stage, scene: &mut Scene) {
    refused(stage, scene, "RCPT", "user", "454 4.7.1 <spamtest@elsewhere.example>: Relay access denied");
}

fn harvest(stage: &mut Stage, scene: &mut Scene) {
    let text =
        "550 5.1.1 <paul@example.org>: Recipient address rejected: User unknown in virtual mailbox table";
    refused(stage, scene, "RCPT", "mail.lottery.example", text);
}

fn helo(stage: &mut Stage, scene: &mut Scene) {
    let text = "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname";
    refused(stage, scene, "RCPT", "localhost", text);
}

fn sender(stage: &mut Stage, scene: &mut Scene) {
    let text = "550 5.1.8 <a@no.such.example>: Sender address rejected: Domain not found";
    refused(stage, scene, "RCPT", "no.such.example", text);
}

fn refused_by_policy(stage: &mut Stage, scene: &mut Scene) {
    refused(stage, scene, "RCPT", "host", "554 5.7.1 <NAME[ADDRESS]>: Client host rejected: Access denied");
}

fn not_smtp(stage: &mut Stage, scene: &mut Scene) {
    let peer = stranger(&mut stage.random);
    let (address, name, pid) = (peer.address, peer.name, stage.pid());
    say!(scene, "postfix/smtpd[{pid}]: connect from {name}[{address}]");
    say!(scene, "postfix/smtpd[{pid}]: warning: non-SMTP command from {name}[{address}]: GET / HTTP/1.1");
    say!(scene, "postfix/smtpd[{pid}]: disconnect from {name}[{address}] unknown=0/1 commands=0/1");
}

fn pipelining(stage: &mut Stage, scene: &mut Scene) {
    let peer = stranger(&mut stage.random);
    let (address, name, pid) = (peer.address, peer.name, stage.pid());
    say!(scene, "postfix/smtpd[{pid}]: connect from {name}[{address}]");
    say!(
        scene,
        "postfix/smtpd[{pid}]: improper command pipelining after EHLO from {name}[{address}]: MAIL \
         FROM:<a@lottery.example>\\r\\nRCPT TO:<anna.berg@example.org>\\r\\nDATA\\r\\n"
    );
    say!(scene, "postfix/smtpd[{pid}]: disconnect from {name}[{address}] ehlo=1 mail=1 commands=2");
}

fn too_many_errors(stage: &mut Stage, scene: &mut Scene) {
    let peer = stranger(&mut stage.random);
    let (address, name, pid) = (peer.address, peer.name, stage.pid());
    say!(scene, "postfix/smtpd[{pid}]: connect from {name}[{address}]");
    say!(scene, "postfix/smtpd[{pid}]: too many errors after UNKNOWN from {name}[{address}]");
    say!(scene, "postfix/smtpd[{pid}]: disconnect from {name}[{address}] ehlo=1 unknown=0/20 commands=1/21");
}

fn too_fast(stage: &mut Stage, scene: &mut Scene) {
    let peer = stranger(&mut stage.random);
    let (address, name, pid) = (peer.address, peer.name, stage.pid());
    let rate = 31 + stage.random.below(300);
    say!(scene, "postfix/smtpd[{pid}]: connect from {name}[{address}]");
    say!(
        scene,
        "postfix/smtpd[{pid}]: warning: Connection rate limit exceeded: {rate} from {name}[{address}] for service smtp"
    );
    say!(scene, "postfix/smtpd[{pid}]: disconnect from {name}[{address}] commands=0/0");
}

fn malware(stage: &mut Stage, scene: &mut Scene) {
    filtered(stage, scene, "Blocked INFECTED (Win.Test.EICAR_HDB-1) {DiscardedInbound,Quarantined}");
}

fn spam(stage: &mut Stage, scene: &mut Scene) {
    filtered(stage, scene, "Blocked SPAM {RejectedInbound}");
}

fn filtered(stage: &mut Stage, scene: &mut Scene, verdict: &str) {
    let peer = stranger(&mut stage.random);
    let (address, name, pid, id) = (peer.address, peer.name, stage.pid(), stage.queue_id());
    let (task, port) = (stage.random.below(99_999), 1024 + stage.random.below(60_000));
    say!(scene, "postfix/smtpd[{pid}]: connect from {name}[{address}]");
    say!(scene, "postfix/smtpd[{pid}]: {id}: client={name}[{address}]");
    say!(scene, "postfix/qmgr[830]: {id}: from=<a@lottery.example>, size=20123, nrcpt=1 (queue active)");
    say!(
        scene,
        "amavis[{task:05}]: ({task:05}-02) {verdict}, [{address}]:{port} [{address}] <a@lottery.example> -> \
         <anna.berg@example.org>, Queue-ID: {id}, mail_id: {:.12}, Hits: 18.4, size: 20123, 411 ms",
        session_id(stage.micros, port, address)
    );
    say!(
        scene,
        "postfix/smtpd[{pid}]: disconnect from {name}[{address}] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"
    );
    say!(scene, "postfix/qmgr[830]: {id}: removed");
}
