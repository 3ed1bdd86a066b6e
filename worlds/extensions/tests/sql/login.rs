//! Passwords and certificates.

use crate::server::{self, Server};
use crate::{ask, databases, shown};
use secrule_testkit::openssl::make_certificates;
use std::process::Command;

/// Returns who one is at an address, or the error.
fn who(address: &str) -> String {
    let databases = databases(address);
    let result = ask(&databases, "logs", "select current_user").map(|rows| shown(&rows)).unwrap_or_else(|error| error);
    assert!(!format!("{result} {databases:?}").contains("s/cr@et"), "the password is shown: {result} {databases:?}");
    result
}

fn assert_who(address: &str, text: &str) {
    let result = who(address);
    assert!(result.contains(text), "{address}: {result:?} instead of {text}");
}

pub fn logins_work_and_show_no_password() {
    let server = server::shared();
    let port = server.port;
    assert_eq!(who(&server.address("reader")), "'reader'");
    assert_eq!(who(&server.address("old")), "'old'");
    assert_eq!(who(&format!("postgresql://reader:s/cr@et@127.0.0.1:{port}/postgres?sslmode=disable")), "'reader'");
    assert_who(&format!("postgres://reader:s/cr@et@127.0.0.1:{port}/nothing"), "does not exist");
    assert_who(&format!("postgres://reader:wrong@127.0.0.1:{port}/postgres"), "password authentication failed");
    assert_who(&format!("postgres://old:wrong@127.0.0.1:{port}/postgres"), "password authentication failed");
    assert_who(&format!("postgres://reader@127.0.0.1:{port}/postgres"), "asks for a password");
    assert_who(&format!("postgres://reader:s/cr@et@127.0.0.1:{port}/postgres?sslmode=verify-full"), "has no TLS");
    assert_who("postgres://reader:s/cr@et@127.0.0.1:1/postgres", "check that it runs");
    assert_who("postgres://reader:s/cr@et@secrule.invalid/postgres", "check that it runs");
}

pub fn a_socket_of_the_machine_works() {
    let server = server::shared();
    let folder = server.folder.path().display();
    assert_eq!(who(&format!("postgres://reader@:{}/postgres?host={folder}", server.port)), "'reader'");
    assert_who("postgres://reader@/postgres?host=/nowhere", "check that it runs");
}

pub fn the_certificate_of_a_server_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let server = Server::start_with("ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'", |data| {
        for name in ["server.pem", "server.key"] {
            std::fs::copy(folder.path().join(name), data.join(name)).unwrap();
        }
        assert!(Command::new("chmod").arg("600").arg(data.join("server.key")).status().unwrap().success());
    });
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let address = server.address("reader");
    let authority = file("ca.pem");
    let databases = databases(&format!("{address}?sslrootcert={authority}"));
    let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(shown(&ask(&databases, "logs", sql).unwrap()), "true");
    assert_eq!(who(&format!("{address}?sslmode=require&sslrootcert={authority}")), "'reader'");
    assert_eq!(who(&format!("{address}?sslmode=disable")), "'reader'");
    assert_who(&format!("{address}?sslmode=verify-full"), "UnknownIssuer");
    assert_who(&format!("{address}?sslrootcert={}", file("other.pem")), "invalid peer certificate");
    // The certificate is for 127.0.0.1 alone.
    assert_who(&format!("{}?sslrootcert={authority}", address.replace("127.0.0.1", "localhost")), "not valid for name");
    assert_who(&format!("{address}?sslrootcert={}", file("none.pem")), "none.pem");
    assert_who(&format!("{address}?sslrootcert={}", file("server.key")), "no certificate");
}
