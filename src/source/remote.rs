//! Fetches rules and data over https, and posts records.

use super::{LARGEST_FILE, is_remote};
use std::io;
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Time limit of connecting.
const CONNECT: Duration = Duration::from_secs(5);

/// Time limit of a whole request, from the name look-up to the last byte.
const WHOLE: Duration = Duration::from_secs(30);

/// Time limit of a record: others wait for it.
const RECORD: Duration = Duration::from_secs(10);

/// Maximum length of an answer to a record that is read, in bytes; reading it keeps the connection open for the next record.
const LONGEST_ANSWER: u64 = 64 << 10;

/// Maximum number of redirects.
const REDIRECTS: u32 = 5;

const USER_AGENT: &str = concat!("ModSecurity3 (secrule ", env!("CARGO_PKG_VERSION"), ")");

/// Returns the bytes at an https address. A key is sent as in ModSecurity v3, in the header `ModSec-key`, and only to this server: with a key
/// redirects are not followed.
///
/// Certificates are verified with the roots of the machine, or those of `SSL_CERT_FILE`.
pub fn fetch(address: &str, key: Option<&str>) -> io::Result<Vec<u8>> {
    if !is_remote(address) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "only https addresses are fetched"));
    }
    let agent = agent(WHOLE, if key.is_some() { 0 } else { REDIRECTS });
    let request = key.into_iter().fold(agent.get(address), |request, key| request.header("ModSec-key", key));
    let mut answer = request.call().map_err(ureq::Error::into_io)?;
    succeeded(&answer)?;
    answer.body_mut().with_config().limit(LARGEST_FILE).read_to_vec().map_err(ureq::Error::into_io)
}

/// A server to which records are posted, one after the other over the same connection.
#[derive(Debug)]
pub struct Recipient {
    agent: Agent,
    address: String,
}

impl Recipient {
    /// Makes the recipient at an https address, without connecting.
    ///
    /// # Errors
    /// If the address is not an https address.
    pub fn at(address: &str) -> io::Result<Self> {
        if !is_remote(address) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "records are posted to https addresses only"));
        }
        Ok(Self { agent: agent(RECORD, 0), address: address.to_owned() })
    }

    /// Posts a record.
    ///
    /// # Errors
    /// If the server cannot be reached, does not answer within ten seconds, or answers with anything but success.
    pub fn post(&self, media_type: &str, record: &[u8]) -> io::Result<()> {
        let request = self.agent.post(&self.address).content_type(media_type);
        let mut answer = request.send(record).map_err(ureq::Error::into_io)?;
        succeeded(&answer)?;
        // The record was accepted, whatever the rest of the answer is.
        let _ = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_vec();
        Ok(())
    }
}

/// Returns an HTTP client: certificates are verified with the roots of the machine.
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
