//! The rules of a verb: the starter rules, files, the OWASP CRS or a subset of it.

use super::subset::Subset;
use super::{Failure, note, stores};
use clap::Args;
use secrule::internals::compile::{CompileOptions, Input, Planning};
use secrule::internals::core_rule_set::{self, CoreRuleSet};
use secrule::internals::source::{FileSystem, Loader, Memory};
use secrule::{DebugLog, LoadError, Waf, WafBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HEADING: &str = "Rules";

/// The rules of a verb.
#[derive(Args, Debug)]
pub struct RuleOptions {
    /// A rule file; several files form one rule set in this order
    ///
    /// Without --rules and --crs the built-in starter rules are used. With --crs the files are loaded after it, which suits exclusions.
    #[arg(short, long, value_name = "FILE", help_heading = HEADING)]
    rules: Vec<PathBuf>,

    /// The folder of the OWASP CRS: its setup file and rules/*.conf
    ///
    /// The setup file is crs-setup.conf or crs-setup.conf.example. Debian's layout is supported: /usr/share/modsecurity-crs. Engine settings such as
    /// SecRequestBodyAccess are built in (crs/setup.conf of the project); --rules can change them.
    #[arg(long, value_name = "DIR", help_heading = HEADING)]
    crs: Option<PathBuf>,

    /// A part of the OWASP CRS: minimal, sqli-xss, api-json, php-site, no-response, strict, or a file
    #[arg(long, value_name = "NAME|FILE", requires = "crs", help_heading = HEADING)]
    subset: Option<String>,

    /// The paranoia level, 1 to 4: a higher level finds more attacks, and has more false positives
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4), help_heading = HEADING)]
    paranoia: Option<u8>,

    /// Set a variable of TX before the rules run, such as inbound_anomaly_score_threshold=10
    #[arg(long, value_name = "NAME=VALUE", value_parser = definition, help_heading = HEADING)]
    define: Vec<(String, String)>,

    /// Rule out rules that cannot match before they run
    ///
    /// A plan changes no verdict, only its time. With `off` every rule tests every value: to measure what the plan saves, and to show that it did not
    /// cause a surprising verdict. One part of it is left out with `no-prefilters`, `no-tx-steps`, `no-scan-memo`, `no-early-bodies` or `no-warm-up`.
    #[arg(long, value_name = "WHETHER", default_value = "on", help_heading = HEADING)]
    plan: Planning,
}

impl RuleOptions {
    /// Loads the rules, for verbs that judge by themselves: without the logs and the store that they name.
    pub fn load(&self, debug_log: Option<Arc<dyn DebugLog>>) -> Result<Waf, Failure> {
        let (mut builder, loader) = self.collect()?;
        builder = builder.without_logs().without_store();
        if let Some(log) = debug_log {
            builder = builder.debug_log(log);
        }
        builder.build_with(&loader).map_err(|error| unloadable(&error))
    }

    /// Collects the rules, and returns what reads their files.
    pub fn collect(&self) -> Result<(WafBuilder, Replaced), Failure> {
        let mut loader = Replaced::default();
        let mut options = CompileOptions::default();
        options.planning = self.plan;
        let mut builder = stores::known(Waf::builder()).options(options);
        let files = self.rules.iter().cloned().map(Input::File);
        if let Some(folder) = &self.crs {
            let mut inputs = self.core_rule_set(folder, &mut loader)?;
            inputs.extend(files);
            builder = builder.input(Input::Group(inputs.into()));
        } else if self.rules.is_empty() {
            builder = self.definitions(self.paranoia).into_iter().fold(builder, |builder, input| builder.input(input)).starter_rules();
        } else {
            builder = builder.input(Input::Group(self.definitions(self.paranoia).into_iter().chain(files).collect()));
        }
        Ok((builder, loader))
    }

    fn core_rule_set(&self, folder: &Path, loader: &mut Replaced) -> Result<Vec<Input>, Failure> {
        let files = CoreRuleSet::find(folder).map_err(|error| Failure::Reason(error.to_string()))?;
        let subset = self.subset.as_deref().map(Subset::find).transpose().map_err(Failure::Reason)?;
        let paranoia = self.paranoia.or(subset.as_ref().and_then(|subset| subset.paranoia));
        let mut inputs = vec![core_rule_set::engine_settings(), Input::File(files.setup)];
        inputs.extend(self.definitions(paranoia));
        inputs.extend(files.before.into_iter().map(Input::File));
        match subset {
            None => inputs.extend(files.rules.into_iter().map(Input::File)),
            Some(mut subset) => {
                subset.paranoia = paranoia;
                let selection = subset.select(read_all(&files.rules)?);
                selection.warnings.iter().for_each(|warning| note(&format!("secrule: {warning}")));
                for (path, text) in selection.files {
                    inputs.push(Input::File(path.clone()));
                    loader.texts = std::mem::take(&mut loader.texts).with(path, text);
                }
            }
        }
        inputs.extend(files.after.into_iter().map(Input::File));
        Ok(inputs)
    }

    /// Returns the settings of the command line as rules; `None` without any.
    fn definitions(&self, paranoia: Option<u8>) -> Option<Input> {
        let mut text = String::new();
        if let Some(level) = paranoia {
            text += &core_rule_set::paranoia(level);
        }
        if !self.define.is_empty() {
            let settings: Vec<String> = self.define.iter().map(|(name, value)| format!("setvar:'tx.{name}={value}'")).collect();
            text += &format!("SecAction \"id:11997,phase:1,pass,nolog,t:none,{}\"\n", settings.join(","));
        }
        (!text.is_empty()).then(|| Input::Text { name: "command line".to_owned(), text })
    }
}

/// Loads rule files as one rule set, for their settings: it opens no log and no store.
pub fn load_files(files: &[PathBuf]) -> Result<Waf, Failure> {
    let inputs = files.iter().cloned().map(Input::File).collect();
    let builder = stores::known(Waf::builder()).without_logs().without_store().input(Input::Group(inputs));
    builder.build().map_err(|error| unloadable(&error))
}

pub fn unloadable(error: &LoadError) -> Failure {
    Failure::Reason(format!("the rules do not load\n{error}"))
}

fn definition(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has the form NAME=VALUE")?;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
        return Err("a name is made of letters, digits, `_`, `-` and `.`".to_owned());
    }
    if value.contains(['"', '\'', '\\', '\n', '\r', '\0']) {
        return Err("a value holds no quotes, backslashes and line ends".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
    let read = |path: &PathBuf| match FileSystem.read(path) {
        Ok(bytes) => Ok((path.clone(), bytes)),
        Err(error) => Err(Failure::unreadable(path, error)),
    };
    paths.iter().map(read).collect()
}

/// The file system, with other text for some of its files.
#[derive(Default)]
pub struct Replaced {
    texts: Memory,
}

impl Loader for Replaced {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.texts.read(path).or_else(|_| FileSystem.read(path))
    }

    fn expand(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        FileSystem.expand(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_cannot_leave_its_quotes() {
        assert_eq!(definition("a.b=1 2"), Ok(("a.b".to_owned(), "1 2".to_owned())));
        for wrong in ["a", "=1", "a b=1", "a=1'", "a=\"", "a=\\"] {
            assert!(definition(wrong).is_err(), "{wrong}");
        }
    }
}
