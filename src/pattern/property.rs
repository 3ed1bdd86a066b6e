//! Unicode properties by the names of PCRE2: `\p{Lu}`, `\p{Greek}`, `\p{^L}`, `\p{Xwd}`.

use super::code_set::{CodeSet, Mode};
use super::error::PatternError;
use regex_syntax::hir::{Class, ClassUnicode, HirKind};

/// Properties of PCRE's own, as classes of the tables.
const OWN: [(&str, &str); 7] = [
    ("any", r"[\x{0}-\x{10FFFF}]"),
    ("l&", r"[\p{Lu}\p{Ll}\p{Lt}]"),
    ("lc", r"[\p{Lu}\p{Ll}\p{Lt}]"),
    ("xan", r"[\p{L}\p{N}]"),
    ("xwd", r"[\p{L}\p{N}_]"),
    ("xsp", r"[\p{Z}\x{9}-\x{D}\x{85}]"),
    ("xps", r"[\p{Z}\x{9}-\x{D}\x{85}]"),
];

/// Characters of a universal character name in C: `$`, `@`, `` ` `` and those of higher codes.
const UNIVERSAL: &str = r"[$@`\x{A0}-\x{D7FF}\x{E000}-\x{10FFFF}]";

/// Returns the characters with the property of this name, as written between the braces.
pub(super) fn property(mode: Mode, name: &[u8], at: usize) -> Result<CodeSet, PatternError> {
    let unknown = || PatternError::new(r"unknown property after `\P` or `\p`", at);
    let name = std::str::from_utf8(name).map_err(|_| unknown())?;
    let (negated, name) = name.trim_start().strip_prefix('^').map_or((false, name), |name| (true, name));
    // Case, blanks, hyphens and underscores are ignored.
    let plain: String = name.chars().filter(|char| !matches!(char, ' ' | '-' | '_' | '\t')).map(|char| char.to_ascii_lowercase()).collect();
    let own = OWN.iter().find(|(own, _)| *own == plain).map(|(_, class)| (*class).to_owned());
    let own = own.or_else(|| (plain == "xuc").then(|| UNIVERSAL.to_owned()));
    let chars = match own {
        Some(class) => class_of(&class),
        None => named(&plain),
    };
    let set = CodeSet::of_chars(mode, chars.ok_or_else(unknown)?);
    Ok(if negated { set.complement() } else { set })
}

/// Returns a class by one of the names above, for the escapes and POSIX names that follow Unicode with `(*UCP)`.
pub(super) fn known(mode: Mode, class: &str) -> CodeSet {
    class_of(class).map_or_else(|| CodeSet::empty(mode), |chars| CodeSet::of_chars(mode, chars))
}

/// Returns the class of a general category by one or two letters, of a script, or of a binary property. A script name alone means its script
/// extensions.
fn named(name: &str) -> Option<ClassUnicode> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'=')) {
        return None;
    }
    let class = |query: &str| class_of(&format!(r"\p{{{query}}}"));
    match name.split_once([':', '=']) {
        Some(("script" | "sc", script)) => class(&format!("sc={script}")),
        Some(("scriptextensions" | "scx", script)) => class(&format!("scx={script}")),
        Some(_) => None,
        None if name.len() <= 2 => class(&format!("gc={name}")).or_else(|| class(name)),
        // Categories have no long names in PCRE.
        None => class(&format!("scx={name}")).or_else(|| class(name).filter(|_| class(&format!("gc={name}")).is_none())),
    }
}

fn class_of(text: &str) -> Option<ClassUnicode> {
    match regex_syntax::parse(text).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(chars)) => Some(chars),
        // A class of one character becomes a literal.
        HirKind::Literal(literal) => {
            let mut chars = std::str::from_utf8(&literal.0).ok()?.chars();
            let (only, None) = (chars.next()?, chars.next()) else { return None };
            Some(ClassUnicode::new([regex_syntax::hir::ClassUnicodeRange::new(only, only)]))
        }
        _ => None,
    }
}
