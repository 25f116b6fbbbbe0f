//! The spans that a saga leaves in `tracing`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use compensation::{RetryPolicy, Saga, StepContext, StepError, UndoContext};
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, prelude::*, registry::LookupSpan};

/// One span as it was seen: what it is called, under which it stands, what it says.
#[derive(Clone, Debug, Default)]
struct Seen {
    id: u64,
    name: &'static str,
    parent: Option<String>,
    follows: Option<String>,
    said: Vec<String>,
}

#[derive(Clone, Default)]
struct Watcher(Arc<Mutex<Vec<Seen>>>);

struct Words<'a>(&'a mut Vec<String>);

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push(format!("{}={}", field.name(), format!("{value:?}").trim_matches('"')));
    }
}

fn called<S: Subscriber + for<'a> LookupSpan<'a>>(id: &Id, cx: &Context<'_, S>) -> String {
    // Only a span that is still open can be found.
    cx.span(id).map_or_else(|| "gone".to_owned(), |span| span.name().to_owned())
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Watcher {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let parent = cx.span(id).and_then(|span| span.parent().map(|up| up.name().to_owned()));
        let mut seen = Seen {
            id: id.into_u64(),
            name: attributes.metadata().name(),
            parent,
            ..Seen::default()
        };
        attributes.record(&mut Words(&mut seen.said));
        self.0.lock().expect("no panic").push(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut all = self.0.lock().expect("no panic");
        let seen = all.iter_mut().rev().find(|seen| seen.id == id.into_u64()).expect("a span");
        values.record(&mut Words(&mut seen.said));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, cx: Context<'_, S>) {
        let mut all = self.0.lock().expect("no panic");
        let seen = all.iter_mut().rev().find(|seen| seen.id == id.into_u64()).expect("a span");
        seen.follows = Some(called(follows, &cx));
    }
}

async fn reserve(_: StepContext<()>) -> Result<(), StepError> {
    tracing::info_span!("inner").in_scope(|| ());
    Ok(())
}

async fn cancel(_: UndoContext<()>, _: Option<()>) -> Result<(), StepError> {
    Ok(())
}

async fn charge(_: StepContext<()>) -> Result<(), StepError> {
    Err(StepError::not_done("refused"))
}

/// The spans of a saga whose second step fails.
fn watched() -> Vec<Seen> {
    let mut trip = Saga::<()>::builder("trip");
    let car = trip.step("reserve", reserve).undo(cancel).add();
    trip.step("charge", charge).retry(RetryPolicy::none()).no_undo("by hand").after(&car).add();
    let trip = trip.build().expect("a sound saga");
    let watcher = Watcher::default();
    let _guard = tracing_subscriber::registry().with(watcher.clone()).set_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let _ = runtime.expect("a runtime").block_on(async { trip.run(()).await });
    let seen = watcher.0.lock().expect("no panic");
    seen.clone()
}

fn one<'a>(seen: &'a [Seen], name: &str, says: &str) -> &'a Seen {
    let found = seen.iter().find(|it| it.name == name && it.said.iter().any(|said| said == says));
    found.unwrap_or_else(|| panic!("no `{name}` that says {says}: {seen:#?}"))
}

#[test]
fn a_saga_has_a_span_that_says_how_it_stands() {
    let seen = watched();
    assert!(one(&seen, "saga", "saga=trip").said.contains(&"status=compensated".to_owned()));
}

#[test]
fn an_attempt_stands_under_its_step_and_says_how_it_ended() {
    let seen = watched();
    let charge = one(&seen, "action", "step=charge");
    assert_eq!(charge.parent.as_deref(), Some("step"));
    assert!(charge.said.contains(&"outcome=not done".to_owned()), "{charge:?}");
    assert!(charge.said.contains(&"error=refused".to_owned()), "{charge:?}");
    assert_eq!(one(&seen, "step", "step=charge").parent.as_deref(), Some("saga"));
}

#[test]
fn an_undo_names_and_follows_the_step_that_it_undoes_while_that_is_open() {
    let seen = watched();
    let undo = one(&seen, "undo", "undoes=reserve");
    assert_eq!(undo.parent.as_deref(), Some("saga"));
    assert_eq!(undo.follows.as_deref(), Some("step"));
    assert!(undo.said.contains(&"outcome=done".to_owned()), "{undo:?}");
}

#[test]
fn what_a_step_traces_stands_under_its_attempt() {
    let seen = watched();
    let inner = seen.iter().find(|it| it.name == "inner").expect("it was entered");
    assert_eq!(inner.parent.as_deref(), Some("action"));
}
