//! `secrule host`: runs the script host of a machine.

use super::{RuleFiles, outgoing, socket};
use crate::{Failure, Outcome, note};
use clap::Args;
use secrule::Waf;
use secrule::internals::graph::Settings;
use secrule_extensions::Extensions;
use secrule_host::{Host, Intake, ScriptLog, ScriptName, Services, SocketOptions, World};
use secrule_plugins::Plugins;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Run the script host: plugins and extensions, for all workers of a server on this machine
///
/// It loads the rule files of the server, of which SecPlugin, SecExtension, SecPluginHost and the store matter to it. Run it as the user of the server's
/// workers, because they share the store. SIGHUP reads the rules again; a load that fails changes nothing. SIGTERM ends it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  sudo -u www-data secrule host /etc/nginx/modsecurity/main.conf
  sudo -u www-data secrule host --log /var/log/secrule/scripts.log /etc/nginx/modsecurity/main.conf
  sudo -u www-data secrule plugin status /etc/nginx/modsecurity/main.conf       what it does now

Exit codes:
  0  it was ended by a signal
  2  it cannot start: another host runs, a plugin does not load, a socket cannot be made")]
pub struct Options {
    #[command(flatten)]
    rules: RuleFiles,

    /// A file for the log of scripts, which is appended to; without it, standard error
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// The mode of the socket, in octal: workers must be able to write to it
    #[arg(long, value_name = "MODE", default_value = "0660", value_parser = mode)]
    socket_mode: u32,

    /// The number of the group that the socket shall belong to
    #[arg(long, value_name = "GID")]
    socket_group: Option<u32>,
}

/// The name of the host in its log.
const OWN_NAME: &str = "host";

/// Warning of a host whose store is in its memory.
const ALONE: &str = "the rules name no store that processes share, so that bans and limits of plugins hold for no request: add SecCollectionStore \
    lmdb:/var/lib/secrule/store.mdb";

/// Parts of a host that does not listen yet.
struct Prepared {
    services: Services,
    socket: PathBuf,
    worlds: Vec<Box<dyn World>>,
}

/// Runs the host until a signal ends it.
pub fn run(options: &Options) -> Result<Outcome, Failure> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let mut load = 1;
    let (mut host, mut path) = start(options, &options.rules.load()?, load)?;
    note("secrule: the script host runs");
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        // What does not load, or a socket that another host has, leaves everything as it is.
        let loaded = options.rules.load().and_then(|waf| prepare(options, &waf, load + 1)).and_then(|prepared| {
            let other = if prepared.socket == path { None } else { Some(bind(options, &prepared.socket)?) };
            Ok((prepared, other))
        });
        match loaded {
            Ok((prepared, other)) => {
                load += 1;
                let intake = host.stop();
                path = prepared.socket.clone();
                let intake = other.or(intake).map_or_else(|| bind(options, &path), Ok)?;
                host = prepared.listen(intake)?;
                note("secrule: the script host has read its rules again");
            }
            Err(Failure::Reason(reason)) => note(&format!("secrule: the script host goes on with its earlier rules: {reason}")),
            Err(Failure::Closed) => {}
        }
    }
    host.stop();
    Ok(Outcome::Fine)
}

/// Starts a host, and returns it and the path of its socket.
fn start(options: &Options, waf: &Waf, load: u64) -> Result<(Host, PathBuf), Failure> {
    let path = socket(&waf.graph().settings)?;
    // First of all, so that a second host changes nothing.
    let intake = bind(options, &path)?;
    Ok((prepare(options, waf, load)?.listen(intake)?, path))
}

fn bind(options: &Options, socket: &Path) -> Result<Intake, Failure> {
    let options = SocketOptions { mode: options.socket_mode, group: options.socket_group, ..SocketOptions::default() };
    Intake::bind(socket, options).map_err(|error| Failure::Reason(error.to_string()))
}

/// Loads the scripts, and starts their threads. They are called for nothing yet. The number of the load is that of the rules since the start.
fn prepare(options: &Options, waf: &Waf, load: u64) -> Result<Prepared, Failure> {
    let settings = waf.graph();
    let socket = socket(&settings.settings)?;
    let log = Arc::new(ScriptLog::new(sink(options)?, settings.settings.plugin_log_rate));
    let services = Services::new(waf, log);
    let outgoing = outgoing(&services)?;
    let plugins = Plugins::start(&services, &outgoing).map_err(|failures| refused(&failures))?;
    let extensions = Extensions::start_load(&services, &outgoing, load).map_err(|failures| refused(&failures))?;
    Ok(Prepared { services, socket, worlds: vec![Box::new(plugins), Box::new(extensions)] })
}

impl Prepared {
    /// Runs a host that receives requests this way.
    fn listen(self, intake: Intake) -> Result<Host, Failure> {
        let log = Arc::clone(self.services.log());
        if self.services.settings(is_alone) {
            log.write_system(&ScriptName::from(OWN_NAME), ALONE);
        }
        let host = Host::start(self.services, intake, self.worlds).map_err(|error| Failure::Reason(error.to_string()))?;
        log.write_system(&ScriptName::from(OWN_NAME), &format!("listening at {}", self.socket.display()));
        Ok(host)
    }
}

/// Returns `true` if no worker sees what is in the store of a host with these rules.
fn is_alone(settings: &Settings) -> bool {
    match &settings.collection_store {
        Some(address) => address.node.eq_ignore_ascii_case("memory"),
        None => settings.data_folder.is_none(),
    }
}

/// Returns the failure of a host whose scripts do not all load.
fn refused(failures: &[impl ToString]) -> Failure {
    let lines: Vec<String> = failures.iter().map(ToString::to_string).collect();
    Failure::Reason(lines.join("\nsecrule: "))
}

fn sink(options: &Options) -> Result<Box<dyn Write + Send>, Failure> {
    match &options.log {
        None => Ok(Box::new(io::stderr())),
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            Ok(Box::new(file.map_err(|error| Failure::unreadable(path, error))?))
        }
    }
}

fn mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777).ok_or_else(|| "write an octal number such as 0660".to_owned())
}
