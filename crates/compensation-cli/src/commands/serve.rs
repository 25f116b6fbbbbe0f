//! `serve`: the web console on a store, its metrics, and word of every saga that parks.

use std::{net::SocketAddr, path::Path};

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use compensation::Engine;
use compensation_console::{Access, Options, Token, router_with};
use compensation_metrics::{CONTENT_TYPE, Metrics};
use tokio::net::TcpListener;

use super::{
    Context,
    drive::{self, Signals},
    hook,
    session::{Session, check_secrets, hide_variables},
};
use crate::{
    args::Serve,
    error::{Error, Exit},
    file,
};

/// The variable that holds the token, where no file does.
const TOKEN: &str = "COMPENSATION_TOKEN";

pub(super) async fn serve(context: &Context, serve: Serve) -> Result<Exit, Error> {
    let options = options(context, &serve)?;
    let metrics = Metrics::new();
    let session = Session::watched(context, &metrics).await?;
    let engine = session.engine;
    let _watching = metrics.watch(&engine);
    let mut hooks = hook::start(context, &engine, &serve)?;
    let more = Router::new().route("/metrics", get(scrape(metrics, engine.clone())));
    let app = router_with(engine.clone(), options, more);
    let listener = TcpListener::bind(serve.listen).await.map_err(|error| {
        let listen = serve.listen;
        Error::input(format!("can't listen on {listen}: {error}: choose another with --listen"))
    })?;
    let address = listener.local_addr().unwrap_or(serve.listen);
    drive::say(context, &format!("console: http://{address}/ (metrics: /metrics)"));
    let mut signals = Signals::listen()?;
    tokio::select! {
        ended = axum::serve(listener, app).into_future() => {
            ended.map_err(|error| Error::other(format!("the console stopped: {error}")))?;
        }
        () = signals.next() => {}
    }
    if engine.running() > 0 {
        drive::say(context, "finishing what is in flight; again to stop at once");
    }
    tokio::select! {
        () = engine.drain() => {}
        () = signals.next() => {}
    }
    hooks.abort_all();
    Ok(Exit::Ok)
}

fn scrape(
    metrics: Metrics,
    engine: Engine,
) -> impl Fn() -> futures_util::future::BoxFuture<'static, Response> + Clone + Send + Sync + 'static
{
    move || {
        let (metrics, engine) = (metrics.clone(), engine.clone());
        Box::pin(async move {
            match metrics.scrape(&engine).await {
                Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
                Err(error) => {
                    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
                }
            }
        })
    }
}

fn options(context: &Context, serve: &Serve) -> Result<Options, Error> {
    let mut options = Options::new().title(context.db.title()).drives(|plan| {
        let model = file::stored(plan).ok_or(
            "This saga was not made from a saga file: order it where the program that started it \
             runs",
        )?;
        check_secrets(&model).map_err(|error| error.to_string())
    });
    options = options.hides(hide_variables).edits(file::check_edit);
    let token = token(serve.token_file.as_deref())?;
    let mut hosts = serve.host.clone();
    if !serve.listen.ip().is_loopback() {
        hosts.push(serve.listen.ip().to_string());
    }
    options = match (token, hosts.is_empty()) {
        (Some(token), _) => options.open_to(hosts, Access::Token(token)),
        (None, true) => options,
        (None, false) => return Err(wants_token(serve.listen)),
    };
    if serve.read_only {
        options = options.read_only();
    }
    if serve.behind_tls {
        options = options.behind_tls();
    }
    Ok(options)
}

fn wants_token(listen: SocketAddr) -> Error {
    let place = if listen.ip().is_loopback() {
        "a console under another name than localhost".to_owned()
    } else {
        format!("a console on {listen}")
    };
    Error::input(format!(
        "{place} is open to others, and needs a token: write one into a file \
         (`openssl rand -hex 32 > FILE`) and say --token-file FILE, or set {TOKEN}"
    ))
}

/// The token: from a file or a variable, never from the command line, which every user of a machine can read.
fn token(file: Option<&Path>) -> Result<Option<Token>, Error> {
    let (text, whence) = match file {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Error::input(format!("the token can't be read from {}: {error}", file.display()))
            })?;
            (text, file.display().to_string())
        }
        None => match std::env::var(TOKEN) {
            Ok(text) => (text, TOKEN.to_owned()),
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(error) => return Err(Error::input(format!("{TOKEN}: {error}"))),
        },
    };
    Token::new(&text).map(Some).map_err(|weak| Error::input(format!("{whence}: {weak}")))
}

/// Measured from below: the console's own reads are counted too.
impl Session {
    async fn watched(context: &Context, metrics: &Metrics) -> Result<Self, Error> {
        let metrics = metrics.clone();
        Self::around(context, move |store| metrics.time(store)).await
    }
}
