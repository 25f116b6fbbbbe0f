//! Looking at what the store has: `list`, `show` and `purge`.

mod program;

use program::Place;

const ONE: &str =
    "saga: s\ninput: [code]\nsteps:\n  - { name: a, run: exit $CODE, undo: 'true' }\n";

/// Three sagas: `x1` and `x3` are completed, `x2` is compensated.
fn three() -> Place {
    let place = Place::with(ONE);
    for (id, code) in [("x1", 0), ("x2", 3), ("x3", 0)] {
        let exit = if code == 0 { 0 } else { 3 };
        place.run(&["--id", id, "--input", &format!("code={code}")]).code(exit);
    }
    place
}

fn ids(place: &Place, arguments: &[&str]) -> Vec<String> {
    let page = place.call(&[&["list", "--json"], arguments].concat()).code(0).json();
    let sagas = page["sagas"].as_array().into_iter().flatten();
    sagas.map(|saga| saga["id"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn sagas_are_listed_newest_first_with_the_reason_of_those_that_failed() {
    let listed = three().call(&["list"]).code(0).out;
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines[0], "ID  SAGA  STATUS       AGE  HALF DONE  WHY", "{listed}");
    assert!(lines[1].starts_with("x3  s     completed    "), "{listed}");
    assert!(lines[2].ends_with("  step `a` failed: exit status 3"), "{listed}");
}

#[test]
fn a_list_can_be_narrowed_and_read_page_by_page() {
    let place = three();
    assert_eq!(ids(&place, &["--status", "compensated"]), ["x2"]);
    assert_eq!(ids(&place, &["--status", "compensated", "--status", "completed"]).len(), 3);
    assert_eq!(ids(&place, &["--name", "other"]), [""; 0]);
    let page = place.call(&["list", "--limit", "2", "--json"]).json();
    let next = page["next"].to_string();
    assert_eq!(ids(&place, &["--limit", "2", "--after", &next]), ["x1"]);
}

#[test]
fn an_unknown_status_is_refused_with_the_known_ones() {
    let refused = three().call(&["list", "--status", "lost"]).code(2);
    refused.says("running, compensating, completed, compensated, stuck, abandoned");
}

#[test]
fn a_saga_is_shown_with_its_failures_and_their_times() {
    let shown = three().call(&["show", "x2"]).code(0).out;
    let start = "saga     s\nid       x2\nstatus   compensated\nwhy      step `a` failed: exit status 3\ncreated  20";
    assert!(shown.starts_with(start), "{shown}");
    let end = "\nsteps\n  a  undone\n\nwhat happened\n  20";
    assert!(shown.contains(end), "{shown}");
    let happened: Vec<_> = shown.lines().filter_map(|line| line.split_once("Z  a: ")).collect();
    let happened: Vec<_> = happened.into_iter().map(|(_, what)| what).collect();
    assert_eq!(happened, ["start", "failed: exit status 3", "undo", "undone"]);
}

#[test]
fn for_programs_a_saga_is_shown_with_plan_input_and_journal() {
    let shown = three().show("x2");
    assert_eq!(shown["input"]["code"], "3");
    assert_eq!(shown["plan"]["steps"][0]["name"], "a");
    let first = &shown["journal"][0]["events"][0];
    assert_eq!((&first["event"], &first["step"]), (&"action_started".into(), &"a".into()));
}

#[test]
fn what_ended_long_ago_is_deleted_and_the_newest_saga_stays() {
    let place = three();
    assert_eq!(place.call(&["purge", "--older-than", "30d"]).code(0).out, "deleted 0 sagas\n");
    assert_eq!(place.call(&["purge", "--older-than", "0s"]).code(0).out, "deleted 2 sagas\n");
    assert_eq!(ids(&place, &[]), ["x3"]);
    place
        .call(&["purge", "--older-than", "soon"])
        .code(2)
        .says("--older-than: `soon` is no duration");
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_looking() {
    let place = Place::new();
    place.call(&["list"]).code(2);
    assert!(!place.has("sagas.db"));
}

#[test]
fn an_empty_file_is_not_made_a_store_by_looking() {
    let place = Place::new();
    place.write("sagas.db", "");
    place.call(&["list"]).code(2).says("there is no store at `sagas.db`: it is empty");
    assert_eq!(place.read("sagas.db"), "");
}

#[test]
fn a_cursor_that_is_none_is_refused_with_where_to_find_one() {
    three().call(&["list", "--after", "x"]).code(2).says("the number that `list` gives");
}

#[test]
fn a_long_word_that_makes_no_sense_is_not_echoed_by_the_screenful() {
    let place = three();
    let long = "x".repeat(5_000);
    let words: [&[&str]; 4] = [
        &["run", "saga.yaml", "--id", &long],
        &["show", &long],
        &[&long],
        &["list", "--sort", &long],
    ];
    for words in words {
        for json in [&[][..], &["--json"]] {
            let refused = place.call(&[words, json].concat()).code(2);
            assert!(refused.err.len() < 700, "{refused:?}");
            assert!(refused.err.contains(&format!("{}…", "x".repeat(80))), "{refused:?}");
        }
    }
    place.call(&["show", &long]).says("a saga id has at most 200 bytes; this one has 5000");
}

/// The store looks at ten thousand sagas at a time.
#[test]
fn a_text_is_looked_for_in_all_that_the_store_has() {
    let place = three();
    let db = rusqlite::Connection::open(place.file("sagas.db")).expect("a store");
    db.execute_batch(
        "INSERT INTO saga (id, plan, status, created, updated, input, start)
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 25000)
         SELECT 'y' || n, 1, 2, 0, 0, '{}', '[]' FROM n",
    )
    .expect("sagas");
    assert_eq!(ids(&place, &["--text", "x1"]), ["x1"]);
}

#[test]
fn the_store_may_be_named_by_the_environment() {
    let place = Place::with(ONE);
    let mut run = place.command(&["run", "saga.yaml", "--input", "code=0"]);
    run.env("COMPENSATION_DB", "other.db");
    assert!(run.output().expect("it starts").status.success());
    assert!(place.has("other.db") && !place.has("sagas.db"));
    assert_eq!(ids(&place, &["--db", "other.db"]).len(), 1);
}
