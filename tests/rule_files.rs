//! Rule files and data files with problems: each is an error with its place and a remedy, within a time limit, and nothing is loaded.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

use secrule::Waf;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Time limit of a load that meets a file it should not read: far longer than any load takes.
const SOON: Duration = Duration::from_secs(60);

/// Maximum length of the error's text.
const LONGEST_REFUSAL: usize = 2_000_000;

/// A folder with files, removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rule-files-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn with(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.join(name), bytes).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Loads `main.conf`; a load that takes too long fails the test.
    fn load(&self) -> Result<Waf, String> {
        let (say, hear) = mpsc::channel();
        let main = self.path("main.conf");
        thread::spawn(move || say.send(Waf::from_file(main).map_err(|error| error.to_string())));
        hear.recv_timeout(SOON).expect("the load does not end")
    }

    /// Returns the error of the load.
    #[track_caller]
    fn refusal(&self) -> String {
        let refusal = self.load().expect_err("these rules load");
        assert!(refusal.ends_with("nothing was loaded") && refusal.len() < LONGEST_REFUSAL, "{} bytes: {refusal:.2000}", refusal.len());
        refusal
    }

    /// Checks that the load is refused with all of these texts, and with a place in `main.conf`.
    #[track_caller]
    fn says(&self, texts: &[&str]) {
        let refusal = self.refusal();
        assert!(refusal.contains("main.conf:") && refusal.contains("help: "), "{refusal}");
        for text in texts {
            assert!(refusal.contains(text), "{text:?} is not in {refusal}");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn files_that_include_each_other() {
    let folder = Folder::new("loop").with("main.conf", "SecRuleEngine On\nInclude next.conf\n").with("next.conf", "Include main.conf\n");
    assert!(folder.refusal().contains("these files include each other"));
    let folder = Folder::new("itself").with("main.conf", "Include main.conf\n");
    folder.says(&["these files include each other", "remove one of the Includes"]);
}

#[test]
fn a_loop_under_ever_new_names() {
    let folder = Folder::new("names").with("main.conf", "Include sub/../main.conf\n");
    fs::create_dir(folder.path("sub")).unwrap();
    folder.says(&["more than 100 files include each other in a row"]);
    // Twice at each level: the nesting limit alone would allow 2^100 files.
    let folder = Folder::new("twice").with("main.conf", "Include sub/../main.conf\nInclude sub/../main.conf\n");
    fs::create_dir(folder.path("sub")).unwrap();
    let refusal = folder.refusal();
    assert!(refusal.contains("include"), "{refusal:.2000}");
    let folder = Folder::new("link").with("main.conf", "Include link.conf\nInclude link.conf\n");
    symlink(folder.path("main.conf"), folder.path("link.conf")).unwrap();
    assert!(folder.refusal().contains("include"));
}

#[test]
fn files_that_include_two_others_each() {
    let mut folder = Folder::new("doubling").with("main.conf", "Include 0.conf\n").with("40.conf", "SecRuleEngine On\n");
    for number in 0..40 {
        folder = folder.with(&format!("{number}.conf"), format!("Include {next}.conf\nInclude {next}.conf\n", next = number + 1));
    }
    assert!(folder.refusal().contains("more than 10000 files are included"));
}

#[test]
fn a_file_may_be_included_twice() {
    let folder = Folder::new("again").with("main.conf", "Include on.conf\nInclude on.conf\n").with("on.conf", "SecRuleEngine On\n");
    assert!(folder.load().is_ok());
}

#[test]
fn lines_of_many_megabytes() {
    let long = "a".repeat(5_000_000);
    for line in [
        format!("{long} On\n"),
        format!("SecRuleEngine {long}\n"),
        format!("SecRule {long} \"@rx .\" \"id:1,phase:2,deny\"\n"),
        format!("SecRule ARGS \"@{long}\" \"id:1,phase:2,deny\"\n"),
        format!("SecRule ARGS \"@rx .\" \"id:1,phase:2,{long}\"\n"),
        format!("SecRule ARGS \"@rx .\" \"id:1,phase:2,t:{long}\"\n"),
        format!("SecRule ARGS \"@pmFromFile {long}\" \"id:1,phase:2\"\n"),
        format!("Include {long}\n"),
        format!("SecRule ARGS \"@rx {}\" \"id:1,phase:2\"\n", "(".repeat(1_000_000)),
        format!("SecRule ARGS \"@rx (?:{}){{1000}}{{1000}}\" \"id:1,phase:2\"\n", &long[..1000]),
    ] {
        let start = &line[..40];
        let folder = Folder::new("line").with("main.conf", &line);
        let refusal = folder.refusal();
        assert!(refusal.len() < 20_000 && refusal.contains("main.conf:1:"), "{start}: {refusal:.2000}");
    }
    let folder = Folder::new("line").with("main.conf", format!("SecRule ARGS \"@contains {long}\" \"id:1,phase:2,deny\"\n"));
    assert!(folder.load().is_ok());
    let folder = Folder::new("joined").with("main.conf", "SecRuleEngine \\\n".repeat(200_000));
    folder.says(&["SecRuleEngine"]);
}

#[test]
fn a_file_with_nothing_but_errors() {
    let folder = Folder::new("errors").with("main.conf", "nonsense here\n".repeat(100_000));
    assert!(folder.refusal().ends_with("1000 errors, and the rest was not read; nothing was loaded"));
    let folder = Folder::new("quotes").with("main.conf", "SecRule ARGS \"@rx\n".repeat(100_000));
    assert!(folder.refusal().contains("and the rest was not read"));
    let folder = Folder::new("includes").with("main.conf", "Include absent.conf\n".repeat(100_000));
    assert!(folder.refusal().contains("and the rest was not read"));
}

#[test]
fn files_of_many_megabytes() {
    let folder = Folder::new("huge").with("main.conf", "SecRuleEngine On\nInclude huge.conf\n");
    let huge = fs::File::create(folder.path("huge.conf")).unwrap();
    huge.set_len(600 << 20).unwrap();
    folder.says(&["huge.conf` cannot be read: it is larger than 512 MB", "main.conf:2:9"]);
    let comment = "# a comment\n".repeat((65 << 20) / 12);
    let folder = folder.with("huge.conf", comment);
    folder.says(&["the rules have more than 64 MB", "main.conf:2:9"]);
}

#[test]
fn data_that_is_not_there_any_more() {
    let folder = Folder::new("data")
        .with("words.data", "evil\n")
        .with("main.conf", "SecRuleEngine On\nSecRule ARGS \"@pmFromFile words.data\" \"id:1,phase:1,deny\"\n");
    let waf = folder.load().unwrap();
    fs::remove_file(folder.path("words.data")).unwrap();
    folder.says(&["`words.data` cannot be read: there is no such file", "main.conf:2:27", "looked at"]);
    // The loaded rules keep the data that they have read.
    let mut transaction = waf.transaction();
    let _ = transaction.process_uri(b"/?q=evil", b"GET", b"1.1");
    assert!(transaction.process_request_headers().is_intervention());
}

#[test]
fn files_that_cannot_be_read() {
    for (name, rules) in [
        ("there", "SecRuleEngine On\nInclude there\n"),
        ("there", "SecRuleEngine On\nSecRule ARGS \"@pmFromFile there\" \"id:1,phase:2\"\n"),
        ("there", "SecRuleEngine On\nSecRule ARGS \"@ipMatchFromFile there\" \"id:1,phase:2\"\n"),
        ("there", "SecRuleEngine On\nSecRuleScript there \"id:1,phase:2\"\n"),
    ] {
        let folder = Folder::new("folder").with("main.conf", rules);
        fs::create_dir(folder.path(name)).unwrap();
        folder.says(&["it is a folder", "main.conf:2:"]);
        drop(folder);
        let folder = Folder::new("pipe").with("main.conf", rules);
        pipe(&folder.path(name));
        folder.says(&["it is a pipe, a socket or a device", "main.conf:2:"]);
        drop(folder);
        let folder = Folder::new("socket").with("main.conf", rules);
        let _socket = UnixListener::bind(folder.path(name)).unwrap();
        folder.says(&["it is a pipe, a socket or a device"]);
        drop(folder);
        let folder = Folder::new("device").with("main.conf", rules);
        symlink("/dev/zero", folder.path(name)).unwrap();
        folder.says(&["it is a pipe, a socket or a device"]);
        drop(folder);
        let folder = Folder::new("circle").with("main.conf", rules);
        symlink(folder.path(name), folder.path(name)).unwrap();
        // An Include looks for files by name, and finds none through such a link.
        assert!(folder.refusal().contains("main.conf:2:"));
    }
    let folder = Folder::new("main");
    fs::create_dir(folder.path("main.conf")).unwrap();
    folder.says(&["it is a folder"]);
}

#[test]
fn a_folder_is_included_by_its_files() {
    let folder = Folder::new("all").with("main.conf", "Include rules\n");
    fs::create_dir(folder.path("rules")).unwrap();
    folder.says(&["write", "rules/*.conf"]);
}

#[test]
fn bytes_that_are_no_text() {
    for bytes in
        [&b"SecRuleEngine On\nSecAction \"id:1,msg:'caf\xe9'\"\n"[..], b"SecRuleEngine On\nSec\0Action\n", b"\xff\xfeS\0e\0c\0\n\0"]
    {
        let folder = Folder::new("bytes").with("main.conf", bytes);
        folder.says(&["E002", "iconv"]);
    }
    // A UTF-8 byte order mark and line endings of another system are not errors.
    assert!(Folder::new("mark").with("main.conf", b"\xef\xbb\xbfSecRuleEngine On\r\n").load().is_ok());
}

#[test]
fn what_stands_beside_an_error_is_not_loaded() {
    let folder = Folder::new("half").with("good.conf", "SecRuleEngine On\nSecAction \"id:1,phase:1,deny\"\n");
    let folder = folder.with("main.conf", "Include good.conf\nSecRuleEngine Perhaps\n");
    folder.says(&["1 error; nothing was loaded", "main.conf:2:"]);
}
