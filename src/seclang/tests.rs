use super::*;
use crate::source::Sources;

fn parse_text(text: &str) -> (Ast, Vec<String>) {
    let mut sources = Sources::new();
    let id = sources.add_text("rules", text).unwrap();
    let (ast, diagnostics) = parse(id, sources.find(id).unwrap());
    (ast, diagnostics.iter().map(|diagnostic| diagnostic.render(&sources)).collect())
}

fn only_directive(text: &str) -> Directive {
    let (ast, errors) = parse_text(text);
    assert_eq!(errors, [""; 0]);
    ast.directives().next().unwrap().clone()
}

fn rule(text: &str) -> (Targets, OperatorExpression, Actions) {
    match only_directive(text).body {
        Body::Rule { targets, operator, actions } => (targets, operator, actions.unwrap()),
        other => panic!("no rule: {other:?}"),
    }
}

#[test]
fn a_rule_has_targets_operator_and_actions() {
    let (targets, operator, actions) = rule("SecRule ARGS|!ARGS:x|&REQUEST_HEADERS:Host \"!@rx ^a b\" \"id:1, deny ,msg:'it\\'s, ok'\"");
    let modes: Vec<_> = targets.list.iter().map(|target| (target.mode, target.variable.node.as_str())).collect();
    assert_eq!(modes, [(TargetMode::Values, "ARGS"), (TargetMode::Exclude, "ARGS"), (TargetMode::Count, "REQUEST_HEADERS")]);
    assert!(operator.negated);
    assert_eq!((operator.name.unwrap().node.as_str(), operator.argument.node.as_str()), ("rx", "^a b"));
    let actions: Vec<_> = actions.list.iter().map(|action| (action.name.node.as_str(), action.text())).collect();
    assert_eq!(actions, [("id", "1"), ("deny", ""), ("msg", "it's, ok")]);
}

#[test]
fn selectors_are_keys_patterns_or_paths() {
    let (targets, ..) = rule("SecRule ARGS:/a\\/b/|TX:'/x|y z/'|XML:/a[b|c]/@*|ARGS:k.e-y[0] \"@rx a\" \"id:1\"");
    let selectors: Vec<_> = targets.list.into_iter().map(|target| target.selector.unwrap().node).collect();
    let pattern = |source: &str, quoted| SelectorExpression::Pattern { source: source.to_owned(), quoted };
    assert_eq!(selectors[0], pattern("a\\/b", false));
    assert_eq!(selectors[1], pattern("x|y z", true));
    assert_eq!(selectors[2], SelectorExpression::XPath("/a[b|c]/@*".to_owned()));
    assert_eq!(selectors[3], SelectorExpression::Key("k.e-y[0]".to_owned()));
}

#[test]
fn an_operator_without_a_name_is_a_regular_expression() {
    let (_, operator, _) = rule("SecRule ARGS ^a@b id:1");
    assert_eq!((operator.name, operator.argument.node.as_str()), (None, "^a@b"));
}

#[test]
fn the_argument_of_an_operator_begins_behind_one_blank() {
    let argument = |text: &str| rule(text).1.argument.node;
    assert_eq!(argument("SecRule ARGS \"@streq  a \" id:1"), " a ");
    assert_eq!(argument("SecRule ARGS \" !@streq a\" id:1"), "a");
}

#[test]
fn quotes_are_escaped_by_a_backslash_and_pairs_stay() {
    let (_, operator, _) = rule(r#"SecRule ARGS "@rx a\"b\\" "id:1""#);
    assert_eq!(operator.argument.node, r#"a"b\\"#);
}

#[test]
fn lines_go_on_behind_a_backslash() {
    let (_, _, actions) = rule("SecRule ARGS \\\n  \"@rx a\" \\\r\n  \"id:1,\\\n   deny\"");
    assert_eq!(actions.list.len(), 2);
}

#[test]
fn a_comment_swallows_the_rest_of_a_directive_but_no_other_line() {
    let (ast, errors) = parse_text("#SecRule ARGS \\\n  \"@rx a\"\n# a path: C:\\\nSecRuleEngine On # really\n");
    assert_eq!(errors, [""; 0]);
    let names: Vec<_> = ast.directives().map(|directive| directive.name.node.as_str()).collect();
    assert_eq!(names, ["SecRuleEngine"]);
}

#[test]
fn every_bad_line_is_reported_with_its_place() {
    let (ast, errors) = parse_text("SecRule ARGS \"@rx a\nSecRule |A \"@rx a\"\nSecRuleEngine On\nSecAction \"id:1,,pass\"\nSecRule\n");
    assert_eq!(ast.directives().count(), 1);
    let heads: Vec<_> = errors.iter().map(|error| error.lines().take(2).collect::<Vec<_>>().join("")).collect();
    assert_eq!(
        heads,
        [
            "error[E101]: this \" is never closed --> rules:1:14",
            "error[E102]: expected a variable --> rules:2:9",
            "error[E102]: expected an action --> rules:4:17",
            "error[E103]: `SecRule` needs targets, such as ARGS --> rules:5:8",
        ]
    );
}

#[test]
fn a_directive_that_breaks_off_is_reported_at_its_end() {
    let (_, errors) = parse_text("SecRule ARGS");
    assert!(errors[0].starts_with("error[E103]: `SecRule` needs an operator, such as \"@rx ^a\"\n --> rules:1:13\n"), "{}", errors[0]);
}

#[test]
fn printing_and_parsing_again_gives_the_same_tree() {
    let text = "# note\n\nSecRule ARGS:'/a|b/'|!ARGS:x \"!@rx a\\\"b\\\\\" \"id:1,phase:2,deny,msg:'it\\'s \\\"so\\\"',setvar:tx.a='b,c'\"\n\
                SecRuleUpdateTargetById 1 \"!ARGS:y\"\nSecMarker END\nSecRule XML:/* ^x$ id:2,pass\n";
    let (ast, errors) = parse_text(text);
    assert_eq!(errors, [""; 0]);
    let printed = print(&ast);
    let (again, errors) = parse_text(&printed);
    assert_eq!(errors, [""; 0], "{printed}");
    assert_eq!(print(&again), printed);
    let (_, operator, actions) =
        rule(printed.lines().skip_while(|line| !line.starts_with("SecRule")).take(6).collect::<Vec<_>>().join("\n").as_str());
    assert_eq!(operator.argument.node, "a\"b\\\\");
    assert_eq!(actions.find("msg").unwrap().text(), "it's \"so\"");
}

#[test]
fn what_stands_in_no_quotes_is_printed_without() {
    for text in [
        r"SecRule ARGS:a\'b ^x",
        r#"SecRule "ARGS:a b\'c" ^x"#,
        r#"SecRule 'XML:/a[@b="c d"]' ^x"#,
        r"SecRule ARGS a\ id:1,msg:b\ #",
        r#"SecRule ARGS a\"b id:1"#,
        r#"SecRule ARGS 'a\"b c'"#,
        r#"SecRule ARGS:"a\TX:'0,TX:\ /a b/' ^x"#,
        "SecRule ARGS|!S:TX:'/a SecMarker |!S:TX:'/a Se",
        "SecRule ARGS:/x|TX:'a/' ^x",
        "SecRule 'ARGS:a' TX:'a b",
        "SecMarker ''a'",
        "SecMarker 'a #b'c",
        "SecMarker a\\\\\n\n",
        "SecMarker a\\ #",
        "SecMarker a \r #",
        "SecMarker TX:'/a b\\\\ ",
        "SecMarker TX:'/a b\\ \\\n\n",
    ] {
        let (ast, errors) = parse_text(text);
        assert_eq!(errors, [""; 0], "{text}");
        let printed = print(&ast);
        let (again, errors) = parse_text(&printed);
        assert_eq!(errors, [""; 0], "{printed}");
        assert_eq!(meaning(&again), meaning(&ast), "{printed}");
    }
}

/// Returns the directives without their places, and without the target lists as written.
fn meaning(ast: &Ast) -> Vec<String> {
    let shown: Vec<String> = ast.directives().map(|directive| format!("{directive:#?}")).collect();
    let places = ["source: SourceId(", "0,", "start: ", "end: ", "written: "];
    let lines = shown.iter().flat_map(|shown| shown.lines()).map(str::trim);
    lines.filter(|line| !places.iter().any(|place| line.starts_with(place))).map(str::to_owned).collect()
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\PC|\n|\\\\\n|\"|'|SecRule |SecAction |ARGS|:/|@rx |\\|){0,60}") {
        let (ast, _) = parse_text(&text.replace('\0', ""));
        let printed = print(&ast);
        let _ = parse_text(&printed);
    }

    #[test]
    fn what_is_printed_is_read_again(
        text in "(SecRule |SecAction |SecMarker )(ARGS|XML|:|/|a|'|\"|\\||,| |\\\\\n|\n|@rx |!|&|id:1|=|x:'|#|\\.){0,14}(\n|\")"
    ) {
        let (ast, errors) = parse_text(&text);
        if errors.is_empty() {
            let printed = print(&ast);
            let (again, errors) = parse_text(&printed);
            assert_eq!(errors, [""; 0], "{printed}");
            assert_eq!(again.directives().count(), ast.directives().count());
            assert_eq!(print(&again), printed);
        }
    }
}
