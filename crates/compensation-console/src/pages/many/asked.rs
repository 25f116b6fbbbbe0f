//! An order to many as an address says it: which sagas, which step, and the verb.

use std::time::Duration;

use compensation::{Selection, Timestamp, Verb, repository::Query};

use crate::{clock, pages::list::Filter, text};

/// Sagas that one order is for. All of them are on its page; of more, the oldest are.
const MANY: usize = 500;

/// Sagas that are looked into for one page.
const LOOKS: usize = 5_000;

/// Longest name of a step, in bytes.
pub(super) const STEP: usize = 200;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) filter: Filter,
    pub(super) step: String,
    /// Only sagas that were started at least so many minutes ago.
    pub(super) minutes: Option<u32>,
    pub(super) verb: Option<Verb>,
}

impl Asked {
    /// Reads the query of an address; what it does not know it passes over.
    pub(super) fn read(query: &str) -> Self {
        let mut asked = Self { filter: Filter::read(query).all_pages(), ..Self::default() };
        for (name, value) in text::pairs(query) {
            match name {
                "step" => value.trim().clone_into(&mut asked.step),
                "minutes" => asked.minutes = value.trim().parse().ok(),
                "verb" => asked.verb = Verb::parse(&value),
                _ => {}
            }
        }
        asked.step = text::at_most(asked.step, STEP);
        asked
    }

    /// The query of its address.
    pub(super) fn address(&self) -> String {
        let mut pairs = vec![self.filter.address(None)];
        pairs.retain(|pairs| !pairs.is_empty());
        if !self.step.is_empty() {
            pairs.push(format!("step={}", text::escaped_for_url(&self.step)));
        }
        pairs.extend(self.minutes.map(|minutes| format!("minutes={minutes}")));
        pairs.extend(self.verb.map(|verb| format!("verb={}", verb.as_str())));
        pairs.join("&")
    }

    /// Whether the order would be for every saga of the store.
    pub(super) fn is_too_wide(&self, verb: Verb) -> bool {
        let whole = matches!(verb, Verb::Undo | Verb::Abandon);
        whole && self.filter.is_any() && self.step.is_empty() && self.minutes.is_none()
    }

    /// What of it has not changed since that moment.
    pub(super) fn selection(&self, since: Timestamp) -> Selection {
        let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
        let query = Query {
            created_before: self.minutes.map(|it| clock::now().earlier_by(minutes(it))),
            ..self.filter.query()
        };
        Selection {
            query,
            step: Some(self.step.clone()).filter(|step| !step.is_empty()),
            unchanged_since: Some(since),
            limit: MANY,
            looks: LOOKS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_what_it_asks_for_say_the_same() {
        let address = "status=stuck&text=%3Cscript%3E&step=a%26b&minutes=90&verb=undone";
        assert_eq!(Asked::read(address).address(), address);
        assert_eq!(Asked::read("after=7&verb=explode&minutes=x").address(), "");
    }

    #[test]
    fn an_order_to_whole_sagas_needs_a_filter() {
        assert!(Asked::read("").is_too_wide(Verb::Abandon));
        assert!(!Asked::read("").is_too_wide(Verb::Retry));
        assert!(!Asked::read("minutes=1").is_too_wide(Verb::Abandon));
    }
}
