//! How many sagas start and end in a while, whichever process runs them: differences of the store's counts.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use compensation::{Status, repository::Counts};

use crate::{
    clock::{self, Moment},
    state::State,
};

/// How often the counts are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// How many looks are kept: a quarter of an hour.
const KEPT: usize = 181;

#[derive(Default)]
pub(crate) struct Rates {
    begun: AtomicBool,
    samples: Mutex<VecDeque<(Moment, Counts)>>,
}

/// What happened within a span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    /// The span that there are samples of; shorter than asked for when the console is young.
    pub(crate) span: Duration,
    pub(crate) started: u64,
    pub(crate) completed: u64,
    pub(crate) compensated: u64,
    pub(crate) abandoned: u64,
}

impl Rates {
    /// Takes samples for as long as the console is there. Called again it does nothing.
    pub(crate) fn begin(&self, state: &Arc<State>) {
        if self.begun.swap(true, Ordering::Relaxed) {
            return;
        }
        let state = Arc::downgrade(state);
        tokio::spawn(async move {
            let mut tick = clock::every(EVERY);
            loop {
                tick.tick().await;
                let Some(state) = state.upgrade() else { return };
                // A store that does not answer leaves a gap; its pages say why.
                if let Ok(counts) = state.engine.counts().await {
                    state.rates.keep(clock::moment(), counts);
                }
            }
        });
    }

    fn keep(&self, at: Moment, counts: Counts) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.push_back((at, counts));
        if samples.len() > KEPT {
            samples.pop_front();
        }
    }

    /// What happened in that span up to now; `None` without a sample to compare with.
    pub(crate) fn within(&self, span: Duration, at: Moment, now: &Counts) -> Option<Rate> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let old_enough = |sample: &&(Moment, Counts)| at.duration_since(sample.0) >= span;
        let (since, then) = samples.iter().rev().find(old_enough).or_else(|| samples.front())?;
        let more = |status| now.get(status).saturating_sub(then.get(status));
        let all =
            |counts: &Counts| Status::ALL.map(|status| counts.get(status)).iter().sum::<u64>();
        Some(Rate {
            span: at.duration_since(*since),
            // Records that were purged meanwhile make it too small, never negative.
            started: all(now).saturating_sub(all(then)),
            completed: more(Status::Completed),
            compensated: more(Status::Compensated),
            abandoned: more(Status::Abandoned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(completed: u64) -> Counts {
        let mut counts = Counts::default();
        counts.set(Status::Completed, completed);
        counts
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_the_difference_to_the_youngest_sample_that_is_old_enough() {
        let rates = Rates::default();
        let minute = Duration::from_secs(60);
        assert_eq!(rates.within(minute, clock::moment(), &counts(9)), None);
        for completed in [1, 2, 5] {
            rates.keep(clock::moment(), counts(completed));
            clock::sleep(minute).await;
        }
        let rate = rates.within(minute, clock::moment(), &counts(9)).expect("samples");
        assert_eq!((rate.span, rate.completed, rate.started), (minute, 4, 4));
        let rate = rates.within(minute * 60, clock::moment(), &counts(9)).expect("samples");
        assert_eq!((rate.span, rate.completed), (minute * 3, 8));
        let purged = rates.within(minute, clock::moment(), &counts(0)).expect("samples");
        assert_eq!(purged.completed, 0);
    }
}
