//! Where a database is: an address as a URL, and how it is named without its secrets.

use std::{path::PathBuf, time::Duration};

use compensation::repository::{ErrorKind, RepositoryError};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

/// How long a server may leave a connection's attempt, or what was sent to it, without an answer.
const SILENT: Duration = Duration::from_secs(10);

/// How the server's certificate is judged, as `sslmode` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// By nobody: what is sent is encrypted, for whoever answers.
    Anybody,
    /// By its issuer.
    Issuer,
    /// By its issuer and its name.
    IssuerAndName,
}

/// Where a database is.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
    /// The file with the certificates of issuers; `None` means those of the system.
    pub(crate) issuers: Option<PathBuf>,
    /// The schema that the address names.
    pub(crate) schema: Option<String>,
    /// How it is named to people: without password and options.
    pub(crate) place: String,
}

impl Address {
    /// Reads a URL. Its errors quote nothing that may be part of a password.
    pub(crate) fn parse(url: &str) -> Result<Self, RepositoryError> {
        let refused = |why: &str| {
            let message = format!(
                "the address of the database {why}: write postgres://USER@HOST:PORT/DATABASE"
            );
            RepositoryError::new(ErrorKind::Permanent, message)
        };
        let rest =
            ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or_else(|| refused("is none of PostgreSQL"))?;
        if rest.matches('@').count() > 1 {
            return Err(refused(
                "has more than one `@`: where a password or an option holds one, that is %40",
            ));
        }
        let ours = rest.rfind('@').map_or(0, |at| at + 1);
        let (body, options) = match rest[ours..].find('?') {
            Some(mark) => (&rest[..ours + mark], &rest[ours + mark + 1..]),
            None => (rest, ""),
        };
        let mut left = Vec::new();
        let (mut mode, mut issuers, mut schema) = ("prefer", None, None);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = value,
                Some(("sslrootcert", "system")) => issuers = None,
                Some(("sslrootcert", value)) => issuers = Some(PathBuf::from(value)),
                Some(("schema", value)) => schema = Some(value.to_owned()),
                _ => left.push(option),
            }
        }
        let (ssl, trust) = match mode {
            "disable" => (SslMode::Disable, Trust::Anybody),
            "allow" | "prefer" => (SslMode::Prefer, Trust::Anybody),
            // As in PostgreSQL's own programs: whoever names issuers wants them asked.
            "require" if issuers.is_some() => (SslMode::Require, Trust::Issuer),
            "require" => (SslMode::Require, Trust::Anybody),
            "verify-ca" => (SslMode::Require, Trust::Issuer),
            "verify-full" => (SslMode::Require, Trust::IssuerAndName),
            _ => {
                return Err(refused(
                    "has an unknown sslmode (disable, allow, prefer, require, verify-ca and verify-full \
                     are known)",
                ));
            }
        };
        let plain = format!("postgres://{body}?{}", left.join("&"));
        let mut config: Config =
            plain.parse().map_err(|error| refused(&format!("can't be read ({error})")))?;
        config.ssl_mode(ssl);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(SILENT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENT);
        }
        config.keepalives_idle(SILENT);
        let place = name(&config).ok_or_else(|| refused("names no host"))?;
        Ok(Self { config, trust, issuers, schema, place })
    }

    /// How long an attempt to connect may take in all. The time limit of each host ends with the server's taking the
    /// connection, which one that is stopped still does, and what stands before a server: once more for what it has
    /// to say then.
    pub(crate) fn patience(&self) -> Duration {
        let each = self.config.get_connect_timeout().copied().unwrap_or(SILENT);
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        each.saturating_mul(hosts.saturating_add(1))
    }
}

fn name(config: &Config) -> Option<String> {
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(place, host)| {
        let port = ports.get(place).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(host) => format!("{host}:{port}"),
            #[cfg(unix)]
            Host::Unix(folder) => format!("{}:{port}", folder.display()),
        }
    });
    let hosts: Vec<_> = hosts.collect();
    let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    (!hosts.is_empty()).then(|| format!("postgres://{user}{}/{database}", hosts.join(",")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_address_is_named_without_its_password() {
        let url =
            "postgres://ada:s%40e:c/r?et@db.example:6000/shop?password=other&sslmode=verify-full";
        let address = Address::parse(url).expect("an address");
        assert_eq!(address.place, "postgres://ada@db.example:6000/shop");
        assert_eq!(address.trust, Trust::IssuerAndName);
        assert_eq!(address.config.get_password(), Some("other".as_bytes()));
    }

    #[test]
    fn what_can_not_be_read_is_not_quoted() {
        for url in [
            "postgres://ada:hush@hush@db/shop",
            "postgres://ada:hush@hu?sh=hush@db/shop",
            "postgres://ada:hush@db:port/shop",
            "postgres://ada:hush@db/shop?sslmode=hush",
            "mysql://ada:hush@db/shop",
            "host=db password=hush",
        ] {
            let error = Address::parse(url).err().expect("a refusal").to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_mode_of_tls_says_who_is_trusted() {
        let of = |options: &str| {
            let address = Address::parse(&format!("postgres://db/shop?{options}")).expect("one");
            (address.config.get_ssl_mode(), address.trust)
        };
        assert_eq!(of(""), (SslMode::Prefer, Trust::Anybody));
        assert_eq!(of("sslmode=disable"), (SslMode::Disable, Trust::Anybody));
        assert_eq!(of("sslmode=require"), (SslMode::Require, Trust::Anybody));
        assert_eq!(of("sslmode=require&sslrootcert=ca.pem"), (SslMode::Require, Trust::Issuer));
        assert_eq!(of("sslmode=verify-ca"), (SslMode::Require, Trust::Issuer));
    }
}
