//! Numbers that tell how sagas fare, for Prometheus and for OpenTelemetry; and word of every saga that parks.
//!
//! [`Metrics`] counts what an [`Engine`](compensation::Engine) tells its observers, measures what its store
//! takes, and looks at the store for what only that knows: how many sagas stand how, and since when the
//! oldest is half-done. [`METRICS`] lists all of them. Nothing of it holds the engine up.
//!
//! ```
//! use std::sync::Arc;
//! use compensation::{Engine, Saga, SagaId, StepContext, StepError, repository::MemoryRepository};
//! use compensation_metrics::Metrics;
//!
//! # async fn greet(_: StepContext<()>) -> Result<(), StepError> { Ok(()) }
//! # let mut greeting = Saga::<()>::builder("greeting");
//! # greeting.step("greet", greet).no_undo("words can't be taken back").add();
//! # let greeting = greeting.build()?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let metrics = Metrics::new();
//! let store = metrics.time(Arc::new(MemoryRepository::new()));
//! let engine = Engine::open_shared(store).register(greeting).start().await?;
//! let watching = metrics.watch(&engine); // counts until it is dropped
//!
//! let _ = engine.run("greeting", SagaId::new("first")?, &()).await?;
//! # watching.caught_up().await;
//! let text = metrics.scrape(&engine).await?; // what GET /metrics answers
//! assert!(text.contains("compensation_sagas_started_total{saga=\"greeting\"} 1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For OpenTelemetry: [`Metrics::with_meter`]. For a person who must know of each saga that is stuck:
//! [`Parks`].

mod clock;
mod list;
mod meter;
mod metrics;
mod parks;
mod prometheus;
mod store;
mod watch;

pub use list::{Kind, METRICS, Metric};
pub use metrics::{CONTENT_TYPE, MAX_SAGAS, Metrics};
pub use parks::{Park, Parks};
pub use watch::Watching;
