//! Several sites behind one server: the rules of the command line are compiled once, and each site and path extends them.

mod file;

use super::reload::{Reload, Rules, count};
use crate::Failure;
use crate::rules::unloadable;
use file::{Changes, Engine, SitesFile};
use secrule::{Waf, WafBuilder};
use secrule_serve::{ServeError, Site, SitePath, Sites, SitesHandle, TlsFiles, Upstream};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time for a first connection to an upstream, which tells an operator that it can be reached.
const REACH_LIMIT: Duration = Duration::from_secs(5);

/// Sites as the command line and a file name them.
pub struct SiteLoader<'o> {
    pub file: &'o Path,
    pub rules: &'o Rules<'o>,
    /// The certificate for hosts without one.
    pub tls: Option<TlsFiles>,
}

/// Sites that were loaded.
pub struct Loaded {
    /// The rules that all sites extend.
    pub base: Waf,
    pub sites: Sites,
    /// Sites and their upstreams.
    pub upstreams: Vec<(String, Upstream)>,
    /// The number of sites, and that of paths with rules of their own.
    sizes: (usize, usize),
    warnings: Vec<String>,
}

/// Sites that are loaded again.
pub struct LiveSites<'o> {
    pub loader: &'o SiteLoader<'o>,
    pub handle: SitesHandle,
    base: Waf,
    upstreams: Vec<(String, Upstream)>,
    files: BTreeSet<PathBuf>,
}

/// State of a load.
struct Load<'l> {
    file: SitesFile,
    rules: &'l Rules<'l>,
    files: &'l mut BTreeSet<PathBuf>,
    warnings: Vec<String>,
    /// Rules by what they inherit and change: those of many paths are the same.
    known: HashMap<String, Extended>,
}

/// Rules that extend others.
#[derive(Clone)]
struct Extended {
    waf: Waf,
    /// The number of the rules among all of the load; 0 are those that all extend.
    number: usize,
    /// Warnings for the operator.
    warnings: Vec<String>,
}

impl SiteLoader<'_> {
    /// Loads the rules and all sites. `set` adds services to the builder of the rules. All files that were read, or would have been, are added to `files`.
    pub fn load(&self, files: &mut BTreeSet<PathBuf>, set: impl FnOnce(WafBuilder) -> WafBuilder) -> Result<Loaded, Failure> {
        files.insert(self.file.to_owned());
        files.extend(self.tls.iter().flat_map(|tls| [tls.certificate.clone(), tls.key.clone()]));
        let file = SitesFile::read(self.file)?;
        let (builder, reader) = self.rules.collect()?;
        let base = set(builder).build_with(&reader).map_err(|error| unloadable(&error))?;
        let mut load = Load { file, rules: self.rules, files, warnings: Vec::new(), known: HashMap::new() };
        load.note_sources(&base);
        load.all(base, self.tls.as_ref())
    }
}

impl Load<'_> {
    fn all(mut self, base: Waf, tls: Option<&TlsFiles>) -> Result<Loaded, Failure> {
        let tables = std::mem::take(&mut self.file.sites);
        let base = Extended { waf: base, number: 0, warnings: Vec::new() };
        let (mut sites, mut upstreams, mut sizes) = (Vec::with_capacity(tables.len()), Vec::new(), (0, 0));
        for table in &tables {
            let (place, table) = (table.span(), table.get_ref());
            let Some(name) = table.hosts.first().map(|host| host.get_ref().clone()).or_else(|| table.default.then(|| "default".to_owned()))
            else {
                return Err(self.file.wrong(place, "the site has no hosts: write hosts = [\"shop.example\"], or default = true"));
            };
            let name = format!("site {name}");
            let read = |host: &toml::Spanned<String>| host.get_ref().parse().map_err(|error| self.file.wrong(host.span(), error));
            let hosts = table.hosts.iter().map(read).collect::<Result<_, _>>()?;
            let upstream: Upstream =
                table.upstream.get_ref().parse().map_err(|error: ServeError| self.file.wrong(table.upstream.span(), error))?;
            let tls =
                table.tls.as_ref().map(|tls| TlsFiles { certificate: self.file.beside(&tls.certificate), key: self.file.beside(&tls.key) });
            self.files.extend(tls.iter().flat_map(|tls| [tls.certificate.clone(), tls.key.clone()]));
            let rules = self.extend(&base, table.changes(), &name, place)?;
            let mut paths = Vec::with_capacity(table.path.len());
            for path in &table.path {
                let (place, path) = (path.span(), path.get_ref());
                let prefix = path.prefix.get_ref().parse().map_err(|error| self.file.wrong(path.prefix.span(), error))?;
                let Extended { waf, .. } =
                    self.extend(&rules, path.changes(), &format!("{name}, path {}", path.prefix.get_ref()), place)?;
                paths.push(SitePath { prefix, waf });
            }
            sizes = (sizes.0 + 1, sizes.1 + paths.len());
            upstreams.push((name, upstream.clone()));
            sites.push(Site { hosts, is_default: table.default, upstream: Some(upstream), tls, waf: rules.waf, paths });
        }
        let sites = Sites::new(sites, tls).map_err(|error| match error {
            ServeError::Site { number, reason } => {
                let place = tables.get(number).map(toml::Spanned::span).unwrap_or_default();
                let name = upstreams.get(number).map(|(name, _)| name.as_str()).unwrap_or_default();
                self.file.wrong(place, format!("{name}: {reason}"))
            }
            error => Failure::Reason(error.to_string()),
        })?;
        self.warnings.extend_from_slice(sites.warnings());
        Ok(Loaded { base: base.waf, sites, upstreams, sizes, warnings: self.warnings })
    }

    /// Returns rules with changes. Without changes they are the same, and so are those with the same changes.
    fn extend(&mut self, inherited: &Extended, changes: Changes<'_>, name: &str, place: Range<usize>) -> Result<Extended, Failure> {
        let files: Vec<PathBuf> = changes.rules.iter().map(|path| self.file.beside(path.get_ref())).collect();
        self.files.extend(files.iter().cloned());
        let (text, is_changed) = self.settings(changes)?;
        let Changes { remove_rules, remove_targets, .. } = changes;
        let key = format!("{} {text:?} {files:?} {remove_rules:?} {remove_targets:?}", inherited.number);
        let extended = match self.known.get(&key) {
            _ if !is_changed && count(&inherited.waf) >= self.rules.min_rules => Extended { warnings: Vec::new(), ..inherited.clone() },
            Some(known) => known.clone(),
            None => {
                let text_name = format!("{}, {name}", self.file.shown());
                let builder = files.iter().fold(Waf::builder().base(&inherited.waf), WafBuilder::file).rules(&text_name, &text);
                let builder = remove_rules.iter().fold(builder, |builder, rule| builder.remove_rule(*rule));
                let builder = remove_targets.iter().fold(builder, |builder, target| builder.remove_target(target.rule, &target.target));
                let waf = builder.expect_rules(self.rules.min_rules).build();
                let waf = waf.map_err(|error| self.file.wrong(place, format!("{name}: the rules do not load\n{error}")))?;
                self.note_sources(&waf);
                let known = Extended { number: self.known.len() + 1, warnings: warnings_of(&waf, &text_name), waf };
                self.known.insert(key, known.clone());
                known
            }
        };
        self.warnings.extend(extended.warnings.iter().map(|warning| format!("{name}: {warning}")));
        Ok(extended)
    }

    /// Returns the settings of a table as rules, and `true` if the table changes anything.
    fn settings(&self, changes: Changes<'_>) -> Result<(String, bool), Failure> {
        let Changes { detect_only, engine, rules, remove_rules, remove_rules_by_tag, remove_targets } = changes;
        let has_others = !(rules.is_empty() && remove_rules.is_empty() && remove_rules_by_tag.is_empty() && remove_targets.is_empty());
        let engine = engine.or(detect_only.map(|detects| if detects { Engine::DetectOnly } else { Engine::On }));
        let mut text = String::new();
        let mode = match engine {
            Some(Engine::Off) => Some("Off"),
            // The command line decides for each site that is not off, whatever a file of rules says.
            Some(_) if self.rules.detect_only => Some("DetectionOnly"),
            None if self.rules.detect_only && has_others => Some("DetectionOnly"),
            Some(Engine::On) => Some("On"),
            Some(Engine::DetectOnly) => Some("DetectionOnly"),
            None => None,
        };
        text.extend(mode.map(|mode| format!("SecRuleEngine {mode}\n")));
        for tag in remove_rules_by_tag {
            if tag.get_ref().is_empty() || tag.get_ref().contains(['"', '\\', '\n', '\r']) {
                return Err(self.file.wrong(tag.span(), "this is not a tag: write one as rules have it, such as attack-sqli"));
            }
            text += &format!("SecRuleRemoveByTag \"{}\"\n", tag.get_ref());
        }
        Ok((text, has_others || mode.is_some()))
    }

    fn note_sources(&mut self, waf: &Waf) {
        for source in &waf.report().sources {
            // Most are those of all sites.
            if !self.files.contains(Path::new(&source.name)) {
                self.files.insert(PathBuf::from(&source.name));
            }
        }
    }
}

/// Returns warnings about changes: those that remove nothing, and those that cost as much as all rules.
fn warnings_of(waf: &Waf, text_name: &str) -> Vec<String> {
    let report = waf.report();
    let own = report.located_warnings().filter(|warning| warning.file == text_name || warning.file.starts_with("WafBuilder::remove"));
    let mut warnings: Vec<String> = own.map(|warning| warning.message.to_owned()).collect();
    if !waf.is_extension() {
        let reason = "its rules share nothing with those of other sites, and are compiled and kept as a whole: SecDefaultAction, \
            SecRuleUpdateActionById and limits of patterns in its files do that, and many patterns";
        warnings.push(reason.to_owned());
    }
    warnings
}

impl Loaded {
    /// Tells what an operator should know.
    pub fn warn(&self) {
        self.warnings.iter().for_each(|warning| super::warn(warning));
    }
}

impl Display for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sites, paths) = self.sizes;
        let their = if paths == 1 { "its" } else { "their" };
        let paths = if paths > 0 { format!(", {} with rules of {their} own", super::numbered(paths, "path")) } else { String::new() };
        write!(f, "{}{paths}, on {}", super::numbered(sites, "site"), super::numbered(count(&self.base), "rule"))
    }
}

impl<'o> LiveSites<'o> {
    /// Follows sites that were loaded of files, and tells which upstreams cannot be reached.
    pub fn new(
        loader: &'o SiteLoader<'o>,
        handle: SitesHandle,
        base: Waf,
        upstreams: Vec<(String, Upstream)>,
        files: BTreeSet<PathBuf>,
    ) -> Self {
        reach(upstreams.clone());
        Self { loader, handle, base, upstreams, files }
    }
}

impl Reload for LiveSites<'_> {
    const NAME: &'static str = "sites";

    fn files(&self) -> BTreeSet<PathBuf> {
        self.files.clone()
    }

    fn reload(&mut self) -> Result<String, Failure> {
        let mut files = BTreeSet::new();
        let loaded = self.loader.load(&mut files, |builder| builder.replacing(&self.base));
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(failure) => {
                // Those of the sites that stay, and those that must change before others load.
                self.files.extend(files);
                self.loader.rules.note_failed_load(&failure);
                return Err(failure);
            }
        };
        let text = format!("loaded again: {loaded}; listen addresses stay until a restart");
        self.files = files;
        loaded.warn();
        let replaced = self.handle.replace(loaded.sites).map_err(|error| Failure::Reason(error.to_string()));
        replaced.inspect_err(|failure| self.loader.rules.note_failed_load(failure))?;
        self.base.adopt(&loaded.base);
        let known = std::mem::replace(&mut self.upstreams, loaded.upstreams);
        reach(self.upstreams.iter().filter(|upstream| !known.contains(upstream)).cloned().collect());
        Ok(text)
    }
}

/// Warns of upstreams that cannot be reached. Nothing waits for that.
pub fn reach(mut upstreams: Vec<(String, Upstream)>) {
    upstreams.dedup_by(|(_, later), (_, earlier)| later == earlier);
    for (name, upstream) in upstreams {
        tokio::spawn(async move {
            if let Err(error) = upstream.reach(REACH_LIMIT).await {
                let line = format!(
                    "{name}: the upstream {upstream} cannot be reached: {error}; its requests are answered with 502 until it can be"
                );
                super::warn(&line);
            }
        });
    }
}
