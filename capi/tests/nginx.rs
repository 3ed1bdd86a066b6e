//! A real nginx with its own ModSecurity connector and our library: requests pass or are stopped, responses are cut off, reloads lose nothing.

use secrule_testkit::nginx::{NGINX, Nginx, Site};
use secrule_testkit::{trial, trials};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// A response of the backend with a leak.
const LEAK: &str = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version near x";

/// Number of reloads under load; `SECRULE_RELOADS` sets another one.
const RELOADS: usize = 20;

fn main() -> ExitCode {
    trials::run([trial!(nginx_with_our_library_is_a_firewall, NGINX)])
}

fn nginx_with_our_library_is_a_firewall() {
    let in_front = "location /broken { modsecurity_rules 'SecRequestBodyLimit 1000'; proxy_pass http://unix:{folder}/behind.sock; }";
    let behind = format!("location /broken {{ return 200 \"{LEAK}\"; }}");
    let site = Site { name: "nginx", environment: &[], workers: 2, rules: &rules, in_front, behind: &behind };
    let nginx = Nginx::start(&site);
    requests_pass_or_are_stopped(&nginx);
    a_leak_is_cut_off(&nginx);
    the_audit_log_is_written(&nginx);
    reloads_lose_nothing(&nginx);
}

fn requests_pass_or_are_stopped(nginx: &Nginx) {
    let form = "application/x-www-form-urlencoded";
    let multipart = "multipart/form-data; boundary=part";
    let upload = |name: &str| {
        format!(
            "--part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\nx\r\n--part--\r\n"
        )
    };
    let get = |target: &str| nginx.ask("GET", target, None);
    let post = |kind: &str, body: &str| nginx.ask("POST", "/submit", Some((kind, body)));
    for (what, answer) in [
        ("a page", get("/catalog/shoes?size=42&colour=dark+blue")),
        ("a form", post(form, "name=Ann+Smith&comment=thank+you+for+the+fast+delivery")),
        ("JSON", post("application/json", r#"{"name": "Ann", "items": [1, 2, 3]}"#)),
        ("an upload", post(multipart, &upload("holiday.png"))),
    ] {
        assert_eq!((answer.status, answer.body.as_str()), (200, "fine"), "{what}");
    }
    for (what, answer) in [
        ("SQL injection in the query", get("/list?id=1%27%20UNION%20SELECT%20name,password%20FROM%20users--%20-")),
        ("SQL injection in a form", post(form, "id=1%27+OR+%271%27%3D%271%27+--+-")),
        ("SQL injection in JSON", post("application/json", r#"{"id": "1' UNION SELECT name, password FROM users-- -"}"#)),
        ("XSS in the query", get("/search?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E")),
        ("XSS in a form", post(form, "q=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E")),
        ("XSS in JSON", post("application/json", r#"{"q": "<script>alert(document.cookie)</script>"}"#)),
        ("command injection in the query", get("/ping?host=127.0.0.1%3Bcat%20/etc/passwd")),
        ("command injection in a form", post(form, "host=127.0.0.1%3B+cat+%2Fetc%2Fpasswd")),
        ("command injection in JSON", post("application/json", r#"{"host": "127.0.0.1; cat /etc/passwd"}"#)),
        ("a script as an upload's file name", post(multipart, &upload("shell.php"))),
        ("a path as an upload's file name", post(multipart, &upload("../../../../etc/passwd"))),
    ] {
        assert_eq!(answer.status, 403, "{what}");
    }
}

fn a_leak_is_cut_off(nginx: &Nginx) {
    let answer = nginx.ask("GET", "/broken", None);
    assert!(!answer.body.contains("SQL syntax"), "{answer:?}");
}

fn the_audit_log_is_written(nginx: &Nginx) {
    let log = fs::read_to_string(nginx.folder.join("audit.log")).unwrap_or_default();
    assert!(log.contains("/list?id=1%27%20UNION"), "the audit log lacks a request that was stopped: {log:.2000}");
    assert!(!log.contains("/catalog/shoes"), "the audit log holds a request that passed");
    let errors = fs::read_to_string(nginx.folder.join("error.log")).unwrap();
    assert!(errors.contains("ModSecurity: Access denied with code 403"), "the error log lacks the denial: {errors:.2000}");
}

fn reloads_lose_nothing(nginx: &Nginx) {
    let asked = std::env::var("SECRULE_RELOADS").ok().and_then(|number| number.parse().ok());
    // The memory after a few reloads varies by a percent between runs; after many reloads it is stable, and a narrower bound applies.
    let (reloads, percent) = asked.map_or((RELOADS, 6), |number| (number, 5));
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (after_third, at_end) = thread::scope(|scope| {
        for worker in 0..2 {
            let (over, answered) = (&over, &answered);
            scope.spawn(move || {
                let (target, status) = if worker == 0 { ("/page?id=1", 200) } else { ("/page?q=%3Cscript%3Ealert(1)%3C/script%3E", 403) };
                while !over.load(Ordering::Relaxed) {
                    let answer = nginx.ask("GET", target, None);
                    // A thread that panics must not leave the reloads running to their end.
                    if answer.status != status {
                        over.store(true, Ordering::Relaxed);
                        panic!("after {} requests {target} gave {answer:?}", answered.load(Ordering::Relaxed));
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut after_third = 0;
        for reload in 1..=reloads {
            if over.load(Ordering::Relaxed) {
                break;
            }
            nginx.reload();
            if reload == 3 {
                after_third = nginx.memory();
            }
        }
        over.store(true, Ordering::Relaxed);
        (after_third, nginx.memory())
    });
    let answered = answered.into_inner();
    trials::note(&format!("{reloads} reloads, {answered} requests, {after_third} kB after the third and {at_end} kB at the end"));
    assert!(at_end * 100 <= after_third * (100 + percent), "the master grew from {after_third} kB to {at_end} kB");
}

/// Returns the OWASP CRS if it is available, otherwise the starter rules.
fn rules(folder: &Path) -> String {
    let starter = secrule_testkit::project().join("crs/starter");
    let rules = match secrule_testkit::find_shared("crs") {
        Some(crs) => format!(
            "Include {setup}\nInclude {}\nInclude {}\n",
            crs.join("crs-setup.conf.example").display(),
            crs.join("rules/*.conf").display(),
            setup = starter.join("00-setup.conf").display(),
        ),
        None => format!("Include {}\n", starter.join("*.conf").display()),
    };
    let audit = folder.join("audit.log");
    format!("{rules}SecAuditEngine RelevantOnly\nSecAuditLogParts ABHZ\nSecAuditLogType Serial\nSecAuditLog {}\n", audit.display())
}
