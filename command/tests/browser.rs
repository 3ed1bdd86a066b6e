//! The demo page and the admin page of `secrule serve` in a browser, as an operator sees them.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "browser/chromium.rs"]
mod chromium;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chromium::Chromium;
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

const SECRULE: &str = env!("CARGO_BIN_EXE_secrule");

/// A value that a page would run if it were taken for HTML.
const IMAGE: &str = "<img src=x onerror=alert(1)>";

/// The rows of requests that were stopped. A browser may also ask for icons of the pages that it was refused.
const STOPPED: &str = "[...document.querySelectorAll('#events tbody tr:not([id])')].filter(row => row.innerText.includes('Stopped (403)'))";

/// Maximum length of a screenshot, in bytes.
const MAX_SCREENSHOT: u64 = 150_000;

fn main() -> ExitCode {
    trials::run([
        trial!(an_attack_is_stopped_and_seen_and_nothing_of_it_runs, [Needs::Program("chromium")]),
        trial!(a_ban_ends_by_its_button_and_a_wrong_token_opens_nothing, [Needs::Program("chromium")]),
    ])
}

/// A proxy with its pages.
struct Serving {
    process: Child,
    demo: String,
    admin: String,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(SECRULE);
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(arguments);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut url = || {
            let line = lines.next().unwrap().unwrap();
            format!("http://{}", line.split("http://").last().unwrap())
        };
        Self { process, demo: url(), admin: url() }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn an_attack_is_stopped_and_seen_and_nothing_of_it_runs() {
    let serving = Serving::start(&[]);
    let mut browser = Chromium::start();
    browser.show_as(1_080, 860, "light");
    try_the_demo(&mut browser, &serving.demo);

    browser.open(&serving.admin);
    browser.wait_for(&format!(
        "!document.getElementById('app').hidden && {STOPPED}.filter(row => !row.innerText.includes('favicon')).length === 4"
    ));
    assert_eq!(browser.evaluate("location.hash"), "", "the token stays in the address bar");
    assert_eq!(browser.evaluate("document.cookie"), "");
    browser.wait_for("document.getElementById('updated').textContent !== ''");
    see_the_values(&mut browser);
    use_the_keyboard(&mut browser);
    look(&mut browser);
    assert_eq!(browser.evaluate("document.querySelectorAll('#app img, #app a[href*=\"//\"]').length"), 0);
    assert_eq!(browser.evaluate("document.getElementById('problem').hidden"), true);
    nothing_went_wrong(&mut browser, &serving);

    drop(serving);
    browser.wait_for("document.getElementById('problem').textContent.startsWith('The last update failed')");
    browser.wait_for("!document.getElementById('problem').hidden");
}

fn a_ban_ends_by_its_button_and_a_wrong_token_opens_nothing() {
    let folder = std::env::temp_dir().join(format!("secrule-browser-ban-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (store, rules) = (format!("lmdb:{}", folder.join("store.mdb").display()), folder.join("rules.conf"));
    std::fs::write(&rules, format!("SecRuleEngine On\nSecCollectionStore {store}\n")).unwrap();
    let ban = |arguments: &[&str]| {
        let ended = Command::new(SECRULE).arg("ban").args(arguments).args(["--store", &store]).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        String::from_utf8(ended.stdout).unwrap()
    };
    ban(&["add", "--ip", "192.0.2.7", "--path", "/<b>login", "--for", "1h", "--create"]);
    let serving = Serving::start(&["--rules", rules.to_str().unwrap()]);
    let (page, token) = serving.admin.split_once("#token=").unwrap();
    let mut browser = Chromium::start();

    browser.open(page);
    browser.wait_for("document.activeElement.id === 'token'");
    browser.insert("a-wrong-token-of-some-length");
    browser.press("Enter");
    browser.wait_for(
        "document.getElementById('login-problem').textContent.startsWith('It did not open') && document.getElementById('app').hidden",
    );
    browser.insert(token);
    browser.press("Enter");
    browser.wait_for("!document.getElementById('app').hidden && !document.getElementById('bans-table').hidden");
    assert_eq!(browser.evaluate("document.querySelector('#bans-table td').textContent"), "from 192.0.2.7 of /<b>login");
    browser.click("#bans-table button");
    browser.wait_for("document.getElementById('bans-table').hidden && !document.getElementById('no-bans').hidden");
    assert_eq!(ban(&["list"]), "no bans\n");
    std::fs::remove_dir_all(folder).unwrap();
}

/// A harmless link passes, and attacks are stopped.
fn try_the_demo(browser: &mut Chromium, demo: &str) {
    browser.open(demo);
    shot(browser, "demo");
    browser.click("a.harmless");
    browser.wait_for("location.search.startsWith('?id=1') && document.title.endsWith('this request passed')");
    for attack in 0..3 {
        browser.open(demo);
        browser.click(&format!("li:nth-child({}) a.attack", attack + 1));
        browser.wait_for("location.search !== '' && document.body.innerText.includes('403')");
    }
    browser.open(demo);
    browser.evaluate("document.getElementById('text').value = ''; document.getElementById('text').focus()");
    browser.insert(IMAGE);
    browser.press("Enter");
    browser.wait_for("!document.querySelector('form') && document.body.innerText.includes('403')");
    assert_eq!(browser.evaluate("performance.getEntriesByType('navigation')[0].responseStatus"), 403);
}

/// The values of the attacks are texts.
fn see_the_values(browser: &mut Chromium) {
    browser.click("#only-stopped");
    let count = browser.evaluate(&format!("{STOPPED}.length")).as_u64().unwrap();
    browser.wait_for(&format!("document.getElementById('shown').textContent.startsWith('{count} of ')"));
    for _ in 0..count {
        browser.click("#events tr:not([hidden]) button[aria-expanded=false]");
    }
    let shown = browser.evaluate("[...document.querySelectorAll('.value')].map(node => node.textContent)");
    let values: Vec<&str> = shown.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for attack in [IMAGE, "1' UNION SELECT name, password FROM users--", "../../../../etc/passwd"] {
        assert!(values.contains(&attack), "{attack}: {values:?}");
    }
    for _ in 0..count {
        browser.click("#events button[aria-expanded=true]");
    }
}

/// Tab reaches the filter, which finds an event, and Enter opens it.
fn use_the_keyboard(browser: &mut Chromium) {
    browser.evaluate("document.activeElement.blur(); getSelection().collapse(document.body, 0)");
    browser.tab_to("it.id === 'filter'");
    browser.insert("no such client");
    browser.wait_for("document.getElementById('shown').textContent.startsWith('0 of ')");
    browser.evaluate("document.getElementById('filter').select()");
    browser.insert("event handler");
    browser.wait_for("document.getElementById('shown').textContent.startsWith('1 of ')");
    browser.press("Tab");
    browser.tab_to("it.getAttribute('aria-expanded') === 'false'");
    browser.press("Enter");
    browser.wait_for("document.activeElement.getAttribute('aria-expanded') === 'true'");
    assert_eq!(browser.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid", "the focus is not seen");
    browser.evaluate("document.getElementById('filter').value = ''; document.getElementById('filter').dispatchEvent(new Event('input'))");
}

/// The page fits wide and narrow screens, in light and in dark.
fn look(browser: &mut Chromium) {
    for (name, width, height, scheme) in
        [("admin-light", 1_080, 860, "light"), ("admin-dark", 1_080, 860, "dark"), ("admin-narrow", 320, 900, "light")]
    {
        browser.show_as(width, height, scheme);
        browser.evaluate("document.activeElement.blur(); scrollTo({ top: 0, behavior: 'instant' })");
        shot(browser, name);
        assert_eq!(browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), true, "{name} is wider than its screen");
    }
    browser.show_as(1_080, 860, "light");
    browser.evaluate("document.documentElement.style.scrollBehavior = 'auto'; document.getElementById('rules').scrollIntoView()");
    shot(browser, "admin-rules");
}

/// No page wrote an error, opened a dialog, or asked another server.
fn nothing_went_wrong(browser: &mut Chromium, serving: &Serving) {
    assert_eq!(browser.events("Page.javascriptDialogOpening"), [] as [Value; 0]);
    assert_eq!(browser.events("Runtime.exceptionThrown"), [] as [Value; 0]);
    let written = browser.events("Runtime.consoleAPICalled");
    assert!(written.iter().all(|entry| entry["type"] != "error"), "{written:?}");
    let is_error = |entry: &&Value| entry["entry"]["level"] == "error";
    // The status of the attacks is one.
    let is_own_doing = |entry: &&Value| !entry["entry"]["text"].as_str().unwrap_or_default().contains("status of 403");
    let logged = browser.events("Log.entryAdded");
    assert_eq!(logged.iter().filter(is_error).filter(is_own_doing).collect::<Vec<_>>(), [] as [&Value; 0]);
    let origins = [&*serving.demo, serving.admin.split('#').next().unwrap()];
    for request in browser.events("Network.requestWillBeSent") {
        let url = request["request"]["url"].as_str().unwrap();
        assert!(url.starts_with("data:") || origins.iter().any(|origin| url.starts_with(origin)), "{url}");
        assert!(!url.contains("token"), "{url}");
    }
}

/// Writes a screenshot if that is wanted; otherwise it must be there.
fn shot(browser: &mut Chromium, name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/screenshots/{name}.png"));
    if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, BASE64.decode(browser.screenshot()).unwrap()).unwrap();
    }
    let length = std::fs::metadata(&file).map_or(0, |file| file.len());
    assert!((1..MAX_SCREENSHOT).contains(&length), "{} has {length} bytes: UPDATE_SCREENSHOTS=1 writes it", file.display());
}
