//! Keys and certificates for tests of TLS, which the command `openssl` makes.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The arguments for a new key.
pub const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// Runs `openssl` in a folder, with arguments that blanks separate.
pub fn run(folder: &Path, arguments: &str) {
    let made = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Makes two authorities, `ca` and `other`: for each a key, `….key`, and its certificate, `….pem`.
pub fn make_authorities(folder: &Path) {
    for name in ["ca", "other"] {
        run(folder, &format!("req -x509 {NEW_KEY} -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"));
    }
}

/// Makes two authorities, and a certificate of the first one, `server.pem`, for 127.0.0.1 alone.
pub fn make_certificates(folder: &Path) {
    make_authorities(folder);
    run(folder, &format!("req {NEW_KEY} -subj /CN=server -keyout server.key -out server.csr"));
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    run(folder, "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem");
}
