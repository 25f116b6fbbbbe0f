//! Tables of rules in a Markdown document, each between two comments such as `<!-- imports -->` and
//! `<!-- /imports -->`. The document is the law; the checks read it.

use crate::repo::Repo;

/// The document that holds the tables.
pub(crate) const DOCUMENT: &str = "ARCHITECTURE.md";

/// One row below a table's head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its line in the document.
    pub(crate) line: usize,
    pub(crate) cells: Vec<String>,
}

impl Row {
    /// The cell in that column; empty where the row is too short.
    pub(crate) fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// What stands between backticks in a cell.
    pub(crate) fn codes(&self, column: usize) -> Vec<&str> {
        self.cell(column).split('`').skip(1).step_by(2).collect()
    }

    /// The words of a cell, between commas.
    pub(crate) fn words(&self, column: usize) -> Vec<&str> {
        let words = self.cell(column).split(',').map(str::trim);
        words.filter(|word| !word.is_empty() && *word != "–").collect()
    }
}

/// The rows of a table.
pub(crate) fn read(repo: &Repo, name: &str) -> Result<Vec<Row>, String> {
    let document =
        repo.file(DOCUMENT).ok_or_else(|| format!("there is no {DOCUMENT} with the rules"))?;
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let numbered = document.text.lines().map(str::trim).zip(1..);
    let mut inside = numbered.skip_while(|(line, _)| *line != begin).skip(1);
    let mut rows = Vec::new();
    loop {
        match inside.next() {
            None => {
                return Err(format!("{DOCUMENT} has no table between `{begin}` and `{end}`"));
            }
            Some((line, _)) if line == end => break,
            Some((line, number)) if line.starts_with('|') => {
                rows.push(Row { line: number, cells: cells(line) });
            }
            Some(_) => {}
        }
    }
    if rows.len() < 2 {
        return Err(format!("the table `{name}` of {DOCUMENT} has no head"));
    }
    Ok(rows.split_off(2))
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(|cell| cell.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "# A\n<!-- t -->\n\n| a | b |\n|---|---|\n| x | `p`, `q` |\n\n<!-- /t -->\n";

    #[test]
    fn rows_come_without_the_head_and_know_their_line() {
        let rows = read(&Repo::of(&[(DOCUMENT, TABLE)]), "t").expect("the table is there");
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].line, rows[0].cell(0)), (6, "x"));
        assert_eq!(rows[0].codes(1), ["p", "q"]);
    }

    #[test]
    fn a_table_that_is_not_closed_is_refused() {
        let open = TABLE.replace("<!-- /t -->", "");
        assert!(read(&Repo::of(&[(DOCUMENT, &open)]), "t").is_err());
    }
}
