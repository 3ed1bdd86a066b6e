//! An nginx with four workers, plugins, and a script host as a process of its own.

use secrule_testkit::nginx::{NGINX, Nginx, Request, Site};
use secrule_testkit::script_host::ScriptHost;
use secrule_testkit::trials::Needs;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Needs of a test with nginx and a script host.
pub const WITH_HOST: [Needs; 4] = [NGINX[0], NGINX[1], NGINX[2], Needs::CommandWith("worlds")];

/// Number of clients that send at once.
const AT_ONCE: usize = 4;

/// Plugins, rules and servers of a test.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// The name of its folder.
    pub name: &'a str,
    /// Names and texts of plugins.
    pub plugins: &'a [(&'a str, &'a str)],
    /// More rules; `{folder}` is replaced by the folder.
    pub rules: &'a str,
    /// The store; `{folder}` is replaced by the folder.
    pub store: &'a str,
    /// Additional locations of the front server.
    pub in_front: &'a str,
    /// Additional locations of the backend.
    pub behind: &'a str,
}

pub const SETUP: Setup<'static> =
    Setup { name: "", plugins: &[], rules: "", store: "lmdb:{folder}/store.mdb?size=16M", in_front: "", behind: "" };

impl Setup<'_> {
    /// Starts nginx alone.
    pub fn nginx(&self) -> Nginx {
        let rules = |folder: &Path| {
            for (name, text) in self.plugins {
                fs::write(folder.join(name), text).unwrap();
            }
            let plugins: String = self.plugins.iter().map(|(name, _)| format!("SecPlugin {{folder}}/{name}\n")).collect();
            let store = self.store;
            let rules =
                format!("SecRuleEngine On\nSecCollectionStore {store}\nSecPluginHost unix:{{folder}}/host.sock\n{plugins}{}\n", self.rules);
            rules.replace("{folder}", &folder.display().to_string())
        };
        let name = format!("plugins-{}", self.name);
        // nginx has notices at this level.
        let in_front = format!("error_log {{folder}}/error.log info;\n{}", self.in_front);
        Nginx::start(&Site { name: &name, environment: &[], workers: 4, rules: &rules, in_front: &in_front, behind: self.behind })
    }

    /// Starts nginx, and the script host with the same rules.
    pub fn start(&self) -> (Nginx, ScriptHost) {
        let nginx = self.nginx();
        let host = start_host(&nginx);
        (nginx, host)
    }
}

/// Starts the script host for an nginx.
pub fn start_host(nginx: &Nginx) -> ScriptHost {
    ScriptHost::start(&nginx.folder.join("rules.conf"), &nginx.folder.join("scripts.log"))
}

/// Returns a request of the client 127.0.0.`last`.
pub fn from(last: u8, target: &str) -> Request<'_> {
    Request { client: Ipv4Addr::new(127, 0, 0, last), ..Request::get(target) }
}

/// Sends a request again and again, from several threads, and returns the number of answers with a status.
pub fn answers(nginx: &Nginx, request: Request<'_>, count: usize, status: u16) -> usize {
    let counted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let of_thread = (0..count / AT_ONCE).filter(|_| nginx.send(&request).status == status).count();
                counted.fetch_add(of_thread, Ordering::Relaxed);
            });
        }
    });
    counted.into_inner()
}
