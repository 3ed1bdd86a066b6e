//! The request corpus: the requests of the benchmarks, and how each case must end.

use crate::host::{self, Exchange};
use crate::project;
use secrule::Waf;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the shared cases, the CRS and the tools.
pub struct Shared {
    pub root: PathBuf,
    /// A folder for files made from them, removed at the end.
    pub scratch: PathBuf,
}

/// An exchange.
pub struct Case {
    pub name: String,
    method: Vec<u8>,
    target: Vec<u8>,
    version: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    response: Response,
    /// The status of the intervention that the CRS must cause, if any.
    pub expected: Option<u16>,
}

struct Response {
    status: u16,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

impl Default for Response {
    fn default() -> Self {
        let headers = vec![(b"Content-Type".to_vec(), b"text/html".to_vec())];
        Self { status: 200, headers, body: b"<html><body>ok</body></html>".to_vec() }
    }
}

/// The interventions of the CRS for cases of the corpus; ModSecurity gives the same ones.
const STOPPED: [(&str, u16); 7] = [
    ("05-post-json-64k", 400),
    ("11-attack-sqli", 403),
    ("12-attack-xss", 403),
    ("13-attack-rce", 403),
    ("14-attack-lfi", 403),
    ("15-attack-log4j", 403),
    ("23-get-leak", 403),
];

impl Shared {
    /// Finds the shared folder; prints a notice if there is none.
    pub fn find() -> Option<Self> {
        let default = || project().join("../shared");
        let root = std::env::var_os("SECRULE_SHARED").map_or_else(default, PathBuf::from);
        let Ok(root) = root.canonicalize() else {
            eprintln!("{} is not there: nothing was measured; SECRULE_SHARED names another folder", root.display());
            return None;
        };
        let scratch = std::env::temp_dir().join(format!("secrule-bench-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).expect("a scratch folder can be made");
        Some(Self { root, scratch })
    }

    /// Returns the rules of the benchmark: the engine's settings and the unchanged CRS.
    pub fn rules(&self) -> PathBuf {
        let root = self.root.display();
        let settings = std::fs::read_to_string(self.root.join("tools/engine.conf.in")).expect("the engine's settings are there");
        let rules = format!("{settings}\nInclude {root}/crs/crs-setup.conf.example\nInclude {root}/crs/rules/*.conf\n");
        let path = self.scratch.join("rules.conf");
        std::fs::write(&path, rules.replace("@SHARED@", &root.to_string())).expect("the scratch folder can be written to");
        path
    }

    /// Creates the corpus and returns its folder.
    pub fn corpus(&self) -> PathBuf {
        let folder = self.scratch.join("corpus");
        let made = Command::new("python3").arg(self.root.join("tools/make_corpus.py")).arg(&folder).status();
        assert!(made.is_ok_and(|status| status.success()), "make_corpus.py runs");
        folder
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

/// Loads the rule set of the benchmark.
pub fn load(rules: &Path) -> Waf {
    Waf::builder().file(rules).build().unwrap_or_else(|error| panic!("{error}"))
}

/// Returns every case of a corpus, by name.
pub fn cases(folder: &Path) -> Vec<Case> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "http"));
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

/// The headers of a browser's request.
const HEADERS: [(&str, &str); 4] = [
    ("Host", "shop.example"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.7"),
];

impl Case {
    /// Makes a request without a body, which the CRS lets pass.
    pub fn get(target: &str) -> Self {
        let headers = HEADERS.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
        Self {
            name: target.to_owned(),
            method: b"GET".to_vec(),
            target: target.as_bytes().to_vec(),
            version: b"1.1".to_vec(),
            headers,
            body: Vec::new(),
            response: Response::default(),
            expected: None,
        }
    }

    /// Makes a request with a body.
    pub fn post(content_type: &str, body: Vec<u8>) -> Self {
        let length = body.len().to_string();
        let case = Self::get("/submit").with_header("Content-Type", content_type).with_header("Content-Length", &length);
        Self { method: b"POST".to_vec(), body, ..case }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        self
    }

    /// Sets the response.
    pub fn answered(self, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![(b"Content-Type".to_vec(), content_type.as_bytes().to_vec())];
        Self { response: Response { status: 200, headers, body }, ..self }
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (line, headers, body) = message(&std::fs::read(path).unwrap());
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let response = match std::fs::read(path.with_extension("resp")) {
            Ok(text) => {
                let (line, headers, body) = message(&text);
                let status = String::from_utf8_lossy(&line)[9..12].parse().unwrap();
                Response { status, headers, body }
            }
            Err(_) => Response::default(),
        };
        let expected = STOPPED.iter().find(|(stopped, _)| *stopped == name).map(|(_, status)| *status);
        let version = words[2].strip_prefix(b"HTTP/").unwrap().to_vec();
        Self { name, method: words[0].to_vec(), target: words[1].to_vec(), version, headers, body, response, expected }
    }

    /// Runs the whole transaction as a connector does. Returns the status of the intervention.
    pub fn run(&self, waf: &Waf) -> Option<u16> {
        self.exchange().run(&mut waf.transaction()).map(|intervention| intervention.status())
    }

    /// Returns the names of the limits that the transaction exceeds.
    pub fn exceeded_limits(&self, waf: &Waf) -> Vec<&'static str> {
        let mut transaction = waf.transaction();
        let _ = self.exchange().run(&mut transaction);
        transaction.exceeded_limits().map(|limit| limit.name()).collect()
    }

    fn exchange(&self) -> Exchange<'_> {
        let Response { status, headers, body } = &self.response;
        let headers = headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        Exchange {
            client: ("127.0.0.1", 12345),
            server: ("127.0.0.1", 80),
            version: &self.version,
            body: vec![&self.body],
            response: Some(host::Response { status: *status, protocol: "HTTP/1.1", headers, body: vec![body] }),
            ..Exchange::new(&self.method, &self.target)
        }
        .headers(&self.headers)
    }

    /// Fails unless the case ends as it must.
    pub fn check(&self, waf: &Waf) {
        assert_eq!(self.run(waf), self.expected, "{}", self.name);
    }
}

type Message = (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>, Vec<u8>);

fn message(text: &[u8]) -> Message {
    let end = text.windows(4).position(|window| window == b"\r\n\r\n").expect("a head ends");
    let mut lines = text[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap().to_vec();
    let headers = lines.map(|line| {
        let colon = line.iter().position(|byte| *byte == b':').expect("a header has a colon");
        (line[..colon].to_vec(), line[colon + 1..].trim_ascii_start().to_vec())
    });
    (first, headers.collect(), text[end + 4..].to_vec())
}
