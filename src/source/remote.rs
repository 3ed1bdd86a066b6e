//! Fetches rules and data over https.

use super::loader::LARGEST_FILE;
use std::io;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the whole may take, from the look-up of the name to the last byte.
const WHOLE: Duration = Duration::from_secs(30);

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
    let roots = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let limits = Agent::config_builder().timeout_connect(Some(CONNECT)).timeout_global(Some(WHOLE));
    let elsewhere = if key.is_some() { 0 } else { REDIRECTS };
    let agent: Agent = limits.tls_config(roots).https_only(true).max_redirects(elsewhere).user_agent(USER_AGENT).build().into();
    let request = key.into_iter().fold(agent.get(address), |request, key| request.header("ModSec-key", key));
    let mut answer = request.call().map_err(ureq::Error::into_io)?;
    if !answer.status().is_success() {
        return Err(io::Error::other(format!("the server answers with status {}", answer.status().as_u16())));
    }
    answer.body_mut().with_config().limit(LARGEST_FILE).read_to_vec().map_err(ureq::Error::into_io)
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
    fn an_address_or_key_that_cannot_be_sent_is_an_error() {
        assert!(fetch("https://", None).is_err());
        assert!(fetch("https://127.0.0.1:9/rules", Some("a\r\nb")).is_err());
    }
}
