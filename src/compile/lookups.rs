//! Operators that need a transaction, and their data.

use super::context::Context;
use super::files::read_file;
use super::references::Need;
use super::scripts::{MAIN, is_lua, read_script};
#[cfg(feature = "xml-validation")]
use crate::body::xml::{Dtd, Schema};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Lookup;
use crate::operator::{BlockList, OperatorKind};
use crate::seclang::OperatorExpression;
#[cfg(feature = "xml-validation")]
use std::path::{Component, Path, PathBuf};

/// Returns the look-up of an operator, if it is one. A file that cannot be read is reported, and the rule is not built.
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
        OperatorKind::ValidateDtd | OperatorKind::ValidateSchema => return Some(xml_grammar(context, kind, written)),
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

/// Reads a DTD or a schema, and the files that it names. If it cannot be used, that is reported, and no body conforms to it.
#[cfg(feature = "xml-validation")]
fn xml_grammar(context: &mut Context<'_>, kind: OperatorKind, written: &OperatorExpression) -> Result<Lookup, ()> {
    let span = written.argument.span;
    context.references.needs.push((Need::XmlFiles(kind), written.name.as_ref().map_or(written.span, |name| name.span)));
    let (path, bytes) = read_file(context, &written.argument.node, span).ok_or(())?;
    let loader = context.loader;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let external = |name: &str| loader.read(&beside(&folder, name)?).ok();
    let (lookup, problem) = if kind == OperatorKind::ValidateDtd {
        let dtd = Dtd::parse(&bytes, &external).map(Box::new);
        let problem = dtd.as_ref().err().map(ToString::to_string);
        (Lookup::Dtd(dtd), problem)
    } else {
        let schema = Schema::parse(&bytes, &external).map(Box::new);
        let problem = schema.as_ref().err().map(ToString::to_string);
        (Lookup::Schema(schema), problem)
    };
    if let Some(problem) = problem {
        let message = format!("`@{}` rejects every body, because its file cannot be used: {problem}", kind.name());
        context.report(Diagnostic::new(Code::UselessGrammar, written.argument.span, message));
    }
    Ok(lookup)
}

#[cfg(not(feature = "xml-validation"))]
fn xml_grammar(context: &mut Context<'_>, kind: OperatorKind, written: &OperatorExpression) -> Result<Lookup, ()> {
    let span = written.name.as_ref().map_or(written.span, |name| name.span);
    let message = format!("this program was built without `@{}`", kind.name());
    context.report(Diagnostic::new(Code::UnsupportedOperator, span, message).hint("build it with the feature `xml-validation`"));
    Err(())
}

/// Returns a file in a folder or below it; `None` for other machines and other folders.
#[cfg(feature = "xml-validation")]
fn beside(folder: &Path, name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    let stays = !name.contains("://") && path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    stays.then(|| folder.join(path))
}

#[cfg(all(test, feature = "xml-validation"))]
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
