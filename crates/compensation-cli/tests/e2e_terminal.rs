//! The program on a terminal, and its words where they are copied into a shell.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod program;

use std::process::Command;

use program::{PROGRAM, Place};

const STUCK: &str = "\
saga: s
steps:
  - name: a
    run: true
    undo: { run: exit 1, retry: { attempts: 1 } }
  - name: b
    run: exit 1
    undo: none
    because: nothing
";

/// Watches on a terminal of 40 columns and 5 lines, presses ^C once something was drawn, and writes what was drawn.
const WATCH: &str = r#"
import fcntl, os, pty, struct, sys, termios
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 40, 0, 0))
    os.execv(sys.argv[1], [sys.argv[1], "watch"])
drawn, pressed = b"", False
while True:
    try:
        some = os.read(terminal, 4096)
    except OSError:
        break
    if not some:
        break
    drawn += some
    if not pressed and b"\x1b[?7h" in drawn:
        os.write(terminal, b"\x03")
        pressed = True
sys.stdout.buffer.write(drawn)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
fn a_list_is_drawn_as_far_as_the_terminal_is_high_and_ends_with_a_line_of_its_own() {
    let place = Place::with(STUCK);
    for id in ["u", "v", "w", "x", "y", "z"] {
        place.run(&["--id", id]).code(4);
    }
    let watched = Command::new("python3")
        .args(["-c", WATCH, PROGRAM])
        .current_dir(place.path())
        .env_remove("COMPENSATION_DB")
        .output()
        .expect("python3 is there");
    let drawn = String::from_utf8_lossy(&watched.stdout);
    assert_eq!(watched.status.code(), Some(0), "{drawn}");
    assert!(drawn.starts_with("\x1b[2J\x1b[H\x1b[?7l\x1b[KID"), "{drawn:?}");
    let first = drawn.split("\x1b[?7h").next().expect("a frame");
    assert_eq!(first.lines().count(), 5, "four lines, and the cursor on the fifth: {first:?}");
    assert!(first.contains("… 4 more lines: the terminal is too low"), "{first:?}");
    assert!(drawn.ends_with("\r\n"), "{drawn:?}");
}

#[test]
fn the_advice_for_an_id_that_looks_like_a_flag_works_when_it_is_copied() {
    let place = Place::with(STUCK);
    let ended = place.run(&["--id=--all"]).code(4);
    let advice = ended.err.lines().last().expect("advice");
    assert!(advice.contains("retry --reason WHY --db sagas.db -- --all a ("), "{advice}");
    let order = ["retry", "--reason", "WHY", "--db", "sagas.db", "--", "--all", "a"];
    place.call(&order).code(4).says("a: undo (attempt 2)");
}

#[test]
fn an_address_to_listen_at_is_refused_with_an_example() {
    let place = Place::new();
    place.call(&["serve", "--listen", "localhost:80"]).code(2).says("such as 127.0.0.1:7464");
}

#[test]
fn the_help_and_the_completions_name_every_status() {
    let place = Place::new();
    let said = [
        place.call(&["list", "--help"]).code(0).out,
        place.call(&["completions", "bash"]).code(0).out,
    ];
    for text in said {
        for status in ["running", "compensating", "completed", "compensated", "stuck", "abandoned"]
        {
            assert!(text.contains(status), "{status}: {text}");
        }
    }
}
