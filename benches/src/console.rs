//! The console among a million sagas: how long each page takes while an engine runs 5,000 sagas a second on the same
//! file, and what that costs the engine, beside the same engine with nobody looking.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, http::Request};
use compensation::Engine;
use compensation_console::{Options, router};
use compensation_metrics::Metrics;
use compensation_sqlite::SqliteRepository;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::{
    Plan,
    million::{Load, PACE, fill, slowing, took},
    sagas::saga,
    table::Table,
};

/// Pages a second that are looked at in the rounds of load.
const LOOKS: u64 = 10;

pub(crate) fn measure(plan: &Plan) -> Table {
    let mut table = Table::new("Console", &["what", "figure", "yardstick", "ratio"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = plan.folder();
    let path = folder.path().join("full.db");
    runtime.block_on(async {
        let worker = fill(&path, plan).await;
        let console = Console::open(&path).await;
        let load = Load::begin(&worker, plan.scale(PACE));
        for (name, page) in PAGES {
            let mut times = Vec::new();
            for _ in 0..plan.scale(100).max(5) {
                times.push(console.time(page).await);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            took(&mut table, name, times);
        }
        drop(load);
        let used = format!("{LOOKS} pages/s are looked at");
        slowing(&mut table, &worker, plan, &used, async |span| look(&console, span).await).await;
        worker.drain().await;
    });
    table
}

const PAGES: [(&str, &str); 14] = [
    ("overview", "/"),
    ("list, first page", "/list"),
    ("list, oldest first", "/list?oldest=yes"),
    ("list, running", "/list?status=running"),
    ("list, stuck", "/list?status=stuck"),
    (
        "list, completed and compensated, oldest first",
        "/list?status=completed&status=compensated&oldest=yes",
    ),
    ("list, a rare definition", "/list?name=rare"),
    ("list, a text that many have", "/list?text=stuck-1"),
    ("list, a text that nobody has", "/list?text=nobody-has-this"),
    ("saga", "/saga?id=stuck-7"),
    ("preview of a retry", "/order?id=stuck-7&verb=retry&step=car"),
    ("order to many, all stuck ones", "/many?verb=retry&status=stuck"),
    ("order to many, parked at a step", "/many?verb=skip&step=car"),
    ("order to many, a rare definition", "/many?verb=abandon&name=rare"),
];

struct Console {
    router: Router,
    metrics: Metrics,
    engine: Engine,
}

impl Console {
    /// On the file as another process would open it.
    async fn open(path: &Path) -> Self {
        let metrics = Metrics::new();
        let store = Arc::new(SqliteRepository::open_existing(path).expect("a store"));
        let engine = Engine::open_shared(metrics.time(store)).register(saga()).without_recovery();
        let engine = engine.start().await.expect("a start");
        Self { router: router(engine.clone(), Options::new()), metrics, engine }
    }

    /// How long a page takes, in milliseconds.
    async fn time(&self, page: &str) -> f64 {
        let request = Request::get(page).header("host", "localhost").body(Body::empty());
        let start = Instant::now();
        let asked = self.router.clone().oneshot(request.expect("a request")).await;
        let answer = asked.expect("a router never fails");
        assert!(answer.status().is_success(), "{page}: {}", answer.status());
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        let taken = start.elapsed().as_secs_f64() * 1_000.0;
        assert!(bytes.len() > 1_000, "{page} is empty");
        taken
    }
}

/// Looks at every page in turn, and at the metrics, for that long.
async fn look(console: &Console, span: Duration) {
    let since = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(1_000 / LOOKS));
    for (_, page) in PAGES.iter().cycle() {
        if since.elapsed() >= span {
            return;
        }
        ticks.tick().await;
        console.time(page).await;
        if *page == "/" {
            console.metrics.look(&console.engine).await.expect("a store");
        }
    }
}
