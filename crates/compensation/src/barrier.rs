//! The words of a barrier: what a participant finds when it asks, in the transaction of its effect, whether an
//! action or an undo is still to have it.
//!
//! Calls are repeated, and overtake one another. A barrier keeps two rows under the idempotency key of a step,
//! one for its action and one for its undo, each written in the transaction of the effect:
//!
//! * An action that finds its own row was here **before**, and has no effect again.
//! * An undo that finds no row of its action has **nothing** to undo. It leaves both rows, so that an action that
//!   is still on its way comes **too late**.
//! * An undo that finds its own row was here before, too.
//!
//! The tables are the stores': `Barrier` in `compensation-postgres` and in `compensation-sqlite`.

/// What an action finds at its barrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act<T = ()> {
    /// Nobody was here before: have the effect now, in this transaction.
    Now,
    /// The effect was had before. Its output is there if it was kept.
    Before(Option<T>),
    /// The undo was here first: have no effect.
    TooLate,
}

/// What an undo finds at its barrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo<T = ()> {
    /// The action had its effect: undo it now, in this transaction. Its output is there if it was kept.
    Now(Option<T>),
    /// It was undone before.
    Before,
    /// The action never had its effect, and will not: there is nothing to undo.
    Nothing,
}

impl<T> Act<T> {
    /// What an action finds that has tried to leave its row.
    ///
    /// ```
    /// use compensation::barrier::Act;
    ///
    /// assert_eq!(Act::<u32>::found(true, false, None), Act::Now);
    /// assert_eq!(Act::found(false, false, Some(7)), Act::Before(Some(7)));
    /// assert_eq!(Act::found(false, true, Some(7)), Act::TooLate);
    /// ```
    #[must_use]
    pub fn found(is_first: bool, is_undone: bool, output: Option<T>) -> Self {
        match (is_first, is_undone) {
            (true, _) => Self::Now,
            (false, false) => Self::Before(output),
            (false, true) => Self::TooLate,
        }
    }
}

impl<T> Undo<T> {
    /// What an undo finds that has tried to leave both rows.
    ///
    /// ```
    /// use compensation::barrier::Undo;
    ///
    /// assert_eq!(Undo::found(true, true, Some(7)), Undo::Now(Some(7)));
    /// assert_eq!(Undo::<u32>::found(true, false, None), Undo::Before);
    /// assert_eq!(Undo::<u32>::found(false, true, None), Undo::Nothing);
    /// ```
    #[must_use]
    pub fn found(has_acted: bool, is_first: bool, output: Option<T>) -> Self {
        match (has_acted, is_first) {
            (_, false) => Self::Before,
            (true, true) => Self::Now(output),
            (false, true) => Self::Nothing,
        }
    }
}
