//! What happens to sagas, as lines for people, while it happens.

use compensation::{News, Notice, Part};

use super::{Tone, note, text, timeline::again};

/// Says what happened. With several sagas at once each line names its own.
pub(crate) fn progress(notice: &Notice, several: bool) {
    if let Some((tone, line)) = line(&notice.news) {
        let saga = if several { format!("{}: ", notice.id) } else { String::new() };
        note(tone, &format!("{saga}{}", text::indented(&line, 4)));
    }
}

fn line(news: &News) -> Option<(Tone, String)> {
    Some(match news {
        News::Started { step, part, attempt } => {
            let what = match part {
                Part::Action => "start",
                Part::Probe => "probe",
                Part::Undo => "undo",
            };
            (Tone::Plain, format!("{step}: {what}{}", again(*attempt)))
        }
        News::Done { step, part: Part::Action } => (Tone::Good, format!("{step}: done")),
        News::Done { step, part: Part::Probe } => {
            (Tone::Good, format!("{step}: done, as its probe found"))
        }
        News::Done { step, part: Part::Undo } => (Tone::Back, format!("{step}: undone")),
        News::NotDone { step } => (Tone::Plain, format!("{step}: not done, as its probe found")),
        News::Failed { step, part, attempt, message, .. } => {
            let what = match part {
                Part::Action => "failed",
                Part::Probe => "probe failed",
                Part::Undo => "undo failed",
            };
            (Tone::Bad, format!("{step}: {what}{}: {message}", again(*attempt)))
        }
        News::Interrupted { step } => {
            (Tone::Back, format!("{step}: had been cut off by the end of its process"))
        }
        News::StoreFailing { message } => {
            (Tone::Bad, format!("the store is failing, and is tried again: {message}"))
        }
        // Ends are the result, and an order is known to whoever gave it.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use compensation::Certainty;

    use super::*;

    fn said(news: &News) -> Option<String> {
        line(news).map(|(_, line)| line)
    }

    #[test]
    fn a_first_attempt_is_not_counted_and_further_ones_are() {
        let started = |attempt| News::Started { step: "car".into(), part: Part::Action, attempt };
        assert_eq!(said(&started(1)).as_deref(), Some("car: start"));
        assert_eq!(said(&started(3)).as_deref(), Some("car: start (attempt 3)"));
        let failed = News::Failed {
            step: "car".into(),
            part: Part::Undo,
            attempt: 2,
            message: "no".to_owned(),
            certainty: Certainty::Unknown,
        };
        assert_eq!(said(&failed).as_deref(), Some("car: undo failed (attempt 2): no"));
    }
}
