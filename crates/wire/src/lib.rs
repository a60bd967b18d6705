//! The protocols in which Postfix and Dovecot ask, as codecs without a socket: bytes in, requests out, answers into bytes.
//!
//! Bounded in memory and linear in time, whatever the bytes are. What cannot be understood is an error, and whoever holds the
//! connection closes it.
#![forbid(unsafe_code)]

pub mod policy;
