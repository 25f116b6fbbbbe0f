//! HTTP requests. One connection a request, so that a connection that the server has just closed is never
//! taken for a lost reply; redirects are not followed.

use std::{sync::OnceLock, time::Duration};

use reqwest::{
    Client, Method, Response, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use serde_json::Value;

use super::{Failed, pipes};
use crate::file::{Body, Http, Template, percent};

/// The longest that connecting may take, within the time limit of the attempt.
const CONNECT: Duration = Duration::from_secs(10);

/// How much of an answer that tells of a failure is kept.
const COMPLAINT_BYTES: usize = 7 * 1024;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request ready to be sent, once its names have values.
#[derive(Debug)]
pub(crate) struct Request {
    method: Method,
    url: Template,
    headers: Vec<(HeaderName, Template)>,
    body: Content,
    /// Statuses that mean success, beside 2xx.
    done: Vec<u16>,
}

#[derive(Debug)]
enum Content {
    Empty,
    Text(Template),
    Json(Json),
}

/// JSON whose strings are templates.
#[derive(Debug)]
enum Json {
    Plain(Value),
    Text(Template),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

/// What an attempt knows: values by name, and its idempotency key.
pub(super) struct Told<'a> {
    pub(super) value: &'a (dyn Fn(&str) -> Option<String> + Send + Sync),
    pub(super) key: &'a str,
}

impl Request {
    pub(super) fn prepare(written: &Http) -> Result<Self, String> {
        let method = written.method.as_str();
        let upper = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        let method =
            Method::from_bytes(method.as_bytes()).ok().filter(|_| upper).ok_or_else(|| {
                format!("`{method}` is no HTTP method: write it in capitals, such as POST")
            })?;
        check_scheme(&written.url)?;
        let url = Template::parse(&written.url)?;
        let headers = written.headers.iter().map(|(name, value)| {
            let known = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("`{name}` is no name for a header"))?;
            Ok((known, Template::parse(value)?))
        });
        let body = match &written.body {
            Body::Empty => Content::Empty,
            Body::Text(text) => Content::Text(Template::parse(text)?),
            Body::Json(value) => Content::Json(Json::prepare(value)?),
        };
        let headers = headers.collect::<Result<_, String>>()?;
        Ok(Self { method, url, headers, body, done: written.done.clone() })
    }

    pub(super) fn templates(&self) -> Vec<&Template> {
        let mut templates = vec![&self.url];
        templates.extend(self.headers.iter().map(|(_, value)| value));
        match &self.body {
            Content::Empty => {}
            Content::Text(text) => templates.push(text),
            Content::Json(json) => json.templates(&mut templates),
        }
        templates
    }

    /// Sends it and returns the body of the answer; `limit` is how long that may be, and without a limit
    /// it is thrown away.
    pub(super) async fn send(
        &self,
        client: &OnceLock<Client>,
        told: &Told<'_>,
        limit: Option<usize>,
    ) -> Result<Vec<u8>, Failed> {
        let request = self.request(told)?;
        let what = self.what();
        let client = open(client).map_err(|error| Failed::NotStarted {
            message: format!("{what}: {}", explain(error)),
            retryable: true,
        })?;
        let answer = client.execute(request).await.map_err(|error| {
            let cannot_connect = error.is_connect() || error.is_builder();
            let message = format!("{what}: {}", explain(error));
            match cannot_connect {
                true => Failed::NotStarted { message, retryable: true },
                false => Failed::Lost(message),
            }
        })?;
        let status = answer.status();
        if status.is_success() || self.done.contains(&status.as_u16()) {
            return match limit {
                Some(limit) => body(answer, limit, &what).await,
                None => Ok(Vec::new()),
            };
        }
        let hint = if status.is_redirection() { " (redirects are not followed)" } else { "" };
        let said = complaint(answer).await;
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let message = format!("{what}: answered {status}{hint}{said}");
        Err(Failed::Ended { code: status.as_u16(), message })
    }

    /// For people. With the names in it, not their values: these may be secret.
    fn what(&self) -> String {
        format!("{} {}", self.method, self.url.text())
    }

    fn request(&self, told: &Told<'_>) -> Result<reqwest::Request, Failed> {
        let url = render(&self.url, &|name| (told.value)(name).map(|value| percent(&value)))?;
        if has_dot_segment(&url) {
            let message = format!(
                "{}: a value gives the path a `.` or `..`, which would lead elsewhere",
                self.what()
            );
            return Err(Failed::never(message));
        }
        let url = Url::parse(&url).map_err(|error| {
            Failed::never(format!("{}: this gives no URL: {error}", self.what()))
        })?;
        let mut request = reqwest::Request::new(self.method.clone(), url);
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name, header(name, &render(value, told.value)?)?);
        }
        if !headers.contains_key(KEY) {
            headers.insert(KEY, header(&KEY, told.key)?);
        }
        match &self.body {
            Content::Empty => {}
            Content::Text(text) => *request.body_mut() = Some(render(text, told.value)?.into()),
            Content::Json(json) => {
                *request.body_mut() = Some(json.render(told.value)?.to_string().into());
                let json = HeaderValue::from_static("application/json");
                headers.entry(CONTENT_TYPE).or_insert(json);
            }
        }
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn check_scheme(url: &str) -> Result<(), String> {
    match ["http://", "https://"].iter().any(|start| url.starts_with(start)) {
        true => Ok(()),
        false => Err(format!("the URL `{url}` must begin with http:// or https://")),
    }
}

/// What is wrong with a URL that has no names in it, if anything is.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    check_scheme(url)?;
    Url::parse(url).map(drop).map_err(|error| format!("`{url}` is no URL: {error}"))
}

/// Posts JSON; any answer but 2xx is a failure.
pub(super) async fn post(
    client: &OnceLock<Client>,
    url: &str,
    key: &str,
    json: String,
) -> Result<(), Failed> {
    let failed = |error| Failed::Lost(format!("POST: {}", explain(error)));
    let client = open(client).map_err(failed)?;
    let request = client.post(url).header(KEY, key).header(CONTENT_TYPE, "application/json");
    let answer = request.body(json).send().await.map_err(failed)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let message = format!("POST: answered {status}: {}", complaint(answer).await);
    Err(Failed::Ended { code: status.as_u16(), message })
}

impl Json {
    fn prepare(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::Text(Template::parse(text)?),
            Value::Array(items) => {
                Self::List(items.iter().map(Self::prepare).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let field = |(key, value): (&String, &Value)| {
                    Ok::<_, String>((key.clone(), Self::prepare(value)?))
                };
                Self::Map(fields.iter().map(field).collect::<Result<_, _>>()?)
            }
            plain => Self::Plain(plain.clone()),
        })
    }

    fn templates<'a>(&'a self, into: &mut Vec<&'a Template>) {
        match self {
            Self::Plain(_) => {}
            Self::Text(text) => into.push(text),
            Self::List(items) => items.iter().for_each(|item| item.templates(into)),
            Self::Map(fields) => fields.iter().for_each(|(_, value)| value.templates(into)),
        }
    }

    fn render(&self, value: &dyn Fn(&str) -> Option<String>) -> Result<Value, Failed> {
        Ok(match self {
            Self::Plain(plain) => plain.clone(),
            Self::Text(text) => Value::String(render(text, value)?),
            Self::List(items) => {
                let items = items.iter().map(|item| item.render(value));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Map(fields) => {
                let fields =
                    fields.iter().map(|(key, item)| Ok((key.clone(), item.render(value)?)));
                Value::Object(fields.collect::<Result<_, Failed>>()?)
            }
        })
    }
}

fn render(template: &Template, value: &dyn Fn(&str) -> Option<String>) -> Result<String, Failed> {
    template.render(value).map_err(|name| {
        Failed::never(format!(
            "${name} has no value here: a secret that is not set, or the output of a step that nobody \
             knows to be done"
        ))
    })
}

fn header(name: &HeaderName, value: &str) -> Result<HeaderValue, Failed> {
    HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| Failed::never(format!("the header {name} would hold a control character")))
}

/// Whether a path has a `.` or `..`, in any spelling that a URL reader takes for one.
fn has_dot_segment(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).skip(3).any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    })
}

async fn body(mut answer: Response, limit: usize, what: &str) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(None) => return Ok(bytes),
            Ok(Some(chunk)) if bytes.len() + chunk.len() > limit => {
                return Err(Failed::Unusable(format!(
                    "{what}: the answer is longer than {limit} bytes: at most that much is kept as \
                     its output (`output: none` keeps nothing)"
                )));
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Err(error) => return Err(Failed::Lost(format!("{what}: {}", explain(error)))),
        }
    }
}

/// The beginning of what the server says about a failure.
async fn complaint(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while let (Ok(Some(chunk)), true) = (answer.chunk().await, bytes.len() < COMPLAINT_BYTES) {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(COMPLAINT_BYTES);
    pipes::last(String::from_utf8_lossy(&bytes).trim(), COMPLAINT_BYTES).to_owned()
}

/// An error with its causes, and without the URL, which may hold secrets.
fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// The one client of this process.
fn open(client: &OnceLock<Client>) -> Result<&Client, reqwest::Error> {
    if let Some(client) = client.get() {
        return Ok(client);
    }
    // Another attempt may have been faster; both installed the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        Client::builder()
            .user_agent(concat!("compensation/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
    };
    // A machine without any certificates can still reach http:// addresses.
    let made = builder()
        .build()
        .or_else(|_| builder().tls_backend_preconfigured(trusting_nobody()).build())?;
    Ok(client.get_or_init(|| made))
}

fn trusting_nobody() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn request(url: &str, body: Body) -> Result<Request, String> {
        let headers = BTreeMap::from([("X-Tenant".to_owned(), "${TENANT}".to_owned())]);
        let method = "POST".to_owned();
        Request::prepare(&Http { method, url: url.to_owned(), headers, body, done: vec![] })
    }

    fn sent(url: &str, body: Body, tenant: &str) -> Result<reqwest::Request, String> {
        let value = |name: &str| (name == "TENANT").then(|| tenant.to_owned());
        let told = Told { value: &value, key: "saga:id:step" };
        request(url, body)?.request(&told).map_err(|failed| format!("{failed:?}"))
    }

    #[test]
    fn values_are_encoded_in_the_url_and_plain_elsewhere() {
        let body = Body::Json(json!({ "t": "$TENANT", "n": 1, "l": ["$$", "a${TENANT}"] }));
        let request = sent("http://h/t/$TENANT?q=$TENANT", body, "a/b&c").expect("good");
        assert_eq!(request.url().as_str(), "http://h/t/a%2Fb%26c?q=a%2Fb%26c");
        assert_eq!(request.headers()["x-tenant"], "a/b&c");
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(request.headers()["idempotency-key"], "saga:id:step");
        let body = request.body().and_then(reqwest::Body::as_bytes).expect("in memory");
        assert_eq!(body, br#"{"l":["$","aa/b&c"],"n":1,"t":"a/b&c"}"#);
    }

    #[test]
    fn a_value_can_not_lead_to_another_path() {
        for tenant in ["..", "."] {
            let said = sent("http://h/t/$TENANT/x", Body::Empty, tenant).expect_err("elsewhere");
            assert!(said.contains("would lead elsewhere"), "{said}");
        }
    }

    #[test]
    fn a_value_can_not_add_a_header() {
        let said = sent("http://h/", Body::Empty, "a\r\nX-Admin: 1").expect_err("two lines");
        assert!(said.contains("control character"), "{said}");
    }

    #[test]
    fn a_url_that_is_all_a_name_is_refused() {
        let said = request("$TENANT", Body::Empty).expect_err("no scheme");
        assert_eq!(said, "the URL `$TENANT` must begin with http:// or https://");
    }

    #[test]
    fn a_name_without_a_value_is_never_guessed() {
        let said = sent("http://h/$OUTPUT", Body::Empty, "x").expect_err("no value");
        assert!(said.contains("$OUTPUT has no value here"), "{said}");
    }
}
