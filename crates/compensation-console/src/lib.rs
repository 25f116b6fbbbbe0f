//! A web console for the operators of sagas: what is stuck and why, what was done and undone, and the orders
//! that mend it, each with a preview.
//!
//! [`router`] is an axum router over an [`Engine`]; a program mounts it, and the command
//! line serves it as `compensation serve`. Pages are made on the server, have no foreign parts, and work without
//! JavaScript; with it they follow what happens.
//!
//! ```
//! use compensation::{Engine, repository::MemoryRepository};
//! use compensation_console::{Options, router};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let engine = Engine::open(MemoryRepository::new()).start().await?;
//! let app = axum::Router::new().nest("/sagas", router(engine, Options::new().at("/sagas")));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let serve = async {
//! axum::serve(listener, app).await
//! # };
//! # drop(serve);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Who may see it
//! By default it answers only requests to `localhost`, `127.0.0.1` and `[::1]`, whatever address the program
//! listens on: so a page in the same browser can't reach it under a name of its own. [`Options::open_to`] names
//! further hosts, and demands to say how people are told apart: by a token, or by the program that mounts it.
//! Every change needs a token of the form, and must come from the console's own pages.

mod assets;
mod cells;
mod clock;
mod cookie;
mod forms;
pub mod graph;
mod guard;
mod live;
mod options;
mod pages;
mod problem;
mod rates;
mod secret;
mod sessions;
mod shown;
mod state;
mod text;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use compensation::Engine;

pub use guard::MAX_FORM_BYTES;
pub use options::{Access, Options};
pub use secret::{Token, WeakToken};
pub use sessions::MAX_SESSIONS;
use state::State;

/// The console over that engine. Sagas that it orders to go on are driven by this engine, or by whichever has
/// them.
pub fn router(engine: Engine, options: Options) -> Router {
    router_with(engine, options, Router::new())
}

/// The same with further routes behind the same guard, such as `/metrics`.
pub fn router_with(engine: Engine, options: Options, more: Router) -> Router {
    let state = Arc::new(State::new(engine, options));
    state.begin();
    let mut pages = Router::new()
        .route("/", get(pages::overview::show))
        .route("/list", get(pages::list::show))
        .route("/saga", get(pages::saga::show))
        .route("/live", get(live::events))
        .route("/login", get(pages::login::show).post(pages::login::enter))
        .route("/logout", post(pages::login::leave))
        .route("/console.css", get(assets::style))
        .route("/live.js", get(assets::script))
        .route("/icon.svg", get(assets::icon));
    if !state.options.read_only {
        pages = pages
            .route("/order", get(pages::order::show).post(pages::order::give))
            .route("/many", get(pages::many::show).post(pages::many::give));
    }
    pages
        .fallback(problem::no_such_page)
        .with_state(state.clone())
        .merge(more)
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(middleware::from_fn_with_state(state, guard::guard))
}
