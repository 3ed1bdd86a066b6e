use super::*;

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
    let errors = schema.explain(&document, body.as_bytes(), 20);
    assert_eq!(schema.accepts(&document), errors.is_empty(), "{body}");
    errors
}

#[track_caller]
fn check(attributes: &str, children: &str, expected: &[&str]) {
    let schema = Schema::parse(ORDER.as_bytes(), None).unwrap();
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
    let size = Schema::parse(ORDER.as_bytes(), None).unwrap();
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
    let schema = Schema::parse(ORDER.as_bytes(), None).unwrap();
    let expected = "Element 'order': No matching global declaration available for the validation root.";
    assert_eq!(errors(&schema, "<order/>"), [expected]);
}

#[test]
fn what_is_no_schema_is_refused() {
    let refused = |text: &str| Schema::parse(text.as_bytes(), None).err();
    assert_eq!(refused("<xs:schema"), Some(SchemaError::Malformed));
    assert_eq!(refused("<schema/>"), Some(SchemaError::NoSchema));
}

#[test]
fn deep_documents_are_survived() {
    let schema = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:complexType><xs:choice minOccurs="0">
        <xs:sequence><xs:element ref="a"/><xs:element name="b"/></xs:sequence><xs:element ref="a"/></xs:choice></xs:complexType></xs:element></xs:schema>"#;
    let schema = Schema::parse(schema.as_bytes(), None).unwrap();
    let nested = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
    assert!(!errors(&schema, &nested(DEEPEST)).is_empty());
    assert_eq!(errors(&schema, &nested(250)), ["The document has more than 100 levels of elements."]);
}
