//! Orders to many, and a retry with something else than what is recorded.

use compensation::Status;
use compensation_console::Options;

use crate::{
    driver::{Browser, serve},
    stage::{World, id, run},
};

/// Goes on by the keyboard until what has the focus says that.
async fn tab_to(browser: &Browser, text: &str) {
    for _ in 0..40 {
        if browser.tab().await.starts_with(text) {
            return;
        }
    }
    panic!("the keyboard does not come to `{text}`");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_stuck_sagas_are_retried_at_once_by_the_keyboard_and_without_scripts() {
    let world = World::new();
    let engine = world.in_memory().await;
    for saga in ["trip-1", "trip-2", "trip-3"] {
        run(&engine, saga, "mallory").await;
    }
    run(&engine, "trip-ada", "ada").await;
    let place = serve(engine.clone(), Options::new()).await;
    let browser = Browser::open().await;
    browser.without_scripts().await;

    browser.go(&format!("{place}/list?status=stuck")).await;
    tab_to(&browser, "Give all of these an order…").await;
    browser.key("\u{e007}").await;
    browser.says("An order to many").await;
    tab_to(&browser, "choose…").await;
    browser.key("Retry").await;
    tab_to(&browser, "Show what would happen").await;
    browser.key("\u{e007}").await;

    browser.says("3 sagas, 3 steps").await;
    browser.says("The undo of reserve-car is attempted again").await;
    world.line_is_up(true);
    // The form comes after the last saga.
    tab_to(&browser, "trip-3").await;
    browser.tab().await;
    browser.key("Ada\u{e004}the line is mended").await;
    tab_to(&browser, "Retry: 3 sagas, 3 steps").await;
    browser.key("\u{e007}").await;

    browser.says("3 ordered, 0 so already, 0 refused or failed").await;
    for saga in ["trip-1", "trip-2", "trip-3"] {
        let outcome = engine.wait(&id(saga)).await.expect("an end");
        assert_eq!(outcome.report().status(), Status::Compensated);
    }
    browser.press("What is left").await;
    browser.says("There is nothing that this could be ordered of").await;
    browser.go(&format!("{place}/saga?id=trip-2")).await;
    browser.says("the line is mended").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_is_given_another_output_after_a_slip_of_the_pen() {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-mallory", "mallory").await;
    let place = serve(engine.clone(), Options::new()).await;
    let browser = Browser::open().await;
    browser.go(&format!("{place}/order?id=trip-mallory&verb=retry&step=reserve-car")).await;
    browser.click("#edit summary").await;
    browser.fill("#output", "{\"car\":").await;
    browser.fill("#who", "Ada").await;
    browser.fill("#why", "the car was booked anew").await;
    browser.click("form.order button[type=submit]").await;

    browser.says("The output is not JSON").await;
    world.line_is_up(true);
    browser.fill("#output", "\"car for grace\"").await;
    browser.click("form.order button[type=submit]").await;
    browser.says("Ordered: retry").await;
    let outcome = engine.wait(&id("trip-mallory")).await.expect("an end");
    let output = outcome.report().stored_output("reserve-car").map(ToString::to_string);
    assert_eq!(output.as_deref(), Some("\"car for grace\""));
    browser.close().await;
}
