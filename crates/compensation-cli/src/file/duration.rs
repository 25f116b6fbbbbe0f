//! Durations as people write them: a number and a unit.

use std::time::Duration;

/// Units, and how many milliseconds they have.
const UNITS: [(&str, f64); 5] =
    [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("h", 3_600e3), ("d", 86_400e3)];

/// A hundred years: more is a slip of the pen.
const MAX_MS: f64 = 100.0 * 365.25 * 86_400e3;

/// Reads `200ms`, `30s`, `1.5m`, `2h` or `30d`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let bad = || {
        format!(
            "`{text}` is no duration: write a number and a unit, such as 200ms, 30s, 5m, 2h or 30d"
        )
    };
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &text[..text.len() - unit.len()];
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(bad)?;
    let millis = number.parse::<f64>().map_err(|_| bad())? * factor;
    if millis > MAX_MS {
        return Err(format!("`{text}` is longer than a hundred years"));
    }
    // Whole and not negative: no sign is let through above.
    Ok(Duration::from_millis(millis.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let read = |text| parse(text).map(|span| span.as_millis());
        assert_eq!(read("200ms"), Ok(200));
        assert_eq!(read("1.5s"), Ok(1_500));
        assert_eq!(read("10 m"), Ok(600_000));
        assert_eq!(read("2h"), Ok(7_200_000));
        assert_eq!(read("30d"), Ok(2_592_000_000));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "30", "s", "-3s", "1e3s", "3 weeks", "1.2.3s", "99999999d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
