//! A console as a router, asked without a browser.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use compensation::Engine;
use compensation_console::{Options, router};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::stage::{World, run};

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

pub(crate) async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.expect("a router never fails");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    Answer { status: parts.status, headers: parts.headers, text }
}

pub(crate) fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "localhost:7464")
}

pub(crate) async fn get(router: &Router, path: &str) -> Answer {
    ask(router, request("GET", path).body(Body::empty()).expect("a request")).await
}

pub(crate) async fn post(router: &Router, path: &str, form: &str) -> Answer {
    let kind = "application/x-www-form-urlencoded";
    let request = request("POST", path).header("content-type", kind);
    ask(router, request.body(Body::from(form.to_owned())).expect("a request")).await
}

/// The value that every form carries, from a page.
pub(crate) fn proof(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"form\" value=\"").expect("a form");
    rest.split('"').next().expect("an end").to_owned()
}

/// A console in memory with one stuck saga, one completed and one with an ugly name.
pub(crate) async fn console(options: Options) -> (Router, Engine, World) {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-ada", "ada").await;
    run(&engine, "trip-mallory", "mallory").await;
    run(&engine, "<script>alert(1)</script>", "<b>bold</b>").await;
    (router(engine.clone(), options), engine, world)
}
