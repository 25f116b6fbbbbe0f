//! `worker` and `run --temporal` in a program that was built without them.

use super::Context;
use crate::{
    args,
    error::{Error, Exit},
};

fn absent() -> Error {
    Error::input(
        "this program was built without Temporal: in a clone of its repository, install it with `cargo install \
         --path crates/compensation-cli --features temporal`",
    )
}

pub(super) async fn worker(_: &Context, _: args::Worker) -> Result<Exit, Error> {
    Err(absent())
}

pub(super) async fn run(_: &Context, _: &str, _: args::Run) -> Result<Exit, Error> {
    Err(absent())
}
