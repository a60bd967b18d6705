//! Writes every golden line of the parser as an input of `parse_line`, and every golden file as one of `frame`.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for target in ["parse_line", "frame"] {
        fs::create_dir_all(root.join("corpus").join(target))?;
    }
    for name in ["postfix", "dovecot", "programs"] {
        let golden = root.join("../crates/parse/tests/golden").join(name).with_extension("txt");
        let lines = fs::read_to_string(&golden)?;
        let lines = lines.lines().filter(|line| !line.starts_with("    ") && !line.starts_with("# "));
        let mut log = String::new();
        for (number, line) in lines.filter(|line| !line.is_empty()).enumerate() {
            fs::write(root.join(format!("corpus/parse_line/{name}-{number}")), line)?;
            log.push_str(line);
            log.push('\n');
        }
        fs::write(root.join("corpus/frame").join(name), log)?;
    }
    Ok(())
}
