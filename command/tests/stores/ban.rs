//! `secrule ban`.

use super::{Folder, command, said};

#[test]
fn a_ban_is_added_shown_and_removed() {
    let folder = Folder::new();
    let added = folder.run(&["ban", "add", "--ip", "192.0.2.7", "--path", "/login", "--for", "10m", "--create"]);
    assert_eq!((added.code, added.out.as_str()), (Some(0), "banned for 10m: ip=192.0.2.7 path=/login\n"), "{}", added.err);
    assert_eq!(folder.run(&["ban", "add", "--host", "Shop.Example.", "--site", "7", "--for", "2h"]).code, Some(0));
    let shown = folder.run(&["ban", "list"]);
    let lines: Vec<&str> = shown.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", shown.out);
    assert_eq!(lines[0], "ends in  site  ip         host          path");
    let has = |start: &str, end: &str| lines.iter().any(|line| line.trim_start().starts_with(start) && line.ends_with(end));
    assert!(has("9m 5", "     *  192.0.2.7  *             /login"), "{}", shown.out);
    assert!(has("1h 59m", "     7  *          shop.example  *"), "{}", shown.out);
    let wrong = folder.run(&["ban", "remove", "--ip", "192.0.2.7"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(1), ""));
    assert!(wrong.err.contains("no ban has exactly the parts ip=192.0.2.7: `secrule ban list` shows"), "{}", wrong.err);
    let ended = folder.run(&["ban", "remove", "--path", "/login", "--ip", "::ffff:192.0.2.7"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "no longer banned: ip=192.0.2.7 path=/login\n"));
    assert_eq!(folder.json(&["ban", "remove", "--host", "shop.example"])["removed"], false);
    assert_eq!(folder.json(&["ban", "remove", "--host", "shop.example", "--site", "7"])["removed"], true);
    assert_eq!(folder.run(&["ban", "list"]).out, "no bans\n");
}

#[test]
fn json_has_the_parts_of_bans_and_their_ends() {
    let folder = Folder::new();
    let added = folder.json(&["ban", "add", "--ip", "2001:db8::1", "--path", "/a\\xff b", "--for", "90s", "--create"]);
    let left = added["seconds_left"].as_u64().unwrap();
    assert!((85..=90).contains(&left), "{added}");
    assert_eq!((&added["ip"], &added["path_base64"], &added["host"]), (&"2001:db8::1".into(), &"L2H/IGI=".into(), &().into()));
    let bans = folder.json(&["ban", "list"]);
    assert_eq!((&bans["bans"][0]["ip"], &bans["more"]), (&"2001:db8::1".into(), &false.into()));
    assert_eq!(bans["bans"][0]["until"], added["until"]);
    let shown = folder.run(&["ban", "list"]).out;
    assert!(shown.ends_with("  *     /a\\xff\\x20b\n"), "{shown}");
    assert_eq!(folder.run(&["ban", "remove", "--ip", "2001:db8::1", "--path", "/a\\xff\\x20b"]).code, Some(0));
}

#[test]
fn bans_are_selected_by_their_parts_and_a_long_list_is_cut() {
    let folder = Folder::new();
    for last in 1..=3 {
        let ip = format!("192.0.2.{last}");
        assert_eq!(folder.run(&["ban", "add", "--ip", &ip, "--for", "1d", "--create"]).code, Some(0));
        assert_eq!(folder.run(&["ban", "add", "--ip", &ip, "--host", "a.example", "--for", "1d"]).code, Some(0));
    }
    let count = |arguments: &[&str]| folder.json(&[&["ban", "list"], arguments].concat())["bans"].as_array().unwrap().len();
    assert_eq!((count(&[]), count(&["--ip", "192.0.2.2"]), count(&["--host", "a.example"])), (6, 2, 3));
    assert_eq!((count(&["--path", "/"]), count(&["--host", "a.example", "--ip", "192.0.2.1"])), (0, 1));
    assert_eq!((count(&["--limit", "4"]), count(&["--limit", "6"])), (4, 6));
    assert!(folder.run(&["ban", "list", "--limit", "5"]).out.ends_with("\nand more: --limit\n"));
    assert!(!folder.run(&["ban", "list", "--limit", "6"]).out.contains("more"));
}

#[test]
fn a_ban_that_would_match_nothing_is_refused() {
    let folder = Folder::new();
    for (arguments, text) in [
        (&["--for", "10m"][..], "required arguments"),
        (&["--site", "7", "--for", "10m"], "required arguments"),
        (&["--ip", "192.0.2.7"], "--for <TIME>"),
        (&["--ip", "192.0.2.0/24", "--for", "10m"], "invalid IP address"),
        (&["--ip", "192.0.2.7", "--for", "10min"], "write a number and s, m, h or d"),
        (&["--ip", "192.0.2.7", "--for", "0"], "at least a second"),
        (&["--ip", "192.0.2.7", "--for", "3651d"], "at most 3650d"),
        (&["--host", "a.example:8080", "--for", "10m"], "without its port"),
        (&["--host", "[::1]:80", "--for", "10m"], "without its port"),
        (&["--path", "login", "--for", "10m"], "a path begins with /"),
        (&["--path", "/login?a=b", "--for", "10m"], "has no query"),
        (&["--ip", "192.0.2.7", "--site", "0", "--for", "10m"], "invalid value '0'"),
    ] {
        let refused = folder.run(&[&["ban", "add", "--create"], arguments].concat());
        assert_eq!(refused.code, Some(2), "{arguments:?}");
        assert!(refused.err.contains(text), "{arguments:?}: {}", refused.err);
    }
    assert!(!folder.0.join("store.mdb").exists());
    assert_eq!(folder.run(&["ban"]).code, Some(2));
    assert_eq!(folder.run(&["ban", "remove"]).code, Some(2));
}

#[test]
fn the_store_is_named_by_an_argument_by_rules_or_by_the_environment() {
    let folder = Folder::new();
    let add = |with: &[&str]| said(command(&["ban", "add", "--for", "1h", "--create", "--ip"]).args(with), "");
    let added = said(command(&["ban", "add", "--for", "1h", "--ip", "192.0.2.1", "--create"]).env("SECRULE_STORE", folder.address()), "");
    assert_eq!(added.code, Some(0), "{}", added.err);
    let rules = folder.file("named.conf", &format!("SecCollectionStore {}\nSecRuleEngine On\n", folder.address()));
    assert_eq!(add(&["192.0.2.2", "--rules", &rules]).code, Some(0));
    assert_eq!(folder.json(&["ban", "list"])["bans"].as_array().unwrap().len(), 2);
    let data = folder.file("data.conf", &format!("SecDataDir {}\n", folder.0.display()));
    assert_eq!(add(&["192.0.2.3", "--rules", &data]).code, Some(0));
    let shown = said(command(&["ban", "list", "--rules", &data]).env("SECRULE_STORE", folder.address()), "");
    assert!(shown.out.contains("192.0.2.3") && !shown.out.contains("192.0.2.1"), "{}", shown.out);
    assert_eq!(add(&["192.0.2.4", "--rules", &data, "--store", &folder.address()]).code, Some(2));
}

#[test]
fn a_store_that_cannot_be_named_is_an_error_with_a_remedy() {
    let folder = Folder::new();
    let list = |with: &[&str]| said(command(&["ban", "list"]).args(with), "");
    let none = folder.file("none.conf", "SecRuleEngine On\n");
    let memory = folder.file("memory.conf", "SecCollectionStore memory\n");
    let wrong = folder.file("wrong.conf", "SecCollectionStore lmdb:\n");
    for (with, text) in [
        (&[][..], "no store is named: add --store"),
        (&["--store", "memory"], "`memory` is in each process of the server"),
        (&["--rules", &memory], "`memory` is in each process of the server"),
        (&["--rules", &none], "the rules name no store"),
        (&["--rules", &wrong], "the rules do not load\n"),
        (&["--rules", "/does/not/exist.conf"], "/does/not/exist.conf"),
        (&["--store", "lmdb:"], "the address names no file: write lmdb:PATH"),
        (&["--store", "file:/a"], "there is no kind of store `file`: write memory, lmdb:…"),
        (&["--store", &folder.address()], "the server makes it when a rule first keeps something"),
        (&["--store", "lmdb:/does/not/exist/store.mdb"], "there is no store /does/not/exist/store.mdb: "),
    ] {
        let refused = list(with);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{with:?}");
        assert!(refused.err.starts_with("secrule: ") && refused.err.contains(text), "{with:?}: {}", refused.err);
    }
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 3, "nothing is made for a look");
}

#[test]
fn a_store_in_a_folder_that_another_user_has_is_pointed_out() {
    let folder = Folder::new();
    let data = folder.file("data.conf", &format!("SecDataDir {}\n", folder.0.display()));
    folder.file("secrule-4294967.mdb", "");
    let refused = said(&mut command(&["ban", "list", "--rules", &data]), "");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("but there is ") && refused.err.contains("secrule-4294967.mdb, which belongs to "), "{}", refused.err);
    assert!(refused.err.contains("run this as that user: `sudo -u "), "{}", refused.err);
}
