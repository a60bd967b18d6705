//! cargo-nextest hides what passing tests print and keeps it in its JUnit report. There a test says that it was skipped.

use super::run::is_skip;

/// The lines in a JUnit report that tell of something that was not tested.
pub(super) fn skips(report: &str) -> Vec<String> {
    // Text of a test holds no angle bracket: XML has them escaped.
    let texts = report.lines().flat_map(|line| line.split(['<', '>']));
    texts.filter(|text| is_skip(text)).map(|text| unescape(text.trim())).collect()
}

/// The five entities of XML 1.0 section 4.6, the ampersand last.
fn unescape(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_are_found_wherever_they_stand() {
        let report = "<testcase>\n<system-err>SKIPPED: a &lt; b &amp;&amp; c\nother\n  SKIPPED: needs root\n\
                      </system-err><system-out>not SKIPPED</system-out><system-err>SKIPPED: one</system-err>";
        assert_eq!(skips(report), ["SKIPPED: a < b && c", "SKIPPED: needs root", "SKIPPED: one"]);
    }
}
