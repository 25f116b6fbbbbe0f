//! A headless Chromium of the test's own, driven by ChromeDriver, and a console for it to look at.

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use compensation::Engine;
use compensation_console::{Options, router};
use serde_json::json;
use tempfile::TempDir;
use thirtyfour::prelude::*;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// How long a page may take to show something: a browser on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(20);

const MISSING: &str = "these tests need Chromium and its driver: on Debian, \
                       `apt-get install chromium chromium-driver`";

pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
    process: Child,
    // Dropped last.
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn open() -> Self {
        let profile = tempfile::tempdir().expect("a temporary directory");
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver: {error}: {MISSING}"));
        let said = process.stdout.take().expect("piped");
        let port = port(said).await;
        let mut wanted = DesiredCapabilities::chrome();
        let folder = format!("--user-data-dir={}", profile.path().display());
        for flag in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
            &folder,
        ] {
            wanted.add_arg(flag).expect("a flag");
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await;
        let driver = driver.unwrap_or_else(|error| panic!("Chromium: {error}: {MISSING}"));
        Self { driver, process, _profile: profile }
    }

    pub(crate) async fn close(mut self) {
        let _ = self.driver.quit().await;
        let _ = self.process.kill().await;
    }

    pub(crate) async fn go(&self, url: &str) {
        self.driver.goto(url).await.expect("a page");
    }

    /// The text of the page.
    pub(crate) async fn text(&self) -> String {
        // The page may be changing under our hands.
        loop {
            let Ok(body) = self.driver.find(By::Css("body")).await else { continue };
            if let Ok(text) = body.text().await {
                return text;
            }
        }
    }

    /// Waits until the page says something.
    #[track_caller]
    pub(crate) fn says<'a>(&'a self, text: &'a str) -> impl Future<Output = ()> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let since = Instant::now();
            while !self.text().await.contains(text) {
                let page = self.text().await;
                assert!(since.elapsed() < PATIENCE, "{place}: no `{text}` in\n{page}");
                tokio::task::yield_now().await;
            }
        }
    }

    pub(crate) async fn find(&self, css: &str) -> WebElement {
        let found = self.driver.query(By::Css(css)).wait(PATIENCE, Duration::from_millis(50));
        found.first().await.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    pub(crate) async fn has(&self, css: &str) -> bool {
        !self.driver.find_all(By::Css(css)).await.expect("a page").is_empty()
    }

    /// Follows the link, or presses the button, that says so.
    pub(crate) async fn press(&self, label: &str) {
        let path = format!("//*[self::a or self::button][normalize-space(.)='{label}']");
        let found = self.driver.query(By::XPath(&path)).wait(PATIENCE, Duration::from_millis(50));
        let found = found.first().await.unwrap_or_else(|error| panic!("{label}: {error}"));
        found.click().await.expect("it can be pressed");
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    pub(crate) async fn cdp(&self, command: &str, given: serde_json::Value) -> serde_json::Value {
        let told = self.driver.cdp().send_raw(command, given).await;
        told.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Whether scripts run.
    pub(crate) async fn scripts(&self, run: bool) {
        self.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": !run })).await;
    }

    /// How the next pages look: light or dark, and how wide.
    pub(crate) async fn look(&self, dark: bool, width: u32, height: u32) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.cdp("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Keeps a picture of the page, where COMPENSATION_SCREENSHOTS names a folder for them.
    pub(crate) async fn keep(&self, name: &str) {
        let png = self.driver.screenshot_as_png().await.expect("a picture");
        assert!(png.starts_with(b"\x89PNG"));
        if let Some(folder) = std::env::var_os("COMPENSATION_SCREENSHOTS") {
            std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), png)
                .expect("writable");
        }
    }
}

async fn port(said: tokio::process::ChildStdout) -> u16 {
    let mut lines = BufReader::new(said).lines();
    while let Some(line) = lines.next_line().await.expect("readable") {
        let (_, port) = line.rsplit_once("on port ").unwrap_or_default();
        if let (true, Ok(port)) =
            (line.contains("successfully"), port.trim_end_matches('.').parse())
        {
            // It goes on talking, and must not be blocked by that.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return port;
        }
    }
    panic!("chromedriver said no port: {MISSING}")
}

/// Serves a console on a free port of this machine. Returns where.
pub(crate) async fn serve(engine: Engine, options: Options) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router(engine, options)).await });
    format!("http://{address}")
}
