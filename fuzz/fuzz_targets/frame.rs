//! Any bytes as a log: lines are parts of it, nothing is lost between them, and a parser goes on after every one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailward_model::Timestamp;
use mailward_parse::{Context, Parser, split_lines};

fuzz_target!(|log: &[u8]| {
    let reference = Timestamp::from_secs(1_795_219_200);
    let mut parser = Parser::new(Context { reference, zone: jiff::tz::TimeZone::UTC });
    let (mut bytes, mut lines) = (0, 0);
    for line in split_lines(log) {
        assert!(!line.contains(&b'\n'));
        bytes += line.len();
        lines += 1;
        let time = parser.parse(line).time;
        assert_eq!(parser.parse(line).time, time, "the same line twice has one time");
    }
    let ends = log.iter().filter(|b| **b == b'\n').count();
    let open = log.last().is_some_and(|b| *b != b'\n');
    assert_eq!(lines, ends + usize::from(open));
    let returns =
        log.windows(2).filter(|pair| pair == b"\r\n").count() + usize::from(open && log.ends_with(b"\r"));
    assert!(bytes + ends + returns >= log.len());
});
