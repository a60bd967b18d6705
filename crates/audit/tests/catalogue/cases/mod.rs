//! The cases, a module per family.

mod acc;
mod avs;
mod bak;
mod ban;
mod bim;
mod crt;
mod dan;
mod dkm;
mod dmr;
mod dms;
mod dns;
mod dov;
mod fil;
mod log;
mod pfx;
mod qta;
mod que;
mod rep;
mod rpt;
mod smt;
mod spf;
mod sts;
mod tls;
mod trp;
mod ver;

use crate::Case;

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        tls::CASES,
        crt::CASES,
        smt::CASES,
        pfx::CASES,
        dov::CASES,
        acc::CASES,
        dns::CASES,
        spf::CASES,
        dkm::CASES,
        dmr::CASES,
        bim::CASES,
        sts::CASES,
        trp::CASES,
        dan::CASES,
        rpt::CASES,
        rep::CASES,
        fil::CASES,
        que::CASES,
        qta::CASES,
        bak::CASES,
        avs::CASES,
        ban::CASES,
        log::CASES,
        ver::CASES,
        dms::CASES,
    ]
    .into_iter()
    .flatten()
}
