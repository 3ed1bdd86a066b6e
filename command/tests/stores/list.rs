//! `secrule list`.

use super::{Folder, command, said};
use secrule::{Connection, Waf};
use std::thread::sleep;
use std::time::{Duration, Instant};

#[test]
fn a_list_is_put_shown_extended_reduced_and_cleared() {
    let folder = Folder::new();
    let file = folder.file("addresses.txt", "# attackers\n192.0.2.7\n\n 198.51.100.9/24 , 2001:DB8::1\r\n192.0.2.7/32\n");
    let put = folder.run(&["list", "put", "attackers", &file, "--create"]);
    assert_eq!((put.code, put.out.as_str()), (Some(0), "list attackers: 3 entries\n"), "{}", put.err);
    let show = || folder.run(&["list", "show", "attackers"]).out;
    assert_eq!(show(), "192.0.2.7\n198.51.100.0/24\n2001:db8::1\n");
    let added = folder.run(&["list", "add", "attackers", "203.0.113.5", "::ffff:192.0.2.7", "203.0.113.5"]);
    assert_eq!((added.code, added.out.as_str()), (Some(0), "list attackers: added 1, 4 entries\n"), "{}", added.err);
    let removed = folder.run(&["list", "remove", "attackers", "192.0.2.7", "198.51.100.20", "192.0.2.8"]);
    assert_eq!((removed.code, removed.out.as_str()), (Some(1), "list attackers: removed 1, 3 entries\n"));
    assert!(
        removed.err.contains("198.51.100.20 is not an entry of the list attackers, but 198.51.100.0/24 contains it"),
        "{}",
        removed.err
    );
    assert!(removed.err.contains("192.0.2.8 is not an entry of the list attackers: `secrule list show"), "{}", removed.err);
    assert_eq!(show(), "198.51.100.0/24\n2001:db8::1\n203.0.113.5\n");
    let cleared = folder.run(&["list", "clear", "attackers"]);
    assert_eq!((cleared.code, cleared.out.as_str()), (Some(0), "list attackers: 0 entries\n"));
    assert_eq!((folder.run(&["list", "show", "attackers"]).code, show()), (Some(0), String::new()));
}

#[test]
fn what_is_shown_can_be_put_from_standard_input() {
    let folder = Folder::new();
    let put = |name: &str, text: &str| said(command(&["list", "put", name, "--create", "--store", &folder.address()]).arg("-"), text);
    assert_eq!(put("a", "192.0.2.1,192.0.2.2\n").code, Some(0));
    let shown = folder.run(&["list", "show", "a"]).out;
    assert_eq!(put("b", &shown).out, "list b: 2 entries\n");
    assert_eq!(folder.run(&["list", "show", "b"]).out, shown);
    // Without a file, it is standard input.
    assert_eq!(said(command(&["list", "put", "b", "--store", &folder.address()]).args::<_, &str>([]), "").out, "list b: 0 entries\n");
}

#[test]
fn json_has_the_entries_and_those_that_changed() {
    let folder = Folder::new();
    let added = folder.json(&["list", "add", "a", "192.0.2.1", "192.0.2.2", "--create"]);
    assert_eq!(added, serde_json::json!({ "name": "a", "count": 2, "added": ["192.0.2.1", "192.0.2.2"] }));
    let removed = folder.json(&["list", "remove", "a", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(removed, serde_json::json!({ "name": "a", "count": 1, "removed": ["192.0.2.2"] }));
    assert_eq!(folder.json(&["list", "show", "a"]), serde_json::json!({ "name": "a", "entries": ["192.0.2.1"] }));
    assert_eq!(folder.json(&["list", "clear", "a"]), serde_json::json!({ "name": "a", "count": 0 }));
    assert!(folder.json(&["list", "show", "b"]).is_null());
}

#[test]
fn wrong_entries_are_named_with_their_lines_and_nothing_is_changed() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["list", "add", "a", "192.0.2.1", "--create"]).code, Some(0));
    let file = folder.file("wrong.txt", "192.0.2.2\nhost.example\n192.0.2.0/33, 192.0.2.3\n\u{1b}[2J\n");
    let refused = folder.run(&["list", "put", "a", &file]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""));
    for text in
        ["wrong.txt:2: `host.example` is not an address", "wrong.txt:3: `192.0.2.0/33` is", "wrong.txt:4: `\\x1b[2J`", "such as 192.0.2.7"]
    {
        assert!(refused.err.contains(text), "{text}: {}", refused.err);
    }
    let many = folder.file("many.txt", &"x\n".repeat(50));
    assert!(folder.run(&["list", "put", "a", &many]).err.contains("many.txt:20: `x` is not an address or a network\nand 30 more\n"));
    assert_eq!(folder.run(&["list", "show", "a"]).out, "192.0.2.1\n");
    let large: String = (0..100_000).map(|number| format!("10.{}.{}.{}\n", number >> 16, number >> 8 & 255, number & 255)).collect();
    let refused = folder.run(&["list", "put", "a", &folder.file("large.txt", &large)]);
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (Some(2), "secrule: it is not written: it would take too large a part of the store\n")
    );
    assert_eq!(folder.run(&["list", "show", "a"]).out, "192.0.2.1\n");
    for (arguments, text) in [
        (&["add", "a"][..], "<ENTRY>"),
        (&["add", "a", "192.0.2.1,192.0.2.2"], "it is not an address or a network"),
        (&["add", "a", "10.0.0.0/8x"], "it is not an address or a network"),
        (&["add", "a b", "192.0.2.1"], "1 to 64 letters"),
        (&["show", ""], "1 to 64 letters"),
        (&["put", "a", "/does/not/exist.txt"], "/does/not/exist.txt: "),
        (&["remove", "a", "x"], "it is not an address or a network"),
    ] {
        let refused = folder.run(&[&["list"], arguments].concat());
        assert_eq!(refused.code, Some(2), "{arguments:?}");
        assert!(refused.err.contains(text), "{arguments:?}: {}", refused.err);
    }
}

#[test]
fn a_list_that_does_not_exist_is_a_finding() {
    let folder = Folder::with_store();
    for arguments in [&["show", "none"][..], &["clear", "none"], &["remove", "none", "192.0.2.1"]] {
        let absent = folder.run(&[&["list"], arguments].concat());
        assert_eq!((absent.code, absent.out.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(absent.err.contains("there is no list none: `secrule list put none FILE` makes it"), "{}", absent.err);
    }
    let unnamed = said(command(&["list", "show", "a"]).args::<_, &str>([]), "");
    assert!(unnamed.code == Some(2) && unnamed.err.contains("no store is named: add --store"), "{}", unnamed.err);
}

#[test]
fn no_addition_is_lost_when_several_are_made_at_once() {
    let folder = Folder::with_store();
    let (folder, added) = (&folder, 8);
    std::thread::scope(|scope| {
        for number in 0..added {
            scope.spawn(move || assert_eq!(folder.run(&["list", "add", "a", &format!("192.0.2.{number}")]).code, Some(0)));
        }
    });
    assert_eq!(folder.run(&["list", "show", "a"]).out.lines().count(), added);
}

#[test]
fn a_server_counts_a_change_of_another_process_within_100_ms() {
    let folder = Folder::new();
    let rules = format!("SecRuleEngine On\nSecCollectionStore {}\nSecIpList blacklist list:attackers", folder.address());
    let build = || Waf::builder().rules("rules", &rules).store_kind(secrule_lmdb::LmdbStore::KIND).build().unwrap();
    let wafs = [build(), build()];
    let statuses = || {
        [0, 1].map(|number: usize| {
            let mut transaction = wafs[number].begin(Connection::new(([192, 0, 2, 7], 40_000).into(), ([198, 51, 100, 1], 443).into()));
            transaction.request_line(b"GET", b"/", b"1.1").ok();
            transaction.request_headers_end().err().map(|stop| stop.status())
        })
    };
    // The server makes the store: `--create` is not needed then.
    assert_eq!(statuses(), [None, None]);
    for (verb, expected) in [("add", Some(403)), ("remove", None)] {
        let changed = folder.run(&["list", verb, "attackers", "192.0.2.0/28"]);
        assert_eq!(changed.code, Some(0), "{}", changed.err);
        let start = Instant::now();
        while statuses() != [expected; 2] {
            assert!(start.elapsed() < Duration::from_millis(100), "{verb}");
            sleep(Duration::from_millis(1));
        }
    }
    wafs[0].put_list("attackers", &["192.0.2.7"]).unwrap();
    assert_eq!((statuses(), folder.run(&["list", "show", "attackers"]).out.as_str()), ([Some(403); 2], "192.0.2.7\n"));
}
