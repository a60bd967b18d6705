//! The results as Markdown.

use std::fmt::Write as _;

use super::{MB, Row, log};

/// The table of speeds. Ratios are to the row that takes lines to bans.
pub(super) fn speeds(log: &log::Written, rows: &[Row]) -> String {
    let mut text = format!(
        "\n{} MB, {} lines, of them {:.1} % hostile. One run on {} cores; CPU time is user \
         and system.\n\n",
        log.bytes / MB,
        log.lines,
        log.hostile as f64 * 100.0 / log.lines as f64,
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    );
    text += "| reader | does | MB/s of CPU | of ours | MB/s of wall | CPU s | wall s | peak MB | over | found |\n";
    text += "|---|---|---:|---:|---:|---:|---:|---:|---:|---|\n";
    let ours = rows.iter().find(|row| row.contender.is_yardstick).and_then(speed);
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line(row, ours));
    }
    text
}

fn line(row: &Row, ours: Option<f64>) -> String {
    let (name, does) = (row.contender.name, row.contender.does);
    let cost = match &row.result {
        Ok(cost) => cost,
        Err(why) => return format!("| {name} | {does} | not measured: {why} | | | | | | | |"),
    };
    let speed = speed(row).unwrap_or(0.0);
    let ratio = ours.map_or(String::new(), |ours| format!("{:.4}", speed / ours));
    format!(
        "| {name} | {does} | {speed:.1} | {ratio} | {:.1} | {:.3} | {:.3} | {:.1} | {} MB | {} |",
        row.bytes as f64 / MB as f64 / cost.wall.as_secs_f64(),
        cost.cpu.as_secs_f64(),
        cost.wall.as_secs_f64(),
        cost.peak_kb as f64 / 1024.0,
        row.bytes / MB,
        cost.said.replace('|', "\\|").chars().take(100).collect::<String>()
    )
}

/// MB per second of CPU time.
fn speed(row: &Row) -> Option<f64> {
    let cpu = row.result.as_ref().ok()?.cpu.as_secs_f64();
    (cpu > 0.0).then(|| row.bytes as f64 / MB as f64 / cpu)
}
