//! What a file declares secret is in no output of any verb.

mod program;

use program::Place;

/// `a` says a token, which stands in the errors of its undo and of `b`.
const FILE: &str = "\
saga: s
input: [{ name: card, secret: true }, room]
steps:
  - name: a
    run: printf 't0k%s' en-77
    secret: true
    undo: { run: 'echo \"no $OUTPUT for $CARD\" >&2; test -e mended', retry: { attempts: 1 } }
  - { name: b, run: 'echo \"card $CARD with $OUTPUT_A was refused\" >&2; exit 1', undo: 'true' }
";

const SECRETS: [&str; 3] = ["4711-0815", "t0ken-77", "n3w-token"];

fn clean(place: &Place, words: &[&str]) -> String {
    let ended = place.call(words);
    let all = format!("{}{}", ended.out, ended.err);
    for secret in SECRETS {
        assert!(!all.contains(secret), "`{secret}` is said by {words:?}: {all}");
    }
    all
}

#[test]
fn secrets_are_in_no_output_of_any_verb() {
    let place = Place::with(FILE);
    let run = ["run", "saga.yaml", "--id", "x", "--input", "card=4711-0815", "--input", "room=7"];
    let said = clean(&place, &run);
    assert!(said.contains("b: failed: exit status 1: card *** with *** was refused"), "{said}");
    for words in [
        &["list"][..],
        &["list", "--json"],
        &["show", "x"],
        &["show", "x", "--json"],
        &["preview", "x"],
        &["preview", "x", "--json"],
        &["watch", "x"],
        &["watch", "x", "--json"],
        &["graph", "x"],
        &["graph", "x", "--format", "svg"],
        &["resume", "x"],
        &["resume", "x", "--json"],
        &["retry", "--all", "--reason", "r"],
        &["retry", "--all", "--reason", "r", "--json"],
        &["retry", "x", "--reason", "r"],
        &["retry", "x", "--reason", "r", "--json"],
        &["retry", "x", "a", "--reason", "r", "--output", "n3w-token"],
        &["show", "x", "--json"],
        &["skip", "x", "c", "--reason", "the card 4711-0815 is gone"],
        &["abandon", "x", "--reason", "the card 4711-0815 is gone"],
        &["abandon", "x", "--reason", "r", "--json"],
        &["show", "x"],
        &["list"],
    ] {
        clean(&place, words);
    }
    let shown = place.show("x");
    assert_eq!((&shown["input"]["card"], &shown["input"]["room"]), (&"***".into(), &"7".into()));
    assert_eq!(shown["steps"][0]["output"], "***");
}

#[test]
fn a_preview_says_that_there_is_a_secret_and_not_which() {
    let place = Place::with(&FILE.replace("exit 1", "exit 0"));
    let run = ["run", "saga.yaml", "--id", "x", "--input", "card=4711-0815", "--input", "room=7"];
    clean(&place, &run);
    let said = clean(&place, &["preview", "x"]);
    assert!(said.contains("\"***\"") && said.contains("\"card\":\"***\""), "{said}");
}

#[test]
fn what_a_secret_variable_holds_is_not_said_either() {
    let place = Place::with(
        "saga: s\nsecrets: [API_TOKEN]\nsteps:\n  \
         - { name: a, run: 'echo \"bad $API_TOKEN\" >&2; exit 1', undo: 'true' }\n",
    );
    let call = |words: &[&str]| {
        let mut command = place.command(words);
        command.env("API_TOKEN", "s3cr3t-api");
        program::Ended::of(&command.output().expect("it starts"))
    };
    for words in [&["run", "saga.yaml", "--id", "x"][..], &["show", "x"], &["list"]] {
        let ended = call(words);
        assert!(!format!("{ended:?}").contains("s3cr3t-api"), "{ended:?}");
        assert!(format!("{ended:?}").contains("bad ***"), "{ended:?}");
    }
}

#[test]
fn secrets_are_stored_as_they_are() {
    let place = Place::with(FILE);
    let run = ["run", "saga.yaml", "--id", "x", "--input", "card=4711-0815", "--input", "room=7"];
    clean(&place, &run);
    let db = rusqlite::Connection::open(place.file("sagas.db")).expect("a store");
    let input: String = db.query_row("SELECT input FROM saga", (), |row| row.get(0)).expect("one");
    assert!(input.contains("4711-0815"));
}
