//! A Chromium without a window, driven over its DevTools protocol.
//!
//! The browser reads commands from file descriptor 3 and writes answers to 4, each ended by a NUL byte. A shell connects those with the standard input
//! and output that this process holds, so that neither a port nor a WebSocket is needed.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum wait for an answer, and for a condition of a page.
const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// A browser with one page.
pub struct Chromium {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    sent: u64,
    events: Vec<Value>,
    profile: PathBuf,
}

impl Chromium {
    pub fn start() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let profile = std::env::temp_dir().join(format!("secrule-browser-{}-{number}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "exec chromium \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null", "chromium"]);
        // Root may not have a sandbox; containers often have a small /dev/shm.
        command.args([
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-first-run",
        ]);
        command.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-extensions",
            "--hide-scrollbars",
        ]);
        command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let messages = read(output);
        let mut browser = Self { process, input, messages, session: None, sent: 0, events: Vec::new(), profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Sends a command, and returns its result.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        let answer = self.try_call(method, parameters);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn try_call(&mut self, method: &str, parameters: Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(format!("{message}\0").as_bytes()).unwrap();
        let by = Instant::now() + WAIT_LIMIT;
        loop {
            match self.messages.recv_timeout(by.saturating_duration_since(Instant::now())) {
                Ok(message) if message["id"] == self.sent => return message,
                Ok(event) => self.events.push(event),
                Err(RecvTimeoutError::Timeout) => panic!("chromium does not answer {method}"),
                Err(RecvTimeoutError::Disconnected) => panic!("chromium has ended before it answered {method}"),
            }
        }
    }

    /// Opens a URL, and waits until its document is there.
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for(&format!("document.readyState === 'complete' && location.href.startsWith({})", json!(url.split('#').next())));
    }

    /// Returns the value of an expression of the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let result = self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression of the page is true.
    pub fn wait_for(&mut self, expression: &str) {
        let by = Instant::now() + WAIT_LIMIT;
        // A page that is left answers with an error.
        while self.try_call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }))["result"]["result"]["value"]
            != true
        {
            if Instant::now() > by {
                let text = self.evaluate("document.body ? document.body.innerText : ''");
                panic!("this does not become true: {expression}\n{text}");
            }
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Clicks on the middle of the first element that a selector names.
    pub fn click(&mut self, selector: &str) {
        let script = format!(
            "(() => {{ const node = document.querySelector({}); node.scrollIntoView({{ block: 'center', behavior: 'instant' }});
              const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        );
        let place = self.evaluate(&script);
        for kind in ["mousePressed", "mouseReleased"] {
            self.call("Input.dispatchMouseEvent", json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 }));
        }
    }

    /// Presses a key: `Tab` or `Enter`.
    pub fn press(&mut self, key: &str) {
        let (code, text) = if key == "Enter" { (13, "\r") } else { (9, "") };
        let kind = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        self.call("Input.dispatchKeyEvent", json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text }));
        self.call("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code }));
    }

    /// Presses Tab until an expression about the focused element, `it`, is true.
    pub fn tab_to(&mut self, condition: &str) {
        for _ in 0..40 {
            if self.evaluate(&format!("(it => {condition})(document.activeElement)")) == true {
                return;
            }
            self.press("Tab");
        }
        panic!("Tab does not reach an element with: {condition}");
    }

    /// Types a text where the focus is.
    pub fn insert(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Sets the size of the page, and light or dark colours.
    pub fn show_as(&mut self, width: u32, height: u32, scheme: &str) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        );
        self.call("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }));
    }

    /// Returns what the page looks like, as PNG in Base64.
    pub fn screenshot(&mut self) -> String {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png", "optimizeForSpeed": false }));
        shot["data"].as_str().unwrap().to_owned()
    }

    /// Returns the events of a kind so far.
    pub fn events(&mut self, method: &str) -> Vec<Value> {
        // Those that wait, too.
        self.evaluate("0");
        self.events.iter().filter(|event| event["method"] == method).map(|event| event["params"].clone()).collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

fn read(output: ChildStdout) -> Receiver<Value> {
    let (sender, messages) = channel();
    thread::spawn(move || {
        let pieces = BufReader::new(output).split(0);
        for message in pieces.map_while(Result::ok).filter_map(|piece| serde_json::from_slice(&piece).ok()) {
            if sender.send(message).is_err() {
                break;
            }
        }
    });
    messages
}
