//! Operators that need more than a value, in rules: locations, block lists, DTDs and schemas.

use secrule::internals::resolver::{Answer, Resolver};
use secrule::internals::source::Memory;
use secrule::{Transaction, Waf, WafBuilder};
use secrule_testkit::host::Exchange;
use secrule_testkit::messages::Messages;
use secrule_testkit::{name_server, places};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Has addresses for some names.
#[derive(Debug, Default)]
struct Names(Vec<(&'static str, Answer)>);

impl Resolver for Names {
    fn resolve(&self, name: &str) -> Answer {
        self.0.iter().find(|(known, _)| *known == name).map_or(Answer::Nothing, |(_, answer)| answer.clone())
    }
}

struct Judged {
    status: Option<u16>,
    messages: Vec<String>,
    transaction: Transaction,
}

impl Judged {
    #[track_caller]
    fn says(&self, message: &str) -> &Self {
        assert!(self.messages.iter().any(|found| found.contains(message)), "{message:?} is not among {:#?}", self.messages);
        self
    }

    fn tx(&self, key: &str) -> Option<String> {
        self.transaction.tx(key)
    }
}

fn files() -> Memory {
    let schema = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="order"><xs:complexType><xs:sequence>
        <xs:element name="item" type="xs:int" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element></xs:schema>"#;
    Memory::new()
        .with("order.dtd", "<!ENTITY % parts SYSTEM 'parts.mod'> %parts; <!ELEMENT order (item+)>")
        .with("parts.mod", "<!ELEMENT item (#PCDATA)>")
        .with("elsewhere.dtd", "<!ENTITY % parts SYSTEM '../parts.mod'> %parts;")
        .with("order.xsd", schema)
        .with("broken.xsd", "<xs:schema")
        .with("places.mmdb", places::database())
}

fn judge_with(builder: WafBuilder, rules: &str, client: &str, body: &str) -> Judged {
    let log = Messages::up_to(5);
    let xml = "SecRuleEngine On\nSecAction \"id:900,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n";
    let waf = builder.rules("rules", &format!("{xml}{rules}")).debug_log(log.clone()).build_with(&files());
    let mut transaction = waf.unwrap_or_else(|error| panic!("{error}")).transaction();
    let request = Exchange { body: vec![body.as_bytes()], ..Exchange::new(b"POST", b"/") };
    let intervention = request.from(client).header("Host", "bad.example").run(&mut transaction);
    Judged { status: intervention.map(|intervention| intervention.status()), messages: log.take(), transaction }
}

fn judge(rules: &str, body: &str) -> Judged {
    judge_with(Waf::builder(), rules, "200.1.2.3", body)
}

const GEO: &str = "SecRule REMOTE_ADDR \"@geoLookup\" \"id:1,phase:2,pass,setvar:tx.where=%{GEO.CITY} in %{geo.country_name}\"
    SecRule GEO:COUNTRY_CODE \"@streq XA\" \"id:2,phase:2,pass,setvar:tx.code=1\"
    SecRule &GEO \"@eq 6\" \"id:3,phase:2,pass,setvar:tx.count=1\"
    SecRule GEO:/TUDE$/ \"@rx ^-?[0-9]+[.][0-9]{6}$\" \"id:4,phase:2,pass,setvar:tx.degrees=+1\"\n";

#[test]
fn a_place_fills_geo() {
    let rules = format!("{GEO}SecGeoLookupDb places.mmdb");
    let judged = judge(&rules, "");
    assert_eq!(judged.tx("where").unwrap(), "Sampleton in Exampleland");
    assert_eq!([judged.tx("code"), judged.tx("count"), judged.tx("degrees")].map(Option::unwrap), ["1", "1", "2"]);
    for client in ["100.1.2.3", "::1", "nowhere"] {
        assert_eq!(judge_with(Waf::builder(), &rules, client, "").tx("where"), None);
    }
}

#[test]
fn without_a_database_no_place_is_found_and_the_report_says_so() {
    let judged = judge(GEO, "");
    assert_eq!(judged.says("Database is not open").tx("where"), None);
    let waf = Waf::from_rules(GEO).unwrap();
    assert_eq!(waf.report().warnings().len(), 1);
}

#[test]
fn a_listed_address_is_captured() {
    let names = [
        ("3.2.1.200.bl.example.", Answer::Address(Ipv4Addr::new(127, 0, 0, 2))),
        ("bad.example.bl.example.", Answer::Address(Ipv4Addr::new(127, 0, 0, 4))),
        ("3.2.1.200.wild.example.", Answer::Address(Ipv4Addr::new(203, 0, 113, 5))),
        ("3.2.1.200.slow.example.", Answer::Late),
        ("abcdefghijkl.3.2.1.200.dnsbl.httpbl.org.", Answer::Address(Ipv4Addr::new(127, 9, 50, 1))),
    ];
    let ask = |target: &str, zone: &str, more: &str| {
        let rule = format!("SecRule {target} \"@rbl {zone}\" \"id:1,phase:2,deny,capture\"\n{more}");
        judge_with(Waf::builder().resolver(Arc::new(Names(names.to_vec()))), &rule, "200.1.2.3", "")
    };
    let listed = ask("REMOTE_ADDR", "bl.example", "");
    assert_eq!((listed.status, listed.tx("0").unwrap().as_str()), (Some(403), "200.1.2.3"));
    listed.says("RBL lookup of 200.1.2.3 succeeded.");
    assert_eq!(ask("REQUEST_HEADERS:Host", "bl.example", "").status, Some(403));
    assert_eq!(ask("REMOTE_ADDR", "other.example", "").says("RBL lookup of 200.1.2.3 failed.").status, None);
    assert_eq!(ask("REMOTE_ADDR", "slow.example", "").says("there was no answer in time").status, None);
    assert_eq!(ask("REMOTE_ADDR", "wild.example", "").says("203.0.113.5 is not an answer of a block list").status, None);
    assert_eq!(ask("REMOTE_ADDR", "dnsbl.httpbl.org", "").says("Missing RBL key").status, None);
    let known = ask("REMOTE_ADDR", "dnsbl.httpbl.org", "SecHttpBlKey abcdefghijkl");
    known.says("succeeded. Suspicious IP: 9 days since last activity, threat score 50.");
    assert_eq!(known.status, Some(403));
}

#[test]
fn only_an_answer_to_the_question_lists_an_address() {
    let status = |change: fn(&mut Vec<u8>)| {
        let server = name_server::NameServer::listing(change);
        let rule = format!("SecResolver {}\nSecRule REMOTE_ADDR \"@rbl bl.example\" \"id:1,phase:2,deny\"", server.address());
        judge_with(Waf::builder(), &rule, "192.0.2.9", "").status
    };
    assert_eq!(status(|_| {}), Some(403));
    // The question is `9.2.0.192.bl.example`; its record begins with a pointer to it.
    assert_eq!(status(|answer| answer[0] ^= 1), None, "another id");
    assert_eq!(status(|answer| answer[13] = b'8'), None, "another question");
    assert_eq!(
        status(|answer| {
            let at = answer.len() - 15;
            answer[at] = 14
        }),
        None,
        "another owner"
    );
    assert_eq!(status(|answer| answer[3] = 0x82), None, "a failure");
}

#[cfg(not(feature = "xml-validation"))]
#[test]
fn a_build_without_the_validation_of_xml_says_so_at_load() {
    for operator in ["@validateDTD order.dtd", "@validateSchema order.xsd"] {
        let rules = format!("SecXmlExternalEntity On\nSecRule XML \"{operator}\" \"id:1,phase:2,deny\"");
        let error = Waf::builder().rules("rules", &rules).build_with(&files()).unwrap_err().to_string();
        let name = operator.split(' ').next().unwrap();
        assert!(error.contains(&format!("error[E402]: this program was built without `{name}`")), "{error}");
        assert!(error.contains("= help: build it with the feature `xml-validation`"), "{error}");
    }
}

#[cfg(feature = "xml-validation")]
mod grammars {
    use super::*;

    const GOOD: &str = "<order><item>1</item><item>2</item></order>";
    const WRONG: &str = "<order><itme>1</itme></order>";

    fn grammar(operator: &str, body: &str) -> Judged {
        judge(&format!("SecXmlExternalEntity On\nSecRule XML \"{operator}\" \"id:1,phase:2,deny\""), body)
    }

    #[test]
    fn bodies_are_checked_against_a_dtd() {
        let good = grammar("@validateDTD order.dtd", GOOD);
        assert_eq!(good.says("XML: Successfully validated payload against DTD: order.dtd").status, None);
        assert_eq!(grammar("!@validateDTD order.dtd", GOOD).status, Some(403));
        let wrong = grammar("@validateDTD order.dtd", WRONG);
        wrong.says("XML Error: Element order content does not follow the DTD, expecting (item)+, got (itme)");
        wrong.says("XML Error: No declaration for element itme").says("XML: DTD validation failed.");
        assert_eq!(wrong.status, Some(403));
    }

    #[test]
    fn bodies_are_checked_against_a_schema() {
        let good = grammar("@validateSchema order.xsd", GOOD);
        assert_eq!(good.says("XML: Successfully validated payload against Schema: order.xsd").status, None);
        let wrong = grammar("@validateSchema order.xsd", WRONG);
        wrong.says("XML Error: Element 'itme': This element is not expected. Expected is ( item ).");
        assert_eq!(wrong.says("XML: Schema validation failed.").status, Some(403));
    }

    #[test]
    fn what_cannot_be_checked_does_not_conform() {
        let dtd = "@validateDTD order.dtd";
        let broken = grammar(dtd, "<order>");
        assert_eq!(broken.says("XML: DTD validation failed because content is not well formed.").status, Some(403));
        assert_eq!(grammar(dtd, "").says("XML document tree could not be found for DTD validation.").status, Some(403));
        let schema = "@validateSchema order.xsd";
        assert_eq!(grammar(schema, "").says("XML document tree could not be found for schema validation.").status, Some(403));
        let useless = grammar("@validateSchema broken.xsd", GOOD);
        let message = "XML: Failed to load Schema: broken.xsd. XML Error: Failed to parse the XML resource 'broken.xsd'.";
        assert_eq!(useless.says(message).status, Some(403));
        assert_eq!(grammar("@validateDTD elsewhere.dtd", GOOD).says("XML: Failed to load DTD: elsewhere.dtd").status, Some(403));
    }

    #[test]
    fn no_file_is_read_for_xml_unless_it_is_allowed() {
        let judged = judge("SecRule XML \"@validateDTD order.dtd\" \"id:1,phase:2,deny\"", GOOD);
        assert_eq!(judged.says("XML: Failed to load DTD: order.dtd").status, Some(403));
        let judged = judge("SecRule XML \"@validateSchema order.xsd\" \"id:1,phase:2,deny\"", GOOD);
        assert_eq!(judged.says("Failed to locate the main schema resource at 'order.xsd'").status, Some(403));
    }

    #[test]
    fn verdicts_do_not_depend_on_the_debug_log() {
        for operator in ["@validateDTD order.dtd", "@validateSchema order.xsd"] {
            let rules = format!(
                "SecRuleEngine On\nSecXmlExternalEntity On\nSecAction \"id:9,phase:1,pass,ctl:requestBodyProcessor=XML\"
                SecRule XML \"{operator}\" \"id:1,phase:2,deny\""
            );
            let waf = Waf::builder().rules("rules", &rules).build_with(&files()).unwrap();
            for (body, stops) in [(GOOD, false), (WRONG, true)] {
                let mut transaction = waf.transaction();
                let _ = transaction.process_request_headers();
                let _ = transaction.append_request_body(body.as_bytes());
                assert_eq!(transaction.process_request_body().is_intervention(), stops, "{operator} {body}");
            }
        }
    }
}
