//! What every request passes: whom it is for, who asks, where a form comes from; and the headers of each answer.

use std::sync::Arc;

use axum::{
    extract::{Request, State as Given},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use crate::{cookie, problem::Problem, state::State, text};

/// Largest form that is read, in bytes.
pub const MAX_FORM_BYTES: usize = 64 * 1024;

/// Nothing but what the console itself serves, no script or style within a page, and in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers of every answer. The referrer's policy is not `no-referrer`: with that, browsers leave a form's
/// origin out, which is checked.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

pub(crate) async fn guard(
    Given(state): Given<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match judge(&state, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(&state),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

enum Refusal {
    /// It is for a host that this console does not answer for.
    Host,
    /// It changes something, and does not come from here.
    Origin,
    /// Nobody has logged in; the way on after that.
    Login(Option<String>),
}

fn judge(state: &State, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let authority = authority(request);
    let host = authority.map(host_of).unwrap_or_default();
    if !is_ours(state, host) {
        return Err(Refusal::Host);
    }
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    if !reads && !comes_from(headers, authority.unwrap_or_default()) {
        return Err(Refusal::Origin);
    }
    let path = request.uri().path();
    if is_let_in(state, headers) || is_for_everybody(path) {
        return Ok(());
    }
    let page = request.method() == Method::GET && path != "/live";
    let way = request.uri().path_and_query().map(ToString::to_string);
    Err(Refusal::Login(way.filter(|_| page)))
}

/// The host and port that a request is for: its `Host`, or its target's where that has one.
fn authority(request: &Request) -> Option<&str> {
    let target = request.uri().authority().map(|authority| authority.as_str());
    target.or_else(|| request.headers().get(header::HOST)?.to_str().ok())
}

/// Without its port.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_ours(state: &State, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    ["localhost", "127.0.0.1", "::1"].contains(&host.as_str())
        || state.options.hosts.iter().any(|ours| ours.trim_matches(['[', ']']) == host)
}

/// Whether a form was sent by a page of this console, as far as the browser says. The form's own token is what
/// proves it.
fn comes_from(headers: &HeaderMap, authority: &str) -> bool {
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    if said("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    match said("origin") {
        None => true,
        Some(origin) => {
            let from = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            from.is_some_and(|from| from.eq_ignore_ascii_case(authority))
        }
    }
}

fn is_let_in(state: &State, headers: &HeaderMap) -> bool {
    let Some(token) = state.options.token() else { return true };
    if cookie::read(headers, cookie::SESSION).is_some_and(|it| state.sessions.knows(it)) {
        return true;
    }
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match bearer.and_then(|text| text.strip_prefix("Bearer ")) {
        None => false,
        Some(_) if !state.sessions.may_try() => false,
        Some(given) if token.is(given.trim()) => true,
        Some(_) => {
            state.sessions.was_wrong();
            false
        }
    }
}

/// What the page for logging in needs.
fn is_for_everybody(path: &str) -> bool {
    ["/login", "/console.css", "/icon.svg"].contains(&path)
}

impl Refusal {
    fn into_response(self, state: &State) -> Response {
        match self {
            Self::Host => Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "This console does not answer under that name",
                "Use the address that it was started with, or allow the name: `--host NAME` on the \
                 command line, `Options::open_to` in a program.",
            )
            .bare(),
            Self::Origin => Problem::new(
                StatusCode::FORBIDDEN,
                "This form was not sent by the console",
                "Nothing was changed. Open the page of the saga in the console, and order it there.",
            )
            .bare(),
            Self::Login(Some(way)) => {
                let login = state.link("/login");
                // Nested, the router has taken the base off.
                let way = text::escaped_for_url(&state.link(&way));
                let login = format!("{login}?to={way}");
                Redirect::to(&login).into_response()
            }
            Self::Login(None) => {
                let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
                let problem = Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "Nobody is logged in",
                    "Log in with the console's token; programs send it as `Authorization: Bearer`.",
                );
                (challenge, problem.bare()).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_found_with_and_without_a_port() {
        for (authority, host) in [
            ("localhost", "localhost"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:80", "::1"),
            ("", ""),
        ] {
            assert_eq!(host_of(authority), host);
        }
    }

    #[test]
    fn a_form_from_another_origin_or_none_at_all_is_told_apart() {
        let from = |origin: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("origin", HeaderValue::from_static(origin));
            comes_from(&headers, "localhost:80")
        };
        assert!(from("http://localhost:80") && from("https://LOCALHOST:80"));
        assert!(!from("http://localhost:81") && !from("null") && !from("http://evil.example"));
        assert!(comes_from(&HeaderMap::new(), "localhost:80"));
    }
}
