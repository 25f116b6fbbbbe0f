//! The fields that every form of the console has.

use maud::{Markup, html};

use crate::state::State;

/// The name of the field that proves that a form is the console's own.
pub(crate) const PROOF: &str = "form";

/// That field.
pub(crate) fn proof(state: &State) -> Markup {
    html! { input type="hidden" name=(PROOF) value=(state.form().unwrap_or_default()); }
}
