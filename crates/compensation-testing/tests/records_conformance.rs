//! Records in memory keep the contract of repositories of records.

use std::{process::ExitCode, sync::Arc};

use compensation::records::{MemoryRecords, RecordRepository};
use compensation_testing::records::{self, Fixture};

struct InMemory(MemoryRecords);

impl Fixture for InMemory {
    fn open(&self) -> Arc<dyn RecordRepository> {
        Arc::new(self.0.clone())
    }
}

fn main() -> ExitCode {
    records::run("memory", || InMemory(MemoryRecords::new()))
}
