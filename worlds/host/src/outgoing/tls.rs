//! TLS by rustls. Certificates are checked by the platform's verifier, or only the signature of the handshake is.

use super::failure::Failure;
use super::target::Target;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::sync::{Arc, OnceLock};

/// The two configurations. The platform's certificates are read by the first connection that needs them.
#[derive(Debug, Default)]
pub struct Tls {
    /// Authorities that are trusted beside those of the platform.
    authorities: Vec<CertificateDer<'static>>,
    checking: OnceLock<Arc<ClientConfig>>,
    unchecking: OnceLock<Arc<ClientConfig>>,
}

/// Takes any certificate.
#[derive(Debug)]
struct NoVerifier(Arc<CryptoProvider>);

impl Tls {
    pub fn new(authorities: Vec<CertificateDer<'static>>) -> Self {
        Self { authorities, ..Self::default() }
    }

    /// Returns the configuration that checks certificates, or the one that does not.
    pub fn config(&self, verifies: bool) -> Result<Arc<ClientConfig>, Failure> {
        let cell = if verifies { &self.checking } else { &self.unchecking };
        if let Some(config) = cell.get() {
            return Ok(Arc::clone(config));
        }
        // A failure is not kept: the platform's certificates may be there next time.
        let config = self.make(verifies).map_err(|error| Failure::lasting(format!("TLS: {error}")))?;
        Ok(Arc::clone(cell.get_or_init(|| Arc::new(config))))
    }

    fn make(&self, verifies: bool) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if verifies {
            Arc::new(Verifier::new_with_extra_roots(self.authorities.iter().cloned(), Arc::clone(&provider))?)
        } else {
            Arc::new(NoVerifier(Arc::clone(&provider)))
        };
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
    }
}

/// Reads certificates in PEM format.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err("no certificate in PEM format".to_owned()),
        Err(error) => Err(format!("not a certificate in PEM format: {error}")),
    }
}

/// Returns the name that a certificate must be for.
pub fn server_name(target: &Target) -> Result<ServerName<'static>, Failure> {
    match target.address {
        Some(address) => Ok(ServerName::IpAddress(address.into())),
        None => {
            let name = ServerName::try_from(target.host.clone());
            name.map_err(|_| Failure::lasting(format!("certificate: {} is not a name that certificates can be for", target.host)))
        }
    }
}

impl ServerCertVerifier for NoVerifier {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
