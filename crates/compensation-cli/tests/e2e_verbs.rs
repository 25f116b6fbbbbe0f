//! Orders to one saga and to many: shown first, given once, repeated without harm, refused with a reason.

mod program;

use program::Place;

/// The undo of `a` fails until there is a file `mended`, and is given what `a` said.
const UNDO: &str = "\
saga: s
input: [room]
steps:
  - name: a
    run: echo \"room $ROOM\"
    undo: { run: 'echo \"$OUTPUT $ROOM\" >> undone; test -e mended', retry: { attempts: 1 } }
  - { name: b, run: exit 1, undo: 'true' }
";

const REASON: [&str; 2] = ["--reason", "looked at it"];

fn stuck(ids: &[&str]) -> Place {
    let place = Place::with(UNDO);
    for id in ids {
        place.run(&["--id", id, "--input", "room=7"]).code(4);
    }
    place
}

fn order(place: &Place, words: &[&str]) -> program::Ended {
    place.call(&[words, &REASON].concat())
}

fn status(place: &Place, id: &str) -> String {
    place.show(id)["status"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_retry_without_a_step_is_of_all_that_is_parked() {
    let place = stuck(&["x"]);
    place.write("mended", "");
    order(&place, &["retry", "x"]).code(3);
    let refused = order(&place, &["retry", "x"]).code(2);
    refused.says("nothing of saga `x`, which is compensated, waits for a person");
}

#[test]
fn an_undo_is_retried_with_another_input_and_another_output() {
    let place = stuck(&["x"]);
    place.write("mended", "");
    order(&place, &["retry", "x", "a", "--input", "room=8", "--output", "suite"]).code(3);
    // The undo of `b`, whose outcome was unknown, says nothing here.
    assert_eq!(place.read("undone"), "room 7 7\nsuite 8\n");
    let shown = place.call(&["show", "x"]).code(0).out;
    let said = "a: retry with another input and another output, ordered by tester: looked at it";
    assert!(shown.contains(said), "{shown}");
    assert_eq!(place.show("x")["input"]["room"], "7", "the saga's input is what it was");
}

#[test]
fn an_input_that_the_saga_does_not_have_is_refused() {
    let place = stuck(&["x"]);
    let refused = order(&place, &["retry", "x", "a", "--input", "rom=8"]).code(2);
    refused.says("`rom` is no input of the saga, which takes room");
    order(&place, &["retry", "x", "a", "--input", "room"]).code(2).says("takes KEY=VALUE");
}

#[test]
fn the_same_order_again_changes_nothing_and_says_so() {
    let place = stuck(&["x"]);
    assert_eq!(order(&place, &["skip", "x", "a", "--json"]).code(3).json()["applied"], "changed");
    let before = place.show("x")["journal"].clone();
    let again = order(&place, &["skip", "x", "a", "--json"]).code(3);
    assert_eq!(again.json()["applied"], "already");
    order(&place, &["undo", "x"]).code(3).says("it was so already: nothing was changed");
    assert_eq!(place.show("x")["journal"], before);
}

#[test]
fn an_abandoned_saga_is_abandoned_again_without_a_change() {
    let place = stuck(&["x"]);
    order(&place, &["abandon", "x"]).code(0);
    order(&place, &["abandon", "x"]).code(0).says("it was so already");
    order(&place, &["retry", "x", "a"]).code(2).says("the saga is abandoned");
}

#[test]
fn a_dry_run_shows_what_would_be_ordered_and_does_nothing() {
    let place = stuck(&["x"]);
    let before = place.show("x")["journal"].clone();
    let shown = place.call(&["retry", "x", "--dry-run"]).code(0);
    assert!(shown.out.ends_with("retry: 1 saga, 1 step\n"), "{shown:?}");
    assert!(shown.err.contains("nothing was done"), "{shown:?}");
    let shown = place.call(&["undo", "x", "--dry-run"]).code(0).out;
    assert!(shown.starts_with("s x: stuck\nno undo would run\n"), "{shown}");
    assert_eq!(place.show("x")["journal"], before);
}

#[test]
fn an_order_to_many_is_shown_and_counted_and_done_with_yes_only() {
    let place = stuck(&["x1", "x2", "x3"]);
    place.write("mended", "");
    let shown = order(&place, &["retry", "--all", "--status", "stuck", "--name", "s"]).code(0);
    assert!(shown.out.contains("\nx1  s     stuck   a     its undo failed"), "{shown:?}");
    assert!(shown.out.ends_with("retry: 3 sagas, 3 steps\n"), "{shown:?}");
    assert!(shown.err.contains("nothing was done: say --yes to do it"), "{shown:?}");
    assert_eq!(status(&place, "x2"), "stuck");
    let done = order(&place, &["retry", "--all", "--text", "x", "--yes"]).code(3);
    assert!(
        done.out.ends_with("retry: 3 changed, 0 so already, 0 refused or failed\n"),
        "{done:?}"
    );
    for id in ["x1", "x2", "x3"] {
        assert_eq!(status(&place, id), "compensated");
    }
    order(&place, &["retry", "--all", "--yes"]).code(0).says("");
}

#[test]
fn for_programs_an_order_to_many_says_what_came_of_each() {
    let place = stuck(&["x1", "x2"]);
    let shown = order(&place, &["skip", "--all", "--dry-run", "--json"]).code(0).json();
    assert_eq!((&shown["count"], &shown["targets"][0]["step"]), (&2.into(), &"a".into()));
    let done = order(&place, &["skip", "--all", "--step", "a", "--yes", "--json"]).code(3).json();
    assert_eq!(done["orders"][1]["applied"], "changed");
    assert_eq!(done["exit"], 3);
}

#[test]
fn what_is_refused_of_many_does_not_keep_the_others_back() {
    let place = stuck(&["x1", "x2"]);
    place.write(
        "pivot.yaml",
        "saga: p\nsteps:\n  - { name: a, run: 'true', undo: none, because: so, pivot: true }\n",
    );
    place.call(&["run", "pivot.yaml", "--id", "p"]).code(0);
    let filter = ["--all", "--status", "completed", "--status", "stuck", "--yes"];
    let done = order(&place, &[&["undo"], &filter[..]].concat()).code(4);
    assert!(done.out.ends_with("undo: 0 changed, 2 so already, 1 refused or failed\n"), "{done:?}");
    assert!(
        done.out.contains("p     saga `p`: it can't be undone: it is past its pivot"),
        "{done:?}"
    );
}

#[test]
fn every_saga_of_a_store_is_not_undone_by_a_slip() {
    let place = stuck(&["x"]);
    order(&place, &["undo", "--all", "--yes"]).code(2).says("would mean every saga in the store");
    order(&place, &["abandon", "--all", "--yes"]).code(2).says("would mean every saga");
    order(&place, &["undo", "x", "--status", "stuck"]).code(2).says("a filter is for many sagas");
    order(&place, &["undo", "x", "--yes"]).code(2).says("--all");
    order(&place, &["undo", "--all", "x"]).code(2);
    place.call(&["undo"]).code(2);
    assert_eq!(status(&place, "x"), "stuck");
}

#[test]
fn sagas_older_than_a_span_are_found_by_it() {
    let place = stuck(&["x"]);
    let shown = order(&place, &["abandon", "--all", "--older-than", "1h", "--yes"]).code(0);
    assert_eq!(shown.out, "nothing to abandon\n");
    order(&place, &["abandon", "--all", "--newer-than", "1h", "--yes"]).code(0);
    assert_eq!(status(&place, "x"), "abandoned");
    order(&place, &["abandon", "--all", "--older-than", "soon"]).code(2).says("no duration");
}

#[test]
fn a_preview_names_each_undo_with_what_it_is_given() {
    let place = Place::with(
        "saga: s\ninput: [room]\nsteps:\n  - { name: a, run: echo a1, undo: 'true' }\n  \
         - { name: b, run: echo b1, undo: 'true' }\n  \
         - { name: c, run: echo c1, needs: [a], undo: none, because: it only reads }\n",
    );
    place.run(&["--id", "x", "--input", "room=7"]).code(0);
    let shown = place.call(&["preview", "x"]).code(0).out;
    let wanted = "s x: completed\n\
                  STAGE  UNDO OF  AFTER  OUTPUT\n\
                  1      b               \"b1\"\n\
                  2      a        b      \"a1\"\n\
                  input: {\"room\":\"7\"}\n\
                  c is not undone: it only reads\n\
                  it would end compensated\n";
    assert_eq!(shown, wanted);
    let json = place.call(&["preview", "x", "--json"]).code(0).json();
    assert_eq!(json["undos"][1]["after"], serde_json::json!(["b"]));
    assert_eq!(json["undos"][0]["input"]["room"], "7");
    assert_eq!(status(&place, "x"), "completed");
}

#[test]
fn the_list_says_what_is_stuck_why_and_since_when_it_is_half_done() {
    let place = stuck(&["x"]);
    let listed = place.call(&["list", "--json"]).code(0).json();
    let saga = &listed["sagas"][0];
    assert_eq!(saga["parked"][0]["step"], "a");
    assert!(saga["half_done_since"].is_string(), "{saga}");
    let find = |words: &[&str]| {
        let page = place.call(&[&["list", "--json"], words].concat()).code(0).json();
        page["sagas"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((find(&["--step", "a"]), find(&["--step", "b"])), (1, 0));
    assert_eq!((find(&["--text", "UNDO FAILED"]), find(&["--text", "nothing"])), (1, 0));
    assert_eq!((find(&["--older-than", "1h"]), find(&["--newer-than", "1h"])), (0, 1));
}

#[test]
fn a_list_may_begin_with_the_oldest() {
    let place = stuck(&["x1", "x2", "x3"]);
    let page = place.call(&["list", "--sort", "oldest", "--limit", "2", "--json"]).code(0).json();
    assert_eq!((&page["sagas"][0]["id"], &page["sagas"][1]["id"]), (&"x1".into(), &"x2".into()));
    let next = page["next"].to_string();
    let page = place.call(&["list", "--sort", "oldest", "--after", &next, "--json"]).code(0).json();
    assert_eq!(page["sagas"][0]["id"], "x3");
}

#[test]
fn a_saga_is_watched_until_it_ends_and_the_program_ends_as_it_does() {
    let place = stuck(&["x"]);
    let watched = place.call(&["watch", "x"]).code(4);
    let lines: Vec<_> = watched.out.lines().collect();
    assert!(lines[0].ends_with("Z  a: start"), "{watched:?}");
    assert!(lines.last().expect("a line").starts_with("s x: stuck: step `a` needs a person"));
    let watched = place.call(&["watch", "x", "--json"]).code(4).out;
    let last: serde_json::Value =
        serde_json::from_str(watched.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["status"], "stuck");
    place.call(&["watch", "y"]).code(2).says("there is no saga `y`");
    place.call(&["watch", "--every", "often"]).code(2).says("--every");
}

#[test]
fn a_list_is_watched_line_by_line_until_it_is_stopped() {
    let place = stuck(&["x"]);
    let mut watch = place.command(&["watch", "--every", "50ms"]);
    let mut child = watch.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("a pipe")));
    let mut next = || lines.next().expect("a line").expect("readable");
    assert!(next().contains("  x  s  stuck  the undo of step `a` failed"));
    order(&place, &["abandon", "x"]).code(0);
    assert!(next().contains("  x  s  abandoned  by tester: looked at it"));
    let stop = format!("kill -INT {}", child.id());
    std::process::Command::new("/bin/sh").args(["-c", &stop]).status().expect("sh");
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn completions_and_manual_pages_know_every_verb() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.call(&["completions", shell]).code(0).out;
        assert!(script.contains("preview") && script.contains("older-than"), "{shell}");
    }
    place.call(&["completions", "tcsh"]).code(2);
    let page = place.call(&["man"]).code(0).out;
    assert!(page.contains(".TH compensation 1") && page.contains("preview"), "{page}");
    place.call(&["man", "--dir", "."]).code(0);
    assert!(place.read("compensation-retry.1").contains("fresh budget"));
    place.call(&["man", "--dir", "nowhere"]).code(2).says("can't be written");
}
