//! What happened in a run, for the timeline.

use compensation::Status;

use super::schedule::{How, Site, Verb, WriteHow};

pub(super) struct Entry {
    /// Milliseconds of the virtual clock.
    pub(super) at: u64,
    pub(super) what: What,
}

pub(super) enum What {
    /// A process, by its number.
    Begins(u32),
    Dies,
    Called {
        site: Site,
        nth: u32,
        how: Option<How>,
    },
    /// A call that was late is made now.
    Comes(Site),
    Answered {
        site: Site,
        nth: u32,
        answer: Answer,
    },
    Wrote {
        nth: u32,
        how: Option<WriteHow>,
        body: Option<String>,
    },
    Ordered {
        verb: Verb,
        step: Option<u16>,
        refused: Option<String>,
    },
    Stands(Status),
}

pub(super) enum Answer {
    Done,
    /// A probe found nothing.
    NotDone,
    Failed(String),
    Panicked,
    /// Dropped at its time limit.
    TimedOut,
    /// Dropped with its driver.
    Dropped,
}
