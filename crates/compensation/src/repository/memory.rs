//! Placeholder.
/// x
#[derive(Debug)]
pub struct MemoryRepository;
