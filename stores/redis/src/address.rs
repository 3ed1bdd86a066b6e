//! Addresses of servers, as they are written in a URL.

use percent_encoding::percent_decode_str;
use std::fmt;
use std::path::PathBuf;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Reason why a URL does not name a server. It never shows the URL, which may have a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It does not begin with a known scheme.
    #[error("the URL must begin with redis://, rediss://, redis-sentinel://, rediss-sentinel://, redis-cluster:// or rediss-cluster://")]
    Scheme,
    /// It has no host.
    #[error("the URL has no host")]
    NoHost,
    /// A host is followed by what is not a port.
    #[error("the port of {0:?} is not a number from 1 to 65535")]
    Port(String),
    /// It has several hosts, and its scheme takes one.
    #[error("the URL has several hosts; redis-sentinel:// and redis-cluster:// take them")]
    SeveralHosts,
    /// The path is not the number of a database.
    #[error("{0:?} is not the number of a database")]
    Database(String),
    /// A cluster has one database.
    #[error("a cluster has database 0 only")]
    DatabaseOfCluster,
    /// The path does not name a service of the sentinels.
    #[error("the URL has no service: redis-sentinel://HOST:PORT/SERVICE")]
    NoService,
    /// A parameter is not known.
    #[error("{0:?} is not a parameter; ca, sentinel_user and sentinel_password are")]
    Parameter(String),
    /// A private authority is named, and TLS is not asked for.
    #[error("the parameter ca needs TLS: rediss://, rediss-sentinel:// or rediss-cluster://")]
    AuthorityWithoutTls,
    /// It has a user without a password.
    #[error("the URL has a user and no password: write USER:PASSWORD@HOST, or :PASSWORD@HOST")]
    NoPassword,
    /// The user or the password is not text after its percent signs are decoded.
    #[error("the user or the password is not UTF-8")]
    NoText,
    /// The certificates of the authorities cannot be used.
    #[error("{0}")]
    Authorities(String),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub host: String,
    pub port: u16,
}

/// A user and a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    pub user: Option<String>,
    pub password: Option<String>,
}

/// The servers that hold a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One server.
    Server(Node),
    /// The master that sentinels name.
    Sentinels { nodes: Vec<Node>, service: String },
    /// The nodes of a cluster, some of which are named.
    Cluster(Vec<Node>),
}

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub place: Place,
    pub login: Login,
    pub sentinel_login: Login,
    pub database: u32,
    /// `true` for TLS.
    pub is_secure: bool,
    /// A file with the certificates of the authorities that are trusted in place of the system's.
    pub authorities: Option<PathBuf>,
}

/// Shows neither the user nor the password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Server,
    Sentinels,
    Cluster,
}

impl Address {
    /// Reads a URL.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(AddressError::Scheme)?;
        let (kind, is_secure) = match scheme {
            "redis" | "valkey" => (Kind::Server, false),
            "rediss" | "valkeys" => (Kind::Server, true),
            "redis-sentinel" | "valkey-sentinel" => (Kind::Sentinels, false),
            "rediss-sentinel" | "valkeys-sentinel" => (Kind::Sentinels, true),
            "redis-cluster" | "valkey-cluster" => (Kind::Cluster, false),
            "rediss-cluster" | "valkeys-cluster" => (Kind::Cluster, true),
            _ => return Err(AddressError::Scheme),
        };
        // A password that is not encoded may have any of `/?@`: the hosts begin after the last `@`. What is before is never shown.
        let (login, rest) = rest.rsplit_once('@').map_or((None, rest), |(login, rest)| (Some(login), rest));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let port = if kind == Kind::Sentinels { SENTINEL_PORT } else { PORT };
        let mut nodes = hosts.split(',').map(|host| Node::parse(host, port)).collect::<Result<Vec<_>, _>>()?;
        let (place, database) = match kind {
            Kind::Server if nodes.len() > 1 => return Err(AddressError::SeveralHosts),
            Kind::Server => (Place::Server(nodes.pop().ok_or(AddressError::NoHost)?), path),
            Kind::Sentinels => {
                let (service, database) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return Err(AddressError::NoService);
                }
                (Place::Sentinels { nodes, service: decoded(service)? }, database)
            }
            Kind::Cluster => (Place::Cluster(nodes), path),
        };
        let database = match database.trim_end_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| AddressError::Database(number.to_owned()))?,
        };
        if kind == Kind::Cluster && database != 0 {
            return Err(AddressError::DatabaseOfCluster);
        }
        let login = Login::parse(login)?;
        let mut address = Self { place, login, sentinel_login: Login::default(), database, is_secure, authorities: None };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            address.set(parameter)?;
        }
        Ok(address)
    }

    fn set(&mut self, parameter: &str) -> Result<(), AddressError> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decoded(value)?;
        match name {
            "ca" if !self.is_secure => return Err(AddressError::AuthorityWithoutTls),
            "ca" => self.authorities = Some(value.into()),
            "sentinel_user" => self.sentinel_login.user = Some(value),
            "sentinel_password" => self.sentinel_login.password = Some(value),
            _ => return Err(AddressError::Parameter(name.to_owned())),
        }
        Ok(())
    }
}

impl Login {
    fn parse(login: Option<&str>) -> Result<Self, AddressError> {
        let Some(login) = login else { return Ok(Self::default()) };
        let (user, password) = login.split_once(':').ok_or(AddressError::NoPassword)?;
        Ok(Self { user: Some(decoded(user)?).filter(|user| !user.is_empty()), password: Some(decoded(password)?) })
    }
}

impl Node {
    /// Names a host and a port.
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port }
    }

    fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(|| AddressError::Port(text.to_owned()))?)),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(|| AddressError::Port(text.to_owned()))?,
            None => default_port,
        };
        Ok(Self::new(host, port))
    }
}

fn decoded(text: &str) -> Result<String, AddressError> {
    percent_decode_str(text).decode_utf8().map(|text| text.into_owned()).map_err(|_| AddressError::NoText)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_url_is_read() {
        let address = Address::parse("redis://localhost").unwrap();
        assert_eq!((address.place, address.database, address.is_secure), (Place::Server(Node::new("localhost", 6379)), 0, false));
        let address = Address::parse("rediss://al%69ce:p%40ss:/w@[2001:db8::1]:7000/3?ca=/etc/ca%20file.pem").unwrap();
        assert_eq!(address.place, Place::Server(Node::new("2001:db8::1", 7000)));
        assert_eq!(address.login, Login { user: Some("alice".to_owned()), password: Some("p@ss:/w".to_owned()) });
        assert_eq!((address.database, address.is_secure, address.authorities), (3, true, Some("/etc/ca file.pem".into())));
        let address = Address::parse("redis-sentinel://:secret@one,two:5000/main/2?sentinel_password=other").unwrap();
        let nodes = vec![Node::new("one", 26379), Node::new("two", 5000)];
        assert_eq!((address.place, address.database), (Place::Sentinels { nodes, service: "main".to_owned() }, 2));
        assert_eq!(address.login, Login { user: None, password: Some("secret".to_owned()) });
        assert_eq!(address.sentinel_login.password, Some("other".to_owned()));
        let address = Address::parse("redis-cluster://10.0.0.1,10.0.0.2:7001").unwrap();
        assert_eq!(address.place, Place::Cluster(vec![Node::new("10.0.0.1", 6379), Node::new("10.0.0.2", 7001)]));
    }

    #[test]
    fn a_wrong_url_is_an_error_that_says_what_is_wrong_and_shows_no_password() {
        let wrong = [
            ("localhost:6379", "must begin with redis://"),
            ("http://localhost", "must begin with redis://"),
            ("redis://user:secret@/1", "no host"),
            ("redis://user:secret@localhost:many", "the port of \"localhost:many\""),
            ("redis://user:secret@localhost:0", "the port of"),
            ("redis://user:secret@[::1]7", "the port of"),
            ("redis://user:secret@one,two", "several hosts"),
            ("redis://user:secret@localhost/first", "\"first\" is not the number of a database"),
            ("redis-cluster://user:secret@one/1", "database 0 only"),
            ("redis-sentinel://user:secret@one", "no service"),
            ("redis://user:secret@localhost?insecure=1", "\"insecure\" is not a parameter"),
            ("redis://user:secret@localhost?ca=/etc/ca.pem", "needs TLS"),
            ("redis://user:%ff@localhost", "not UTF-8"),
            ("redis://secret@localhost", "no password"),
            ("redis://user:secret?secret=1@localhost/first", "\"first\" is not"),
            ("redis://localhost?ca=/secret@file", "no password"),
        ];
        for (url, text) in wrong {
            let error = Address::parse(url).unwrap_err();
            assert!(error.to_string().contains(text), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{url}");
        }
        let address = Address::parse("redis://user:secret@localhost").unwrap();
        assert!(!format!("{address:?}").contains("secret"));
    }
}
