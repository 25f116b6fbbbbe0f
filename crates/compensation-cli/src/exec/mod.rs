//! Carries out commands and HTTP requests, one attempt at a time. Knows nothing of sagas' order.

mod attempt;
mod guard;
mod http;
mod kill;
mod pipes;
mod shell;
mod spill;
mod vars;

use std::{collections::BTreeMap, fmt, sync::OnceLock};

pub(crate) use attempt::{Shared, StepCalls, output};
pub(crate) use guard::{VERB as GUARD, guard};
pub(crate) use http::check_url;

use crate::file::{Call as Written, Template};

/// What all attempts of this process share.
#[derive(Debug, Default)]
pub(crate) struct Runner {
    client: OnceLock<reqwest::Client>,
}

/// A command or request, ready to be carried out many times.
#[derive(Debug)]
pub(crate) enum Call {
    Shell(String),
    Http(Box<http::Request>),
}

/// Why a call did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It was not started, so it had no effect.
    NotStarted { message: String, retryable: bool },
    /// It ended with that exit code or status.
    Ended { code: u16, message: String },
    /// Nobody knows what it did; another attempt may help.
    Lost(String),
    /// It did what it did, and another attempt would not mend what it said.
    Unusable(String),
}

impl Runner {
    /// Runs a command in the directory of this program with those variables; `Err` says how it failed.
    ///
    /// # Cancel safety
    /// Dropped, it kills the command and all that it started.
    pub(crate) async fn run(
        &self,
        command: &str,
        variables: &BTreeMap<String, String>,
    ) -> Result<(), Failed> {
        shell::run(command, ".", &vars::Vars::plain(variables.clone()), None).await.map(drop)
    }

    /// Posts JSON to a URL, under that idempotency key; `Err` says how that failed.
    pub(crate) async fn post(&self, url: &str, key: &str, json: String) -> Result<(), Failed> {
        http::post(&self.client, url, key, json).await
    }
}

impl Failed {
    /// It was not started, and will not start another time.
    fn never(message: impl Into<String>) -> Self {
        Self::NotStarted { message: message.into(), retryable: false }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted { message, .. }
            | Self::Ended { message, .. }
            | Self::Lost(message)
            | Self::Unusable(message) => f.write_str(message),
        }
    }
}

impl Call {
    /// Prepares what a file says; `Err` says what is wrong with it.
    pub(crate) fn prepare(written: &Written) -> Result<Self, String> {
        Ok(match written {
            Written::Run(text) => Self::Shell(text.clone()),
            Written::Http(request) => Self::Http(Box::new(http::Request::prepare(request)?)),
        })
    }

    /// Every text in it that has names to be replaced.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Shell(_) => Vec::new(),
            Self::Http(request) => request.templates(),
        }
    }
}
