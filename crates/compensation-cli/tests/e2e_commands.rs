//! What commands are given, what is made of what they say, and how they fail.

mod program;

use program::Place;

/// A saga of one step that is not undone.
fn one(step: &str) -> Place {
    let undo = "    undo: none\n    because: a test\n";
    Place::with(&format!("saga: s\ninput: [value]\nsteps:\n  - name: a\n{step}\n{undo}"))
}

/// The output of the first step, with that value as the input.
fn output(place: &Place, value: &str) -> serde_json::Value {
    place.run(&["--id", "x", "--input", &format!("value={value}")]).code(0);
    place.show("x")["steps"][0]["output"].clone()
}

/// How the first step failed, with that value as the input.
fn failure(place: &Place, value: &str) -> (String, String) {
    place.run(&["--id", "x", "--input", &format!("value={value}")]).code(3);
    let failure = place.show("x")["failures"][0].clone();
    let text = |field: &str| failure[field].as_str().unwrap_or_default().to_owned();
    (text("message"), text("certainty"))
}

#[test]
fn an_input_is_never_a_part_of_the_command() {
    for value in
        ["$(touch x)", "; touch x", "`touch x`", "\"; touch x; \"", "' ; touch x #", "*\n?"]
    {
        let place = one("    run: printf %s \"$VALUE\"");
        assert_eq!(output(&place, value), value);
        assert_eq!(place.left(), [""; 0], "{value}");
    }
}

#[test]
fn a_command_is_told_which_attempt_of_what_it_is() {
    let place =
        one("    run: echo \"$SAGA_ID $SAGA_NAME $SAGA_STEP $SAGA_ATTEMPT $SAGA_IDEMPOTENCY_KEY \
         ${SAGA_EFFECT-none} $EXTRA\"\n    env: { EXTRA: more }");
    assert_eq!(output(&place, ""), "x s a 1 s:x:a none more");
}

#[test]
fn outputs_reach_the_steps_that_come_after_and_no_others() {
    let place = Place::with(
        "saga: s\nsteps:\n  - {name: a-1, run: echo one, undo: x}\n  - {name: b, needs: [], run: echo two, undo: x}\n  \
         - {name: c, needs: [a-1], run: 'env | grep ^OUTPUT | sort', undo: x}\n",
    );
    place.run(&["--id", "x"]).code(0);
    assert_eq!(place.show("x")["steps"][2]["output"], "OUTPUT_A_1=one");
}

#[test]
fn an_outer_sagas_variables_are_not_taken_for_the_steps_own() {
    let place = one("    run: echo \"${OUTPUT-none} ${SAGA_EFFECT-none} $SAGA_ID\"");
    let mut command = place.command(&["run", "saga.yaml", "--input", "value=", "--id", "x"]);
    command.envs([("OUTPUT", "outer"), ("SAGA_EFFECT", "sure"), ("SAGA_ID", "outer")]);
    assert!(command.output().expect("it starts").status.success());
    assert_eq!(place.show("x")["steps"][0]["output"], "none none x");
}

#[test]
fn an_undo_gets_its_steps_output_and_that_the_effect_is_sure() {
    let place = Place::with(
        "saga: s\nsteps:\n  - name: a\n    run: echo made\n    undo: echo \"$OUTPUT $OUTPUT_A $SAGA_EFFECT\" > undo-a\n  \
         - name: b\n    run: echo lost; exit 1\n    undo: echo \"${OUTPUT-unknown} $OUTPUT_A $SAGA_EFFECT\" > undo-b\n",
    );
    place.run(&["--id", "x"]).code(3);
    assert_eq!(place.read("undo-a"), "made made sure\n");
    assert_eq!(place.read("undo-b"), "unknown made maybe\n");
}

#[test]
fn json_outputs_keep_their_types_and_strings_arrive_bare() {
    let place = Place::with(
        "saga: s\nsteps:\n  - {name: a, run: 'echo ''{\"n\": [1, 2]}''', output: json, undo: x}\n  \
         - {name: b, run: 'echo ''\"text\"''', output: json, undo: x}\n  \
         - {name: c, run: 'echo \"$OUTPUT_A $OUTPUT_B\"', undo: x}\n",
    );
    place.run(&["--id", "x"]).code(0);
    let steps = place.show("x")["steps"].clone();
    assert_eq!(steps[0]["output"], serde_json::json!({ "n": [1, 2] }));
    assert_eq!(steps[2]["output"], "{\"n\":[1,2]} text");
}

#[test]
fn an_output_that_is_too_long_for_a_variable_is_handed_on_in_a_file() {
    let place = Place::with(
        "saga: s\nsteps:\n  - {name: a, run: 'head -c 200000 /dev/zero | tr ''\\0'' x', undo: x}\n  \
         - {name: b, run: 'echo \"${OUTPUT_A-unset}\"; wc -c < \"$OUTPUT_A_FILE\"; echo \"$OUTPUT_A_FILE\" > where', undo: x}\n",
    );
    place.run(&["--id", "x"]).code(0);
    assert_eq!(place.show("x")["steps"][1]["output"], "unset\n200000");
    assert!(!std::path::Path::new(place.read("where").trim()).exists());
}

#[test]
fn an_output_over_the_limit_kills_the_command() {
    let place = one("    run: yes");
    let (message, certainty) = failure(&place, "");
    assert_eq!(
        message,
        "it wrote more than 1048576 bytes, and was killed: at most that much is kept as its output \
         (`output: none` keeps nothing)"
    );
    assert_eq!(certainty, "unknown");
}

#[test]
fn without_an_output_there_is_no_limit() {
    let place = one("    run: head -c 3000000 /dev/zero\n    output: none");
    assert_eq!(output(&place, ""), serde_json::Value::Null);
}

#[test]
fn an_output_that_is_not_utf_8_is_a_failure() {
    let (message, certainty) = failure(&one("    run: printf 'ab\\377'"), "");
    assert_eq!(
        message,
        "its output is not UTF-8 text, from byte 2 on (`output: none` throws it away)"
    );
    assert_eq!(certainty, "unknown");
}

#[test]
fn a_missing_program_is_said_in_words() {
    let (message, _) = failure(&one("    run: creat-db x"), "");
    let words = "exit status 127 (the shell found no such program)";
    assert!(message.starts_with(words) && message.contains("creat-db"), "{message}");
}

#[test]
fn a_command_that_can_not_be_started_is_not_done() {
    let place = Place::with(
        "saga: s\nsteps:\n  - name: a\n    run: rm -r ../gone\n    undo: touch undone\n  - name: b\n    run: touch b\n    \
         undo: touch undone\n",
    );
    std::fs::create_dir(place.file("gone")).expect("writable");
    std::fs::rename(place.file("saga.yaml"), place.file("gone/saga.yaml")).expect("there");
    // The undo of the first step can't be started either, so a person is needed.
    place.call(&["run", "gone/saga.yaml", "--id", "x"]).code(4);
    let failure = place.show("x")["failures"][0].clone();
    assert_eq!(failure["step"], "b");
    assert_eq!(failure["certainty"], "not_done");
    let message = failure["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("the command could not be started in "), "{message}");
}

#[test]
fn of_a_long_complaint_the_end_is_kept() {
    let (message, _) = failure(&one("    run: seq 1 5000 >&2; exit 1"), "");
    assert!(message.ends_with("\n4999\n5000") && message.len() <= 8192, "{}", message.len());
}

#[test]
fn what_a_command_complains_of_can_not_steer_the_terminal() {
    let ended =
        one("    run: printf '\\033[2Jgone' >&2; exit 1").run(&["--input", "value="]).code(3);
    assert!(!ended.err.contains('\u{1b}') && !ended.out.contains('\u{1b}'), "{ended:?}");
    assert!(ended.err.contains("\\u{1b}[2Jgone"), "{ended:?}");
}

#[test]
fn a_timeout_kills_all_that_the_command_started() {
    let place = one("    run: '(sleep 20; echo survived >&3) & sleep 20'\n    timeout: 200ms");
    let (ended, said) = place.start(&["run", "saga.yaml", "--input", "value="]).end();
    let ended = ended.code(3);
    assert!(ended.err.contains("a: failed: no answer within 200ms"), "{ended:?}");
    assert_eq!(said, "");
}

#[test]
fn a_command_that_fails_leaves_nothing_running_beside_its_undo() {
    let place = one("    run: '(sleep 20; echo survived >&3) >/dev/null 2>&1 & exit 1'");
    let (ended, said) = place.start(&["run", "saga.yaml", "--input", "value="]).end();
    ended.code(3);
    assert_eq!(said, "");
}

#[test]
fn a_command_that_succeeds_may_leave_something_running() {
    let place = one("    run: '(read line < gate; echo served >&3) >/dev/null 2>&1 &'");
    program::gate(&place.file("gate"));
    let mut started = place.start(&["run", "saga.yaml", "--input", "value=", "--id", "x"]);
    started.wait_for_err("a: done");
    program::open_gate(&place.file("gate"));
    let (ended, said) = started.end();
    ended.code(0);
    assert_eq!(said, "served\n");
}

#[test]
fn a_further_attempt_is_counted_where_it_starts_and_where_it_fails() {
    let place = one(
        "    run: exit 3\n    not_done: [3]\n    idempotent: true\n    retry: { attempts: 2, first: 1ms }",
    );
    let ended = place.run(&["--id", "x", "--input", "value="]).code(3);
    let wanted = "a: start\na: failed: exit status 3\na: start (attempt 2)\na: failed (attempt 2): exit status 3\n";
    assert!(ended.err.ends_with(wanted), "{ended:?}");
    let shown = place.call(&["show", "x"]).code(0).out;
    assert!(shown.contains("  a: failed (attempt 2): exit status 3"), "{shown}");
}
