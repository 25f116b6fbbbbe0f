//! The program among a million sagas: how long each verb takes, from the start of its process to its end, while an
//! engine of another process runs 5,000 sagas a second on the same file; and what that costs the engine.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use crate::{
    Plan,
    million::{Load, PACE, fill, slowing, took},
    table::Table,
};

/// Calls of each verb.
const CALLS: u64 = 50;
/// Verbs a second that are called in the rounds of load.
const PER_SECOND: u64 = 5;

/// A saga that gets stuck: its undo fails until there is a file `mended`.
const STUCK: &str = "\
saga: file-stuck
steps:
  - { name: a, run: 'true', undo: { run: test -e mended, retry: { attempts: 1 } } }
  - { name: b, run: exit 1, not_done: [1], undo: 'true' }
";

/// A saga that completes, and can be undone.
const DONE: &str = "saga: file-done\nsteps:\n  - { name: a, run: 'true', undo: 'true' }\n";

/// What only reads.
const LOOKS: [(&str, &str); 21] = [
    ("the process alone (`--version`)", "--version"),
    ("list", "list"),
    ("list, as JSON", "list --json"),
    ("list, oldest first", "list --sort oldest"),
    ("list, running", "list --status running"),
    ("list, stuck", "list --status stuck"),
    ("list, completed and compensated", "list --status completed --status compensated"),
    ("list, a rare definition", "list --name rare"),
    ("list, stuck ones of a definition", "list --name rare --status stuck"),
    ("list, a text that many have", "list --text stuck-1"),
    ("list, stuck ones with a text", "list --status stuck --text stuck-1"),
    ("list, older than a second", "list --older-than 1s"),
    ("list, older than a month: none", "list --older-than 30d"),
    ("list, of the last hour, oldest first", "list --newer-than 1h --sort oldest"),
    ("list, parked at a step", "list --step car"),
    ("show", "show stuck-7"),
    ("show, as JSON", "show stuck-7 --json"),
    ("preview", "preview stuck-7"),
    ("retry, dry run", "retry stuck-7 --dry-run"),
    ("retry of all stuck ones, not given", "retry --all --status stuck --dry-run"),
    ("abandon of a rare definition, not given", "abandon --all --name rare --dry-run"),
];

/// What changes something: each call has a saga of its own.
const ORDERS: [(&str, &str, i32); 7] = [
    ("retry of a stuck one, to its end", "retry {stuck} {signed}", 3),
    ("skip of a stuck undo", "skip {stuck} {signed}", 3),
    ("done --undo of a stuck undo", "done {stuck} --undo {signed}", 3),
    ("abandon of a stuck one", "abandon {stuck} {signed}", 0),
    ("undo of a completed one, to its end", "undo {done} {signed}", 3),
    ("run, to its end", "run done.yaml", 0),
    ("purge that finds nothing", "purge --older-than 30d", 0),
];

const SIGNED: &str = "--by bench --reason measured";

pub(crate) fn measure(plan: &Plan) -> Table {
    let mut table = Table::new("Verbs", &["what", "figure", "yardstick", "ratio"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = plan.folder();
    let program = Program::build(folder.path());
    let calls = plan.scale(CALLS).max(5);
    runtime.block_on(async {
        let worker = fill(&program.store(), plan).await;
        program.prepare(calls);
        let load = Load::begin(&worker, plan.scale(PACE));
        let looks = LOOKS.map(|(name, words)| (name, words, 0));
        for (name, words, exit) in looks.into_iter().chain(ORDERS) {
            let times = (0..calls).map(|_| program.time(words, exit)).collect();
            took(&mut table, name, times);
        }
        drop(load);
        let used = format!("{PER_SECOND} verbs/s are called");
        slowing(&mut table, &worker, plan, &used, async |span| program.look(span).await).await;
        worker.drain().await;
    });
    table
}

/// The program `compensation`, in a folder with a store and saga files.
struct Program {
    path: PathBuf,
    folder: PathBuf,
    stuck: AtomicU64,
    done: AtomicU64,
}

impl Program {
    /// Builds it as this benchmark was built: an older one beside it would give an older one's figures.
    fn build(folder: &Path) -> Self {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "compensation-cli"]);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo").success(), "the program can't be built");
        let own = env::current_exe().expect("a path");
        let path = own.with_file_name("compensation");
        fs::write(folder.join("stuck.yaml"), STUCK).expect("a file");
        fs::write(folder.join("done.yaml"), DONE).expect("a file");
        let counter = AtomicU64::default;
        Self { path, folder: folder.to_owned(), stuck: counter(), done: counter() }
    }

    fn store(&self) -> PathBuf {
        self.folder.join("sagas.db")
    }

    /// Makes a saga for each order.
    fn prepare(&self, calls: u64) {
        let wanted = |what: &str| {
            ORDERS.iter().filter(|(_, words, _)| words.contains(what)).count() as u64 * calls
        };
        for number in 0..wanted("{stuck}") {
            self.time(&format!("run stuck.yaml --id file-stuck-{number}"), 4);
        }
        for number in 0..wanted("{done}") {
            self.time(&format!("run done.yaml --id file-done-{number}"), 0);
        }
        fs::write(self.folder.join("mended"), "").expect("a file");
    }

    /// How long a call takes, in milliseconds: its process is started, and waited for.
    fn time(&self, words: &str, exit: i32) -> f64 {
        let mut words = words.replace("{signed}", SIGNED);
        for (what, next) in [("stuck", &self.stuck), ("done", &self.done)] {
            let place = format!("{{{what}}}");
            if words.contains(&place) {
                words =
                    words.replace(&place, &format!("file-{what}-{}", next.fetch_add(1, Relaxed)));
            }
        }
        let mut call = Command::new(&self.path);
        call.args(words.split(' ')).current_dir(&self.folder).env_remove("COMPENSATION_DB");
        call.env("USER", "bench").stdin(Stdio::null());
        let start = Instant::now();
        let ended = call.output().expect("the program");
        let taken = start.elapsed().as_secs_f64() * 1_000.0;
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(exit), "compensation {words}: {said}");
        assert!(!ended.stdout.is_empty(), "compensation {words} said nothing");
        taken
    }

    /// Calls all that only reads, in turn, for that long.
    async fn look(&self, span: Duration) {
        let since = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_millis(1_000 / PER_SECOND));
        for (_, words) in LOOKS.iter().cycle() {
            if since.elapsed() >= span {
                return;
            }
            ticks.tick().await;
            tokio::task::block_in_place(|| self.time(words, 0));
        }
    }
}
