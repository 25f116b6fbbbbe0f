//! What may be asked of recorded calls: as a result, or as an assertion.

use std::collections::HashSet;

use compensation::Part;

use super::{CompensationRecorder, Difference, RecordedCall};

impl CompensationRecorder {
    /// Whether exactly these calls were made, in this order: [labels](RecordedCall::label), one for each
    /// attempt, in the order of their start.
    ///
    /// # Errors
    /// The [`Difference`].
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Action, "a").done();
    /// recorder.start(Part::Undo, "a").done();
    /// assert!(recorder.verify_order(["a", "undo a"]).is_ok());
    /// assert!(recorder.verify_order(["a"]).is_err());
    /// ```
    pub fn verify_order<S: Into<String>>(
        &self,
        expected: impl IntoIterator<Item = S>,
    ) -> Result<(), Difference> {
        let expected = expected.into_iter().map(Into::into).collect();
        Difference::between("the order of calls", expected, self.order())
    }

    /// Whether exactly these steps were undone with success, in this order.
    ///
    /// # Errors
    /// The [`Difference`].
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Undo, "a").done();
    /// assert!(recorder.verify_compensated(["a"]).is_ok());
    /// assert!(recorder.verify_compensated(["b", "a"]).is_err());
    /// ```
    pub fn verify_compensated<S: Into<String>>(
        &self,
        expected: impl IntoIterator<Item = S>,
    ) -> Result<(), Difference> {
        let expected = expected.into_iter().map(Into::into).collect();
        Difference::between("what was undone", expected, self.done(Part::Undo))
    }

    /// Whether undos were begun in the exact reverse of the order in which actions were: of every action that
    /// was done, and of no other except those that failed. For steps that come one after the other;
    /// independent ones may be undone in any order.
    ///
    /// # Errors
    /// The [`Difference`].
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// for name in ["a", "b"] {
    ///     recorder.start(Part::Action, name).done();
    /// }
    /// recorder.start(Part::Undo, "b").done();
    /// let difference = recorder.verify_reverse_of_actions().unwrap_err();
    /// assert_eq!(difference.expected(), ["b", "a"]);
    /// assert_eq!(difference.actual(), ["b"]);
    /// ```
    pub fn verify_reverse_of_actions(&self) -> Result<(), Difference> {
        let events = self.events();
        let undone = firsts(&events, Part::Undo);
        let is_done = |name: &str| {
            let mut actions = events.iter().filter(|event| event.part() == Part::Action);
            actions.any(|event| event.name() == name && event.is_done())
        };
        let mut expected = firsts(&events, Part::Action);
        expected.retain(|name| is_done(name) || undone.contains(name));
        expected.reverse();
        Difference::between("the order of undos", expected, undone)
    }

    /// Whether nothing was done twice: no action and no undo was called again once it had succeeded. Several
    /// attempts are well, as long as no success is followed by another call.
    ///
    /// # Errors
    /// The [`Difference`]: what was done, or called after it was done, against each of them once.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Undo, "a").done();
    /// assert!(recorder.verify_each_once().is_ok());
    /// recorder.start(Part::Undo, "a").done();
    /// assert!(recorder.verify_each_once().is_err());
    /// ```
    pub fn verify_each_once(&self) -> Result<(), Difference> {
        let (mut done, mut expected, mut actual) = (HashSet::new(), Vec::new(), Vec::new());
        for event in self.events() {
            let label = event.label();
            let again = done.contains(&label);
            if again || event.is_done() {
                actual.push(label.clone());
            }
            if !again && event.is_done() {
                expected.push(label.clone());
                done.insert(label);
            }
        }
        Difference::between("what was done", expected, actual)
    }

    /// As [`verify_order`](Self::verify_order).
    ///
    /// # Panics
    /// With the difference.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Action, "a").failed("lost");
    /// recorder.start(Part::Action, "a").done();
    /// recorder.assert_order(["a", "a"]);
    /// ```
    #[track_caller]
    pub fn assert_order<S: Into<String>>(&self, expected: impl IntoIterator<Item = S>) {
        demand(self.verify_order(expected));
    }

    /// As [`verify_compensated`](Self::verify_compensated).
    ///
    /// # Panics
    /// With the difference.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Undo, "b").failed("lost");
    /// recorder.start(Part::Undo, "b").done();
    /// recorder.start(Part::Undo, "a").done();
    /// recorder.assert_compensated(["b", "a"]);
    /// ```
    #[track_caller]
    pub fn assert_compensated<S: Into<String>>(&self, expected: impl IntoIterator<Item = S>) {
        demand(self.verify_compensated(expected));
    }

    /// No undo was begun.
    ///
    /// # Panics
    /// With the undos that were.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Action, "a").done();
    /// recorder.assert_nothing_compensated();
    /// ```
    #[track_caller]
    pub fn assert_nothing_compensated(&self) {
        let begun = firsts(&self.events(), Part::Undo);
        demand(Difference::between("what was undone", Vec::new(), begun));
    }

    /// As [`verify_reverse_of_actions`](Self::verify_reverse_of_actions).
    ///
    /// # Panics
    /// With the difference.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// for name in ["a", "b"] {
    ///     recorder.start(Part::Action, name).done();
    /// }
    /// for name in ["b", "a"] {
    ///     recorder.start(Part::Undo, name).done();
    /// }
    /// recorder.assert_reverse_of_actions();
    /// ```
    #[track_caller]
    pub fn assert_reverse_of_actions(&self) {
        demand(self.verify_reverse_of_actions());
    }

    /// As [`verify_each_once`](Self::verify_each_once).
    ///
    /// # Panics
    /// With the difference.
    ///
    /// ```
    /// # use compensation_testing::CompensationRecorder;
    /// use compensation::Part;
    /// let recorder = CompensationRecorder::new();
    /// recorder.start(Part::Action, "a").failed("lost");
    /// recorder.start(Part::Action, "a").done();
    /// recorder.assert_each_once();
    /// ```
    #[track_caller]
    pub fn assert_each_once(&self) {
        demand(self.verify_each_once());
    }
}

/// The names whose part was called, each once, in the order of the first calls.
fn firsts(events: &[RecordedCall], part: Part) -> Vec<String> {
    let first = events.iter().filter(|event| event.part() == part && event.attempt() == 1);
    first.map(|event| event.name().to_owned()).collect()
}

#[track_caller]
fn demand(met: Result<(), Difference>) {
    if let Err(difference) = met {
        panic!("{difference}");
    }
}
