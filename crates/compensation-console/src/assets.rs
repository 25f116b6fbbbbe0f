//! What pages need beside themselves, from the program itself.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// Changed with every release: a browser keeps an asset for an hour.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "private, max-age=3600")];
    (headers, text).into_response()
}

pub(crate) async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("assets/console.css"))
}

pub(crate) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("assets/live.js"))
}

pub(crate) async fn icon() -> Response {
    asset("image/svg+xml", include_str!("assets/icon.svg"))
}
