use super::*;
use crate::body::xml::XmlLimits;
use std::cell::Cell;

const ORDER: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:o="urn:o" targetNamespace="urn:o">
  <xs:element name="order"><xs:complexType>
    <xs:sequence>
      <xs:element ref="o:note" minOccurs="0"/>
      <xs:element name="count" type="xs:int"/>
      <xs:choice><xs:element name="gift" type="o:wrap"/><xs:element name="plain" minOccurs="0"/></xs:choice>
      <xs:element name="label" minOccurs="0" maxOccurs="2" type="xs:string"/>
    </xs:sequence>
    <xs:attribute name="id" type="xs:int" use="required"/>
    <xs:attribute name="fast"><xs:simpleType><xs:restriction base="xs:boolean"><xs:pattern value="0|1"/></xs:restriction></xs:simpleType></xs:attribute>
  </xs:complexType></xs:element>
  <xs:element name="note" type="xs:string"/>
  <xs:element name="size"><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="S"/><xs:enumeration value="L"/></xs:restriction></xs:simpleType></xs:element>
  <xs:simpleType name="wrap"><xs:restriction base="xs:string"><xs:pattern value="[a-z]+"/></xs:restriction></xs:simpleType>
</xs:schema>"#;

fn order(attributes: &str, children: &str) -> String {
    format!("<?xml version='1.0'?>\n<o:order xmlns:o='urn:o' {attributes}>\n{children}</o:order>")
}

fn errors(schema: &Schema, body: &str) -> Vec<String> {
    let document = XmlDocument::parse(body.as_bytes(), &XmlLimits::default()).unwrap().into_static();
    let errors = schema.explain(&document, body.as_bytes(), 20, &Cell::new(usize::MAX));
    assert_eq!(schema.accepts(&document, &Cell::new(usize::MAX)), errors.is_empty(), "{body}");
    errors
}

#[track_caller]
fn check(attributes: &str, children: &str, expected: &[&str]) {
    let schema = Schema::parse(ORDER.as_bytes(), &|_| None).unwrap();
    assert_eq!(errors(&schema, &order(attributes, children)), expected, "{attributes} {children}");
}

#[test]
fn a_document_that_conforms_has_no_errors() {
    check("id='1' fast='0'", "<o:note>x</o:note><count>1</count><gift>x</gift><label/><label/>", &[]);
    check("id='1'", "<count>1</count>", &[]);
}

#[test]
fn strange_elements_are_named_with_what_was_expected() {
    check("id='1'", "<cuont>1</cuont>", &["Element 'cuont': This element is not expected. Expected is one of ( {urn:o}note, count )."]);
    check("id='1'", "<o:note/><cuont>1</cuont>", &["Element 'cuont': This element is not expected. Expected is ( count )."]);
    let expected = ["Element 'x': This element is not expected. Expected is one of ( gift, plain, label )."];
    check("id='1'", "<count>1</count><x/>", &expected);
    check("id='1'", "<count>1</count><plain/><x/>", &["Element 'x': This element is not expected. Expected is ( label )."]);
    check("id='1'", "", &["Element '{urn:o}order': Missing child element(s). Expected is one of ( {urn:o}note, count )."]);
}

#[test]
fn values_that_do_not_fit_are_named_with_their_type() {
    check("id='z'", "<count>1</count>", &["Element '{urn:o}order', attribute 'id': 'z' is not a valid value of the atomic type 'xs:int'."]);
    let local = "Element '{urn:o}order', attribute 'fast': 'maybe' is not a valid value of the local atomic type.";
    check("id='1' fast='maybe'", "<count>1</count>", &[local]);
    let pattern = "Element 'gift': [facet 'pattern'] The value 'X' is not accepted by the pattern '[a-z]+'.";
    check("id='1'", "<count>1</count><gift>X</gift>", &[pattern]);
    let size = Schema::parse(ORDER.as_bytes(), &|_| None).unwrap();
    let listed = "Element '{urn:o}size': [facet 'enumeration'] The value 'M' is not an element of the set {'S', 'L'}.";
    assert_eq!(errors(&size, "<size xmlns='urn:o'>M</size>"), [listed]);
}

#[test]
fn attributes_and_text_are_looked_at() {
    check("", "<count>1</count>", &["Element '{urn:o}order': The attribute 'id' is required but missing."]);
    let strange = "Element '{urn:o}order', attribute 'x': The attribute 'x' is not allowed.";
    check("id='1' x='2'", "<count>1</count>", &[strange]);
    let text = "Element '{urn:o}order': Character content other than whitespace is not allowed because the content type is 'element-only'.";
    check("id='1'", "text<count>1</count>", &[text]);
}

#[test]
fn a_root_that_the_schema_does_not_know_is_an_error() {
    let schema = Schema::parse(ORDER.as_bytes(), &|_| None).unwrap();
    let expected = "Element 'order': No matching global declaration available for the validation root.";
    assert_eq!(errors(&schema, "<order/>"), [expected]);
}

#[test]
fn what_is_no_schema_is_refused() {
    let refused = |text: &str| Schema::parse(text.as_bytes(), &|_| None).err();
    assert_eq!(refused("<xs:schema"), Some(SchemaError::Malformed));
    assert_eq!(refused("<schema/>"), Some(SchemaError::NoSchema));
}

#[test]
fn deep_documents_are_survived() {
    let schema = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:complexType><xs:choice minOccurs="0">
        <xs:sequence><xs:element ref="a"/><xs:element name="b"/></xs:sequence><xs:element ref="a"/></xs:choice></xs:complexType></xs:element></xs:schema>"#;
    let schema = Schema::parse(schema.as_bytes(), &|_| None).unwrap();
    let nested = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
    assert!(errors(&schema, &nested(DEEPEST)).is_empty());
    assert_eq!(errors(&schema, &nested(250)), ["The document has more than 100 levels of elements."]);
}

/// Returns a schema whose root has this content, with a group `pair` of `x` and `y`.
fn with_content(content: &str) -> Result<Schema, SchemaError> {
    let text = format!(
        r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
        <xs:element name="r"><xs:complexType>{content}</xs:complexType></xs:element>
        <xs:group name="pair"><xs:sequence><xs:element name="x" type="xs:int"/><xs:element name="y" minOccurs="0"/></xs:sequence></xs:group>
        </xs:schema>"#
    );
    Schema::parse(text.as_bytes(), &|_| None)
}

#[track_caller]
fn check_children(content: &str, valid: &[&str], invalid: &[&str]) {
    let schema = with_content(content).unwrap();
    let accepts = |children: &str| {
        let body: String = children.split_whitespace().map(|name| format!("<{name}>1</{name}>")).collect();
        errors(&schema, &format!("<r>{body}</r>")).is_empty()
    };
    valid.iter().for_each(|children| assert!(accepts(children), "{content}: {children}"));
    invalid.iter().for_each(|children| assert!(!accepts(children), "{content}: {children}"));
}

#[test]
fn groups_repeat_and_nest() {
    let optional = r#"<xs:sequence minOccurs="0" maxOccurs="3"><xs:sequence minOccurs="0"><xs:element name="a"/><xs:element name="b"/></xs:sequence>
        <xs:element name="c" minOccurs="0"/></xs:sequence>"#;
    check_children(optional, &["", "a b", "c", "a b c a b", "c c c"], &["a", "b", "c c c c", "a b a c"]);
    let choice = r#"<xs:choice maxOccurs="unbounded"><xs:sequence><xs:element name="a"/><xs:element name="b"/></xs:sequence><xs:element name="c"/></xs:choice>"#;
    check_children(choice, &["c", "a b", "a b c c a b"], &["", "a", "b a", "c a"]);
    let group = r#"<xs:sequence><xs:group ref="pair" minOccurs="2" maxOccurs="3"/><xs:element name="z"/></xs:sequence>"#;
    check_children(group, &["x x z", "x y x z", "x y x y x y z"], &["x z", "x x", "x x x x z", "y x x z"]);
    let all = r#"<xs:all><xs:element name="a"/><xs:element name="b" minOccurs="0"/></xs:all>"#;
    check_children(all, &["a", "a b", "b a"], &["", "b", "a a", "a b b"]);
}

#[test]
fn types_are_looked_at_wherever_an_element_stands() {
    let schema = with_content(r#"<xs:sequence minOccurs="0" maxOccurs="2"><xs:group ref="pair"/></xs:sequence>"#).unwrap();
    assert!(errors(&schema, "<r><x>1</x><x>2</x></r>").is_empty());
    assert_eq!(errors(&schema, "<r><x>1</x><x>two</x></r>"), ["Element 'x': 'two' is not a valid value of the atomic type 'xs:int'."]);
}

#[test]
fn ambiguous_and_large_models_cost_little() {
    let ambiguous = r#"<xs:sequence minOccurs="0" maxOccurs="20"><xs:element name="a" minOccurs="0" maxOccurs="20"/></xs:sequence>"#;
    let schema = with_content(ambiguous).unwrap();
    let body = |count: usize| format!("<r>{}</r>", "<a/>".repeat(count));
    let began = std::time::Instant::now();
    assert!(errors(&schema, &body(400)).is_empty());
    assert!(!errors(&schema, &body(401)).is_empty());
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    let many = r#"<xs:sequence><xs:element name="a" maxOccurs="1000000000"/></xs:sequence>"#;
    assert!(errors(&with_content(many).unwrap(), &body(5000)).is_empty());
    let huge = r#"<xs:sequence maxOccurs="90000"><xs:element name="a" maxOccurs="90000"/></xs:sequence>"#;
    assert_eq!(with_content(huge).err(), Some(SchemaError::Wrong(String::from("the content model of a type is too large"))));
}

#[test]
fn a_schema_of_several_documents_is_read_through_the_caller() {
    let main = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:o="urn:o" xmlns:p="urn:p" targetNamespace="urn:o" elementFormDefault="qualified">
        <xs:include schemaLocation="parts/item.xsd"/><xs:import namespace="urn:p" schemaLocation="person.xsd"/>
        <xs:element name="order"><xs:complexType><xs:sequence>
            <xs:sequence minOccurs="0" maxOccurs="2"><xs:element name="item" type="o:item"/><xs:element ref="p:person" minOccurs="0"/></xs:sequence>
        </xs:sequence></xs:complexType></xs:element></xs:schema>"#;
    let item = r#"<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema"><s:complexType name="item"><s:sequence><s:element name="count" type="s:int"/></s:sequence></s:complexType></s:schema>"#;
    let person = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:p" targetNamespace="urn:p"><xs:element name="person" type="name"/>
        <xs:complexType name="name"><xs:sequence><xs:element name="first" minOccurs="0" type="xs:string"/><xs:element name="last" type="xs:string"/></xs:sequence></xs:complexType></xs:schema>"#;
    let read = |name: &str| match name {
        "parts/item.xsd" => Some(item.as_bytes().to_vec()),
        "person.xsd" => Some(person.as_bytes().to_vec()),
        _ => None,
    };
    let schema = Schema::parse(main.as_bytes(), &read).unwrap();
    let accepts = |children: &str| errors(&schema, &format!("<order xmlns='urn:o' xmlns:p='urn:p'>{children}</order>")).is_empty();
    let item = "<item><count xmlns=''>1</count></item>";
    let person = "<p:person><last xmlns=''>x</last></p:person>";
    assert!(accepts("") && accepts(item) && accepts(&format!("{item}{person}{item}{person}")));
    assert!(!accepts(person) && !accepts("<item><count xmlns=''>x</count></item>") && !accepts(&format!("{item}<p:person/>")));
    let error = Schema::parse(main.as_bytes(), &|_| None).err().unwrap().to_string();
    assert!(error.contains(".xsd`, which it names, cannot be read"), "{error}");
}
