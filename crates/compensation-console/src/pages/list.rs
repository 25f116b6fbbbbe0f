//! The list of sagas: filters and pages.

use axum::{
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use compensation::{
    Status,
    repository::{Page as Sagas, Query, SagaKey},
};
use maud::{Markup, html};

use super::{Page, frame};
use crate::{
    cells,
    problem::Problem,
    shown,
    state::{Shared, State},
    text,
};

/// Sagas on a page.
const PAGE: usize = 50;

/// Longest text that is looked for, in bytes.
const TEXT: usize = 200;

/// What is looked for, as the address says it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    status: Vec<Status>,
    name: String,
    text: String,
    oldest: bool,
    after: Option<SagaKey>,
}

impl Filter {
    /// Reads the query of an address; what it does not know it passes over.
    pub(crate) fn read(query: &str) -> Self {
        let mut filter = Self::default();
        for (name, value) in text::pairs(query) {
            match name {
                "status" => filter.status.extend(Status::parse(&value)),
                "name" => value.trim().clone_into(&mut filter.name),
                "text" => value.trim().clone_into(&mut filter.text),
                "oldest" => filter.oldest = value == "yes",
                "after" => filter.after = value.parse().ok().map(SagaKey),
                _ => {}
            }
        }
        filter.name = text::at_most(filter.name, TEXT);
        filter.text = text::at_most(filter.text, TEXT);
        filter
    }

    pub(crate) fn query(&self) -> Query {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Query {
            status: self.status.clone(),
            name: some(&self.name),
            text: some(&self.text),
            oldest_first: self.oldest,
            after: self.after,
            limit: PAGE,
            ..Query::default()
        }
    }

    /// The same from the first page on, whichever is shown.
    pub(crate) fn all_pages(self) -> Self {
        Self { oldest: false, after: None, ..self }
    }

    pub(crate) fn is_any(&self) -> bool {
        self.status.is_empty() && self.name.is_empty() && self.text.is_empty()
    }

    /// The query of the address of a page; `after` is where it begins.
    pub(crate) fn address(&self, after: Option<SagaKey>) -> String {
        let mut pairs: Vec<String> =
            self.status.iter().map(|status| format!("status={}", status.as_str())).collect();
        for (name, value) in [("name", &self.name), ("text", &self.text)] {
            if !value.is_empty() {
                pairs.push(format!("{name}={}", text::escaped_for_url(value)));
            }
        }
        if self.oldest {
            pairs.push("oldest=yes".to_owned());
        }
        if let Some(SagaKey(after)) = after {
            pairs.push(format!("after={after}"));
        }
        pairs.join("&")
    }
}

pub(crate) async fn show(state: Shared, RawQuery(query): RawQuery) -> Response {
    let filter = Filter::read(query.as_deref().unwrap_or_default());
    match shown::list(&state, filter.query()).await {
        Ok(found) => {
            let of = format!("of=list&{}", filter.address(filter.after));
            let page = Page::titled("Sagas").live(&state, &of);
            frame(&state, &page, &body(&state, &filter, &found)).into_response()
        }
        Err(error) => Problem::from(error).page(&state),
    }
}

fn body(state: &State, filter: &Filter, found: &Sagas) -> Markup {
    let list = state.link("/list");
    html! {
        h1 { "Sagas" }
        (form(state, filter))
        div data-part="list" {
            @if found.sagas.is_empty() {
                p.empty {
                    @if filter.is_any() { "There are no sagas here." }
                    @else { "No saga is like that. " a href=(list) { "Show all" } }
                }
            } @else {
                (cells::sagas(state, &found.sagas))
            }
            nav.pages aria-label="Pages of the list" {
                @if filter.after.is_some() {
                    a.button href={ (list) "?" (filter.address(None)) } { "First page" }
                }
                @if let Some(next) = found.next {
                    a.button href={ (list) "?" (filter.address(Some(next))) } rel="next" {
                        @if filter.oldest { "Newer" } @else { "Older" }
                    }
                }
            }
        }
    }
}

fn form(state: &State, filter: &Filter) -> Markup {
    html! {
        form.filter method="get" action=(state.link("/list")) role="search" {
            (fields(filter))
            label {
                input type="checkbox" name="oldest" value="yes" checked[filter.oldest];
                "oldest first"
            }
            button.primary type="submit" { "Show" }
            @if !filter.is_any() { a href=(state.link("/list")) { "Show all" } }
            @if !state.options.read_only {
                a href={ (state.link("/many")) "?" (filter.address(None)) } { "Give all of these an order…" }
            }
        }
    }
}

/// The fields that narrow down which sagas are meant.
pub(crate) fn fields(filter: &Filter) -> Markup {
    html! {
        fieldset {
            legend { "Status" }
            @for status in Status::ALL {
                label {
                    input type="checkbox" name="status" value=(status.as_str())
                        checked[filter.status.contains(&status)];
                    (cells::status(status))
                }
            }
        }
        label { "Definition" input type="text" name="name" value=(filter.name) maxlength=(TEXT); }
        label {
            "Id or reason contains"
            input type="search" name="text" value=(filter.text) maxlength=(TEXT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_its_filter_say_the_same() {
        let address = "status=stuck&status=running&name=a%26b&text=%3Cscript%3E&oldest=yes&after=7";
        let filter = Filter::read(address);
        assert_eq!(filter.address(filter.after), address);
        assert_eq!(filter.query().text.as_deref(), Some("<script>"));
    }

    #[test]
    fn what_is_not_known_is_passed_over_and_long_texts_are_cut() {
        let long = "ä".repeat(TEXT);
        let filter =
            Filter::read(&format!("status=odd&after=x&text={}&b", text::escaped_for_url(&long)));
        assert!(filter.status.is_empty() && filter.after.is_none());
        assert_eq!(filter.text.len(), TEXT);
    }
}
