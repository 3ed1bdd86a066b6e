use super::*;
use proptest::prelude::*;
use std::net::IpAddr;
use std::time::Duration;

/// A full minute.
const START: u64 = 28_333_333 * 60;

const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn visit(second: u64) -> Visit<'static> {
    Visit {
        second,
        ip: IP,
        host: "a.example",
        url_path: b"/a",
        sessions: &[],
        status: 200,
        backend: Duration::from_millis(400),
        is_attack: false,
    }
}

/// Returns statistics that count addresses.
fn of_addresses(limits: Limits) -> Statistics {
    let mut statistics = Statistics::with_limits(limits);
    statistics.switch_on(Combination::Ip);
    statistics
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4(number.into())
}

/// Requests before a question, and the question.
#[derive(Clone, Debug)]
struct Step {
    pause: u64,
    /// Address, host, path.
    parts: [usize; 3],
    status: u16,
    micros: u64,
    is_attack: bool,
    requests: usize,
    combination: Combination,
    window: u32,
}

const HOSTS: [&str; 2] = ["a.example", "b.example"];
const PATHS: [&[u8]; 2] = [b"/", b"/\xff"];

fn any_step() -> impl Strategy<Value = Step> {
    let pause = prop_oneof![4 => Just(0_u64), 4 => Just(1), 4 => 2_u64..10, 2 => 10_u64..130, 1 => 130_u64..4_000, 1 => 4_000_u64..100_000];
    let status = prop_oneof![Just(0_u16), Just(99), Just(600), 100_u16..600];
    let window = prop_oneof![1_u32..=61, 59_u32..=200, 1_u32..=MAX_WINDOW];
    let combination = prop::sample::select(&Combination::ALL[..]);
    (pause, prop::array::uniform3(0_usize..2), status, 0_u64..3_000_000, prop::bool::weighted(0.1), 1_usize..4, combination, window)
        .prop_map(|(pause, parts, status, micros, is_attack, requests, combination, window)| Step {
            pause,
            parts,
            status,
            micros,
            is_attack,
            requests,
            combination,
            window,
        })
}

impl Step {
    fn visit(&self, second: u64) -> Visit<'static> {
        let [ip, host, url_path] = self.parts;
        Visit {
            second,
            ip: address(ip as u32),
            host: HOSTS[host],
            url_path: PATHS[url_path],
            sessions: &[],
            status: self.status,
            backend: Duration::from_micros(self.micros),
            is_attack: self.is_attack,
        }
    }
}

/// Returns the totals of the visits that match, one by one.
fn naive<'v>(visits: impl Iterator<Item = &'v Visit<'static>>, key: &Key<'_>, window: u64, now: u64) -> Totals {
    let from = now + 1 - window;
    let begin = if window <= 60 { from } else { ((from + 29) / 60 * 60).min(now - 59) };
    let mut totals = Totals::default();
    for visit in visits.filter(|visit| !visit.is_attack && visit.second >= begin && Key::of(visit, key.combination()) == *key) {
        totals.visits += 1;
        totals.backend += visit.backend;
        if let 100..600 = visit.status {
            totals.responses[usize::from(visit.status / 100) - 1] += 1;
        }
    }
    totals
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn totals_are_those_of_a_list_of_all_visits(offset in 0_u64..60, steps in prop::collection::vec(any_step(), 1..120)) {
        let mut statistics = Statistics::new();
        for combination in Combination::ALL {
            statistics.switch_on(combination);
        }
        let mut visits: Vec<Visit<'static>> = Vec::new();
        let mut now = START + offset;
        for step in steps {
            now += step.pause;
            let visit = step.visit(now);
            let key = Key::of(&visit, step.combination);
            let totals = |visits: &[Visit<'static>]| naive(visits.iter(), &key, step.window.into(), now);
            prop_assert_eq!(statistics.totals(&key, step.window, now), totals(&visits), "before {:?}", step);
            for _ in 0..step.requests {
                statistics.count(&visit);
                visits.push(visit);
            }
            prop_assert_eq!(statistics.totals(&key, step.window, now), totals(&visits), "after {:?}", step);
        }
        prop_assert_eq!(statistics.uncounted(), 0);
    }
}

#[test]
fn totals_are_right_while_a_minute_closes_between_visits() {
    let mut statistics = of_addresses(Limits { keys_of_a_minute: 200, ..Limits::default() });
    // The first 200 addresses have two visits in the first minute, the others one.
    for number in (0..600).chain(0..200) {
        statistics.count(&Visit { ip: address(number), ..visit(START + 30) });
    }
    let visits = 50_000;
    for number in 0..visits {
        let ip = address(number % 500);
        if number % 999 == 0 {
            let before = 1 + u64::from(number % 500 < 200) + u64::from(number / 500);
            assert_eq!(statistics.totals(&Key::Ip(ip), 120, START + 60).visits, before, "before visit {number}");
        }
        statistics.count(&Visit { ip, ..visit(START + 60) });
    }
    let each = u64::from(visits / 500);
    let after = [0, 199, 200, 550].map(|number| statistics.totals(&Key::Ip(address(number)), 120, START + 119).visits);
    assert_eq!(after, [2 + each, 2 + each, each, 0]);
}

#[test]
fn the_first_question_about_a_combination_gets_zeros_and_switches_it_on() {
    let mut statistics = Statistics::new();
    let key = Key::IpHost(IP, "a.example");
    statistics.count(&visit(START));
    assert_eq!(statistics.totals(&key, 10, START), Totals::default());
    statistics.count(&visit(START));
    assert_eq!(statistics.totals(&key, 10, START).visits, 1);
    assert_eq!(statistics.totals(&Key::Ip(IP), 10, START).visits, 0, "another combination");
}

#[test]
fn attacks_are_not_counted() {
    let mut statistics = of_addresses(Limits::default());
    statistics.count(&Visit { is_attack: true, ..visit(START) });
    assert_eq!(statistics.totals(&Key::Ip(IP), 10, START), Totals::default());
}

#[test]
fn the_time_of_the_backend_is_summed_before_it_is_rounded_down() {
    let mut statistics = of_addresses(Limits::default());
    for second in 0..5 {
        statistics.count(&visit(START + second));
    }
    let seconds = [1, 3, 5].map(|window| statistics.totals(&Key::Ip(IP), window, START + 4).backend_seconds());
    assert_eq!(seconds, [0, 1, 2]);
}

#[test]
fn a_window_beyond_a_minute_begins_with_the_nearest_full_minute() {
    let mut statistics = of_addresses(Limits::default());
    for second in 0..300 {
        statistics.count(&visit(START + second));
    }
    // The current second is the 20th of the fifth minute.
    let now = START + 259;
    let mut statistics_then = of_addresses(Limits::default());
    for second in 0..260 {
        statistics_then.count(&visit(START + second));
    }
    let visits = |window| statistics_then.totals(&Key::Ip(IP), window, now).visits;
    assert_eq!([1, 59, 60, 61, 109, 110, 120, 169, 170].map(visits), [1, 59, 60, 80, 80, 140, 140, 140, 200]);
    // At the last second of a minute the window of 61 seconds has one second of the minute before.
    let visits = |window| statistics.totals(&Key::Ip(IP), window, START + 299).visits;
    assert_eq!([60, 61, 89, 90, 3_660].map(visits), [60, 60, 60, 120, 300]);
}

#[test]
fn windows_of_any_length_are_answered() {
    let mut statistics = of_addresses(Limits::default());
    for now in [0, 5, 59, 60] {
        statistics.count(&visit(now));
        for window in [0, 1, 60, 61, MAX_WINDOW, u32::MAX] {
            assert!(statistics.totals(&Key::Ip(IP), window, now).visits > 0);
        }
    }
    assert_eq!(statistics.totals(&Key::Ip(IP), u32::MAX, u64::MAX).visits, 0);
}

#[test]
fn what_is_older_than_the_longest_window_is_dropped() {
    let mut statistics = of_addresses(Limits::default());
    statistics.count(&visit(START));
    let empty = of_addresses(Limits::default()).bytes();
    assert_eq!(statistics.totals(&Key::Ip(IP), MAX_WINDOW, START + 3_689).visits, 1);
    assert_eq!(statistics.totals(&Key::Ip(IP), MAX_WINDOW, START + 3_690).visits, 0);
    statistics.totals(&Key::Ip(IP), 1, START + 1_000_000);
    assert!(statistics.bytes() < empty + 1_000, "{}", statistics.bytes());
}

#[test]
fn counts_stay_when_the_clock_is_set_back_or_a_record_is_late() {
    let mut statistics = of_addresses(Limits::default());
    let day = 86_400;
    for second in [START, START - 30, START - day, START - day + 1] {
        statistics.count(&visit(second));
    }
    let visits = |window| statistics.totals(&Key::Ip(IP), window, START - day + 1).visits;
    assert_eq!([1, 2].map(visits), [1, 4]);
}

#[test]
fn counts_that_need_many_bytes_are_exact() {
    let mut statistics = of_addresses(Limits::default());
    let many = 70_000;
    for _ in 0..many {
        statistics.count(&visit(START));
    }
    statistics.count(&Visit { backend: Duration::MAX, ..visit(START + 1) });
    for (window, now) in [(2, START + 1), (60, START + 50), (MAX_WINDOW, START + 3_000)] {
        assert_eq!(statistics.totals(&Key::Ip(IP), window, now).responses, [0, many + 1, 0, 0, 0]);
    }
    assert_eq!(statistics.totals(&Key::Ip(IP), 3_600, START + 3_000).backend_seconds(), u64::MAX / 1_000_000);
}

#[test]
fn visits_of_new_keys_beyond_the_limit_are_not_counted_and_their_number_is_known() {
    let mut statistics = of_addresses(Limits { keys_of_a_second: 3, ..Limits::default() });
    for number in [1, 2, 3, 4, 4, 1] {
        statistics.count(&Visit { ip: address(number), ..visit(START) });
    }
    let counted = [1, 2, 3, 4].map(|number| statistics.totals(&Key::Ip(address(number)), 10, START).visits);
    assert_eq!((counted, statistics.uncounted()), ([2, 1, 1, 0], 2));
    statistics.count(&Visit { ip: address(4), ..visit(START + 1) });
    assert_eq!(statistics.totals(&Key::Ip(address(4)), 10, START + 1).visits, 1);
}

#[test]
fn seconds_that_are_full_have_room_again_after_a_minute() {
    let limits = Limits { bytes_of_seconds: 4_000, ..Limits::default() };
    let mut statistics = of_addresses(limits);
    for number in 0..1_000 {
        statistics.count(&Visit { ip: address(number), ..visit(START + u64::from(number) / 100) });
    }
    let uncounted = statistics.uncounted();
    assert!((500..950).contains(&uncounted), "{uncounted}");
    statistics.count(&Visit { ip: address(5_000), ..visit(START + 70) });
    assert_eq!((statistics.totals(&Key::Ip(address(5_000)), 1, START + 70).visits, statistics.uncounted()), (1, uncounted));
}

#[test]
fn beyond_a_minute_only_the_most_frequent_keys_have_counts() {
    let mut statistics = of_addresses(Limits { keys_of_a_minute: 2, ..Limits::default() });
    for (second, numbers) in [[1, 2, 3, 4].as_slice(), &[2, 3], &[2]].into_iter().enumerate() {
        for number in numbers {
            statistics.count(&Visit { ip: address(*number), ..visit(START + second as u64) });
        }
    }
    let mut visits = |window, now| [1, 2, 3, 4].map(|number| statistics.totals(&Key::Ip(address(number)), window, now).visits);
    assert_eq!(visits(60, START + 59), [1, 3, 2, 1]);
    assert_eq!(visits(120, START + 59), [1, 3, 2, 1]);
    assert_eq!(visits(120, START + 61), [0, 3, 2, 0]);
    assert_eq!(visits(600, START + 500), [0, 3, 2, 0]);
}

#[test]
fn a_longer_window_never_has_less_than_a_shorter_one() {
    // The minute keeps one key, but what is within the last 60 seconds counts for the other, too.
    let mut statistics = of_addresses(Limits { keys_of_a_minute: 1, ..Limits::default() });
    for number in [1, 1, 2] {
        statistics.count(&Visit { ip: address(number), ..visit(START + 50) });
    }
    let mut visits = |window| [1, 2].map(|number| statistics.totals(&Key::Ip(address(number)), window, START + 90).visits);
    assert_eq!([40, 41, 60, 61, MAX_WINDOW].map(&mut visits), [[0, 0], [2, 1], [2, 1], [2, 1], [2, 1]]);
}
