//! Texts of others, made fit for a terminal.

use std::fmt::Write;

use compensation::Timestamp;

/// Longest text in a line of a table, in characters.
const SHORT: usize = 80;

/// The text with its control characters written out, line breaks and tabs excepted, so that what a command
/// said can't steer a terminal.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            let _ = write!(clean, "{}", c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Its first line, cut where it is long.
pub(crate) fn short(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let cut: String = first.chars().take(SHORT).collect();
    let more = cut.len() < first.len() || lines.next().is_some();
    format!("{}{}", clean(&cut), if more { "…" } else { "" })
}

/// The text with each further line set in by that much.
pub(crate) fn indented(text: &str, by: usize) -> String {
    clean(text).replace('\n', &format!("\n{}", " ".repeat(by)))
}

/// Rows under each other, columns as wide as they need to be; the last column is not filled up.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// How long ago that was, in its two largest units.
pub(crate) fn span(since: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_millis() - since.as_millis()).max(0) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days}d {}h", hours % 24),
        () if hours > 0 => format!("{hours}h {}m", minutes % 60),
        () if minutes > 0 => format!("{minutes}m {}s", seconds % 60),
        () => format!("{seconds}s"),
    }
}

/// The text as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(clean("a\x1b[31mb\r\nc\td"), "a\\u{1b}[31mb\\r\nc\td");
    }

    #[test]
    fn a_long_text_shows_that_it_goes_on() {
        assert_eq!(short("one\ntwo"), "one…");
        assert_eq!(short("one"), "one");
        assert_eq!(short(&"x".repeat(SHORT + 1)), format!("{}…", "x".repeat(SHORT)));
    }

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        let at = Timestamp::from_millis;
        assert_eq!(span(at(0), at(59_999)), "59s");
        assert_eq!(span(at(0), at(61_000)), "1m 1s");
        assert_eq!(span(at(0), at(3 * 3_600_000 + 60_000)), "3h 1m");
        assert_eq!(span(at(0), at(49 * 3_600_000)), "2d 1h");
        assert_eq!(span(at(5_000), at(0)), "0s", "clocks differ");
    }

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(ToOwned::to_owned).to_vec();
        assert_eq!(table(&[row(["a", "bcd"]), row(["äöü", ""])]), "a    bcd\näöü\n");
    }

    #[test]
    fn a_word_of_a_shell_is_quoted_where_it_must_be() {
        assert_eq!(quoted("order-7"), "order-7");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
