//! Opens the store. The only file that knows which one it is: a SQLite file, or a schema of a PostgreSQL database.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use compensation::repository::{ErrorKind, Repository, RepositoryError};
use compensation_sqlite::SqliteRepository;

/// What begins the address of a database.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// What is shown of an address's options: whoever copies it needs them.
const SHOWN: [&str; 3] = ["schema=", "sslmode=", "sslrootcert="];

/// Where the store is. It shows itself without passwords, which must not be said anywhere.
#[derive(Clone)]
pub(crate) enum Db {
    /// A SQLite file.
    File(PathBuf),
    /// The address of a PostgreSQL database.
    Postgres(String),
}

impl Db {
    /// Opens it; `create` makes it where there is none.
    pub(crate) async fn open(&self, create: bool) -> Result<Arc<dyn Repository>, RepositoryError> {
        if let Self::File(path) = self
            && let Some(scheme) = scheme(path)
        {
            let mend = "name a SQLite file by its path, or say postgres://USER@HOST/DATABASE";
            let message = format!("{scheme}:// leads to no store: {mend}");
            return Err(RepositoryError::new(ErrorKind::Permanent, message));
        }
        match self {
            Self::File(path) if create => Ok(Arc::new(SqliteRepository::open(path)?)),
            Self::File(path) => Ok(Arc::new(SqliteRepository::open_existing(path)?)),
            Self::Postgres(address) => postgres(address, create).await,
        }
    }

    /// Where it is for people who are elsewhere: a file by its whole path.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::File(path) => {
                std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
            }
            Self::Postgres(_) => self.to_string(),
        }
    }

    /// Whether a store may be there. Of a database nobody knows before it is asked.
    pub(crate) fn may_be_there(&self) -> bool {
        match self {
            Self::File(path) => path.is_file(),
            Self::Postgres(_) => true,
        }
    }
}

#[cfg(feature = "postgres")]
async fn postgres(address: &str, create: bool) -> Result<Arc<dyn Repository>, RepositoryError> {
    let mut options = compensation_postgres::PostgresOptions::new().create(create);
    // As PostgreSQL's own programs do: a command line is seen by every user of the machine.
    if let Ok(password) = std::env::var("PGPASSWORD")
        && !has_password(address)
    {
        options = options.password(password);
    }
    Ok(Arc::new(options.open(address).await?))
}

#[cfg(not(feature = "postgres"))]
async fn postgres(_: &str, _: bool) -> Result<Arc<dyn Repository>, RepositoryError> {
    Err(RepositoryError::new(
        ErrorKind::Permanent,
        "this program was built without PostgreSQL: build it with the feature `postgres`, or name a file",
    ))
}

/// An address in parts: user, whether there is a password, host and database, options. `None` where a password may
/// be anywhere in it, because somebody has not encoded it.
fn parts(address: &str) -> Option<(&str, bool, &str, &str)> {
    let (_, rest) = address.split_once("://")?;
    let (body, options) = rest.split_once('?').unwrap_or((rest, ""));
    if options.contains('@') || body.matches('@').count() > 1 {
        return None;
    }
    let Some((known, place)) = body.split_once('@') else {
        return Some(("", false, body, options));
    };
    match known.split_once(':') {
        Some((user, _)) => Some((user, true, place, options)),
        None => Some((known, false, place, options)),
    }
}

#[cfg(feature = "postgres")]
fn has_password(address: &str) -> bool {
    parts(address).is_none_or(|(_, in_front, _, options)| {
        in_front || options.split('&').any(|option| option.starts_with("password="))
    })
}

impl From<OsString> for Db {
    fn from(given: OsString) -> Self {
        match given.to_str() {
            Some(text) if SCHEMES.iter().any(|scheme| text.starts_with(scheme)) => {
                Self::Postgres(text.to_owned())
            }
            _ => Self::File(given.into()),
        }
    }
}

/// Whether it begins as the address of something else would. What follows may have a password in it.
fn scheme(path: &Path) -> Option<&str> {
    let (scheme, _) = path.to_str()?.split_once("://")?;
    let is_word = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-".contains(c));
    (is_word && !scheme.is_empty()).then_some(scheme)
}

impl fmt::Display for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match self {
            Self::File(path) => return write!(f, "{}", path.display()),
            Self::Postgres(address) => address,
        };
        let Some((user, _, place, options)) = parts(address) else {
            return f.write_str("postgres://…");
        };
        f.write_str("postgres://")?;
        if !user.is_empty() {
            write!(f, "{user}@")?;
        }
        f.write_str(place)?;
        let mut mark = '?';
        for option in options.split('&') {
            if SHOWN.iter().any(|name| option.starts_with(name)) {
                write!(f, "{mark}{option}")?;
                mark = '&';
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(given: &str) -> String {
        Db::from(OsString::from(given)).to_string()
    }

    #[test]
    fn an_address_shows_itself_without_passwords() {
        assert_eq!(shown("postgres://ada@db:6000/shop"), "postgres://ada@db:6000/shop");
        let options = "password=hush&schema=s&application_name=x&sslmode=require";
        let all = "postgres://db/shop?schema=s&sslmode=require";
        assert_eq!(shown(&format!("postgresql://db/shop?{options}")), all);
        assert_eq!(shown("postgres://ada:hush@db/shop?password=hush"), "postgres://ada@db/shop");
    }

    #[test]
    fn a_password_that_is_not_encoded_does_not_show_either() {
        for hostile in
            ["hush", "hush@hush", "hush:hush", "hu?sh=/hush", "hush#hush%40hush@", "h/@/hush"]
        {
            for url in [
                format!("postgres://ada:{hostile}@db/shop?schema=s"),
                format!("postgres://db/shop?password={hostile}"),
            ] {
                let shown = shown(&url);
                assert!(!shown.contains("hush"), "{shown}");
            }
        }
    }

    #[test]
    fn what_is_no_address_is_a_file() {
        assert!(matches!(Db::from(OsString::from("sagas.db")), Db::File(_)));
        assert!(matches!(Db::from(OsString::from("./postgres:/x")), Db::File(_)));
    }

    #[test]
    fn the_address_of_something_else_is_told_from_a_path() {
        assert_eq!(scheme(Path::new("mysql://ada:hush@db/shop")), Some("mysql"));
        assert_eq!(scheme(Path::new("./mysql://x")), None, "a path leads to a file of that name");
        assert_eq!(scheme(Path::new("c:/x")), None);
    }
}
