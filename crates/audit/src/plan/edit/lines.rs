//! Lines of any text file.

use core::ops::Range;

use super::Clash;
use super::text::Text;

/// Takes lines out and puts others in: in place of the first one taken out, or at the end. What is so already stays.
pub(super) fn replace(file: &str, mut text: Text, remove: &[String], add: &[String]) -> Result<Text, Clash> {
    if is_done(&text, remove, add) {
        return Ok(text);
    }
    let gone = match together(&text, remove) {
        Some(run) => run.collect(),
        None => scattered(file, &text, remove)?,
    };
    let at = gone.first().copied().unwrap_or_else(|| end(&text));
    let before = gone.iter().filter(|gone| **gone < at).count();
    text.remove(&gone);
    text.insert(at - before, add.iter().cloned());
    Ok(text)
}

/// Lines that stand together: a block, of which single lines may be in other blocks as well.
fn together(text: &Text, remove: &[String]) -> Option<Range<usize>> {
    let lines: Vec<&str> = text.lines().map(|(_, line)| line).collect();
    let at = lines.windows(remove.len().max(1)).position(|part| part.iter().eq(remove.iter()))?;
    Some(at..at + remove.len())
}

/// Lines wherever they stand.
fn scattered(file: &str, text: &Text, remove: &[String]) -> Result<Vec<usize>, Clash> {
    let mut gone = Vec::new();
    for line in remove {
        let found = text.lines().find(|(at, known)| known == line && !gone.contains(at));
        let Some((at, _)) = found else {
            return Err(Clash::Missing { file: file.to_owned(), line: line.clone() });
        };
        gone.push(at);
    }
    Ok(gone)
}

/// Whether nothing that is to go is there any more, and what is to come stands together.
fn is_done(text: &Text, remove: &[String], add: &[String]) -> bool {
    let lines: Vec<&str> = text.lines().map(|(_, line)| line).collect();
    let gone = |line: &String| add.contains(line) || !lines.contains(&line.as_str());
    let there = add.is_empty() || lines.windows(add.len()).any(|part| part.iter().eq(add.iter()));
    // To take out what is not there, and to put nothing in, is a mistake and no work done before.
    let is_change = remove.is_empty() || !add.is_empty();
    is_change && there && remove.iter().all(gone)
}

/// Behind the last line; before the `1;` that ends a file of Perl.
fn end(text: &Text) -> usize {
    let last = text.lines().rev().find(|(_, line)| !line.trim().is_empty());
    last.filter(|(_, line)| is_true(line)).map_or(text.len(), |(at, _)| at)
}

/// Whether a line is the true value that a file of Perl must end in.
pub(super) fn is_true(line: &str) -> bool {
    let line = line.trim_start();
    line.strip_prefix("1;").is_some_and(|rest| rest.trim().is_empty() || rest.trim().starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, remove: &[&str], add: &[&str], expected: Result<&str, ()>) {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let new = replace("f", Text::read(text), &owned(remove), &owned(add)).map(|text| text.to_string());
        assert_eq!(new.as_deref().map_err(|_| ()), expected);
    }

    #[test]
    fn lines_of_a_block_are_taken_out_of_that_block() {
        let blocks = "a {\n x\n y\n}\nb {\n x\n z\n}\n";
        check(blocks, &["b {", " x", " z", "}"], &["b {", " w", "}"], Ok("a {\n x\n y\n}\nb {\n w\n}\n"));
        check(blocks, &[" x", " z"], &[" w"], Ok("a {\n x\n y\n}\nb {\n w\n}\n"));
        check(blocks, &["a {", "b {"], &["c {"], Ok("c {\n x\n y\n}\n x\n z\n}\n"));
        check(blocks, &["c {"], &[], Err(()));
    }
}
