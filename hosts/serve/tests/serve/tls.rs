//! Certificates: those that clients see, and those that cannot be used.

use crate::support::{exchange, start};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrule::Waf;
use secrule_serve::{ServeError, Server, Settings, TlsFiles};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Makes a certificate for `shop.example` and its key.
fn certificate(folder: &Path) -> TlsFiles {
    let made = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.join("site.pem"), key: folder.join("site.key") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    files
}

async fn connect(address: std::net::SocketAddr, files: &TlsFiles, protocol: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("shop.example").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn clients_with_tls_are_served_in_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path());
    let server = start(|settings| settings.tls = Some(files.clone()));
    let mut stream = connect(server.address, &files, b"http/1.1").await;
    let answer = exchange(&mut stream, "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("This request passed"), "{answer}");
    let stream = connect(server.address, &files, b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for (target, status) in [("/", 200), ("/?a=attack", 403)] {
        let request =
            http::Request::get(format!("https://shop.example{target}")).body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn certificates_that_cannot_be_used_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path());
    let other = tempfile::tempdir().unwrap();
    let foreign = certificate(other.path());
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let bind = |certificate: &Path, key: &Path| {
        let tls = TlsFiles { certificate: certificate.to_owned(), key: key.to_owned() };
        let settings = Settings { listen: vec![([127, 0, 0, 1], 0).into()], tls: Some(tls), ..Settings::default() };
        Server::bind(settings, Waf::from_rules("").unwrap()).unwrap_err().to_string()
    };
    assert!(bind(&folder.path().join("none.pem"), &files.key).contains("none.pem"));
    assert!(bind(&empty, &files.key).contains("there is no certificate in it"));
    assert!(bind(&files.certificate, &empty).contains("write the key in PEM"));
    assert!(bind(&files.certificate, &foreign.key).contains("it cannot be used with its key"));
}

#[tokio::test]
async fn an_address_that_is_taken_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Settings { listen: vec![taken.local_addr().unwrap()], ..Settings::default() };
    let error = Server::bind(settings, Waf::from_rules("").unwrap()).unwrap_err();
    assert!(matches!(error, ServeError::Listen { .. }) && error.to_string().contains("another server has it"), "{error}");
}
