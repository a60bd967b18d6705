//! Postfix's policy delegation protocol (SMTPD_POLICY_README): a request is lines of `name=value` and an empty line, an answer
//! one `action=` line and an empty line.

use core::net::IpAddr;

use mailward_model::{Stage, Text, canonical};

/// Bytes of one request. Postfix sends about 700; client certificates and long addresses make it a few thousand.
pub const LONGEST: usize = 16 << 10;
/// Bytes of the text of an answer: SMTP replies are 512 a line (RFC 5321 section 4.5.3.1.5), and Postfix adds to it.
const LONGEST_TEXT: usize = 400;

/// Why bytes are no request. There is no way on: the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// More than [`LONGEST`] without an end.
    #[error("a request is longer than {LONGEST} bytes")]
    TooLong,
    /// A line without `=`.
    #[error("a line of a request is no name=value")]
    NoAttribute,
    /// A name that was there before: whichever counted, somebody could mean the other.
    #[error("a request names {0} twice")]
    Twice(&'static str),
    /// It is no request of Postfix's SMTP server.
    #[error("a request is not request=smtpd_access_policy")]
    Foreign,
}

macro_rules! attributes {
    ($($(#[$meta:meta])* $variant:ident = $name:literal,)+) => {
        /// What is looked at of a request; Postfix sends more, and newer versions still more, which is ignored.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Attribute {
            $($(#[$meta])* $variant,)+
        }

        impl Attribute {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As Postfix writes it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            fn of(name: &[u8]) -> Option<Self> {
                match core::str::from_utf8(name).ok()? {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

attributes! {
    /// `smtpd_access_policy`.
    Request = "request",
    /// At which command it is asked.
    State = "protocol_state",
    /// The client's address.
    ClientAddress = "client_address",
    /// Its name, confirmed forward and back; `unknown` where it has none.
    ClientName = "client_name",
    /// What its address resolves to, confirmed or not.
    ReverseClientName = "reverse_client_name",
    /// The address that it reached.
    ServerAddress = "server_address",
    /// The port that it reached.
    ServerPort = "server_port",
    /// What it calls itself.
    Helo = "helo_name",
    /// The envelope sender.
    Sender = "sender",
    /// The envelope recipient.
    Recipient = "recipient",
    /// How many recipients were accepted; at DATA and at the end of the message.
    RecipientCount = "recipient_count",
    /// The queue id, once there is one.
    QueueId = "queue_id",
    /// One per message: joins its requests.
    Instance = "instance",
    /// The size that was announced, or the real one at the end of the message.
    Size = "size",
    /// The login mechanism.
    Mechanism = "sasl_method",
    /// The login name; empty without a login.
    User = "sasl_username",
    /// The name in a verified client certificate.
    CertificateSubject = "ccert_subject",
    /// The fingerprint of a client certificate.
    CertificateFingerprint = "ccert_fingerprint",
    /// The fingerprint of its key.
    KeyFingerprint = "ccert_pubkey_fingerprint",
    /// The TLS version; empty without TLS.
    Tls = "encryption_protocol",
    /// What main.cf or master.cf says of the asking service (Postfix 3.1).
    Context = "policy_context",
}

/// What Postfix asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    values: [Option<Text<'a>>; Attribute::ALL.len()],
}

impl<'a> Request<'a> {
    /// Reads the lines of a request, without the empty one at its end.
    fn read(lines: &'a [u8]) -> Result<Self, PolicyError> {
        let mut values = [None; Attribute::ALL.len()];
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let at = line.iter().position(|byte| *byte == b'=').ok_or(PolicyError::NoAttribute)?;
            let (name, value) = line.split_at(at);
            let Some(attribute) = Attribute::of(name) else { continue };
            let place = values.get_mut(attribute as usize).ok_or(PolicyError::NoAttribute)?;
            if place.replace(Text::new(value.get(1..).unwrap_or_default())).is_some() {
                return Err(PolicyError::Twice(attribute.name()));
            }
        }
        let request = Self { values };
        let ours = request.get(Attribute::Request).bytes() == b"smtpd_access_policy";
        ours.then_some(request).ok_or(PolicyError::Foreign)
    }

    /// The value of an attribute; empty where Postfix does not know it, or did not send it.
    #[must_use]
    pub fn get(&self, attribute: Attribute) -> Text<'a> {
        self.values.get(attribute as usize).copied().flatten().unwrap_or_default()
    }

    /// A number; 0 where there is none.
    #[must_use]
    pub fn number(&self, attribute: Attribute) -> u64 {
        let digits = self.get(attribute).bytes();
        core::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// The client's address; none for a local client, whose address is no IP address.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        let text = core::str::from_utf8(self.get(Attribute::ClientAddress).bytes()).ok()?;
        text.parse().ok().map(canonical)
    }

    /// At which command it is asked.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self.get(Attribute::State).bytes() {
            b"CONNECT" => Stage::Connect,
            b"EHLO" | b"HELO" => Stage::Helo,
            b"MAIL" => Stage::Mail,
            b"RCPT" => Stage::Rcpt,
            // BDAT (RFC 3030) is the same step.
            b"DATA" | b"BDAT" => Stage::Data,
            b"END-OF-MESSAGE" => Stage::EndOfMessage,
            b"VRFY" => Stage::Vrfy,
            b"ETRN" => Stage::Etrn,
            _ => Stage::Other,
        }
    }
}

/// Takes bytes as they come and gives out requests.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Where the next request begins: what is before was given out.
    begin: usize,
    /// Up to where there is no end of a request.
    searched: usize,
}

impl Decoder {
    /// Takes what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.begin);
        self.searched -= self.begin;
        self.begin = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether there are bytes of a request that is not whole.
    #[must_use]
    pub const fn is_amid(&self) -> bool {
        self.bytes.len() > self.begin
    }

    /// The next request that is whole.
    ///
    /// # Errors
    /// [`PolicyError`]; the connection is to be closed.
    pub fn next_request(&mut self) -> Result<Option<Request<'_>>, PolicyError> {
        let begin = self.begin;
        let from = self.searched.max(begin);
        let rest = self.bytes.get(from..).unwrap_or_default();
        let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") else {
            // The last byte may be the first half of the end.
            self.searched = self.bytes.len().saturating_sub(1).max(begin);
            let longest = self.bytes.len() - begin;
            return if longest > LONGEST { Err(PolicyError::TooLong) } else { Ok(None) };
        };
        let end = from + end;
        if end - begin > LONGEST {
            return Err(PolicyError::TooLong);
        }
        (self.begin, self.searched) = (end + 2, end + 2);
        Request::read(self.bytes.get(begin..end).unwrap_or_default()).map(Some)
    }
}

/// What Postfix is told to do (access(5)). There is no `OK`: it would end the list of restrictions, and with it `reject_unauth_destination`
/// where that comes later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Go on with the next restriction: our yes.
    Dunno,
    /// Refuse for now, unless a later restriction refuses for good.
    DeferIfPermit(String),
    /// A reply of its own, such as `421 4.7.1 …`.
    Reply(String),
    /// Only a line in Postfix's log.
    Warn(String),
}

impl Action {
    /// Appends the answer. What could end a line is replaced, and long texts are cut.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (name, text) = match self {
            Self::Dunno => ("DUNNO", ""),
            Self::DeferIfPermit(text) => ("DEFER_IF_PERMIT ", text.as_str()),
            Self::Reply(text) => ("", text.as_str()),
            Self::Warn(text) => ("WARN ", text.as_str()),
        };
        out.extend_from_slice(b"action=");
        out.extend_from_slice(name.as_bytes());
        out.extend(
            text.bytes().take(LONGEST_TEXT).map(|byte| if matches!(byte, b' '..=b'~') { byte } else { b'?' }),
        );
        out.extend_from_slice(b"\n\n");
    }
}

#[cfg(test)]
mod tests;
