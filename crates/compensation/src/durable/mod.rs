//! Durable sagas: an engine that drives them on a store, and finishes what dead processes left.
//!
//! What is written before what: the start with the whole plan and the first attempt's start in one
//! write; then one write a step, its result and the next step's start together; the last result and the
//! end together. Nothing runs before its start is durable, and no caller hears of an end that is not.

mod control;
mod engine;
mod error;
mod history;
mod journal;
mod mail;
mod many;
mod mask;
mod notice;
mod open;
mod prepare;
mod preview;
mod record;
mod records;
mod recovery;
mod registry;
mod runner;
mod table;
mod takes;
mod target;

pub use engine::{Engine, MAX_INPUT_BYTES};
pub use error::{EngineError, Refusal};
pub use history::{Happening, History};
pub use many::{Given, MAX_SELECTED, Selection, Targets};
pub use mask::Mask;
pub use notice::{News, Notice};
pub use open::EngineBuilder;
pub use preview::{Preview, UndoPreview};
pub use records::{SagaRecordPage, SagaRecordQuery, SagaRecords};
pub use target::{Expected, Target, Verb};
