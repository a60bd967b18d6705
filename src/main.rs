//! Mailward.
fn main() {}
