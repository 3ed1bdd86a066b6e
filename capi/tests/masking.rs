//! Secrets in the logs of a real host: a login through nginx with its own ModSecurity connector and our library, and the same rules under Apache with
//! ModSecurity v2, which defines the masks.

use secrule_testkit::nginx::{NGINX, Nginx, Site};
use secrule_testkit::trials::Needs;
use secrule_testkit::{trial, trials};
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

const APACHE_MODULES: &str = "/usr/lib/apache2/modules";

fn main() -> ExitCode {
    let [program, connector, library] = NGINX;
    let apache = [Needs::Program("apache2"), Needs::File("mod_security2.so", &[APACHE_MODULES])];
    trials::run([
        trial!(no_log_holds_the_password_of_a_login, NGINX),
        trial!(the_masks_are_those_of_modsecurity_2, [program, connector, library, apache[0], apache[1]]),
    ])
}

/// A password that trips rules about SQL injection and cross-site scripting.
const PASSWORD: &str = "1' UNION SELECT password FROM users-- <script>alert(1)</script>";

fn no_log_holds_the_password_of_a_login() {
    // The connector reports matches at this level.
    let in_front = "error_log {folder}/error.log info;";
    let nginx = Nginx::start(&Site { name: "masking", environment: &[], workers: 1, rules: &login_rules, in_front, behind: "" });
    let form = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let quoted = serde_json::to_string(PASSWORD).unwrap();
    let part = |name: &str, value: &str| format!("--part\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let bodies = [
        ("application/x-www-form-urlencoded", format!("user=ann&password={}", form(PASSWORD))),
        ("application/json", format!("{{\"user\": \"ann\", \"login\": {{\"password\": {quoted}}}, \"again\": {quoted}}}")),
        ("multipart/form-data; boundary=part", format!("{}{}--part--\r\n", part("user", "ann"), part("password", PASSWORD))),
    ];
    for (kind, body) in &bodies {
        let cookie = format!("session={}", form(PASSWORD));
        let headers = [("Cookie", cookie.as_str()), ("Authorization", "Bearer t0k3nvalue")];
        assert_eq!(nginx.ask_with("POST", "/login", &headers, Some((kind, body))).status, 403, "{kind}");
    }
    let audit = complete(&nginx.folder.join("audit.log"), |text| text.lines().count() == bodies.len());
    let records: Vec<Value> =
        audit.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    for record in &records {
        let transaction = &record["transaction"];
        let matches = transaction["messages"].as_array().unwrap();
        assert!(matches.iter().any(|found| found["details"]["data"].as_str().unwrap().contains("****")), "{transaction}");
        assert!(transaction["request"]["body"].as_str().unwrap().contains("****"), "{transaction}");
    }
    let body = records[1]["transaction"]["request"]["body"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(body).is_ok(), "{body}");
    for log in ["audit.log", "error.log", "debug.log"] {
        let text = fs::read_to_string(nginx.folder.join(log)).unwrap().to_lowercase();
        assert!(text.contains("****"), "{log} shows no mask");
        for secret in ["union select", "union%20select", &form("union"), &form("UNION").to_lowercase(), "from users", "alert(1)", "t0k3n"] {
            // The rules of the CRS are not in these logs, except for the parameter of an operator.
            let leak = text.lines().find(|line| line.contains(secret) && !line.contains("with param"));
            assert!(leak.is_none(), "{secret} in {log}: {:.2000}", leak.unwrap_or_default());
        }
    }
}

/// Returns a log once it is complete: hosts write records after their answers.
fn complete(log: &Path, is_complete: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        if is_complete(&text) {
            return text;
        }
        assert!(Instant::now() < deadline, "{} is not complete:\n{text}", log.display());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the OWASP CRS if it is available, otherwise the starter rules, and what is masked.
fn login_rules(folder: &Path) -> String {
    let starter = secrule_testkit::project().join("crs/starter");
    let rules = match secrule_testkit::find_shared("crs") {
        Some(crs) => format!(
            "Include {}\nInclude {}\nInclude {}\n",
            crs.join("crs-setup.conf.example").display(),
            crs.join("rules/*.conf").display(),
            starter.join("00-setup.conf").display(),
        ),
        // The message of this rule is part of the password, so that it would count as a leak.
        None => format!("Include {}\nSecRuleRemoveById 10500\n", starter.join("*.conf").display()),
    };
    let path = |name: &str| folder.join(name).display().to_string();
    format!(
        "{rules}SecAuditEngine RelevantOnly\nSecAuditLogFormat JSON\nSecAuditLogParts ABCEFGHIJKZ\nSecAuditLog {}\nSecDebugLog {}\n\
         SecDebugLogLevel 9\nSecSanitise ARGS:password REQUEST_COOKIES:session REQUEST_HEADERS:Authorization\n",
        path("audit.log"),
        path("debug.log"),
    )
}

/// Rules that both engines have.
const RULES: &str = "SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecAuditEngine On
SecAuditLogType Serial
SecAuditLogParts ABCHZ
SecRule REQUEST_HEADERS:Content-Type \"@contains json\" \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"
SecAction \"id:2,phase:2,nolog,pass,sanitiseArg:password,sanitizeRequestHeader:Authorization\"
SecRule ARGS|REQUEST_HEADERS:X-Key \"@contains attack\" \"id:3,phase:2,pass,log,sanitiseMatched,msg:'attack'\"
SecAction \"id:4,phase:5,nolog,pass,sanitiseArg:late,sanitiseRequestHeader:X-Late\"
";

/// A method, a target, and a body with its type.
type Sent = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// Requests of which both engines mask the same bytes. The values occur once, because v2 masks no other places.
fn requests() -> Vec<Sent> {
    let form = "application/x-www-form-urlencoded";
    let multipart = "multipart/form-data; boundary=part";
    vec![
        ("GET", "/?password=first+value&user=ann&late=phasefive&attacked=none", None),
        ("GET", "/?x=an+attack%21&PASSWORD=second%20val%75e&p%61ssword=third&password", None),
        ("POST", "/?password=query", Some((form, "user=ann&password=f%6furth&password=fifth&late=%41%42%43&y=attack!"))),
        ("POST", "/", Some((form, "password=&p%61ssword=sixth=x&z=clear"))),
        (
            "POST",
            "/",
            Some((
                multipart,
                "--part\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nseventh\r\n\
                 --part\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nann\r\n--part--\r\n",
            )),
        ),
        ("POST", "/", Some(("application/json", "{\"password\":\"eighth\",\"user\":\"ann\",\"note\":\"attack nine\"}"))),
    ]
}

const HEADERS: [(&str, &str); 4] =
    [("Authorization", "Basic YW5uOnRlbg=="), ("X-Key", "attack by key"), ("X-Late", "eleven"), ("X-Clear", "shown")];

fn the_masks_are_those_of_modsecurity_2() {
    let rules = |folder: &Path| format!("{RULES}SecAuditLog {}\n", folder.join("audit.log").display());
    let nginx = Nginx::start(&Site { name: "masks", environment: &[], workers: 1, rules: &rules, in_front: "", behind: "" });
    let apache = Apache::start();
    for (method, target, body) in requests() {
        let _ = nginx.ask_with(method, target, &HEADERS, body);
        apache.ask(method, target, body);
    }
    let are_all = |text: &str| text.lines().filter(|line| line.ends_with("-Z--")).count() == requests().len();
    let [ours, theirs] = [&nginx.folder, &apache.folder].map(|folder| masked_parts(&complete(&folder.join("audit.log"), are_all)));
    assert_eq!(ours.len(), requests().len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
        assert!(ours.iter().any(|line| line.contains('*')), "{ours:?}");
    }
    trials::note(&format!("{ours:#?}"));
}

/// Returns the lines of each record that masks concern: the request line, some headers, the body.
fn masked_parts(log: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut part = None;
    for line in log.lines() {
        let heading = line.strip_prefix("--").and_then(|line| line.strip_suffix("--")).and_then(|line| line.rsplit_once('-'));
        match heading {
            Some((_, "A")) => records.push(Vec::new()),
            Some((_, letter)) if letter.len() == 1 => part = letter.chars().next(),
            _ => {
                let is_wanted = match part {
                    Some('B') => line.contains(" HTTP/") || HEADERS.iter().any(|(name, _)| line.starts_with(&format!("{name}: "))),
                    Some('C') => !line.is_empty(),
                    _ => false,
                };
                records.last_mut().into_iter().filter(|_| is_wanted).for_each(|record: &mut Vec<String>| record.push(line.to_owned()));
            }
        }
    }
    records
}

/// An Apache with ModSecurity v2, with its own folder and port.
struct Apache {
    server: Child,
    folder: PathBuf,
    address: SocketAddr,
}

impl Apache {
    fn start() -> Self {
        // Its user must be able to read the folder.
        let folder = std::env::temp_dir().join(format!("secrule-masks-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("index.html"), "fine").unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let shown = folder.display();
        let modules = ["mpm_prefork", "authz_core", "dir", "mime", "unique_id", "security2"];
        let modules: String = modules.iter().map(|name| format!("LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n")).collect();
        let configuration = format!(
            "{modules}ServerRoot {shown}\nServerName localhost\nListen {address}\nPidFile {shown}/pid\nErrorLog {shown}/error.log\n\
             TypesConfig /etc/mime.types\nUser www-data\nGroup www-data\nStartServers 1\nDocumentRoot {shown}\n\
             <Directory {shown}>\nRequire all granted\n</Directory>\n{RULES}SecAuditLog {shown}/audit.log\n"
        );
        fs::write(folder.join("apache.conf"), configuration).unwrap();
        let mut command = Command::new("apache2");
        // It ends its process group when it stops.
        let server = command.arg("-f").arg(folder.join("apache.conf")).arg("-DFOREGROUND").process_group(0).spawn().unwrap();
        let mut apache = Self { server, folder, address };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let ended = apache.server.try_wait().unwrap();
            let errors = || fs::read_to_string(apache.folder.join("error.log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "Apache does not start:\n{}", errors());
            thread::sleep(Duration::from_millis(20));
        }
        apache
    }

    /// Requests a page, and waits until the answer is complete; its record is written then.
    fn ask(&self, method: &str, target: &str, body: Option<(&str, &str)>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let headers: String = HEADERS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let about = body.map_or(String::new(), |(kind, body)| format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
        let head = format!("{method} {target} HTTP/1.1\r\nHost: shop.example\r\n{headers}{about}Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.map_or("", |(_, body)| body).as_bytes()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        // Its children end with it.
        let stopped = Command::new("apache2").arg("-f").arg(self.folder.join("apache.conf")).args(["-k", "stop"]).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
