//! Running sagas from files: ends and exit codes, inputs, and the same id again.
#![allow(clippy::panic, reason = "tests fail loudly")]

mod program;

use program::Place;
use serde_json::json;

const TENANT: &str = r#"
saga: tenant
input: [tenant]
steps:
  - name: folder
    run: mkdir "t-$TENANT" && echo "t-$TENANT"
    undo: rmdir "$OUTPUT"
  - name: note
    run: echo hello > "$OUTPUT_FOLDER/note"
    undo: rm -f "$OUTPUT_FOLDER/note"
"#;

const FAILING: &str = r#"
  - name: last
    run: echo out of luck >&2; exit 7
    undo: "true"
"#;

fn failing() -> Place {
    Place::with(&format!("{TENANT}{FAILING}"))
}

#[test]
fn a_saga_whose_steps_succeed_is_completed_and_exits_0() {
    let place = Place::with(TENANT);
    let ended = place.run(&["--input", "tenant=acme", "--id", "a-1"]).code(0);
    assert_eq!(ended.out, "tenant a-1: completed\n  folder  done    t-acme\n  note    done\n");
    assert_eq!(place.read("t-acme/note"), "hello\n");
}

#[test]
fn progress_begins_with_the_id_and_says_each_step() {
    let ended = Place::with(TENANT).run(&["--input", "tenant=acme", "--id", "a-1"]);
    assert_eq!(
        ended.err,
        "saga tenant, id a-1, in sagas.db\nfolder: start\nfolder: done\nnote: start\nnote: done\n"
    );
}

#[test]
fn a_saga_that_fails_is_undone_in_reverse_and_exits_3() {
    let place = failing();
    let ended = place.run(&["--input", "tenant=acme", "--id", "a-1"]).code(3);
    let first = ended.out.lines().next();
    let said = "tenant a-1: compensated: step `last` failed: exit status 7: out of luck";
    assert_eq!(first, Some(said));
    assert_eq!(place.left(), [""; 0]);
    let undone: Vec<_> = ended.err.lines().filter(|line| line.ends_with(": undone")).collect();
    assert_eq!(undone, ["last: undone", "note: undone", "folder: undone"]);
}

#[test]
fn a_saga_whose_undo_fails_for_good_is_stuck_and_exits_4() {
    let place = Place::with(
        "saga: s\nsteps:\n  - name: a\n    run: 'true'\n    undo: { run: 'echo locked >&2; exit 1', retry: \
         { attempts: 2, first: 1ms } }\n  - name: b\n    run: exit 1\n    undo: none\n    because: it fails\n",
    );
    let ended = place.run(&["--id", "x"]).code(4);
    assert_eq!(
        ended.out,
        "s x: stuck: step `a` needs a person: its undo failed and has no attempts left (exit status 1: \
         locked)\n  a  undo parked  2 undos  its undo failed and has no attempts left\n  b  unsure\n"
    );
    ended.says("\nonce it is mended: compensation retry x a --reason WHY --db sagas.db (or skip, done, undo, abandon)\n");
}

#[test]
fn a_failure_that_means_not_done_is_not_undone() {
    let place = Place::with(
        "saga: s\nsteps:\n  - name: a\n    run: exit 4\n    not_done: [3, 4]\n    undo: touch undone\n",
    );
    place.run(&["--id", "x"]).code(3);
    assert!(!place.has("undone"));
    assert_eq!(place.show("x")["failures"][0]["certainty"], "not_done");
}

#[test]
fn a_missing_and_an_unknown_input_are_named_and_nothing_is_made() {
    let place = Place::with(TENANT);
    place.run(&["--input", "tenat=acme"]).code(2).says(
        "error: saga `tenant` needs the input `tenant`: say --input tenant=VALUE; saga `tenant` has no \
         input `tenat`: it takes `tenant`\n",
    );
    assert_eq!(place.left(), [""; 0]);
    assert!(!place.has("sagas.db"));
}

#[test]
fn inputs_may_come_as_json_from_a_file() {
    let place = Place::with(TENANT);
    place.write("in.json", r#"{"tenant": "acme"}"#);
    place.run(&["--input-json", "@in.json"]).code(0);
    assert!(place.has("t-acme"));
}

#[test]
fn the_same_id_and_input_again_is_the_same_saga() {
    let place = Place::with(TENANT);
    place.run(&["--input", "tenant=acme", "--id", "a-1"]).code(0);
    let again = place.run(&["--input", "tenant=acme", "--id", "a-1"]).code(0);
    assert_eq!(again.err, "saga tenant, id a-1, in sagas.db\n");
    assert!(again.out.starts_with("tenant a-1: completed\n"), "{again:?}");
}

#[test]
fn the_same_id_with_another_input_is_refused() {
    let place = Place::with(TENANT);
    place.run(&["--input", "tenant=acme", "--id", "a-1"]).code(0);
    place.run(&["--input", "tenant=other", "--id", "a-1"]).code(2).says(
        "saga `a-1` was started with another input: choose another id, or give the same input",
    );
    assert!(!place.has("t-other"));
}

#[test]
fn the_result_is_there_for_programs() {
    let place = failing();
    let ended = place.run(&["--input", "tenant=acme", "--id", "a-1", "--json"]).code(3);
    assert_eq!(
        ended.err,
        "{\"started\":{\"db\":\"sagas.db\",\"id\":\"a-1\",\"saga\":\"tenant\"}}\n"
    );
    let result = ended.json();
    assert_eq!(result["status"], "compensated");
    assert_eq!(result["exit"], 3);
    let phases: Vec<_> = result["steps"].as_array().into_iter().flatten().collect();
    assert_eq!(phases.len(), 3);
    assert_eq!(phases[0]["phase"], "undone");
    assert_eq!(phases[0]["output"], "t-acme");
    assert_eq!(phases[2]["attempts"], json!({ "action": 1, "probe": 0, "undo": 1 }));
    assert_eq!(result["failures"][0]["message"], "exit status 7: out of luck");
}

#[test]
fn errors_are_there_for_programs() {
    let place = Place::with(TENANT);
    let error = place.run(&["--json"]).code(2).error();
    assert_eq!(error["kind"], "bad_input");
    assert_eq!(error["exit"], 2);
    let error = place.call(&["shwo", "--json"]).code(2).error();
    assert_eq!(error["kind"], "bad_input");
    let error = place.call(&["show", "nobody", "--json"]).code(2).error();
    assert_eq!(error["kind"], "store");
}

#[test]
fn a_secret_that_is_not_set_is_asked_for_before_anything_starts() {
    let place = Place::with(
        "saga: s\nsecrets: [API_TOKEN]\nsteps:\n  - name: a\n    run: touch a\n    undo: rm a\n",
    );
    place.run(&[]).code(2).says("saga `s` needs the environment variable API_TOKEN: set it");
    assert!(!place.has("a"));
}

#[test]
fn commands_run_in_the_directory_of_the_file() {
    let place = Place::new();
    std::fs::create_dir(place.file("sub")).expect("writable");
    place.write(
        "sub/saga.yaml",
        "saga: s\nsteps:\n  - name: a\n    run: touch here\n    undo: rm here\n",
    );
    place.call(&["run", "sub/saga.yaml"]).code(0);
    assert!(place.has("sub/here"));
}

#[test]
fn a_step_is_attempted_as_often_as_its_budget_says() {
    let place = Place::with(
        "saga: s\nsteps:\n  - name: a\n    run: echo x >> tries; test $SAGA_ATTEMPT = 3\n    undo: 'true'\n    \
         idempotent: true\n    retry: { attempts: 5, first: 1ms }\n",
    );
    place.run(&["--id", "x"]).code(0);
    assert_eq!(place.read("tries"), "x\nx\nx\n");
}

#[test]
fn after_the_pivot_nothing_is_undone_and_a_failure_waits_for_a_person() {
    let place = Place::with(
        "saga: s\nsteps:\n  - name: a\n    run: touch a\n    undo: rm a\n  - name: p\n    run: 'true'\n    \
         undo: none\n    because: it is sent\n    pivot: true\n  - name: tail\n    run: exit 1\n    undo: none\n    \
         because: it is the tail\n",
    );
    place.run(&["--id", "x"]).code(4);
    assert!(place.has("a"));
    assert_eq!(place.show("x")["steps"][2]["phase"], "parked");
}

#[test]
fn a_probe_tells_whether_an_unknown_step_is_done() {
    let file = |made: &str| {
        format!(
            "saga: s\nsteps:\n  - name: a\n    run: {made}; exit 9\n    probe: test -e made && echo probed\n    \
             undo: touch undone\n"
        )
    };
    let done = Place::with(&file("touch made"));
    done.run(&["--id", "x"]).code(0);
    assert_eq!(done.show("x")["steps"][0]["output"], "probed");
    let not_done = Place::with(&file("true"));
    not_done.run(&["--id", "x"]).code(3);
    assert!(!not_done.has("undone"));
}

#[test]
fn a_probe_that_can_not_tell_parks_the_step() {
    let place = Place::with(
        "saga: s\nsteps:\n  - name: a\n    run: exit 9\n    probe: { run: exit 2, not_done: [1] }\n    undo: 'true'\n",
    );
    place.run(&["--id", "x"]).code(4);
}
