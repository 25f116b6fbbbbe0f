//! The memory store keeps the contract of stores.

use std::{process::ExitCode, sync::Arc};

use compensation::repository::{MemoryRepository, Repository};
use compensation_testing::conformance::{self, Fixture};

struct InMemory(MemoryRepository);

impl Fixture for InMemory {
    fn owner(&self) -> Arc<dyn Repository> {
        Arc::new(self.0.another_owner())
    }
}

fn main() -> ExitCode {
    conformance::run("memory", || InMemory(MemoryRepository::new()))
}
