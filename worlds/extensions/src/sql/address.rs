//! Addresses of databases, as `SecExtensionDatabase` has them.

use percent_encoding::percent_decode_str;
use std::fmt;
use std::path::PathBuf;

const PORT: u16 = 5432;

/// The place of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// `embedded:PATH`: a file of this machine.
    Embedded(PathBuf),
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`: a server.
    Postgres(Server),
}

/// A server and what a connection to it begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<Password>,
    pub(crate) database: String,
    pub(crate) encryption: Encryption,
}

/// The way to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name or an address.
    Name(String),
    /// A folder with the server's Unix socket.
    Folder(PathBuf),
}

/// A password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(pub(crate) String);

/// Protection of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    None,
    /// TLS. The chain and the name of the certificate are checked, against a file of authorities or those of the system.
    Checked(Option<PathBuf>),
}

/// Reason why a text does not name a database. It never shows the text, which may have a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It does not begin with a known scheme.
    #[error("the address does not say which kind of database it is; write embedded:PATH or postgres://USER:PASSWORD@HOST/DATABASE")]
    Scheme,
    /// `embedded:` is not followed by a path from the root on: hosts and commands run in different folders.
    #[error("the address has no path from the root on; write embedded:/PATH, such as embedded:/var/lib/waf/events.db")]
    NoPath,
    /// It has no host.
    #[error("the address has no host; write postgres://USER:PASSWORD@HOST/DATABASE, or ?host=FOLDER for a Unix socket")]
    NoHost,
    /// It has several hosts.
    #[error("the address has several hosts; name one, or a proxy that knows them")]
    SeveralHosts,
    /// A host is followed by what is not a port.
    #[error("the port is not a number from 1 to 65535; write HOST:5432")]
    Port,
    /// It has no user.
    #[error("the address has no user; write postgres://USER:PASSWORD@HOST/DATABASE")]
    NoUser,
    /// A part is not text after its percent signs are decoded.
    #[error("a part of the address is not UTF-8; write other bytes as %XX of UTF-8")]
    NotText,
    /// A part has a zero byte.
    #[error("a part of the address has the byte %00, which no name has; remove it")]
    Zero,
    /// A parameter is not known.
    #[error("the parameter {0:?} is not known; sslmode, sslrootcert and host are")]
    Parameter(String),
    /// `sslmode` has an unknown value, or one that lets an attacker choose.
    #[error("sslmode={0:?} is not supported; write verify-full, which checks the certificate, or disable")]
    Mode(String),
    /// Authorities are named for a connection without TLS.
    #[error("sslrootcert needs TLS; write sslmode=verify-full beside it")]
    AuthorityWithoutTls,
    /// TLS is asked for on a Unix socket.
    #[error("a Unix socket has no TLS; remove sslmode, or name the host before the database")]
    TlsOfSocket,
}

impl Address {
    /// Reads an address.
    ///
    /// `postgres://USER[:PASSWORD]@HOST[:PORT][/DATABASE][?sslmode=…&sslrootcert=…]`; without a database it has the user's name. `%XX` is decoded.
    /// `sslmode` is `disable` or `verify-full`; `require` and `verify-ca` mean the latter. Without it a connection to this machine is in the clear
    /// and any other is checked. `?host=FOLDER` is for a Unix socket.
    ///
    /// # Errors
    ///
    /// The text does not name a database.
    ///
    /// ```
    /// use secrule_extensions::sql::Address;
    ///
    /// assert!(Address::parse("postgres://reader:secret@db.example/logs?sslmode=verify-full").is_ok());
    /// let error = Address::parse("mysql://reader:secret@db.example/logs").unwrap_err();
    /// assert!(!error.to_string().contains("secret"));
    /// ```
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("embedded:") {
            return if path.starts_with('/') { Ok(Self::Embedded(path.into())) } else { Err(AddressError::NoPath) };
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        Server::parse(rest.ok_or(AddressError::Scheme)?).map(Self::Postgres)
    }
}

impl Server {
    fn parse(rest: &str) -> Result<Self, AddressError> {
        // A password that is not encoded may have any of `/?@`: the host begins after the last `@`. What is before is never shown.
        let (login, rest) = rest.rsplit_once('@').ok_or(AddressError::NoUser)?;
        let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
        let user = decoded(user)?;
        if user.is_empty() {
            return Err(AddressError::NoUser);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        let parameters = Parameters::parse(query)?;
        let (name, port) = host_and_port(place)?;
        let host = match parameters.folder {
            Some(folder) if name.is_empty() => Host::Folder(folder),
            Some(_) => return Err(AddressError::SeveralHosts),
            None if name.is_empty() => return Err(AddressError::NoHost),
            None => Host::Name(name),
        };
        let encryption = encryption(&host, parameters.mode.as_deref(), parameters.authorities)?;
        let database = if database.is_empty() { user.clone() } else { decoded(database)? };
        let password = password.map(|password| decoded(password).map(Password)).transpose()?;
        Ok(Self { host, port, user, password, database, encryption })
    }
}

#[derive(Default)]
struct Parameters {
    mode: Option<String>,
    authorities: Option<PathBuf>,
    folder: Option<PathBuf>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, AddressError> {
        let mut parameters = Self::default();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = decoded(value)?;
            match name {
                "sslmode" => parameters.mode = Some(value),
                "sslrootcert" => parameters.authorities = Some(value.into()),
                "host" => parameters.folder = Some(value.into()),
                name => return Err(AddressError::Parameter(name.to_owned())),
            }
        }
        Ok(parameters)
    }
}

fn encryption(host: &Host, mode: Option<&str>, authorities: Option<PathBuf>) -> Result<Encryption, AddressError> {
    let is_checked = match mode {
        // `prefer` and `allow` are left out: who stands between may say that there is no TLS.
        Some("require" | "verify-ca" | "verify-full") => true,
        Some("disable") => false,
        Some(other) => return Err(AddressError::Mode(other.to_owned())),
        None => authorities.is_some() || !host.is_of_this_machine(),
    };
    match host {
        Host::Folder(_) if is_checked => Err(AddressError::TlsOfSocket),
        _ if is_checked => Ok(Encryption::Checked(authorities)),
        _ if authorities.is_some() => Err(AddressError::AuthorityWithoutTls),
        _ => Ok(Encryption::None),
    }
}

impl Host {
    /// Returns `true` if nobody else is on the way.
    pub fn is_of_this_machine(&self) -> bool {
        match self {
            Self::Folder(_) => true,
            Self::Name(name) => name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback()),
        }
    }
}

fn host_and_port(place: &str) -> Result<(String, u16), AddressError> {
    if place.contains(',') {
        return Err(AddressError::SeveralHosts);
    }
    let (name, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, "")) => (name, None),
        Some((name, rest)) => (name, Some(rest.strip_prefix(':').ok_or(AddressError::Port)?)),
        None => place.split_once(':').map_or((place, None), |(name, port)| (name, Some(port))),
    };
    let port = port.map_or(Ok(PORT), |port| port.parse().ok().filter(|port| *port != 0).ok_or(AddressError::Port))?;
    Ok((decoded(name)?, port))
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| AddressError::NotText)?;
    if text.contains('\0') { Err(AddressError::Zero) } else { Ok(text.into_owned()) }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Shows neither the user nor the password.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Folder(folder) => write!(f, "{}", folder.display()),
            Host::Name(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Server {
        match Address::parse(text) {
            Ok(Address::Postgres(server)) => server,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn an_address_says_host_port_user_password_and_database() {
        let it = server("postgres://reader:s%40cret@db.example:5433/logs?sslmode=disable");
        assert_eq!((it.host, it.port, it.encryption), (Host::Name("db.example".into()), 5433, Encryption::None));
        assert_eq!((it.user.as_str(), it.database.as_str(), it.password), ("reader", "logs", Some(Password("s@cret".into()))));
        let it = server("postgresql://reader@[::1]");
        assert_eq!((it.host, it.port, it.database.as_str()), (Host::Name("::1".into()), 5432, "reader"));
        assert_eq!(server("postgres://a:p/?@b@c/d").password, Some(Password("p/?@b".into())));
        assert_eq!(server("postgres://a@/d?host=/run/postgresql").host, Host::Folder("/run/postgresql".into()));
        assert_eq!(Address::parse("embedded:/var/lib/x.db"), Ok(Address::Embedded("/var/lib/x.db".into())));
    }

    #[test]
    fn a_connection_that_leaves_the_machine_is_checked_unless_it_is_said_otherwise() {
        let of = |text| server(text).encryption;
        assert_eq!(of("postgres://a@db.example"), Encryption::Checked(None));
        assert_eq!(of("postgres://a@db.example?sslmode=require"), Encryption::Checked(None));
        assert_eq!(of("postgres://a@127.0.0.1"), Encryption::None);
        assert_eq!(of("postgres://a@localhost"), Encryption::None);
        assert_eq!(of("postgres://a@127.0.0.1?sslrootcert=/a.pem"), Encryption::Checked(Some("/a.pem".into())));
    }

    #[test]
    fn an_error_says_a_remedy_and_never_the_password() {
        let wrong = [
            ("mysql://u:hush@h/d", "embedded:PATH"),
            ("embedded:", "embedded:/PATH"),
            ("embedded:events.db", "embedded:/PATH"),
            ("postgres://h/hush", "USER"),
            ("postgres://:hush@h/d", "USER"),
            ("postgres://u:hush@/d", "?host=FOLDER"),
            ("postgres://u:hush@h,i/d", "name one"),
            ("postgres://u:hush@h:0/d", "HOST:5432"),
            ("postgres://u:hush@h:x/d", "HOST:5432"),
            ("postgres://u:hush@[::1]x/d", "HOST:5432"),
            ("postgres://u:hush%ff@h/d", "UTF-8"),
            ("postgres://u:hush%00@h/d", "%00"),
            ("postgres://u:hush@h/d?mode=1", "sslmode"),
            ("postgres://u:hush@h/d?sslmode=prefer", "verify-full"),
            ("postgres://u:hush@h/d?sslmode=disable&sslrootcert=/a", "verify-full"),
            ("postgres://u:hush@/d?host=/run&sslmode=require", "remove sslmode"),
        ];
        for (text, remedy) in wrong {
            let error = Address::parse(text).unwrap_err();
            assert!(error.to_string().contains(remedy), "{text}: {error}");
            assert!(!format!("{error}{error:?}").contains("hush"), "{text}: {error}");
        }
        let shown = server("postgres://u:hush@h/d");
        assert!(!format!("{shown}{shown:?}").contains("hush"));
    }
}
