//! Pages that say why something was not done.

use axum::{
    extract::rejection::{FormRejection, QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use compensation::EngineError;
use maud::html;

use crate::{
    pages::{Page, frame},
    state::{Shared, State},
};

/// Why a page can't be shown, or an order was not given.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    what: String,
    mend: String,
    back: Option<String>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { status, what: what.into(), mend: mend.into(), back: None }
    }

    /// With a way back.
    pub(crate) fn back(mut self, link: String) -> Self {
        self.back = Some(link);
        self
    }

    /// What is wrong, in a sentence.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Without the console around it.
    pub(crate) fn bare(self) -> Response {
        (self.status, format!("{}.\n{}\n", self.what, self.mend)).into_response()
    }

    /// As a page.
    pub(crate) fn page(self, state: &State) -> Response {
        let body = html! {
            section.problem role="alert" {
                h1 { (self.what) }
                p { (self.mend) }
                @if let Some(back) = &self.back {
                    p { a.button href=(back) { "Back" } }
                }
            }
        };
        (self.status, frame(state, &Page::titled("Not done"), &body)).into_response()
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let what = error.to_string();
        let (status, mend) = match error {
            EngineError::NotFound(_) => (
                StatusCode::NOT_FOUND,
                "It may have been purged, or its id may be cut off. Search the list.",
            ),
            EngineError::Refused { .. }
            | EngineError::UnknownStep { .. }
            | EngineError::OwnedElsewhere { .. } => (
                StatusCode::CONFLICT,
                "Nothing was changed. Look at the saga as it stands now, and decide again.",
            ),
            EngineError::BadOutput { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "Nothing was changed. Mend the output.")
            }
            EngineError::BadInput { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "Nothing was changed. Mend the input.")
            }
            EngineError::BadOrder(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "Nothing was changed. Mend the name or the reason.",
            ),
            EngineError::Held { .. } => (
                StatusCode::CONFLICT,
                "Nobody here can run it: order it where its definition is registered.",
            ),
            EngineError::Closing => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The program is ending. Try again once it is back.",
            ),
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The store did not do it. Try again; if it stays so, look at its disk.",
            ),
        };
        Self::new(status, what, mend)
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejected: QueryRejection) -> Self {
        Self::new(StatusCode::BAD_REQUEST, rejected.body_text(), "Begin again at the overview.")
    }
}

impl From<FormRejection> for Problem {
    fn from(rejected: FormRejection) -> Self {
        let mend = "Nothing was changed. Fill in the form again.";
        Self::new(rejected.status(), rejected.body_text(), mend)
    }
}

pub(crate) async fn no_such_page(state: Shared) -> Response {
    let what = "There is no such page";
    let mend = if state.options.read_only {
        "This console is read-only: it shows sagas, and takes no orders."
    } else {
        "Begin at the overview."
    };
    let home = state.link("/");
    Problem::new(StatusCode::NOT_FOUND, what, mend).back(home).page(&state)
}
