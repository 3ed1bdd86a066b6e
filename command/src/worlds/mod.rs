//! The verbs about scripts that run beside requests: the script host, plugins and extensions.

pub mod extension;
pub mod host;
pub mod plugin;

use super::{Failure, stores};
use clap::Args;
use secrule::Waf;
use secrule::internals::exchange::ExchangeLog;
use secrule::internals::graph::Settings;
use secrule_host::outgoing::InvalidDestination;
use secrule_host::{Outgoing, ScriptLog, Services};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The rule files of a server.
#[derive(Args, Debug)]
struct RuleFiles {
    /// Rule files of the server, of which those count that name plugins, extensions, the socket and the store
    #[arg(value_name = "RULES", required = true)]
    rules: Vec<PathBuf>,
}

impl RuleFiles {
    /// Loads the rules, with the store that they name; the host itself judges no request and writes no log of them.
    fn load(&self) -> Result<Waf, Failure> {
        let builder = stores::known(Waf::builder()).without_logs().default_store(stores::of_settings);
        let builder = self.rules.iter().fold(builder, |builder, path| builder.file(path));
        builder.build().map_err(|error| Failure::Reason(format!("the rules do not load\n{error}")))
    }
}

/// Returns the path of the socket that rules name.
fn socket(settings: &Settings) -> Result<PathBuf, Failure> {
    let missing = || Failure::Reason("the rules name no socket: add SecPluginHost unix:/run/secrule/host.sock".to_owned());
    settings.plugin_host.clone().ok_or_else(missing)
}

/// Returns the way out for scripts, with the places that `SecScriptConnect` names.
pub fn outgoing(services: &Services) -> Result<Outgoing, Failure> {
    let outgoing = services.settings(Outgoing::from_settings);
    outgoing.map_err(|errors| Failure::Reason(wrong_places(&errors).join("\nsecrule: ")))
}

fn wrong_places(errors: &[InvalidDestination]) -> Vec<String> {
    errors.iter().map(|error| format!("SecScriptConnect: {error}")).collect()
}

/// Returns why a host would not start with these rules: scripts that do not load, and places of `SecScriptConnect` that there cannot be.
pub fn failures(waf: &Waf) -> Vec<String> {
    let services = Services::new(waf, Arc::new(ScriptLog::new(Box::new(io::sink()), usize::MAX)));
    let scripts = services.settings(|settings| settings.worlds.plugins.clone());
    let plugins = scripts.iter().filter_map(|script| secrule_plugins::check(&services, script).err()).map(|failure| failure.to_string());
    let places = services.settings(Outgoing::from_settings).err().map(|errors| wrong_places(&errors)).unwrap_or_default();
    let extensions = services.settings(|settings| settings.worlds.extensions.clone());
    let extensions =
        extensions.iter().filter_map(|extension| secrule_extensions::check(extension).err()).map(|failure| failure.to_string());
    let databases = services.settings(secrule_extensions::check_databases).err();
    plugins.chain(extensions).chain(databases).chain(places).collect()
}

/// Returns a path as rules have it between quotation marks.
///
/// # Errors
/// If it has a quotation mark or a line break, which would end the value, or a backslash before the closing quotation mark.
fn quotable(path: &Path) -> Result<String, Failure> {
    let text = path.display().to_string();
    if text.contains(['"', '\n']) || text.ends_with('\\') {
        return Err(Failure::Reason(format!("{text}: rules cannot name a file with such a name; give it another one")));
    }
    Ok(text)
}

/// Builds rules for a plugin that is tried: those of the files if there are some, with the plugin alone, and all in memory.
fn trial(script: &Path, rules: &[PathBuf], link: Option<Arc<dyn ExchangeLog>>) -> Result<Waf, Failure> {
    // SecPlugin takes a pattern of paths, in which each of these signs stands for itself within brackets.
    let path: String =
        quotable(script)?.chars().flat_map(|sign| if "*?[".contains(sign) { vec!['[', sign, ']'] } else { vec![sign] }).collect();
    let builder = stores::known(Waf::builder()).without_logs().without_store();
    let builder = rules.iter().fold(builder, |builder, file| builder.file(file));
    let builder = builder.rules("plugin", &format!("SecPluginHost unix:/nowhere\nSecPlugin \"{path}\""));
    let builder = match link {
        Some(link) => builder.exchange_log(link),
        None => builder,
    };
    builder.build().map_err(|error| Failure::Reason(error.to_string()))
}
