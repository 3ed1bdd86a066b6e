//! The published document's own extensions, from its text to what others see of them, and the examples of this project in the same way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics fails, as it should")]

mod addresses;
mod certificates;
mod examples;
mod printer;
mod quirks;
mod report;
mod stopped;
mod text;
mod tls;
mod workers;

#[allow(dead_code, reason = "a file of tests uses what it needs")]
#[path = "../sql/server.rs"]
mod postgres;
#[path = "../../../host/tests/server/mod.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;

use secrule::{Connection, Waf};
use secrule_extensions::sql::{Databases, Minute, Query, Recorder, Retention, Rows, WafEvent};
use secrule_host::{Host, Intake};
use secrule_testkit::nginx;
use secrule_testkit::trials::{self, Needs, trial};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant, SystemTime};
use support::Loaded;

const DOCUMENT: Needs = Needs::Shared(text::DOCUMENT);
const POSTGRES: Needs = Needs::File("bin/postgres", postgres::FOLDERS);
const OPENSSL: Needs = Needs::Program("openssl");
const NGINX: [Needs; 5] = [DOCUMENT, nginx::NGINX[0], nginx::NGINX[1], nginx::NGINX[2], Needs::CLibraryWith("lmdb")];

/// Rules that deny with a score, as those of the OWASP CRS do.
pub const SCORES: &str = r#"
SecSiteId 1
SecAction "id:900110,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_threshold=5"
SecRule REQUEST_HEADERS:X-Attack "@streq high" \
    "id:942100,phase:1,pass,log,msg:'SQL injection',tag:'attack-sqli',severity:CRITICAL,setvar:tx.blocking_inbound_anomaly_score=+5"
SecRule TX:BLOCKING_INBOUND_ANOMALY_SCORE "@ge 5" "id:949110,phase:1,deny,log,msg:'Inbound Anomaly Score Exceeded',tag:'anomaly-evaluation'"
"#;

/// Makes tests out of functions, which all need the same.
macro_rules! all {
    ($needs:expr, [$($room:ident::$test:ident),* $(,)?]) => {
        vec![$(trial(stringify!($test), $needs, $room::$test)),*]
    };
}

fn main() -> ExitCode {
    let published = all!(
        &[DOCUMENT],
        [
            report::the_load_of_nodes_is_posted_as_a_list,
            report::a_host_posts_what_it_recorded_each_minute,
            report::a_server_that_does_not_answer_changes_nothing,
            printer::events_of_requests_have_the_members_of_the_document,
            printer::each_event_of_the_document_is_printed_as_it_stands_there,
            addresses::clients_that_were_blocked_today_are_denied_from_then_on,
            addresses::a_run_by_the_timetable_fills_the_list,
            addresses::a_list_that_cannot_be_written_is_reported,
            certificates::an_application_must_be_named,
        ]
    );
    let published_with_postgres = all!(
        &[DOCUMENT, POSTGRES],
        [
            report::the_load_of_nodes_in_postgresql_is_posted_as_a_list,
            report::a_database_that_was_killed_leaves_nothing_to_post,
            addresses::blocked_clients_of_postgresql_come_onto_the_list,
            certificates::a_database_that_is_away_shows_the_fault_of_the_script,
        ]
    );
    let published_with_certificates = all!(
        &[DOCUMENT, POSTGRES, OPENSSL],
        [
            certificates::certificates_that_are_fine_are_named,
            certificates::each_certificate_that_is_not_fine_is_reported_with_the_reason,
            certificates::wildcards_are_treated_as_the_script_says,
            certificates::a_release_checks_the_application_that_it_names,
            certificates::a_gateway_that_hangs_ends_the_run_in_time,
        ]
    );
    let own = all!(
        &[],
        [
            printer::a_type_of_ones_own_is_printed,
            printer::a_run_by_hand_prints_a_node_that_is_offline,
            quirks::events_of_nodes_have_two_names,
            quirks::a_score_that_equals_the_threshold_counts,
            quirks::a_table_is_a_body_of_json,
            quirks::output_takes_tables_and_several_values,
            quirks::the_log_server_is_written_in_two_ways,
            quirks::a_number_is_found_by_its_text,
            examples::the_minute_report_is_posted,
            examples::events_are_printed,
            examples::clients_that_were_blocked_five_times_come_onto_the_list,
            examples::an_alarm_is_sent_when_there_are_too_many_attacks,
        ]
    );
    let own_with_postgres = all!(
        &[POSTGRES],
        [
            quirks::a_number_of_postgresql_is_found_by_its_text,
            stopped::a_database_that_is_killed_in_the_middle_is_nil_and_a_text,
            stopped::a_database_that_stands_still_is_nil_and_a_text_in_time,
            stopped::a_run_ends_by_its_own_limit_while_a_database_stands_still,
        ]
    );
    let own_with_certificates = all!(&[OPENSSL], [examples::certificates_are_checked_and_an_alarm_is_sent]);
    let workers = all!(&NGINX, [workers::clients_that_nginx_denied_are_denied_by_all_of_its_workers]);
    let all = [published, published_with_postgres, published_with_certificates, own, own_with_postgres, own_with_certificates, workers];
    let code = trials::run(all.into_iter().flatten());
    postgres::end();
    code
}

/// Fills an embedded database, and returns what queries it.
pub fn record(path: &Path, events: impl IntoIterator<Item = WafEvent>, minutes: impl IntoIterator<Item = Minute>) -> Databases {
    let mut recorder = Recorder::open(path, Retention::default()).unwrap();
    events.into_iter().for_each(|event| recorder.record_event(event).unwrap());
    minutes.into_iter().for_each(|minute| recorder.record_minute(minute).unwrap());
    recorder.flush().unwrap();
    Databases::new(path)
}

/// Asks an embedded database. Without one there is nothing.
pub fn ask(databases: &Databases, sql: &str) -> Rows {
    databases.query("log_server", &Query::new(sql)).unwrap_or_default()
}

/// A minute that ended so many minutes ago.
pub fn minute(ago: u64, node_id: i64, processors: f64) -> Minute {
    Minute {
        created: SystemTime::now() - Duration::from_secs(ago * 60),
        node_id,
        system_cpu_percent: Some(processors),
        system_memory_percent: Some(40.0),
        requests: 100,
        blocked: 2,
    }
}

/// Returns a server whose database has the tables of the published queries: nodes 7 and 8, clients that were blocked and one that was not, and
/// applications, which tests add for themselves.
pub fn filled_server() -> Arc<postgres::Server> {
    static ONCE: Once = Once::new();
    let server = postgres::shared();
    ONCE.call_once(|| drop(server.sql(TABLES)));
    server
}

const TABLES: &str = r#"
create table waf_request_tsdb (created timestamptz not null, app_id bigint, remote_addr text, host text, action text, score int, threshold int);
create table monitor (created timestamptz not null, node_id int, "system_CPU_percent" float8, "system_memory_percent" float8, requests bigint, blocked bigint);
insert into waf_request_tsdb select now() - hours * interval '1 hour', app, addr, 'shop.example', action, 5, 5 from (values
    (1, 1, '192.0.2.1', 'block'), (2, 1, '192.0.2.1', 'block'), (3, 1, '192.0.2.2', 'log'), (30, 1, '192.0.2.3', 'block'), (1, 2, '192.0.2.4', 'block'),
    (5, 1, '2001:db8::1', 'block')) e(hours, app, addr, action);
insert into monitor select now() - minutes * interval '1 minute', node, percent, 40, 100, 2
    from (values (1, 7, 40), (2, 7, 60), (90, 8, 1)) m(minutes, node, percent);
create table applications (id int, https_ports int[]);
create table applications_domains (_applications_id int, domain text, is_wildcard bool);
create table applications_phases_ssl_cert_certs (id int, _applications_id int, global_cert int);
create table applications_phases_ssl_cert_certs_acme_host (_certs_id int, item text);
create table global_certs (id int, acme_host text);
create table applications_partitions (_applications_id int, item int);
create table gateway (id int, partition int);
create table gateway_nodes (_gateway_id int, external_ip text, external_ipv6 text, offline_enabled bool);
"#;

/// Judges a request of a client, and returns its status if it is denied. Rules look at its header `X-Attack`.
pub fn judge(waf: &Waf, client: &str, attack: &str) -> Option<u16> {
    let client: IpAddr = client.parse().unwrap();
    let mut transaction = waf.begin(Connection::new((client, 4_000).into(), ([192, 0, 2, 80], 443).into()));
    let _ = transaction.request_line(b"GET", b"/a?b=1", b"1.1");
    let _ = transaction.request_header(b"Host", b"shop.example");
    let _ = transaction.request_header(b"X-Attack", attack.as_bytes());
    let status = transaction.request_headers_end().err().map(|stop| stop.status());
    let _ = transaction.finish();
    status
}

/// Waits until something is so.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let by = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < by, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Makes the services of loaded rules lead, as those of a host do, so that a test may say what time it is.
pub fn lead(loaded: &Loaded) -> Host {
    let (intake, _link) = Intake::local();
    let host = Host::start(loaded.services.clone(), intake, Vec::new()).unwrap();
    wait_until("the host leads", || loaded.services.leadership().leads());
    host
}
