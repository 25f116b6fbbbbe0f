//! The pages, and the frame around each.

pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod many;
pub(crate) mod order;
pub(crate) mod overview;
pub(crate) mod saga;
mod steps;
mod timeline;
mod verbs;

use maud::{DOCTYPE, Markup, html};

use crate::{assets, clock, forms, state::State, text};

/// What the frame is told of a page.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    /// The address of what it follows, if it does.
    live: Option<String>,
}

impl Page {
    pub(crate) fn titled(title: impl Into<String>) -> Self {
        Self { title: title.into(), live: None }
    }

    /// It follows what happens: `of` is the query of the stream.
    pub(crate) fn live(mut self, state: &State, of: &str) -> Self {
        self.live = Some(format!("{}?{of}", state.link("/live")));
        self
    }
}

/// A whole page.
pub(crate) fn frame(state: &State, page: &Page, body: &Markup) -> Markup {
    let options = &state.options;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) " · " (options.title) }
                link rel="icon" type="image/svg+xml" href=(state.link("/icon.svg"));
                link rel="stylesheet" href={ (state.link("/console.css")) "?" (assets::VERSION) };
                @if page.live.is_some() {
                    script src={ (state.link("/live.js")) "?" (assets::VERSION) } defer {}
                }
            }
            body data-live=[page.live.as_ref()] {
                a.skip href="#main" { "To the content" }
                header {
                    a.brand href=(state.link("/")) { "compensation" }
                    span.store title="the store" { (options.title) }
                    nav aria-label="Pages" {
                        a href=(state.link("/")) { "Overview" }
                        a href={ (state.link("/list")) "?status=stuck" } { "Stuck" }
                        a href=(state.link("/list")) { "All" }
                    }
                    span.right {
                        @if options.read_only { span.badge { "read-only" } }
                        span #live title="when this page was made, in UTC" { (text::moment(clock::now())) }
                        @if options.token().is_some() {
                            form method="post" action=(state.link("/logout")) {
                                (forms::proof(state))
                                button.quiet type="submit" { "Log out" }
                            }
                        }
                    }
                }
                main #main tabindex="-1" { (body) }
            }
        }
    }
}

/// The frame of a page for people who are not let in.
pub(crate) fn bare_frame(state: &State, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" type="image/svg+xml" href=(state.link("/icon.svg"));
                link rel="stylesheet" href={ (state.link("/console.css")) "?" (assets::VERSION) };
            }
            body.bare { main #main { (body) } }
        }
    }
}
