//! Where we are known to differ from ModSecurity v3, each with its reason; `DIFFERENCES.md` tells users of them.

use crate::differential::Scenario;

/// A difference that is meant to be.
#[derive(Debug)]
pub struct Difference {
    /// What differs, in a few words.
    pub name: &'static str,
    /// Why ours stays as it is.
    pub reason: &'static str,
    applies: fn(&Case<'_>) -> bool,
}

/// A reduced scenario and what was said of it.
struct Case<'a> {
    rules: String,
    scenario: &'a Scenario,
    ours: &'a str,
    theirs: &'a str,
}

/// The first difference that explains a reduced scenario.
pub fn known(scenario: &Scenario, ours: &str, theirs: &str) -> Option<&'static Difference> {
    let case = Case { rules: scenario.rules.join("\n"), scenario, ours, theirs };
    DIFFERENCES.iter().find(|difference| (difference.applies)(&case))
}

impl Case<'_> {
    fn has_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.rules.contains(word))
    }

    fn has_step(&self, names: &[&str]) -> bool {
        let mut steps = self.rules.split([',', '"', '\n']).filter_map(|action| action.strip_prefix("t:"));
        steps.any(|step| names.contains(&step))
    }

    fn is_multipart(&self) -> bool {
        self.scenario.requests().iter().any(|request| request.content_type.starts_with("multipart/"))
    }

    /// The actions of updates, one by one.
    fn updates(&self) -> impl Iterator<Item = &str> {
        let updates = self.rules.lines().filter(|line| line.starts_with("SecRuleUpdateActionById"));
        updates.flat_map(|line| line.split([',', '"', ' ']))
    }

    fn has_lines_in_parts(&self) -> bool {
        let parts = self.scenario.request.body.split("--b");
        let mut values = parts.filter_map(|part| part.split_once("\r\n\r\n")).map(|(_, value)| value.trim_end_matches("\r\n"));
        values.any(|value| value.contains(['\r', '\n']))
    }

    fn rules_compare_with_macros(&self) -> bool {
        self.rules.split('"').any(|part| part.trim_start_matches('!').starts_with('@') && part.contains("%{"))
    }
}

fn has_number_beyond_32_bits(text: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_digit())
        .any(|digits| digits.parse::<i64>().map_or(digits.len() > 18, |number| i32::try_from(number).is_err()))
}

/// The status, and the rules that matched.
fn ids(told: &str) -> Vec<&str> {
    told.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect()
}

/// What was told, without the texts that rules have for it.
fn without_texts(told: &str) -> String {
    told.lines().map(|line| line.split_once(" [rev \"").map_or(line, |(before, _)| before).to_owned() + "\n").collect()
}

/// What was told, without the parameters of operators.
fn without_parameters(told: &str) -> String {
    let parts = told.split("' with parameter `");
    parts.map(|part| part.split_once("' against variable ").map_or(part, |(_, behind)| behind)).collect()
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "SecRequestBodyInMemoryLimit",
        reason: "v3 refuses it; ours warns, since rule files of v2 hold it",
        applies: |case| case.has_any(&["SecRequestBodyInMemoryLimit"]),
    },
    Difference {
        name: "arguments after `#`",
        reason: "v3 ends the query there; ours reads on as well, as servers in Go do",
        applies: |case| case.has_any(&["ARGS"]) && case.scenario.requests().iter().any(|request| request.target.contains('#')),
    },
    Difference {
        name: "transformations with faults",
        reason: "v3 goes wrong at NUL bytes, prefixes of entities, tails and mixed separators; ours does as documented",
        applies: |case| case.has_step(&["cssDecode", "htmlEntityDecode", "sqlHexDecode", "normalizePathWin", "normalisePathWin"]),
    },
    Difference {
        name: "base64DecodeExt",
        reason: "ours takes the URL-safe alphabet, too",
        applies: |case| case.has_step(&["base64DecodeExt"]),
    },
    Difference {
        name: "utf8toUnicode",
        reason: "v3 drops NUL and characters that are cut off; ours keeps them",
        applies: |case| case.has_step(&["utf8toUnicode"]),
    },
    Difference {
        name: "no-break spaces in compressWhitespace",
        reason: "they are white space here, as in v2",
        applies: |case| case.has_step(&["compressWhitespace"]) && format!("{:?}", case.scenario).contains("a0"),
    },
    Difference {
        name: "MATCHED_VAR of rules before",
        reason: "v3 keeps it until a rule does not match, before its pull request 3422; ours forgets it with the chain",
        applies: |case| case.has_any(&["MATCHED_VAR"]) && case.rules.matches("Sec").count() > 1,
    },
    Difference {
        name: "RULE in the texts of the rule",
        reason: "it is empty in v3; ours shows the rule's own",
        applies: |case| case.has_any(&["%{rule."]) && ids(case.ours) == ids(case.theirs),
    },
    Difference {
        name: "skip and skipAfter beyond their phase",
        reason: "they end with the phase here, as in v2",
        applies: |case| {
            case.has_any(&["skip"]) && case.has_any(&["phase:1"]) && case.has_any(&["phase:2", "phase:3", "phase:4", "phase:5"])
        },
    },
    Difference {
        name: "collections that a chain opens and uses",
        reason: "v3 opens them when the chain matches, behind setvar; ours where it is written",
        applies: |case| case.has_any(&["initcol:", "setuid:", "setsid:", "setrsc:"]),
    },
    Difference {
        name: "ctl removals of actions, and of targets of chains",
        reason: "v3 leaves actions with the id, and chained rules; ours removes both",
        applies: |case| {
            case.has_any(&["ctl:ruleRemoveById"]) && case.has_any(&["SecAction"])
                || case.has_any(&["ctl:ruleRemoveTargetBy"]) && case.has_any(&["chain"])
        },
    },
    Difference {
        name: "REQUEST_BODY of XML",
        reason: "ours is empty, as in v2: rules that look at both would take names of elements for content",
        applies: |case| case.has_any(&["requestBodyProcessor=XML"]) && case.has_any(&["REQUEST_BODY"]),
    },
    Difference {
        name: "message of a negated @detectSQLi or @detectXSS",
        reason: "v3 says that it detected what it did not",
        applies: |case| case.has_any(&["!@detect"]) && case.theirs.contains("detected") && !case.ours.contains("detected"),
    },
    Difference {
        name: "parameter of macros in the log",
        reason: "v3 shows the parameter of an operator as if its macros were empty; ours shows what was compared",
        applies: |case| case.rules_compare_with_macros() && without_parameters(case.ours) == without_parameters(case.theirs),
    },
    Difference {
        name: "lines in multipart",
        reason: "v3 drops the line breaks of values, and keeps those of part headers",
        applies: |case| case.is_multipart() && (case.has_any(&["MULTIPART_PART_HEADERS"]) || case.has_lines_in_parts()),
    },
    Difference {
        name: "names of parts with faults",
        reason: "v3 lists the names of parts that it then refuses; ours lists parts that it could read, and the flags tell of the others",
        applies: |case| case.is_multipart() && case.has_any(&["MULTIPART_NAME", "MULTIPART_FILENAME"]),
    },
    Difference {
        name: "numbers of more than 32 bits",
        reason: "v3 takes them for 0 or wraps them; ours counts to 64 bits and stays there",
        applies: |case| case.has_any(&["=+", "=-", "@eq"]) && has_number_beyond_32_bits(case.ours),
    },
    Difference {
        name: "empty matches of @rxGlobal",
        reason: "v3 captures some of them twice, as it looks again from where it began",
        applies: |case| case.has_any(&["@rxGlobal"]) && case.has_any(&["capture"]),
    },
    Difference {
        name: "what @pm captures",
        reason: "v3 captures the beginning of another word where a word ends it; ours captures the word that was found",
        applies: |case| case.has_any(&["@pm "]) && case.has_any(&["capture"]),
    },
    Difference {
        name: "patterns in SecRuleUpdateTargetById",
        reason: "v3 takes away single values and counts, too, whose own name the pattern finds; ours looks at keys",
        applies: |case| case.rules.lines().any(|line| line.starts_with("SecRuleUpdateTarget") && line.ends_with("/\"")),
    },
    Difference {
        name: "a body processor that is chosen again",
        reason: "v3 still reads a body as JSON or XML when another rule chooses URLENCODED; here the last one wins",
        applies: |case| {
            case.has_any(&["requestBodyProcessor=URLENCODED"]) && case.has_any(&["requestBodyProcessor=JSON", "requestBodyProcessor=XML"])
        },
    },
    Difference {
        name: "MULTIPART_STRICT_ERROR",
        reason: "v3 leaves it unset for some errors; ours sets it for each",
        applies: |case| case.is_multipart() && case.has_any(&["MULTIPART_STRICT_ERROR"]),
    },
    Difference {
        name: "XML that breaks off",
        reason: "v3 shows the part before the error; ours selects nothing from a broken document, and the flags tell of it",
        applies: |case| case.scenario.request.content_type == "text/xml" && case.has_any(&["XML:"]) && case.has_any(&["ProcessPartial"]),
    },
    Difference {
        name: "order of MATCHED_VARS",
        reason: "v3 takes them from a hash table, ours as they matched",
        applies: |case| case.has_any(&["SecRule MATCHED_VARS"]) && ids(case.ours) == ids(case.theirs),
    },
    Difference {
        name: "order of headers in FULL_REQUEST",
        reason: "v3 has them in the order of a hash table, ours as they arrived",
        applies: |case| case.has_any(&["FULL_REQUEST"]),
    },
    Difference {
        name: "addresses before a NUL byte",
        reason: "v3 reads them to the first NUL byte; ours looks at all bytes of a value",
        applies: |case| case.has_any(&["@ipMatch"]) && format!("{:?}", case.scenario).contains("%00"),
    },
    Difference {
        name: "what @verifyCC and its kin capture of several numbers",
        reason: "v3 looks for all from each place on, ours takes the first that is one",
        applies: |case| case.has_any(&["@verify"]) && case.has_any(&["capture"]) && ids(case.ours) == ids(case.theirs),
    },
    Difference {
        name: "pieces of a body behind its limit",
        reason: "v3 takes later ones in where they fit; ours ends where the limit is",
        applies: |case| {
            case.scenario.requests().iter().any(|request| request.pieces > 1)
                && case.has_any(&["SecRequestBodyLimit", "SecResponseBodyLimit"])
        },
    },
    Difference {
        name: "log and nolog in SecRuleUpdateActionById",
        reason: "v3 takes them and does not follow them",
        applies: |case| case.updates().any(|action| matches!(action, "log" | "nolog")),
    },
    Difference {
        name: "texts of a decision from SecRuleUpdateActionById",
        reason: "v3 decides before it puts message, data, severity and tags into the line; ours tells them as of every decision",
        applies: |case| case.updates().next().is_some() && without_texts(case.ours) == without_texts(case.theirs),
    },
    Difference {
        name: "order of actions from SecRuleUpdateActionById",
        reason: "v3 follows them before those of the rule, and a status behind redirect answers with it; ours follows them in the place of the rule's own",
        applies: |case| case.updates().next().is_some() && case.has_any(&["ctl:ruleEngine", "status:"]),
    },
    Difference {
        name: "case of names in ctl:ruleRemoveTargetBy…",
        reason: "v3 compares them as they are, and those of !ARGS:a without case; ours compares both without case",
        applies: |case| case.has_any(&["ctl:ruleRemoveTargetBy"]) && ids(case.theirs.trim()).len() > ids(case.ours.trim()).len(),
    },
    Difference {
        name: "a pattern that does not compile",
        reason: "v3 loads it and never matches it; a rule that cannot work must not look as if it did",
        applies: |case| case.ours.starts_with("refused: E") && case.ours.contains("pattern"),
    },
];
