//! Fetches rules and data over https, and posts records.

use super::loader::LARGEST_FILE;
use std::io;
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the whole may take, from the look-up of the name to the last byte.
const WHOLE: Duration = Duration::from_secs(30);

/// How long a record may take: others wait behind it.
const RECORD: Duration = Duration::from_secs(10);

/// The longest answer to a record that is read, in bytes, so that the next goes over the same connection.
const LONGEST_ANSWER: u64 = 64 << 10;

/// How often a server may send elsewhere.
const REDIRECTS: u32 = 5;

const USER_AGENT: &str = concat!("ModSecurity3 (secrule ", env!("CARGO_PKG_VERSION"), ")");

/// The bytes at an https address. A key is sent as ModSecurity v3 sends it, in the header `ModSec-key`, and to this server only: whoever
/// wants a key may not send elsewhere.
///
/// Certificates are judged with the roots that the machine trusts, or those of `SSL_CERT_FILE`.
pub fn fetch(address: &str, key: Option<&str>) -> io::Result<Vec<u8>> {
    if !super::is_remote(address) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "only https addresses are fetched"));
    }
    let agent = agent(WHOLE, if key.is_some() { 0 } else { REDIRECTS });
    let request = key.into_iter().fold(agent.get(address), |request, key| request.header("ModSec-key", key));
    let mut answer = request.call().map_err(ureq::Error::into_io)?;
    succeeded(&answer)?;
    answer.body_mut().with_config().limit(LARGEST_FILE).read_to_vec().map_err(ureq::Error::into_io)
}

/// A server that records are posted to, one after the other over the same connection.
#[derive(Debug)]
pub struct Recipient {
    agent: Agent,
    address: String,
}

impl Recipient {
    /// The server at an https address. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When the address is none of https.
    pub fn at(address: &str) -> io::Result<Self> {
        if !super::is_remote(address) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "records are posted to https addresses only"));
        }
        Ok(Self { agent: agent(RECORD, 0), address: address.to_owned() })
    }

    /// Posts a record.
    ///
    /// # Errors
    /// When the server cannot be reached, does not answer within ten seconds, or answers with anything but success.
    pub fn post(&self, media_type: &str, record: &[u8]) -> io::Result<()> {
        let request = self.agent.post(&self.address).content_type(media_type);
        let mut answer = request.send(record).map_err(ureq::Error::into_io)?;
        succeeded(&answer)?;
        // The record is there, whatever else the server says.
        let _ = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec();
        Ok(())
    }
}

/// Who asks: certificates are judged with the roots that the machine trusts.
fn agent(limit: Duration, redirects: u32) -> Agent {
    let roots = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let limits = Agent::config_builder().timeout_connect(Some(CONNECT)).timeout_global(Some(limit));
    limits.tls_config(roots).https_only(true).max_redirects(redirects).user_agent(USER_AGENT).build().into()
}

fn succeeded(answer: &Response<Body>) -> io::Result<()> {
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(io::Error::other(format!("the server answers with status {}", status.as_u16()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_fetched_without_encryption() {
        for address in ["http://127.0.0.1:9/rules", "ftp://rules.example/", "rules.conf", ""] {
            assert_eq!(fetch(address, None).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{address}");
        }
    }

    #[test]
    fn nothing_is_posted_without_encryption() {
        assert_eq!(Recipient::at("http://127.0.0.1:9/records").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn an_address_or_key_that_cannot_be_sent_is_an_error() {
        assert!(fetch("https://", None).is_err());
        assert!(fetch("https://127.0.0.1:9/rules", Some("a\r\nb")).is_err());
    }
}
