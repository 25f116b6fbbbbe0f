//! `check` and `graph`, and what is said of files that are wrong.

mod program;

use program::Place;

const TRIP: &str = "\
saga: trip
steps:
  - { name: car, run: 'true', undo: 'true' }
  - { name: \"the \\\"hotel\\\"\", needs: [], run: 'true', undo: 'true' }
  - { name: pay, needs: [car, \"the \\\"hotel\\\"\"], run: exit 1, undo: none, because: the bank refunds, pivot: true }
";

#[test]
fn a_good_file_is_said_to_be_good() {
    let ended = Place::with(TRIP).call(&["check", "saga.yaml"]).code(0);
    assert_eq!(ended.out, "saga.yaml: good: saga `trip`, 3 steps\n");
}

#[test]
fn every_problem_of_every_file_is_said_with_its_place() {
    let place = Place::with(TRIP);
    place.write(
        "b.yaml",
        "saga: s\nsteps:\n  - { name: a, run: x, undo: y, timeout: 5 }\n  - { name: b, run: x }\n",
    );
    place.write("c.yaml", "saga: s\nstep: []\n");
    let ended = place.call(&["check", "saga.yaml", "b.yaml", "c.yaml", "d.yaml"]).code(2);
    assert_eq!(ended.out, "saga.yaml: good: saga `trip`, 3 steps\n");
    assert_eq!(
        ended.err,
        "error: b.yaml:3:42: step `a`: `5` is no duration: write a number and a unit, such as 200ms, 30s, \
         5m, 2h or 30d\n\
         b.yaml:4:13: step `b`: it has no undo: give it one with `undo`, or say `undo: none` and why with \
         `because`\n\
         c.yaml:2:1: unknown key `step`: known here are saga, version, input, secrets, parallel, \
         on_undo_failure, steps\n\
         d.yaml: the file can't be read: No such file or directory (os error 2)\n"
    );
}

#[test]
fn problems_are_there_for_programs() {
    let place = Place::with("saga: s\nsteps:\n  - { name: a, run: x }\n");
    let error = place.call(&["check", "saga.yaml", "--json"]).code(2).error();
    let problem = &error["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&3.into(), &13.into()));
    assert_eq!((&problem["file"], &problem["step"]), (&"saga.yaml".into(), &"a".into()));
}

#[test]
fn a_file_that_is_wrong_is_not_run() {
    let place = Place::with("saga: s\nsteps:\n  - { name: a, run: touch a }\n");
    place.run(&[]).code(2).says("error: saga.yaml:3:13: step `a`: it has no undo");
    assert_eq!(place.left(), [""; 0]);
}

#[test]
fn a_file_is_drawn_for_graphviz() {
    let ended = Place::with(TRIP).call(&["graph", "saga.yaml"]).code(0);
    assert_eq!(
        ended.out,
        r##"digraph "trip" {
  node [shape=box, style="rounded,filled", fontname="sans-serif"];
  "car" [label="car", fillcolor="#ffffff"];
  "the \"hotel\"" [label="the \"hotel\"", fillcolor="#ffffff"];
  "pay" [label="pay\npivot: nothing is undone after it\nno undo: the bank refunds", fillcolor="#ffffff", penwidth=3];
  "car" -> "pay";
  "the \"hotel\"" -> "pay";
}
"##
    );
}

#[test]
fn a_file_is_drawn_as_a_picture() {
    let ended = Place::with(TRIP).call(&["graph", "saga.yaml", "--format", "svg"]).code(0);
    assert_eq!(ended.out, include_str!("golden/trip.svg"));
}

#[test]
fn a_saga_is_drawn_as_it_stands() {
    let place = Place::with(TRIP);
    place.run(&["--id", "t-1"]).code(4);
    let ended = place.call(&["graph", "t-1"]).code(0);
    let pay = "no undo: the bank refunds\\nparked\", fillcolor=\"#f8d7da\"";
    assert!(ended.out.contains(pay), "{ended:?}");
    assert!(ended.out.contains("[label=\"car\\ndone\", fillcolor=\"#d1e7dd\"]"), "{ended:?}");
}

#[test]
fn what_is_neither_a_file_nor_a_saga_is_refused() {
    let place = Place::with(TRIP);
    let said = "`nobody` is neither a file nor the id of a saga in sagas.db";
    place.call(&["graph", "nobody"]).code(2).says(said);
    place.run(&[]).code(4);
    place.call(&["graph", "nobody"]).code(2).says(said);
}
