//! The example that puts blocked clients onto a list, which then blocks.

use crate::support::{Running, Scene};
use crate::text::blocked_clients;
use crate::{SCORES, ask, filled_server, judge, wait_until};
use secrule::Waf;
use secrule_extensions::sql::Databases;
use secrule_extensions::{Ending, Run};
use secrule_host::World;
use std::time::{Duration, SystemTime};

const DONE: &str = "updated ip blacklist successfully!\n";

/// The status of clients that are on a list; rules deny with 403.
const LISTED: Option<u16> = Some(418);

/// A host with rules that deny attacks, and with the list.
struct Site {
    running: Running,
    /// Rows that the host recorded.
    databases: Databases,
}

impl Site {
    fn start(trigger: &str) -> Self {
        let scene = Scene::new();
        let folder = scene.folder.path().to_owned();
        let lists = format!("SecPluginStatus 418\nSecIpList blacklist list:1 site:1\nSecDataDir \"{}\"", folder.display());
        let scene = scene.rules(SCORES).rules(&lists).extension("blocked.lua", &blocked_clients(), trigger);
        Self { running: scene.start(), databases: Databases::new(folder.join("extensions.db")) }
    }

    fn judge(&self, client: &str, attack: &str) -> Option<u16> {
        judge(&self.running.waf, client, attack)
    }

    /// Waits until so many requests are recorded.
    fn wait_for_rows(&self, count: usize) {
        wait_until("the rows", || ask(&self.databases, "select 1 from waf_request_tsdb").rows.len() == count);
    }

    fn list(&self) -> Vec<String> {
        list_of(&self.running.waf)
    }
}

/// Returns the list, sorted: the query states no order.
fn list_of(waf: &Waf) -> Vec<String> {
    let mut list = waf.list("1").unwrap().unwrap_or_default();
    list.sort();
    list
}

pub fn clients_that_were_blocked_today_are_denied_from_then_on() {
    let site = Site::start("cron:\"0 0 * * *\" off");
    for (client, attack, status) in [
        ("198.51.100.7", "high", Some(403)),
        ("198.51.100.7", "high", Some(403)),
        ("2001:db8::7", "high", Some(403)),
        ("::ffff:198.51.100.8", "high", Some(403)),
        ("198.51.100.9", "no", None),
    ] {
        assert_eq!(site.judge(client, attack), status, "{client}");
    }
    site.wait_for_rows(4);
    assert_eq!(site.judge("198.51.100.7", "no"), None, "nobody is on the list yet");
    let run = site.running.run(0, None);
    assert_eq!((&run.ending, run.output.as_str()), (&Ending::Ok, DONE), "{run:?}");
    assert_eq!(site.list(), ["198.51.100.7", "198.51.100.8", "2001:db8::7"]);
    wait_until("the list counts", || site.judge("198.51.100.7", "no") == LISTED);
    assert_eq!(site.judge("2001:db8::7", "no"), LISTED);
    assert_eq!(site.judge("198.51.100.8", "no"), LISTED);
    assert_eq!(site.judge("198.51.100.9", "no"), None);
    // A request that the list denies is no attack: it has no score, and so keeps nobody on the list.
    assert_eq!(site.judge("198.51.100.9", "high"), Some(403));
    site.wait_for_rows(5);
    assert_eq!(site.running.run(0, None).output, DONE);
    assert_eq!(site.list(), ["198.51.100.7", "198.51.100.8", "198.51.100.9", "2001:db8::7"]);
}

pub fn a_run_by_the_timetable_fills_the_list() {
    let site = Site::start("cron:\"* * * * *\"");
    let leadership = site.running.services.leadership();
    wait_until("the host leads", || leadership.leads());
    assert_eq!(site.judge("198.51.100.7", "high"), Some(403));
    site.wait_for_rows(1);
    // The host has looked at the time already: the next minute is due.
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    site.running.extensions.tick(SystemTime::UNIX_EPOCH + Duration::from_secs((seconds / 60 + 1) * 60), leadership);
    // A minute that really ends now may have its own run, and then one of both is skipped.
    let is_done = |run: &Run| (run.cause.name(), run.output.as_str()) == ("cron", DONE);
    wait_until("a run by the timetable", || site.running.runs("blocked.lua").iter().any(is_done));
    wait_until("the list counts", || site.judge("198.51.100.7", "no") == LISTED);
    assert_eq!(site.judge("198.51.100.9", "no"), None);
}

pub fn blocked_clients_of_postgresql_come_onto_the_list() {
    let address = filled_server().address("postgres");
    let scene = Scene::new().rules(&format!("SecExtensionDatabase log_server {address}\nSecSiteId 1\nSecIpList blacklist list:1 site:1"));
    let loaded = scene.extension("blocked.lua", &blocked_clients(), "cron:\"0 0 * * *\"").load();
    assert_eq!(loaded.run(0, None).output, DONE);
    assert_eq!(list_of(&loaded.waf), ["192.0.2.1", "2001:db8::1"]);
    wait_until("the list counts", || judge(&loaded.waf, "192.0.2.1", "no") == Some(403));
    assert_eq!(judge(&loaded.waf, "192.0.2.4", "no"), None);
}

pub fn a_list_that_cannot_be_written_is_reported() {
    let scene = Scene::new();
    // Without a database, `sql_query` gives nil: then there is no list of entries.
    let loaded = scene.extension("blocked.lua", &blocked_clients(), "cron:\"0 0 * * *\"").load();
    loaded.waf.put_list("1", &["192.0.2.9"]).unwrap();
    let run = loaded.run(0, None);
    assert_eq!(
        (&run.ending, run.output.as_str()),
        (&Ending::Ok, "failed to update ip blacklist: `items` is nil: give it a list of addresses\n")
    );
    assert_eq!(loaded.waf.list("1").unwrap().unwrap(), ["192.0.2.9"]);
}
