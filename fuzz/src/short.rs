//! The short run: every kept input, and so many others made of them. For machines without a fuzzer, and for `./test`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use crate::mutate::{Dice, mutate};

/// Inputs beside the kept ones, where `FUZZ_RUNS` does not say.
const RUNS: usize = 3_000;

/// The input at hand, for whoever reports a panic.
static AT_HAND: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Runs a target on its kept inputs, and on others. `FUZZ_SEED` chooses other ones. An input that lets it panic is
/// written to `artifacts`, and ends the process.
pub fn short(name: &'static str, target: fn(&[u8])) {
    let number = |variable| env::var(variable).ok().map(|text| text.parse().expect("a number"));
    let (runs, seed) = (number("FUZZ_RUNS").unwrap_or(RUNS), number("FUZZ_SEED").unwrap_or(1));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    report_panics(root.join("artifacts"), name);
    let all = kept(root, name);
    assert!(!all.is_empty(), "inputs are kept for `{name}`");
    let mut dice = Dice(seed as u64);
    for input in &all {
        run(target, input);
    }
    for _ in 0..runs {
        let mut input = all[dice.below(all.len())].clone();
        mutate(&mut dice, &mut input, &all);
        run(target, &input);
    }
    println!("{name}: {} kept inputs, {runs} others from seed {seed}", all.len());
}

fn run(target: fn(&[u8]), input: &[u8]) {
    if let Some(path) = env::var_os("FUZZ_LAST") {
        // What hangs, or is killed, leaves its input there.
        fs::write(path, input).expect("a place for the input");
    }
    *AT_HAND.lock().expect("no panic") = input.to_vec();
    target(input);
}

/// A panic anywhere, also where it would be caught, writes the input down and ends the process.
fn report_panics(folder: PathBuf, name: &'static str) {
    std::panic::set_hook(Box::new(move |panic| {
        let input = AT_HAND.lock().map(|input| input.clone()).unwrap_or_default();
        let path = folder.join(format!("{name}-{}", std::process::id()));
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, &input));
        eprintln!("{panic}\nthe input is in {}: {written:?}", path.display());
        std::process::abort();
    }));
}

/// The inputs that are kept for a target, in an order that is always the same.
fn kept(root: &Path, name: &str) -> Vec<Vec<u8>> {
    let mut folders = vec![root.join("corpus").join(name)];
    match name {
        "journal" => folders.push(root.join("../crates/compensation/tests/journals/v1")),
        "saga_file" => folders.push(root.join("../examples")),
        _ => {}
    }
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a directory of inputs") {
            let path = entry.expect("an entry").path();
            let is_file_of_examples = path.extension().is_some_and(|end| end == "yaml");
            if path.is_dir() {
                folders.push(path);
            } else if !path.starts_with(root.join("../examples")) || is_file_of_examples {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).expect("an input")).collect()
}
