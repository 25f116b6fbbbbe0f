//! Compiles and runs what [the guide](guide) shows. Its longer recipes are in `docs/tests`.

#[doc = include_str!("../guide.md")]
pub mod guide {}
