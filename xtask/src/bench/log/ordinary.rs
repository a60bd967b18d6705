//! What honest clients do.

use super::cast::{HOST, Peer, session_id};
use super::random::Random;
use super::{Scene, Stage, say};

type Play = fn(&mut Stage, &mut Scene);

/// How often what happens.
const PLAYS: &[(usize, Play)] =
    &[(30, inbound), (12, submission), (40, imap), (5, pop3), (3, deferred), (4, monitor), (1, statistics)];

const CIPHER: &str = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature \
                      RSA-PSS (2048 bits) server-digest SHA256";

pub(super) fn choose(random: &mut Random) -> Play {
    random.weighted(PLAYS)
}

/// Another server delivers: postscreen, smtpd, the filters, LMTP.
fn inbound(stage: &mut Stage, scene: &mut Scene) {
    let Peer { address, name } = stage.random.pick(&stage.cast.servers).clone();
    let to = stage.random.pick(&stage.cast.users).login.clone();
    let (port, pid, id) = (1024 + stage.random.below(60_000), stage.pid(), stage.queue_id());
    let (task, size, again) =
        (stage.random.below(99_999), 900 + stage.random.below(90_000), stage.queue_id());
    let (n, from) =
        (stage.random.next(), format!("news@{}", name.split_once('.').map_or("", |(_, domain)| domain)));
    say!(scene, "postfix/postscreen[812]: CONNECT from [{address}]:{port} to [{HOST}]:25");
    let verdict = if stage.random.below(6) == 0 { "PASS NEW" } else { "PASS OLD" };
    say!(scene, "postfix/postscreen[812]: {verdict} [{address}]:{port}");
    say!(scene, "postfix/smtpd[{pid}]: connect from {name}[{address}]");
    say!(
        scene,
        "postfix/smtpd[{pid}]: Anonymous TLS connection established from {name}[{address}]: {CIPHER}"
    );
    say!(
        scene,
        "policyd-spf[{pid}]: : prepend Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip={address}; \
         helo={name}; envelope-from={from}; receiver={to} "
    );
    say!(scene, "postfix/smtpd[{pid}]: {id}: client={name}[{address}]");
    say!(scene, "postfix/cleanup[{}]: {id}: message-id=<{n:016x}@{name}>", pid + 1);
    say!(scene, "opendkim[1183]: {id}: {name} [{address}] not internal");
    say!(scene, "opendkim[1183]: {id}: s=mail d={name} a=rsa-sha256 SSL ");
    say!(scene, "opendmarc[1194]: {id}: {name} pass");
    say!(scene, "postfix/qmgr[830]: {id}: from=<{from}>, size={size}, nrcpt=1 (queue active)");
    let quit = "ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7";
    say!(scene, "postfix/smtpd[{pid}]: disconnect from {name}[{address}] {quit}");
    say!(
        scene,
        "amavis[{task:05}]: ({task:05}-01) Passed CLEAN {{RelayedInbound}}, [{address}]:{port} [{address}] <{from}> -> \
         <{to}>, Queue-ID: {id}, Message-ID: <{n:016x}@{name}>, mail_id: {:.12}, Hits: -0.2, size: {size}, queued_as: \
         {again}, 312 ms",
        session_id(stage.micros, port, address)
    );
    local_delivery(stage, scene, &id, &to);
}

/// From the queue into a mailbox.
fn local_delivery(stage: &mut Stage, scene: &mut Scene, id: &str, to: &str) {
    let (pid, n) = (stage.pid(), stage.random.next());
    let session = format!("{n:022x}");
    say!(scene, "dovecot: lmtp({pid}): Connect from local");
    say!(scene, "dovecot: lmtp({to})<{pid}><{session}>: msgid=<{n:016x}@example.net>: saved mail to INBOX");
    say!(
        scene,
        "postfix/lmtp[{}]: {id}: to=<{to}>, relay=mail.example.org[private/dovecot-lmtp], delay=0.41, \
         delays=0.31/0.01/0.02/0.07, dsn=2.0.0, status=sent (250 2.0.0 <{to}> {session} Saved)",
        pid + 2
    );
    say!(scene, "dovecot: lmtp({pid}): Disconnect from local: Logged out (state=READY)");
    say!(scene, "postfix/qmgr[830]: {id}: removed");
}

/// A user sends, and another server takes it.
fn submission(stage: &mut Stage, scene: &mut Scene) {
    let user = stage.random.pick(&stage.cast.users);
    let (login, Peer { address, name }) = (user.login.clone(), stage.random.pick(&user.places).clone());
    let relay = stage.random.pick(&stage.cast.servers).clone();
    let service = *stage.random.pick(&["submission", "submissions"]);
    let (pid, id, n, size) =
        (stage.pid(), stage.queue_id(), stage.random.next(), 600 + stage.random.below(50_000));
    say!(scene, "postfix/{service}/smtpd[{pid}]: connect from {name}[{address}]");
    say!(
        scene,
        "postfix/{service}/smtpd[{pid}]: Anonymous TLS connection established from {name}[{address}]: {CIPHER}"
    );
    say!(
        scene,
        "postfix/{service}/smtpd[{pid}]: {id}: client={name}[{address}], sasl_method=PLAIN, sasl_username={login}"
    );
    say!(scene, "postfix/cleanup[{}]: {id}: message-id=<{n:016x}@example.org>", pid + 1);
    say!(scene, "opendkim[1183]: {id}: DKIM-Signature field added (s=mail, d=example.org)");
    say!(scene, "postfix/qmgr[830]: {id}: from=<{login}>, size={size}, nrcpt=1 (queue active)");
    let quit = "ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8";
    say!(scene, "postfix/{service}/smtpd[{pid}]: disconnect from {name}[{address}] {quit}");
    let (to, at) = (relay.name, relay.address);
    let established = format!("Trusted TLS connection established to {to}[{at}]:25: {CIPHER}");
    say!(scene, "postfix/smtp[{}]: {established}", pid + 2);
    say!(
        scene,
        "postfix/smtp[{}]: {id}: to=<friend@{to}>, relay={to}[{at}]:25, delay=1.2, delays=0.1/0.02/0.6/0.48, dsn=2.0.0, \
         status=sent (250 2.0.0 Ok: queued as {:010X})",
        pid + 2,
        n >> 24
    );
    say!(scene, "postfix/qmgr[830]: {id}: removed");
}

fn imap(stage: &mut Stage, scene: &mut Scene) {
    let user = stage.random.pick(&stage.cast.users);
    let (login, address) = (&user.login, stage.random.pick(&user.places).address);
    let (pid, port) = (1000 + stage.random.below(30_000), 1024 + stage.random.below(60_000));
    let session = session_id(stage.micros, port, address);
    say!(
        scene,
        "dovecot: imap-login: Login: user=<{login}>, method=PLAIN, rip={address}, lip={HOST}, mpid={pid}, TLS, \
         session=<{session}>"
    );
    let how = *stage
        .random
        .pick(&["Logged out", "Connection closed (IDLE running for 0.001 + waiting input for 174.5 secs)"]);
    let (bytes_in, out) = (stage.random.below(9_000), stage.random.below(200_000));
    say!(
        scene,
        "dovecot: imap({login})<{pid}><{session}>: Disconnected: {how} in={bytes_in} out={out} deleted=0 expunged=0 \
         trashed=0 hdr_count=2 hdr_bytes=812 body_count=1 body_bytes=5120"
    );
}

fn pop3(stage: &mut Stage, scene: &mut Scene) {
    let user = stage.random.pick(&stage.cast.users);
    let (login, address) = (&user.login, stage.random.pick(&user.places).address);
    let (pid, port) = (1000 + stage.random.below(30_000), 1024 + stage.random.below(60_000));
    let session = session_id(stage.micros, port, address);
    say!(
        scene,
        "dovecot: pop3-login: Login: user=<{login}>, method=PLAIN, rip={address}, lip={HOST}, mpid={pid}, TLS, \
         session=<{session}>"
    );
    say!(
        scene,
        "dovecot: pop3({login})<{pid}><{session}>: Disconnected: Logged out top=0/0, retr=1/4177, del=1/7, size=9921"
    );
}

/// Another server puts our mail off.
fn deferred(stage: &mut Stage, scene: &mut Scene) {
    let relay = stage.random.pick(&stage.cast.servers).clone();
    let (to, at) = (relay.name, relay.address);
    let (pid, id) = (stage.pid(), stage.queue_id());
    say!(scene, "postfix/qmgr[830]: {id}: from=<anna.berg@example.org>, size=4211, nrcpt=1 (queue active)");
    say!(
        scene,
        "postfix/smtp[{pid}]: {id}: host {to}[{at}] said: 451 4.7.1 <friend@{to}>: Recipient address rejected: \
         Greylisted, try again later (in reply to RCPT TO command)"
    );
    say!(
        scene,
        "postfix/smtp[{pid}]: {id}: to=<friend@{to}>, relay={to}[{at}]:25, delay=301, delays=300/0.01/0.6/0.4, dsn=4.7.1, \
         status=deferred (host {to}[{at}] said: 451 4.7.1 <friend@{to}>: Recipient address rejected: Greylisted, try \
         again later (in reply to RCPT TO command))"
    );
}

/// Somebody watches whether we are there.
fn monitor(stage: &mut Stage, scene: &mut Scene) {
    let pid = stage.pid();
    let who = "probe1.monitor.example[203.0.113.12]";
    say!(scene, "postfix/submission/smtpd[{pid}]: connect from {who}");
    say!(scene, "postfix/submission/smtpd[{pid}]: lost connection after CONNECT from {who}");
    say!(scene, "postfix/submission/smtpd[{pid}]: disconnect from {who} commands=0/0");
}

fn statistics(stage: &mut Stage, scene: &mut Scene) {
    let address = stage.random.pick(&stage.cast.servers).address;
    say!(
        scene,
        "postfix/anvil[901]: statistics: max connection rate 3/60s for (smtpd:{address}) at Oct  6 00:01:02"
    );
    say!(
        scene,
        "postfix/anvil[901]: statistics: max connection count 1 for (smtpd:{address}) at Oct  6 00:01:02"
    );
    say!(scene, "postfix/anvil[901]: statistics: max cache size 9 at Oct  6 00:01:02");
}
