//! Golden lines of the content filters, milters, policy services and other programs.

mod golden;
mod support;

#[test]
fn programs() {
    golden::check("programs", 120);
}
