//! The example that puts blocked clients onto a list, with a real nginx of four workers, and the store of all of them.

use crate::support::loaded;
use crate::text::blocked_clients;
use crate::{SCORES, ask, wait_until};
use secrule::Waf;
use secrule_extensions::Extensions;
use secrule_extensions::sql::Databases;
use secrule_host::{Host, Intake, SocketOptions};
use secrule_lmdb::LmdbStore;
use secrule_testkit::nginx::{Nginx, Site};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Lets nginx take a client for the one that a header names.
const CLIENTS: &str = "set_real_ip_from 127.0.0.1; real_ip_header X-Client;";

/// Sends requests of a client from four threads, and returns the number of those with a status.
fn answers(nginx: &Nginx, client: &str, attack: &str, status: u16) -> usize {
    let counted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let ask = || nginx.ask_with("GET", "/page", &[("X-Client", client), ("X-Attack", attack)], None).status;
                counted.fetch_add((0..10).filter(|_| ask() == status).count(), Ordering::Relaxed);
            });
        }
    });
    counted.into_inner()
}

fn rules(folder: &Path, script: &Path) -> String {
    let (folder, script) = (folder.display(), script.display());
    format!(
        "SecRuleEngine On\n{SCORES}\nSecPluginStatus 418\nSecIpList blacklist list:1 site:1\nSecDataDir {folder}\n\
         SecPluginHost unix:{folder}/host.sock\nSecExtension {script} cron:\"0 0 * * *\" off\n"
    )
}

pub fn clients_that_nginx_denied_are_denied_by_all_of_its_workers() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("blocked.lua");
    std::fs::write(&script, blocked_clients()).unwrap();
    let rules = rules(folder.path(), &script);
    let store = Arc::new(LmdbStore::in_folder(folder.path(), LmdbStore::SIZE));
    let loaded = loaded(Waf::builder().rules("rules", &rules).store(store).build().unwrap());
    let intake = Intake::bind(&folder.path().join("host.sock"), SocketOptions::default()).unwrap();
    let extensions = Extensions::start(&loaded.services, &loaded.outgoing).unwrap();
    let host = Host::start(loaded.services.clone(), intake, vec![Box::new(extensions)]).unwrap();
    let site = Site { name: "extensions-list", environment: &[], workers: 4, rules: &|_| rules.clone(), in_front: CLIENTS, behind: "" };
    let nginx = Nginx::start(&site);
    wait_until("four workers", || nginx.workers().len() == 4);

    assert_eq!(answers(&nginx, "198.51.100.7", "no", 200), 40);
    assert_eq!(answers(&nginx, "198.51.100.7", "high", 403), 40);
    let databases = Databases::new(folder.path().join("extensions.db"));
    let count = "select 1 from waf_request_tsdb where action = 'block' and remote_addr = '198.51.100.7' and app_id = 1";
    wait_until("the rows of all workers", || ask(&databases, count).rows.len() == 40);
    assert_eq!(loaded.run(0, None).output, "updated ip blacklist successfully!\n");
    wait_until("the list counts in all workers", || answers(&nginx, "198.51.100.7", "no", 418) == 40);
    assert_eq!(answers(&nginx, "198.51.100.7", "no", 418), 40);
    assert_eq!(answers(&nginx, "198.51.100.9", "no", 200), 40);
    nginx.reload();
    assert_eq!(answers(&nginx, "198.51.100.7", "no", 418), 40);
    host.stop();
}
