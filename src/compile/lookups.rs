//! Operators that transactions run, and their data.

use super::context::Context;
use super::files::read_file;
use super::references::Need;
use super::scripts::{MAIN, is_lua, read_script};
use crate::body::xml::{Dtd, Schema};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Lookup;
use crate::operator::{BlockList, OperatorKind};
use crate::seclang::OperatorExpression;
use std::path::{Component, Path, PathBuf};

/// Returns the look-up of an operator that is one; reports a file that cannot be read, and the rule cannot be built then.
pub fn read_lookup(context: &mut Context<'_>, kind: OperatorKind, written: &OperatorExpression) -> Option<Result<Lookup, ()>> {
    let text = written.argument.node.as_str();
    let span = written.name.as_ref().map_or(written.span, |name| name.span);
    Some(Ok(match kind {
        OperatorKind::GeoLookup => {
            context.references.needs.push((Need::GeoDatabase, span));
            Lookup::Place
        }
        OperatorKind::Rbl => {
            let list = BlockList::new(text);
            if list.needs_key() {
                context.references.needs.push((Need::BlockListKey, span));
            }
            Lookup::BlockList(list)
        }
        OperatorKind::ValidateDtd | OperatorKind::ValidateSchema => {
            context.references.needs.push((Need::XmlFiles(kind), span));
            let Some((path, bytes)) = read_file(context, text, written.argument.span) else { return Some(Err(())) };
            let loader = context.loader;
            let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
            if kind == OperatorKind::ValidateDtd {
                let dtd = Dtd::parse(&bytes, &|name| loader.read(&beside(&folder, name)?).ok());
                report_grammar(context, kind, dtd.as_ref().err(), written);
                Lookup::Dtd(dtd.map(Box::new))
            } else {
                let schema = Schema::parse(&bytes, &|name| loader.read(&beside(&folder, name)?).ok());
                report_grammar(context, kind, schema.as_ref().err(), written);
                Lookup::Schema(schema.map(Box::new))
            }
        }
        OperatorKind::InspectFile if is_lua(text) => match read_script(context, text, MAIN, written.argument.span) {
            Some(script) => Lookup::Script(script),
            None => return Some(Err(())),
        },
        OperatorKind::InspectFile => match read_file(context, text, written.argument.span) {
            Some((path, _)) => Lookup::Program(path),
            None => return Some(Err(())),
        },
        _ => return None,
    }))
}

fn report_grammar(context: &mut Context<'_>, kind: OperatorKind, problem: Option<&impl ToString>, written: &OperatorExpression) {
    if let Some(problem) = problem {
        let message = format!("`@{}` rejects every body, because its file cannot be used: {}", kind.name(), problem.to_string());
        context.report(Diagnostic::new(Code::UselessGrammar, written.argument.span, message));
    }
}

/// Returns a file in a folder or below it; `None` for other machines and other folders.
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
