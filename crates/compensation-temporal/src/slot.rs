//! An activity in flight, for whoever needs its end first: the step that started it, or a rollback that must not
//! undo it before it has ended.

use std::{
    cell::RefCell,
    future::poll_fn,
    task::{Context, Poll},
};

use futures_util::{FutureExt as _, future::LocalBoxFuture};

use crate::context::ActivityEnd;

type OnEnd = Box<dyn FnOnce(&ActivityEnd)>;

pub(crate) struct Slot(RefCell<State>);

enum State {
    Running {
        activity: LocalBoxFuture<'static, ActivityEnd>,
        on_end: OnEnd,
    },
    Ended(ActivityEnd),
    /// Being polled, or taken.
    Empty,
}

impl Slot {
    /// `on_end` is called once, by whoever polls at the end.
    pub(crate) fn new(activity: LocalBoxFuture<'static, ActivityEnd>, on_end: OnEnd) -> Self {
        Self(RefCell::new(State::Running { activity, on_end }))
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.0.replace(State::Empty);
        let State::Running { mut activity, on_end } = state else {
            self.0.replace(state);
            return Poll::Ready(());
        };
        match activity.poll_unpin(cx) {
            Poll::Pending => {
                self.0.replace(State::Running { activity, on_end });
                Poll::Pending
            }
            Poll::Ready(end) => {
                on_end(&end);
                self.0.replace(State::Ended(end));
                Poll::Ready(())
            }
        }
    }

    /// Waits until the activity has ended.
    pub(crate) async fn ended(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    /// How it ended; there once.
    pub(crate) fn take(&self) -> Option<ActivityEnd> {
        match self.0.replace(State::Empty) {
            State::Ended(end) => Some(end),
            other => {
                self.0.replace(other);
                None
            }
        }
    }
}
