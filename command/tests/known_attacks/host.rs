//! Sends attacks, and measures the time and memory that they take.

use secrule::{Transaction, Waf};
use secrule_testkit::host::Exchange;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Maximum factor between the times of an attack and of harmless input of its size. Elsewhere these attacks took thousands of times as long.
const MAX_HARM: f64 = 20.0;

/// Size of the attacks on time, in bytes.
pub const LONG: usize = 100_000;

/// Maximum memory of a process for one request, in kB, including code and rules.
const MEMORY: usize = 1_000_000;

/// Flags for which the recommended configuration refuses requests.
pub const FLAGS: &str = "SecRule REQBODY_ERROR \"!@eq 0\" \"id:901,phase:2,deny,status:400\"\n\
    SecRule MULTIPART_STRICT_ERROR \"!@eq 0\" \"id:902,phase:2,deny,status:400\"\n";

pub const JSON: &str = "SecAction \"id:910,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n";
pub const XML: &str = "SecAction \"id:910,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n";
pub const MULTIPART: &str = "multipart/form-data; boundary=b";

/// A part of a form, with odd headers exactly as they are sent.
pub fn part(headers: &str, value: &str) -> String {
    format!("--b\r\n{headers}\r\n\r\n{value}\r\n")
}

#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub target: &'a [u8],
    pub headers: &'a [(&'a str, &'a [u8])],
    pub body: &'a [u8],
}

pub const GET: Request<'_> = Request { target: b"/", headers: &[], body: b"" };

pub struct Judged {
    pub status: Option<u16>,
    pub ids: Vec<u64>,
    pub transaction: Transaction,
}

pub fn waf(rules: &str) -> Waf {
    Waf::from_rules(&format!("SecRuleEngine On\nSecRequestBodyAccess On\n{rules}")).unwrap_or_else(|error| panic!("{error}"))
}

pub fn judge(waf: &Waf, request: Request<'_>) -> Judged {
    let mut transaction = waf.transaction();
    let exchange = Exchange::of(request.target, request.body).header("Host", "shop.example").headers(request.headers);
    let intervention = exchange.run(&mut transaction);
    let ids = transaction.rule_matches().iter().map(|found| found.id).collect();
    Judged { status: intervention.map(|intervention| intervention.status()), ids, transaction }
}

pub fn get(rules: &str, target: &str) -> Judged {
    judge(&waf(rules), Request { target: target.as_bytes(), ..GET })
}

pub fn post(rules: &str, content_type: &str, body: &[u8]) -> Judged {
    judge(&waf(rules), Request { headers: &[("Content-Type", content_type.as_bytes())], body, ..GET })
}

/// Checks that an attack takes no longer than harmless input, except for a factor.
#[track_caller]
pub fn takes_as_long(waf: &Waf, attack: Request<'_>, harmless: Request<'_>) {
    let time = |request| {
        let once = |_| {
            let start = Instant::now();
            let _ = judge(waf, request);
            start.elapsed()
        };
        (0..3).map(once).min().unwrap_or_default().max(Duration::from_millis(1))
    };
    let (attack, harmless) = (time(attack), time(harmless));
    let ratio = attack.as_secs_f64() / harmless.as_secs_f64();
    assert!(ratio < MAX_HARM, "the attack takes {attack:?}, harmless input {harmless:?}");
}

/// Checks that the command judges a request within [`MEMORY`]; returns its output.
#[track_caller]
pub fn in_little_memory(name: &str, rules: &str, request: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("known-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("rules.conf"), format!("SecRuleEngine On\nSecRequestBodyAccess On\n{rules}")).unwrap();
    fs::write(folder.join("request.http"), request).unwrap();
    let script = format!("ulimit -v {MEMORY} && exec {} eval --rules rules.conf request.http", env!("CARGO_BIN_EXE_secrule"));
    let ended = Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
    let shown = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(matches!(ended.status.code(), Some(0 | 1)), "{}: {shown}{}", ended.status, String::from_utf8_lossy(&ended.stderr));
    fs::remove_dir_all(&folder).unwrap();
    shown
}

/// A folder that is removed with the value.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("known-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
