//! TLS servers on addresses of this machine, which answer with a certificate for the name that is asked for.

use crate::server::Server;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};
use secrule_testkit::openssl::{self, NEW_KEY};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// Certificates: of an authority, `ca`, and by `other`, which is none.
pub struct Certificates(TempDir);

/// The certificates by the names that clients ask for.
#[derive(Debug)]
struct Known(BTreeMap<String, Arc<CertifiedKey>>);

impl Certificates {
    pub fn new() -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        for name in ["ca", "other"] {
            made.openssl(&format!("req -x509 {NEW_KEY} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"));
        }
        made
    }

    /// Makes a certificate for a name.
    pub fn issue(&self, authority: &str, name: &str) -> &Self {
        std::fs::write(self.file("names"), format!("subjectAltName=DNS:{name}\n")).unwrap();
        self.openssl(&format!("req {NEW_KEY} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        let by = format!("-CA {authority}.pem -CAkey {authority}.key -CAcreateserial");
        self.openssl(&format!("x509 -req -in {name}.csr {by} -days 2 -extfile names -out {name}.pem"));
        self
    }

    /// Serves pairs of a name that is asked for and the name of the certificate.
    pub fn serve(&self, pairs: &[(&str, &str)]) -> Server {
        let known = Known(pairs.iter().map(|(asked, name)| ((*asked).to_owned(), self.key(name))).collect());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_cert_resolver(Arc::new(known)));
        Server::start(move |mut socket, _| {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            // Until the client has heard enough.
            while connection.complete_io(&mut socket).is_ok_and(|(read, _)| read > 0) {}
        })
    }

    /// Returns the authority's certificate.
    pub fn authority(&self) -> Vec<u8> {
        std::fs::read(self.file("ca.pem")).unwrap()
    }

    fn key(&self, name: &str) -> Arc<CertifiedKey> {
        let certificate = CertificateDer::from_pem_file(self.file(&format!("{name}.pem"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).unwrap();
        Arc::new(CertifiedKey::new(vec![certificate], any_supported_type(&key).unwrap()))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        openssl::run(self.0.path(), arguments);
    }
}

impl ResolvesServerCert for Known {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        hello.server_name().and_then(|name| self.0.get(name)).cloned()
    }
}
