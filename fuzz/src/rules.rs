//! Rule sets.

use crate::draw::Draw;
use crate::pattern::pattern;
use crate::words::{NAMES, SOUGHT, value};
use secrule::internals::transform::Transformation;
use std::fmt::Write as _;

const SCALARS: &[&str] = &[
    "REQUEST_URI",
    "REQUEST_URI_RAW",
    "REQUEST_FILENAME",
    "REQUEST_BASENAME",
    "REQUEST_LINE",
    "REQUEST_METHOD",
    "QUERY_STRING",
    "REQUEST_BODY",
    "REQUEST_BODY_LENGTH",
    "REQBODY_PROCESSOR",
    "REQBODY_ERROR",
    "MATCHED_VAR",
    "MATCHED_VAR_NAME",
    "HIGHEST_SEVERITY",
    "RESPONSE_BODY",
    "RESPONSE_STATUS",
    "ARGS_COMBINED_SIZE",
    "FILES_COMBINED_SIZE",
    "FULL_REQUEST",
    "REMOTE_ADDR",
    "UNIQUE_ID",
    "MULTIPART_STRICT_ERROR",
    "URLENCODED_ERROR",
    "SERVER_NAME",
    "INBOUND_DATA_ERROR",
    "RULE:id",
    "RULE:msg",
    "USERID",
    "SESSIONID",
    "FULL_REQUEST_LENGTH",
    "REQBODY_ERROR_MSG",
    "MULTIPART_UNMATCHED_BOUNDARY",
];

const COLLECTIONS: &[&str] = &[
    "ARGS",
    "ARGS",
    "ARGS_NAMES",
    "ARGS_GET",
    "ARGS_GET_NAMES",
    "ARGS_POST",
    "ARGS_POST_NAMES",
    "REQUEST_HEADERS",
    "REQUEST_HEADERS_NAMES",
    "REQUEST_COOKIES",
    "REQUEST_COOKIES_NAMES",
    "FILES",
    "FILES_NAMES",
    "TX",
    "TX",
    "MATCHED_VARS",
    "MATCHED_VARS_NAMES",
    "RESPONSE_HEADERS",
    "MULTIPART_PART_HEADERS",
    "IP",
    "GLOBAL",
    "FILES_SIZES",
    "MULTIPART_FILENAME",
    "SESSION",
    "USER",
];

pub(crate) const NUMERIC: &[&str] = &["eq", "ge", "gt", "le", "lt"];
pub(crate) const TEXTUAL: &[&str] = &["contains", "beginsWith", "endsWith", "streq", "within", "containsWord", "strmatch"];
const MACROS: &[&str] = &["%{tx.a}", "%{MATCHED_VAR}", "%{tx.0}", "%{MATCHED_VAR_NAME}", "%{rule.id}", "%{ARGS.a}", "%{REQUEST_METHOD}"];
const BARE: &[&str] =
    &["detectSQLi", "detectXSS", "validateUrlEncoding", "validateUtf8Encoding", "unconditionalMatch", "noMatch", "ipMatch 192.0.2.0/24"];
pub(crate) const TAGS: &[&str] = &["one", "two", "one/two"];

/// The text of a rule set that the bytes choose.
pub fn draw_rules(draw: &mut Draw<'_>) -> String {
    let mut rules = format!("SecRuleEngine {}\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n", draw.pick(&["On", "DetectionOnly"]));
    if draw.one_in(8) {
        let _ = writeln!(rules, "SecDefaultAction \"phase:{},log,pass,t:{}\"", draw.between(1, 5), transformation(draw));
    }
    if draw.one_in(2) {
        let processor = draw.pick(&["JSON", "XML", "URLENCODED", "MULTIPART"]);
        let what = ["json", "xml", "form", "plain"][draw.below(4)];
        let _ = writeln!(
            rules,
            "SecRule REQUEST_HEADERS:Content-Type \"@contains {what}\" \"id:900,phase:1,pass,nolog,ctl:requestBodyProcessor={processor}\""
        );
    }
    let number = draw.between(1, 14);
    let phase = draw.between(1, 5);
    for id in 1..=number {
        let phase = if draw.one_in(2) { draw.between(1, 5) } else { phase };
        rules.push_str(&item(draw, id, phase));
    }
    rules.push_str("SecMarker M1\nSecMarker M2\n");
    if draw.one_in(6) {
        let _ = writeln!(rules, "SecRuleUpdateTargetById {} \"{}{}\"", draw.between(1, number), draw.pick(&["", "!"]), collection(draw));
    }
    if draw.one_in(8) {
        let _ = writeln!(rules, "SecRuleRemoveById {}", draw.between(1, number));
    }
    rules
}

fn item(draw: &mut Draw<'_>, id: usize, phase: usize) -> String {
    match draw.below(14) {
        12 | 13 => gate(draw, id, phase),
        10 => format!("SecMarker {}\n", marker(draw)),
        11 => format!("SecAction \"id:{id},phase:{phase},{}\"\n", first_actions(draw, id)),
        _ => {
            let links = if draw.one_in(4) { draw.between(1, 2) } else { 0 };
            let mut text = rule(draw);
            let _ = write!(text, " \"id:{id},phase:{phase},{},{}", first_actions(draw, id), actions(draw));
            for _ in 0..links {
                let _ = write!(text, ",chain\"\n  {} \"{}", rule(draw), actions(draw));
            }
            text + "\"\n"
        }
    }
}

/// A rule that compares or asks, tells nobody, and does little: as rule sets have them to skip what is not wanted, and to set what is not set.
fn gate(draw: &mut Draw<'_>, id: usize, phase: usize) -> String {
    let name = draw.pick(NAMES);
    let question = match draw.below(4) {
        0 => format!("SecRule &TX:{name} \"@eq {}\"", draw.below(2)),
        1 | 2 => format!("SecRule TX:{name} \"@{} {}\"", draw.pick(NUMERIC), draw.below(3)),
        _ => rule(draw),
    };
    let effect = match draw.below(4) {
        0 => assignment(draw),
        1 => format!("{},skipAfter:{}", assignment(draw), marker(draw)),
        _ => format!("skipAfter:{}", marker(draw)),
    };
    format!("{question} \"id:{id},phase:{phase},pass,nolog,{effect}\"\n")
}

fn marker(draw: &mut Draw<'_>) -> &'static str {
    draw.pick(&["M1", "M2"])
}

fn rule(draw: &mut Draw<'_>) -> String {
    let targets: Vec<_> = (0..draw.between(1, 3)).map(|_| target(draw)).collect();
    let mut targets = targets.join("|");
    if draw.one_in(5) {
        let _ = write!(targets, "|!{}", collection(draw));
    }
    let not = if draw.one_in(5) { "!" } else { "" };
    format!("SecRule {targets} \"{not}@{}\"", operator(draw))
}

fn target(draw: &mut Draw<'_>) -> String {
    match draw.below(10) {
        0..3 => draw.pick(SCALARS).to_owned(),
        3 => format!("&{}", collection(draw)),
        4 => "XML:/*".to_owned(),
        5 => format!("TX:{}", draw.pick(NAMES)),
        _ => collection(draw),
    }
}

fn collection(draw: &mut Draw<'_>) -> String {
    let collection = draw.pick(COLLECTIONS);
    match draw.below(5) {
        3 => format!("{collection}:{}", draw.pick(NAMES)),
        4 => format!("{collection}:/{}/", draw.pick(&["^a", "id", ".", "b$", "x\\.", "^[a-c]$"])),
        _ => collection.to_owned(),
    }
}

/// An operator with its argument, as a rule has it behind the `@`.
pub fn operator(draw: &mut Draw<'_>) -> String {
    match draw.below(16) {
        0..6 => format!("{} {}", if draw.one_in(8) { "rxGlobal" } else { "rx" }, pattern(draw)),
        6 | 7 => format!("pm {}", draw.texts(4, |draw| draw.pick(SOUGHT).replace(' ', "") + " ") + "abc"),
        8..11 => format!("{} {}", draw.pick(TEXTUAL), argument(draw)),
        11 | 12 => {
            let number = if draw.one_in(4) { draw.pick(MACROS) } else { draw.pick(&["0", "1", "2", "42", "-1", "ab", "5"]) };
            format!("{} {number}", draw.pick(NUMERIC))
        }
        13 => format!("validateByteRange {}", draw.pick(&["32-126", "1-255", "0-127", "9,10,13,32-126,128-255", "97,98"])),
        14 => format!("{} \\d{{16}}", draw.pick(&["verifyCC", "verifySSN", "verifyCPF"])),
        _ => draw.pick(BARE).to_owned(),
    }
}

fn argument(draw: &mut Draw<'_>) -> String {
    if draw.one_in(6) {
        draw.pick(MACROS).to_owned()
    } else {
        draw.pick(SOUGHT).to_owned() + &draw.texts(2, |draw| draw.pick(SOUGHT).to_owned())
    }
}

/// Actions that only the first rule of a chain may have.
fn first_actions(draw: &mut Draw<'_>, id: usize) -> String {
    let mut text =
        draw.pick(&["pass", "pass", "pass", "pass", "block", "deny", "allow", "allow:phase", "allow:request", "drop"]).to_owned();
    text.push_str(draw.pick(&[",log", ",nolog", ",auditlog", ",noauditlog", ""]));
    if draw.one_in(2) {
        let _ = write!(text, ",msg:'m{id} {}'", draw.pick(MACROS));
    }
    if draw.one_in(3) {
        let _ = write!(text, ",tag:'{}',severity:{}", draw.pick(TAGS), draw.below(8));
    }
    match draw.below(12) {
        9 => text + &format!(",skipAfter:{}", marker(draw)),
        10 => text + &format!(",skip:{}", draw.between(1, 3)),
        11 => text + ",status:418",
        _ => text,
    }
}

/// Actions that any rule may have.
fn actions(draw: &mut Draw<'_>) -> String {
    let mut list: Vec<String> = Vec::new();
    if draw.one_in(3) {
        list.push("t:none".to_owned());
    }
    list.extend((0..draw.below(4)).map(|_| format!("t:{}", transformation(draw))));
    if draw.one_in(6) {
        list.push("multiMatch".to_owned());
    }
    if draw.one_in(3) {
        list.push("capture".to_owned());
    }
    if draw.one_in(3) {
        list.push(format!("logdata:'{} in {}'", draw.pick(MACROS), draw.pick(MACROS)));
    }
    list.extend((0..draw.below(3)).map(|_| assignment(draw)));
    if draw.one_in(5) {
        list.push(control(draw));
    }
    if draw.one_in(12) {
        list.push(draw.pick(&["initcol:ip=%{REMOTE_ADDR}", "initcol:global=g", "setuid:%{MATCHED_VAR}", "setsid:x"]).to_owned());
    }
    if list.is_empty() { "t:none".to_owned() } else { list.join(",") }
}

/// The first few again and again, as in real rules, so that rules share what is before them.
fn transformation(draw: &mut Draw<'_>) -> &'static str {
    let usual = [Transformation::Lowercase, Transformation::UrlDecodeUni, Transformation::CompressWhitespace, Transformation::Uppercase];
    let known = if draw.one_in(2) { draw.pick(Transformation::ALL) } else { draw.pick(&usual) };
    known.name()
}

fn assignment(draw: &mut Draw<'_>) -> String {
    let collection = draw.pick(&["tx", "tx", "tx", "tx", "TX", "ip", "global"]);
    let name = draw.pick(&["a", "b", "id", "A", "score", "%{MATCHED_VAR}", "0", "x.y"]);
    let value = draw.pick(&["=+1", "=1", "=%{MATCHED_VAR}", "=ab", "=-1", "=%{tx.b}", "=+%{tx.a}", "=%{tx.1}", "=select", "="]);
    if draw.one_in(8) { format!("setvar:'!{collection}.{name}'") } else { format!("setvar:'{collection}.{name}{value}'") }
}

fn control(draw: &mut Draw<'_>) -> String {
    let id = draw.between(1, 14);
    match draw.below(10) {
        0 => format!("ctl:ruleRemoveById={id}"),
        1 => format!("ctl:ruleRemoveById={id}-{}", id + draw.below(4)),
        2 => format!("ctl:ruleRemoveByTag={}", draw.pick(TAGS)),
        3 => format!("ctl:ruleRemoveByMsg=m{id}"),
        4 | 5 => format!("ctl:ruleRemoveTargetById={id};{}", collection(draw)),
        6 => format!("ctl:ruleRemoveTargetByTag={};{}", draw.pick(TAGS), collection(draw)),
        7 => format!("ctl:ruleEngine={}", draw.pick(&["DetectionOnly", "On", "Off"])),
        8 => format!("ctl:requestBodyProcessor={}", draw.pick(&["JSON", "XML", "URLENCODED"])),
        _ => format!("ctl:requestBodyAccess={}", draw.pick(&["On", "Off"])),
    }
}

/// A text that is almost a rule file.
pub fn draw_text(draw: &mut Draw<'_>) -> String {
    let mut text = draw_rules(draw);
    for _ in 0..draw.between(0, 3) {
        let mut place = draw.below(text.len());
        while !text.is_char_boundary(place) {
            place -= 1;
        }
        text.insert_str(place, &value(draw));
    }
    text
}
