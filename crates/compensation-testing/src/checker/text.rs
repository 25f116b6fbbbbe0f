//! The text of a schedule: `charge.act#1=lose-reply; write#4=die-after; reserve.undo#1x3=fail; stuck#1=retry`.
//! A report prints it, and `replay` reads it.

use compensation::Plan;

use super::{
    line::{Names, plain},
    schedule::{FOR_EVER, Fault, Hit, How, Moment, Schedule, Site, SiteKind, Verb, WriteHow},
};

/// Names steps and calls over the line, and finds them by their names.
pub(super) struct Speller<'a> {
    pub(super) plan: &'a Plan,
    pub(super) names: &'a Names,
}

impl Speller<'_> {
    pub(super) fn write(&self, schedule: &Schedule) -> String {
        let faults: Vec<_> = schedule.0.iter().map(|&fault| self.fault(fault)).collect();
        faults.join("; ")
    }

    fn fault(&self, fault: Fault) -> String {
        match fault {
            Fault::Call(Hit { site, nth, times, how }) => {
                let times = match times {
                    1 => String::new(),
                    FOR_EVER => "x*".to_owned(),
                    times => format!("x{times}"),
                };
                format!("{}#{nth}{times}={}", self.site(site), how_text(how))
            }
            Fault::Write { nth, how } => format!("write#{nth}={}", write_word(how)),
            Fault::Order { at: Moment::Write(nth), verb } => {
                format!("write#{nth}={}", verb_word(verb))
            }
            Fault::Order { at: Moment::Stuck(nth), verb } => {
                format!("stuck#{nth}={}", verb_word(verb))
            }
        }
    }

    fn site(&self, site: Site) -> String {
        let part = match site.kind {
            SiteKind::Action => "act",
            SiteKind::Probe => "probe",
            SiteKind::Undo => "undo",
            SiteKind::Line => return format!("{}.line", self.names.name(site.index)),
        };
        let step = plain(self.step(site.index));
        // Two names that look the same as plain text go by number.
        let alike = self.plan.steps.iter().filter(|other| plain(&other.name) == step).count();
        if alike == 1 { format!("{step}.{part}") } else { format!("@{}.{part}", site.index) }
    }

    pub(super) fn step(&self, index: u16) -> &str {
        self.plan.steps.get(usize::from(index)).map_or("?", |step| &step.name)
    }

    /// `Err`: the part of the text that says nothing.
    pub(super) fn read(&self, text: &str) -> Result<Schedule, String> {
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        let read = |part: &str| self.read_fault(part).ok_or_else(|| part.to_owned());
        parts.map(read).collect::<Result<_, _>>().map(Schedule)
    }

    fn read_fault(&self, text: &str) -> Option<Fault> {
        let (place, what) = text.split_once('=')?;
        let (site, nth) = place.split_once('#')?;
        let at = match site {
            "write" => Moment::Write(nth.parse().ok()?),
            "stuck" => Moment::Stuck(nth.parse().ok()?),
            _ => {
                let (nth, times) = nth.split_once('x').unwrap_or((nth, "1"));
                let times = if times == "*" { FOR_EVER } else { times.parse().ok()? };
                let (site, nth) = (self.read_site(site)?, nth.parse().ok()?);
                return Some(Fault::Call(Hit { site, nth, times, how: read_how(what)? }));
            }
        };
        if let Some(&verb) = Verb::ALL.iter().find(|&&verb| verb_word(verb) == what) {
            return Some(Fault::Order { at, verb });
        }
        let Moment::Write(nth) = at else { return None };
        let how = *WriteHow::ALL.iter().find(|&&how| write_word(how) == what)?;
        Some(Fault::Write { nth, how })
    }

    fn read_site(&self, text: &str) -> Option<Site> {
        let (name, part) = text.rsplit_once('.')?;
        let kind = match part {
            "act" => SiteKind::Action,
            "probe" => SiteKind::Probe,
            "undo" => SiteKind::Undo,
            "line" => {
                return Some(Site { kind: SiteKind::Line, index: self.names.number(name) });
            }
            _ => return None,
        };
        let index = match name.strip_prefix('@') {
            Some(number) => number.parse().ok().filter(|&number| number < self.plan.steps.len())?,
            None => self.plan.steps.iter().position(|step| plain(&step.name) == name)?,
        };
        Some(Site { kind, index: u16::try_from(index).ok()? })
    }
}

/// The word of a fault, with its number if it has one.
fn how_parts(how: How) -> (&'static str, Option<u32>) {
    match how {
        How::Refuse => ("refuse", None),
        How::LoseRequest => ("lose-request", None),
        How::LoseReply => ("lose-reply", None),
        How::Hang => ("hang", None),
        How::Cut(awaits) => ("cut", Some(awaits)),
        How::Slow(millis) => ("slow", Some(millis)),
        How::Late(millis) => ("late", Some(millis)),
        How::Panic => ("panic", None),
        How::PanicAfter => ("panic-after", None),
        How::Twice => ("twice", None),
        How::Die(awaits) => ("die", Some(awaits)),
    }
}

fn how_text(how: How) -> String {
    match how_parts(how) {
        (word, None) => word.to_owned(),
        (word, Some(number)) => format!("{word}:{number}"),
    }
}

fn read_how(text: &str) -> Option<How> {
    let (word, number) = match text.split_once(':') {
        Some((word, number)) => (word, number.parse().ok()?),
        None => (text, 0),
    };
    let all = [
        How::Refuse,
        How::LoseRequest,
        How::LoseReply,
        How::Hang,
        How::Cut(number),
        How::Slow(number),
        How::Late(number),
        How::Panic,
        How::PanicAfter,
        How::Twice,
        How::Die(number),
    ];
    all.into_iter().find(|&how| how_parts(how).0 == word && how_text(how) == text)
}

fn write_word(how: WriteHow) -> &'static str {
    match how {
        WriteHow::DieBefore => "die-before",
        WriteHow::DieAfter => "die-after",
        WriteHow::FailBefore => "fail-before",
        WriteHow::FailAfter => "fail-after",
        WriteHow::RefuseBefore => "refuse-before",
        WriteHow::RefuseAfter => "refuse-after",
    }
}

pub(super) fn verb_word(verb: Verb) -> &'static str {
    match verb {
        Verb::Cancel => "cancel",
        Verb::Retry => "retry",
        Verb::Skip => "skip",
        Verb::Done => "done",
        Verb::Abandon => "abandon",
    }
}

#[cfg(test)]
mod tests {
    use compensation::{Saga, StepContext, StepError, UndoContext};

    use super::*;
    use crate::checker::faults::Faults;

    fn plan(names: [&str; 2]) -> Plan {
        let mut saga = Saga::<()>::builder("saga");
        for name in names {
            saga.step(name, |_: StepContext<()>| async { Ok::<_, StepError>(()) })
                .undo(|_: UndoContext<()>, _| async { Ok::<_, StepError>(()) })
                .add();
        }
        saga.build().expect("a sound saga").plan().clone()
    }

    #[test]
    fn every_fault_is_read_back_from_its_text() {
        // The names of the last two look the same as plain text.
        for plan in [plan(["book car", "pay.now"]), plan(["a b", "a.b"])] {
            let names = Names::default();
            let line = Site { kind: SiteKind::Line, index: names.number("the bank") };
            let faults = Faults { plan: &plan, without: &[] };
            let mut all = Schedule(faults.of_write(7));
            all.0.extend(faults.of_stuck(2));
            for site in faults.sites().into_iter().chain([line]) {
                all.0.extend(faults.of_call(site, 3, 2));
            }
            let speller = Speller { plan: &plan, names: &names };
            let text = speller.write(&all);
            assert_eq!(speller.read(&text), Ok(all), "{text}");
        }
    }

    #[test]
    fn what_is_no_fault_of_the_saga_is_named() {
        let (plan, names) = (plan(["car", "hotel"]), Names::default());
        let speller = Speller { plan: &plan, names: &names };
        for bad in
            ["plane.act#1=refuse", "car.act=refuse", "car.act#1=explode", "stuck#1=die-after"]
        {
            let text = format!("car.act#1=refuse; {bad}");
            assert_eq!(speller.read(&text), Err(bad.to_owned()));
        }
    }
}
