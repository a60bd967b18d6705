//! What honest users do in a day, and what of it looks suspicious.

use std::thread;
use std::time::Duration;

use super::Legit;
use crate::topology::{
    HOME, HOME6, MONITOR, MTA, MTA6, NEIGHBOUR, NORA, OFFICE, OTTO, PIA, QUINN, SAM, TESS, UMA,
};

/// Ordinary mail, both directions, all protocols.
pub(super) fn ordinary(legit: &mut Legit<'_>, round: usize) {
    let subject = |what: &str, legit: &Legit<'_>| legit.subject(&format!("{what}{round}"));
    let (out, inner) = (subject("out", legit), subject("inner", legit));
    let (from_mta, from_mta6) = (subject("mta", legit), subject("mta6", legit));
    legit.step("nora sends on 587", |legit| {
        legit.send(HOME, 587, NORA, &[SAM.name, "kim@partner.example"], &out)
    });
    legit.step("sam sends on 465", |legit| legit.send(OFFICE, 465, SAM, &[OTTO.name], &inner));
    legit.step("nora's message reaches the partner", |legit| legit.reaches_partner(&out));
    legit.step("sam reads it on 993", |legit| legit.read(OFFICE, 993, SAM, 0, Some(&out)));
    legit.step("otto mistypes once and reads on 143", |legit| legit.read(HOME, 143, OTTO, 1, Some(&inner)));
    legit.step("the partner delivers", |legit| {
        legit.deliver(MTA, "kim@partner.example", &[NORA.name], &from_mta)
    });
    legit.step("nora reads it over IPv6", |legit| legit.read(HOME6, 993, NORA, 0, Some(&from_mta)));
    legit.step("the partner delivers over IPv6", |legit| {
        legit.deliver(MTA6, "kim@partner.example", &[TESS.name], &from_mta6)
    });
    legit.step("pia reads in the attackers' network", |legit| legit.read(NEIGHBOUR, 993, PIA, 0, None));
    legit.step("quinn fetches on 995", |legit| legit.fetch(HOME, QUINN));
}

/// What a hasty defender bans.
pub(super) fn hard(legit: &mut Legit<'_>) {
    legit.step("office: uma's phone has an old password, sam and tess work", |legit| {
        for n in 0..12 {
            legit.stale_login(OFFICE, UMA)?;
            if n % 3 == 0 {
                legit.read(OFFICE, 993, if n % 2 == 0 { SAM } else { TESS }, 0, None)?;
            }
        }
        Ok(())
    });
    legit.step("the monitor connects and leaves", |legit| {
        for _ in 0..15 {
            for port in [25, 465, 587, 993] {
                legit.knock(MONITOR, port)?;
            }
            thread::sleep(Duration::from_millis(400));
        }
        Ok(())
    });
    legit.step("quinn mistypes three times, then not", |legit| legit.read(HOME, 993, QUINN, 3, None));
    let list = legit.subject("list");
    legit.step("a mailing list has dead addresses", |legit| {
        let dead = ["gone1@example.org", "gone2@example.net", "gone3@example.org", "gone4@example.org"];
        let to = [&dead[..], &[OTTO.name, UMA.name], &["gone5@example.net", "gone6@example.org"]].concat();
        legit.deliver(MTA, "list-bounces@partner.example", &to, &list)
    });
    let scan = legit.subject("scan");
    legit.step("office: an old printer tries TLS 1.0 first", |legit| {
        for _ in 0..4 {
            legit.old_tls(OFFICE)?;
        }
        legit.send(OFFICE, 465, SAM, &[TESS.name], &scan)
    });
    let news = legit.subject("news");
    legit.step("office: tess sends a newsletter to 25 members", |legit| {
        for n in 0..25 {
            let member = format!("member{n}@club{}.example", n % 5);
            legit.send(OFFICE, 587, TESS, &[&member], &format!("{news}-{n}"))?;
        }
        Ok(())
    });
    legit.step("office still works", |legit| legit.read(OFFICE, 993, SAM, 0, None));
}
