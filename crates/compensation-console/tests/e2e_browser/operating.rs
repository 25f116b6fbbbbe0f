//! What an operator does: reads, finds, mends. The steps are those of docs/console.md.

use compensation::{Order, Status};
use compensation_console::Options;

use crate::{
    driver::{Browser, serve},
    stage::{World, id, run},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_saga_is_found_understood_and_mended() {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-ada", "ada").await;
    run(&engine, "trip-mallory", "mallory").await;
    let place = serve(engine.clone(), Options::new()).await;
    let browser = Browser::open().await;

    // It is found.
    browser.go(&place).await;
    browser.says("1 saga waits for a person").await;
    browser.press("trip-mallory").await;

    // The reason is read.
    browser.says("its undo failed and has no attempts left").await;
    browser.says("the car could not be given back").await;
    browser.says("caused by: no route to cars.internal").await;

    // The cause is mended, and the undo retried.
    world.line_is_up(true);
    browser.press("Retry").await;
    browser.says("What would happen").await;
    browser.says("The undo of reserve-car is attempted again").await;
    browser.says("(again)").await;
    browser.fill("#who", "Ada").await;
    browser.fill("#why", "the line to cars.internal is mended").await;
    browser.click("form.order button[type=submit]").await;

    // And the saga is compensated.
    browser.says("Ordered: retry").await;
    browser.says("compensated").await;
    browser.says("the line to cars.internal is mended").await;
    let report = engine.report(&id("trip-mallory")).await.expect("a report");
    assert_eq!(report.status(), Status::Compensated);
    browser.go(&place).await;
    browser.says("Nothing waits for a person").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_narrowed_and_a_saga_is_skipped_without_scripts() {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-ada", "ada").await;
    run(&engine, "trip-mallory", "mallory").await;
    let place = serve(engine.clone(), Options::new()).await;
    let browser = Browser::open().await;
    browser.without_scripts().await;

    browser.go(&format!("{place}/list")).await;
    browser.says("trip-ada").await;
    browser.click("input[name=status][value=stuck]").await;
    browser.fill("input[name=text]", "MALLORY").await;
    browser.press("Show").await;
    browser.says("trip-mallory").await;
    assert!(!browser.text().await.contains("trip-ada"));

    browser.press("trip-mallory").await;
    browser.press("Skip").await;
    browser.says("its effect stays in place").await;
    browser.fill("#who", "Ada").await;
    browser.fill("#why", "the car's owner was called").await;
    browser.click("form.order button[type=submit]").await;
    browser.says("Ordered: skip").await;
    let _ = engine.wait(&id("trip-mallory")).await.expect("an end");
    browser.go(&format!("{place}/saga?id=trip-mallory")).await;
    browser.says("undo skipped").await;
    browser.says("the car's owner was called").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_in_flight_is_undone_after_a_preview_of_its_undos_in_order() {
    let world = World::new();
    world.line_is_up(true);
    let engine = world.in_memory().await;
    engine.start("book-trip", id("trip-slow"), "slow").await.expect("a start");
    let place = serve(engine.clone(), Options::new()).await;
    let browser = Browser::open().await;
    browser.go(&format!("{place}/saga?id=trip-slow")).await;
    browser.press("Undo the saga").await;
    let preview = browser.part("section.preview").await;
    let at = |step: &str| preview.find(step).unwrap_or_else(|| panic!("no {step} in {preview}"));
    assert!(at("issue-tickets") < at("reserve-hotel") && at("reserve-hotel") < at("reserve-car"));
    browser.fill("#who", "Ada").await;
    browser.fill("#why", "the customer called").await;
    browser.click("form.order button[type=submit]").await;
    browser.says("Ordered: undo").await;
    world.go_on();
    browser.says("compensated").await;
    assert_eq!(browser.count(".timeline .back").await, 3, "three undos stand in their lane");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_follows_what_this_engine_and_another_process_do() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("sagas.db");
    let world = World::new();
    let (here, there) = (world.on_file(&path).await, world.on_file(&path).await);
    let place = serve(here.clone(), Options::new()).await;
    let browser = Browser::open().await;

    // Another process starts one.
    browser.go(&place).await;
    browser.says("There are no sagas in this store yet").await;
    there.start("book-trip", id("trip-slow"), "slow").await.expect("a start");
    browser.says("trip-slow").await;

    // And brings it to its end, under the eyes of whoever looks at it.
    browser.go(&format!("{place}/saga?id=trip-slow")).await;
    browser.says("acting").await;
    world.go_on();
    let _ = there.wait(&id("trip-slow")).await.expect("an end");
    browser.says("completed").await;

    // What this engine does is seen too, and the reader's open parts stay open.
    browser.click("#records summary").await;
    world.line_is_up(true);
    here.cancel(&id("trip-slow"), Order::new("Ada", "changed her mind")).await.expect("an order");
    browser.says("changed her mind").await;
    browser.says("compensated").await;
    assert_eq!(browser.count("#records[open]").await, 1);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_reached_with_the_keyboard() {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-mallory", "mallory").await;
    let place = serve(engine, Options::new()).await;
    let browser = Browser::open().await;
    browser.go(&place).await;
    let mut seen = Vec::new();
    for _ in 0..8 {
        seen.push(browser.tab().await);
    }
    assert_eq!(seen.first().map(String::as_str), Some("To the content"));
    assert!(seen.iter().any(|text| text == "trip-mallory"), "{seen:?}");
    browser.close().await;
}
