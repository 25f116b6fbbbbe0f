//! Sagas.
pub mod error;
pub mod event;
pub mod id;
pub mod clock;
pub mod machine;
pub mod repository;
pub mod retry;
pub mod status;
pub use error::*; pub use id::*; pub use status::*; pub use clock::Timestamp; pub use retry::*;
