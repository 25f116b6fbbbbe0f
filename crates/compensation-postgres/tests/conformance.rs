//! The PostgreSQL store keeps the contract of stores.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod base;

use std::{process::ExitCode, sync::Arc};

use base::Base;
use compensation::repository::Repository;
use compensation_testing::conformance::{self, Fixture};

struct InSchema(Base);

impl Fixture for InSchema {
    fn owner(&self) -> Arc<dyn Repository> {
        let store = base::alone(self.0.options().open(&self.0.url())).expect("a store");
        Arc::new(store)
    }
}

fn main() -> ExitCode {
    conformance::run("postgres", || InSchema(Base::new()))
}
