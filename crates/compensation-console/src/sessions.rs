//! Who is logged in, and how often somebody tried to.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::{self, Moment},
    secret,
};

/// Most people logged in at once; the one who came first goes when a further one comes.
pub const MAX_SESSIONS: usize = 256;

/// How long a login lasts.
pub(crate) const LASTS: Duration = Duration::from_secs(12 * 60 * 60);

/// Wrong tokens that are looked at within a [`SPAN`]; further ones are not.
const TRIES: u32 = 20;

/// The span for which [`TRIES`] are counted.
const SPAN: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Sessions(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// When each ends.
    open: HashMap<String, Moment>,
    wrong: u32,
    since: Option<Moment>,
}

impl Sessions {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in this module panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets somebody in. `None` where the system has no randomness to give.
    pub(crate) fn enter(&self) -> Option<String> {
        let session = secret::random()?;
        let now = clock::moment();
        let mut inner = self.inner();
        inner.open.retain(|_, end| *end > now);
        if inner.open.len() >= MAX_SESSIONS {
            let first = inner.open.iter().min_by_key(|(_, end)| **end).map(|(key, _)| key.clone());
            if let Some(first) = first {
                inner.open.remove(&first);
            }
        }
        inner.open.insert(session.clone(), now + LASTS);
        Some(session)
    }

    /// Whether that is somebody who was let in. Sessions are random, so that to look one up tells nothing.
    pub(crate) fn knows(&self, session: &str) -> bool {
        let now = clock::moment();
        self.inner().open.get(session).is_some_and(|end| *end > now)
    }

    pub(crate) fn leave(&self, session: &str) {
        self.inner().open.remove(session);
    }

    /// Whether a token may be looked at: not after too many wrong ones.
    pub(crate) fn may_try(&self) -> bool {
        let now = clock::moment();
        let mut inner = self.inner();
        if inner.since.is_none_or(|since| now.duration_since(since) > SPAN) {
            inner.since = Some(now);
            inner.wrong = 0;
        }
        inner.wrong < TRIES
    }

    pub(crate) fn was_wrong(&self) {
        self.inner().wrong += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_login_ends_after_half_a_day() {
        let sessions = Sessions::default();
        let session = sessions.enter().expect("randomness");
        assert!(sessions.knows(&session) && !sessions.knows("another"));
        clock::sleep(LASTS).await;
        assert!(!sessions.knows(&session));
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_wrong_tokens_are_not_looked_at_for_a_while() {
        let sessions = Sessions::default();
        for _ in 0..TRIES {
            assert!(sessions.may_try());
            sessions.was_wrong();
        }
        assert!(!sessions.may_try());
        clock::sleep(SPAN * 2).await;
        assert!(sessions.may_try());
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_an_end_to_the_number_of_logins() {
        let sessions = Sessions::default();
        let first = sessions.enter().expect("randomness");
        clock::sleep(Duration::from_secs(1)).await;
        for _ in 0..MAX_SESSIONS {
            let _ = sessions.enter();
        }
        assert!(!sessions.knows(&first));
        assert_eq!(sessions.inner().open.len(), MAX_SESSIONS);
    }
}
