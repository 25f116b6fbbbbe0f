//! What a store tells of a saga: its history, and the notice of an engine that parks it by itself.

mod durable;

use compensation::{News, Order, Status, machine::Change, repository::MemoryRepository};
use durable::{Does, World, id, life, on};

#[test]
fn a_history_has_every_event_in_order_with_its_attempt_evidence_and_order() {
    let (data, world) = (MemoryRepository::new(), World::default());
    world.tell("b", Does::Fails);
    world.tell("^a", Does::RefusesTimes(1));
    life(async {
        let saga = world.chain("trip", &["a", "b"]);
        let engine = on(&data).register(saga).start().await.expect("start");
        let _ = engine.run("trip", id("1"), &7).await.expect("an outcome");
        engine.retry(&id("1"), "a", Order::new("Ada", "mended")).await.expect("an order");
        let _ = engine.wait(&id("1")).await.expect("an end");

        let history = engine.history(&id("1")).await.expect("a history");
        assert_eq!(history.summary.head.status, Status::Compensated);
        assert_eq!(history.input, "7");
        assert_eq!(history.report.expect("readable").status(), Status::Compensated);
        let undos: Vec<_> = history
            .events
            .iter()
            .filter(|event| {
                matches!(event.change, Change::UndoStarted(_) | Change::UndoDone(_))
                    && event.step.as_deref() == Some("a")
            })
            .map(|event| event.attempt)
            .collect();
        assert_eq!(undos, [1, 2, 2]);
        let failed =
            history.events.iter().find(|event| event.failure.is_some()).expect("a failure");
        assert_eq!(failed.failure.as_ref().expect("it").message(), "b failed");
        let ordered: Vec<_> =
            history.events.iter().filter_map(|event| event.order.clone()).collect();
        assert_eq!(ordered, [Order::new("Ada", "mended")]);
        let names: Vec<_> = history.undos.iter().map(|undo| undo.activity_name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    });
}

#[test]
fn an_engine_that_parks_a_saga_for_want_of_its_definition_tells_its_observers() {
    let (data, world) = (MemoryRepository::new(), World::default());
    let gate = durable::Gate::new();
    world.tell("a", Does::Waits(gate.clone()));
    life(async {
        let engine = on(&data).register(world.chain("trip", &["a"])).start().await.expect("start");
        engine.start("trip", id("1"), &1).await.expect("a start");
        gate.reached(1).await;
    });
    life(async {
        let engine = on(&data).without_recovery().start().await.expect("start");
        let mut told = engine.subscribe();
        engine.resume(&id("1")).await.expect_err("nobody here has its definition");
        let notice = told.recv().await.expect("a notice");
        assert_eq!((notice.id, &*notice.saga), (id("1"), "trip"));
        let News::Status { status, reason } = notice.news else { panic!("{:?}", notice.news) };
        assert_eq!(status, Status::Stuck);
        assert!(reason.is_some_and(|reason| reason.contains("trip")));
    });
}
