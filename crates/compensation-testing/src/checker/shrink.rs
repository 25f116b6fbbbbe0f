//! The shortest schedule that breaks the same invariant.

use super::schedule::{Fault, Hit, How, Schedule};

/// Smaller schedules, the smallest first.
fn smaller(schedule: &Schedule) -> Vec<Schedule> {
    let faults = &schedule.0;
    let without = (0..faults.len()).rev().map(|place| {
        let mut faults = faults.clone();
        faults.remove(place);
        Schedule(faults)
    });
    let simpler = (0..faults.len()).flat_map(|place| {
        simpler(faults[place]).into_iter().map(move |fault| {
            let mut faults = faults.clone();
            faults[place] = fault;
            Schedule(faults)
        })
    });
    without.chain(simpler).collect()
}

/// The same fault, plainer.
fn simpler(fault: Fault) -> Vec<Fault> {
    let Fault::Call(hit) = fault else { return Vec::new() };
    let mut simpler = Vec::new();
    if hit.times > 1 {
        simpler.push(Hit { times: 1, ..hit });
    }
    if hit.nth > 1 {
        simpler.push(Hit { nth: 1, ..hit });
    }
    let how = match hit.how {
        How::Slow(millis) if millis > 1 => Some(How::Slow(1)),
        How::Late(millis) if millis > 1 => Some(How::Late(1)),
        How::Cut(awaits) if awaits > 1 => Some(How::Cut(1)),
        How::Die(awaits) if awaits > 0 => Some(How::Die(0)),
        How::Hang | How::Cut(_) | How::PanicAfter => Some(How::LoseReply),
        How::Panic => Some(How::LoseRequest),
        _ => None,
    };
    simpler.extend(how.map(|how| Hit { how, ..hit }));
    simpler.into_iter().map(Fault::Call).collect()
}

/// Shrinks as long as something smaller still breaks it.
pub(super) fn shrink(schedule: Schedule, breaks: impl Fn(&Schedule) -> bool) -> Schedule {
    let mut best = schedule;
    while let Some(next) = smaller(&best).into_iter().find(|next| breaks(next)) {
        best = next;
    }
    best
}
