//! Finds the files of an installed OWASP CRS, and puts them in the order in which they are loaded.

use crate::compile::Input;
use crate::source::{FileSystem, Loader};
use std::io;
use std::path::{Path, PathBuf};

/// What the CRS expects of the engine, such as `SecRequestBodyAccess On`: the CRS itself sets nothing of this kind.
pub const ENGINE_SETTINGS: &str = include_str!("../crs/setup.conf");

/// Where Debian's package keeps the files of the CRS that people edit, and where it keeps the rules.
const DEBIAN_SETTINGS: &str = "/etc/modsecurity/crs";
const DEBIAN_RULES: &str = "/usr/share/modsecurity-crs";

/// The names under which the CRS 4, the starter rules and the CRS 3 keep the paranoia level.
const PARANOIA: [&str; 4] = ["blocking_paranoia_level", "detection_paranoia_level", "paranoia_level", "executing_paranoia_level"];

/// Where the files of an installed OWASP CRS are.
#[derive(Debug)]
pub struct CoreRuleSet {
    /// `crs-setup.conf`
    pub setup: PathBuf,
    /// What is loaded before the rules: plugins, and exclusions that people write elsewhere than among the rules.
    pub before: Vec<PathBuf>,
    /// `rules/*.conf`
    pub rules: Vec<PathBuf>,
    /// What is loaded after the rules.
    pub after: Vec<PathBuf>,
}

impl CoreRuleSet {
    /// Finds the files in a folder that holds `crs-setup.conf` (or `crs-setup.conf.example`), `rules/` and perhaps `plugins/`; either of the
    /// two folders of Debian's package stands for both.
    ///
    /// # Errors
    /// `NotFound` where the setup file or the rules are missing, and what reading the folder gives.
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
        // Elsewhere these are among the rules.
        let own = |name: &str| Some(settings.join(name)).filter(|path| is_debian && path.is_file());
        let mut before = files(installed, "plugins", "*-config.conf")?;
        before.extend(files(installed, "plugins", "*-before.conf")?);
        before.extend(own("REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"));
        let mut after: Vec<_> = own("RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf").into_iter().collect();
        after.extend(files(installed, "plugins", "*-after.conf")?);
        Ok(Self { setup, before, rules, after })
    }
}

/// The files of a folder that a pattern names, sorted; none where there is no such folder.
fn files(parent: &Path, folder: &str, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let folder = glob::Pattern::escape(&parent.join(folder).to_string_lossy());
    FileSystem.expand(&format!("{folder}/{pattern}"))
}

/// The engine's settings for the CRS, as one input.
pub fn engine_settings() -> Input {
    Input::Text { name: "secrule/setup.conf".to_owned(), text: ENGINE_SETTINGS.to_owned() }
}

/// A rule that sets the paranoia level, before the rules that read it.
pub fn paranoia(level: u8) -> String {
    let settings: Vec<String> = PARANOIA.iter().map(|name| format!("setvar:tx.{name}={level}")).collect();
    format!("SecAction \"id:11998,phase:1,pass,nolog,t:none,{}\"\n", settings.join(","))
}
