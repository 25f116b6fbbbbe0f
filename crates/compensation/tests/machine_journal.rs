//! Journals by chance: what holds for every history of every saga, above all after a crash. A failure is
//! told as a saga and a story that `machine/text.rs` reads, and its seed is kept beside this file.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[macro_use]
mod machine;

use std::sync::Arc;

use compensation::{
    Status,
    machine::{
        Change, Graph, GraphSpec, MAX_STEPS, Machine, OnUndoFailure, Phase, StepIndex, StepSpec,
    },
};
use machine::{
    compare::offers,
    drive::{interrupt, succeed},
    play::Play,
    print,
    random::{lots, sagas},
    shape::Shape,
    text::plain,
};
use proptest::prelude::*;

/// Histories looked at by each test, each cut off at every change by some.
const CASES: u32 = 128;

fn play(shape: &Shape, lots: &[u32]) -> Result<Play, TestCaseError> {
    Play::new(shape, lots).map_err(TestCaseError::fail)
}

/// A history by chance, cut off somewhere and driven to its end after a restart with success in all
/// that is left to do.
struct Restarted {
    shape: Shape,
    /// What happened before the crash.
    before: Vec<Change>,
    /// What happened after it.
    after: Vec<Change>,
    machine: Machine,
}

impl Restarted {
    fn new(shape: &Shape, before: &[Change]) -> Self {
        let mut machine = recover(shape, before);
        let mut after = interrupt(&mut machine);
        after.extend(succeed(&mut machine));
        Self { shape: shape.clone(), before: before.to_vec(), after, machine }
    }

    fn story(&self) -> String {
        format!("`{}` and then `{}`", print::story(&self.before), print::story(&self.after))
    }

    /// Everything that happened, with whether the saga had turned back by then.
    fn journal(&self) -> Vec<(Change, bool)> {
        let mut machine = Machine::new(self.shape.graph.clone());
        let take = |&change| {
            let backward = machine.is_backward();
            machine.apply(change).expect("it happened");
            (change, backward)
        };
        self.before.iter().chain(&self.after).map(take).collect()
    }
}

fn recover(shape: &Shape, journal: &[Change]) -> Machine {
    Machine::recover(shape.graph.clone(), journal.iter().copied()).expect("it happened")
}

/// The step that these changes recorded as done, if they did: nothing may run its action again.
fn is_done(change: Change, backward: bool) -> Option<StepIndex> {
    match change {
        Change::ActionDone(step) | Change::ProbeDone(step) | Change::DoneDeclared(step) => {
            Some(step)
        }
        Change::SkipOrdered(step) if !backward => Some(step),
        _ => None,
    }
}

/// The step that these changes recorded as undone, if they did: nothing may undo it again.
fn is_undone(change: Change, backward: bool) -> Option<StepIndex> {
    match change {
        Change::UndoDone(step) | Change::UndoneDeclared(step) => Some(step),
        Change::SkipOrdered(step) if backward => Some(step),
        _ => None,
    }
}

/// Every restart that a history by chance leaves room for.
fn restarts(shape: &Shape, lots: &[u32]) -> Result<Vec<Restarted>, TestCaseError> {
    let play = play(shape, lots)?;
    let journal = play.journal();
    Ok((0..=journal.len()).map(|cut| Restarted::new(shape, &journal[..cut])).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn a_history_agrees_with_the_second_account_and_breaks_no_promise(
        shape in sagas(), lots in lots(),
    ) {
        play(&shape, &lots)?;
    }

    #[test]
    fn the_state_that_is_live_is_the_one_that_its_journal_recovers(
        shape in sagas(), lots in lots(),
    ) {
        let play = play(&shape, &lots)?;
        let (recovered, live) = (recover(&shape, play.journal()), play.idle());
        prop_assert!(recovered == live, "after `{}`", print::story(play.journal()));
        prop_assert_eq!(offers(&recovered), offers(&live));
    }

    #[test]
    fn every_beginning_of_a_journal_recovers_to_the_state_of_its_time(
        shape in sagas(), lots in lots(),
    ) {
        let play = play(&shape, &lots)?;
        let mut live = Machine::new(shape.graph.clone());
        for (count, &change) in play.journal().iter().enumerate() {
            let recovered = recover(&shape, &play.journal()[..count]);
            prop_assert!(recovered == live, "before {:?}, number {}", change, count);
            prop_assert_eq!(offers(&recovered), offers(&live));
            live.apply(change).expect("it happened");
        }
    }

    #[test]
    fn a_journal_read_by_two_machines_gives_equal_states(shape in sagas(), lots in lots()) {
        let play = play(&shape, &lots)?;
        let (one, other) = (recover(&shape, play.journal()), recover(&shape, play.journal()));
        prop_assert!(one == other);
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }

    #[test]
    fn a_change_that_comes_twice_is_refused_without_a_trace(shape in sagas(), lots in lots()) {
        let play = play(&shape, &lots)?;
        let mut machine = Machine::new(shape.graph.clone());
        for &change in play.journal() {
            machine.apply(change).expect("it happened");
            let before = format!("{machine:?}");
            if change == Change::ResumeOrdered {
                // It may be said of a saga as often as somebody takes care of it.
                machine.apply(change).expect("it changes nothing");
                prop_assert_eq!(format!("{machine:?}"), before);
                continue;
            }
            let illegal = machine.apply(change).expect_err("it has happened");
            prop_assert_eq!(illegal.change, change);
            prop_assert_eq!(illegal.status, machine.status());
            prop_assert_eq!(format!("{machine:?}"), before);
        }
    }

    #[test]
    fn a_saga_restarted_anywhere_comes_to_an_end_once_all_goes_well(
        shape in sagas(), lots in lots(),
    ) {
        // That it does so in few changes is asserted by `succeed`.
        for restarted in restarts(&shape, &lots)? {
            let status = restarted.machine.status();
            prop_assert!(!status.is_open(), "{} after {}", status, restarted.story());
            let parked = restarted.machine.parked().count();
            prop_assert!(status != Status::Stuck || parked > 0, "{}", restarted.story());
        }
    }

    #[test]
    fn no_restart_does_again_what_is_done_or_undoes_again_what_is_undone(
        shape in sagas(), lots in lots(),
    ) {
        for restarted in restarts(&shape, &lots)? {
            let (mut done, mut undone) = (Vec::new(), Vec::new());
            for (change, backward) in restarted.journal() {
                let again = match change {
                    Change::ActionStarted(step) | Change::ProbeStarted(step) => done.contains(&step),
                    Change::UndoStarted(step) => undone.contains(&step),
                    _ => false,
                };
                prop_assert!(!again, "{:?} in {}", change, restarted.story());
                done.extend(is_done(change, backward));
                undone.extend(is_undone(change, backward));
            }
        }
    }

    #[test]
    fn no_undo_is_lost(shape in sagas(), lots in lots()) {
        for restarted in restarts(&shape, &lots)? {
            let machine = &restarted.machine;
            let done = restarted.journal().into_iter();
            let done: Vec<_> = done.filter_map(|(change, back)| is_done(change, back)).collect();
            for step in shape.steps().filter(|&step| shape.step(step).undo) {
                let phase = machine.phase(step);
                let over = matches!(phase, Phase::Undone | Phase::UndoSkipped);
                let waits = matches!(phase, Phase::UndoParked(_)) || shape.halts();
                let kept = match machine.status() {
                    Status::Compensated if done.contains(&step) => over,
                    Status::Compensated => over || !phase.may_be_done(),
                    Status::Stuck if machine.is_backward() && phase.may_be_done() => waits,
                    _ => true,
                };
                prop_assert!(kept, "step {} is {} after {}", step, phase, restarted.story());
            }
        }
    }

    #[test]
    fn a_step_is_undone_after_all_that_depends_on_it(shape in sagas(), lots in lots()) {
        for restarted in restarts(&shape, &lots)? {
            let journal: Vec<_> = restarted.before.iter().chain(&restarted.after).collect();
            let first = |change| journal.iter().position(|&&other| other == change);
            for (last, &&change) in journal.iter().enumerate() {
                let (Change::UndoStarted(step) | Change::UndoDone(step)) = change else { continue };
                // Whoever orders an undo anew orders it beside what ran on without it.
                if first(Change::RetryOrdered(step)).is_some() {
                    continue;
                }
                for before in shape.steps().filter(|&before| shape.is_behind(before, step)) {
                    let begun = first(Change::UndoStarted(before));
                    let late = begun.is_none_or(|begun| last < begun);
                    prop_assert!(late, "{} before {} in {}", before, step, restarted.story());
                }
            }
        }
    }

    #[test]
    fn a_rollback_never_turns_forward_again(shape in sagas(), lots in lots()) {
        for restarted in restarts(&shape, &lots)? {
            let back = recover(&shape, &restarted.before).is_backward();
            let ended = restarted.machine.is_backward();
            prop_assert!(ended || !back, "{}", restarted.story());
            let completed = restarted.machine.status() == Status::Completed;
            prop_assert!(!(completed && back), "{}", restarted.story());
        }
    }
}

/// Stages of steps side by side, each of which comes after the whole stage before.
fn stages(count: usize, width: usize) -> Machine {
    let step = |place: usize| {
        let stage = place / width * width;
        let before = stage.saturating_sub(width)..stage;
        let after = before.map(|before| StepIndex::try_from(before).expect("few steps")).collect();
        StepSpec { after, ..plain() }
    };
    let steps = (0..count * width).map(step).collect();
    let spec = GraphSpec { steps, parallel: 2, on_undo_failure: OnUndoFailure::Continue };
    Machine::new(Arc::new(Graph::new(spec).expect("a sound saga")))
}

/// Walks forward and all the way back, and counts: two changes a step each way, and the cancel. One
/// command comes before each two changes, so that both are linear in the size of the saga.
fn walk_there_and_back(mut machine: Machine) {
    let steps = machine.graph().len();
    let there = succeed(&mut machine);
    assert_eq!((machine.status(), there.len()), (Status::Completed, 2 * steps));
    machine.apply(Change::CancelRequested).expect("no pivot");
    let back = succeed(&mut machine);
    assert_eq!((machine.status(), back.len()), (Status::Compensated, 2 * steps));
    let undone = back.iter().filter_map(|&change| match change {
        Change::UndoStarted(step) => Some(step),
        _ => None,
    });
    let done = there.iter().filter_map(|&change| match change {
        Change::ActionStarted(step) => Some(step),
        _ => None,
    });
    assert!(undone.eq(done.rev()), "the exact reverse");
}

#[test]
fn the_longest_chain_is_walked_in_as_many_changes_as_it_has_steps() {
    walk_there_and_back(stages(MAX_STEPS, 1));
}

#[test]
fn stages_of_two_are_walked_in_as_many_changes_as_they_have_steps() {
    walk_there_and_back(stages(24, 2));
    walk_there_and_back(stages(MAX_STEPS / 2, 2));
}
