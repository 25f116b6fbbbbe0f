//! The sagas that are recorded: their definitions, and how each came to its ending. A definition that has been
//! recorded never changes; new ones are added.

use std::{future::Future, pin::Pin, time::Duration};

use compensation::{
    Engine, Order, Probed, RetryPolicy, Saga, StepError, machine::UnknownPolicy,
    repository::MemoryRepository,
};

use crate::durable::{Does, Gate, World, id, journal, life, on};

/// The definitions, by name.
pub(crate) fn definitions(world: &World) -> Vec<Saga<u32>> {
    let probing = |saga: &str, found: Result<Probed<String>, &'static str>| {
        let mut probed = Saga::builder(saga);
        probed.step("a", world.action("a")).undo(world.undo("a")).add();
        probed
            .step("b", world.action("b"))
            .undo(world.undo("b"))
            .retry(RetryPolicy::none())
            .unknown(UnknownPolicy::Probe)
            .probe(move |_| {
                let found = found.clone().map_err(StepError::unknown);
                async move { found }
            })
            .add();
        probed.build().expect("a sound saga")
    };
    vec![
        world.chain("trip", &["a", "b", "c"]),
        halting(world),
        diamond(world),
        pivoted(world),
        once(world),
        patient(world),
        skippable(world),
        probing("probe-done", Ok(Probed::Done("found".to_owned()))),
        probing("probe-not-done", Ok(Probed::NotDone)),
        probing("probe-failing", Err("nobody answers")),
    ]
}

fn halting(world: &World) -> Saga<u32> {
    let mut halting = Saga::builder("halting");
    halting.halt_on_undo_failure();
    for step in ["a", "b", "c"] {
        let none = RetryPolicy::none();
        halting.step(step, world.action(step)).undo(world.undo(step)).undo_retry(none).add();
    }
    halting.build().expect("a sound saga")
}

/// `b` and `c` after `a`, `d` after both.
fn diamond(world: &World) -> Saga<u32> {
    let mut diamond = Saga::builder("diamond");
    let a = diamond.step("a", world.action("a")).undo(world.undo("a")).add();
    let b = diamond.step("b", world.action("b")).undo(world.undo("b")).after(&a).add();
    let c = diamond.step("c", world.action("c")).undo(world.undo("c")).after(&a).add();
    diamond.step("d", world.action("d")).undo(world.undo("d")).after(&b).after(&c).add();
    diamond.build().expect("a sound saga")
}

fn pivoted(world: &World) -> Saga<u32> {
    let mut pivoted = Saga::builder("pivoted");
    let none = RetryPolicy::none();
    pivoted.step("a", world.action("a")).undo(world.undo("a")).add();
    pivoted.step("b", world.action("b")).no_undo("refunds are manual").pivot().add();
    pivoted.step("c", world.action("c")).no_undo("mail can't be unsent").retry(none).add();
    pivoted.build().expect("a sound saga")
}

fn once(world: &World) -> Saga<u32> {
    let mut once = Saga::builder("once");
    once.step("a", world.action("a")).undo(world.undo("a")).add();
    once.step("b", world.action("b"))
        .undo(world.undo("b"))
        .not_idempotent()
        .unknown(UnknownPolicy::Undo)
        .add();
    once.build().expect("a sound saga")
}

fn patient(world: &World) -> Saga<u32> {
    let mut patient = Saga::builder("patient");
    let thrice = || RetryPolicy::new(3).first(Duration::from_millis(10));
    patient
        .step("a", world.action("a"))
        .undo(world.undo("a"))
        .retry(thrice())
        .undo_retry(thrice())
        .add();
    patient.step("b", world.action("b")).undo(world.undo("b")).retry(thrice()).add();
    patient.build().expect("a sound saga")
}

fn skippable(world: &World) -> Saga<u32> {
    let mut skippable = Saga::builder("skippable");
    let none = RetryPolicy::none();
    skippable
        .step("a", world.action("a"))
        .undo(world.undo("a"))
        .undo_retry(none)
        .allow_skip()
        .add();
    skippable.step("b", world.action("b")).undo(world.undo("b")).add();
    skippable.build().expect("a sound saga")
}

type Scripted<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What is played to record a saga: which one, what its functions do, and what people order of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    saga: &'static str,
    tells: Vec<(&'static str, Does)>,
    /// How it goes on once it has ended or is stuck.
    then: Option<for<'a> fn(&'a Engine, &'a World) -> Scripted<'a>>,
    /// The functions in which a process dies, one process after the other.
    dies_in: Vec<&'static str>,
}

fn order() -> Order {
    Order::new("Ada", "the customer called")
}

/// Every case. A new one is recorded once, see `README.md` beside the recorded ones.
pub(crate) fn cases() -> Vec<Case> {
    use Does::{Fails, Panics, Refuses, RefusesTimes};
    let case = |name, saga, tells: &[(&'static str, Does)]| Case {
        name,
        saga,
        tells: tells.to_vec(),
        then: None,
        dies_in: Vec::new(),
    };
    let stuck = [("c", Refuses), ("^b", Fails)];
    vec![
        case("completed", "trip", &[]),
        case("completed-branches", "diamond", &[]),
        case("completed-after-retries", "patient", &[("b", RefusesTimes(2))]),
        case("completed-past-the-pivot", "pivoted", &[]),
        case("completed-by-probe", "probe-done", &[("b", Fails)]),
        case("compensated-not-done", "trip", &[("c", Refuses)]),
        case("compensated-unknown", "trip", &[("c", Fails)]),
        case("compensated-panic", "trip", &[("b", Panics)]),
        case("compensated-before-the-pivot", "pivoted", &[("b", Refuses)]),
        case(
            "compensated-after-undo-retries",
            "patient",
            &[("b", Refuses), ("^a", RefusesTimes(2))],
        ),
        case("compensated-by-probe", "probe-not-done", &[("b", Fails)]),
        case("compensated-skipping", "skippable", &[("b", Refuses), ("^a", Fails)]),
        case("stuck-undo-failed", "trip", &stuck),
        case("stuck-halted", "halting", &stuck),
        case("stuck-probe-failed", "probe-failing", &[("b", Fails)]),
        case("stuck-tail", "pivoted", &[("c", Refuses)]),
        Case {
            then: Some(|engine, _| {
                Box::pin(async {
                    engine.cancel(&id("1"), order()).await.expect("cancelled");
                })
            }),
            ..case("cancelled", "trip", &[])
        },
        Case {
            then: Some(|engine, _| {
                Box::pin(async {
                    engine.skip(&id("1"), "b", order()).await.expect("skipped");
                })
            }),
            ..case("skipped", "trip", &stuck)
        },
        Case {
            then: Some(|engine, world| {
                Box::pin(async {
                    world.heal("^b");
                    engine.retry(&id("1"), "b", order()).await.expect("retried");
                })
            }),
            ..case("retried", "halting", &stuck)
        },
        Case {
            then: Some(|engine, _| {
                Box::pin(async {
                    engine.mark_undone(&id("1"), "b", order()).await.expect("declared");
                })
            }),
            ..case("undone-declared", "trip", &stuck)
        },
        Case {
            then: Some(|engine, _| {
                Box::pin(async {
                    engine.abandon(&id("1"), order()).await.expect("abandoned");
                })
            }),
            ..case("abandoned", "halting", &stuck)
        },
        Case {
            then: Some(|engine, _| {
                Box::pin(async {
                    engine.resume_by(&id("1"), order()).await.expect("resumed");
                })
            }),
            dies_in: vec!["c"],
            ..case("resumed", "trip", &[])
        },
        Case { dies_in: vec!["a"], ..case("open-first-action", "trip", &[]) },
        Case { dies_in: vec!["c"], ..case("open-last-action", "trip", &[]) },
        Case { dies_in: vec!["b"], ..case("open-not-idempotent", "once", &[]) },
        Case { dies_in: vec!["c"], ..case("open-tail", "pivoted", &[]) },
        Case { dies_in: vec!["^a"], ..case("open-undo", "trip", &[("c", Refuses)]) },
        Case { dies_in: vec!["b", "c"], ..case("open-interrupted", "trip", &[]) },
        Case {
            dies_in: vec!["^b", "^a"],
            ..case("open-undo-interrupted", "trip", &[("c", Fails)])
        },
    ]
}

impl Case {
    /// Plays it, and leaves what the store holds then.
    pub(crate) fn play(&self) -> MemoryRepository {
        let (data, world) = (MemoryRepository::new(), World::default());
        for (function, does) in &self.tells {
            world.tell(function, does.clone());
        }
        for function in &self.dies_in {
            let gate = Gate::new();
            world.tell(function, Does::Waits(gate.clone()));
            life(async {
                let engine = start(&data, &world).await;
                // Only the first process starts it; to the others it is there already.
                engine.start(self.saga, id("1"), &7).await.expect("started");
                gate.reached(1).await;
            });
            world.heal(function);
        }
        if let (false, Some(then)) = (self.dies_in.is_empty(), self.then) {
            life(async {
                let mut engine = on(&data).without_recovery();
                for saga in definitions(&world) {
                    engine = engine.register(saga);
                }
                let engine = engine.start().await.expect("a start");
                then(&engine, &world).await;
                let _ = engine.wait(&id("1")).await.expect("an outcome");
            });
        }
        if self.dies_in.is_empty() {
            life(async {
                let engine = start(&data, &world).await;
                let _ = engine.run(self.saga, id("1"), &7).await.expect("an outcome");
                if let Some(then) = self.then {
                    then(&engine, &world).await;
                    let _ = engine.wait(&id("1")).await.expect("an outcome");
                }
                assert!(!journal(&data, "1").await.is_empty());
            });
        }
        data
    }
}

/// An engine that knows all definitions.
pub(crate) async fn start(data: &MemoryRepository, world: &World) -> Engine {
    let mut engine = on(data);
    for saga in definitions(world) {
        engine = engine.register(saga);
    }
    engine.start().await.expect("a start")
}
