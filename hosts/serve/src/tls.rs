//! TLS, to clients and to upstreams.

use crate::ServeError;
use crate::settings::TlsFiles;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, version};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Reads a certificate and its key. Clients choose HTTP/2 or HTTP/1.1.
///
/// # Errors
/// If a file cannot be read or has something else, or they do not belong together.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServeError> {
    let wrong = |path: &Path, reason: String| ServeError::Certificate { path: path.to_owned(), reason };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect);
    let certificates = certificates.map_err(|error| wrong(&files.certificate, error.to_string()))?;
    if certificates.is_empty() {
        let reason = "there is no certificate in it: write the certificate of the server in PEM, and then those of its issuers";
        return Err(wrong(&files.certificate, reason.to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, format!("{error}: write the key in PEM")))?;
    let made = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key));
    let mut config = made.map_err(|error| wrong(&files.certificate, format!("it cannot be used with its key: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
