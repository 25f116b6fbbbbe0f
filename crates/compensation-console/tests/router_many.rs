//! Orders to many, and retries with something else than what is recorded, without a browser.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod http;
mod stage;

use crate::http::{get, post, proof};
use axum::{
    Router,
    http::{StatusCode, header},
};
use compensation::{Engine, Order, Status};
use compensation_console::{Options, router};
use stage::{World, id, run};

/// Where the order of these tests is shown.
const RETRY: &str = "/many?status=stuck&verb=retry";

/// A console over three stuck sagas and a completed one.
async fn console(options: Options) -> (Router, Engine, World) {
    let world = World::new();
    let engine = world.in_memory().await;
    for saga in ["trip-1", "trip-2", "trip-3"] {
        run(&engine, saga, "mallory").await;
    }
    run(&engine, "trip-ada", "ada").await;
    (router(engine.clone(), options), engine, world)
}

/// What the form of a page would send, with who and why.
fn filled(page: &str) -> String {
    let value = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
        let value = rest.split('"').next().expect("an end").replace("&amp;", "&");
        value.replace('%', "%25").replace('&', "%26").replace('=', "%3D")
    };
    let (of, at, shown) = (value("of"), value("at"), value("shown"));
    format!("form={}&of={of}&at={at}&shown={shown}&who=Ada&why=mended", proof(page))
}

async fn is_stuck(engine: &Engine, sagas: u64) {
    assert_eq!(engine.counts().await.expect("counts").get(Status::Stuck), sagas);
}

#[tokio::test]
async fn an_order_to_many_is_shown_counted_given_and_answered_for_each() {
    let (router, engine, world) = console(Options::new()).await;
    let list = get(&router, "/list?status=stuck").await.text;
    assert!(list.contains("href=\"/many?status=stuck\""), "the list leads there");
    let page = get(&router, RETRY).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("3 sagas, 3 steps"), "{}", page.text);
    assert!(page.text.contains("The undo of <code>reserve-car</code> is attempted again"));
    assert!(!page.text.contains(">trip-ada<"));
    is_stuck(&engine, 3).await;

    world.line_is_up(true);
    let answer = post(&router, "/many", &filled(&page.text)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(answer.text.contains("3 ordered, 0 so already, 0 refused or failed"));
    assert!(answer.header(header::SET_COOKIE).starts_with("compensation-who=Ada;"));
    for saga in ["trip-1", "trip-2", "trip-3"] {
        assert!(answer.text.contains(&format!(">{saga}<")));
        let _ = engine.wait(&id(saga)).await.expect("an end");
        let history = engine.history(&id(saga)).await.expect("a history");
        assert_eq!(history.summary.head.status, Status::Compensated);
        let orders: Vec<_> = history.events.into_iter().filter_map(|event| event.order).collect();
        assert_eq!(orders, [Order::new("Ada", "mended")]);
    }
    let left = get(&router, RETRY).await.text;
    assert!(left.contains("There is nothing that this could be ordered of"), "{left}");
}

#[tokio::test]
async fn an_order_to_many_says_of_each_saga_what_would_be_undone_or_why_it_would_be_refused() {
    let (router, ..) = console(Options::new()).await;
    let undo = get(&router, "/many?status=completed&verb=undo").await.text;
    let undone = "undone: <code>issue-tickets</code>, then <code>reserve-hotel</code>, then \
                  <code>reserve-car</code>";
    assert!(undo.contains(undone), "{undo}");
    let abandon = get(&router, "/many?text=trip&verb=abandon").await.text;
    assert!(abandon.contains("refused</strong>: only a saga that is not over"), "{abandon}");
    assert!(abandon.contains("4 sagas"));
}

#[tokio::test]
async fn what_refuses_does_not_keep_the_others_from_being_ordered() {
    let (router, engine, _) = console(Options::new()).await;
    let page = get(&router, "/many?text=trip&verb=abandon").await.text;
    let answer = post(&router, "/many", &filled(&page)).await.text;
    assert!(answer.contains("3 ordered, 0 so already, 1 refused or failed"), "{answer}");
    assert!(answer.find(">trip-ada<") < answer.find(">trip-1<"), "what was refused comes first");
    assert_eq!(engine.counts().await.expect("counts").get(Status::Abandoned), 3);
}

#[tokio::test]
async fn an_order_is_given_to_what_was_shown_or_to_nothing() {
    let (router, engine, _) = console(Options::new()).await;
    let page = get(&router, RETRY).await.text;
    engine.abandon(&id("trip-2"), Order::new("Eve", "first")).await.expect("abandoned");
    let answer = post(&router, "/many", &filled(&page)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("have changed since they were shown"));
    assert!(answer.text.contains("2 sagas, 2 steps") && answer.text.contains(">mended<"));
    for saga in ["trip-1", "trip-3"] {
        let history = engine.history(&id(saga)).await.expect("a history");
        assert!(history.events.iter().all(|event| event.order.is_none()), "{saga}");
    }
}

#[tokio::test]
async fn without_a_filter_no_whole_sagas_are_ordered_of() {
    let (router, engine, _) = console(Options::new()).await;
    let page = get(&router, "/many?verb=abandon").await.text;
    assert!(page.contains("every saga of the store") && !page.contains("name=\"why\""));
    let form = proof(&get(&router, RETRY).await.text);
    let order = format!("form={form}&of=verb%3Dabandon&at=9999999999999&shown=0&who=Eve&why=x");
    assert_eq!(post(&router, "/many", &order).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    is_stuck(&engine, 3).await;
}

#[tokio::test]
async fn a_filter_by_step_and_by_age_narrows_the_order() {
    let (router, ..) = console(Options::new()).await;
    let at = get(&router, "/many?step=reserve-car&verb=skip").await.text;
    assert!(at.contains("3 sagas, 3 steps"), "{at}");
    for query in ["step=reserve-hotel&verb=skip", "minutes=5&verb=skip", "verb=done"] {
        let none = get(&router, &format!("/many?{query}")).await.text;
        assert!(none.contains("There is nothing"), "{query}: {none}");
    }
}

#[tokio::test]
async fn an_order_to_many_needs_a_name_and_a_reason_and_the_consoles_own_form() {
    let (router, engine, _) = console(Options::new()).await;
    let page = get(&router, RETRY).await.text;
    let nameless = filled(&page).replace("who=Ada", "who=+");
    let answer = post(&router, "/many", &nameless).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("Say who you are and why") && answer.text.contains(">mended<"));
    let foreign = filled(&page).replace(&format!("form={}", proof(&page)), "form=0000");
    assert_eq!(post(&router, "/many", &foreign).await.status, StatusCode::FORBIDDEN);
    is_stuck(&engine, 3).await;
}

#[tokio::test]
async fn what_could_not_be_driven_here_is_shown_so_and_not_ordered() {
    let options = Options::new().drives(|plan| Err(format!("`{}` is run elsewhere", plan.saga)));
    let (router, engine, _) = console(options).await;
    let page = get(&router, RETRY).await.text;
    assert!(page.contains("not ordered</strong>: <code>book-trip</code> is run elsewhere"));
    let answer = post(&router, "/many", &filled(&page)).await.text;
    assert!(answer.contains("0 ordered, 0 so already, 3 refused or failed"), "{answer}");
    is_stuck(&engine, 3).await;
}

#[tokio::test]
async fn every_text_of_an_order_to_many_is_escaped_and_what_is_secret_is_masked() {
    let options = Options::new().hides(|mask, _| mask.hide("the car could not be given back"));
    let (router, engine, _) = console(options).await;
    run(&engine, "<script>alert(1)</script>", "mallory").await;
    let page = get(&router, "/many?status=stuck&verb=abandon&step=reserve-car").await.text;
    assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert"));
    assert!(!page.contains("could not be given back") && page.contains("***"), "{page}");
    let ugly = "/many?verb=retry&step=%22%3E%3Cscript%3E&text=%22%3E%3Cscript%3E";
    assert!(!get(&router, ugly).await.text.contains("\"><script>"));
    let answer = post(&router, "/many", &filled(&page)).await.text;
    assert!(answer.contains("4 ordered") && !answer.contains("<script>alert"), "{answer}");
}

#[tokio::test]
async fn a_read_only_console_takes_no_order_to_many() {
    let (router, engine, _) = console(Options::new().read_only()).await;
    assert!(!get(&router, "/list?status=stuck").await.text.contains("/many"));
    assert_eq!(get(&router, RETRY).await.status, StatusCode::NOT_FOUND);
    let order = "form=x&of=verb%3Dretry&at=9999999999999&shown=0&who=Eve&why=x";
    assert_eq!(post(&router, "/many", order).await.status, StatusCode::NOT_FOUND);
    is_stuck(&engine, 3).await;
}

/// The form of a retry with something else, to be added to.
async fn retry_of(router: &Router, saga: &str) -> (String, String) {
    let query = format!("id={saga}&verb=retry&step=reserve-car");
    let page = get(router, &format!("/order?{query}")).await.text;
    let form = format!("form={}&{query}&who=Ada&why=mended", proof(&page));
    (page, form)
}

#[tokio::test]
async fn an_undo_is_retried_with_another_input_and_output() {
    let (router, engine, world) = console(Options::new()).await;
    world.line_is_up(true);
    let (page, form) = retry_of(&router, "trip-1").await;
    for field in ["name=\"input\" rows=\"4\" spellcheck=\"false\"></textarea>", "name=\"output\""] {
        assert!(page.contains(field), "it is there and empty: {page}");
    }
    let order = format!("{form}&input=%22grace%22&output=%22car+for+grace%22");
    let answer = post(&router, "/order", &order).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let outcome = engine.wait(&id("trip-1")).await.expect("an end");
    let output = outcome.report().stored_output("reserve-car").map(ToString::to_string);
    assert_eq!(output.as_deref(), Some("\"car for grace\""));
    assert_eq!(outcome.report().status(), Status::Compensated);
    let page = get(&router, "/saga?id=trip-1").await.text;
    let said = page.matches("retry with another input and another output").count();
    assert_eq!(said, 2, "in the timeline and among the orders: {page}");
    assert!(!page.contains("grace&quot;") || !page.contains("grace\""),);
}

#[tokio::test]
async fn what_is_no_json_or_of_another_type_is_answered_in_the_form_and_changes_nothing() {
    let (router, engine, _) = console(Options::new()).await;
    let (_, form) = retry_of(&router, "trip-1").await;
    for (given, said) in [
        ("input=%7Bgrace", "The input is not JSON"),
        ("output=%7Bgrace", "The output is not JSON"),
        ("input=17", "Nothing was changed"),
        ("output=17", "Nothing was changed"),
    ] {
        let answer = post(&router, "/order", &format!("{form}&{given}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{given}: {}", answer.text);
        assert!(answer.text.contains(said), "{given}: {}", answer.text);
        let typed = given.rsplit("%7B").next().expect("a text").trim_start_matches("input=");
        let typed = typed.trim_start_matches("output=");
        assert!(answer.text.contains(&format!("{typed}</textarea>")), "{given} is kept");
        assert!(answer.text.contains("<details id=\"edit\" open>"), "{given}");
    }
    let history = engine.history(&id("trip-1")).await.expect("a history");
    assert!(history.events.iter().all(|event| event.order.is_none()));
}
