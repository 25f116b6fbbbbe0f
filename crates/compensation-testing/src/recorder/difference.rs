//! Two orders side by side, with a mark at the first place where they differ.

use std::{error::Error, fmt};

/// What was expected, and what was there instead.
///
/// Its text shows both, line by line, with a mark at the first difference.
///
/// ```
/// use compensation::Part;
/// use compensation_testing::CompensationRecorder;
///
/// let recorder = CompensationRecorder::new();
/// for name in ["reserve", "charge", "mail"] {
///     recorder.start(Part::Action, name).done();
/// }
/// let difference = recorder.verify_order(["reserve", "mail"]).unwrap_err();
/// assert_eq!(difference.place(), 1);
/// assert_eq!(
///     difference.to_string(),
///     "the order of calls is not as expected:\n\
///      \x20    expected   actual\n\
///      \x20 1  reserve    reserve\n\
///      > 2  mail       charge\n\
///      \x20 3  -          mail"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    what: String,
    expected: Vec<String>,
    actual: Vec<String>,
}

/// Stands where one side has come to its end.
const NOTHING: &str = "-";

impl Difference {
    /// `Ok` where both are the same.
    pub(crate) fn between(
        what: &str,
        expected: Vec<String>,
        actual: Vec<String>,
    ) -> Result<(), Self> {
        if expected == actual {
            Ok(())
        } else {
            Err(Self { what: what.to_owned(), expected, actual })
        }
    }

    /// What was expected.
    #[must_use]
    pub fn expected(&self) -> &[String] {
        &self.expected
    }

    /// What was there.
    #[must_use]
    pub fn actual(&self) -> &[String] {
        &self.actual
    }

    /// The first place where they differ, from 0.
    #[must_use]
    pub fn place(&self) -> usize {
        self.expected.iter().zip(&self.actual).take_while(|(left, right)| left == right).count()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const EXPECTED: &str = "expected";
        let lines = self.expected.len().max(self.actual.len());
        let digits = lines.to_string().len();
        let wide = self.expected.iter().map(|label| label.chars().count());
        let wide = wide.fold(EXPECTED.len(), usize::max);
        write!(f, "{} is not as expected:", self.what)?;
        write!(f, "\n  {:digits$}  {EXPECTED:wide$}   actual", "")?;
        for line in 0..lines {
            let side =
                |side: &'_ [String]| side.get(line).map_or(NOTHING, String::as_str).to_owned();
            let mark = if line == self.place() { '>' } else { ' ' };
            let (left, right) = (side(&self.expected), side(&self.actual));
            write!(f, "\n{mark} {:>digits$}  {left:wide$}   {right}", line + 1)?;
        }
        Ok(())
    }
}

impl Error for Difference {}
