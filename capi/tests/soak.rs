//! Ten minutes of clean, hostile and broken requests through a real nginx with our library. It reloads every twenty seconds, and the disk of its
//! audit log is full for a minute. No worker ends, memory does not grow, and every request with a known verdict gets it.
//!
//! Not part of the tests, because it takes long: `make capi && cargo test --release --test soak -- --ignored --nocapture`. `SECRULE_SOAK_SECONDS`
//! sets another time. The disk is full only where this user may mount one.

use secrule_testkit::nginx::{NGINX, Nginx, Site};
use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Default duration, in seconds.
const SECONDS: u64 = 600;

/// Time between two reloads.
const BETWEEN_RELOADS: Duration = Duration::from_secs(20);

/// Number of clients.
const CLIENTS: usize = 8;

/// Pause of a client after an answer.
const REST: Duration = Duration::from_millis(50);

/// nginx itself refuses a thousand headers.
const MANY_HEADERS: usize = 990;

/// Length of the line that begins a record.
const BEGIN: usize = "---12345678---A--".len();

/// Maximum difference of memory between the second and the last quarter, in percent.
const GROWTH: usize = 10;

const CLEAN: &str = "/catalog/shoes?size=42&colour=dark+blue";
const ATTACK: &str = "/list?id=1%27%20UNION%20SELECT%20name,password%20FROM%20users--%20-";
const FORM: &str = "application/x-www-form-urlencoded";

/// A request of a client, and its check of the answer.
type Request = fn(&Nginx) -> Result<(), String>;

const REQUESTS: [(&str, Request); 14] = [
    ("a page", |nginx| expect(nginx.ask("GET", CLEAN, None).status, 200)),
    ("a form", |nginx| expect(nginx.ask("POST", "/submit", Some((FORM, "name=Ann+Smith&comment=thank+you"))).status, 200)),
    ("JSON", |nginx| expect(nginx.ask("POST", "/submit", Some(("application/json", r#"{"name": "Ann", "items": [1, 2]}"#))).status, 200)),
    ("an attack in the query", |nginx| expect(nginx.ask("GET", ATTACK, None).status, 403)),
    ("an attack in a form", |nginx| {
        expect(nginx.ask("POST", "/submit", Some((FORM, "q=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E"))).status, 403)
    }),
    ("an attack in JSON", |nginx| {
        expect(nginx.ask("POST", "/submit", Some(("application/json", r#"{"host": "127.0.0.1; cat /etc/passwd"}"#))).status, 403)
    }),
    ("JSON that ends early", |nginx| expect(nginx.ask("POST", "/submit", Some(("application/json", r#"{"a": ["#))).status, 400)),
    ("a large upload", |nginx| large_upload(nginx, "holiday.png", 200)),
    ("a large upload of a script", |nginx| large_upload(nginx, "shell.php", 403)),
    ("many headers", |nginx| many_headers(nginx, "fine", 200)),
    ("many headers and an attack", |nginx| many_headers(nginx, "<script>alert(document.cookie)</script>", 403)),
    ("pipelined requests", pipelined),
    ("a slow body", slow_body),
    ("cut connections", cut),
];

fn main() -> ExitCode {
    let [program, module, library] = NGINX;
    let soak = trial!(a_busy_firewall_stays_as_it_is, [program, module, library, Needs::Shared("crs")]);
    trials::run([soak.with_kind("takes ten minutes").with_ignored_flag(true)])
}

fn a_busy_firewall_stays_as_it_is() {
    let time = std::env::var("SECRULE_SOAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(SECONDS);
    let time = Duration::from_secs(time);
    let crs = secrule_testkit::shared("crs");
    let rules = |folder: &Path| rules(&crs, folder);
    let large = "client_max_body_size 32m; large_client_header_buffers 8 64k;";
    let site = Site { name: "soak", environment: &[], workers: 2, rules: &rules, in_front: large, behind: large };
    let nginx = Nginx::start(&site);
    let disk = Disk::below(&nginx.folder);
    let (over, wrong) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let sent = REQUESTS.map(|_| AtomicUsize::new(0));
    let samples = thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (nginx, over, wrong, sent) = (&nginx, &over, &wrong, &sent);
            scope.spawn(move || {
                let mut turn = client * 5;
                while !over.load(Ordering::Relaxed) {
                    let at = turn % REQUESTS.len();
                    let (what, request) = REQUESTS[at];
                    if let Err(reason) = request(nginx) {
                        wrong.lock().unwrap().push(format!("{what}: {reason}"));
                    }
                    sent[at].fetch_add(1, Ordering::Relaxed);
                    turn += 1;
                    thread::sleep(REST);
                }
            });
        }
        let _over = Over(&over);
        watch(&nginx, disk.as_ref(), time)
    });
    let errors = fs::read_to_string(nginx.folder.join("error.log")).unwrap_or_default();
    let sent: BTreeMap<_, _> = REQUESTS.iter().zip(sent).map(|((what, _), count)| (*what, count.into_inner())).collect();
    let wrong = wrong.into_inner().unwrap();
    trials::note(&format!("{} requests, {} wrong: {sent:?}", sent.values().sum::<usize>(), wrong.len()));
    assert!(sent.values().all(|count| *count > 0), "some were never sent");
    assert!(wrong.is_empty(), "{} wrong answers: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
    for sign in ["exited on signal", "panicked"] {
        let lines: Vec<_> = errors.lines().filter(|line| line.contains(sign)).take(5).collect();
        assert!(lines.is_empty(), "{lines:#?}");
    }
    samples.are_flat();
    if let Some(disk) = disk {
        disk.log_goes_on(&nginx);
    }
}

/// Stops the clients when it is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reloads, fills the disk and empties it, and records memory.
fn watch(nginx: &Nginx, disk: Option<&Disk>, time: Duration) -> Samples {
    let start = Instant::now();
    let full = time * 2 / 5..time / 2;
    let mut samples = Samples::default();
    let mut reloads: u32 = 0;
    while start.elapsed() < time {
        thread::sleep(Duration::from_millis(500));
        let elapsed = start.elapsed();
        if let Some(disk) = disk {
            disk.fill(full.contains(&elapsed));
        }
        samples.workers.push(nginx.worker_memory());
        if elapsed >= BETWEEN_RELOADS * (reloads + 1) {
            reloads += 1;
            if let Some(disk) = disk {
                disk.rotate();
            }
            nginx.reload();
            samples.master.push(nginx.memory());
            println!("{:>4} s: {} kB, workers {} kB", elapsed.as_secs(), nginx.memory(), nginx.worker_memory());
        }
    }
    samples
}

/// Memory in kB, in the order of time.
#[derive(Default)]
struct Samples {
    master: Vec<usize>,
    workers: Vec<usize>,
}

impl Samples {
    fn are_flat(&self) {
        for (what, kept) in [("the master", &self.master), ("the workers", &self.workers)] {
            let quarter = kept.len() / 4;
            if quarter < 2 {
                println!("{what}: too few samples to compare");
                continue;
            }
            let mean = |part: &[usize]| part.iter().sum::<usize>() / part.len();
            let (early, late) = (mean(&kept[quarter..2 * quarter]), mean(&kept[kept.len() - quarter..]));
            println!("{what}: {early} kB in the second quarter, {late} kB in the last, {} kB at most", kept.iter().max().unwrap());
            assert!(late * 100 <= early * (100 + GROWTH), "{what} grew from {early} kB to {late} kB");
        }
    }
}

/// A small disk for the audit log.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    fn below(folder: &Path) -> Option<Self> {
        let folder = folder.join("disk");
        let mounted = fs::read_to_string("/proc/mounts").unwrap_or_default().contains(&*folder.to_string_lossy());
        if !mounted {
            eprintln!("the disk is never full: this user may not mount one");
        }
        mounted.then_some(Self { folder })
    }

    /// Mounts one, if allowed. nginx opens its log there when it starts.
    fn mount(folder: &Path) {
        let folder = folder.join("disk");
        fs::create_dir_all(&folder).unwrap();
        let _ = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(&folder).status();
    }

    fn fill(&self, full: bool) {
        let filler = self.folder.join("filler");
        if !full {
            let _ = fs::remove_file(&filler);
        } else if let Ok(mut file) = fs::OpenOptions::new().create(true).append(true).open(&filler) {
            while file.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
        }
    }

    /// Removes the log, in which every record begins a line, even after a record that the full disk cut off.
    fn rotate(&self) {
        let path = self.folder.join("audit.log");
        let log = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        for begin in log.lines().filter(|line| line.ends_with("-A--")) {
            assert_eq!((begin.len(), begin.starts_with("---")), (BEGIN, true), "{begin}");
        }
    }

    /// After the disk was full, complete records are written again.
    fn log_goes_on(&self, nginx: &Nginx) {
        self.rotate();
        let mark = "after-all";
        assert_eq!(nginx.ask("GET", &format!("{ATTACK}&mark={mark}"), None).status, 403);
        let log = fs::read_to_string(self.folder.join("audit.log")).unwrap();
        assert!(log.contains(mark) && log.trim_end().ends_with("-Z--"), "{log}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

fn rules(crs: &Path, folder: &Path) -> String {
    Disk::mount(folder);
    let setup = secrule_testkit::project().join("crs/starter/00-setup.conf");
    let (setup, crs, log) = (setup.display(), crs.display(), folder.join("disk/audit.log"));
    format!(
        "Include {setup}\nInclude {crs}/crs-setup.conf.example\nInclude {crs}/rules/*.conf\n\
         SecAuditEngine RelevantOnly\nSecAuditLogParts ABHZ\nSecAuditLogType Serial\nSecAuditLog {}\n",
        log.display()
    )
}

fn expect(status: u16, expected: u16) -> Result<(), String> {
    if status == expected { Ok(()) } else { Err(format!("{status} instead of {expected}")) }
}

/// Sends pieces with pauses between them, and returns the statuses of all answers up to the end of the connection.
fn send(nginx: &Nginx, pieces: &[&[u8]], pause: Duration) -> Vec<u16> {
    let mut bytes = Vec::new();
    if let Ok(mut stream) = TcpStream::connect(nginx.address()) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
        for piece in pieces {
            if stream.write_all(piece).is_err() {
                break;
            }
            thread::sleep(pause);
        }
        let _ = stream.read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    text.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).and_then(|status| status.parse().ok()).unwrap_or(0)).collect()
}

fn head(method: &str, target: &str, more: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n{more}\r\n")
}

fn large_upload(nginx: &Nginx, name: &str, expected: u16) -> Result<(), String> {
    let before = format!("--part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n");
    let content = [b'x'; 1 << 16].repeat(160);
    let after = b"\r\n--part--\r\n";
    let length = before.len() + content.len() + after.len();
    let about = format!("Content-Type: multipart/form-data; boundary=part\r\nContent-Length: {length}\r\nConnection: close\r\n");
    let head = head("POST", "/upload", &about);
    only(&send(nginx, &[head.as_bytes(), before.as_bytes(), &content, after], Duration::ZERO), expected)
}

fn many_headers(nginx: &Nginx, last: &str, expected: u16) -> Result<(), String> {
    let headers: String = (0..MANY_HEADERS).map(|number| format!("X-Number-{number}: {number}\r\n")).collect();
    let head = head("GET", CLEAN, &format!("{headers}Cookie: last={last}\r\nConnection: close\r\n"));
    only(&send(nginx, &[head.as_bytes()], Duration::ZERO), expected)
}

/// A worker that a reload ends still answers the request that it has begun.
fn pipelined(nginx: &Nginx) -> Result<(), String> {
    let targets = [CLEAN, ATTACK, CLEAN, CLEAN, ATTACK, ATTACK, CLEAN, ATTACK];
    let all: String = targets.iter().map(|target| head("GET", target, "")).chain([head("GET", CLEAN, "Connection: close\r\n")]).collect();
    let expected: Vec<u16> = targets.iter().chain([&CLEAN]).map(|target| if *target == CLEAN { 200 } else { 403 }).collect();
    let statuses = send(nginx, &[all.as_bytes()], Duration::ZERO);
    if !statuses.is_empty() && expected.starts_with(&statuses) { Ok(()) } else { Err(format!("{statuses:?}")) }
}

fn slow_body(nginx: &Nginx) -> Result<(), String> {
    let body = b"host=127.0.0.1%3B+cat+%2Fetc%2Fpasswd";
    let head = head("POST", "/submit", &format!("Content-Type: {FORM}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len()));
    let pieces: Vec<&[u8]> = [head.as_bytes()].into_iter().chain(body.chunks(2)).collect();
    only(&send(nginx, &pieces, Duration::from_millis(50)), 403)
}

/// Connections that end within a header and within a body.
fn cut(nginx: &Nginx) -> Result<(), String> {
    for start in [
        String::from("GET /list?id=1%27%20UNI"),
        head("POST", "/submit", &format!("Content-Type: {FORM}\r\nContent-Length: 1000\r\n")) + "a=1&b=",
        head("POST", "/upload", "Content-Type: multipart/form-data; boundary=part\r\nContent-Length: 100000\r\n") + "--part\r\nContent-Dis",
    ] {
        let mut stream = TcpStream::connect(nginx.address()).map_err(|error| error.to_string())?;
        // The server may have closed the connection first.
        let _ = stream.write_all(start.as_bytes());
    }
    Ok(())
}

fn only(statuses: &[u16], expected: u16) -> Result<(), String> {
    if statuses == [expected] { Ok(()) } else { Err(format!("{statuses:?} instead of {expected}")) }
}
