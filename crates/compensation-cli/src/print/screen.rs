//! A terminal on which a text is drawn anew, as much of it as fits.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Error;

/// Lines where nobody knows how high the terminal is.
const LINES: usize = 24;

/// The standard output as a screen.
pub(crate) struct Screen {
    resized: Signal,
    is_clear: bool,
}

impl Screen {
    pub(crate) fn new() -> Result<Self, Error> {
        let resized = signal(SignalKind::window_change())
            .map_err(|error| Error::other(format!("signals can't be heard: {error}")))?;
        Ok(Self { resized, is_clear: false })
    }

    /// What to write so that the text stands there, from the top.
    pub(crate) fn draw(&mut self, text: &str) -> String {
        let lines = rustix::termios::tcgetwinsize(io::stdout())
            .map(|size| usize::from(size.ws_row))
            .ok()
            .filter(|lines| *lines > 0)
            .unwrap_or(LINES);
        let clear = if self.is_clear { "" } else { "\x1b[2J" };
        self.is_clear = true;
        format!("{clear}{}", frame(text, lines))
    }

    /// Waits until the terminal has another size.
    pub(crate) async fn resized(&mut self) {
        self.resized.recv().await;
        self.is_clear = false;
    }
}

/// A frame of that many lines, the last of which stays free. The terminal cuts what is too wide: only it knows how
/// wide its characters are. What stood there before is written over, not cleared first, which would flicker.
fn frame(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let room = lines.saturating_sub(1).max(1);
    let shown = if all.len() > room { room - 1 } else { all.len() };
    let mut frame = String::from("\x1b[H\x1b[?7l");
    let mut push = |line: &str| {
        frame.push_str("\x1b[K");
        frame.push_str(line);
        frame.push('\n');
    };
    all[..shown].iter().for_each(|line| push(line));
    if shown < all.len() {
        push(&format!("… {} more lines: the terminal is too low", all.len() - shown));
    }
    frame.push_str("\x1b[J\x1b[?7h");
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(frame: &str) -> Vec<&str> {
        let body =
            frame.strip_prefix("\x1b[H\x1b[?7l").and_then(|it| it.strip_suffix("\x1b[J\x1b[?7h"));
        body.unwrap_or("?").lines().map(|line| line.trim_start_matches("\x1b[K")).collect()
    }

    #[test]
    fn a_text_that_fits_is_drawn_whole() {
        assert_eq!(lines(&frame("a\nb\n", 3)), ["a", "b"]);
    }

    #[test]
    fn a_text_that_is_too_long_says_how_much_is_missing() {
        let drawn = frame("a\nb\nc\nd\n", 4);
        assert_eq!(lines(&drawn), ["a", "b", "… 2 more lines: the terminal is too low"]);
        assert_eq!(lines(&frame("a\nb\n", 1)), ["… 2 more lines: the terminal is too low"]);
    }
}
