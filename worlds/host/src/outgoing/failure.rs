//! Errors of requests: one line for scripts, without paths and numbers of the system.

use rustls::CertificateError;
use std::fmt;
use std::io::{self, ErrorKind};

/// Returned when the time is over. Scripts compare with it.
pub const TIMEOUT: &str = "timeout";

/// An error of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    text: String,
    /// `true` if another try may succeed.
    is_transient: bool,
}

impl Failure {
    /// Makes an error of the network.
    pub fn transient(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_transient: true }
    }

    /// Makes an error that another try would repeat.
    pub fn lasting(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_transient: false }
    }

    /// Returns `true` if another try may succeed.
    pub fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// Returns the error for a script.
    pub fn into_text(self) -> String {
        self.text
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<ureq::Error>()) {
            return Self::from(ureq::Error::from(error));
        }
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::lasting(encryption(error));
        }
        Self::transient(match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => TIMEOUT.to_owned(),
            ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                "connection reset by the server".to_owned()
            }
            ErrorKind::UnexpectedEof => "the server closed the connection before the end of its answer".to_owned(),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => "host unreachable".to_owned(),
            kind => format!("connection failed: {kind}"),
        })
    }
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Other(other) => match other.downcast::<Self>() {
                Ok(failure) => *failure,
                Err(_) => Self::lasting("the request failed"),
            },
            ureq::Error::Io(error) => Self::from(error),
            ureq::Error::Timeout(_) => Self::transient(TIMEOUT),
            ureq::Error::LargeResponseHeader(_, limit) => {
                Self::lasting(format!("the headers of the response are larger than {limit} bytes"))
            }
            ureq::Error::Protocol(error) => Self::lasting(format!("the answer is not HTTP: {error}")),
            error => Self::lasting(error.to_string()),
        }
    }
}

impl From<Failure> for ureq::Error {
    fn from(failure: Failure) -> Self {
        Self::Other(Box::new(failure))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

fn encryption(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => "certificate: this machine does not trust its issuer".to_owned(),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "certificate: it expired".to_owned(),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "certificate: it is not valid yet".to_owned(),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "certificate: it is for another name".to_owned()
            }
            error => format!("certificate: {error}"),
        },
        error => format!("TLS: {error}"),
    }
}
