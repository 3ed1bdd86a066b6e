//! Certificates: those that clients see, and those that cannot be used.

use crate::support::{exchange, run, start};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrule::Waf;
use secrule_serve::{ServeError, Server, Settings, Site, Sites, TlsFiles};
use std::path::Path;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Makes a certificate for a host and its key.
pub fn certificate(folder: &Path, host: &str) -> TlsFiles {
    let now = OffsetDateTime::now_utc();
    certificate_within(folder, host, now - time::Duration::days(1), now + time::Duration::days(90))
}

fn certificate_within(folder: &Path, host: &str, start: OffsetDateTime, end: OffsetDateTime) -> TlsFiles {
    let mut wanted = rcgen::CertificateParams::new([host.to_owned()]).unwrap();
    (wanted.not_before, wanted.not_after) = (start, end);
    let key = rcgen::KeyPair::generate().unwrap();
    let files = TlsFiles { certificate: folder.join(format!("{host}.pem")), key: folder.join(format!("{host}.key")) };
    std::fs::write(&files.certificate, wanted.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

async fn connect(address: std::net::SocketAddr, files: &TlsFiles, protocol: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    connect_as("shop.example", address, files, protocol).await.unwrap()
}

/// Asks for a host, and trusts a certificate alone.
async fn connect_as(
    host: &'static str,
    address: std::net::SocketAddr,
    files: &TlsFiles,
    protocol: &[u8],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from(host).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await.unwrap()).await
}

#[tokio::test]
async fn clients_with_tls_are_served_in_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "shop.example");
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
    let files = certificate(folder.path(), "shop.example");
    let other = tempfile::tempdir().unwrap();
    let foreign = certificate(other.path(), "shop.example");
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
    assert!(bind(&files.certificate, &foreign.key).contains("it is not the key of the certificate"));
}

#[tokio::test]
async fn certificates_out_of_their_time_say_their_dates() {
    let folder = tempfile::tempdir().unwrap();
    let in_days = |days| OffsetDateTime::now_utc() + time::Duration::days(days);
    let sites =
        |start, end| Sites::one(Waf::from_rules("").unwrap(), None, Some(&certificate_within(folder.path(), "shop.example", start, end)));
    let expired = sites(in_days(-9), in_days(-1)).unwrap_err().to_string();
    assert!(expired.contains(&format!("the certificate expired on {}", in_days(-1).date())), "{expired}");
    let early = sites(in_days(1), in_days(9)).unwrap_err().to_string();
    assert!(early.contains(&format!("the certificate is valid from {}", in_days(1).date())), "{early}");
    let soon = sites(in_days(-1), in_days(9)).unwrap();
    assert!(soon.warnings()[0].contains(&format!("the certificate expires on {}", in_days(9).date())), "{:?}", soon.warnings());
    assert!(sites(in_days(-1), in_days(15)).unwrap().warnings().is_empty());
}

#[tokio::test]
async fn each_site_has_its_certificate_and_a_new_one_is_used_at_once() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [shop, blog, fallback] = ["shop.example", "blog.example", "fallback.example"].map(|host| certificate(folders[0].path(), host));
    let site = |host: &str, tls: Option<&TlsFiles>| {
        let (hosts, tls) = (vec![host.parse().unwrap()], tls.cloned());
        Site { hosts, is_default: false, upstream: None, tls, waf: Waf::from_rules("").unwrap(), paths: Vec::new() }
    };
    let table = |shop: &TlsFiles| {
        let sites = vec![site("shop.example", Some(shop)), site("blog.example", Some(&blog)), site("fallback.example", None)];
        Sites::new(sites, Some(&fallback)).unwrap()
    };
    let settings = Settings { listen: vec![([127, 0, 0, 1], 0).into()], ..Settings::default() };
    let server = Server::bind_sites(settings, table(&shop)).unwrap();
    let handle = server.sites_handle();
    let server = run(server);
    for (host, files) in [("shop.example", &shop), ("blog.example", &blog), ("fallback.example", &fallback)] {
        let mut stream = connect_as(host, server.address, files, b"http/1.1").await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert!(exchange(&mut stream, &request).await.contains("This request passed"), "{host}");
    }
    assert!(connect_as("shop.example", server.address, &blog, b"http/1.1").await.is_err());
    let new = certificate(folders[1].path(), "shop.example");
    handle.replace(table(&new)).unwrap();
    assert!(connect_as("shop.example", server.address, &new, b"http/1.1").await.is_ok());
    assert!(connect_as("shop.example", server.address, &shop, b"http/1.1").await.is_err());
    // A site that has no certificate could not be asked for.
    let none = Sites::new(vec![site("a.example", Some(&certificate(folders[2].path(), "a.example"))), site("b.example", None)], None);
    assert!(none.unwrap_err().to_string().contains("it has no certificate"));
    // One for another host is a warning.
    let foreign = Sites::new(vec![site("a.example", Some(&blog))], None).unwrap();
    assert!(foreign.warnings()[0].contains("does not name a.example"), "{:?}", foreign.warnings());
}

#[tokio::test]
async fn an_address_that_is_taken_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Settings { listen: vec![taken.local_addr().unwrap()], ..Settings::default() };
    let error = Server::bind(settings, Waf::from_rules("").unwrap()).unwrap_err();
    assert!(matches!(error, ServeError::Listen { .. }) && error.to_string().contains("another server has it, which `ss -ltnp"), "{error}");
}
