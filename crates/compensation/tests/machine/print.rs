//! Sagas and stories written as the text that `text.rs` reads, so that what a test came upon by chance
//! can be told again.

use std::fmt::Write as _;

use compensation::{
    Certainty,
    machine::{Change, GraphSpec, OnUndoFailure, StepIndex, StepSpec, UnknownPolicy},
};

/// The name of a step that has none.
fn name(step: StepIndex) -> String {
    let letter = char::from(b'a' + u8::try_from(step % 26).expect("below 26"));
    if step < 26 { letter.to_string() } else { format!("{letter}{}", step / 26) }
}

pub(crate) fn saga(spec: &GraphSpec) -> String {
    let mut text = format!("@parallel={}", spec.parallel);
    if spec.on_undo_failure == OnUndoFailure::Halt {
        text.push_str(" @halt");
    }
    for (step, place) in spec.steps.iter().zip(0..) {
        let end = if place == 0 { " " } else { "; " };
        let _ = write!(text, "{end}{}{}", name(place), policies(step));
    }
    text
}

fn policies(step: &StepSpec) -> String {
    let befores: Vec<_> = step.after.iter().map(|&before| name(before)).collect();
    let mut text =
        if befores.is_empty() { String::new() } else { format!("<{}", befores.join(",")) };
    let words = [
        (!step.undo, " no-undo"),
        (step.probe, " probe"),
        (!step.idempotent, " once"),
        (!step.undo_idempotent, " undo-once"),
        (step.pivot, " pivot"),
        (step.allow_skip, " allow-skip"),
    ];
    words.iter().filter(|(said, _)| *said).for_each(|(_, word)| text.push_str(word));
    text.push_str(match step.unknown {
        None => "",
        Some(UnknownPolicy::Undo) => " unknown=undo",
        Some(UnknownPolicy::Retry) => " unknown=retry",
        Some(UnknownPolicy::Probe) => " unknown=probe",
        Some(UnknownPolicy::Park) => " unknown=park",
    });
    for (attempts, word) in [(step.attempts, "x"), (step.undo_attempts, "undo-x")] {
        let _ = match attempts {
            Some(1) => Ok(()),
            Some(count) => write!(text, " {word}{count}"),
            None => write!(text, " {word}inf"),
        };
    }
    text
}

pub(crate) fn story<'a>(changes: impl IntoIterator<Item = &'a Change>) -> String {
    changes.into_iter().map(|&change| word(change)).collect::<Vec<_>>().join(" ")
}

fn word(change: Change) -> String {
    let name = change.step().map(name).unwrap_or_default();
    let again = |retryable| if retryable { "" } else { "!" };
    match change {
        Change::ActionStarted(_) => format!("{name}>"),
        Change::ActionDone(_) => format!("{name}+"),
        Change::ActionFailed { certainty, retryable, .. } => {
            let sign = if certainty == Certainty::NotDone { '-' } else { '?' };
            format!("{name}{sign}{}", again(retryable))
        }
        Change::ProbeStarted(_) => format!("~{name}>"),
        Change::ProbeDone(_) => format!("~{name}+"),
        Change::ProbeNotDone(_) => format!("~{name}-"),
        Change::ProbeFailed { retryable, .. } => format!("~{name}?{}", again(retryable)),
        Change::UndoStarted(_) => format!("^{name}>"),
        Change::UndoDone(_) => format!("^{name}+"),
        Change::UndoFailed { retryable, .. } => format!("^{name}-{}", again(retryable)),
        Change::Interrupted(_) => format!("{name}*"),
        Change::CancelRequested => "cancel".to_owned(),
        Change::RetryOrdered(_) => format!("retry:{name}"),
        Change::SkipOrdered(_) => format!("skip:{name}"),
        Change::DoneDeclared(_) => format!("declare:{name}"),
        Change::UndoneDeclared(_) => format!("declare-undone:{name}"),
        Change::Abandoned => "abandon".to_owned(),
        Change::ResumeOrdered => "resume".to_owned(),
    }
}
