use crate::body::xml::{XmlDocument, XmlError, XmlLimits};

fn read(subset: &str, root: &str) -> Result<XmlDocument<'static>, XmlError> {
    let text = format!("<!DOCTYPE r [{subset}]>{root}");
    XmlDocument::parse(text.as_bytes(), &XmlLimits::default()).map(XmlDocument::into_static)
}

#[track_caller]
fn text(subset: &str, root: &str) -> String {
    read(subset, root).unwrap_or_else(|error| panic!("{error:?}: {subset} {root}")).text()
}

#[track_caller]
fn attributes(subset: &str, root: &str) -> Vec<String> {
    let document = read(subset, root).unwrap_or_else(|error| panic!("{error:?}: {subset} {root}"));
    document.attributes().into_iter().map(str::to_owned).collect()
}

#[track_caller]
fn is_refused(subset: &str, root: &str, reason: &str) {
    match read(subset, root) {
        Err(XmlError::Malformed { reason: given }) => assert!(given.contains(reason), "{given}: {subset} {root}"),
        other => panic!("{other:?}: {subset} {root}"),
    }
}

#[test]
fn references_in_replacement_texts_are_read_where_the_entity_is_used() {
    assert_eq!(text("<!ENTITY e '&#38;#97;ttack'>", "<r>&e;</r>"), "attack");
    assert_eq!(attributes("<!ENTITY e '&#38;#97;ttack'>", "<r a='&e;'/>"), ["attack"]);
    assert_eq!(text("<!ENTITY e '&#38;amp;#97;'>", "<r>&e;</r>"), "&#97;");
    assert_eq!(text("<!ENTITY e 'at&f;ck'> <!ENTITY f '&#38;g;'> <!ENTITY g 'ta'>", "<r>&e;</r>"), "attack");
    assert_eq!(attributes("<!ENTITY e 'at&f;ck'> <!ENTITY f '&#38;g;'> <!ENTITY g 'ta'>", "<r a='1' b='&e;&e;'/>"), ["1", "attackattack"]);
    assert_eq!(text("<!ENTITY lt '&#38;#60;'> <!ENTITY e '&lt;b>'>", "<r>&e;</r>"), "<b>");
}

#[test]
fn markup_in_replacement_texts_is_markup() {
    assert_eq!(text("<!ENTITY e 'at<q/>t<q b=\"1\">a</q>ck'>", "<r>&e;</r>"), "attack");
    assert_eq!(attributes("<!ENTITY e 'at<q b=\"1\"/>t'>", "<r>&e;</r>"), ["1"]);
    assert_eq!(text("<!ENTITY e 'att<!-- &x; -->a<?p &x;?>c'>", "<r>&e;k</r>"), "attack");
    assert_eq!(text("<!ENTITY e 'a<![CDATA[<&x;]]>b'>", "<r>&e;</r>"), "a<&x;b");
    assert_eq!(text("<!ENTITY e '&#60;q>attack&#60;/q>'>", "<r>&e;</r>"), "attack");
    assert_eq!(text("<!ENTITY e ']]'>", "<r>&e;&#62;&e;></r>"), "]]>]]>");
}

#[test]
fn replacement_texts_hold_whole_elements() {
    is_refused("<!ENTITY e '<q>'>", "<r>&e;</q></r>", "does not end where it began");
    is_refused("<!ENTITY e '</r><r>'>", "<r>&e;</r>", "does not end where it began");
    is_refused("<!ENTITY e '</q>'>", "<r><q>&e;</r>", "does not end where it began");
    is_refused("<!ENTITY e '<![CDATA['>", "<r>&e;]]></r>", "is not closed");
    is_refused("<!ENTITY e '<!--'>", "<r>&e;--></r>", "is not closed");
    is_refused("<!ENTITY e '&#60;'>", "<r>&e;</r>", "tag is not well-formed");
    is_refused("<!ENTITY e '&#38;'>", "<r>&e;#97;</r>", "reference is not well-formed");
    is_refused("<!ENTITY e '<?xml version=\"1.0\"?>'>", "<r>&e;</r>", "xml");
    is_refused("<!ENTITY e 'x'>", "&e;<r/>", "outside of the root");
    is_refused("<!ENTITY e 'x'>", "<r/>&e;", "outside of the root");
    is_refused("<!ENTITY e '<r/>'>", "&e;", "outside of the root");
}

#[test]
fn attributes_hold_no_markup_from_entities() {
    is_refused("<!ENTITY e '<q/>'>", "<r a='&e;'/>", "value of an attribute");
    is_refused("<!ENTITY e '&#60;'>", "<r a='&e;'/>", "value of an attribute");
    assert_eq!(attributes("<!ENTITY e '&#38;#60;\"'>", "<r a=\"&e;\"/>"), ["<\""]);
}

#[test]
fn blanks_in_attributes_are_blanks_unless_they_are_numbered() {
    assert_eq!(attributes("<!ENTITY e '\t&#10;\r\n&#38;#10;x'>", "<r a='&e;\n&#9;'/>"), ["   \nx \t"]);
    let words = "<!ATTLIST r a NMTOKENS #IMPLIED b CDATA #IMPLIED c (x|y) ' x ' d CDATA ' z '>";
    assert_eq!(attributes(words, "<r a=' 1\t 2 &#10;' b=' 3 '/>"), ["1 2 \n", " 3 ", "x", " z "]);
}

#[test]
fn carriage_returns_that_are_numbered_stay() {
    assert_eq!(text("<!ENTITY e 'a&#13;b&#38;#13;c<![CDATA[&#13;]]>\r\n'>", "<r>&e;\r\n&#13;</r>"), "a\rb\rc\r\n\n\r");
}

#[test]
fn attributes_have_the_values_that_the_doctype_gives() {
    assert_eq!(attributes("<!ATTLIST r a CDATA 'attack'>", "<r/>"), ["attack"]);
    assert_eq!(attributes("<!ATTLIST r a CDATA #FIXED 'attack'>", "<r><r a='b'/></r>"), ["attack", "b"]);
    assert_eq!(attributes("<!ENTITY e '&#38;#97;'> <!ATTLIST q a CDATA '&e;ttack'> <!ENTITY f '<q/>'>", "<r>&f;</r>"), ["attack"]);
    assert_eq!(attributes("<!ATTLIST r a CDATA '1'> <!ATTLIST r a CDATA '2' b CDATA '3'>", "<r/>"), ["1", "3"]);
    assert_eq!(attributes("<!ATTLIST r a CDATA #IMPLIED> <!ATTLIST r a CDATA '2'>", "<r/>"), [""; 0]);
    assert_eq!(attributes("<!ATTLIST p:r xmlns:p CDATA 'u' p:a CDATA '1'>", "<p:r/>"), ["1"]);
    is_refused("<!ATTLIST r a CDATA '&e;'> <!ENTITY e 'x'>", "<r/>", "not declared");
    is_refused("<!ATTLIST r a CDATA '<'>", "<r/>", "value of an attribute");
}

#[test]
fn the_first_declaration_of_an_entity_counts() {
    assert_eq!(text("<!ENTITY e 'attack'> <!ENTITY e 'harmless'>", "<r>&e;</r>"), "attack");
    is_refused("<!ENTITY e SYSTEM 'u'> <!ENTITY e 'harmless'>", "<r a='&e;'/>", "outside of the document");
}

#[test]
fn what_lies_outside_of_the_document_is_told_where_it_is_used() {
    let outside = [
        "<!ENTITY e SYSTEM 'file:///etc/passwd'>",
        "<!ENTITY e PUBLIC 'p' 'http://127.0.0.1/'>",
        "<!ENTITY e '&f;'> <!ENTITY f SYSTEM 'u'>",
    ];
    for subset in outside {
        is_refused(subset, "<r a='&e;'/>", "outside of the document");
        let document = read(subset, "<r>x&e;<q a='y'/></r>").unwrap();
        assert!(document.unread_entity().is_some(), "{subset}");
        assert_eq!((document.text(), document.attributes()), (String::from("x"), vec!["y"]));
        assert_eq!(read(subset, "<r>x</r>").unwrap().unread_entity(), None);
    }
    for root in ["<r>&e;</r>", "<r a='&e;'/>"] {
        is_refused("<!NOTATION n SYSTEM 'n'> <!ENTITY e SYSTEM 'u' NDATA n>", root, "is not XML");
        is_refused("", root, "not declared");
    }
    let external = |root: &str| {
        let text = format!("<!DOCTYPE r PUBLIC '-//A//B' 'http://a.example/r.dtd'>{root}");
        XmlDocument::parse(text.as_bytes(), &XmlLimits::default()).map(|document| document.text())
    };
    assert_eq!(external("<r>x</r>").as_deref(), Ok("x"));
    assert!(external("<r>&e;</r>").is_err());
}

#[test]
fn references_to_parameter_entities_are_refused() {
    is_refused("<!ENTITY % p '<!ENTITY e \"x\">'> %p;", "<r/>", "parameter entity");
    is_refused("<!ENTITY % p SYSTEM 'u'> %p;", "<r/>", "parameter entity");
    is_refused("<!ENTITY % p 'x'> <!ENTITY e '%p;'>", "<r/>", "declaration");
    assert_eq!(text("<!ENTITY % e 'x'> <!ENTITY e 'y'>", "<r>&e;</r>"), "y");
}

#[test]
fn entities_that_use_themselves_are_refused() {
    for root in ["<r>&e;</r>", "<r a='&e;'/>"] {
        is_refused("<!ENTITY e '&e;'>", root, "uses itself");
        is_refused("<!ENTITY e '&f;'> <!ENTITY f '&#38;e;'>", root, "uses itself");
    }
    is_refused("<!ENTITY e '<q a=\"&e;\"/>'>", "<r>&e;</r>", "uses itself");
}

#[test]
fn entities_that_multiply_are_stopped() {
    let levels: String = (1..30).map(|level| format!("<!ENTITY e{level} '&e{0};&e{0};'>", level - 1)).collect();
    for root in ["<r>&e29;</r>", "<r a='&e29;'/>"] {
        assert!(matches!(read(&format!("<!ENTITY e0 'ha'>{levels}"), root), Err(XmlError::EntitiesTooLarge)));
        assert!(matches!(read(&format!("<!ENTITY e0 ''>{levels}"), root), Err(XmlError::EntitiesTooLarge)));
    }
    let defaults = format!("<!ATTLIST q a CDATA '{}'>", "x".repeat(10_000));
    assert!(matches!(read(&defaults, &format!("<r>{}</r>", "<q/>".repeat(10))), Err(XmlError::EntitiesTooLarge)));
    let chain: String = (1..20_000).map(|level| format!("<!ENTITY e{level} '&e{};'>", level - 1)).collect();
    assert!(matches!(read(&format!("<!ENTITY e0 ''>{chain}"), "<r>&e19999;</r>"), Err(XmlError::EntitiesTooLarge)));
}

#[test]
fn what_entities_bring_counts_against_the_limits() {
    let bring = |subset: &str, root: &str, limits: XmlLimits| {
        XmlDocument::parse(format!("<!DOCTYPE r [{subset}]>{root}").as_bytes(), &limits).map(|_| ()).unwrap_err()
    };
    let limits = XmlLimits { depth: 10, nodes: 100, attributes_per_element: 5, ..XmlLimits::default() };
    let nested = format!("<!ENTITY e '{}{}'>", "<q>".repeat(10), "</q>".repeat(10));
    assert_eq!(bring(&nested, "<r>&e;</r>", limits), XmlError::TooDeep);
    assert_eq!(bring("<!ENTITY e '<q/><q/>'>", &format!("<r>{}</r>", "&e;".repeat(60)), limits), XmlError::TooManyNodes);
    let list: String = (0..6).map(|number| format!(" a{number} CDATA '1'")).collect();
    assert_eq!(bring(&format!("<!ATTLIST r{list}>"), "<r/>", limits), XmlError::TooManyAttributes);
    assert_eq!(bring("<!ATTLIST r a CDATA '1' b CDATA '1'>", "<r c='1' d='1' e='1' f='1'/>", limits), XmlError::TooManyAttributes);
}

#[test]
fn declarations_must_be_well_formed() {
    for subset in [
        "<!ENTITY e>",
        "<!ENTITY e x>",
        "<!ENTITY e'x'>",
        "<!ENTITYe 'x'>",
        "<!ENTITY e '&'>",
        "<!ENTITY e '&#0;'>",
        "<!ENTITY e '&#x;'>",
        "<!ENTITY e '&x'>",
        "<!ENTITY e '%'>",
        "<!ENTITY e 'x' NDATA n>",
        "<!ENTITY %e 'x'>",
        "<!ENTITY % e SYSTEM 'x' NDATA n>",
        "<!ENTITY e SYSTEM>",
        "<!ENTITY e SYSTEM'x'>",
        "<!ENTITY e PUBLIC 'x'>",
        "<!ENTITY e PUBLIC '\u{e9}' 'x'>",
        "<!ATTLIST r a>",
        "<!ATTLIST r a CDATA>",
        "<!ATTLIST r a CDATA'x'>",
        "<!ATTLIST r a CDATA 'x'b CDATA 'y'>",
        "<!ATTLIST r a (x y) 'x'>",
        "<!ATTLIST r a CDATA %p;>",
        "<!ELEMENT r>",
        "<!ELEMENT r (a,b|c)>",
        "<!ELEMENT r ANY ANY>",
        "<!ELEMENT r (#PCDATA|a)>",
        "<!NOTATION n>",
        "<!NOTATION n PUBLIC>",
        "<!-- a -- b -->",
        "<?xml version='1.0'?>",
        "<!WORD>",
        "<![INCLUDE[]]>",
        "x",
        "<!ENTITY e 'x'",
    ] {
        assert!(read(subset, "<r/>").is_err(), "{subset}");
    }
    let whole = "<!-- - --> <?p?> <?p x?> <!ELEMENT r ANY> <!ELEMENT a EMPTY> <!ELEMENT b (a , (b|c)* )+ > <!ELEMENT c (#PCDATA|a)*>
        <!NOTATION n PUBLIC 'x'> <!NOTATION m PUBLIC \"x'y\" 'z' > <!NOTATION o SYSTEM 'z'><!ATTLIST r><!ATTLIST r a NOTATION (n|m) #REQUIRED >
        <!ENTITY % p 'x' > <!ENTITY % q SYSTEM 'x'><!ENTITY f PUBLIC 'x' 'y' NDATA n >";
    assert_eq!(text(whole, "<r>x</r>"), "x");
}

#[test]
fn a_doctype_stands_before_the_root_and_only_once() {
    for body in
        ["<r/><!DOCTYPE r>", "<r><!DOCTYPE r></r>", "<!DOCTYPE r><!DOCTYPE r><r/>", "<!doctype r><r/>", "<!DOCTYPE r [<r/>", "<!DOCTYPE r"]
    {
        assert!(XmlDocument::parse(body.as_bytes(), &XmlLimits::default()).is_err(), "{body}");
    }
    let body = "<?xml version='1.0'?><!-- <!DOCTYPE x [ --><?p <!DOCTYPE?>\n<!DOCTYPE r [<!ENTITY e 'x'>] >\n<!-- & --><r>&e;<!-- <!DOCTYPE r> --></r><?p ?>\n";
    let mut document = XmlDocument::parse(body.as_bytes(), &XmlLimits::default()).unwrap();
    assert_eq!(document.text(), "x");
    assert_eq!(document.select("//comment()", &[]).map(|comments| comments.len()), Ok(3));
}

#[test]
fn xpath_finds_what_entities_bring() {
    let mut document = read("<!ENTITY e '<q b=\"1\">attack</q>'> <!ATTLIST q c CDATA '2'>", "<r>&e;</r>").unwrap();
    assert_eq!(document.select("/r/q[@c = '2']", &[]), Ok(vec!["attack".to_owned()]));
    assert_eq!(document.select("//q/@c", &[]), Ok(vec!["2".to_owned()]));
}
