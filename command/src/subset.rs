//! Selections of the OWASP CRS, as `crs/README.md` specifies them.
//!
//! Rules that are not selected are overwritten with blanks, not removed, so that messages have the line numbers of the file on the disk.

use secrule::internals::core_rule_set::SUBSETS;
use secrule::internals::seclang::{Actions, Ast, Body, Directive, Item, parse};
use secrule::internals::source::{Source, Sources};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Files that scoring requires, by the start of their names.
const BASE: [&str; 8] =
    ["REQUEST-900", "REQUEST-901", "REQUEST-905", "REQUEST-949", "REQUEST-999", "RESPONSE-959", "RESPONSE-980", "RESPONSE-999"];

/// A selection of rules.
#[derive(Debug, Default)]
pub struct Subset {
    /// Rules of level 1 to this.
    pub paranoia: Option<u8>,
    base: bool,
    files: Vec<glob::Pattern>,
    tags: Vec<String>,
    without_files: Vec<glob::Pattern>,
    without_tags: Vec<String>,
    without_ids: Vec<RangeInclusive<u64>>,
}

/// The result of a subset.
#[derive(Debug)]
pub struct Selection {
    /// The files to read, without the rules that are not selected.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// Instructions that select nothing.
    pub warnings: Vec<String>,
}

/// Matches of the instructions so far.
#[derive(Default)]
struct Seen {
    names: Vec<String>,
    tags: BTreeSet<String>,
    ids: BTreeSet<u64>,
}

impl Subset {
    /// Returns a built-in subset, or that of a file.
    pub fn find(name: &str) -> Result<Self, String> {
        if let Some((_, text)) = SUBSETS.iter().find(|(embedded, _)| *embedded == name) {
            return Self::parse(text).map_err(|problem| format!("{name}: {problem}"));
        }
        let text = std::fs::read_to_string(name).map_err(|error| {
            let known: Vec<&str> = SUBSETS.iter().map(|(name, _)| *name).collect();
            format!("there is no subset `{name}` among {}, and as a file: {error}", known.join(", "))
        })?;
        Self::parse(&text).map_err(|problem| format!("{name}: {problem}"))
    }

    /// Reads a description.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut subset = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = without_comment(line).trim();
            if !line.is_empty() {
                subset.instruction(line).map_err(|problem| format!("line {}: {problem}", number + 1))?;
            }
        }
        Ok(subset)
    }

    fn instruction(&mut self, line: &str) -> Result<(), String> {
        let (word, value) = line.split_once(char::is_whitespace).map_or((line, ""), |(word, value)| (word, value.trim()));
        match (word, value) {
            ("base", "") => self.base = true,
            ("base", _) => return Err("`base` takes no value".to_owned()),
            ("about" | "file" | "tag" | "paranoia" | "without-file" | "without-tag" | "without-id", "") => {
                return Err(format!("`{word}` needs a value"));
            }
            ("about", _) => {}
            ("file", glob) => self.files.push(pattern(glob)?),
            ("tag", tag) => self.tags.push(tag.to_owned()),
            ("paranoia", level) => {
                let level = level.parse().ok().filter(|level| (1..=4).contains(level));
                self.paranoia = Some(level.ok_or("a paranoia level is 1, 2, 3 or 4")?);
            }
            ("without-file", glob) => self.without_files.push(pattern(glob)?),
            ("without-tag", tag) => self.without_tags.push(tag.to_owned()),
            ("without-id", ids) => {
                self.without_ids.push(id_range(ids).ok_or_else(|| format!("`{ids}` is not an id or a range such as 1-9"))?)
            }
            _ => return Err(format!("unknown instruction `{word}`")),
        }
        Ok(())
    }

    /// Applies the subset to the files of a release.
    pub fn select(&self, files: Vec<(PathBuf, Vec<u8>)>) -> Selection {
        let mut seen = Seen::default();
        let mut selected = Vec::new();
        for (path, bytes) in files {
            let name = file_name(&path);
            let is_base = self.base && BASE.iter().any(|start| name.starts_with(start));
            if is_base || self.reads(&name) {
                let text = self.select_rules(&name, bytes, is_base, &mut seen);
                selected.push((path, text));
            }
            seen.names.push(name);
        }
        Selection { files: selected, warnings: self.warnings(&seen) }
    }

    fn reads(&self, name: &str) -> bool {
        let wanted = self.files.is_empty() || self.files.iter().any(|glob| glob.matches(name));
        wanted && !self.without_files.iter().any(|glob| glob.matches(name))
    }

    /// Returns a file without the rules that are not selected. A file with errors stays unchanged: loading it reports them.
    fn select_rules(&self, name: &str, bytes: Vec<u8>, is_base: bool, seen: &mut Seen) -> Vec<u8> {
        let mut sources = Sources::new();
        let parsed = sources.add_file(name, bytes.clone()).ok().and_then(|id| sources.find(id).map(|source| (source, parse(id, source))));
        let Some((source, (ast, problems))) = parsed else { return bytes };
        if !problems.is_empty() {
            return bytes;
        }
        self.blank(source, &ast, is_base, seen)
    }

    fn blank(&self, source: &Source, ast: &Ast, is_base: bool, seen: &mut Seen) -> Vec<u8> {
        let mut text = source.text().as_bytes().to_vec();
        let mut chain = None;
        let mut dropped_at = None;
        for item in &ast.items {
            let start = match item {
                Item::Blank => continue,
                Item::Comment(comment) => comment.span.start,
                Item::Directive(directive) => directive.span.start,
            };
            blank_lines(&mut text, dropped_at.take(), start);
            let Item::Directive(directive) = item else { continue };
            let Some(rule) = RuleView::of(directive) else { continue };
            let kept = chain.take().unwrap_or_else(|| self.keeps(&rule, is_base, seen));
            chain = rule.has("chain").then_some(kept);
            dropped_at = (!kept).then_some(start);
        }
        let end = text.len();
        blank_lines(&mut text, dropped_at, end);
        text
    }

    fn keeps(&self, rule: &RuleView<'_>, is_base: bool, seen: &mut Seen) -> bool {
        let id = rule.texts("id").next().and_then(|id| id.trim().parse::<u64>().ok());
        seen.ids.extend(id);
        seen.tags.extend(rule.texts("tag").map(str::to_owned));
        if id.is_some_and(|id| self.without_ids.iter().any(|range| range.contains(&id))) {
            return false;
        }
        if is_base || !rule.has_operator || rule.has("nolog") {
            return true;
        }
        let tagged = |wanted: &[String]| rule.texts("tag").any(|tag| wanted.iter().any(|wanted| wanted == tag));
        let level = rule.texts("tag").find_map(|tag| tag.strip_prefix("paranoia-level/")?.parse::<u8>().ok());
        let too_sharp = self.paranoia.zip(level).is_some_and(|(max, level)| level > max);
        (self.tags.is_empty() || tagged(&self.tags)) && !tagged(&self.without_tags) && !too_sharp
    }

    fn warnings(&self, seen: &Seen) -> Vec<String> {
        let idle_globs = self.files.iter().map(|glob| ("file", glob)).chain(self.without_files.iter().map(|glob| ("without-file", glob)));
        let idle_globs = idle_globs.filter(|(_, glob)| !seen.names.iter().any(|name| glob.matches(name)));
        let idle_tags = self.tags.iter().map(|tag| ("tag", tag)).chain(self.without_tags.iter().map(|tag| ("without-tag", tag)));
        let idle_tags = idle_tags.filter(|(_, tag)| !seen.tags.contains(*tag));
        let idle_ids = self.without_ids.iter().filter(|range| seen.ids.range((*range).clone()).next().is_none());
        let instructions = idle_globs
            .map(|(word, glob)| format!("{word} {}", glob.as_str()))
            .chain(idle_tags.map(|(word, tag)| format!("{word} {tag}")))
            .chain(idle_ids.map(|range| format!("without-id {}-{}", range.start(), range.end())));
        instructions.map(|instruction| format!("the subset's `{instruction}` matches nothing in this release")).collect()
    }
}

/// The properties of a rule that a subset tests.
struct RuleView<'a> {
    has_operator: bool,
    actions: Option<&'a Actions>,
}

impl<'a> RuleView<'a> {
    /// Returns `None` for a directive that is not a rule.
    fn of(directive: &'a Directive) -> Option<Self> {
        match &directive.body {
            Body::Rule { actions, .. } | Body::Script { actions, .. } => Some(Self { has_operator: true, actions: actions.as_ref() }),
            Body::Actions(actions) if directive.name.node.eq_ignore_ascii_case("SecAction") => {
                Some(Self { has_operator: false, actions: Some(actions) })
            }
            _ => None,
        }
    }

    fn has(&self, action: &str) -> bool {
        self.actions.is_some_and(|actions| actions.find(action).is_some())
    }

    fn texts(&self, action: &'a str) -> impl Iterator<Item = &'a str> {
        self.actions.into_iter().flat_map(|actions| &actions.list).filter(move |found| found.is(action)).map(|found| found.text())
    }
}

/// Overwrites a range with blanks, except line ends.
fn blank_lines(text: &mut [u8], from: Option<usize>, to: usize) {
    let range = from.and_then(|from| text.get_mut(from..to)).unwrap_or_default();
    range.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

fn without_comment(line: &str) -> &str {
    let starts = line.match_indices('#').map(|(at, _)| at);
    let comment = starts.into_iter().find(|at| line.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t'])));
    comment.and_then(|at| line.get(..at)).unwrap_or(line)
}

fn pattern(text: &str) -> Result<glob::Pattern, String> {
    glob::Pattern::new(text).map_err(|error| format!("`{text}` is not a file pattern: {}", error.msg))
}

fn id_range(text: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(first..=last)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "\
SecMarker BEGIN
SecRule TX:DETECTION_PARANOIA_LEVEL \"@lt 2\" \"id:20,phase:1,pass,nolog,skipAfter:END\"
SecRule ARGS \"@rx a\" \\
    \"id:21,phase:2,block,\\
    tag:'attack-x',tag:'paranoia-level/1',\\
    chain\"
    SecRule ARGS \"@rx b\" \"t:none\"
# about the next
SecRule ARGS \"@rx c\" \"id:22,phase:2,block,tag:'attack-y',tag:'paranoia-level/2'\"
SecAction \"id:23,phase:1,pass,nolog\"
SecMarker END
";

    fn selected(description: &str) -> String {
        let files = vec![(PathBuf::from("rules/REQUEST-910-A.conf"), RULES.as_bytes().to_vec())];
        let selection = Subset::parse(description).unwrap().select(files);
        let text = selection.files.into_iter().map(|(_, text)| String::from_utf8(text).unwrap()).collect::<String>();
        assert!(text.is_empty() || text.lines().count() == RULES.lines().count());
        let ids = ["20", "21", "@rx b", "22", "23", "END"].iter().filter(|part| text.contains(**part));
        ids.copied().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn no_instruction_selects_everything() {
        assert_eq!(selected("about everything"), "20 21 @rx b 22 23 END");
    }

    #[test]
    fn a_level_takes_the_sharper_rules_away() {
        assert_eq!(selected("paranoia 1"), "20 21 @rx b 23 END");
    }

    #[test]
    fn a_chain_goes_as_one_and_what_prepares_stays() {
        assert_eq!(selected("tag attack-y"), "20 22 23 END");
        assert_eq!(selected("without-tag attack-x"), "20 22 23 END");
    }

    #[test]
    fn ids_are_taken_out_wherever_they_are() {
        assert_eq!(selected("without-id 20-21 # a range\nwithout-id 23"), "22 END");
    }

    #[test]
    fn a_file_that_is_not_selected_is_not_read() {
        assert_eq!(selected("file REQUEST-94?-*.conf"), "");
        assert_eq!(selected("without-file *-910-*"), "");
    }

    #[test]
    fn a_line_keeps_its_number() {
        let files = vec![(PathBuf::from("REQUEST-910-A.conf"), RULES.as_bytes().to_vec())];
        let selection = Subset::parse("tag attack-y").unwrap().select(files);
        let text = String::from_utf8(selection.files[0].1.clone()).unwrap();
        assert_eq!(text.lines().position(|line| line.contains("id:22")), RULES.lines().position(|line| line.contains("id:22")));
    }

    #[test]
    fn instructions_that_match_nothing_are_warned_about() {
        let files = vec![(PathBuf::from("REQUEST-910-A.conf"), RULES.as_bytes().to_vec())];
        let subset = Subset::parse("file *\nfile X\ntag attack-x\ntag z\nwithout-id 7").unwrap();
        assert_eq!(subset.select(files).warnings.len(), 3);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, problem) in [
            ("base\nfiles x", "line 2: unknown instruction `files`"),
            ("tag", "line 1: `tag` needs a value"),
            ("paranoia 5", "line 1: a paranoia level is 1, 2, 3 or 4"),
        ] {
            assert_eq!(Subset::parse(text).unwrap_err(), problem);
        }
    }

    #[test]
    fn every_embedded_subset_is_understood() {
        for (name, _) in SUBSETS {
            Subset::find(name).unwrap();
        }
    }
}
