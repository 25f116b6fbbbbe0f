//! The console as a router, without a browser: pages, orders, and who may have them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod http;
mod stage;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use compensation::{Engine, Order, Status};
use compensation_console::{Access, MAX_FORM_BYTES, Options, Token, router};
use stage::{World, id, run};

use crate::http::{ask, console, get, post, proof, request};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn order_form(router: &Router, query: &str) -> String {
    let page = get(router, &format!("/order?{query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    proof(&page.text)
}

#[tokio::test]
async fn the_overview_shows_what_is_stuck_first_and_counts_everything() {
    let (router, ..) = console(Options::new()).await;
    let page = get(&router, "/").await;
    assert_eq!(page.status, StatusCode::OK);
    let stuck = page.text.find("1 saga waits for a person").expect("it is said");
    let newest = page.text.find("Newest").expect("a list");
    assert!(stuck < page.text.find("trip-mallory").expect("it is there"));
    assert!(stuck < newest);
    assert!(
        page.text.contains("no route to cars.internal")
            || page.text.contains("could not be given back")
    );
}

#[tokio::test]
async fn every_text_is_escaped_wherever_it_stands() {
    let (router, ..) = console(Options::new()).await;
    let link = "/saga?id=%3Cscript%3Ealert%281%29%3C%2Fscript%3E";
    for path in ["/", "/list", "/list?text=%3Cscript%3E&name=%22%3E%3Cscript%3E", link] {
        let page = get(&router, path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.text.contains("<script>alert"), "{path}");
        assert!(!page.text.contains("<b>bold"), "{path}");
        assert!(!page.text.contains("\"><script>"), "{path}");
    }
    assert!(get(&router, link).await.text.contains("&lt;b&gt;bold&lt;/b&gt;"));
}

#[tokio::test]
async fn a_list_is_narrowed_by_status_name_and_text_and_has_pages() {
    let (router, engine, _) = console(Options::new()).await;
    let stuck = get(&router, "/list?status=stuck").await.text;
    assert!(stuck.contains(">trip-mallory<") && !stuck.contains(">trip-ada<"));
    let named = get(&router, "/list?name=another").await.text;
    assert!(named.contains("No saga is like that"));
    let found = get(&router, "/list?text=ADA").await.text;
    assert!(found.contains(">trip-ada<") && !found.contains(">trip-mallory<"));
    for number in 0..60 {
        run(&engine, &format!("more-{number}"), "ada").await;
    }
    let first = get(&router, "/list").await.text;
    let (_, rest) = first.split_once("/list?after=").expect("a further page");
    let cursor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let second = get(&router, &format!("/list?after={cursor}")).await.text;
    assert!(first.contains(">more-59<") && !first.contains(">trip-ada<"));
    assert!(second.contains(">trip-ada<") && !second.contains(">more-59<"));
}

#[tokio::test]
async fn a_saga_shows_its_steps_its_errors_with_their_causes_and_its_orders() {
    let (router, engine, world) = console(Options::new()).await;
    let retry = Order::new("Ada <ada@example.com>", "the line was mended, I think");
    engine.retry(&id("trip-mallory"), "reserve-car", retry).await.expect("an order");
    let _ = engine.wait(&id("trip-mallory")).await.expect("an end");
    drop(world);
    let page = get(&router, "/saga?id=trip-mallory").await.text;
    for part in [
        "the car could not be given back",
        "no route to cars.internal",
        "the card was refused",
        "had no effect",
        "Ada &lt;ada@example.com&gt;",
        "the line was mended, I think",
        "<svg",
        "car for mallory",
        "refunds are made by the bank",
        "Records of undos",
        "attempt 4",
    ] {
        assert!(page.contains(part), "no `{part}` in {page}");
    }
}

#[tokio::test]
async fn a_preview_lists_the_undos_in_order_with_their_inputs() {
    let world = World::new();
    let engine = world.in_memory().await;
    engine.start("book-trip", id("trip-slow"), "slow").await.expect("a start");
    let router = router(engine.clone(), Options::new());
    let page = get(&router, "/order?id=trip-slow&verb=undo").await.text;
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text} in {page}"));
    assert!(place("<code>issue-tickets</code>") < place("<code>reserve-hotel</code>"));
    assert!(place("<code>reserve-hotel</code>") < place("<code>reserve-car</code>"));
    assert!(
        page.contains("in flight") && page.contains("room 17") && page.contains("car for slow")
    );
    world.go_on();
}

#[tokio::test]
async fn a_preview_of_a_retried_undo_says_what_it_is_given() {
    let (router, ..) = console(Options::new()).await;
    let page = get(&router, "/order?id=trip-mallory&verb=retry&step=reserve-car").await.text;
    assert!(page.contains("car for mallory") && page.contains("(again)"), "{page}");
}

#[tokio::test]
async fn a_stuck_undo_is_retried_and_the_record_says_who_and_why() {
    let (router, engine, world) = console(Options::new()).await;
    let form = order_form(&router, "id=trip-mallory&verb=retry&step=reserve-car").await;
    world.line_is_up(true);
    let order =
        format!("form={form}&id=trip-mallory&verb=retry&step=reserve-car&who=Ada&why=mended");
    let answer = post(&router, "/order", &order).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert_eq!(answer.header(header::LOCATION), "/saga?id=trip-mallory&ordered=retry");
    let _ = engine.wait(&id("trip-mallory")).await.expect("an end");
    let history = engine.history(&id("trip-mallory")).await.expect("a history");
    assert_eq!(history.summary.head.status, Status::Compensated);
    let orders: Vec<_> = history.events.into_iter().filter_map(|event| event.order).collect();
    assert_eq!(orders, [Order::new("Ada", "mended")]);
    let who = answer.header(header::SET_COOKIE);
    assert!(who.starts_with("compensation-who=Ada;") && who.contains("HttpOnly; SameSite=Strict"));
}

#[tokio::test]
async fn an_order_without_a_name_or_a_reason_changes_nothing_and_keeps_what_was_typed() {
    let (router, engine, _) = console(Options::new()).await;
    let form = order_form(&router, "id=trip-mallory&verb=skip&step=reserve-car").await;
    let order = format!("form={form}&id=trip-mallory&verb=skip&step=reserve-car&who=+&why=because");
    let answer = post(&router, "/order", &order).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("Say who you are and why") && answer.text.contains(">because<"));
    let report = engine.report(&id("trip-mallory")).await.expect("a report");
    assert_eq!(report.status(), Status::Stuck);
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused_with_the_reason() {
    let (router, ..) = console(Options::new()).await;
    let form = order_form(&router, "id=trip-ada&verb=abandon").await;
    let order = format!("form={form}&id=trip-ada&verb=abandon&who=Ada&why=oops");
    let answer = post(&router, "/order", &order).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text.contains("trip-ada") && answer.text.contains("Nothing was changed"));
    assert_eq!(
        get(&router, "/order?id=trip-ada&verb=explode").await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(get(&router, "/order?id=trip-ada&verb=skip").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(get(&router, "/order?id=nobody&verb=undo").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&router, "/saga?id=nobody").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_order_that_could_not_be_driven_here_is_not_given() {
    let options = Options::new().drives(|plan| Err(format!("`{}` is run elsewhere", plan.saga)));
    let (router, engine, world) = console(options).await;
    world.line_is_up(true);
    let form = order_form(&router, "id=trip-mallory&verb=retry&step=reserve-car").await;
    let order = format!("form={form}&id=trip-mallory&verb=retry&step=reserve-car&who=Ada&why=x");
    let answer = post(&router, "/order", &order).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text.contains("`book-trip` is run elsewhere"));
    let report = engine.report(&id("trip-mallory")).await.expect("a report");
    assert_eq!(report.status(), Status::Stuck);
}

#[tokio::test]
async fn a_form_without_the_consoles_own_value_is_refused() {
    let (router, engine, _) = console(Options::new()).await;
    for form in ["", "0000"] {
        let order = format!("form={form}&id=trip-mallory&verb=skip&step=reserve-car&who=Eve&why=x");
        assert_eq!(post(&router, "/order", &order).await.status, StatusCode::FORBIDDEN);
    }
    let order = "id=trip-mallory&verb=skip&step=reserve-car&who=Eve&why=x";
    assert_eq!(post(&router, "/order", order).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let report = engine.report(&id("trip-mallory")).await.expect("a report");
    assert_eq!(report.status(), Status::Stuck);
}

#[tokio::test]
async fn a_form_from_another_origin_is_refused_even_with_the_right_value() {
    let (router, engine, _) = console(Options::new()).await;
    let form = order_form(&router, "id=trip-mallory&verb=skip&step=reserve-car").await;
    let order = format!("form={form}&id=trip-mallory&verb=skip&step=reserve-car&who=Eve&why=x");
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:9999"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = request("POST", "/order")
            .header("content-type", "application/x-www-form-urlencoded")
            .header(name, value)
            .body(Body::from(order.clone()))
            .expect("a request");
        assert_eq!(ask(&router, request).await.status, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let report = engine.report(&id("trip-mallory")).await.expect("a report");
    assert_eq!(report.status(), Status::Stuck);
}

#[tokio::test]
async fn a_request_under_a_foreign_name_is_refused() {
    let (router, ..) = console(Options::new()).await;
    for host in ["evil.example", "localhost.evil.example:7464", "127.0.0.1.evil.example", ""] {
        let request = Request::builder().uri("/").header("host", host);
        let answer = ask(&router, request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(!answer.text.contains("trip-"), "{host}");
    }
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1:7464", "[::1]:7464"] {
        let request = Request::builder().uri("/").header("host", host);
        let answer = ask(&router, request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_a_browser_strict() {
    let (router, ..) = console(Options::new()).await;
    for path in ["/", "/list", "/nowhere", "/console.css", "/live?of=nothing"] {
        let answer = get(&router, path).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(answer.header(header::REFERRER_POLICY), "same-origin", "{path}");
    }
    let page = get(&router, "/saga?id=trip-mallory").await.text;
    assert!(!page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick"));
    assert_eq!(page.matches("<script").count(), 1, "only the one from a file");
}

#[tokio::test]
async fn a_read_only_console_offers_no_order_and_takes_none() {
    let (router, engine, _) = console(Options::new().read_only()).await;
    let page = get(&router, "/saga?id=trip-mallory").await.text;
    assert!(page.contains("read-only") && !page.contains("/order"));
    assert_eq!(
        get(&router, "/order?id=trip-mallory&verb=abandon").await.status,
        StatusCode::NOT_FOUND
    );
    let order = "form=x&id=trip-mallory&verb=abandon&who=Eve&why=x";
    assert_eq!(post(&router, "/order", order).await.status, StatusCode::NOT_FOUND);
    let report = engine.report(&id("trip-mallory")).await.expect("a report");
    assert_eq!(report.status(), Status::Stuck);
}

fn guarded() -> Options {
    let token = Token::new(TOKEN).expect("long enough");
    Options::new().open_to(["ops.example"], Access::Token(token))
}

#[tokio::test]
async fn with_a_token_nothing_is_shown_to_whoever_has_not_logged_in() {
    let (router, ..) = console(guarded()).await;
    let answer = get(&router, "/saga?id=trip-mallory").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header(header::LOCATION), "/login?to=%2Fsaga%3Fid%3Dtrip-mallory");
    assert_eq!(get(&router, "/live?of=overview").await.status, StatusCode::UNAUTHORIZED);
    let order = "form=x&id=trip-mallory&verb=abandon&who=Eve&why=x";
    assert_eq!(post(&router, "/order", order).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(get(&router, "/login").await.status, StatusCode::OK);
    assert_eq!(get(&router, "/console.css").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_right_token_lets_in_until_one_logs_out() {
    let (router, ..) = console(guarded()).await;
    let form = proof(&get(&router, "/login").await.text);
    let wrong =
        post(&router, "/login", &format!("form={form}&token=wrong-wrong-wrong-wrong&to=/")).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert!(wrong.header(header::SET_COOKIE).is_empty());
    let right = post(&router, "/login", &format!("form={form}&token={TOKEN}&to=/list")).await;
    assert_eq!((right.status, right.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/list"));
    let cookie = right.header(header::SET_COOKIE).to_owned();
    assert!(
        cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Strict")
            && !cookie.contains(TOKEN)
    );
    let session = cookie.split(';').next().expect("a value").to_owned();
    let with = |method: &'static str, path: &'static str, body: String| {
        let request = request(method, path)
            .header("cookie", format!("a=b; {session}"))
            .header("content-type", "application/x-www-form-urlencoded");
        let (router, request) =
            (router.clone(), request.body(Body::from(body)).expect("a request"));
        async move { ask(&router, request).await }
    };
    assert_eq!(with("GET", "/", String::new()).await.status, StatusCode::OK);
    assert_eq!(with("POST", "/logout", format!("form={form}")).await.status, StatusCode::SEE_OTHER);
    assert_eq!(with("GET", "/", String::new()).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_login_leads_nowhere_but_into_the_console() {
    let (router, ..) = console(guarded()).await;
    let form = proof(&get(&router, "/login").await.text);
    for to in
        ["https://evil.example/", "//evil.example/", "/%5Cevil.example", "javascript:alert(1)"]
    {
        let answer = post(&router, "/login", &format!("form={form}&token={TOKEN}&to={to}")).await;
        assert_eq!(answer.header(header::LOCATION), "/", "{to}");
    }
}

#[tokio::test]
async fn programs_send_the_token_as_a_bearer_and_guessing_is_stopped() {
    let (router, ..) = console(guarded()).await;
    let bearer = |token: &str| {
        let request = request("GET", "/").header("authorization", format!("Bearer {token}"));
        let (router, request) = (router.clone(), request.body(Body::empty()).expect("a request"));
        async move { ask(&router, request).await.status }
    };
    assert_eq!(bearer(TOKEN).await, StatusCode::OK);
    for _ in 0..30 {
        assert_ne!(bearer("guessed-guessed-guessed").await, StatusCode::OK);
    }
    assert_ne!(bearer(TOKEN).await, StatusCode::OK, "for a minute nothing is looked at");
}

#[tokio::test]
async fn a_form_that_is_too_large_is_not_read() {
    let (router, ..) = console(Options::new()).await;
    let form = format!("form={}", "x".repeat(MAX_FORM_BYTES + 1));
    assert_eq!(post(&router, "/order", &form).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_console_that_is_nested_links_to_itself() {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-mallory", "mallory").await;
    let app = Router::new().nest("/ops", router(engine, Options::new().at("/ops")));
    let page = get(&app, "/ops").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("href=\"/ops/saga?id=trip-mallory\""));
    assert!(page.text.contains("href=\"/ops/console.css"));
    assert_eq!(get(&app, "/ops/saga?id=trip-mallory").await.status, StatusCode::OK);
    assert_eq!(get(&app, "/ops/console.css").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_declared_secret_is_shown_nowhere() {
    let mut secret = compensation::Saga::<String>::builder("secret");
    secret
        .step("key", |cx: compensation::StepContext<String>| async move {
            Ok::<_, compensation::StepError>(format!("key-{}", cx.input()))
        })
        .secret_output()
        .undo(|_, _: Option<String>| async {
            Err::<(), _>(compensation::StepError::unknown("key-hunter2 is in use"))
        })
        .undo_retry(compensation::RetryPolicy::none())
        .add();
    secret.secret_input("*");
    let secret = secret.build().expect("a sound saga");
    let store = Arc::new(compensation::repository::MemoryRepository::new());
    let engine = Engine::open_shared(store).register(secret).start().await.expect("a start");
    let _ = engine.run("secret", id("s-1"), "hunter2").await.expect("an end");
    engine.cancel(&id("s-1"), Order::new("Ada", "hunter2 leaked")).await.expect("an order");
    let _ = engine.wait(&id("s-1")).await.expect("an end");
    let router = router(engine, Options::new());
    for path in ["/", "/list", "/saga?id=s-1", "/order?id=s-1&verb=retry&step=key"] {
        let page = get(&router, path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.text.contains("hunter2"), "{path}: {}", page.text);
    }
}
