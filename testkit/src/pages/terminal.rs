//! A terminal for a page: its commands run as written, with paths such as `/etc/nginx` and ports such as 8080, in a root and a network of their own,
//! which are gone afterwards.

use super::{Page, Run, Step, Work};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest time that a page may take, in seconds.
const LIMIT: u64 = 180;

/// The time that a server has to say what the page shows, after the last command.
const OUTPUT_LIMIT: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(20);

/// The machine's own files are seen through the new root and stay as they are; what the page writes lies in memory.
const ROOT: &str = r#"
set -eu
scratch=$OUT/machine
mkdir "$scratch"
mount -t tmpfs tmpfs "$scratch"
mkdir "$scratch/changes" "$scratch/work" "$scratch/root"
root=$scratch/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/changes,workdir=$scratch/work" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root$OUT" "$root$PROGRAMS" "$root/srv/secrule"
mount --bind "$OUT" "$root$OUT"
mount --rbind "$PROGRAMS" "$root$PROGRAMS"
mount --bind "$PROJECT" "$root/srv/secrule"
mount -o remount,bind,ro "$root/srv/secrule"
if [ -n "${LIBRARY:-}" ]; then
    mkdir -p "$root/opt/secrule/lib"
    mount --bind "$LIBRARY" "$root/opt/secrule/lib"
    if [ -n "${INSTALLED:-}" ]; then
        echo /opt/secrule/lib >"$root/etc/ld.so.conf.d/000-secrule.conf"
        chroot "$root" ldconfig
    fi
fi
mkdir -p "$root/srv/manual"
ip link set lo up
# Pages say `sudo`, which not every machine has.
if ! chroot "$root" sh -c 'command -v sudo' >/dev/null; then
    printf '%s\n' '#!/bin/sh' 'user=root' 'if [ "$1" = -u ]; then user=$2; shift 2; fi' 'exec runuser -u "$user" -- "$@"' >"$root/usr/local/bin/sudo"
    chmod 755 "$root/usr/local/bin/sudo"
fi
exec chroot "$root" bash "$OUT/page.sh" </dev/null >"$OUT/shell" 2>&1
"#;

/// A terminal.
#[derive(Debug)]
pub struct Terminal {
    /// The folder of the command.
    pub programs: PathBuf,
    /// The folder of the C library, if the page needs it: it is `/opt/secrule/lib` then.
    pub library: Option<PathBuf>,
    /// `true` if programs load that library without being told to.
    pub is_installed: bool,
}

impl Terminal {
    /// Does what a page says, and fails with all that is not as the page says.
    pub fn follow(&self, page: &Page) {
        let out =
            std::env::temp_dir().join(format!("secrule-page-{}-{}", page.path.display().to_string().replace('/', "-"), std::process::id()));
        let _ = fs::remove_dir_all(&out);
        fs::create_dir_all(&out).unwrap();
        fs::write(out.join("page.sh"), script(page)).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut terminal = Command::new("timeout");
        terminal.args([
            "--kill-after=5",
            &LIMIT.to_string(),
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "bash",
            "-c",
            ROOT,
        ]);
        terminal.env("OUT", &out).env("PROGRAMS", &self.programs).env("PROJECT", crate::project());
        terminal.env("PATH", format!("{}:{path}:/usr/sbin:/sbin", self.programs.display())).env("HOME", "/root").env("LC_ALL", "C.UTF-8");
        terminal.env_remove("SECRULE_STORE").env_remove("SECRULE_PLAN").env("COLUMNS", "100");
        if let Some(folder) = &self.library {
            terminal.env("LIBRARY", folder).env("INSTALLED", if self.is_installed { "yes" } else { "" });
        }
        terminal.stdin(Stdio::null());
        let mut running = terminal.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        await_servers(&mut running, &out, page);
        let ended = running.wait_with_output().unwrap();
        let shell = fs::read_to_string(out.join("shell")).unwrap_or_default() + &String::from_utf8_lossy(&ended.stderr);
        let mut complaints: Vec<String> = (0..).zip(&page.steps).filter_map(|(number, step)| complaint(&out, number, step)).collect();
        if !ended.status.success() {
            complaints.push(format!("the shell ended with {}: {shell}", ended.status));
        }
        assert!(complaints.is_empty(), "{}", complaints.iter().map(|text| format!("\n{}:{text}", page.path.display())).collect::<String>());
        let _ = fs::remove_dir_all(out);
    }
}

/// Waits until all is done, and servers have said what the page shows. Then they end.
fn await_servers(shell: &mut Child, out: &Path, page: &Page) {
    let started = Instant::now();
    while !out.join("done").exists() {
        // A mistake in a block may have ended it.
        if shell.try_wait().unwrap().is_some() || started.elapsed() > Duration::from_secs(LIMIT) {
            return;
        }
        sleep(PAUSE);
    }
    let done = Instant::now();
    let is_silent =
        |(number, step): (usize, &Step)| matches!(&step.work, Work::Run(run) if run.goes_on) && complaint(out, number, step).is_some();
    while page.steps.iter().enumerate().any(is_silent) && done.elapsed() < OUTPUT_LIMIT {
        sleep(PAUSE);
    }
    fs::write(out.join("seen"), "").unwrap();
}

/// Returns the commands of a page as a script.
fn script(page: &Page) -> String {
    // The end of the script is that of all that still runs.
    let mut script = "cd /srv/manual\n".to_owned();
    for (number, Step { text, work, .. }) in page.steps.iter().enumerate() {
        let done = match work {
            Work::Leave | Work::Compile => Ok(()),
            Work::Write(name) => {
                write!(script, "mkdir -p \"$(dirname {name})\"\ncat >{name} <<'END OF THE BLOCK'\n{text}END OF THE BLOCK\n")
            }
            Work::Check => write!(
                script,
                "cat >block-{number}.conf <<'END OF THE BLOCK'\n{text}END OF THE BLOCK\n{}secrule check block-{number}.conf\ntrap - ERR\n",
                recorded(number)
            ),
            Work::Run(Run { goes_on: true, .. }) => write!(
                script,
                "{{\n{text}}} >\"$OUT/{number}\" 2>&1 &\nfor _ in $(seq 100); do if [ -s \"$OUT/{number}\" ]; then break; fi; sleep 0.1; done\n"
            ),
            Work::Run(_) => writeln!(script, "{}{text}trap - ERR", recorded(number)),
        };
        done.unwrap();
    }
    script + "touch \"$OUT/done\"\nuntil [ -e \"$OUT/seen\" ]; do sleep 0.05; done\nexit 0\n"
}

/// Returns the lines that keep what commands print, and those that fail.
fn recorded(number: usize) -> String {
    format!("exec >\"$OUT/{number}\" 2>&1\ntrap 'printf \"%s %s\\n\" \"$?\" \"$BASH_COMMAND\" >>\"$OUT/{number}.failed\"' ERR\n")
}

/// Returns what is not as a step says, with its line.
fn complaint(out: &Path, number: usize, step: &Step) -> Option<String> {
    let nothing = Run::default();
    let run = match &step.work {
        Work::Run(run) => run,
        Work::Check => &nothing,
        Work::Write(_) | Work::Compile | Work::Leave => return None,
    };
    let Ok(printed) = fs::read_to_string(out.join(number.to_string())) else { return Some(format!("{}: it was not run", step.line)) };
    let failed = fs::read_to_string(out.join(format!("{number}.failed"))).unwrap_or_default();
    let codes: Vec<i32> = failed.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
    let is_expected = match run.exits_with {
        None => codes.is_empty(),
        Some(code) => !codes.is_empty() && codes.iter().all(|ended| *ended == code),
    };
    if !is_expected {
        return Some(format!("{}: ended with {codes:?}, {failed}{printed}", step.line));
    }
    let expected = run.prints.as_ref()?;
    let mut lines: Vec<&str> = expected.lines().collect();
    if run.goes_on {
        // What a server says later.
        lines.push("…");
    }
    let is_printed = printed_as(&lines, &printed.lines().collect::<Vec<_>>());
    (!is_printed).then(|| format!("{}: it should print\n{expected}and prints\n{printed}", step.line))
}

/// Returns `true` if lines are those that a page shows.
fn printed_as(shown: &[&str], lines: &[&str]) -> bool {
    let Some((first, rest)) = shown.split_first() else { return lines.is_empty() };
    if first.trim() == "…" {
        return (0..=lines.len()).any(|skipped| printed_as(rest, &lines[skipped..]));
    }
    lines.split_first().is_some_and(|(line, others)| line_as(first.trim_end(), line.trim_end()) && printed_as(rest, others))
}

fn line_as(shown: &str, line: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(shown: &str, printed: &str) -> bool {
        printed_as(&shown.lines().collect::<Vec<_>>(), &printed.lines().collect::<Vec<_>>())
    }

    #[test]
    fn what_is_printed_is_compared_with_gaps() {
        assert!(is("a\nb\n", "a\nb \n") && !is("a\n", "a\nb\n") && !is("a\nb\n", "a\n"));
        assert!(is("loaded … rules in … ms\n", "loaded 12 rules in 3 ms\n") && !is("loaded … rules\n", "loaded 12 files\n"));
        assert!(is("a\n…\nz\n", "a\nb\nc\nz\n") && is("…\nz\n…\n", "z\n") && !is("a\n…\nz\n", "a\nb\n"));
        assert!(!is("ab…\n", "a\n") && !is("a…a\n", "a\n"));
    }
}
