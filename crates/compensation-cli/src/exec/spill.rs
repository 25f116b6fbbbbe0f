//! Values that are too long for an environment go into files, for as long as a command runs.

use std::io::{self, Write};

use tempfile::NamedTempFile;

/// Longest value of one variable; the operating system allows 128 KiB.
const MAX_VALUE: usize = 64 * 1024;

/// All values together; the operating system allows 2 MiB with what this program itself has.
const MAX_ALL: usize = 512 * 1024;

/// Variables that fit, and the files of those that do not.
pub(super) struct Fitted {
    pub(super) set: Vec<(String, String)>,
    pub(super) unset: Vec<String>,
    /// Deleted when this is dropped.
    files: Vec<NamedTempFile>,
}

/// Puts each value that does not fit into a file, and the file's name into the variable `NAME_FILE`.
pub(super) fn fit<'a>(
    values: impl Iterator<Item = (&'a String, &'a String)>,
) -> io::Result<Fitted> {
    let mut fitted = Fitted { set: Vec::new(), unset: Vec::new(), files: Vec::new() };
    let mut all = 0;
    for (name, value) in values {
        if value.len() <= MAX_VALUE && all + value.len() <= MAX_ALL {
            all += value.len();
            fitted.set.push((name.clone(), value.clone()));
        } else {
            let mut kept = tempfile::Builder::new().prefix("compensation-").tempfile()?;
            kept.write_all(value.as_bytes())?;
            fitted.unset.push(name.clone());
            fitted.set.push((format!("{name}_FILE"), kept.path().to_string_lossy().into_owned()));
            fitted.files.push(kept);
        }
    }
    Ok(fitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_too_long_for_a_variable_is_in_a_file_of_its_own() {
        let long = "x".repeat(MAX_VALUE + 1);
        let values = [("A".to_owned(), "short".to_owned()), ("B".to_owned(), long.clone())];
        let fitted = fit(values.iter().map(|(name, value)| (name, value))).expect("writable");
        assert_eq!(fitted.set[0], values[0]);
        assert_eq!(fitted.unset, ["B"]);
        let (name, path) = &fitted.set[1];
        assert_eq!(name, "B_FILE");
        assert_eq!(std::fs::read_to_string(path).expect("there"), long);
    }

    #[test]
    fn values_that_are_too_long_together_are_in_files_from_the_first_that_does_not_fit() {
        let values: Vec<_> = (0..9).map(|n| (format!("V{n}"), "x".repeat(MAX_VALUE))).collect();
        let fitted = fit(values.iter().map(|(name, value)| (name, value))).expect("writable");
        assert_eq!(fitted.files.len(), 1);
        assert_eq!(fitted.set[8].0, "V8_FILE");
    }
}
