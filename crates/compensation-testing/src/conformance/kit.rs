//! What the suite's tests share: owners, and short words for sagas and entries.

use std::sync::Arc;

use compensation::{
    SagaId, Status, Timestamp,
    repository::{Append, Created, Entry, Head, NewSaga, Repository, SagaKey},
};

use super::Fixture;

/// One test's store, with one owner at hand.
pub(super) struct Kit {
    pub(super) fixture: Box<dyn Fixture>,
    pub(super) store: Arc<dyn Repository>,
}

impl Kit {
    pub(super) fn new(fixture: impl Fixture) -> Self {
        let store = fixture.owner();
        Self { fixture: Box::new(fixture), store }
    }

    pub(super) fn another(&self) -> Arc<dyn Repository> {
        self.fixture.owner()
    }

    /// Creates a running saga.
    pub(super) async fn create(&self, text: &str) -> SagaKey {
        create(&*self.store, text).await
    }

    /// Creates a saga and ends it so, at that time.
    pub(super) async fn ended(&self, text: &str, status: Status, at: i64) -> SagaKey {
        let key = self.create(text).await;
        let append = Append {
            key,
            seq: 1,
            entry: Entry { at: Timestamp::from_millis(at), body: "[]".to_owned() },
            head: head(status),
        };
        self.store.append(append).await.expect("an entry");
        key
    }
}

pub(super) async fn create(store: &dyn Repository, text: &str) -> SagaKey {
    match store.create(saga(text)).await.expect("a start") {
        Created::New(key) => key,
        Created::Existing => panic!("`{text}` is there already"),
    }
}

pub(super) fn id(text: &str) -> SagaId {
    SagaId::new(text).expect("a good id")
}

pub(super) fn head(status: Status) -> Head {
    let reason = (status == Status::Stuck).then(|| "a person is needed".to_owned());
    Head { status, reason }
}

/// A running saga, started at moment 1000.
pub(super) fn saga(text: &str) -> NewSaga {
    NewSaga {
        id: id(text),
        name: "trip".into(),
        plan: r#"{"saga":"trip"}"#.into(),
        input: "41".to_owned(),
        head: head(Status::Running),
        entry: Entry { at: Timestamp::from_millis(1_000), body: "[0]".to_owned() },
    }
}

pub(super) fn append(key: SagaKey, seq: u32, status: Status) -> Append {
    let entry =
        Entry { at: Timestamp::from_millis(1_000 + i64::from(seq)), body: format!("[{seq}]") };
    Append { key, seq, entry, head: head(status) }
}
