//! The rules of the machine, one saga and one story each, by subject. How they are written:
//! `machine/text.rs`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod machine;

#[path = "machine/rules/backward.rs"]
mod backward;
#[path = "machine/rules/forward.rs"]
mod forward;
#[path = "machine/rules/graph.rs"]
mod graph;
#[path = "machine/rules/orders.rs"]
mod orders;
#[path = "machine/rules/pivot.rs"]
mod pivot;
#[path = "machine/rules/refusal.rs"]
mod refusal;
#[path = "machine/rules/undo_failure.rs"]
mod undo_failure;
#[path = "machine/rules/unknown.rs"]
mod unknown;
