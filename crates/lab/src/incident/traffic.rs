//! Ordinary mail: deliveries, submissions, mailbox sessions.

use super::script::{MILLI, Micros, Peer, SECOND, Script, delay};

pub(super) const TLS: &str = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 \
     server-signature ECDSA (prime256v1) server-digest SHA256";

/// Another mail server delivers a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    pub(super) from: Peer,
    pub(super) sender: &'static str,
    pub(super) to: &'static str,
    /// Whether the server speaks a TLS that ours accepts.
    pub(super) tls: bool,
}

/// A user's mail program sends a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Submission {
    pub(super) from: Peer,
    pub(super) user: &'static str,
    pub(super) to: &'static str,
    /// By which server the message goes on.
    pub(super) via: Peer,
    /// On 465 instead of 587.
    pub(super) implicit_tls: bool,
}

/// A message on its way through the queue.
struct Message<'a> {
    id: String,
    message_id: String,
    sender: &'a str,
    to: &'a str,
    size: u64,
    client: Peer,
    port: u16,
    arrived: Micros,
}

fn domain(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or_default()
}

/// postscreen's look at a client; when it lets it pass.
pub(super) fn screen(script: &mut Script, when: Micros, peer: Peer, port: u16) -> Micros {
    let pid = script.only("postscreen");
    let (address, server) = (peer.address, peer.server());
    script.log(when, "postfix/postscreen", pid, &format!("CONNECT from [{address}]:{port} to [{server}]:25"));
    let (verdict, wait) = if script.is_new(peer) {
        ("PASS NEW", 6 * SECOND + script.random.between(3, 40) * MILLI)
    } else {
        ("PASS OLD", script.random.between(80, 300))
    };
    script.log(when + wait, "postfix/postscreen", pid, &format!("{verdict} [{address}]:{port}"));
    when + wait + script.random.between(4, 30) * MILLI
}

/// A whole delivery, from the greeting to the mailbox.
pub(super) fn receive(script: &mut Script, when: Micros, mail: Delivery) {
    let port = script.random.port();
    let t = screen(script, when, mail.from, port);
    let pid = script.process("smtpd", t, t + SECOND);
    let say = |script: &mut Script, at, text: &str| script.log(at, "postfix/smtpd", pid, text);
    say(script, t, &format!("connect from {}", mail.from));
    let mut at = t + 9 * MILLI;
    if mail.tls {
        say(script, at, &format!("Anonymous TLS connection established from {}: {TLS}", mail.from));
    }
    at += script.random.between(90, 190) * MILLI;
    sender_policy(script, at, mail);
    at += script.random.between(8, 20) * MILLI;
    let message = Message {
        id: script.queue_id(at),
        message_id: format!(
            "{}.{}@{}",
            script.random.word("0123456789abcdef", 12),
            at % 899_981,
            domain(mail.sender)
        ),
        sender: mail.sender,
        to: mail.to,
        size: script.random.between(2_100, 92_000),
        client: mail.from,
        port,
        arrived: at,
    };
    say(script, at, &format!("{}: client={}", message.id, mail.from));
    at += script.random.between(20, 60) * MILLI;
    cleanup(script, at, "postfix/cleanup", &message);
    signatures(script, at + 30 * MILLI, &message);
    queued(script, at + 80 * MILLI, &message);
    let commands = if mail.tls {
        "ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7"
    } else {
        "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"
    };
    say(script, at + 110 * MILLI, &format!("disconnect from {} {commands}", mail.from));
    let (done, second) = filter(script, at + 130 * MILLI, &message, "RelayedInbound");
    deliver_locally(script, done + 4 * MILLI, &message, &second);
    script.truth.received();
}

fn sender_policy(script: &mut Script, at: Micros, mail: Delivery) {
    let pid = script.only("policyd-spf");
    let (address, helo, sender) = (mail.from.address, mail.from.name, mail.sender);
    let text = format!(
        ": prepend Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip={address}; helo={helo}; \
         envelope-from={sender}; receiver={} ",
        domain(mail.to)
    );
    script.log(at, "policyd-spf", pid, &text);
}

fn cleanup(script: &mut Script, at: Micros, program: &'static str, message: &Message<'_>) {
    let pid = script.process(program, at, at + 200 * MILLI);
    script.log(at, program, pid, &format!("{}: message-id=<{}>", message.id, message.message_id));
}

fn signatures(script: &mut Script, at: Micros, message: &Message<'_>) {
    let (dkim, dmarc) = (script.only("opendkim"), script.only("opendmarc"));
    let (id, client, from) = (&message.id, message.client, domain(message.sender));
    let lines = [
        format!("{id}: {} [{}] not internal", client.name, client.address),
        format!("{id}: not authenticated"),
        format!("{id}: DKIM verification successful"),
        format!("{id}: s=dk1 d={from} a=rsa-sha256 SSL "),
    ];
    for (n, line) in lines.iter().enumerate() {
        script.log(at + 11 * (n as u64), "opendkim", dkim, line);
    }
    script.log(at + 24 * MILLI, "opendmarc", dmarc, &format!("{id}: {from} pass"));
}

fn queued(script: &mut Script, at: Micros, message: &Message<'_>) {
    let pid = script.only("qmgr");
    let (id, sender, size) = (&message.id, message.sender, message.size);
    script.log(
        at,
        "postfix/qmgr",
        pid,
        &format!("{id}: from=<{sender}>, size={size}, nrcpt=1 (queue active)"),
    );
}

fn removed(script: &mut Script, at: Micros, id: &str) {
    let pid = script.only("qmgr");
    script.log(at, "postfix/qmgr", pid, &format!("{id}: removed"));
}

/// The content filter takes the message and gives it back under a second id; when, and which.
fn filter(script: &mut Script, at: Micros, message: &Message<'_>, direction: &str) -> (Micros, String) {
    let took = script.random.between(150, 900) * MILLI;
    let back = at + took;
    let second = Message {
        id: script.queue_id(back),
        message_id: message.message_id.clone(),
        size: message.size + script.random.between(300, 700),
        ..*message
    };
    let pid = script.process("smtpd-amavis", back, back + 12 * MILLI);
    let program = "postfix/smtpd-amavis/smtpd";
    script.log(back, program, pid, "connect from localhost[127.0.0.1]");
    script.log(back + 3 * MILLI, program, pid, &format!("{}: client=localhost[127.0.0.1]", second.id));
    cleanup(script, back + 5 * MILLI, "postfix/cleanup", &second);
    queued(script, back + 10 * MILLI, &second);
    let bye = "disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5";
    script.log(back + 11 * MILLI, program, pid, bye);
    verdict(script, back + 18 * MILLI, message, &second.id, direction, took);
    let pid = script.process("smtp-amavis", at, back + 20 * MILLI);
    let so_far = back + 20 * MILLI - message.arrived;
    let text = format!(
        "{}: to=<{}>, relay=127.0.0.1[127.0.0.1]:10024, delay={}, delays={}/0/0/{}, dsn=2.0.0, status=sent \
         (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {})",
        message.id,
        message.to,
        delay(so_far),
        delay(so_far - took),
        delay(took),
        second.id
    );
    script.log(back + 20 * MILLI, "postfix/smtp-amavis/smtp", pid, &text);
    removed(script, back + 22 * MILLI, &message.id);
    (back + 24 * MILLI, second.id)
}

fn verdict(
    script: &mut Script,
    at: Micros,
    message: &Message<'_>,
    second: &str,
    direction: &str,
    took: Micros,
) {
    let pid = script.process("amavis", at.saturating_sub(took), at);
    let number = script.random.between(1, 30);
    let mail_id = script.random.word("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", 12);
    let score = script.random.between(1, 4000);
    let address = message.client.address;
    let text = format!(
        "({pid:05}-{number:02}) Passed CLEAN {{{direction}}}, [{address}]:{} [{address}] <{}> -> <{}>, \
         Queue-ID: {}, Message-ID: <{}>, mail_id: {mail_id}, Hits: -{}.{:03}, size: {}, queued_as: {second}, {} ms",
        message.port,
        message.sender,
        message.to,
        message.id,
        message.message_id,
        score / 1000,
        score % 1000,
        message.size,
        took / MILLI
    );
    script.log(at, "amavis", pid, &text);
}

fn deliver_locally(script: &mut Script, at: Micros, message: &Message<'_>, id: &str) {
    let server = script.process("dovecot-lmtp", at, at + 60 * MILLI);
    let client = script.process("postfix-lmtp", at, at + 60 * MILLI);
    let session = script.delivery(at, server);
    let took = script.random.between(18, 70) * MILLI;
    let (to, message_id) = (message.to, &message.message_id);
    script.dovecot(at, &format!("lmtp({server}): Connect from local"));
    let stored = format!(
        "lmtp({to})<{server}><{session}>: sieve: msgid=<{message_id}>: stored mail into mailbox 'INBOX'"
    );
    script.dovecot(at + took, &stored);
    let text = format!(
        "{id}: to=<{to}>, relay=mail.example.net[/var/run/dovecot/lmtp], delay={}, delays={}/0.01/0.01/{}, \
         dsn=2.0.0, status=sent (250 2.0.0 <{to}> {session} Saved)",
        delay(took + 30 * MILLI),
        delay(20 * MILLI),
        delay(took)
    );
    script.log(at + took + MILLI, "postfix/lmtp", client, &text);
    script.dovecot(
        at + took + 2 * MILLI,
        &format!("lmtp({server}): Disconnect from local: Logged out (state=READY)"),
    );
    removed(script, at + took + 3 * MILLI, id);
}

/// A whole submission, from the login to the other server's answer.
pub(super) fn submit(script: &mut Script, when: Micros, mail: Submission) {
    let (program, commands) = if mail.implicit_tls {
        ("postfix/submissions/smtpd", "ehlo=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=6")
    } else {
        ("postfix/submission/smtpd", "ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8")
    };
    let pid = script.process(program, when, when + SECOND);
    script.log(when, program, pid, &format!("connect from {}", mail.from));
    let mut at = when + script.random.between(12, 40) * MILLI;
    script.log(at, program, pid, &format!("Anonymous TLS connection established from {}: {TLS}", mail.from));
    at += script.random.between(90, 180) * MILLI;
    let message = Message {
        id: script.queue_id(at),
        message_id: format!(
            "{}.{}@{}",
            script.random.word("0123456789abcdef", 12),
            at % 899_981,
            domain(mail.user)
        ),
        sender: mail.user,
        to: mail.to,
        size: script.random.between(1_400, 44_000),
        client: mail.from,
        port: script.random.port(),
        arrived: at,
    };
    let client =
        format!("{}: client={}, sasl_method=PLAIN, sasl_username={}", message.id, mail.from, mail.user);
    script.log(at, program, pid, &client);
    cleanup(script, at + 30 * MILLI, "postfix/sender-cleanup/cleanup", &message);
    let dkim = script.only("opendkim");
    let signed = format!("{}: DKIM-Signature field added (s=mail, d={})", message.id, domain(mail.user));
    script.log(at + 48 * MILLI, "opendkim", dkim, &signed);
    queued(script, at + 55 * MILLI, &message);
    script.log(at + 120 * MILLI, program, pid, &format!("disconnect from {} {commands}", mail.from));
    // So amavis calls what authenticated users send to other domains; it is no open relay.
    let (done, second) = filter(script, at + 130 * MILLI, &message, "RelayedOpenRelay");
    send_on(script, done + 5 * MILLI, &message, &second, mail.via);
    script.truth.login(mail.user);
    script.truth.sent();
}

fn send_on(script: &mut Script, at: Micros, message: &Message<'_>, id: &str, via: Peer) {
    let pid = script.process("smtp", at, at + 2 * SECOND);
    let (hello, took) = (script.random.between(180, 400) * MILLI, script.random.between(300, 900) * MILLI);
    let trusted = format!(
        "Trusted TLS connection established to {via}:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) \
         key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256"
    );
    script.log(at + hello, "postfix/smtp", pid, &trusted);
    let queued_as = script.random.word("0123456789ABCDEF", 10);
    let text = format!(
        "{id}: to=<{}>, relay={via}:25, delay={}, delays=0.01/0.01/{}/{}, dsn=2.0.0, status=sent \
         (250 2.0.0 Ok: queued as {queued_as})",
        message.to,
        delay(hello + took + 20 * MILLI),
        delay(hello),
        delay(took)
    );
    script.log(at + hello + took, "postfix/smtp", pid, &text);
    removed(script, at + hello + took + 3 * MILLI, id);
}

/// A mail program looks for mail; phones stay and wait for it.
pub(super) fn read(script: &mut Script, when: Micros, peer: Peer, user: &str, stays: bool) {
    let session = script.session(when, peer);
    let pid = script.fresh_pid();
    let login = format!(
        "imap-login: Login: user=<{user}>, method=PLAIN, rip={}, lip={}, mpid={pid}, TLS, session=<{session}>",
        peer.address,
        peer.server()
    );
    script.dovecot(when, &login);
    let (input, output) = (script.random.between(120, 700), script.random.between(900, 9_000));
    let seen = script.random.between(0, 4);
    let sums = format!(
        "in={input} out={output} deleted=0 expunged=0 trashed=0 hdr_count={seen} hdr_bytes={} body_count={seen} \
         body_bytes={}",
        seen * 640,
        seen * 5_200
    );
    let (end, why) = if stays {
        let waited = script.random.between(30, 200);
        let why = format!(
            "Connection closed (IDLE running for 0.001 + waiting input for {waited}.{:03} secs, 2 B in + 10 B out, \
             state=wait-input)",
            script.random.between(0, 1000)
        );
        (when + waited * SECOND, why)
    } else {
        (when + script.random.between(300, 3_600) * MILLI, "Logged out".to_owned())
    };
    script.dovecot(end, &format!("imap({user})<{pid}><{session}>: Disconnected: {why} {sums}"));
    script.truth.login(user);
}
