//! Files that are wrong, and the sentences that say so.

use std::path::Path;

use super::*;

fn check(text: &str) -> Result<SagaFile, String> {
    let all = |problems: Vec<Problem>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    read("f.yaml", Path::new("/srv"), text, &Arc::default()).map_err(all)
}

#[track_caller]
fn refused(text: &str, said: &str) {
    assert_eq!(check(text).expect_err("it is wrong"), said);
}

/// A saga whose steps are these lines, from line 3 on.
fn steps(lines: &str) -> String {
    format!("saga: s\nsteps:\n{lines}")
}

#[test]
fn a_step_comes_after_the_one_before_it_unless_it_says_otherwise() {
    let text = "  - {name: a, run: x, undo: y}\n  - {name: b, run: x, undo: y}\n  \
                - {name: c, run: x, undo: y, needs: []}\n  - {name: d, run: x, undo: y, needs: [a, c]}\n";
    let file = check(&steps(text)).expect("good");
    let after: Vec<_> = file.saga.plan().steps.iter().map(|step| step.after.clone()).collect();
    assert_eq!(after, [vec![], vec![0], vec![], vec![0, 2]]);
}

#[test]
fn commands_are_not_idempotent_and_their_unknown_outcomes_are_undone() {
    let file = check(&steps("  - {name: a, run: x, undo: y}\n")).expect("good");
    let step = &file.saga.plan().steps[0];
    assert!(!step.idempotent);
    assert_eq!(step.unknown, Some(compensation::machine::UnknownPolicy::Undo));
}

#[test]
fn a_pivot_that_has_no_undo_parks_what_is_unknown() {
    let text = steps("  - {name: a, run: x, undo: none, because: it is sent, pivot: true}\n");
    let file = check(&text).expect("good");
    let unknown = file.saga.plan().steps[0].unknown;
    assert_eq!(unknown, Some(compensation::machine::UnknownPolicy::Park));
}

#[test]
fn a_saga_is_made_again_from_its_stored_plan() {
    let text = "saga: s\ninput: [tenant]\nsteps:\n  - name: a\n    http: { method: PUT, url: 'http://h/$TENANT' }\n    \
                undo: { run: x, retry: { attempts: forever, max: 1m } }\n    retry: { attempts: 3 }\n    \
                idempotent: true\n  - {name: b, run: x, undo: none, because: why not, pivot: true}\n";
    let file = check(text).expect("good");
    let plan = serde_json::to_string(file.saga.plan()).expect("plain data");
    let plan: Plan = serde_json::from_str(&plan).expect("just written");
    assert_eq!(stored(&plan).as_ref(), Some(&file.model));
    assert_eq!(plan.fingerprint(), file.saga.plan().fingerprint());
    assert!(remake(&plan, &Arc::default()).is_some());
}

#[test]
fn a_plan_of_another_form_is_left_alone() {
    let file = check(&steps("  - {name: a, run: x, undo: y}\n")).expect("good");
    let mut plan = file.saga.plan().clone();
    let source = plan.source.as_deref().expect("a file").get().replace("\"form\":1", "\"form\":2");
    plan.source = Some(serde_json::value::RawValue::from_string(source).expect("JSON"));
    assert!(stored(&plan).is_none());
    assert!(remake(&plan, &Arc::default()).is_none());
}

#[test]
fn an_undo_is_missing() {
    refused(
        &steps("  - name: a\n    run: x\n"),
        "f.yaml:3:11: step `a`: it has no undo: give it one with `undo`, or say `undo: none` and why \
         with `because`",
    );
}

#[test]
fn a_reason_is_missing() {
    refused(
        &steps("  - name: a\n    run: x\n    undo: none\n"),
        "f.yaml:5:11: step `a`: it has no undo: say why with `because`",
    );
}

#[test]
fn a_reason_beside_an_undo() {
    refused(
        &steps("  - name: a\n    run: x\n    undo: y\n    because: z\n"),
        "f.yaml:6:14: step `a`: `because` says why there is no undo, but there is one: drop one of them",
    );
}

#[test]
fn a_name_that_is_none() {
    refused(
        &steps("  - {name: '', run: x, undo: y}\n"),
        "f.yaml:3:12: step ``: its name needs 1 to 100 bytes and no control characters",
    );
}

#[test]
fn a_name_twice() {
    refused(
        &steps("  - {name: a, run: x, undo: y}\n  - {name: a, run: x, undo: y, output: none}\n"),
        "f.yaml:4:12: step `a`: another step has this name already: rename one of them",
    );
}

#[test]
fn two_outputs_in_one_variable() {
    refused(
        &steps("  - {name: a-b, run: x, undo: y}\n  - {name: a b, run: x, undo: y}\n"),
        "f.yaml:4:12: step `a b`: its output would be OUTPUT_A_B, as that of step `a-b`: rename one of \
         them",
    );
}

#[test]
fn a_need_that_is_no_step() {
    refused(
        &steps("  - {name: a, run: x, undo: y}\n  - {name: b, run: x, undo: y, needs: [c]}\n"),
        "f.yaml:4:12: step `b`: it needs `c`, which this saga does not have: its steps are `a`, `b`",
    );
}

#[test]
fn a_ring_of_needs() {
    refused(
        &steps(
            "  - {name: a, run: x, undo: y, needs: [b]}\n  - {name: b, run: x, undo: y, needs: [a]}\n",
        ),
        "f.yaml:4:12: step `b`: these steps wait for each other: b -> a -> b",
    );
}

#[test]
fn an_undo_after_the_pivot() {
    refused(
        &steps(
            "  - {name: a, run: x, undo: none, because: z, pivot: true}\n  - {name: b, run: x, undo: y}\n",
        ),
        "f.yaml:4:12: step `b`: it has an undo but comes after the pivot, where nothing is undone: move \
         it before the pivot, or say `undo: none` and why with `because`",
    );
}

#[test]
fn a_step_beside_the_pivot() {
    refused(
        &steps(
            "  - {name: a, run: x, undo: none, because: z, pivot: true}\n  \
             - {name: b, run: x, undo: y, needs: []}\n",
        ),
        "f.yaml:4:12: step `b`: it comes neither before nor after the pivot: order it with `needs`",
    );
}

#[test]
fn retries_of_what_is_not_idempotent() {
    refused(
        &steps("  - {name: a, run: x, undo: y, retry: {attempts: 2}}\n"),
        "f.yaml:3:12: step `a`: it may be attempted more than once, which harms no command that has one \
         effect however often it runs: if it is such a command, say `idempotent: true`; if not, drop \
         `retry` and `unknown: retry`",
    );
}

#[test]
fn an_undo_that_is_retried_and_must_not_be() {
    refused(
        &steps(
            "  - name: a\n    run: x\n    undo: {run: y, idempotent: false, retry: {attempts: 2}}\n",
        ),
        "f.yaml:5:46: step `a`: its undo is not idempotent, so it can't be retried: drop `retry` or \
         `idempotent: false`",
    );
}

#[test]
fn durations_and_waits_that_are_none() {
    refused(
        &steps(
            "  - {name: a, run: x, undo: y, timeout: 30}\n  - {name: b, run: x, undo: y, timeout: 0s}\n  \
             - {name: c, run: x, undo: y, idempotent: true, retry: {attempts: 2, factor: 0.5}}\n",
        ),
        "f.yaml:3:41: step `a`: `30` is no duration: write a number and a unit, such as 200ms, 30s, 5m, \
         2h or 30d\n\
         f.yaml:4:41: step `b`: `0s` is no time at all\n\
         f.yaml:5:57: step `c`: `factor: 0.5` would shorten the waits: at least 1",
    );
}

#[test]
fn inputs_that_commands_could_not_get() {
    refused(
        "saga: s\ninput: [Tenant, path, saga_id, a, a]\nsteps:\n  - {name: a, run: x, undo: y}\n",
        "f.yaml:2:9: `Tenant` is no name for an input: use small letters, digits and underscores, a \
         letter first\n\
         f.yaml:2:17: an input can't be called `path`: commands would get it as PATH, which means \
         something else\n\
         f.yaml:2:23: an input can't be called `saga_id`: commands would get it as SAGA_ID, which means \
         something else\n\
         f.yaml:2:35: the input `a` stands here twice",
    );
}

#[test]
fn variables_that_are_taken() {
    refused(
        "saga: s\ninput: [a]\nsteps:\n  - {name: a, run: x, undo: y, env: {A: 1, OUTPUT_X: 2, a-b: 3}}\n",
        "f.yaml:4:41: step `a`: `A` in `env` is an input or a secret of the saga already\n\
         f.yaml:4:54: step `a`: `OUTPUT_X` can't be set in `env`: use letters, digits and underscores, \
         and neither SAGA_ nor OUTPUT in front\n\
         f.yaml:4:62: step `a`: `a-b` can't be set in `env`: use letters, digits and underscores, and \
         neither SAGA_ nor OUTPUT in front",
    );
}

#[test]
fn a_name_that_nothing_has() {
    refused(
        "saga: s\ninput: [tenant]\nsteps:\n  - name: a\n    http: {method: GET, url: 'http://h/$TENNANT'}\n    \
         undo: none\n    because: it reads\n",
        "f.yaml:5:11: step `a`: nothing is called $TENNANT here: known are $TENANT, $SAGA_ID, $SAGA_NAME, \
         $SAGA_STEP, $SAGA_ATTEMPT, $SAGA_IDEMPOTENCY_KEY",
    );
}

#[test]
fn an_output_of_a_step_that_need_not_be_done() {
    refused(
        &steps(
            "  - {name: a, run: x, undo: y}\n  - {name: b, needs: [], run: 'x \"$OUTPUT_A\"', undo: y}\n",
        ),
        "f.yaml:4:31: step `b`: $OUTPUT_A is the output of step `a`, which this step doesn't come after: \
         name that in `needs`",
    );
}

#[test]
fn an_output_that_is_thrown_away() {
    refused(
        &steps(
            "  - {name: a, run: x, undo: y, output: none}\n  - {name: b, run: 'x ${OUTPUT_A}', undo: y}\n",
        ),
        "f.yaml:4:20: step `b`: $OUTPUT_A is never set: step `a` says `output: none`",
    );
}

#[test]
fn a_commands_own_variable_is_its_own_matter() {
    let text = "  - {name: a, run: x, undo: y}\n  - {name: b, needs: [], run: 'OUTPUT_A=1; x $OUTPUT_A $HOME', undo: y}\n";
    assert!(check(&steps(text)).is_ok());
}

#[test]
fn an_action_that_reads_its_own_output() {
    refused(
        &steps("  - {name: a, http: {method: PUT, url: 'http://h/$OUTPUT'}, undo: y}\n"),
        "f.yaml:3:21: step `a`: $OUTPUT is known to undos only",
    );
}

#[test]
fn requests_that_are_none() {
    refused(
        &steps("  - {name: a, http: {method: put, url: 'http://h/'}, undo: y}\n"),
        "f.yaml:3:21: step `a`: `put` is no HTTP method: write it in capitals, such as POST",
    );
    refused(
        &steps("  - {name: a, http: {method: PUT, url: 'ftp://h/'}, undo: y}\n"),
        "f.yaml:3:21: step `a`: the URL `ftp://h/` must begin with http:// or https://",
    );
}

#[test]
fn a_step_that_does_nothing_or_two_things() {
    refused(
        &steps(
            "  - {name: a, undo: y}\n  - {name: b, run: x, http: {method: PUT, url: 'http://h/'}, undo: y}\n",
        ),
        "f.yaml:3:12: step `a`: the step does nothing: give it `run` or `http`\n\
         f.yaml:4:29: step `b`: the step has both `run` and `http`: drop one",
    );
}

#[test]
fn codes_that_can_not_mean_not_done() {
    refused(
        &steps(
            "  - {name: a, run: x, undo: y, not_done: [0, 300]}\n  \
             - {name: b, http: {method: PUT, url: 'http://h/', done: [404]}, undo: y, not_done: [404, 201]}\n",
        ),
        "f.yaml:3:43: step `a`: 0 is not an exit code of a failure, from 1 to 255\n\
         f.yaml:3:46: step `a`: 300 is not an exit code of a failure, from 1 to 255\n\
         f.yaml:4:87: step `b`: 404 means done, so it can't mean not done\n\
         f.yaml:4:92: step `b`: 201 means done, so it can't mean not done",
    );
}

#[test]
fn a_probe_that_is_missing_or_never_asked() {
    refused(
        &steps("  - {name: a, run: x, undo: y, unknown: probe}\n"),
        "f.yaml:3:12: step `a`: it says `unknown: probe`: give it a `probe`",
    );
    refused(
        &steps("  - {name: a, run: x, undo: y, unknown: park, probe: z}\n"),
        "f.yaml:3:54: step `a`: its probe would never run: say `unknown: probe`, or drop the probe",
    );
}
