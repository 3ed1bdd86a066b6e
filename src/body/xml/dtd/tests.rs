use super::*;
use crate::body::xml::XmlLimits;
use std::cell::Cell;

fn dtd(text: &str) -> Dtd {
    Dtd::parse(text.as_bytes(), &|_| None).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn errors(dtd: &Dtd, document: &str) -> Vec<String> {
    dtd.errors(&XmlDocument::parse(document.as_bytes(), &XmlLimits::default()).unwrap(), 100, &Cell::new(usize::MAX))
}

#[track_caller]
fn check(text: &str, document: &str, expected: &[&str]) {
    assert_eq!(errors(&dtd(text), document), expected, "{document}");
}

const MENU: &str = "<!ELEMENT menu (intro*,(dish|drink)+,end?)> <!ELEMENT intro EMPTY> <!ELEMENT dish ANY>
    <!ELEMENT drink (#PCDATA|intro)*> <!ELEMENT end (intro,intro)>";

#[test]
fn children_follow_the_content_model() {
    check(MENU, "<menu> <intro/><dish/> <drink>a<intro/>b</drink><!-- c --><end><intro/><intro/></end></menu>", &[]);
    let expecting = "expecting (intro* , (dish | drink)+ , end?), got";
    let wrong = |got: &str| format!("Element menu content does not follow the DTD, {expecting} {got}");
    check(MENU, "<menu/>", &[&wrong("")]);
    check(MENU, "<menu><dish/><intro/></menu>", &[&wrong("(dish intro)")]);
    check(MENU, "<menu><dish/>text</menu>", &[&wrong("(dish CDATA)")]);
    check(MENU, "<menu><dish/><![CDATA[ ]]></menu>", &[&wrong("(dish CDATA)")]);
}

#[test]
fn other_contents_are_checked_too() {
    check(MENU, "<intro> </intro>", &["Element intro was declared EMPTY this one has content"]);
    check(MENU, "<drink><dish/></drink>", &["Element dish is not declared in drink list of possible children"]);
    check("<!ELEMENT r (#PCDATA)>", "<r>text<![CDATA[ & ]]></r>", &[]);
    let message = "Element r was declared #PCDATA but contains non text nodes";
    check("<!ELEMENT r (#PCDATA)>", "<r><r/><r/></r>", &[message]);
    check(MENU, "<dish>text<intro/><cake/></dish>", &["No declaration for element cake"]);
}

#[test]
fn attributes_must_be_declared_and_fit() {
    let text = "<!ELEMENT r (e*)> <!ELEMENT e EMPTY> <!NOTATION gif SYSTEM 'gif'> <!ENTITY pic SYSTEM 'a.gif' NDATA gif>
        <!ENTITY word 'text'>
        <!ATTLIST r must CDATA #REQUIRED is CDATA #FIXED 'x' size (small | large) 'small' names NMTOKENS #IMPLIED>
        <!ATTLIST e id ID #IMPLIED to IDREF #IMPLIED all IDREFS #IMPLIED image ENTITY #IMPLIED kind NOTATION (gif) #IMPLIED>";
    check(text, "<r must='' is='x' size='large' names='1 b'><e id='a' to='b'/><e id='b' all='a b' image='pic' kind='gif'/></r>", &[]);
    check(text, "<r/>", &["Element r does not carry attribute must"]);
    check(text, "<r must='' other='1'/>", &["No declaration for attribute other of element r"]);
    check(text, "<r must='' xmlns='u'/>", &["No declaration for attribute xmlns of element r"]);
    check(text, "<r must='' size='huge'/>", &["Value \"huge\" for attribute size of r is not among the enumerated set"]);
    check(text, "<r must='' names=''/>", &["Syntax of value for attribute names of r is not valid"]);
    let fixed = ["Value for attribute is of r is different from default \"x\"", "Value for attribute is of r must be \"x\""];
    check(text, "<r must='' is='y'/>", &fixed);
    check(text, "<r must=''><e id='a'/><e id='a'/></r>", &["ID a already defined"]);
    check(text, "<e all='q w' id='w'/>", &["IDREFS attribute all references an unknown ID \"q\""]);
    check(text, "<e image='word'/>", &["ENTITY attribute image reference an entity \"word\" of wrong type"]);
    check(text, "<e image='none'/>", &["ENTITY attribute image reference an unknown entity \"none\""]);
}

#[test]
fn names_with_prefixes_are_taken_as_written_or_without_them() {
    let text = "<!ELEMENT s:r (s:a)> <!ATTLIST s:r xmlns:s CDATA #IMPLIED> <!ELEMENT s:a EMPTY> <!ELEMENT plain EMPTY>";
    check(text, "<s:r xmlns:s='u'><s:a/></s:r>", &[]);
    let expected = ["Element r content does not follow the DTD, expecting (s:a), got (a)", "No declaration for element a"];
    check(text, "<s:r xmlns:s='u'><a/></s:r>", &expected);
    check(text, "<t:plain xmlns:t='u'/>", &["No declaration for attribute xmlns:t of element plain"]);
}

#[test]
fn parameter_entities_and_sections_are_resolved() {
    let text = "<!ENTITY % pair '(a,b)'> <!ELEMENT r %pair;> <!ENTITY % more '<!ELEMENT a EMPTY>&#60;!ELEMENT b EMPTY>'> %more;
        <!ENTITY % use 'INCLUDE'> <![%use;[ <!ELEMENT y EMPTY> <![IGNORE[ <!ELEMENT z > <![ x [ ]]> ]]> ]]>";
    check(text, "<r><a/><b/></r>", &[]);
    check(text, "<y/>", &[]);
    check(text, "<z/>", &["No declaration for element z"]);
}

#[test]
fn other_files_are_asked_for() {
    let text = b"<!ENTITY % parts SYSTEM 'parts.mod'> %parts;";
    let beside = |path: &str| (path == "parts.mod").then(|| b"<?xml version='1.0'?><!ELEMENT r EMPTY>".to_vec());
    assert_eq!(errors(&Dtd::parse(text, &beside).unwrap(), "<r/>"), Vec::<String>::new());
    assert!(Dtd::parse(text, &|_| None).is_err());
}

#[test]
fn what_is_no_dtd_is_refused_with_its_line() {
    for text in [
        "hello",
        "<!ELEMENT r (a",
        "<!ELEMENT r (a,b|c)>",
        "<!ELEMENT r (a)) >",
        "<!ELEMENT r (#PCDATA|a)>",
        "<!ELEMENT>",
        "<!ATLIST r a CDATA #IMPLIED>",
        "<!ATTLIST r a WORD #IMPLIED>",
        "<!ELEMENT r %none;>",
        "%none;",
        "<!ENTITY % a '%b;'> <!ENTITY % b '%a;'> %a;",
        "<!ENTITY % a '&#37;a;'> %a;",
        "<!ENTITY % a '&#37;a;'> <!ELEMENT r (%a;)>",
        "<![INCLUDE[ <!ELEMENT r EMPTY>",
        "<!-- open",
    ] {
        assert!(Dtd::parse(text.as_bytes(), &|_| None).is_err(), "{text}");
    }
    let error = Dtd::parse(b"<!ELEMENT a EMPTY>\n\n<!ELMENT b EMPTY>", &|_| None).unwrap_err();
    assert_eq!(error.to_string(), "line 3: <!ELMENT is not a declaration");
}

#[test]
fn entities_that_multiply_are_stopped() {
    let mut text = String::from("<!ENTITY % a0 '                '>");
    for level in 1..40 {
        let before = level - 1;
        text.push_str(&format!("<!ENTITY % a{level} '&#37;a{before};&#37;a{before};'>"));
    }
    text.push_str("%a39;");
    assert!(Dtd::parse(text.as_bytes(), &|_| None).is_err());
    let mut text = String::from("<!ENTITY % a0 '                '>");
    for level in 1..40 {
        let before = level - 1;
        text.push_str(&format!("<!ENTITY % a{level} '%a{before};%a{before};'>"));
    }
    assert!(Dtd::parse(text.as_bytes(), &|_| None).is_err());
}

#[test]
fn ambiguous_models_cost_no_more_than_their_parts() {
    let text = format!("<!ELEMENT r ({}(b))> <!ELEMENT a EMPTY> <!ELEMENT b EMPTY>", "(a?),".repeat(40) + &"(a*)*,".repeat(20));
    let dtd = dtd(&text);
    let many = "<a/>".repeat(20_000);
    let start = std::time::Instant::now();
    assert_eq!(errors(&dtd, &format!("<r>{many}<b/></r>")).len(), 0);
    assert_eq!(errors(&dtd, &format!("<r>{many}</r>")).len(), 1);
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn messages_are_as_many_as_wanted_and_not_too_long() {
    let dtd = dtd("<!ELEMENT r (a)> <!ELEMENT a EMPTY>");
    let many = format!("<r>{}</r>", "<b/>".repeat(5000));
    let document = XmlDocument::parse(many.as_bytes(), &XmlLimits::default()).unwrap();
    let found = dtd.errors(&document, 3, &Cell::new(usize::MAX));
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|message| message.len() < 1000));
}
