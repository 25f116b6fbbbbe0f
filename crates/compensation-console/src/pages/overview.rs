//! The overview: what waits for a person first, then how many sagas stand how, and how fast they go.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use compensation::{
    EngineError, Status, Timestamp,
    repository::{Counts, Query, Summary},
};
use maud::{Markup, html};

use super::{Page, frame};
use crate::{
    cells, clock,
    problem::Problem,
    rates::Rate,
    shown,
    state::{Shared, State},
    text,
};

/// Sagas of each short list.
const SHORT: usize = 8;

pub(crate) async fn show(state: Shared) -> Response {
    state.rates.begin(&state);
    match body(&state).await {
        Ok(body) => {
            let page = Page::titled("Overview").live(&state, "of=overview");
            frame(&state, &page, &body).into_response()
        }
        Err(error) => Problem::from(error).page(&state),
    }
}

async fn body(state: &State) -> Result<Markup, EngineError> {
    let counts = state.engine.counts().await?;
    let stuck = oldest(state, &[Status::Stuck]).await?;
    let open = oldest(state, &[Status::Running, Status::Compensating]).await?;
    let newest = Query { limit: SHORT, ..Query::default() };
    let newest = shown::list(state, newest).await?.sagas;
    let half_done = stuck.iter().chain(&open).min_by_key(|saga| saga.created);
    Ok(html! {
        div data-part="overview" {
            (stuck_part(state, &stuck, counts.get(Status::Stuck)))
            section.tiles aria-label="Sagas by status" {
                @for status in Status::ALL {
                    a class={ "tile " (status.as_str()) @if counts.get(status) == 0 { " none" } }
                        href={ (state.link("/list")) "?status=" (status.as_str()) } {
                        span.count { (text::number(counts.get(status))) }
                        span.word { (status.as_str()) }
                    }
                }
            }
            section.facts {
                (half_done_part(state, half_done))
                (rates_part(state, &counts))
            }
            @if !open.is_empty() {
                section {
                    h2 { "Oldest open" }
                    (cells::sagas(state, &open))
                }
            }
            section {
                h2 { "Newest" }
                @if newest.is_empty() {
                    p.empty { "There are no sagas in this store yet." }
                } @else {
                    (cells::sagas(state, &newest))
                    p { a href=(state.link("/list")) { "All sagas" } }
                }
            }
        }
    })
}

/// The oldest sagas that stand so.
async fn oldest(state: &State, status: &[Status]) -> Result<Vec<Summary>, EngineError> {
    let query =
        Query { status: status.to_vec(), oldest_first: true, limit: SHORT, ..Query::default() };
    Ok(shown::list(state, query).await?.sagas)
}

fn stuck_part(state: &State, stuck: &[Summary], count: u64) -> Markup {
    html! {
        @if count == 0 {
            section.calm { h1 { "Nothing waits for a person" } }
        } @else {
            section.alarm {
                h1 {
                    (text::number(count))
                    @if count == 1 { " saga waits for a person" } @else { " sagas wait for a person" }
                }
                (cells::sagas(state, stuck))
                @if count > stuck.len() as u64 {
                    p {
                        a href={ (state.link("/list")) "?status=stuck&oldest=yes" } {
                            "All " (text::number(count)) ", the oldest first"
                        }
                    }
                }
            }
        }
    }
}

fn half_done_part(state: &State, oldest: Option<&Summary>) -> Markup {
    html! {
        div.fact {
            h2 { "Oldest half-done" }
            @match oldest {
                Some(saga) => p.big {
                    (cells::age(saga.created)) " " (cells::saga(state, &saga.id)) " "
                    (cells::status(saga.head.status))
                },
                None => p.big { "none" },
            }
        }
    }
}

fn rates_part(state: &State, counts: &Counts) -> Markup {
    let now = clock::moment();
    let minutes = [1, 15].map(|minutes| Duration::from_secs(60 * minutes));
    let mut rates: Vec<Rate> =
        minutes.into_iter().filter_map(|span| state.rates.within(span, now, counts)).collect();
    // A young console has one span to tell of.
    rates.dedup_by_key(|rate| rate.span);
    let row = |name, value: fn(&Rate) -> u64| {
        html! {
            tr {
                th scope="row" { (name) }
                @for rate in &rates { td.number { (text::number(value(rate))) } }
            }
        }
    };
    html! {
        div.fact {
            h2 { "Rates" }
            table.rates {
                thead { tr {
                    th scope="col" { span.unseen { "what" } }
                    @for rate in &rates {
                        th.number scope="col" { "in " (span(rate.span)) }
                    }
                } }
                tbody {
                    (row("started", |rate| rate.started))
                    (row("completed", |rate| rate.completed))
                    (row("compensated", |rate| rate.compensated))
                    (row("abandoned", |rate| rate.abandoned))
                }
            }
        }
    }
}

fn span(span: Duration) -> String {
    text::between(
        Timestamp::from_millis(0),
        Timestamp::from_millis(
            i64::try_from(span.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000),
        ),
    )
}
