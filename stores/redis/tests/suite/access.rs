//! Passwords and certificates.

use crate::server::{Kind, Server, free_port};
use crate::{LIMITS, by, record};
use secrule::{Store, Update};
use secrule_redis::RedisStore;
use secrule_testkit::openssl::make_certificates;

/// Returns the reason why a store of a URL does not answer, or "" if it does.
fn failure(url: &str) -> String {
    let store = RedisStore::new(url).unwrap();
    let failure = store.write(Update::first(&record(), LIMITS), b"a", b"1", by()).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(!format!("{failure} {store:?}").contains("secret"), "the password is shown: {failure} {store:?}");
    failure
}

fn assert_failure(url: &str, text: &str) {
    let failure = failure(url);
    assert!(failure.contains(text), "{failure:?} instead of {text}");
}

pub fn a_password_is_needed_and_never_shown(kind: Kind) {
    let port = free_port();
    let user = ["--user", "waf", "on", ">secret2", "~secrule:*", "+@all", "-client"];
    let number = port.to_string();
    let options = [&["--port", &number, "--requirepass", "secret/@1"][..], &user].concat();
    let _server = Server::start_with(kind, port, &options);
    assert_eq!(failure(&format!("redis://:secret%2F%401@127.0.0.1:{port}/3")), "");
    assert_eq!(failure(&format!("redis://default:secret/@1@127.0.0.1:{port}")), "");
    assert_eq!(failure(&format!("redis://waf:secret2@127.0.0.1:{port}")), "");
    assert_failure(&format!("redis://127.0.0.1:{port}"), "NOAUTH");
    assert_failure(&format!("redis://waf:secret3@127.0.0.1:{port}"), "WRONGPASS");
    assert_failure(&format!("redis://:secret3@127.0.0.1:{port}"), "WRONGPASS");
    assert_failure(&format!("redis://:secret%2F%401@127.0.0.1:{port}/77"), "DB index is out of range");
}

pub fn the_certificate_of_a_server_is_checked(kind: Kind) {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    make_certificates(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (authority, certificate, key) = (file("ca.pem"), file("server.pem"), file("server.key"));
    let number = port.to_string();
    let options = ["--port", "0", "--tls-port", &number, "--tls-auth-clients", "no", "--tls-ca-cert-file", &authority];
    let options = [&options[..], &["--tls-cert-file", &certificate, "--tls-key-file", &key, "--requirepass", "secret"]].concat();
    let _server = Server::start_with(kind, port, &options);
    assert_eq!(failure(&format!("rediss://:secret@127.0.0.1:{port}/1?ca={authority}")), "");
    assert_failure(&format!("rediss://:secret@127.0.0.1:{port}"), "UnknownIssuer");
    assert_failure(&format!("rediss://:secret@127.0.0.1:{port}?ca={}", file("other.pem")), "invalid peer certificate");
    // The certificate is for 127.0.0.1 alone.
    assert_failure(&format!("rediss://:secret@localhost:{port}?ca={authority}"), "not valid for name");
    let plain = RedisStore::new(&format!("redis://:secret@127.0.0.1:{port}")).unwrap();
    assert!(plain.read(&record(), b"a", by()).is_err());
    let error = RedisStore::new(&format!("rediss://:secret@127.0.0.1:{port}?ca={}", file("none.pem"))).unwrap_err().to_string();
    assert!(error.contains("none.pem") && !error.contains("secret"), "{error}");
    assert!(RedisStore::new(&format!("rediss://127.0.0.1:{port}?ca={key}")).unwrap_err().to_string().contains("no certificate"));
    secrule_testkit::store_suite::run(&RedisStore::new(&format!("rediss://:secret@127.0.0.1:{port}?ca={authority}")).unwrap());
}
