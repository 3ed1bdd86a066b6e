//! A host with plugins in this process, and requests for it.

use secrule::{Connection, Waf};
use secrule_host::{Host, Intake, LogLine, Outgoing, ScriptLog, Services};
use secrule_plugins::Plugins;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Rules that deny what has `attack` in its query, log what has `odd` in it, and deny without a log what has `quiet`.
pub const RULES: &str = r#"
SecRuleEngine On
SecRule ARGS:attack "@contains 1" "id:1,phase:2,deny,status:403,log,msg:'found',tag:'attack-sqli',severity:2"
SecRule ARGS:odd "@contains 1" "id:2,phase:2,pass,log,msg:'odd',tag:'attack-protocol',severity:5"
SecRule ARGS:quiet "@contains 1" "id:3,phase:2,deny,nolog"
SecPluginHost unix:/nowhere
SecSessionCookie sid
"#;

/// A running host.
pub struct World {
    pub waf: Waf,
    pub host: Host,
    log: Arc<ScriptLog>,
    _folder: TempDir,
}

/// A request and its response.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    pub ip: &'a str,
    pub target: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub status: u16,
}

pub const PLAIN: Exchange<'static> = Exchange { ip: "192.0.2.7", target: "/", headers: &[], status: 200 };

impl World {
    /// Starts a host with these plugins, and with these rules besides [`RULES`].
    pub fn start(plugins: &[&str], rules: &str) -> Self {
        Self::try_start(plugins, rules).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Returns what a host says that does not start.
    pub fn refused(plugin: &str) -> String {
        Self::try_start(&[plugin], "").err().expect("the plugin loads")
    }

    fn try_start(plugins: &[&str], rules: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut text = format!("{RULES}{rules}\n");
        for (number, plugin) in plugins.iter().enumerate() {
            let path = folder.path().join(format!("plugin{number}.lua"));
            std::fs::write(&path, plugin).unwrap();
            text += &format!("SecPlugin {}\n", path.display());
        }
        let (intake, link) = Intake::local();
        let waf = Waf::builder().rules("rules", &text).exchange_log(link).build().map_err(|error| error.to_string())?;
        let log = Arc::new(ScriptLog::new(Box::new(std::io::sink()), 100));
        let services = Services::new(&waf, Arc::clone(&log));
        let outgoing = services.settings(Outgoing::from_settings).unwrap();
        let started = Plugins::start(&services, &outgoing);
        let world = started.map_err(|failures| failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let host = Host::start(services, intake, vec![Box::new(world)]).unwrap();
        Ok(Self { waf, host, log, _folder: folder })
    }

    /// Judges a request, and tells the host. Returns the status that the client gets.
    pub fn send(&self, exchange: Exchange<'_>) -> u16 {
        self.send_slowly(exchange, Duration::ZERO)
    }

    /// The same, with an application that takes a time for its response.
    pub fn send_slowly(&self, exchange: Exchange<'_>, time: Duration) -> u16 {
        let ip: IpAddr = exchange.ip.parse().unwrap();
        let mut tx = self.waf.begin(Connection::new((ip, 40000).into(), ([198, 51, 100, 1], 443).into()));
        let mut request = http::Request::get(exchange.target);
        let hosts = exchange.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        for (name, value) in exchange.headers.iter().chain((!hosts).then_some(&("host", "shop.example"))) {
            request = request.header(*name, value.as_bytes());
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let judged = tx.request_head(&parts).and_then(|()| tx.request_end());
        let status = match judged {
            Err(stop) => stop.status(),
            Ok(()) => {
                std::thread::sleep(time);
                let answered = tx.response_headers_end(exchange.status, "1.1").and_then(|()| tx.response_end());
                answered.map_or_else(|stop| stop.status(), |()| exchange.status)
            }
        };
        tx.finish();
        status
    }

    /// Waits until the log has this number of lines with a tag, and returns them.
    pub fn lines(&self, tag: &str, count: usize) -> Vec<String> {
        let lines = || -> Vec<LogLine> { self.log.last(1000).into_iter().filter(|line| &*line.tag == tag).collect() };
        wait(|| (lines().len() >= count).then_some(()), || format!("{count} lines with the tag {tag}: {:#?}", self.log.last(50)));
        lines().into_iter().map(|line| line.message.into()).collect()
    }

    /// Waits until the host has taken this number of exchanges, and plugins had time to see them.
    pub fn settle(&self, exchanges: u64) {
        wait(|| (self.host.status()["exchanges"].as_u64() >= Some(exchanges)).then_some(()), || self.host.status().to_string());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Waits up to ten seconds for something.
pub fn wait<T>(mut look: impl FnMut() -> Option<T>, tell: impl Fn() -> String) -> T {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {}", tell());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns a plugin that calls this text for each request, with `ip`, `host` and `urlpath`, and logs what it returns with the tag `result`.
pub fn for_requests(text: &str) -> String {
    format!(
        "local skynet = require \"skynet\"\nlocal function body(ip, host, urlpath)\n{text}\nend\n\
         skynet.register(skynet.TYPE_PROCESS, {{ ip = '0.0.0.0/0', type = skynet.MATCH_TYPE_ALL }}, function(ip, host, urlpath)\n\
         \x20   local ok, result = pcall(body, ip, host, urlpath)\n    skynet.log(ok and 'result' or 'error', tostring(result))\nend)\n"
    )
}
