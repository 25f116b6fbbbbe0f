//! What a person orders: undo, retry, skip, done, abandon.

mod program;

use program::Place;

/// Its tail fails until there is a file `mended`.
const TAIL: &str = "\
saga: s
steps:
  - { name: a, run: touch a, undo: rm a }
  - { name: sent, run: 'true', undo: none, because: it is sent, pivot: true }
  - { name: tail, run: test -e mended && echo tail, undo: none, because: it is the tail }
  - { name: last, run: 'echo \"got ${OUTPUT_TAIL-nothing}\"', undo: none, because: it is the tail }
";

/// Its first step's undo fails until there is a file `mended`.
const UNDO: &str = "\
saga: s
steps:
  - name: a
    run: touch a
    undo: { run: test -e mended && rm a, retry: { attempts: 1 } }
  - { name: b, run: exit 1, undo: 'true' }
";

const REASON: [&str; 2] = ["--reason", "looked at it"];

fn stuck(file: &str) -> Place {
    let place = Place::with(file);
    place.run(&["--id", "x"]).code(4);
    place
}

fn order(place: &Place, words: &[&str]) -> program::Ended {
    place.call(&[words, &REASON].concat())
}

#[test]
fn a_retry_attempts_a_parked_step_again_and_the_saga_goes_on() {
    let place = stuck(TAIL);
    place.write("mended", "");
    let ended = order(&place, &["retry", "x", "tail"]).code(0);
    assert!(ended.err.starts_with("tail: start (attempt 2)\n"), "{ended:?}");
    assert_eq!(place.show("x")["steps"][3]["output"], "got tail");
}

#[test]
fn a_retry_attempts_a_parked_undo_again() {
    let place = stuck(UNDO);
    place.write("mended", "");
    order(&place, &["retry", "x", "a"]).code(3);
    assert_eq!(place.left(), ["mended"]);
}

#[test]
fn a_retry_that_fails_again_is_stuck_again() {
    order(&stuck(TAIL), &["retry", "x", "tail"]).code(4);
}

#[test]
fn a_skip_goes_on_without_a_parked_undo() {
    let place = stuck(UNDO);
    order(&place, &["skip", "x", "a"]).code(3);
    assert_eq!(place.left(), ["a"]);
    assert_eq!(place.show("x")["steps"][0]["phase"], "undo skipped");
}

#[test]
fn what_is_done_by_hand_counts_with_the_output_given() {
    let place = stuck(TAIL);
    order(&place, &["done", "x", "tail", "--output", "by hand"]).code(0);
    assert_eq!(place.show("x")["steps"][3]["output"], "got by hand");
}

#[test]
fn what_is_done_by_hand_without_an_output_has_none() {
    let place = stuck(TAIL);
    order(&place, &["done", "x", "tail"]).code(0);
    assert_eq!(place.show("x")["steps"][3]["output"], "got nothing");
}

#[test]
fn an_undo_done_by_hand_has_no_output() {
    let place = stuck(UNDO);
    let refused = order(&place, &["done", "x", "a", "--output", "x"]).code(2);
    assert!(refused.err.contains("the undo of step `a` that is parked"), "{refused:?}");
    order(&place, &["done", "x", "a", "--undo", "--output", "x"]).code(2);
    order(&place, &["done", "x", "a", "--undo"]).code(3);
}

#[test]
fn done_by_hand_says_which_of_the_two_is_done() {
    let place = stuck(UNDO);
    let refused = order(&place, &["done", "x"]).code(2);
    assert!(refused.err.contains("say `done --undo`"), "{refused:?}");
    assert_eq!(place.show("x")["status"], "stuck", "nothing was changed");
    let place = stuck(TAIL);
    let refused = order(&place, &["done", "x", "--undo"]).code(2);
    assert!(refused.err.contains("leave out --undo"), "{refused:?}");
    assert_eq!(place.show("x")["status"], "stuck", "nothing was changed");
}

#[test]
fn an_output_must_be_what_the_step_says() {
    let place = stuck(&TAIL.replace("&& echo tail,", "&& echo 1, output: json,"));
    let refused = order(&place, &["done", "x", "tail", "--output", "{"]).code(2);
    assert!(refused.err.contains("--output for step `tail`: its output is no JSON"), "{refused:?}");
    order(&place, &["done", "x", "tail", "--output", "{\"n\": 1}"]).code(0);
    assert_eq!(place.show("x")["steps"][3]["output"], "got {\"n\":1}");
}

#[test]
fn a_completed_saga_can_be_undone() {
    let place = Place::with("saga: s\nsteps:\n  - { name: a, run: touch a, undo: rm a }\n");
    place.run(&["--id", "x"]).code(0);
    order(&place, &["undo", "x"]).code(3);
    assert_eq!(place.left(), [""; 0]);
}

#[test]
fn past_the_pivot_nothing_can_be_undone() {
    let refused = order(&stuck(TAIL), &["undo", "x", "--json"]).code(2).error();
    assert_eq!(refused["kind"], "refused");
    let told = refused["message"].as_str().expect("a sentence");
    assert!(told.contains("past its pivot") && !told.contains("in flight"), "{told}");
}

#[test]
fn an_abandoned_saga_says_by_whom_and_why() {
    let place = stuck(TAIL);
    let ended = order(&place, &["abandon", "x", "--by", "ann"]).code(0);
    assert!(ended.out.starts_with("s x: abandoned: by ann: looked at it\n"), "{ended:?}");
    // Whoever runs it again is told that it did not complete.
    place.run(&["--id", "x"]).code(1);
}

#[test]
fn the_record_keeps_who_ordered_what_and_why() {
    let place = stuck(TAIL);
    order(&place, &["retry", "x", "tail"]).code(4);
    let shown = place.call(&["show", "x"]).code(0).out;
    assert!(shown.contains("  tail: retry, ordered by tester: looked at it\n"), "{shown}");
    let entries = place.show("x")["journal"].clone();
    let events = entries.as_array().into_iter().flatten();
    let mut events = events.flat_map(|entry| entry["events"].as_array().into_iter().flatten());
    let order = events.find(|event| event["event"] == "retry_ordered").expect("it is there");
    assert_eq!((&order["step"], &order["by"]), (&"tail".into(), &"tester".into()));
}

#[test]
fn an_order_needs_a_name_and_a_reason() {
    let place = stuck(TAIL);
    let mut nobody = place.command(&["retry", "x", "tail", "--reason", "r"]);
    let nobody = nobody.env_remove("USER").env_remove("LOGNAME").output().expect("it starts");
    program::Ended::of(&nobody).code(2).says("say --by NAME, or set USER");
    place.call(&["retry", "x", "tail", "--reason", " "]).code(2).says("--reason is empty");
    place.call(&["retry", "x", "tail"]).code(2).says("--reason");
    let long = "x".repeat(100_000);
    let refused = place.call(&["retry", "x", "tail", "--reason", &long]).code(2);
    refused.says("the reason of the order has 100000 bytes: at most 2000 are kept");
}

#[test]
fn a_step_that_is_not_there_is_refused_with_the_names_that_are() {
    let refused = order(&stuck(TAIL), &["retry", "x", "tial"]).code(2);
    refused.says("saga `x` has no step `tial`: its steps are `a`, `sent`, `tail`, `last`");
}

#[test]
fn an_id_that_is_not_there_is_refused() {
    order(&stuck(TAIL), &["undo", "y"]).code(2).says("there is no saga `y` in this store");
}
