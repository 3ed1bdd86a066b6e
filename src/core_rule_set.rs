//! The OWASP CRS: takes the folder of an installed one, gives its files in the order of loading, and the settings and selections of this project for
//! it; imports `compile` and `source`.

use crate::compile::Input;
use crate::source::{FileSystem, Loader};
use std::io;
use std::path::{Path, PathBuf};

/// Engine settings that the CRS requires, such as `SecRequestBodyAccess On`: the CRS itself sets none of them.
pub const ENGINE_SETTINGS: &str = include_str!("../crs/setup.conf");

macro_rules! subsets {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../crs/subsets/", $name, ".subset")))),+]
    };
}

/// Named selections of the CRS's rules, as `crs/README.md` specifies them: names and texts. The command reads them.
pub const SUBSETS: &[(&str, &str)] = subsets!["minimal", "sqli-xss", "api-json", "php-site", "no-response", "strict"];

/// Folders of Debian's package: files of the CRS that administrators edit, and rules.
const DEBIAN_SETTINGS: &str = "/etc/modsecurity/crs";
const DEBIAN_RULES: &str = "/usr/share/modsecurity-crs";

/// The variables in which the CRS 4, the starter rules and the CRS 3 store the paranoia level.
const PARANOIA: [&str; 4] = ["blocking_paranoia_level", "detection_paranoia_level", "paranoia_level", "executing_paranoia_level"];

/// Files of an installed OWASP CRS.
#[derive(Debug)]
pub struct CoreRuleSet {
    /// `crs-setup.conf`
    pub setup: PathBuf,
    /// Files that are loaded before the rules: plugins, and exclusions outside of the folder of rules.
    pub before: Vec<PathBuf>,
    /// `rules/*.conf`
    pub rules: Vec<PathBuf>,
    /// Files that are loaded after the rules.
    pub after: Vec<PathBuf>,
}

impl CoreRuleSet {
    /// Finds the files in a folder with `crs-setup.conf` (or `crs-setup.conf.example`), `rules/` and perhaps `plugins/`. Of Debian's package, either
    /// folder will do.
    ///
    /// # Errors
    /// `NotFound` if the setup file or the rules are missing; otherwise the error of reading the folder.
    pub fn find(folder: &Path) -> io::Result<Self> {
        let missing = |text: &str| io::Error::new(io::ErrorKind::NotFound, format!("{}: {text}", folder.display()));
        let is_debian = folder.canonicalize().is_ok_and(|path| path == Path::new(DEBIAN_RULES) || path == Path::new(DEBIAN_SETTINGS));
        let (settings, installed) = if is_debian { (Path::new(DEBIAN_SETTINGS), Path::new(DEBIAN_RULES)) } else { (folder, folder) };
        let rules = files(installed, "rules", "*.conf")?;
        if rules.is_empty() {
            return Err(missing("it holds no rules/*.conf; name the folder that holds crs-setup.conf and rules/ of the OWASP CRS"));
        }
        let setups = ["crs-setup.conf", "crs-setup.conf.example"].map(|name| settings.join(name));
        let setup = setups.into_iter().find(|path| path.is_file());
        let setup =
            setup.ok_or_else(|| missing("it holds neither crs-setup.conf nor crs-setup.conf.example, which the OWASP CRS needs"))?;
        // In other layouts these are among the rules.
        let own = |name: &str| Some(settings.join(name)).filter(|path| is_debian && path.is_file());
        let mut before = files(installed, "plugins", "*-config.conf")?;
        before.extend(files(installed, "plugins", "*-before.conf")?);
        before.extend(own("REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"));
        let mut after: Vec<_> = own("RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf").into_iter().collect();
        after.extend(files(installed, "plugins", "*-after.conf")?);
        Ok(Self { setup, before, rules, after })
    }
}

/// Returns the files of a folder that match a pattern, sorted; none if there is no such folder.
fn files(parent: &Path, folder: &str, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let folder = glob::Pattern::escape(&parent.join(folder).to_string_lossy());
    FileSystem.expand(&format!("{folder}/{pattern}"))
}

/// Returns the engine's settings for the CRS, as one input.
pub fn engine_settings() -> Input {
    Input::Text { name: "secrule/setup.conf".to_owned(), text: ENGINE_SETTINGS.to_owned() }
}

/// Returns a rule that sets the paranoia level, before the rules that read it.
pub fn paranoia(level: u8) -> String {
    let settings: Vec<String> = PARANOIA.iter().map(|name| format!("setvar:tx.{name}={level}")).collect();
    format!("SecAction \"id:11998,phase:1,pass,nolog,t:none,{}\"\n", settings.join(","))
}
