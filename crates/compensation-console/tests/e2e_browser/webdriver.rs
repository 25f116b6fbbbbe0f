//! The part of the WebDriver protocol that these tests need: JSON over HTTP, to ChromeDriver on this machine. (The
//! crates for it switch a feature of `serde_json` on, for the whole workspace, that changes what programs write.)

use std::{process::Stdio, sync::Arc};

use axum::{
    body::Bytes,
    http::{Method, Request},
};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
};

/// The name that the protocol has for a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

const MISSING: &str = "these tests need Chromium and its driver: on Debian, \
                       `apt-get install chromium chromium-driver`";

/// How often a driver is started that finds no port.
const STARTS: usize = 8;

const FLAGS: [&str; 11] = [
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
];

/// A browser of its own, with an empty profile.
pub(crate) struct Session {
    line: Line,
    process: Child,
    // Dropped last.
    _profile: TempDir,
}

/// The way to a session.
#[derive(Clone)]
struct Line {
    client: Client<HttpConnector, Full<Bytes>>,
    base: Arc<str>,
}

/// An element of a page.
pub(crate) struct Element {
    line: Line,
    id: String,
}

/// What the driver says when it does not do something; the page may just be changing.
pub(crate) type Answer<T> = Result<T, String>;

impl Session {
    pub(crate) async fn open() -> Self {
        let profile = tempfile::tempdir().expect("a temporary directory");
        let (process, port) = start_driver().await;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let driver = Line { client, base: format!("http://127.0.0.1:{port}").into() };
        let folder = format!("--user-data-dir={}", profile.path().display());
        let flags: Vec<_> = FLAGS.into_iter().chain([folder.as_str()]).collect();
        let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": { "args": flags } });
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let opened = driver.post("/session", &wanted).await;
        let opened = opened.unwrap_or_else(|error| panic!("Chromium: {error}: {MISSING}"));
        let session = opened["sessionId"].as_str().expect("a session");
        let base = format!("{}/session/{session}", driver.base).into();
        Self { line: Line { base, ..driver }, process, _profile: profile }
    }

    pub(crate) async fn close(mut self) {
        // It may have ended by itself.
        let _ = self.line.call(Method::DELETE, "", None).await;
        let _ = self.process.kill().await;
    }

    pub(crate) async fn go(&self, url: &str) -> Answer<()> {
        self.line.post("/url", &json!({ "url": url })).await.map(drop)
    }

    pub(crate) async fn title(&self) -> Answer<String> {
        self.line.get("/title").await.map(|title| text(&title))
    }

    pub(crate) async fn find(&self, using: &str, value: &str) -> Answer<Element> {
        let asked = json!({ "using": using, "value": value });
        let found = self.line.post("/element", &asked).await?;
        Ok(self.element(&found))
    }

    pub(crate) async fn count(&self, css: &str) -> Answer<usize> {
        let asked = json!({ "using": "css selector", "value": css });
        let found = self.line.post("/elements", &asked).await?;
        Ok(found.as_array().map_or(0, Vec::len))
    }

    pub(crate) async fn active(&self) -> Answer<Element> {
        Ok(self.element(&self.line.get("/element/active").await?))
    }

    pub(crate) async fn enter_frame(&self, frame: &Element) -> Answer<()> {
        let id = json!({ "id": { ELEMENT: frame.id } });
        self.line.post("/frame", &id).await.map(drop)
    }

    /// What a script returns; a promise is waited for.
    pub(crate) async fn script(&self, script: &str) -> Answer<Value> {
        self.line.post("/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// A command of the DevTools.
    pub(crate) async fn devtools(&self, command: &str, given: &Value) -> Answer<Value> {
        let asked = json!({ "cmd": command, "params": given });
        self.line.post("/goog/cdp/execute", &asked).await
    }

    fn element(&self, found: &Value) -> Element {
        Element { line: self.line.clone(), id: text(&found[ELEMENT]) }
    }
}

impl Element {
    pub(crate) async fn text(&self) -> Answer<String> {
        self.line.get(&format!("/element/{}/text", self.id)).await.map(|told| text(&told))
    }

    pub(crate) async fn click(&self) -> Answer<()> {
        self.order("click", &json!({})).await
    }

    pub(crate) async fn clear(&self) -> Answer<()> {
        self.order("clear", &json!({})).await
    }

    pub(crate) async fn type_in(&self, text: &str) -> Answer<()> {
        self.order("value", &json!({ "text": text })).await
    }

    async fn order(&self, what: &str, given: &Value) -> Answer<()> {
        self.line.post(&format!("/element/{}/{what}", self.id), given).await.map(drop)
    }
}

impl Line {
    async fn get(&self, path: &str) -> Answer<Value> {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, given: &Value) -> Answer<Value> {
        self.call(Method::POST, path, Some(given)).await
    }

    async fn call(&self, method: Method, path: &str, given: Option<&Value>) -> Answer<Value> {
        fn said(error: &impl ToString) -> String {
            error.to_string()
        }
        let body = given.map(Value::to_string).unwrap_or_default();
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json; charset=utf-8");
        let request = request.body(Full::from(body)).map_err(|error| said(&error))?;
        let answer = self.client.request(request).await.map_err(|error| said(&error))?;
        let good = answer.status().is_success();
        let bytes = answer.into_body().collect().await.map_err(|error| said(&error))?.to_bytes();
        let mut told: Value = serde_json::from_slice(&bytes).map_err(|error| said(&error))?;
        let value = told["value"].take();
        if good { Ok(value) } else { Err(text(&value["message"])) }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The driver chooses a free port of one protocol family, and ends where another one has taken it of the other
/// meanwhile. Then it is asked again.
async fn start_driver() -> (Child, u16) {
    for _ in 0..STARTS {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver: {error}: {MISSING}"));
        if let Some(port) = port(process.stdout.take().expect("piped")).await {
            return (process, port);
        }
    }
    panic!("chromedriver said no port {STARTS} times: {MISSING}")
}

/// Where the driver listens; `None` where it has ended without saying so.
async fn port(said: ChildStdout) -> Option<u16> {
    let mut lines = BufReader::new(said).lines();
    while let Some(line) = lines.next_line().await.expect("readable") {
        let (_, port) = line.rsplit_once("on port ").unwrap_or_default();
        let port = port.trim_end_matches('.').parse();
        if let (true, Ok(port)) = (line.contains("successfully"), port) {
            // It goes on talking, and must not be blocked by that.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some(port);
        }
    }
    None
}
