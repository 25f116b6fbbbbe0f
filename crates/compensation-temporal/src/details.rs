//! A rollback for people: the text that Temporal's own pages show beside the workflow.

use ::compensation::CompensationStatus;

use crate::{
    context::SagaContext,
    entry::{Entry, Execution},
    manager::CompensationManager,
};

/// Undos that the text names. The newest come first; of the others it tells how many there are.
const NAMED: usize = 20;

/// Characters of a name or an error in it.
const WORDS: usize = 120;

impl<C: SagaContext> CompensationManager<C> {
    /// Shows how the rollback stands.
    pub(crate) fn show(&self, ctx: &C) {
        ctx.show(self.details());
    }
}

impl<C> CompensationManager<C> {
    fn details(&self) -> String {
        let stack = self.stack.borrow();
        let of =
            |status| stack.entries.iter().filter(|entry| entry.progress.status == status).count();
        let (undone, all) = (of(CompensationStatus::Completed), stack.entries.len());
        let headline = if stack.compensating { "Rolling back" } else { "Rolled back" };
        let mut text = format!("**{headline}: {undone} of {all} undone**");
        let rest = [
            (CompensationStatus::Failed, "failed"),
            (CompensationStatus::Skipped, "skipped"),
            (CompensationStatus::Pending, "left"),
        ];
        for (status, word) in rest {
            let count = of(status);
            if count > 0 {
                text.push_str(&format!(", {count} {word}"));
            }
        }
        text.push('\n');
        for entry in stack.entries.iter().rev().take(NAMED) {
            text.push_str(&format!("\n- {}", line(entry)));
        }
        if all > NAMED {
            text.push_str(&format!("\n- and {} older", all - NAMED));
        }
        text
    }
}

fn line<C>(entry: &Entry<C>) -> String {
    let name = plain(&entry.name);
    let progress = &entry.progress;
    let why = |why: &Option<String>| {
        why.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default()
    };
    match progress.status {
        CompensationStatus::Completed => format!("{name}: undone"),
        CompensationStatus::Running => format!("{name}: **being undone**"),
        CompensationStatus::Failed => format!("{name}: **failed**{}", why(&progress.error)),
        CompensationStatus::Skipped => format!("{name}: skipped{}", why(&progress.reason)),
        CompensationStatus::Pending if entry.execution == Execution::NotDone => {
            format!("{name}: nothing to undo")
        }
        CompensationStatus::Pending => format!("{name}: left"),
    }
}

/// The text is Markdown: whatever would be a mark there is written as a letter.
fn plain(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars().take(WORDS) {
        match letter {
            '\n' | '\r' | '\t' => safe.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '~' | '&' => {
                safe.push('\\');
                safe.push(letter);
            }
            _ => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_markdown_are_letters_in_it_and_long_texts_are_cut() {
        assert_eq!(plain("a_b\n<img>"), "a\\_b \\<img\\>");
        assert_eq!(plain(&"x".repeat(500)).len(), WORDS);
    }
}
