//! Which pieces of work share one statement.

use std::collections::HashSet;

use compensation::repository::Append;

use super::work::Work;

/// Most bytes of texts in one statement, but for a single longer one. A server holds a statement in memory several times
/// over, and takes at most 1 GiB.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What is written now, and what after it: of one saga only one entry at a time, and no more than the server takes
/// well.
pub(super) fn share(batch: Vec<Work>) -> (Vec<Work>, Vec<Work>) {
    let mut seen = HashSet::new();
    let (mut bytes, mut is_full) = (0_usize, false);
    batch.into_iter().partition(|work| {
        let size = size(work);
        is_full |= bytes > 0 && bytes.saturating_add(size) > MAX_BYTES;
        // All that follows waits too, so that no saga's second entry comes before its first.
        if is_full {
            return false;
        }
        bytes = bytes.saturating_add(size);
        match work {
            Work::Append(Append { key, .. }, _) | Work::Park(key, ..) => seen.insert(key.0),
            Work::Release(keys, _) => {
                let fresh = keys.iter().all(|key| !seen.contains(&key.0));
                seen.extend(keys.iter().map(|key| key.0));
                fresh
            }
            _ => true,
        }
    })
}

/// Bytes of the texts that may be long.
fn size(work: &Work) -> usize {
    let (one, other) = match work {
        Work::Create(saga, _) => (saga.input.len(), saga.entry.body.len()),
        Work::Append(Append { entry, head, .. }, _) => {
            (entry.body.len(), head.reason.as_ref().map_or(0, String::len))
        }
        _ => (0, 0),
    };
    one + other
}

#[cfg(test)]
mod tests {
    use compensation::{
        Status, Timestamp,
        repository::{Entry, Head, SagaKey},
    };
    use tokio::sync::oneshot;

    use super::*;

    fn entry(key: i64, seq: u32, bytes: usize) -> Work {
        let entry = Entry { at: Timestamp::from_millis(0), body: "x".repeat(bytes) };
        let head = Head { status: Status::Running, reason: None };
        Work::Append(Append { key: SagaKey(key), seq, entry, head }, oneshot::channel().0)
    }

    /// Sagas and entries, statement by statement.
    fn statements(mut batch: Vec<Work>) -> Vec<Vec<(i64, u32)>> {
        let mut all = Vec::new();
        while !batch.is_empty() {
            let (now, later) = share(batch);
            let entries = now.iter().filter_map(|work| match work {
                Work::Append(append, _) => Some((append.key.0, append.seq)),
                _ => None,
            });
            all.push(entries.collect());
            batch = later;
        }
        all
    }

    #[test]
    fn two_entries_of_one_saga_follow_one_another() {
        let batch = vec![entry(1, 1, 1), entry(2, 1, 1), entry(1, 2, 1), entry(3, 1, 1)];
        assert_eq!(statements(batch), [vec![(1, 1), (2, 1), (3, 1)], vec![(1, 2)]]);
    }

    #[test]
    fn more_than_a_server_takes_well_is_written_in_several_statements_and_in_order() {
        let half = MAX_BYTES / 2;
        let batch = vec![entry(1, 1, half), entry(2, 1, half), entry(3, 1, half), entry(3, 2, 1)];
        assert_eq!(statements(batch), [vec![(1, 1), (2, 1)], vec![(3, 1)], vec![(3, 2)]]);
        let batch = vec![entry(1, 1, MAX_BYTES + 1), entry(1, 2, 1)];
        assert_eq!(statements(batch), [vec![(1, 1)], vec![(1, 2)]], "one that is longer by itself");
    }
}
