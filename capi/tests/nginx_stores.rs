//! A real nginx with four workers and our library: they count, ban and limit as one, over a reload and the end of a worker. With Redis two of them do.

use secrule::{PersistentCollection, RecordKey, RequestKey, Store};
use secrule_lmdb::LmdbStore;
use secrule_redis::RedisStore;
use secrule_testkit::nginx::{NGINX, Nginx, Site};
use secrule_testkit::redis_server::RedisServer;
use secrule_testkit::trials::Needs;
use secrule_testkit::{trial, trials};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Needs of a test with Redis.
const ON_REDIS: [Needs; 5] = [NGINX[0], NGINX[1], NGINX[2], Needs::CLibraryWith("redis"), Needs::Program("redis-server")];

/// Lets ten requests of a client pass.
const TEN_PASS: &str = "SecRuleEngine On\n\
    SecAction \"id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+1,expirevar:ip.n=600\"\n\
    SecRule IP:n \"@gt 10\" \"id:2,phase:1,deny,status:429,log\"\n";

fn main() -> ExitCode {
    trials::run([
        trial!(workers_share_a_store_that_the_rules_name, NGINX),
        trial!(workers_share_a_store_in_the_folder_of_sec_data_dir, NGINX),
        trial!(a_ban_holds_in_all_workers_within_100_ms, NGINX),
        trial!(two_servers_count_and_ban_as_one_with_redis, ON_REDIS),
    ])
}

/// Starts nginx with a store, named by a directive in which `{folder}` stands for the folder of the test.
fn start(name: &str, store: &str) -> Nginx {
    let rules = |folder: &Path| {
        fs::create_dir_all(folder.join("data")).unwrap();
        format!("{}\n{TEN_PASS}", store.replace("{folder}", &folder.display().to_string()))
    };
    Nginx::start(&Site { name, environment: &[], workers: 4, rules: &rules, in_front: "", behind: "" })
}

/// Sends requests from four threads, and returns the number of those with a status.
fn answers(nginx: &Nginx, requests: usize, status: u16) -> usize {
    let counted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let of_thread = (0..requests / 4).filter(|_| nginx.ask("GET", "/page", None).status == status).count();
                counted.fetch_add(of_thread, Ordering::Relaxed);
            });
        }
    });
    counted.into_inner()
}

fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args([format!("-{name}"), process.to_string()]).status().unwrap().success());
}

/// Asserts that ten requests pass, one after the other. Of ten at once fewer could pass: each reads the counter
/// after it has added to it, and may find what another has added meanwhile.
fn ten_pass<'n>(mut turns: impl Iterator<Item = &'n Nginx>) {
    assert!((0..10).all(|_| turns.next().unwrap().ask("GET", "/page", None).status == 200));
}

fn ten_of_a_hundred_pass(nginx: &Nginx) {
    ten_pass(std::iter::repeat(nginx));
    assert_eq!(answers(nginx, 40, 200), 0);
    signal(*nginx.workers().first().unwrap(), "KILL");
    assert_eq!(answers(nginx, 48, 200), 0);
    nginx.reload();
    assert_eq!(answers(nginx, 100, 200), 0);
}

fn workers_share_a_store_that_the_rules_name() {
    let nginx = start("stores-named", "SecCollectionStore lmdb:{folder}/data/store.mdb?size=16M");
    ten_of_a_hundred_pass(&nginx);
    assert!(nginx.folder.join("data/store.mdb").exists());
}

fn workers_share_a_store_in_the_folder_of_sec_data_dir() {
    ten_of_a_hundred_pass(&start("stores-folder", "SecDataDir {folder}/data"));
}

fn a_ban_holds_in_all_workers_within_100_ms() {
    let nginx = start("stores-ban", "SecDataDir {folder}/data\nSecRuleRemoveById 2");
    assert_eq!(answers(&nginx, 40, 200), 40);
    let store = LmdbStore::in_folder(nginx.folder.join("data"), LmdbStore::SIZE);
    let client = RequestKey::of_address(None, [127, 0, 0, 1].into());
    let by = || Instant::now() + Duration::from_secs(1);
    store.ban(&client, SystemTime::now() + Duration::from_secs(60), by()).unwrap();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(answers(&nginx, 40, 403), 40);
    let errors = fs::read_to_string(nginx.folder.join("error.log")).unwrap();
    assert!(errors.contains("127.0.0.1 is banned until"), "{errors:.2000}");
    nginx.reload();
    assert_eq!(answers(&nginx, 40, 403), 40);
    assert!(store.unban(&client, by()).unwrap());
    thread::sleep(Duration::from_millis(100));
    assert_eq!(answers(&nginx, 40, 200), 40);
}

fn two_servers_count_and_ban_as_one_with_redis() {
    const REQUESTS: usize = 10_000;
    let redis = RedisServer::start();
    let directive = format!("SecCollectionStore {}\nSecStoreCallLimit 1000\n", redis.address());
    let (one, other) = (start("redis-one", &directive), start("redis-other", &directive));
    ten_pass([&one, &other].into_iter().cycle());
    assert_eq!(answers(&one, 20, 200) + answers(&other, 20, 200), 0);
    signal(*one.workers().first().unwrap(), "KILL");
    one.reload();
    assert_eq!(answers(&one, 20, 200) + answers(&other, 20, 200), 0);

    let store = RedisStore::new(redis.address()).unwrap();
    let by = || Instant::now() + Duration::from_secs(1);
    let record = RecordKey::new(PersistentCollection::Ip, b"127.0.0.1", "");
    let counted = || String::from_utf8(store.read(&record, b"n", by()).unwrap().unwrap()).unwrap().parse::<usize>().unwrap();
    let before = counted();
    thread::scope(|scope| {
        for nginx in [&one, &other] {
            scope.spawn(move || assert_eq!(answers(nginx, REQUESTS / 2, 429), REQUESTS / 2));
        }
    });
    assert_eq!(counted() - before, REQUESTS);

    let client = RequestKey::of_address(None, [127, 0, 0, 1].into());
    store.ban(&client, SystemTime::now() + Duration::from_secs(60), by()).unwrap();
    thread::sleep(Duration::from_millis(100));
    assert_eq!((answers(&one, 20, 403), answers(&other, 20, 403)), (20, 20));
    assert!(store.unban(&client, by()).unwrap());
    thread::sleep(Duration::from_millis(100));
    assert_eq!((answers(&one, 20, 429), answers(&other, 20, 429)), (20, 20));
}
