//! The standard scenarios hold for every driver of the library, on every kind of runtime; and drivers with a
//! defect do not pass them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, future::pending, sync::Arc};

use compensation::{
    Certainty, Status, StepError,
    repository::{MemoryRepository, Query, Repository},
};
use compensation_testing::{
    Answer, Rule,
    scenarios::{
        self, Driver, DurableEngine, Finish, InProcess, Manager, Play, PlayStep, Scenario,
        StepList, standard,
    },
};

#[tokio::test]
async fn a_saga_manager_passes() {
    scenarios::assert_all(&Manager).await;
}

#[tokio::test]
async fn a_list_of_steps_passes() {
    scenarios::assert_all(&StepList).await;
}

#[tokio::test]
async fn a_definition_in_process_passes() {
    scenarios::assert_all(&InProcess).await;
}

#[tokio::test]
async fn the_durable_engine_passes() {
    scenarios::assert_all(&DurableEngine::in_memory()).await;
}

#[tokio::test(start_paused = true)]
async fn all_drivers_pass_on_a_paused_clock() {
    all_pass().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_drivers_pass_on_several_threads() {
    all_pass().await;
}

async fn all_pass() {
    scenarios::assert_all(&Manager).await;
    scenarios::assert_all(&StepList).await;
    scenarios::assert_all(&InProcess).await;
    scenarios::assert_all(&DurableEngine::in_memory()).await;
    scenarios::assert_all(&ByHand { defect: None }).await;
}

#[tokio::test(start_paused = true)]
async fn the_engine_is_run_on_the_store_that_it_is_given() {
    let store = Arc::new(MemoryRepository::new());
    scenarios::assert_all(&DurableEngine::on(store.clone())).await;
    let listed = store.list(Query::default()).await.expect("the store works");
    let count = |status| listed.sagas.iter().filter(|saga| saga.head.status == status).count();
    let expected = |status| standard().iter().filter(|one| one.finish().status == status).count();
    for status in [Status::Completed, Status::Compensated, Status::Stuck] {
        assert_eq!(count(status), expected(status), "{status}");
    }
}

#[test]
fn every_standard_scenario_has_a_name_of_its_own() {
    let names: BTreeSet<_> = standard().iter().map(|one| one.name().to_owned()).collect();
    assert_eq!(names.len(), standard().len());
}

#[tokio::test]
async fn a_scenario_of_ones_own_is_checked_like_the_standard_ones() {
    let scenario = Scenario::new("two tries to undo", ["pay", "ship"])
        .step_fails("ship", Rule::always().not_done())
        .undo_fails("pay", Rule::times(1).not_done())
        .undo_attempts(2);
    let right = ["pay", "ship", "undo pay", "undo pay"];
    let right = scenario.clone().expect(right, Finish::compensated("ship"));
    right.run(&InProcess).await.expect("so it is");
    let wrong = ["pay", "ship", "undo pay"];
    let wrong = scenario.expect(wrong, Finish::stuck("ship", ["pay"]));
    let error = wrong.run(&InProcess).await.expect_err("so it is not");
    assert_eq!(error.problems().len(), 2, "{error}");
}

#[tokio::test]
async fn each_play_of_a_scenario_has_its_own_faults() {
    let scenario = Scenario::new("it fails once", ["a"])
        .step_fails("a", Rule::times(1).not_done())
        .expect(["a"], Finish::compensated("a"));
    for _ in 0..2 {
        scenario.run(&InProcess).await.expect("it fails in each");
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_never_ends_is_reported() {
    let error = standard()[0].run(&ByHand::with(Defect::NeverEnds)).await.expect_err("no end");
    assert_eq!(error.problems(), ["it has not ended within 60s"]);
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "`the last step fails`, run by a loop by hand: the order of calls is not as \
                           expected"
)]
async fn an_assertion_panics_with_what_was_not_as_expected() {
    scenarios::assert_all(&ByHand::with(Defect::UndoesInOrder)).await;
}

/// Runs the standard scenarios with that defect, and tells the names of those that show it.
async fn shown_by(defect: Defect) -> Vec<String> {
    let wrong = scenarios::run_all(&ByHand::with(defect)).await.expect_err("a defect");
    wrong.iter().map(|wrong| wrong.scenario().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn undos_in_the_wrong_order_are_caught() {
    let shown = shown_by(Defect::UndoesInOrder).await;
    assert!(shown.contains(&"the last step fails".to_owned()), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn a_step_of_unknown_outcome_that_is_not_undone_is_caught() {
    let shown = shown_by(Defect::TrustsErrors).await;
    for name in ["a step panics", "a step gives no answer in time"] {
        assert!(shown.contains(&name.to_owned()), "{shown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_without_effect_that_is_undone_is_caught() {
    let shown = shown_by(Defect::TrustsNobody).await;
    assert!(shown.contains(&"the first step fails".to_owned()), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_runs_again_after_its_success_is_caught() {
    let shown = shown_by(Defect::UndoesTwice).await;
    assert!(shown.contains(&"a step in the middle fails".to_owned()), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn undos_that_are_left_after_one_has_failed_are_caught() {
    let shown = shown_by(Defect::StopsAtFailedUndo).await;
    assert!(shown.contains(&"an undo fails for good".to_owned()), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_undo_that_is_kept_secret_is_caught() {
    let shown = shown_by(Defect::HidesFailedUndos).await;
    assert_eq!(
        shown,
        ["an undo fails for good", "an undo fails terminally", "two undos fail", "all undos fail"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_loss_of_the_first_error_is_caught() {
    let shown = shown_by(Defect::LosesFirstError).await;
    assert_eq!(shown.len(), standard().len() - 1, "all but the one in which nothing fails");
}

/// A driver as somebody might write it by hand.
struct ByHand {
    defect: Option<Defect>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Defect {
    NeverEnds,
    UndoesInOrder,
    TrustsErrors,
    TrustsNobody,
    UndoesTwice,
    StopsAtFailedUndo,
    HidesFailedUndos,
    LosesFirstError,
}

impl ByHand {
    fn with(defect: Defect) -> Self {
        Self { defect: Some(defect) }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    async fn roll_back(&self, failed: &PlayStep, mut undos: Vec<PlayStep>) -> Finish {
        if !self.has(Defect::UndoesInOrder) {
            undos.reverse();
        }
        let mut left = Vec::new();
        for step in &undos {
            if self.undo(step).await.is_err() {
                left.push(step.name().to_owned());
                if self.has(Defect::StopsAtFailedUndo) {
                    break;
                }
            }
            if self.has(Defect::UndoesTwice) {
                let _ = self.undo(step).await;
            }
        }
        if self.has(Defect::HidesFailedUndos) {
            left.clear();
        }
        let finish = Finish::rolled_back(failed.name(), left);
        if self.has(Defect::LosesFirstError) { Finish { failed: None, ..finish } } else { finish }
    }

    async fn undo(&self, step: &PlayStep) -> Result<(), StepError> {
        let policy = step.undo_retry();
        let mut failures = 0;
        loop {
            let Err(error) = caught(step.mock().undo_call()()).await else { return Ok(()) };
            failures += 1;
            if !error.is_retryable() || policy.attempts() == Some(failures) {
                return Err(error);
            }
        }
    }
}

impl Driver for ByHand {
    fn name(&self) -> &str {
        "a loop by hand"
    }

    async fn run(&self, play: &Play) -> Finish {
        let mut undos = Vec::new();
        for step in play.steps() {
            if let Err(error) = caught(step.action()()).await {
                let undone = match error.certainty() {
                    Certainty::NotDone => self.has(Defect::TrustsNobody),
                    Certainty::Unknown => !self.has(Defect::TrustsErrors),
                };
                undos.extend(undone.then(|| step.clone()));
                return self.roll_back(&step, undos).await;
            }
            undos.push(step);
        }
        if self.has(Defect::NeverEnds) { pending().await } else { Finish::completed() }
    }
}

/// A panic of a call is an error of unknown outcome.
async fn caught(answer: Answer) -> Result<(), StepError> {
    let ended = tokio::spawn(answer).await;
    ended.unwrap_or_else(|panic| Err(StepError::unknown(panic)))
}
