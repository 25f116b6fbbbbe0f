//! A run as people read it: one line for each thing that happened, by the virtual clock.

use std::fmt::Write as _;

use super::{
    log::{Answer, Entry, What},
    schedule::{How, Site, SiteKind, Verb, WriteHow},
    text::{Speller, verb_word},
    watch::words,
};

impl Speller<'_> {
    pub(super) fn timeline(&self, log: &[Entry]) -> String {
        let mut text = String::new();
        let mut entries = log.iter().peekable();
        while let Some(Entry { at, what }) = entries.next() {
            let mut line = self.line(what);
            // A call that is answered at once is one line.
            if let (What::Called { site, nth, .. }, Some(next)) = (what, entries.peek())
                && next.at == *at
                && let What::Answered { site: of, nth: number, answer } = &next.what
                && (of, number) == (site, nth)
            {
                let _ = write!(line, " -> {}", answer_text(answer));
                entries.next();
            }
            // Writing into a text can't fail.
            let _ = writeln!(text, "{at:>8} ms  {line}");
        }
        text
    }

    fn line(&self, what: &What) -> String {
        match what {
            What::Begins(1) => "the saga is started".to_owned(),
            What::Begins(_) => "a new process takes over".to_owned(),
            What::Dies => "*** the process dies".to_owned(),
            What::Called { site, nth, how } => {
                let again = if *nth > 1 { format!(", call {nth}") } else { String::new() };
                let how = how.map_or_else(String::new, |how| format!("  *** {}", how_told(how)));
                format!("{}{again}{how}", self.function(*site))
            }
            What::Comes(site) => format!("{}  *** arrives late", self.function(*site)),
            What::Answered { site, answer, .. } => {
                format!("{} -> {}", self.function(*site), answer_text(answer))
            }
            What::Wrote { nth, how, body } => {
                let body = body.as_deref().map_or_else(String::new, |body| self.body(body));
                let how = how.map_or_else(String::new, |how| format!("  *** {}", write_told(how)));
                format!("    write {nth}: {body}{how}")
            }
            What::Ordered { verb, step, refused } => {
                let step = match (verb, step) {
                    (Verb::Done, Some(step)) => format!(" `{}`, by hand", self.step(*step)),
                    (_, Some(step)) => format!(" `{}`", self.step(*step)),
                    _ => String::new(),
                };
                let refused = match refused {
                    Some(why) => format!(" -> refused: {why}"),
                    None => String::new(),
                };
                format!("the operator orders: {}{step}{refused}", verb_word(*verb))
            }
            What::Stands(status) => format!("the saga is {status}"),
        }
    }

    pub(super) fn function(&self, site: Site) -> String {
        let index = site.index;
        match site.kind {
            SiteKind::Action => format!("`{}`", self.step(index)),
            SiteKind::Probe => format!("the probe of `{}`", self.step(index)),
            SiteKind::Undo => format!("the undo of `{}`", self.step(index)),
            SiteKind::Line => format!("  call `{}` over the line", self.names.name(index)),
        }
    }

    fn body(&self, body: &str) -> String {
        let told = |word: super::watch::Word| {
            let step = word.s.map_or("", |step| self.step(step));
            let phrase = word.e.replace('_', " ");
            if step.is_empty() { phrase } else { format!("{step} {phrase}") }
        };
        words(body).into_iter().map(told).collect::<Vec<_>>().join(", ")
    }
}

fn answer_text(answer: &Answer) -> String {
    match answer {
        Answer::Done => "done".to_owned(),
        Answer::NotDone => "nothing was done".to_owned(),
        Answer::Failed(why) => format!("fails: {why}"),
        Answer::Panicked => "panics".to_owned(),
        Answer::TimedOut => "dropped at its time limit".to_owned(),
        Answer::Dropped => "dropped".to_owned(),
    }
}

fn how_told(how: How) -> String {
    match how {
        How::Refuse => "is refused".to_owned(),
        How::LoseRequest => "the request is lost".to_owned(),
        How::LoseReply => "the reply is lost".to_owned(),
        How::Hang => "no answer comes".to_owned(),
        How::Cut(awaits) => format!("is cut off at await {awaits}"),
        How::Slow(millis) => format!("arrives {millis} ms later"),
        How::Late(millis) => format!("is given up, and arrives {millis} ms later"),
        How::Panic => "panics before its effect".to_owned(),
        How::PanicAfter => "panics after its effect".to_owned(),
        How::Twice => "arrives twice".to_owned(),
        How::Die(0) => "the process dies before the call".to_owned(),
        How::Die(awaits) => format!("the process dies at await {awaits}"),
    }
}

fn write_told(how: WriteHow) -> &'static str {
    match how {
        WriteHow::DieBefore => "lost: the process dies before it takes effect",
        WriteHow::DieAfter => "takes effect, and the process dies",
        WriteHow::FailBefore => "the store fails before it takes effect",
        WriteHow::FailAfter => "takes effect, and the store says that it failed",
        WriteHow::RefuseBefore => "the store refuses it",
        WriteHow::RefuseAfter => "takes effect, and the store says that it refused it",
    }
}
