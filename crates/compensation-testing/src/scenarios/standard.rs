//! The standard scenarios: every way in which a saga of steps in a row may go.

use std::time::Duration;

use super::{Finish, Scenario};
use crate::injector::Rule;

/// Long enough for nobody to notice, and passed only by what hangs.
const LIMIT: Duration = Duration::from_millis(20);

/// Every way in which a saga of steps that come one after the other may go.
///
/// ```
/// use compensation::Status;
/// use compensation_testing::scenarios::standard;
///
/// let stuck = standard().into_iter().filter(|one| one.finish().status == Status::Stuck);
/// assert!(stuck.count() >= 3);
/// ```
#[must_use]
pub fn standard() -> Vec<Scenario> {
    let abc = |name: &str| Scenario::new(name, ["a", "b", "c"]);
    let refused = || Rule::always().not_done();
    vec![
        abc("all steps succeed"),
        abc("the first step fails")
            .step_fails("a", refused())
            .expect(["a"], Finish::compensated("a")),
        abc("a step in the middle fails")
            .step_fails("b", refused())
            .expect(["a", "b", "undo a"], Finish::compensated("b")),
        abc("the last step fails")
            .step_fails("c", refused())
            .expect(["a", "b", "c", "undo b", "undo a"], Finish::compensated("c")),
        abc("the only step that has begun may have had its effect")
            .step_fails("a", Rule::always().unknown())
            .expect(["a", "undo a"], Finish::compensated("a")),
        abc("a step that failed may have had its effect")
            .step_fails("b", Rule::always().unknown())
            .expect(["a", "b", "undo b", "undo a"], Finish::compensated("b")),
        abc("a step panics")
            .step_fails("b", Rule::always().panics())
            .expect(["a", "b", "undo b", "undo a"], Finish::compensated("b")),
        abc("a step gives no answer in time")
            .step_fails("b", Rule::always().hangs())
            .limit("b", LIMIT)
            .expect(["a", "b", "undo b", "undo a"], Finish::compensated("b")),
        abc("an undo fails once, then succeeds")
            .step_fails("c", refused())
            .undo_fails("b", Rule::times(1))
            .undo_attempts(3)
            .expect(["a", "b", "c", "undo b", "undo b", "undo a"], Finish::compensated("c")),
        abc("an undo panics once, then succeeds")
            .step_fails("c", refused())
            .undo_fails("b", Rule::times(1).panics())
            .undo_attempts(3)
            .expect(["a", "b", "c", "undo b", "undo b", "undo a"], Finish::compensated("c")),
        abc("an undo fails for good")
            .step_fails("c", refused())
            .undo_fails("b", Rule::always())
            .undo_attempts(2)
            .expect(["a", "b", "c", "undo b", "undo b", "undo a"], Finish::stuck("c", ["b"])),
        abc("an undo fails terminally")
            .step_fails("c", refused())
            .undo_fails("b", Rule::always().terminal())
            .undo_attempts(3)
            .expect(["a", "b", "c", "undo b", "undo a"], Finish::stuck("c", ["b"])),
        abc("two undos fail")
            .step_fails("c", Rule::always().unknown())
            .undo_fails("c", Rule::always())
            .undo_fails("a", Rule::always())
            .expect(["a", "b", "c", "undo c", "undo b", "undo a"], Finish::stuck("c", ["a", "c"])),
        abc("all undos fail")
            .step_fails("c", refused())
            .undo_fails("b", Rule::always())
            .undo_fails("a", Rule::always())
            .expect(["a", "b", "c", "undo b", "undo a"], Finish::stuck("c", ["a", "b"])),
    ]
}
