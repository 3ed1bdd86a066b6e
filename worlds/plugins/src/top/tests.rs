use super::sketch::Sketch;
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

const START: u64 = 1_700_000_000;

fn visit(second: u64) -> Visit<'static> {
    Visit {
        second,
        ip: address(7),
        host: "a.example",
        url_path: b"/a",
        sessions: &[b"s"],
        status: 200,
        backend: Duration::ZERO,
        is_attack: false,
    }
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4((0x0A00_0000 + number).into())
}

fn of_addresses() -> TopLists {
    let mut lists = TopLists::new();
    lists.switch_on(TopType::Ip);
    lists
}

fn of_all_types() -> TopLists {
    let mut lists = TopLists::new();
    for top_type in TopType::ALL {
        lists.switch_on(top_type);
    }
    lists
}

/// Returns the list as pairs.
fn addresses(lists: &mut TopLists, n: usize, now: u64) -> Vec<(IpAddr, u64)> {
    lists.top(TopType::Ip, n, now).iter().map(|entry| (entry.ip.unwrap(), entry.count)).collect()
}

#[test]
fn each_type_has_its_parts_and_a_count() {
    let mut lists = of_all_types();
    lists.count(&Visit { is_attack: true, ip: "2001:db8::7".parse().unwrap(), ..visit(START) });
    let parts = TopType::ALL.map(|top_type| {
        let [entry] = lists.top(top_type, 10, START + 1) else { panic!("{top_type:?}") };
        assert_eq!(entry.count, 1);
        let mut parts = String::new();
        parts += entry.ip.map_or("", |ip| if ip == "2001:db8::7".parse::<IpAddr>().unwrap() { "ip " } else { "wrong " });
        parts += entry.session.as_ref().map_or("", |session| if session == b"s" { "session " } else { "wrong " });
        parts += entry.host.as_ref().map_or("", |host| if host == "a.example" { "host " } else { "wrong " });
        parts += entry.url_path.as_ref().map_or("", |path| if path == b"/a" { "path" } else { "wrong" });
        parts.trim_end().to_owned()
    });
    let expected =
        ["ip", "ip host", "host path", "ip host path", "session", "ip session", "session host", "session host path"].map(str::to_owned);
    assert_eq!(parts, expected);
}

#[test]
fn the_first_question_about_a_type_gets_an_empty_list_and_switches_it_on() {
    let mut lists = TopLists::new();
    lists.count(&visit(START));
    assert_eq!(lists.top(TopType::Ip, 10, START + 1), []);
    lists.count(&visit(START + 1));
    assert_eq!(addresses(&mut lists, 10, START + 2), [(address(7), 1)]);
}

#[test]
fn each_session_of_a_request_counts_and_a_request_without_one_does_not() {
    let mut lists = TopLists::new();
    lists.switch_on(TopType::SessionHost);
    let requests: [&[&[u8]]; 4] = [&[], &[b"one"], &[b"one", b"two"], &[b""]];
    for sessions in requests {
        lists.count(&Visit { sessions, ..visit(START) });
    }
    let top = lists.top(TopType::SessionHost, 10, START + 1);
    let sessions = top.iter().map(|entry| (entry.session.as_deref().unwrap(), entry.count)).collect::<Vec<_>>();
    assert_eq!(sessions, [(b"one".as_slice(), 2), (b"", 1), (b"two", 1)]);
    let many = [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h", b"i"].map(|session| session.as_slice());
    lists.count(&Visit { sessions: &many, ..visit(START + 100) });
    assert_eq!(lists.top(TopType::SessionHost, 10, START + 101).len(), SESSIONS);
}

#[test]
fn a_list_has_the_five_seconds_before_the_current_one() {
    let mut lists = of_addresses();
    for second in 0..8 {
        lists.count(&visit(START + second));
    }
    let count = |lists: &mut TopLists, second| addresses(lists, 10, START + second).first().map_or(0, |(_, count)| *count);
    assert_eq!(count(&mut lists, 7), 5);
    assert_eq!([8, 9, 10, 12, 13].map(|second| count(&mut lists, second)), [5, 4, 3, 1, 0]);
}

#[test]
fn a_list_has_at_most_the_entries_that_were_asked_for() {
    let mut lists = of_addresses();
    for number in 0..2_000 {
        lists.count(&Visit { ip: address(number), ..visit(START) });
    }
    lists.count(&Visit { ip: address(1_500), ..visit(START) });
    assert_eq!(addresses(&mut lists, 3, START + 1), [(address(1_500), 2), (address(0), 1), (address(1), 1)]);
    assert_eq!([0, 1, 999, 1_000, 5_000].map(|n| lists.top(TopType::Ip, n, START + 1).len()), [0, 1, 999, 1_000, 1_000]);
}

#[test]
fn a_list_goes_on_when_the_clock_is_set_back() {
    let mut lists = of_addresses();
    for second in [START, START - 3_600, START - 3_599] {
        lists.count(&visit(second));
    }
    assert_eq!(addresses(&mut lists, 10, START - 3_599), [(address(7), 2)]);
    assert_eq!(addresses(&mut lists, 10, START - 3_598), [(address(7), 3)]);
}

#[test]
fn long_texts_are_cut_and_count_as_what_is_left() {
    let mut lists = TopLists::new();
    lists.switch_on(TopType::HostUrlPath);
    for last in [b'a', b'b'] {
        let mut url_path = vec![b'/'; 3_000];
        url_path.push(last);
        lists.count(&Visit { url_path: &url_path, host: &"é".repeat(700), ..visit(START) });
    }
    let [entry] = lists.top(TopType::HostUrlPath, 10, START + 1) else { panic!() };
    assert_eq!((entry.url_path.as_ref().unwrap().len(), entry.host.as_ref().unwrap().len(), entry.count), (1_024, 1_024, 2));
}

#[test]
fn lists_of_long_keys_take_bounded_memory() {
    let mut lists = of_all_types();
    let padding = "x".repeat(1_000);
    for second in 0..7 {
        for number in 0..3_000 {
            let url_path = format!("/{number}/{padding}");
            let session = format!("{number}{padding}");
            lists.count(&Visit {
                url_path: url_path.as_bytes(),
                sessions: &[session.as_bytes()],
                ip: address(number),
                ..visit(START + second)
            });
        }
    }
    let megabytes = lists.bytes() >> 20;
    assert!((20..90).contains(&megabytes), "{megabytes}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn counts_are_exact_while_all_keys_have_a_counter(visits in prop::collection::vec((0_u64..2, 0_u32..20), 1..200)) {
        let mut lists = of_addresses();
        let mut second = START;
        let mut naive = Vec::new();
        for (pause, number) in visits {
            second += pause;
            lists.count(&Visit { ip: address(number), ..visit(second) });
            naive.push((second, address(number)));
        }
        for now in [second, second + 1, second + 3] {
            let mut counts = BTreeMap::new();
            for (_, ip) in naive.iter().filter(|(second, _)| *second < now && *second + 5 >= now) {
                *counts.entry(*ip).or_insert(0_u64) += 1;
            }
            let mut expected = counts.into_iter().collect::<Vec<_>>();
            expected.sort_by_key(|(ip, count)| (std::cmp::Reverse(*count), *ip));
            prop_assert_eq!(addresses(&mut lists, 1_000, now), expected);
        }
    }

    #[test]
    fn a_sketch_never_tells_too_much_and_has_each_frequent_key(
        keys in prop::collection::vec((0_u64..8).prop_flat_map(|high| 0..1_u64 << high), 0..600),
        counters in 1_usize..12,
        key_bytes in prop_oneof![Just(usize::MAX), 1_usize..40],
    ) {
        let mut sketch = Sketch::with_limits(counters, key_bytes);
        let mut exact: HashMap<u64, u32> = HashMap::new();
        for key in &keys {
            sketch.add(*key, &vec![0; *key as usize % 5]);
            *exact.entry(*key).or_default() += 1;
        }
        let found = sketch.close();
        prop_assert!(found.len() <= counters);
        prop_assert!(found.iter().map(|counter| counter.key.len()).sum::<usize>() <= key_bytes.max(4));
        for counter in &found {
            prop_assert!((1..=exact[&counter.hash]).contains(&counter.min_count()), "{counter:?} {exact:?}");
        }
        if key_bytes == usize::MAX {
            for (key, count) in exact.into_iter().filter(|(_, count)| *count as usize > keys.len() / counters) {
                prop_assert!(found.iter().any(|counter| counter.hash == key), "{key} {count}");
            }
        }
    }
}

/// Numbers that follow Zipf's law: number `k`, from 0, with a frequency of `1 / (k + 1) ^ 1.1`.
struct Zipf {
    sums: Vec<f64>,
    state: u64,
}

impl Zipf {
    fn new(keys: u32) -> Self {
        let mut sum = 0.0;
        let sums = (1..=keys).map(|rank| {
            sum += f64::from(rank).powf(-1.1);
            sum
        });
        Self { sums: sums.collect(), state: 42 }
    }

    fn random(&mut self) -> u64 {
        // SplitMix64
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn next(&mut self) -> u32 {
        let wanted = (self.random() >> 11) as f64 / (1_u64 << 53) as f64 * self.sums.last().unwrap();
        self.sums.partition_point(|sum| *sum < wanted) as u32
    }
}

/// Checks the first hundred of 250,000 visits in five seconds by Zipf's law, in between which are others.
fn check_top_hundred(others: impl Fn(u64) -> Option<u32>) {
    let mut zipf = Zipf::new(1_000_000);
    let mut lists = of_addresses();
    let mut exact: HashMap<IpAddr, u64> = HashMap::new();
    for number in 0..250_000 {
        for ip in [Some(zipf.next()), others(number)].into_iter().flatten().map(address) {
            lists.count(&Visit { ip, ..visit(START + number / 50_000) });
            *exact.entry(ip).or_default() += 1;
        }
    }
    let mut sorted = exact.values().copied().collect::<Vec<_>>();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let top = addresses(&mut lists, 100, START + 5);
    assert_eq!(top.len(), 100);
    for ((ip, count), expected) in top.into_iter().zip(sorted) {
        for expected in [exact[&ip], expected] {
            assert!(count.abs_diff(expected) * 100 <= expected, "{ip}: {count} for {expected}");
        }
    }
}

#[test]
fn the_first_hundred_are_within_one_per_cent_of_the_truth() {
    check_top_hundred(|_| None);
}

#[test]
fn the_first_hundred_are_within_one_per_cent_in_a_flood_of_other_addresses() {
    check_top_hundred(|number| Some(2_000_000 + number as u32));
}
