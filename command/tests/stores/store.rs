//! `secrule store`.

use super::{Folder, Said, command, said};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};

fn set(folder: &Folder, arguments: &[&str]) -> Said {
    let said = folder.run(&[&["store", "set", "--create"], arguments].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    said
}

#[test]
fn a_variable_is_set_read_and_removed() {
    let folder = Folder::new();
    assert_eq!(set(&folder, &["ip", "192.0.2.7", "Counter", "5"]).out, "ip 192.0.2.7: counter=5\n");
    assert_eq!(set(&folder, &["IP", "192.0.2.7", "blocked", "-1", "--expires", "10m"]).out, "ip 192.0.2.7: blocked=-1, expires in 10m\n");
    assert_eq!(folder.run(&["store", "get", "ip", "192.0.2.7", "COUNTER"]).out, "5\n");
    let shown = folder.run(&["store", "get", "ip", "192.0.2.7"]);
    let lines: Vec<&str> = shown.out.lines().collect();
    assert!(lines[0].starts_with("ip 192.0.2.7: created ") && lines[0].ends_with(" ago, updates: 1"), "{}", shown.out);
    assert_eq!(lines[1..], ["name     value", "blocked  -1", "counter  5"]);
    let record = folder.json(&["store", "get", "ip", "192.0.2.7"]);
    assert_eq!((&record["collection"], &record["key"], &record["updates"]), (&"ip".into(), &"192.0.2.7".into(), &1.into()));
    assert_eq!(record["variables"], json!([{"name": "blocked", "value": "-1"}, {"name": "counter", "value": "5"}]));
    assert!(record["created"].as_u64() <= record["updated"].as_u64());
    let one = folder.json(&["store", "get", "ip", "192.0.2.7", "counter"]);
    assert_eq!(one, json!({"collection": "ip", "key": "192.0.2.7", "web_app": "", "name": "counter", "value": "5"}));
    assert_eq!(folder.run(&["store", "remove", "ip", "192.0.2.7", "counter"]).out, "removed: ip 192.0.2.7 counter\n");
    let absent = folder.run(&["store", "remove", "ip", "192.0.2.7", "counter"]);
    assert_eq!((absent.code, absent.out.as_str()), (Some(1), ""));
    assert!(absent.err.contains("there is no ip 192.0.2.7 counter: `secrule store list` shows the records; --web-app"), "{}", absent.err);
    assert_eq!(folder.json(&["store", "remove", "ip", "192.0.2.7"]), json!({"removed": true}));
    assert_eq!(folder.json(&["store", "remove", "ip", "192.0.2.7"]), json!({"removed": false}));
    for arguments in [&["store", "get", "ip", "192.0.2.7"][..], &["store", "get", "ip", "192.0.2.7", "counter"]] {
        assert_eq!((folder.run(arguments).code, folder.json(arguments)), (Some(1), Value::Null));
    }
}

#[test]
fn what_is_set_ends_with_its_time_and_with_the_timeout_of_the_rules() {
    let folder = Folder::new();
    set(&folder, &["ip", "a", "gone", "1", "--expires", "0"]);
    set(&folder, &["ip", "a", "stays", "1"]);
    assert_eq!(folder.json(&["store", "get", "ip", "a"])["variables"], json!([{"name": "stays", "value": "1"}]));
    let rules = folder.file("app.conf", &format!("SecCollectionStore {}\nSecWebAppId shop\nSecStoreVariablesLimit 1\n", folder.address()));
    let with_rules = |arguments: &[&str]| said(command(&["store"]).args(arguments).args(["--rules", &rules]), "");
    assert_eq!(with_rules(&["set", "ip", "a", "one", "1"]).code, Some(0));
    let full = with_rules(&["set", "ip", "a", "two", "1"]);
    assert_eq!(full.code, Some(2));
    assert!(full.err.contains("it is not written: it has the maximum number of variables"), "{}", full.err);
    assert_eq!(folder.run(&["store", "get", "ip", "a", "one"]).code, Some(1));
    assert_eq!(folder.run(&["store", "get", "ip", "a", "one", "--web-app", "shop"]).out, "1\n");
}

#[test]
fn bytes_are_shown_on_one_line_and_taken_as_they_are_shown() {
    let folder = Folder::new();
    set(&folder, &["user", "\\x1b[31m\\x00 \\xff", "n\\x0a", "a\\x07\\x5c \" é"]);
    let shown = folder.run(&["store", "list", "user"]).out;
    assert!(shown.contains("  \\x1b[31m\\x00\\x20\\xff\n"), "{shown}");
    let key = "\\x1b[31m\\x00\\x20\\xff";
    assert_eq!(folder.run(&["store", "get", "user", key, "n\\x0a"]).out, "a\\x07\\x5c \\x22 é\n");
    let record = folder.json(&["store", "get", "user", key]);
    assert_eq!((&record["key_base64"], record.get("key")), (&"G1szMW0AIP8=".into(), None));
    assert_eq!(record["variables"], json!([{"name": "n\n", "value": "a\u{7}\\ \" é"}]));
    assert_eq!(folder.run(&["store", "remove", "user", key]).code, Some(0));
}

#[test]
fn records_are_listed_in_a_table_and_page_by_page() {
    let folder = Folder::with_store();
    assert_eq!(folder.run(&["store", "list"]).out, "no records\n");
    for last in 1..=5 {
        set(&folder, &["ip", &format!("192.0.2.{last}"), "n", "1"]);
    }
    set(&folder, &["ip", "192.0.2.1", "m", "1"]);
    set(&folder, &["global", "global", "n", "1"]);
    set(&folder, &["ip", "192.0.2.9", "n", "1", "--web-app", "shop"]);
    let shown = folder.run(&["store", "list", "ip"]).out;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines[0].split("  ").filter(|part| !part.is_empty()).map(str::trim).collect::<Vec<_>>(),
        ["collection", "variables", "updates", "created", "changed", "web app", "key"]
    );
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!((&words[..3], &words[words.len() - 2..]), (&["ip", "2", "1"][..], &["-", "192.0.2.1"][..]));
    let ends: Vec<usize> = lines[..6].iter().map(|line| line.rfind(' ').unwrap()).collect();
    assert!(ends.iter().all(|end| *end == ends[0]), "{shown}");
    assert_eq!((lines.len(), lines[6]), (7, "5 records"));
    let page = |arguments: &[&str]| folder.json(&[&["store", "list", "ip", "--limit", "2"], arguments].concat());
    let keys = |page: &Value| page["records"].as_array().unwrap().iter().map(|record| record["key"].clone()).collect::<Vec<_>>();
    let (mut all, mut next) = (keys(&page(&[])), page(&[])["after"].clone());
    while let Some(after) = next.as_str() {
        let page = page(&["--after", after]);
        all.extend(keys(&page));
        next = page["after"].clone();
    }
    assert_eq!(all, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"]);
    assert!(folder.run(&["store", "list", "ip", "--limit", "2"]).out.ends_with("\nand more: --after 'ip:192.0.2.2', or --limit\n"));
    let first = folder.json(&["store", "list", "ip", "--limit", "1"])["records"][0].clone();
    assert_eq!((&first["variables"], &first["updates"], &first["web_app"]), (&2.into(), &1.into(), &"".into()));
    assert!(first["created"].as_u64() > Some(1_700_000_000));
    let of_shop = folder.run(&["store", "list", "--web-app", "shop"]).out;
    assert!(of_shop.contains(" shop     192.0.2.9\n") && of_shop.ends_with("1 record of the web application `shop`\n"), "{of_shop}");
}

#[test]
fn many_records_are_listed_completely() {
    let folder = Folder::with_store();
    let lines: String = (0..2_500)
        .map(|number| format!("{{\"record\":{{\"collection\":\"ip\",\"key\":\"k{number}\",\"web_app\":\"\",\"variables\":[{{\"name\":\"n\",\"value\":\"1\"}}]}}}}\n"))
        .collect();
    let wrote = said(command(&["store", "import", "--store", &folder.address()]).arg("--expires=1d"), &lines);
    assert_eq!((wrote.code, wrote.out.as_str()), (Some(0), "wrote 2500 records and 0 bans\n"), "{}", wrote.err);
    let listed = folder.json(&["store", "list", "--limit", "3000"]);
    assert_eq!((listed["records"].as_array().unwrap().len(), &listed["more"]), (2_500, &false.into()));
    assert_eq!(folder.run(&["store", "export"]).out.lines().count(), 2_500);
}

#[test]
fn an_export_is_imported_into_another_store_without_a_loss() {
    let (old, new) = (Folder::new(), Folder::new());
    set(&old, &["ip", "192.0.2.7", "counter", "5"]);
    set(&old, &["session", "\\xfe\\x00", "\\xffname", "\\x00\\xff"]);
    assert_eq!(
        old.run(&["ban", "add", "--ip", "192.0.2.7", "--site", "3", "--host", "a.example", "--path", "/\\xff", "--for", "2h"]).code,
        Some(0)
    );
    let exported = old.run(&["store", "export"]);
    assert!(exported.out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", exported.out);
    let import = |input: &str| said(command(&["store", "import", "--create", "--store", &new.address()]).arg("-"), input);
    let wrote = import(&exported.out);
    assert_eq!((wrote.code, wrote.out.as_str()), (Some(0), "wrote 2 records and 1 ban\n"), "{}", wrote.err);
    for (collection, key) in [("ip", "192.0.2.7"), ("session", "\\xfe\\x00")] {
        let variables = |folder: &Folder| folder.json(&["store", "get", collection, key])["variables"].clone();
        assert_eq!(variables(&new), variables(&old));
    }
    let bans = |folder: &Folder| {
        let mut ban = folder.json(&["ban", "list"])["bans"][0].clone();
        ban.as_object_mut().unwrap().remove("seconds_left");
        ban
    };
    assert_eq!(bans(&new), bans(&old));
    let file = new.file("export.jsonl", "{\"ban\":{\"ip\":\"192.0.2.1\",\"until\":1000}}\n");
    assert_eq!(new.run(&["store", "import", &file]).out, "wrote 0 records and 0 bans, and left out 1 ban that had ended\n");
    let counts = said(command(&["store", "import", "--format", "json", "--store", &new.address()]).arg("-"), &exported.out);
    assert_eq!(serde_json::from_str::<Value>(&counts.out).unwrap(), json!({"records": 2, "bans": 1, "ended_bans": 0}));
}

#[test]
fn a_line_that_is_no_export_is_an_error_with_its_number() {
    let folder = Folder::with_store();
    for (line, text) in [
        ("nonsense", "it is not a line of JSON"),
        ("{}", "it has neither a record nor a ban"),
        ("{\"record\":{\"collection\":\"tx\",\"key\":\"a\",\"web_app\":\"\",\"variables\":[]}}", "the collections are global, ip,"),
        ("{\"record\":{\"collection\":\"ip\",\"web_app\":\"\",\"variables\":[]}}", "`key` is missing"),
        ("{\"record\":{\"collection\":\"ip\",\"key_base64\":\"?\",\"web_app\":\"\",\"variables\":[]}}", "`key_base64`: "),
        (
            "{\"record\":{\"collection\":\"ip\",\"key\":\"a\",\"web_app\":\"\",\"variables\":[{\"name\":\"n\"}]}}",
            "`value` of a variable is missing",
        ),
        ("{\"ban\":{\"until\":9999999999}}", "the ban has no part"),
        ("{\"ban\":{\"ip\":\"a\",\"until\":9999999999}}", "`ip` is not an address"),
        ("{\"ban\":{\"ip\":\"192.0.2.1\"}}", "`until` is not a number"),
    ] {
        let good = "{\"ban\":{\"ip\":\"192.0.2.1\",\"until\":9999999999}}";
        let refused = said(command(&["store", "import", "--store", &folder.address()]).arg("-"), &format!("{good}\n{line}\n"));
        assert_eq!(refused.code, Some(2), "{line}");
        assert!(refused.err.starts_with("secrule: -:2: ") && refused.err.contains(text), "{line}: {}", refused.err);
        assert!(refused.err.ends_with("; the lines before it are written\n"), "{}", refused.err);
    }
}

#[test]
fn a_watch_shows_each_change_and_ends_without_a_reader() {
    let folder = Folder::with_store();
    set(&folder, &["ip", "192.0.2.7", "n", "1"]);
    let mut watch = command(&["store", "watch", "--every", "10", "--store", &folder.address()]).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "watching 1 record and 0 bans");
    let mut after = |arguments: &[&str]| {
        assert_eq!(folder.run(arguments).code, Some(0));
        lines.next().unwrap()
    };
    assert_eq!(after(&["store", "set", "ip", "192.0.2.7", "n", "2"]), "ip 192.0.2.7 n: 1 -> 2");
    assert_eq!(after(&["store", "set", "user", "a", "b", "\\xff c"]), "user a b: (none) -> \\xff c");
    assert_eq!(after(&["store", "remove", "user", "a"]), "user a b: \\xff c -> (none)");
    let banned = after(&["ban", "add", "--ip", "192.0.2.7", "--for", "1h"]);
    assert!(banned.starts_with("banned for 59m 59s: ip=192.0.2.7") || banned == "banned for 1h: ip=192.0.2.7", "{banned}");
    assert_eq!(after(&["ban", "remove", "--ip", "192.0.2.7"]), "no longer banned: ip=192.0.2.7");
    drop(lines);
    set(&folder, &["ip", "192.0.2.7", "n", "3"]);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    watch.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn a_watch_of_one_record_shows_nothing_else_and_writes_json() {
    let folder = Folder::with_store();
    let arguments = ["store", "watch", "ip", "192.0.2.7", "--every", "10", "--format", "json", "--store", &folder.address()];
    let mut watch = command(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut line = || serde_json::from_str::<Value>(&lines.next().unwrap()).unwrap();
    assert_eq!(line(), json!({"watching": {"records": 0, "bans": 0}}));
    set(&folder, &["ip", "192.0.2.8", "n", "1"]);
    set(&folder, &["ip", "192.0.2.7", "n", "1"]);
    let change = line();
    assert_eq!((&change["variable"]["key"], &change["variable"]["name"]), (&"192.0.2.7".into(), &"n".into()));
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn wrong_uses_are_refused() {
    let folder = Folder::with_store();
    for (arguments, text) in [
        (&["store"][..], "Usage: secrule store"),
        (&["store", "get", "tx", "a"], "the collections are global, ip, resource, session and user"),
        (&["store", "get", "ip"], "<KEY>"),
        (&["store", "set", "ip", "a", "n"], "<VALUE>"),
        (&["store", "set", "ip", "a", "n", "1", "--expires", "soon"], "write a number and s, m, h or d"),
        (&["store", "list", "--after", "192.0.2.1"], "it has the form COLLECTION:KEY"),
        (&["store", "watch", "--every", "0"], "invalid value '0'"),
        (&["store", "import", "/does/not/exist.jsonl"], "/does/not/exist.jsonl: No such file"),
    ] {
        let refused = folder.run(arguments);
        assert_eq!(refused.code, Some(2), "{arguments:?}");
        assert!(refused.err.contains(text), "{arguments:?}: {}", refused.err);
    }
}
