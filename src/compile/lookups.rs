//! Operators that transactions run, and what they look things up in.

use super::directives::Builder;
use super::load::{reason, unfetched};
use super::scripts::{MAIN, is_lua};
use crate::body::xml::{Dtd, Schema};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Lookup;
use crate::operator::{BlockList, GeoDatabase, OperatorKind};
use crate::seclang::{Argument, OperatorExpression};
use crate::source::{Sources, Span, is_remote};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// What an operator needs a directive for, wherever that stands.
#[derive(Clone, Copy)]
pub enum Need {
    /// `SecGeoLookupDb`
    GeoDatabase,
    /// `SecHttpBlKey`
    BlockListKey,
    /// `SecXmlExternalEntity On`
    XmlFiles(OperatorKind),
}

impl Builder<'_> {
    /// The look-up of an operator that is one; a file that cannot be read is reported, and the rule cannot be built.
    pub fn lookup(&mut self, kind: OperatorKind, written: &OperatorExpression, sources: &Sources) -> Option<Result<Lookup, ()>> {
        let text = written.argument.node.as_str();
        let span = written.name.as_ref().map_or(written.span, |name| name.span);
        Some(Ok(match kind {
            OperatorKind::GeoLookup => {
                self.needs.push((Need::GeoDatabase, span));
                Lookup::Place
            }
            OperatorKind::Rbl => {
                let list = BlockList::new(text);
                if list.needs_key() {
                    self.needs.push((Need::BlockListKey, span));
                }
                Lookup::BlockList(list)
            }
            OperatorKind::ValidateDtd | OperatorKind::ValidateSchema => {
                self.needs.push((Need::XmlFiles(kind), span));
                let Some((path, bytes)) = self.read_file(text, written.argument.span, sources) else { return Some(Err(())) };
                let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
                if kind == OperatorKind::ValidateDtd {
                    let dtd = Dtd::parse(&bytes, &|name| self.loader.read(&beside(&folder, name)?).ok());
                    self.report_grammar(kind, dtd.as_ref().err(), written);
                    Lookup::Dtd(dtd.map(Box::new))
                } else {
                    let schema = Schema::parse(&bytes, &|name| self.loader.read(&beside(&folder, name)?).ok());
                    self.report_grammar(kind, schema.as_ref().err(), written);
                    Lookup::Schema(schema.map(Box::new))
                }
            }
            OperatorKind::InspectFile if is_lua(text) => match self.script(text, MAIN, written.argument.span, sources) {
                Some(script) => Lookup::Script(script),
                None => return Some(Err(())),
            },
            OperatorKind::InspectFile => match self.read_file(text, written.argument.span, sources) {
                Some((path, _)) => Lookup::Program(path),
                None => return Some(Err(())),
            },
            _ => return None,
        }))
    }

    fn report_grammar(&mut self, kind: OperatorKind, problem: Option<&impl ToString>, written: &OperatorExpression) {
        if let Some(problem) = problem {
            let message =
                format!("`@{}` takes every body for invalid, since the file cannot be used: {}", kind.name(), problem.to_string());
            self.report(Diagnostic::new(Code::UselessGrammar, written.argument.span, message));
        }
    }

    /// Warns of operators that lack what they look things up in. Settings may stand behind the rules, so this comes last.
    pub fn check_needs(&mut self) {
        let settings = &self.graph.settings;
        let (database, key, files) =
            (settings.geo_database.is_some(), settings.http_blocklist_key.is_some(), settings.xml_external_entities == Some(true));
        for (need, span) in std::mem::take(&mut self.needs) {
            let (met, code, message, hint) = match need {
                Need::GeoDatabase => {
                    let message = String::from("`@geoLookup` finds nothing, since there is no database");
                    (database, Code::NothingToLookUp, message, "name a MaxMind database with SecGeoLookupDb")
                }
                Need::BlockListKey => {
                    let message = String::from("`@rbl` finds nothing, since httpbl.org answers only those who have a key");
                    (key, Code::NothingToLookUp, message, "write your key with SecHttpBlKey")
                }
                Need::XmlFiles(kind) => {
                    let message = format!("`@{}` takes every body for invalid, since it may not read its file", kind.name());
                    (files, Code::UselessGrammar, message, "write SecXmlExternalEntity On")
                }
            };
            if !met {
                self.report(Diagnostic::new(code, span, message).hint(hint));
            }
        }
    }

    /// `SecGeoLookupDb`
    pub fn geo_database(&mut self, path: &Argument, sources: &Sources) {
        match self.geo_database_at(&path.text, path.span, sources) {
            Ok(database) => self.load_settings.geo_database = Some(database),
            Err((problem, hint)) => {
                let message = format!("`{}` cannot be used: {problem}", path.text);
                self.report(Diagnostic::new(Code::BadDirectiveFile, path.span, message).hint(hint));
            }
        }
    }

    fn geo_database_at(&self, path: &str, span: Span, sources: &Sources) -> Result<Arc<GeoDatabase>, (String, String)> {
        let candidates = self.candidates(path, span, sources);
        let bytes = self.loader.read_first(&candidates).map_err(|error| (reason(&error), looked_at(&candidates)))?;
        let old = path.to_ascii_lowercase().ends_with(".dat");
        let hint = if old { "GeoIP's .dat files are no longer read: take the .mmdb of GeoLite2 or GeoIP2" } else { "take an .mmdb file" };
        GeoDatabase::shared(bytes).map_err(|error| (error.to_string(), hint.to_owned()))
    }

    /// The bytes of data that rules name by a path or an https address; what cannot be had is reported.
    pub fn read_data(&mut self, name: &str, span: Span, sources: &Sources) -> Option<Vec<u8>> {
        if !is_remote(name) {
            return self.read_file(name, span, sources).map(|(_, bytes)| bytes);
        }
        let fetched = self.loader.fetch(name, None);
        fetched.map_err(|error| self.report(unfetched(name, &error, span))).ok()
    }

    /// The first file that a path may mean, and its bytes; where there is none this is reported.
    pub fn read_file(&mut self, name: &str, span: Span, sources: &Sources) -> Option<(PathBuf, Vec<u8>)> {
        let candidates = self.candidates(name, span, sources);
        match self.loader.find_first(&candidates) {
            Ok(found) => Some(found),
            Err(error) => {
                let message = format!("`{name}` cannot be read: {}", reason(&error));
                self.report(Diagnostic::new(Code::Unreadable, span, message).hint(looked_at(&candidates)));
                None
            }
        }
    }

    fn candidates(&self, name: &str, span: Span, sources: &Sources) -> Vec<PathBuf> {
        let source = sources.find(span.source).filter(|source| source.is_file());
        self.loader.candidates(name, source.map(|source| Path::new(source.name().as_ref())))
    }
}

/// The places at which a file was looked for.
pub fn looked_at(candidates: &[PathBuf]) -> String {
    let looked: Vec<String> = candidates.iter().map(|path| format!("`{}`", path.display())).collect();
    format!("looked at {}", looked.join(" and "))
}

/// A file in a folder or below it; `None` for what leads elsewhere: other machines, other folders.
fn beside(folder: &Path, name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    let stays = !name.contains("://") && path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    stays.then(|| folder.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammars_read_files_beside_them_only() {
        let folder = Path::new("/etc/waf");
        assert_eq!(beside(folder, "parts/a.mod"), Some(PathBuf::from("/etc/waf/parts/a.mod")));
        for elsewhere in ["/etc/passwd", "../a.mod", "parts/../../a.mod", "http://example.com/a.mod", "file:///etc/passwd"] {
            assert_eq!(beside(folder, elsewhere), None, "{elsewhere}");
        }
    }
}
