//! Word to a page that what it shows has changed: at once where this engine did it, and within a second where
//! another process did. The page then asks for itself again.

use std::{
    convert::Infallible,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::RawQuery,
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use compensation::{EngineError, Notice, SagaId, Status, repository::Query};
use futures_util::stream;
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{Receiver, error::RecvError},
};

use crate::{
    clock,
    pages::list::Filter,
    state::{Shared, State},
    text,
};

/// How often the store is looked at for what other processes did.
const LOOK: Duration = Duration::from_secs(1);

/// The shortest time between two words to one page.
const PAUSE: Duration = Duration::from_millis(400);

/// What a page shows.
enum Topic {
    Overview,
    List(Filter),
    Saga(SagaId),
}

impl Topic {
    fn read(query: &str) -> Option<Self> {
        let value = |name| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(its_name, _)| *its_name == name);
            found.and_then(|(_, value)| text::read_from_url(value))
        };
        match value("of")?.as_str() {
            "overview" => Some(Self::Overview),
            "list" => Some(Self::List(Filter::read(query))),
            "saga" => Some(Self::Saga(SagaId::new(value("id")?).ok()?)),
            _ => None,
        }
    }

    fn is_about(&self, notice: &Notice) -> bool {
        match self {
            Self::Saga(id) => *id == notice.id,
            Self::Overview | Self::List(_) => true,
        }
    }

    /// A number that changes when what is shown does.
    async fn print(&self, state: &State) -> Result<u64, EngineError> {
        let mut hash = DefaultHasher::new();
        match self {
            Self::Overview => {
                let counts = state.engine.counts().await?;
                Status::ALL.map(|status| counts.get(status)).hash(&mut hash);
                let open = vec![Status::Running, Status::Compensating, Status::Stuck];
                let open = Query { status: open, oldest_first: true, limit: 1, ..Query::default() };
                summaries(state, open, &mut hash).await?;
            }
            Self::List(filter) => summaries(state, filter.query(), &mut hash).await?,
            Self::Saga(id) => {
                let history = state.engine.history(id).await?;
                history.events.len().hash(&mut hash);
                line(&history.summary, &mut hash);
            }
        }
        Ok(hash.finish())
    }
}

async fn summaries(
    state: &State,
    query: Query,
    hash: &mut DefaultHasher,
) -> Result<(), EngineError> {
    let page = state.engine.list(query).await?;
    page.sagas.iter().for_each(|saga| line(saga, hash));
    Ok(())
}

fn line(saga: &compensation::repository::Summary, hash: &mut DefaultHasher) {
    (&saga.id, saga.head.status, &saga.head.reason, saga.updated, saga.owned).hash(hash);
}

/// One page that follows.
struct Follower {
    state: Arc<State>,
    topic: Topic,
    notices: Receiver<Notice>,
    look: clock::Ticks,
    seen: Option<u64>,
    _place: OwnedSemaphorePermit,
}

pub(crate) async fn events(state: Shared, RawQuery(query): RawQuery) -> Response {
    let Some(topic) = Topic::read(query.as_deref().unwrap_or_default()) else {
        return (StatusCode::BAD_REQUEST, "there is nothing like that to follow\n").into_response();
    };
    let Ok(place) = state.followers.clone().try_acquire_owned() else {
        let busy = "too many pages follow already: reload this one by hand\n";
        return (StatusCode::SERVICE_UNAVAILABLE, busy).into_response();
    };
    let follower = Follower {
        notices: state.engine.subscribe(),
        state: state.0.clone(),
        topic,
        look: clock::every(LOOK),
        seen: None,
        _place: place,
    };
    let words = stream::unfold(follower, |mut follower| async move {
        let word = follower.next().await;
        Some((Ok::<_, Infallible>(word), follower))
    });
    Sse::new(words).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

impl Follower {
    /// Waits until the page has something new to show. The first word says what it is now.
    async fn next(&mut self) -> Event {
        if self.seen.is_some() {
            clock::sleep(PAUSE).await;
        }
        loop {
            // A store that does not answer now may do so later; the page stays as it is.
            if let Ok(print) = self.topic.print(&self.state).await {
                let before = self.seen.replace(print);
                if before != Some(print) {
                    let name = if before.is_none() { "now" } else { "changed" };
                    return Event::default().event(name).data(format!("{print:x}"));
                }
            }
            self.wait().await;
        }
    }

    /// Waits until it may have changed.
    async fn wait(&mut self) {
        loop {
            tokio::select! {
                _ = self.look.tick() => return,
                told = self.notices.recv() => match told {
                    Ok(notice) if self.topic.is_about(&notice) => {
                        // What comes in the same moment is one change.
                        clock::sleep(PAUSE / 8).await;
                        self.notices = self.notices.resubscribe();
                        return;
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => {
                        self.look.tick().await;
                        return;
                    }
                },
            }
        }
    }
}
