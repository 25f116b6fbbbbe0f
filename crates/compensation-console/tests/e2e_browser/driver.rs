//! A browser that a test looks at a console with, and that console.

use std::{
    panic::Location,
    path::PathBuf,
    time::{Duration, Instant},
};

use compensation::Engine;
use compensation_console::{Options, router};
use serde_json::{Value, json};

use crate::webdriver::{Answer, Element, Session};

/// How long a page may take to show something: a browser on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Browser(Session);

impl Browser {
    pub(crate) async fn open() -> Self {
        Self(Session::open().await)
    }

    pub(crate) async fn close(self) {
        self.0.close().await;
    }

    pub(crate) async fn go(&self, url: &str) {
        self.0.go(url).await.expect("a page");
    }

    pub(crate) async fn title(&self) -> String {
        self.0.title().await.expect("a title")
    }

    /// The text of the page.
    pub(crate) async fn text(&self) -> String {
        self.patiently("a page", async || self.0.find("css selector", "body").await?.text().await)
            .await
    }

    /// Asks again until it is answered: the page may be changing under our hands.
    async fn patiently<T>(&self, what: &str, ask: impl AsyncFn() -> Answer<T>) -> T {
        let since = Instant::now();
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => assert!(since.elapsed() < PATIENCE, "{what}: {error}"),
            }
        }
    }

    /// Waits until the page says something.
    #[track_caller]
    pub(crate) fn says<'a>(&'a self, text: &'a str) -> impl Future<Output = ()> + 'a {
        let place = Location::caller();
        async move {
            let since = Instant::now();
            loop {
                let page = self.text().await;
                if page.contains(text) {
                    return;
                }
                assert!(since.elapsed() < PATIENCE, "{place}: no `{text}` in\n{page}");
            }
        }
    }

    async fn find(&self, css: &str) -> Element {
        self.patiently(css, async || self.0.find("css selector", css).await).await
    }

    /// How many such elements there are now.
    pub(crate) async fn count(&self, css: &str) -> usize {
        self.0.count(css).await.expect("a page")
    }

    /// Presses what is there, once it is.
    pub(crate) async fn click(&self, css: &str) {
        self.patiently(css, async || self.0.find("css selector", css).await?.click().await).await;
    }

    /// Follows the link, or presses the button, that says so.
    pub(crate) async fn press(&self, label: &str) {
        let path = format!("//*[self::a or self::button][normalize-space(.)='{label}']");
        self.patiently(label, async || self.0.find("xpath", &path).await?.click().await).await;
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.expect("a field");
        field.type_in(text).await.expect("a field");
    }

    /// The text of a part of the page.
    pub(crate) async fn part(&self, css: &str) -> String {
        self.patiently(css, async || self.0.find("css selector", css).await?.text().await).await
    }

    /// Goes on to what the key for it leads to, and tells the text of that.
    pub(crate) async fn tab(&self) -> String {
        let active = self.0.active().await.expect("a focus");
        active.type_in("\u{e004}").await.expect("a key");
        self.0.active().await.expect("a focus").text().await.unwrap_or_default()
    }

    /// Presses keys where the focus is.
    pub(crate) async fn key(&self, keys: &str) {
        let active = self.0.active().await.expect("a focus");
        active.type_in(keys).await.expect("keys");
    }

    pub(crate) async fn enter_frame(&self, css: &str) {
        let frame = self.find(css).await;
        self.0.enter_frame(&frame).await.expect("a frame");
    }

    /// What a script returns.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.0.script(script).await.expect("a result")
    }

    async fn devtools(&self, command: &str, given: &Value) -> Value {
        let told = self.0.devtools(command, given).await;
        told.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Pages run no scripts from now on.
    pub(crate) async fn without_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": true })).await;
    }

    /// How the next pages look: light or dark, and how wide.
    pub(crate) async fn look(&self, dark: bool, width: u32, height: u32) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features })).await;
        let mobile = width < 500;
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", &size).await;
    }

    /// Keeps a picture of the page, where COMPENSATION_SCREENSHOTS names a folder for them.
    pub(crate) async fn keep(&self, name: &str) {
        let picture = self.devtools("Page.captureScreenshot", &json!({ "format": "png" })).await;
        let picture = picture["data"].as_str().expect("a picture");
        assert!(picture.starts_with("iVBOR"), "a PNG in base 64");
        let Some(folder) = std::env::var_os("COMPENSATION_SCREENSHOTS") else { return };
        let file = std::fs::File::create(PathBuf::from(folder).join(format!("{name}.png")));
        let mut decoder = std::process::Command::new("base64")
            .arg("-d")
            .stdin(std::process::Stdio::piped())
            .stdout(file.expect("writable"))
            .spawn()
            .expect("base64 is there");
        let mut into = decoder.stdin.take().expect("piped");
        std::io::Write::write_all(&mut into, picture.as_bytes()).expect("it reads");
        drop(into);
        assert!(decoder.wait().expect("it ends").success());
    }
}

/// Serves a console on a free port of this machine. Returns where.
pub(crate) async fn serve(engine: Engine, options: Options) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router(engine, options)).await });
    format!("http://{address}")
}
