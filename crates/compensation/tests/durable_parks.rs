//! What observers are told of a saga that an engine parks by itself.

mod durable;

use compensation::{News, Status, repository::MemoryRepository};
use durable::{Does, World, id, life, on};

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
