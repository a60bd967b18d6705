//! Golden lines of Dovecot 2.2, 2.3 and 2.4.

mod golden;
mod support;

#[test]
fn dovecot() {
    golden::check("dovecot", 200);
}
