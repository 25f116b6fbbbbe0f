//! The console in a real browser: reading, orders with their previews, word of what happens, and attacks.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod attacks;
mod driver;
mod many;
mod operating;
mod pictures;
#[path = "../stage/mod.rs"]
mod stage;
mod webdriver;
