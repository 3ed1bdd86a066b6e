//! TLS to clients: certificates with their dates, and the choice among them by the name that a client asks for.

use crate::ServeError;
use crate::host::{Host, HostPattern};
use crate::settings::TlsFiles;
use crate::sites::Sites;
use arc_swap::ArcSwap;
use chrono::DateTime;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore, ServerConfig, version};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// Time before the end of a certificate from which on there is a warning.
const WARNS_BEFORE_END: Duration = Duration::from_secs(14 * 86_400);

/// A certificate that can be used now.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub key: Arc<CertifiedKey>,
    /// Warnings for the operator, such as a name that it lacks.
    pub warnings: Vec<String>,
}

impl Certificate {
    /// Reads a certificate and its key. `hosts` are those that it should name.
    ///
    /// # Errors
    /// If a file cannot be read or has something else, they do not belong together, or it is not valid now.
    pub fn read(files: &TlsFiles, hosts: &[HostPattern]) -> Result<Self, ServeError> {
        let wrong = |path: &Path, reason: String| ServeError::Certificate { path: path.to_owned(), reason };
        let TlsFiles { certificate: path, key: key_path } = files;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        let chain = chain.map_err(|error| wrong(path, error.to_string()))?;
        let Some(own) = chain.first().cloned() else {
            let reason = "there is no certificate in it: write the certificate of the server in PEM, and then those of its issuers";
            return Err(wrong(path, reason.to_owned()));
        };
        let key = PrivateKeyDer::from_pem_file(key_path).map_err(|error| wrong(key_path, format!("{error}: write the key in PEM")))?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let reason =
                    format!("it is not the key of the certificate {}: name the key that its request was signed with", path.display());
                wrong(key_path, reason)
            }
            error => wrong(path, format!("it cannot be used with the key {}: {error}", key_path.display())),
        })?;
        let parsed =
            ParsedCertificate::try_from(&own).map_err(|error| wrong(path, format!("it is not a certificate of a server: {error}")))?;
        let now = UnixTime::now();
        match refusal_at(&parsed, now) {
            Some(CertificateError::ExpiredContext { not_after, .. }) => {
                return Err(wrong(path, format!("the certificate expired on {}: renew it", shown(not_after))));
            }
            Some(CertificateError::NotValidYetContext { not_before, .. }) => {
                let (start, now) = (shown(not_before), shown(now));
                let reason = format!(
                    "the certificate is valid from {start} on, and now it is {now}: compare the clock of this machine, or use the earlier one until then"
                );
                return Err(wrong(path, reason));
            }
            _ => {}
        }
        let mut warnings = Vec::new();
        let soon = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()).saturating_add(WARNS_BEFORE_END));
        if let Some(CertificateError::ExpiredContext { not_after, .. }) = refusal_at(&parsed, soon) {
            warnings.push(format!("{}: the certificate expires on {}: renew it", path.display(), shown(not_after)));
        }
        for host in hosts.iter().filter(|host| !names(&parsed, host)) {
            warnings.push(format!("{}: the certificate does not name {host}: clients that ask for it will refuse it", path.display()));
        }
        Ok(Self { key: Arc::new(key), warnings })
    }
}

/// Returns the reason why a certificate cannot be used at a time. Nobody signs for it here, which a server need not know: its dates are checked before that.
fn refusal_at(certificate: &ParsedCertificate<'_>, time: UnixTime) -> Option<CertificateError> {
    match verify_server_cert_signed_by_trust_anchor(certificate, &RootCertStore::empty(), &[], time, &[]) {
        Err(Error::InvalidCertificate(error)) => Some(error),
        _ => None,
    }
}

fn names(certificate: &ParsedCertificate<'_>, host: &HostPattern) -> bool {
    let bare = host.name.trim_start_matches('[').trim_end_matches(']');
    // Any name below.
    let name = if host.is_wildcard { format!("any.{bare}") } else { bare.to_owned() };
    ServerName::try_from(name).is_ok_and(|name| verify_server_name(certificate, &name).is_ok())
}

fn shown(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    seconds.map(|time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

/// Returns what greets clients, with the certificates of the sites at the time. Clients choose HTTP/2 or HTTP/1.1.
///
/// # Errors
/// If the cryptography lacks a version of TLS.
pub fn acceptor(sites: Arc<ArcSwap<Sites>>) -> Result<TlsAcceptor, ServeError> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(std::io::Error::other)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(ByName(sites)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Chooses a certificate by the name in the greeting of a client (SNI).
struct ByName(Arc<ArcSwap<Sites>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().and_then(Host::read);
        self.0.load().certificate(name.as_ref().map(|host| host.name.as_str()))
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByName").finish_non_exhaustive()
    }
}
