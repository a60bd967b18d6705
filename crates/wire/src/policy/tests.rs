//! Requests as Postfix sends them, and others.

use proptest::prelude::*;

use super::*;

/// A request as Postfix 3.7.11 sends it at RCPT.
const CAPTURED: &str = "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=198.51.100.7\n\
    client_name=mail.partner.example\nclient_port=40112\nreverse_client_name=mail.partner.example\nserver_address=192.0.2.10\n\
    server_port=25\nhelo_name=mail.partner.example\nsender=kim@partner.example\nrecipient=alice@example.com\nrecipient_count=0\n\
    queue_id=\ninstance=1a2b.65a.0\nsize=1024\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\n\
    ccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\n\
    encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=\ncompatibility_level=3.6\nmail_version=3.10.0\n\n";

fn all(decoder: &mut Decoder) -> Result<Vec<(String, Stage)>, PolicyError> {
    let mut out = Vec::new();
    while let Some(request) = decoder.next_request()? {
        out.push((request.get(Attribute::Recipient).to_string(), request.stage()));
    }
    Ok(out)
}

#[test]
fn what_postfix_sends_is_understood() {
    let mut decoder = Decoder::default();
    decoder.push(CAPTURED.as_bytes());
    let request = decoder.next_request().unwrap().unwrap();
    assert_eq!(request.client(), Some("198.51.100.7".parse().unwrap()));
    assert_eq!(request.stage(), Stage::Rcpt);
    assert_eq!(request.number(Attribute::Size), 1024);
    assert_eq!(request.get(Attribute::Sender), Text::from("kim@partner.example"));
    assert_eq!(request.get(Attribute::User), Text::EMPTY);
    assert!(decoder.next_request().unwrap().is_none() && !decoder.is_amid());
}

#[test]
fn stages_have_their_names() {
    for (name, stage) in [
        ("CONNECT", Stage::Connect),
        ("EHLO", Stage::Helo),
        ("HELO", Stage::Helo),
        ("MAIL", Stage::Mail),
        ("DATA", Stage::Data),
        ("BDAT", Stage::Data),
        ("END-OF-MESSAGE", Stage::EndOfMessage),
        ("VRFY", Stage::Vrfy),
        ("ETRN", Stage::Etrn),
        ("", Stage::Other),
    ] {
        let text = format!("protocol_state={name}\nrequest=smtpd_access_policy\n\n");
        let mut decoder = Decoder::default();
        decoder.push(text.as_bytes());
        assert_eq!(decoder.next_request().unwrap().unwrap().stage(), stage, "{name}");
    }
}

#[test]
fn what_is_no_request_is_an_error() {
    let check = |bytes: &[u8], expected: PolicyError| {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        assert_eq!(all(&mut decoder), Err(expected), "{}", bytes.escape_ascii());
    };
    check(b"\n\n", PolicyError::Foreign);
    check(b"GET / HTTP/1.1\nHost: x\n\n", PolicyError::NoAttribute);
    check(b"request=junk_mail_filter\n\n", PolicyError::Foreign);
    check(b"request=smtpd_access_policy\nsender=a\nsender=a\n\n", PolicyError::Twice("sender"));
    check(b"request=smtpd_access_policy\nsender=\nsender=a\n\n", PolicyError::Twice("sender"));
    check(&vec![b'a'; LONGEST + 1], PolicyError::TooLong);
    check(&[vec![b'a'; LONGEST + 1], b"\n\n".to_vec()].concat(), PolicyError::TooLong);
}

#[test]
fn an_answer_is_one_line_whatever_the_text_is() {
    let check = |action: Action, expected: &str| {
        let mut out = Vec::new();
        action.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    };
    check(Action::Dunno, "action=DUNNO\n\n");
    check(Action::DeferIfPermit("4.7.1 later".into()), "action=DEFER_IF_PERMIT 4.7.1 later\n\n");
    check(Action::Reply("421 4.7.1 no\n\naction=OK".into()), "action=421 4.7.1 no??action=OK\n\n");
    check(Action::Warn("a".repeat(9_000)), &format!("action=WARN {}\n\n", "a".repeat(LONGEST_TEXT)));
}

proptest! {
    /// However the bytes are cut, the requests are the same, and memory is bounded.
    #[test]
    fn pieces_make_the_same_requests(cuts in prop::collection::vec(1_usize..2_000, 1..20), n in 1_usize..5) {
        let text = CAPTURED.repeat(n);
        let mut decoder = Decoder::default();
        let (mut found, mut rest) = (Vec::new(), text.as_bytes());
        for cut in cuts.iter().cycle() {
            let (piece, later) = rest.split_at((*cut).min(rest.len()));
            decoder.push(piece);
            found.extend(all(&mut decoder).unwrap());
            prop_assert!(decoder.bytes.len() <= LONGEST + 2_000);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, vec![("alice@example.com".to_owned(), Stage::Rcpt); n]);
    }

    #[test]
    fn any_bytes_are_requests_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..5_000)) {
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        let _ = all(&mut decoder);
    }
}
