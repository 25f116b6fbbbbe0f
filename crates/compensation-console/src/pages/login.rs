//! Logging in with the token, and out.

use axum::{
    extract::{Form, Query, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::html;
use serde::Deserialize;

use super::bare_frame;
use crate::{
    cookie, forms,
    problem::Problem,
    sessions::LASTS,
    state::{Shared, State},
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Way {
    to: String,
}

#[derive(Deserialize)]
pub(crate) struct Login {
    token: String,
    form: String,
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
pub(crate) struct Leave {
    form: String,
}

pub(crate) async fn show(state: Shared, Query(way): Query<Way>) -> Response {
    page(&state, StatusCode::OK, &way.to, None)
}

fn page(state: &State, status: StatusCode, to: &str, wrong: Option<&str>) -> Response {
    let to = local(state, to);
    let body = html! {
        h1 { "Log in" }
        @if let Some(wrong) = wrong { p.problem role="alert" { (wrong) } }
        form method="post" action=(state.link("/login")) {
            (forms::proof(state))
            input type="hidden" name="to" value=(to);
            label for="token" { "The console's token" }
            input #token type="password" name="token" required autofocus
                autocomplete="current-password";
            button.primary type="submit" { "Log in" }
        }
        p.note {
            "Logged in already, and came by a link from elsewhere? "
            a href=(to) { "Go on" } "."
        }
    };
    (status, bare_frame(state, "Log in", &body)).into_response()
}

/// A way on that stays within this console.
fn local(state: &State, to: &str) -> String {
    let home = state.link("/");
    let inside = to.starts_with(&state.link("/")) && to.starts_with('/');
    let elsewhere = to.starts_with("//") || to.contains(['\\', '\r', '\n', '\t']);
    if inside && !elsewhere { to.to_owned() } else { home }
}

pub(crate) async fn enter(state: Shared, form: Result<Form<Login>, FormRejection>) -> Response {
    let Form(login) = match form {
        Ok(form) => form,
        Err(rejected) => return Problem::from(rejected).bare(),
    };
    if !state.is_own_form(&login.form) {
        let wrong = "This form is from before a restart of the console: try again.";
        return page(&state, StatusCode::FORBIDDEN, &login.to, Some(wrong));
    }
    if !state.sessions.may_try() {
        let wrong = "Too many wrong tokens: wait a minute.";
        return page(&state, StatusCode::TOO_MANY_REQUESTS, &login.to, Some(wrong));
    }
    if !state.options.token().is_some_and(|token| token.is(login.token.trim())) {
        state.sessions.was_wrong();
        let wrong = "That is not the token.";
        return page(&state, StatusCode::FORBIDDEN, &login.to, Some(wrong));
    }
    let session = state.sessions.enter();
    let cookie = session.and_then(|session| {
        cookie::set(cookie::SESSION, &session, LASTS.as_secs(), state.options.secure)
    });
    let Some(cookie) = cookie else {
        let what = "The system has no randomness to give";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, what, "Try again.").bare();
    };
    on(&local(&state, &login.to), cookie)
}

fn on(to: &str, cookie: HeaderValue) -> Response {
    ([(header::SET_COOKIE, cookie)], Redirect::to(to)).into_response()
}

pub(crate) async fn leave(
    state: Shared,
    headers: HeaderMap,
    form: Result<Form<Leave>, FormRejection>,
) -> Response {
    match form {
        Ok(Form(leave)) if state.is_own_form(&leave.form) => {}
        Ok(_) => return Redirect::to(&state.link("/")).into_response(),
        Err(rejected) => return Problem::from(rejected).page(&state),
    }
    if let Some(session) = cookie::read(&headers, cookie::SESSION) {
        state.sessions.leave(session);
    }
    match cookie::set(cookie::SESSION, "", 0, state.options.secure) {
        Some(cookie) => on(&state.link("/login"), cookie),
        None => Redirect::to(&state.link("/login")).into_response(),
    }
}
