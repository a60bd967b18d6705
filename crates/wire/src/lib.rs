//! The protocols in which Postfix and Dovecot ask, as codecs without a socket: bytes in, requests out, answers into bytes.
//!
//! Bounded in memory and linear in time, whatever the bytes are and however they arrive. What cannot be understood is an error,
//! and whoever holds the connection closes it.
#![forbid(unsafe_code)]

pub mod auth_policy;
pub mod http;
pub mod policy;
