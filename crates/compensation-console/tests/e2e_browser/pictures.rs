//! Every page as a picture: light and dark, on a desk and on a phone. With COMPENSATION_SCREENSHOTS set to a
//! folder they are kept, which is how those in the docs are made.

use compensation::Order;
use compensation_console::{Access, Options, Token};

use crate::{
    driver::{Browser, serve},
    stage::{World, id, run},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_drawn_in_light_and_dark_and_fits_a_phone() {
    let world = World::new();
    let engine = world.in_memory().await;
    for name in ["ada", "grace", "barbara"] {
        run(&engine, &format!("trip-{name}"), name).await;
    }
    world.line_is_up(true);
    run(&engine, "trip-edith", "mallory").await;
    world.line_is_up(false);
    run(&engine, "trip-mallory", "mallory").await;
    let retry = Order::new("Ada", "cars.internal answers pings again");
    engine.retry(&id("trip-mallory"), "reserve-car", retry).await.expect("an order");
    let _ = engine.wait(&id("trip-mallory")).await.expect("an end");
    run(&engine, "trip-trudy", "mallory").await;
    engine.start("book-trip", id("trip-slow"), "slow").await.expect("a start");
    let token = Token::new("0123456789abcdef0123456789abcdef").expect("long enough");
    let guarded = Options::new().open_to(["ops.example"], Access::Token(token));
    let login = serve(engine.clone(), guarded).await;
    let place = serve(engine.clone(), Options::new().title("/var/lib/trips/sagas.db")).await;
    let pages = [
        ("overview", format!("{place}/"), 760),
        ("list", format!("{place}/list"), 760),
        ("saga", format!("{place}/saga?id=trip-mallory"), 1500),
        ("order", format!("{place}/order?id=trip-mallory&verb=retry&step=reserve-car"), 700),
        ("undo", format!("{place}/order?id=trip-slow&verb=undo"), 760),
        ("many", format!("{place}/many?status=stuck&verb=retry"), 900),
        ("login", format!("{login}/"), 500),
    ];
    let browser = Browser::open().await;
    for (name, page, height) in &pages {
        for (look, dark, width) in
            [("light", false, 1180), ("dark", true, 1180), ("phone", false, 390)]
        {
            browser.look(dark, width, *height).await;
            browser.go(page).await;
            browser.says(if *name == "login" { "Log in" } else { "compensation" }).await;
            let wide = "return document.documentElement.scrollWidth";
            let wide = browser.script(wide).await;
            let wide = wide.as_u64().expect("a number");
            assert!(wide <= u64::from(width), "{name} on {look} is {wide} wide");
            browser.keep(&format!("{name}-{look}")).await;
        }
    }
    world.go_on();
    browser.close().await;
}
