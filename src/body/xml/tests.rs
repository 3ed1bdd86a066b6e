use proptest::prelude::*;

use super::*;

fn document(body: &str) -> XmlDocument<'_> {
    XmlDocument::parse(body.as_bytes(), &XmlLimits::default()).expect("the body is well-formed")
}

fn is_refused(body: &[u8]) -> bool {
    XmlDocument::parse(body, &XmlLimits::default()).is_err()
}

#[test]
fn the_text_is_that_of_all_elements_and_cdata() {
    assert_eq!(document("<a>one<b> two</b><!-- no --><![CDATA[<3>]]><?no no?>&amp;\r\n</a>").text(), "one two<3>&\n");
}

#[test]
fn blanks_and_line_breaks_are_read_as_xml_has_it() {
    let read = document("<a b='1\t2\r\n3&#10;4'\n c=\"5\n6\">x\r\ny\tz<!-- d='7\n' --></a>");
    assert_eq!(read.attributes(), ["1 2 3\n4", "5 6"]);
    assert_eq!(read.text(), "x\ny\tz");
}

#[test]
fn attributes_come_in_document_order_without_namespaces() {
    let document = document("<a x='1' xmlns='u' xmlns:p='v'><b p:y='2'/><c z=''/></a>");
    assert_eq!(document.attributes(), ["1", "2", ""]);
}

#[test]
fn undeclared_prefixes_are_allowed() {
    assert_eq!(document("<p:a q:b='1'>x</p:a>").text(), "x");
    assert_eq!(document("<p:a q:b='1' xmlns='u'>x</p:a>").attributes(), ["1"]);
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for body in [
        &b""[..],
        b"text",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a b='1' b='2'/>",
        b"<a b=1/>",
        b"<a>&x;</a>",
        b"<a>\x01</a>",
        b"<a b='\0'/>",
        b"<a>\xe9</a>",
    ] {
        assert!(is_refused(body), "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(XmlDocument::parse(b"<a>", &XmlLimits::default()).expect_err("refused").to_string(), "XML: Failed parsing document.");
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| ["<a>".repeat(depth), "</a>".repeat(depth)].concat();
    assert!(!is_refused(nested(256).as_bytes()));
    assert!(is_refused(nested(300).as_bytes()));
    assert!(is_refused("<a>".repeat(100_000).as_bytes()));
}

#[test]
fn xpath_selects_one_value_for_each_node() {
    let mut document = document("<s:a xmlns:s='urn:s'><s:b c='1'>x</s:b><s:b c='2'>y<d/></s:b><!--z--></s:a>");
    let namespaces = [("n", "urn:s")];
    assert_eq!(document.select("//n:b", &namespaces), Ok(vec!["x".to_owned(), "y".to_owned()]));
    assert_eq!(document.select("//n:b/@c", &namespaces), Ok(vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(document.select("//comment()", &[]), Ok(vec!["z".to_owned()]));
    assert_eq!(document.select("count(//n:b)", &namespaces), Ok(Vec::new()));
    assert!(document.select("//[", &[]).is_err());
}

#[test]
fn the_short_ways_agree_with_xpath() {
    let mut document = document("<a x='1'>t<b y='2'>u</b></a>");
    assert_eq!(document.select("/*", &[]), document.select("/child::*", &[]));
    assert_eq!(document.select("//@*", &[]), document.select("//*/attribute::*", &[]));
}

#[test]
fn selected_values_are_limited_together() {
    let limits = XmlLimits { xpath_bytes: 10, ..XmlLimits::default() };
    let mut document = XmlDocument::parse(b"<a><b>12345</b></a>", &limits).expect("the body is well-formed");
    assert_eq!(document.select("//b", &[]), Ok(vec!["12345".to_owned()]));
    assert_eq!(document.select("//node()", &[]), Err(XPathError::TooLarge(10)));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = XmlDocument::parse(&body, &XmlLimits::default());
    }

    #[test]
    fn any_xml_like_text_is_survived(body in "(<a>|</a>|<b c='d'/>|<!--|-->|<!DOCTYPE a \\[|<!ENTITY e SYSTEM '|'>|\\]>|&e;|<|>|\"|=|<!\\[CDATA\\[|\\]\\]>|x|é){0,30}") {
        if let Ok(mut document) = XmlDocument::parse(body.as_bytes(), &XmlLimits::default()) {
            prop_assert!(document.select("//*", &[]).is_ok());
        }
    }
}
