//! A schedule: which faults befall one run of a saga, and when. Plain data; what a fault does is elsewhere.

use compensation::{Part, machine::StepIndex};

/// Something that is called and counted: a step's function, or a call over the [`Line`](super::Line).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Site {
    pub(super) kind: SiteKind,
    /// The step's, or that of the line's name.
    pub(super) index: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum SiteKind {
    Action,
    Probe,
    Undo,
    Line,
}

impl Site {
    pub(super) fn of(part: Part, step: StepIndex) -> Self {
        let kind = match part {
            Part::Action => SiteKind::Action,
            Part::Probe => SiteKind::Probe,
            Part::Undo => SiteKind::Undo,
        };
        Self { kind, index: step }
    }
}

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum How {
    /// Not called; an error that says so and that trying again does not help.
    Refuse,
    /// Not called; an error that says nothing.
    LoseRequest,
    /// Called; its success becomes an error that says nothing.
    LoseReply,
    /// Called; no answer until the time limit, or the line's own.
    Hang,
    /// Dropped at its so-manieth await.
    Cut(u32),
    /// Called so many milliseconds later.
    Slow(u32),
    /// Fails at once, and is called so many milliseconds later.
    Late(u32),
    /// Not called; a panic.
    Panic,
    /// Called; a panic.
    PanicAfter,
    /// Called twice; the second answer counts.
    Twice,
    /// The process dies at its so-manieth await; 0: before the call.
    Die(u32),
}

/// What befalls a write of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum WriteHow {
    /// The process dies before it takes effect.
    DieBefore,
    /// The process dies once it has taken effect.
    DieAfter,
    /// The store fails for a moment, before it takes effect.
    FailBefore,
    /// It takes effect, and the store reports a failure of a moment.
    FailAfter,
    /// The store refuses for good, before it takes effect.
    RefuseBefore,
    /// It takes effect, and the store reports that it refuses for good.
    RefuseAfter,
}

impl WriteHow {
    pub(super) const ALL: [Self; 6] = [
        Self::DieBefore,
        Self::DieAfter,
        Self::FailBefore,
        Self::FailAfter,
        Self::RefuseBefore,
        Self::RefuseAfter,
    ];

    pub(super) fn is_death(self) -> bool {
        matches!(self, Self::DieBefore | Self::DieAfter)
    }
}

/// What an operator orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Verb {
    Cancel,
    Retry,
    Skip,
    Done,
    Abandon,
}

impl Verb {
    pub(super) const ALL: [Self; 5] =
        [Self::Cancel, Self::Retry, Self::Skip, Self::Done, Self::Abandon];
}

/// When an operator orders it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Moment {
    /// Once the so-manieth write is done.
    Write(u32),
    /// When the saga is stuck for the so-manieth time.
    Stuck(u32),
}

/// A call that is hit: its number from 1, how many in a row, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Hit {
    pub(super) site: Site,
    pub(super) nth: u32,
    /// [`FOR_EVER`]: every one from there on.
    pub(super) times: u32,
    pub(super) how: How,
}

/// So many times in a row that no budget outlasts it.
pub(super) const FOR_EVER: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Fault {
    Call(Hit),
    Write { nth: u32, how: WriteHow },
    Order { at: Moment, verb: Verb },
}

/// All that befalls one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Schedule(pub(super) Vec<Fault>);

impl Schedule {
    pub(super) fn with(&self, fault: Fault) -> Self {
        let mut faults = Vec::with_capacity(self.0.len() + 1);
        faults.extend_from_slice(&self.0);
        faults.push(fault);
        Self(faults)
    }
}
