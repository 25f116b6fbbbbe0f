//! Records in a PostgreSQL database keep the contract of repositories of records.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod base;

use std::{process::ExitCode, sync::Arc};

use base::Base;
use compensation::records::RecordRepository;
use compensation_testing::records::{self, Fixture};

struct InSchema(Base);

impl Fixture for InSchema {
    fn open(&self) -> Arc<dyn RecordRepository> {
        let records = base::alone(self.0.options().open_records(&self.0.url())).expect("records");
        Arc::new(records)
    }
}

fn main() -> ExitCode {
    records::run("postgres", || InSchema(Base::new()))
}
