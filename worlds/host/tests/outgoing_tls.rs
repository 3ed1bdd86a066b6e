//! TLS of scripts' requests, with certificates that the `openssl` command makes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

mod server;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use secrule_host::outgoing::{Body, Connection, Outgoing, Request, Response};
use secrule_testkit::openssl::{self, NEW_KEY};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use server::{Looking, Server, allowed, read_request, response};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const OPENSSL: Needs = Needs::Program("openssl");

/// Names the server for a process that trusts the authorities of the platform alone.
const URL: &str = "SECRULE_TEST_URL";

fn main() -> ExitCode {
    if let Ok(url) = std::env::var(URL) {
        println!("{:?}", get(&Outgoing::new(allowed(&["127.0.0.1:*"])), &url).map(|response| response.status));
        return ExitCode::SUCCESS;
    }
    trials::run([
        trial!(a_request_over_tls_has_its_response, [OPENSSL]),
        trial!(a_certificate_for_another_name_is_refused, [OPENSSL]),
        trial!(a_certificate_that_nobody_trusts_is_refused, [OPENSSL]),
        trial!(a_certificate_that_expired_is_refused, [OPENSSL]),
        trial!(a_certificate_is_not_checked_if_the_script_says_so, [OPENSSL]),
        trial!(authorities_of_the_platform_are_trusted, [OPENSSL]),
        trial!(a_refusal_of_a_certificate_is_not_tried_again, [OPENSSL]),
        trial!(a_connection_makes_a_handshake_for_a_name, [OPENSSL]),
        trial!(a_handshake_that_hangs_is_stopped_by_the_time),
        trial!(a_server_without_tls_is_an_error),
        trial!(what_holds_no_certificate_is_not_an_authority),
    ])
}

/// A folder with an authority, `ca`, and certificates: `server` for localhost and 127.0.0.1, `expired`; `other` is its own authority.
struct Certificates(TempDir);

/// A server that answers with the name that the handshake asks for.
struct Secure {
    server: Server,
    names: Arc<Mutex<Vec<Option<String>>>>,
}

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let openssl = |arguments: &str| openssl::run(folder.path(), arguments);
        openssl::make_authorities(folder.path());
        std::fs::write(folder.path().join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
        for (name, days) in [("server", "2"), ("expired", "-1")] {
            openssl(&format!("req {NEW_KEY} -subj /CN=localhost -keyout {name}.key -out {name}.csr"));
            openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile names -out {name}.pem"
            ));
        }
        Self(folder)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn serve(&self, name: &str) -> Secure {
        let certificate = CertificateDer::from_pem_file(self.file(&format!("{name}.pem"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
        let names = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&names);
        let server = Server::start(move |mut socket, _| {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            while connection.is_handshaking() {
                if connection.complete_io(&mut socket).is_err() {
                    return;
                }
            }
            kept.lock().unwrap().push(connection.server_name().map(str::to_owned));
            let mut stream = StreamOwned::new(connection, socket);
            if let Ok(request) = read_request(&mut stream) {
                stream.write_all(response(&request).as_bytes()).unwrap();
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
        });
        Secure { server, names }
    }

    /// Returns an `Outgoing` that trusts the authority, and takes this machine for `wrong.example`.
    fn outgoing(&self) -> Outgoing {
        let looking = Looking(|_: &str| vec![Ipv4Addr::LOCALHOST.into()]);
        let builder = Outgoing::builder().allowed(allowed(&["127.0.0.1:*"])).lookup(looking);
        builder.authorities(&std::fs::read(self.file("ca.pem")).unwrap()).unwrap().build()
    }
}

impl Secure {
    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/path", self.server.port)
    }

    fn names(&self) -> Vec<Option<String>> {
        self.names.lock().unwrap().clone()
    }
}

/// A request that ends before its time.
fn request<'a>(method: &'a str, url: &'a str) -> Request<'a> {
    Request { time: Duration::from_secs(60), ..Request::new(method, url) }
}

fn get(outgoing: &Outgoing, url: &str) -> Result<Response, String> {
    outgoing.send(request("GET", url))
}

fn open(outgoing: &Outgoing, host: &str, port: u16) -> Connection {
    Connection::open(outgoing, host, port, Duration::from_secs(60)).unwrap()
}

fn a_request_over_tls_has_its_response() {
    let certificates = Certificates::new();
    let secure = certificates.serve("server");
    let outgoing = certificates.outgoing();
    for host in ["localhost", "LOCALHOST.", "127.0.0.1"] {
        let response = get(&outgoing, &secure.url(host)).unwrap();
        assert!(response.body.starts_with(b"GET /path HTTP/1.1\r\n"), "{host}");
    }
    // Addresses are not names of handshakes (RFC 6066, section 3).
    assert_eq!(secure.names(), [Some("localhost".to_owned()), Some("localhost".to_owned()), None]);
    let (url, large) = (secure.url("localhost"), vec![b'a'; 1 << 20]);
    let upload = Request { body: Body::Bytes(&large), max_body: 2 << 20, ..request("POST", &url) };
    assert!(outgoing.send(upload).unwrap().body.ends_with(&large));
    let refused = Outgoing::new(allowed(&[])).send(request("GET", &secure.url("127.0.0.1"))).unwrap_err();
    assert!(refused.contains("is not a public address"), "{refused}");
}

fn a_certificate_for_another_name_is_refused() {
    let certificates = Certificates::new();
    let secure = certificates.serve("server");
    let error = get(&certificates.outgoing(), &secure.url("wrong.example")).unwrap_err();
    assert_eq!(error, "certificate: it is for another name");
    // Another `Host` does not change the name that the certificate must be for.
    let url = secure.url("wrong.example");
    let headers = vec![("Host".to_owned(), b"localhost".to_vec())];
    assert_eq!(certificates.outgoing().send(Request { headers, ..request("GET", &url) }).unwrap_err(), error);
    // An old spelling of an address is a name that no certificate has.
    let error = get(&certificates.outgoing(), &secure.url("0x7f.1")).unwrap_err();
    assert!(error.starts_with("certificate: "), "{error}");
}

fn a_certificate_that_nobody_trusts_is_refused() {
    let certificates = Certificates::new();
    let secure = certificates.serve("other");
    let error = get(&certificates.outgoing(), &secure.url("localhost")).unwrap_err();
    assert!(error.starts_with("certificate: ") && !error.contains('\n'), "{error}");
    let others = Certificates::new();
    let error = get(&others.outgoing(), &certificates.serve("server").url("localhost")).unwrap_err();
    assert!(error.starts_with("certificate: "), "{error}");
    let platform = Outgoing::new(allowed(&["127.0.0.1:*"]));
    assert!(get(&platform, &certificates.serve("server").url("127.0.0.1")).is_err());
    assert_eq!(secure.names(), []);
}

fn a_certificate_that_expired_is_refused() {
    let certificates = Certificates::new();
    let secure = certificates.serve("expired");
    assert_eq!(get(&certificates.outgoing(), &secure.url("localhost")).unwrap_err(), "certificate: it expired");
}

fn a_certificate_is_not_checked_if_the_script_says_so() {
    let certificates = Certificates::new();
    for name in ["other", "expired", "server"] {
        let url = certificates.serve(name).url("wrong.example");
        let outgoing = certificates.outgoing();
        let request = || Request { verifies_certificate: false, ..request("GET", &url) };
        assert_eq!(outgoing.send(request()).unwrap().status, 200, "{name}");
        // It is checked again for the next request.
        assert!(get(&outgoing, &url).unwrap_err().starts_with("certificate: "), "{name}");
        assert_eq!(outgoing.send(request()).unwrap().status, 200, "{name}");
    }
}

fn authorities_of_the_platform_are_trusted() {
    let certificates = Certificates::new();
    let secure = certificates.serve("server");
    let said = |authority: &Path| {
        let mut process = Command::new(std::env::current_exe().unwrap());
        let output = process.env(URL, secure.url("127.0.0.1")).env("SSL_CERT_FILE", authority).env_remove("SSL_CERT_DIR").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(said(&certificates.file("ca.pem")), "Ok(200)\n");
    assert_eq!(said(&certificates.file("other.pem")), "Err(\"certificate: this machine does not trust its issuer\")\n");
}

fn a_refusal_of_a_certificate_is_not_tried_again() {
    let certificates = Certificates::new();
    let secure = certificates.serve("server");
    let url = secure.url("wrong.example");
    assert!(certificates.outgoing().send(Request { retries: 5, ..request("GET", &url) }).is_err());
    assert_eq!(secure.server.connections(), 1);
}

fn a_connection_makes_a_handshake_for_a_name() {
    let certificates = Certificates::new();
    let secure = certificates.serve("server");
    let (outgoing, port) = (certificates.outgoing(), secure.server.port);
    for (host, name, verify, expected) in [
        ("127.0.0.1", Some("localhost"), true, Ok(())),
        ("127.0.0.1", None, true, Ok(())),
        ("localhost", None, true, Ok(())),
        ("wrong.example", Some("localhost."), true, Ok(())),
        ("127.0.0.1", Some("wrong.example"), true, Err("certificate: it is for another name")),
        ("wrong.example", None, true, Err("certificate: it is for another name")),
        ("127.0.0.1", Some("wrong.example"), false, Ok(())),
        ("127.0.0.1", Some("a b"), true, Err("`a b` is not a host name or an address")),
    ] {
        let mut connection = open(&outgoing, host, port);
        assert_eq!(connection.handshake(name, verify), expected.map_err(str::to_owned), "{host} {name:?}");
        // The connection is encrypted, or closed.
        let again = connection.handshake(Some("localhost"), true).unwrap_err();
        assert!(again == "closed" || again.contains("encrypted already"), "{again}");
        connection.close();
    }
    let unknown = certificates.serve("other");
    let mut connection = open(&outgoing, "127.0.0.1", unknown.server.port);
    assert!(connection.handshake(Some("localhost"), true).unwrap_err().starts_with("certificate: "));
    assert_eq!(open(&outgoing, "127.0.0.1", unknown.server.port).handshake(Some("localhost"), false), Ok(()));
}

fn a_handshake_that_hangs_is_stopped_by_the_time() {
    let silent = Server::start(|stream, _| {
        std::thread::park();
        drop(stream);
    });
    let outgoing = Outgoing::builder().allowed(allowed(&["127.0.0.1:*"])).build();
    let began = Instant::now();
    let mut connection = Connection::open(&outgoing, "127.0.0.1", silent.port, Duration::from_millis(300)).unwrap();
    assert_eq!(connection.handshake(None, false).unwrap_err(), "timeout");
    let url = format!("https://127.0.0.1:{}/", silent.port);
    let request = Request { time: Duration::from_millis(300), verifies_certificate: false, ..request("GET", &url) };
    assert_eq!(outgoing.send(request).unwrap_err(), "timeout");
    assert!(began.elapsed() < Duration::from_secs(5));
}

fn a_server_without_tls_is_an_error() {
    let plain = Server::start(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let outgoing = Outgoing::new(allowed(&["127.0.0.1:*"]));
    let url = format!("https://127.0.0.1:{}/", plain.port);
    let error = outgoing.send(Request { verifies_certificate: false, ..request("GET", &url) }).unwrap_err();
    assert!(error.starts_with("TLS: ") || error.starts_with("connection reset"), "{error}");
}

fn what_holds_no_certificate_is_not_an_authority() {
    for pem in ["", "text", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        assert!(Outgoing::builder().authorities(pem.as_bytes()).unwrap_err().contains("PEM"), "{pem}");
    }
}
