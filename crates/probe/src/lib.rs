//! Collects [`Facts`](mailward_audit::Facts) about a mail server: what its programs say, its files, what its ports and the DNS
//! answer. Changes nothing, and every look has a deadline.
#![forbid(unsafe_code)]
