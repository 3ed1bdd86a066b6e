//! Rule sets that mean the same to ModSecurity v3: what is known to differ is left out, and so is what depends on the order of the values of a
//! collection, which v3 takes from a hash table.

use crate::draw::Draw;
use crate::pattern::shared_pattern;
use crate::rules::{NUMERIC, TAGS, TEXTUAL};
use crate::words::{NAMES, SOUGHT};
use secrule::internals::transform::Transformation;
use std::fmt::Write as _;

/// Rules with this id or a higher one look at several values: which of them matched last depends on their order.
pub const SEVERAL: usize = 500;

/// Rules with this id or a higher one tell what became of TX.
const PROBES: usize = 900;

const SCALARS: &[&str] = &[
    "REQUEST_URI",
    "REQUEST_URI_RAW",
    "REQUEST_FILENAME",
    "REQUEST_BASENAME",
    "REQUEST_LINE",
    "REQUEST_METHOD",
    "REQUEST_PROTOCOL",
    "QUERY_STRING",
    "PATH_INFO",
    "REQUEST_BODY",
    "REQUEST_BODY_LENGTH",
    "REQBODY_PROCESSOR",
    "REQBODY_ERROR",
    "REQBODY_PROCESSOR_ERROR",
    "HIGHEST_SEVERITY",
    "RESPONSE_BODY",
    "RESPONSE_STATUS",
    "RESPONSE_CONTENT_TYPE",
    "RESPONSE_CONTENT_LENGTH",
    "RESPONSE_PROTOCOL",
    "ARGS_COMBINED_SIZE",
    "FILES_COMBINED_SIZE",
    "FULL_REQUEST",
    "FULL_REQUEST_LENGTH",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "SERVER_NAME",
    "AUTH_TYPE",
    "URLENCODED_ERROR",
    "INBOUND_DATA_ERROR",
    "OUTBOUND_DATA_ERROR",
    "MULTIPART_STRICT_ERROR",
    "MULTIPART_UNMATCHED_BOUNDARY",
    "MULTIPART_DATA_AFTER",
    "MULTIPART_DATA_BEFORE",
    "MULTIPART_LF_LINE",
    "MULTIPART_INVALID_PART",
    "MULTIPART_INVALID_QUOTING",
    "MULTIPART_CRLF_LF_LINES",
    "USERID",
    "SESSIONID",
    "TX:a",
    "TX:b",
    "TX:score",
    "TX:0",
    "TX:1",
    "REQUEST_HEADERS:Host",
    "REQUEST_HEADERS:Content-Type",
    "RESPONSE_HEADERS:X-Test",
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
    "FILES_SIZES",
    "TX",
    "RESPONSE_HEADERS",
    "RESPONSE_HEADERS_NAMES",
    "MULTIPART_PART_HEADERS",
    "MULTIPART_FILENAME",
    "MULTIPART_NAME",
];

const MACROS: &[&str] = &["%{tx.a}", "%{tx.0}", "%{tx.b}", "%{REQUEST_METHOD}", "%{tx.score}"];
const BARE: &[&str] =
    &["detectSQLi", "detectXSS", "validateUrlEncoding", "validateUtf8Encoding", "unconditionalMatch", "ipMatch 192.0.2.0/24"];
const TX_NAMES: &[&str] = &["a", "b", "id", "score", "0", "1", "x.y"];

/// What makes a body JSON or XML, as the recommended configuration does it.
const PROCESSORS: [&str; 2] = [
    "SecRule REQUEST_HEADERS:Content-Type \"@contains json\" \"id:901,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"",
    "SecRule REQUEST_HEADERS:Content-Type \"@contains xml\" \"id:902,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"",
];

/// What opens persistent collections.
const OPENING: &str = "SecAction \"id:903,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},initcol:global=global\"";

/// Variables that outlive a transaction. Whole collections of them are empty in v3.
const PERSISTENT: &[&str] = &["IP:a", "IP:b", "GLOBAL:a", "&IP:a", "&GLOBAL:b"];

/// Steps that v3 takes for a change whenever they are one, as `multiMatch` asks.
const SEEN_BY_MULTI_MATCH: &[&str] = &["t:urlDecodeUni", "t:hexEncode", "t:base64Encode", "t:urlEncode", "t:removeNulls", "t:urlDecode"];

/// The directives that the bytes choose; a chain is one of them.
pub fn draw_shared_rules(draw: &mut Draw<'_>) -> Vec<String> {
    let mut rules = vec![
        format!("SecRuleEngine {}", draw.pick(&["On", "DetectionOnly", "On"])),
        format!("SecRequestBodyAccess {}", if draw.one_in(20) { "Off" } else { "On" }),
        format!("SecResponseBodyAccess {}", if draw.one_in(20) { "Off" } else { "On" }),
        format!("SecResponseBodyMimeType {}", draw.pick(&["text/html", "text/html", "text/plain text/html", "text/plain"])),
    ];
    if draw.one_in(4) {
        rules.push(limit(draw));
    }
    if draw.one_in(6) {
        let action = draw.pick(&["pass", "deny", "deny,status:404"]);
        rules.push(format!("SecDefaultAction \"phase:{},log,{action}\"", draw.between(1, 5)));
    }
    if !draw.one_in(4) {
        rules.extend(PROCESSORS.map(str::to_owned));
    }
    let persistent = draw.one_in(3);
    if persistent {
        rules.push(OPENING.to_owned());
    }
    let number = draw.between(1, 10);
    let phase = draw.between(1, 5);
    for id in 1..=number {
        let phase = if draw.one_in(2) { draw.between(1, 5) } else { phase };
        rules.push(item(draw, id, phase));
    }
    rules.extend(["SecMarker M1", "SecMarker M2"].map(str::to_owned));
    if draw.one_in(4) {
        rules.push(change(draw, number));
    }
    for (at, name) in TX_NAMES.iter().enumerate() {
        rules.push(probe(PROBES + 10 + at, &format!("TX:{name}")));
    }
    rules.push(probe(PROBES + 30, "&TX"));
    if persistent {
        rules.extend(PERSISTENT.iter().enumerate().map(|(at, target)| probe(PROBES + 40 + at, target)));
    }
    rules
}

/// A setting that cuts something off.
fn limit(draw: &mut Draw<'_>) -> String {
    let (few, many) = (draw.between(1, 4), draw.pick(&[0, 1, 10, 40, 100, 100_000]));
    let action = draw.pick(&["Reject", "ProcessPartial"]);
    match draw.below(7) {
        0 => format!("SecArgumentsLimit {few}"),
        1 => format!("SecRequestBodyLimit {many}\nSecRequestBodyLimitAction {action}"),
        2 => format!("SecRequestBodyNoFilesLimit {many}"),
        3 => format!("SecRequestBodyJsonDepthLimit {few}"),
        4 => format!("SecResponseBodyLimit {many}\nSecResponseBodyLimitAction {action}"),
        5 => format!("SecArgumentSeparator {}", draw.pick(&[";", "="])),
        _ => format!("SecRequestBodyInMemoryLimit {many}"),
    }
}

/// A directive that changes rules that were written before.
fn change(draw: &mut Draw<'_>, number: usize) -> String {
    let id = draw.between(1, number) + draw.pick(&[0, SEVERAL]);
    match draw.below(10) {
        0 | 1 => format!("SecRuleUpdateTargetById {id} \"!{}\"", collection(draw)),
        7 | 8 => format!("SecRuleUpdateActionById {id} \"{}\"", update(draw)),
        9 => format!("SecRuleUpdateTargetByMsg \"m{id}\" \"!{}\"", collection(draw)),
        2 => format!("SecRuleUpdateTargetById {} \"{}\"", SEVERAL + draw.between(1, number), collection(draw)),
        3 => format!("SecRuleUpdateTargetByTag {} \"!{}\"", draw.pick(TAGS), collection(draw)),
        4 => format!("SecRuleRemoveByTag {}", draw.pick(TAGS)),
        5 => format!("SecRuleRemoveByMsg \"m{id}\""),
        _ => format!("SecRuleRemoveById {id}"),
    }
}

/// Actions for a rule that was written before. There is a decision among them: v3 forgets the rule's own for any action.
fn update(draw: &mut Draw<'_>) -> String {
    let mut text = draw.pick(&["pass", "deny", "drop", "allow", "redirect:http://shop.example/"]).to_owned();
    for _ in 0..draw.below(3) {
        let more =
            [",log", ",nolog", ",status:404", ",t:lowercase", ",t:hexEncode", ",msg:'u'", ",severity:1", ",setvar:tx.a=+1", ",logdata:'u'"];
        text.push_str(draw.pick(&more));
    }
    text
}

fn probe(id: usize, target: &str) -> String {
    format!("SecRule {target} \"@unconditionalMatch\" \"id:{id},phase:5,pass,log,logdata:'%{{MATCHED_VAR}}'\"")
}

fn item(draw: &mut Draw<'_>, id: usize, phase: usize) -> String {
    match draw.below(12) {
        10 => format!("SecMarker {}", marker(draw)),
        11 => format!("SecAction \"id:{id},phase:{phase},pass,{},{}\"", draw.pick(&["log", "nolog"]), actions(draw, false)),
        _ => {
            let links = if draw.one_in(4) { draw.between(1, 2) } else { 0 };
            let single = draw.one_in(2);
            let id = if single { id } else { id + SEVERAL };
            if draw.one_in(10) {
                return multi_match(draw, id, phase, single);
            }
            let mut text = format!("{} \"id:{id},phase:{phase},{},{}", rule(draw, single), first_actions(draw, id), actions(draw, single));
            for _ in 0..links {
                let link = if single && draw.one_in(4) { link(draw) } else { rule(draw, single) };
                let _ = write!(text, ",chain\"\n{link} \"{}", actions(draw, single));
            }
            text + "\""
        }
    }
}

/// A rule that looks at what each step makes of a value.
fn multi_match(draw: &mut Draw<'_>, id: usize, phase: usize, single: bool) -> String {
    let steps: Vec<_> = (0..draw.between(1, 3)).map(|_| draw.pick(SEEN_BY_MULTI_MATCH)).collect();
    let more = draw.pick(&["", ",msg:'m'", ",capture", ",setvar:tx.a=+1", ",logdata:'%{MATCHED_VAR}'"]);
    let more = if single || !more.contains(['%', 'e']) { more } else { "" };
    let decision = draw.pick(&["pass", "pass", "deny", "block"]);
    format!("{} \"id:{id},phase:{phase},{decision},log,multiMatch,{}{more}\"", rule(draw, single), steps.join(","))
}

fn marker(draw: &mut Draw<'_>) -> &'static str {
    draw.pick(&["M1", "M2"])
}

fn rule(draw: &mut Draw<'_>, single: bool) -> String {
    let mut targets = if single { single_target(draw) } else { targets(draw) };
    if !single && draw.one_in(5) {
        let _ = write!(targets, "|!{}", collection(draw));
    }
    let operator = operator(draw, single);
    let not = if draw.one_in(5) && !operator.starts_with("detect") { "!" } else { "" };
    format!("SecRule {targets} \"{not}@{operator}\"")
}

/// A rule of a chain about what the rule before it found.
fn link(draw: &mut Draw<'_>) -> String {
    let targets =
        ["MATCHED_VAR", "MATCHED_VAR_NAME", "MATCHED_VARS", "MATCHED_VARS_NAMES", "&MATCHED_VARS", "RULE:id", "RULE:msg", "RULE:severity"];
    format!("SecRule {} \"@{}\"", draw.pick(&targets), operator(draw, true))
}

fn single_target(draw: &mut Draw<'_>) -> String {
    match draw.below(16) {
        0..4 => format!("&{}", collection(draw)),
        4 => draw.pick(PERSISTENT).to_owned(),
        _ => draw.pick(SCALARS).to_owned(),
    }
}

fn targets(draw: &mut Draw<'_>) -> String {
    let list: Vec<_> = (0..draw.between(1, 3)).map(|_| target(draw)).collect();
    list.join("|")
}

fn target(draw: &mut Draw<'_>) -> String {
    match draw.below(8) {
        0 => draw.pick(SCALARS).to_owned(),
        1 => draw.pick(&["XML:/*", "XML://@*", "XML:/a/c"]).to_owned(),
        _ => collection(draw),
    }
}

fn collection(draw: &mut Draw<'_>) -> String {
    let collection = draw.pick(COLLECTIONS);
    match draw.below(5) {
        3 => format!("{collection}:{}", draw.pick(&["a", "b", "id", "A", "select", "x.y", "json.a", "c"])),
        4 => format!("{collection}:/{}/", draw.pick(&["^a", "id", ".", "b$", "^[a-c]$"])),
        _ => collection.to_owned(),
    }
}

fn operator(draw: &mut Draw<'_>, single: bool) -> String {
    match draw.below(18) {
        0..5 => format!("rx {}", shared_pattern(draw)),
        5 if single => format!("rxGlobal {}", shared_pattern(draw)),
        6 | 7 => format!("pm {}", draw.texts(4, |draw| draw.pick(SOUGHT).replace(' ', "") + " ") + "abc"),
        8..11 => format!("{} {}", draw.pick(TEXTUAL), argument(draw, single)),
        11 | 12 => {
            let number = if single && draw.one_in(4) { draw.pick(MACROS) } else { draw.pick(&["0", "1", "2", "42", "-1", "5", "100"]) };
            format!("{} {number}", draw.pick(NUMERIC))
        }
        13 => format!("validateByteRange {}", draw.pick(&["32-126", "1-255", "0-127", "9,10,13,32-126,128-255", "97,98"])),
        14 => format!("{} \\d{{9,16}}", draw.pick(&["verifyCC", "verifySSN", "verifyCPF"])),
        15 => "unconditionalMatch".to_owned(),
        _ => draw.pick(BARE).to_owned(),
    }
}

/// Macros stand where a single value is looked at: what a rule sets for one value another would be compared with.
fn argument(draw: &mut Draw<'_>, single: bool) -> String {
    if single && draw.one_in(6) {
        draw.pick(MACROS).to_owned()
    } else {
        draw.pick(SOUGHT).to_owned() + &draw.texts(2, |draw| draw.pick(SOUGHT).to_owned())
    }
}

fn first_actions(draw: &mut Draw<'_>, id: usize) -> String {
    let decisions =
        ["pass", "pass", "pass", "pass", "block", "deny", "allow", "allow:phase", "allow:request", "drop", "redirect:http://shop.example/"];
    let mut text = draw.pick(&decisions).to_owned();
    text.push_str(draw.pick(&[",log", ",log", ",nolog", ",auditlog", ""]));
    if draw.one_in(2) {
        let text_behind = if draw.one_in(2) { format!(" {}", draw.pick(MACROS)) } else { String::new() };
        let _ = write!(text, ",msg:'m{id}{text_behind}'");
    }
    if draw.one_in(3) {
        let _ = write!(text, ",tag:'{}',severity:{}", draw.pick(TAGS), draw.below(8));
    }
    match draw.below(14) {
        9 => text + &format!(",skipAfter:{}", marker(draw)),
        10 => text + &format!(",skip:{}", draw.between(1, 3)),
        11 => text + ",status:418",
        _ => text,
    }
}

/// Actions that any rule may have; what takes a value from the match only where a single value can match.
fn actions(draw: &mut Draw<'_>, single: bool) -> String {
    let mut list: Vec<String> = Vec::new();
    if draw.one_in(3) {
        list.push("t:none".to_owned());
    }
    list.extend((0..draw.below(4)).map(|_| format!("t:{}", transformation(draw))));
    if single && draw.one_in(3) {
        list.push("capture".to_owned());
    }
    if single && draw.one_in(3) {
        list.push(format!("logdata:'%{{MATCHED_VAR}} in %{{MATCHED_VAR_NAME}} {}'", draw.pick(MACROS)));
    }
    list.extend((0..draw.below(3)).map(|_| assignment(draw, single)));
    if draw.one_in(6) {
        list.push(control(draw));
    }
    if single && draw.one_in(12) {
        list.push(draw.pick(&["setuid:%{REQUEST_METHOD}", "setsid:x"]).to_owned());
    }
    if list.is_empty() { "t:none".to_owned() } else { list.join(",") }
}

fn transformation(draw: &mut Draw<'_>) -> &'static str {
    use Transformation as T;
    let usual = [T::Lowercase, T::UrlDecodeUni, T::CompressWhitespace, T::Uppercase];
    match if draw.one_in(2) { draw.pick(T::ALL) } else { draw.pick(&usual) } {
        // Of a newer v3.
        T::PhpArgsNames => T::UrlDecode.name(),
        transformation => transformation.name(),
    }
}

fn assignment(draw: &mut Draw<'_>, single: bool) -> String {
    let name = draw.pick(&["a", "b", "id", "A", "score", "0", "x.y"]);
    let any = ["=+1", "=1", "=ab", "=-1"];
    let of_the_match = ["=%{MATCHED_VAR}", "=%{tx.b}", "=+%{tx.a}", "=%{tx.1}", "=select", "=%{MATCHED_VAR_NAME}", "=+%{MATCHED_VAR}", ""];
    let value = if single && draw.one_in(2) { draw.pick(&of_the_match) } else { draw.pick(&any) };
    let name = if draw.one_in(6) { draw.pick(&["ip.a", "ip.b", "global.a", "global.b"]).to_owned() } else { format!("tx.{name}") };
    if draw.one_in(8) { format!("setvar:'!{name}'") } else { format!("setvar:'{name}{value}'") }
}

fn control(draw: &mut Draw<'_>) -> String {
    let id = draw.between(1, 10) + draw.pick(&[0, SEVERAL]);
    match draw.below(9) {
        0 => format!("ctl:ruleRemoveById={id}"),
        1 => format!("ctl:ruleRemoveById={id}-{}", id + draw.below(4)),
        2 => format!("ctl:ruleRemoveByTag={}", draw.pick(TAGS)),
        3 | 4 => format!("ctl:ruleRemoveTargetById={id};{}:{}", draw.pick(&["ARGS", "REQUEST_COOKIES", "TX"]), draw.pick(&NAMES[..3])),
        5 => format!("ctl:ruleRemoveTargetByTag={};ARGS:{}", draw.pick(TAGS), draw.pick(&NAMES[..3])),
        6 => format!("ctl:ruleEngine={}", draw.pick(&["DetectionOnly", "On", "Off"])),
        7 => format!("ctl:requestBodyProcessor={}", draw.pick(&["JSON", "XML", "URLENCODED"])),
        _ => format!("ctl:requestBodyAccess={}", draw.pick(&["On", "Off"])),
    }
}
