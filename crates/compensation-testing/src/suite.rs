//! What the suites for stores share: tests with names, each with an empty store and a runtime of its own.

use std::{future::Future, pin::Pin};

use libtest_mimic::Trial;

/// A test, and what it is called.
pub(crate) type Named<K> = (&'static str, fn(K) -> Pin<Box<dyn Future<Output = ()>>>);

/// The tests of a suite; `make` makes what each is given.
pub(crate) fn trials<K: 'static>(
    store: &str,
    tests: &[&[Named<K>]],
    make: impl Fn() -> K + Clone + Send + 'static,
) -> Vec<Trial> {
    let trial = |&(name, test): &Named<K>| {
        let make = make.clone();
        Trial::test(format!("{store}::{name}"), move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            let kit = make();
            runtime.block_on(test(kit));
            Ok(())
        })
    };
    tests.iter().copied().flatten().map(trial).collect()
}

/// Names and wraps the tests of a file. `Kit` is what they are given.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(super) const TESTS: &[$crate::suite::Named<Kit>] =
            &[$((stringify!($name), |kit| Box::pin($name(kit)))),*];
    };
}
pub(crate) use tests;
