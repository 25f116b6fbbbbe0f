//! The fields that forms of the console share: the proof that a form is its own, and who orders something and why.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
};
use compensation::{MAX_BY_BYTES, MAX_WHY_BYTES, Order, OrderError};
use maud::{Markup, html};

use crate::{cookie, problem::Problem, state::State, text};

/// The name of the field that proves that a form is the console's own.
pub(crate) const PROOF: &str = "form";

/// How long a name is remembered: a month.
const REMEMBERED: u64 = 30 * 24 * 60 * 60;

/// That field.
pub(crate) fn proof(state: &State) -> Markup {
    html! { input type="hidden" name=(PROOF) value=(state.form().unwrap_or_default()); }
}

/// The page for a form that lacks it.
pub(crate) fn not_ours(state: &State) -> Response {
    let what = "This form is not one of this console's, or from before a restart";
    let mend = "Nothing was changed. Open the page again, and order it there.";
    Problem::new(StatusCode::FORBIDDEN, what, mend).back(state.link("/")).page(state)
}

/// Who orders something and why, as typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signature {
    pub(crate) who: String,
    pub(crate) why: String,
}

impl Signature {
    /// What was typed, without what surrounds it.
    pub(crate) fn typed(who: &str, why: &str) -> Self {
        Self { who: who.trim().to_owned(), why: why.trim().to_owned() }
    }

    /// The name under the last order, so that it need not be typed again.
    pub(crate) fn remembered(headers: &HeaderMap) -> Self {
        let who = cookie::read(headers, cookie::WHO).and_then(text::read_from_url);
        Self { who: who.unwrap_or_default(), why: String::new() }
    }

    /// The order that bears it. `Err` says what is wrong with it.
    pub(crate) fn order(&self) -> Result<Order, String> {
        let order = Order::new(&self.who, &self.why);
        match order.check() {
            Ok(()) => Ok(order),
            Err(OrderError::NoName | OrderError::NoReason) => {
                Err("Say who you are and why: the record keeps it.".to_owned())
            }
            Err(error) => Err(format!("Say it shorter: {error}.")),
        }
    }

    /// The cookie that remembers the name.
    pub(crate) fn cookie(&self, state: &State) -> Option<HeaderValue> {
        cookie::set(cookie::WHO, &self.who, REMEMBERED, state.options.secure)
    }

    /// Its fields. With `focus` what is empty of them has it at once: not where there is much to read first.
    pub(crate) fn fields(&self, focus: bool) -> Markup {
        html! {
            label for="who" { "Who are you?" }
            input #who type="text" name="who" value=(self.who) required maxlength=(MAX_BY_BYTES)
                autocomplete="name" autofocus[focus && self.who.is_empty()];
            label for="why" { "Why? The record keeps it" }
            textarea #why name="why" rows="2" required maxlength=(MAX_WHY_BYTES)
                autofocus[focus && !self.who.is_empty()] { (self.why) }
        }
    }
}
