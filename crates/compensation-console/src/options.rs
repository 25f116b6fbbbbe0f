//! What a program says of its console.

use std::{fmt, sync::Arc};

use compensation::{Edit, Mask, Plan};

use crate::secret::Token;

/// How people who come from elsewhere are told apart from everybody else.
#[derive(Clone, Debug)]
pub enum Access {
    /// They log in with this token; programs send it as `Authorization: Bearer`.
    Token(Token),
    /// The program that mounts the console has asked who they are before it passes their requests on.
    AskedBefore,
}

/// Judges whether the engine here could drive a saga of that plan; `Err` says why not.
pub(crate) type Drives = Arc<dyn Fn(&Plan) -> Result<(), String> + Send + Sync>;

/// Judges what a step is to be given in place of what is recorded; `Err` says what is wrong with it.
pub(crate) type Edits = Arc<dyn Fn(&Plan, &str, &Edit) -> Result<(), String> + Send + Sync>;

/// Hides what is secret beside what a definition declares.
pub(crate) type Hides = Arc<dyn Fn(&mut Mask, &Plan) + Send + Sync>;

/// What a program says of its console.
///
/// ```
/// use compensation_console::{Access, Options, Token};
///
/// let token = Token::new("c1b1e2fae5c34c04a0f2b8a3b8a0d6f1")?;
/// let options = Options::new()
///     .title("production")
///     .open_to(["ops.example.com"], Access::Token(token))
///     .behind_tls()
///     .read_only();
/// # drop(options);
/// # Ok::<(), compensation_console::WeakToken>(())
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) base: String,
    pub(crate) title: String,
    pub(crate) hosts: Vec<String>,
    pub(crate) access: Option<Access>,
    pub(crate) read_only: bool,
    pub(crate) secure: bool,
    pub(crate) drives: Drives,
    pub(crate) edits: Edits,
    pub(crate) hides: Hides,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// At the root, for this machine alone, with every order allowed.
    #[must_use]
    pub fn new() -> Self {
        Self {
            base: String::new(),
            title: "sagas".to_owned(),
            hosts: Vec::new(),
            access: None,
            read_only: false,
            secure: false,
            drives: Arc::new(|_| Ok(())),
            edits: Arc::new(|_, _, _| Ok(())),
            hides: Arc::new(|_, _| {}),
        }
    }

    /// Where the router is nested, such as `/sagas`; links lead there.
    #[must_use]
    pub fn at(mut self, base: impl Into<String>) -> Self {
        self.base = base.into().trim_end_matches('/').to_owned();
        self
    }

    /// What the pages call the store; by default `sagas`.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Answers requests to these hosts too (names or addresses, without a port), and says how people are told
    /// apart. It holds for requests to this machine as well.
    #[must_use]
    pub fn open_to<H: Into<String>>(
        mut self,
        hosts: impl IntoIterator<Item = H>,
        access: Access,
    ) -> Self {
        self.hosts.extend(hosts.into_iter().map(|host| host.into().to_ascii_lowercase()));
        self.access = Some(access);
        self
    }

    /// Offers no order, and takes none.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// People reach it by HTTPS (a proxy in front of it, as a rule): cookies are sent by nothing else.
    #[must_use]
    pub fn behind_tls(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Judges, before an order that drives a saga on, whether that could work here; `Err` says why not, and the
    /// order is not given. Without it the engine finds out, and says so.
    #[must_use]
    pub fn drives(
        mut self,
        judge: impl Fn(&Plan) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.drives = Arc::new(judge);
        self
    }

    /// Judges what a person wants to give a step, by the step's name, in place of what is recorded; `Err` says what is
    /// wrong with it, and the order is not given. Without it whatever the definition's types can read is taken.
    #[must_use]
    pub fn edits(
        mut self,
        judge: impl Fn(&Plan, &str, &Edit) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.edits = Arc::new(judge);
        self
    }

    /// Hides what is secret beside what a definition declares, such as what the variables hold that its steps
    /// use.
    #[must_use]
    pub fn hides(mut self, hide: impl Fn(&mut Mask, &Plan) + Send + Sync + 'static) -> Self {
        self.hides = Arc::new(hide);
        self
    }

    /// The token, where people must show one.
    pub(crate) fn token(&self) -> Option<&Token> {
        match &self.access {
            Some(Access::Token(token)) => Some(token),
            Some(Access::AskedBefore) | None => None,
        }
    }

    /// A link to a place of the console.
    pub(crate) fn link(&self, place: &str) -> String {
        if place == "/" && !self.base.is_empty() {
            return self.base.clone();
        }
        format!("{}{place}", self.base)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("base", &self.base)
            .field("title", &self.title)
            .field("hosts", &self.hosts)
            .field("access", &self.access)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}
