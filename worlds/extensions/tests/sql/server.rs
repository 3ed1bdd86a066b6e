//! A PostgreSQL that a test starts, in a folder of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Folders of PostgreSQL's programs, without `bin`.
pub const FOLDERS: &[&str] =
    &["/usr/lib/postgresql/15", "/usr/lib/postgresql/16", "/usr/lib/postgresql/17", "/usr/lib/postgresql/18", "/usr/local/pgsql", "/usr"];

/// A server, which ends with the value. Users: `postgres` (no password), `reader` (SCRAM, `s/cr@et`), `old` (MD5, `s/cr@et`).
pub struct Server {
    pub folder: TempDir,
    pub port: u16,
    child: Child,
}

static SHARED: Mutex<Option<Arc<Server>>> = Mutex::new(None);

/// Returns the server that tests share which do not stop it.
pub fn shared() -> Arc<Server> {
    let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Arc::clone(shared.get_or_insert_with(|| Arc::new(Server::start())))
}

/// Ends the shared server.
pub fn end() {
    SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
}

impl Server {
    pub fn start() -> Self {
        Self::start_with("", |_| {})
    }

    /// Starts a server with further settings, after its folder was prepared.
    pub fn start_with(settings: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        give(folder.path());
        let data = folder.path().join("data");
        let data_text = data.to_str().unwrap();
        done(program("initdb").args(["-D", data_text, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]));
        let own =
            format!("port = {port}\nunix_socket_directories = '{}'\nfsync = off\ntimezone = 'UTC'\n{settings}\n", folder.path().display());
        append(&data.join("postgresql.conf"), &own);
        let rules = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all old 127.0.0.1/32 md5\nhost all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
        prepare(&data);
        give(folder.path());
        let mut command = program("postgres");
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.args(["-D", data_text]).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let server = Self { child: command.spawn().unwrap(), folder, port };
        server.wait_until_it_answers();
        server
            .sql("create role reader login password 's/cr@et'; set password_encryption = 'md5'; create role old login password 's/cr@et'");
        server
    }

    /// Returns the address of a user: with the password, if it has one.
    pub fn address(&self, user: &str) -> String {
        let login = if user == "postgres" { user.to_owned() } else { format!("{user}:s%2Fcr%40et") };
        format!("postgres://{login}@127.0.0.1:{}/postgres", self.port)
    }

    /// Runs statements, as the user who may do all.
    pub fn sql(&self, sql: &str) -> String {
        let output = self.psql(sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Returns the process that runs a statement with a text in it, once there is one.
    pub fn process_of(&self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let asked =
                format!("select pid from pg_stat_activity where state = 'active' and query like '%{text}%' and pid <> pg_backend_pid()");
            let found = self.sql(&asked);
            if !found.is_empty() {
                return found;
            }
            assert!(Instant::now() < end, "no process runs {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends all processes of the server at once.
    pub fn kill(&self) {
        let pids = self.sql("select string_agg(pid::text, ' ') from pg_stat_activity");
        let first = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap();
        for pid in first.lines().take(1).chain(pids.split(' ')) {
            signal("KILL", pid);
        }
    }

    fn psql(&self, sql: &str) -> Output {
        let folder = self.folder.path().to_str().unwrap();
        let port = self.port.to_string();
        program("psql")
            .args(["-h", folder, "-p", &port, "-U", "postgres", "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .output()
            .unwrap()
    }

    fn wait_until_it_answers(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.psql("select 1").status.success() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "the server does not answer: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        let _ = program("pg_ctl").args(["-D", data.to_str().unwrap(), "-m", "immediate", "stop"]).output();
        // `runuser` stops itself when a test stops the server, and does not go on with it.
        signal("CONT", &self.child.id().to_string());
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub fn signal(signal: &str, pid: &str) {
    // A process that is gone already is none to send to.
    let _ = Command::new("kill").args([&format!("-{signal}"), pid]).output().unwrap();
}

/// Returns a program of PostgreSQL, run by the user who may: the server refuses to run as root.
fn program(name: &str) -> Command {
    let path = FOLDERS.iter().map(|folder| PathBuf::from(folder).join("bin").join(name)).find(|path| path.exists()).unwrap();
    let mut command = if is_root() { Command::new("runuser") } else { Command::new(&path) };
    if is_root() {
        command.args(["-u", "postgres", "--"]).arg(path);
    }
    command.current_dir("/");
    command
}

/// Gives a folder and what is in it to the user of the server.
fn give(folder: &Path) {
    if is_root() {
        done(Command::new("chown").args(["-R", "postgres"]).arg(folder));
    }
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn append(path: &Path, text: &str) {
    let before = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, before + text).unwrap();
}
