//! The checks, a module per family. Each module lists its checks by id, and the rows that no check proves yet.

pub(crate) mod acc;
pub(crate) mod avs;
pub(crate) mod bak;
pub(crate) mod ban;
pub(crate) mod bim;
pub(crate) mod crt;
pub(crate) mod dan;
pub(crate) mod dkm;
pub(crate) mod dmr;
pub(crate) mod dms;
pub(crate) mod dns;
pub(crate) mod dov;
pub(crate) mod fil;
pub(crate) mod log;
pub(crate) mod pfx;
pub(crate) mod qta;
pub(crate) mod que;
pub(crate) mod rep;
pub(crate) mod rpt;
pub(crate) mod smt;
pub(crate) mod spf;
pub(crate) mod sts;
pub(crate) mod tls;
pub(crate) mod trp;
pub(crate) mod ver;
