//! Every shape of line that Postfix writes.

mod golden;
mod support;

#[test]
fn lines_of_postfix() {
    golden::check("postfix", 330);
}
