//! XML bodies.

use crate::host::{FLAGS, XML, post};
use secrule::Waf;

#[test]
fn crs_4_28_attacks_in_attributes_of_xml() {
    let body = br#"<a b="&lt;script&gt;alert(1)&lt;/script&gt;"/>"#;
    let rules = format!("{XML}SecRule XML://@* \"@contains <script>\" \"id:1,phase:2,deny\"\n");
    assert_eq!(post(&rules, "text/xml", body).status, Some(403));
}

#[test]
fn cve_2025_52891_an_empty_tag_of_xml() {
    let error = Waf::from_rules("SecParseXmlIntoArgs On\n").unwrap_err().to_string();
    assert!(error.contains("XML:/*"), "{error}");
    let rules = format!("{XML}{FLAGS}SecRule XML:/* \"@contains attack\" \"id:1,phase:2,deny\"\n");
    for body in ["<a></a>", "<a/>", "<a><b/><c></c></a>", "<a b=\"\"/>"] {
        assert_eq!(post(&rules, "text/xml", body.as_bytes()).status, None, "{body}");
    }
    assert_eq!(post(&rules, "text/xml", b"<a><b/>attack</a>").status, Some(403));
}

/// Rules that refuse bodies that cannot be read, and attacks in the content of XML bodies.
fn xml_rules() -> String {
    format!("{XML}{FLAGS}SecRule XML:/*|XML://@* \"@contains attack\" \"id:1,phase:2,deny\"\n")
}

#[test]
fn references_within_entities_of_xml() {
    let numbered: String = "attack".bytes().map(|byte| format!("&#38;#{byte};")).collect();
    for (subset, root) in [
        ("<!ENTITY e 'PLACE'>", "<r>&e;</r>"),
        ("<!ENTITY e 'PLACE'>", "<r a='&e;'/>"),
        ("<!ENTITY f 'PLACE'> <!ENTITY e '&f;'>", "<r>&e;</r>"),
        ("<!ENTITY f 'PLACE'> <!ENTITY e '&#38;f;'>", "<r a='&e;'/>"),
        ("<!ENTITY e '<q a=\"PLACE\"/>'>", "<r>&e;</r>"),
        ("<!ENTITY e 'PLACE'> <!ATTLIST r a CDATA '&e;'>", "<r/>"),
    ] {
        let body = |text: &str| format!("<!DOCTYPE r [{}]>{root}", subset.replace("PLACE", text));
        assert_eq!(post(&xml_rules(), "text/xml", body(&numbered).as_bytes()).ids, [1], "{subset} {root}");
        assert_eq!(post(&xml_rules(), "text/xml", body("harmless").as_bytes()).status, None, "{subset} {root}");
    }
}

#[test]
fn markup_within_entities_of_xml() {
    for text in [
        "at<q/>tack",
        "<q>attack</q>",
        "<q a=\"attack\"/>",
        "at<!-- - -->tack",
        "at<?p x?>tack",
        "<![CDATA[att]]>ack",
        "&#60;q>at&#60;/q>tack",
    ] {
        let body = format!("<!DOCTYPE r [<!ENTITY e '{text}'>]><r>&e;</r>");
        assert_eq!(post(&xml_rules(), "text/xml", body.as_bytes()).ids, [1], "{text}");
    }
    for text in ["<q>", "</r><r>", "<![CDATA[", "<!-- ", "&#60;", "&#38;", "&e;", "<q a=\"&e;\"/>"] {
        let body = format!("<!DOCTYPE r [<!ENTITY e '{text}'>]><r>&e;</r>");
        assert_eq!(post(&xml_rules(), "text/xml", body.as_bytes()).ids, [901], "{text}");
    }
}

#[test]
fn attributes_that_only_the_doctype_gives() {
    for subset in
        ["<!ATTLIST r a CDATA 'attack'>", "<!ATTLIST r a CDATA #FIXED 'attack'>", "<!ATTLIST q a CDATA 'x' b NMTOKENS ' attack '>"]
    {
        let body = format!("<!DOCTYPE r [{subset}]><r><q/></r>");
        assert_eq!(post(&xml_rules(), "text/xml", body.as_bytes()).ids, [1], "{subset}");
    }
}

#[test]
fn entities_from_outside_of_the_document() {
    for (subset, root) in [
        ("<!ENTITY e SYSTEM 'file:///etc/passwd'>", "<r>&e;</r>"),
        ("<!ENTITY e PUBLIC 'p' 'http://shop.example/'>", "<r>&e;</r>"),
        ("<!ENTITY e SYSTEM 'file:///etc/passwd'>", "<r a='&e;'/>"),
        ("<!ENTITY % p SYSTEM 'http://shop.example/'> %p;", "<r/>"),
        ("<!NOTATION n SYSTEM 'n'> <!ENTITY e SYSTEM 'u' NDATA n>", "<r>&e;</r>"),
        ("", "<r>&e;</r>"),
    ] {
        let body = format!("<!DOCTYPE r [{subset}]>{root}");
        assert_eq!(post(&xml_rules(), "text/xml", body.as_bytes()).ids, [901], "{subset} {root}");
    }
    let unused = b"<!DOCTYPE r SYSTEM 'r.dtd' [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><r>x</r>";
    assert_eq!(post(&xml_rules(), "text/xml", unused).status, None);
}
