//! A body as rules see it.

use secrule::Waf;
use secrule_testkit::host::Exchange;
use std::fmt;

/// A body and the type in its request.
pub struct Body {
    pub content_type: String,
    pub bytes: Vec<u8>,
}

/// The values of a body in rules.
pub struct Seen {
    /// `true` if a flag tells rules that the body could not be read reliably.
    pub is_flagged: bool,
    pub names: Vec<Vec<u8>>,
    pub values: Vec<Vec<u8>>,
    pub files: Vec<Vec<u8>>,
}

/// The engine with rules that record all values.
pub struct Engine(Waf);

impl Engine {
    /// `processor` reads all bodies, or if `None` the one for the type of each.
    pub fn new(processor: Option<&str>, names: &str, values: &str) -> Self {
        let processor = processor.map(|name| format!("SecAction \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor={name}\"\n"));
        let write = |id: u8, target: &str, list: &str| {
            let note = format!("setvar:'tx.{list}=%{{tx.{list}}} %{{MATCHED_VAR}}'");
            format!("SecRule {target} \"@unconditionalMatch\" \"id:{id},phase:2,pass,nolog,t:hexEncode,{note}\"\n")
        };
        let rules = [
            String::from("SecRuleEngine On\nSecRequestBodyAccess On\n"),
            processor.unwrap_or_default(),
            String::from(
                "SecRule REQBODY_ERROR|MULTIPART_STRICT_ERROR|&LIMITS_EXCEEDED \"!@eq 0\" \"id:2,phase:2,pass,nolog,setvar:tx.flag=1\"\n",
            ),
            String::from("SecRule MULTIPART_UNMATCHED_BOUNDARY \"@eq 1\" \"id:3,phase:2,pass,nolog,setvar:tx.flag=1\"\n"),
            write(4, names, "names"),
            write(5, values, "values"),
            write(6, "FILES", "files"),
        ];
        Engine(Waf::builder().without_logs().rules("rules", &rules.concat()).build().unwrap_or_else(|error| panic!("{error}")))
    }

    pub fn read(&self, body: &Body) -> Seen {
        let mut transaction = self.0.transaction_with_id("same");
        let request = Exchange { body: vec![&body.bytes], ..Exchange::new(b"POST", b"/") };
        let _ = request.header("Content-Type", &body.content_type).judge(&mut transaction);
        let list = |name: &str| transaction.tx(name).map(|list| from_hex_list(&list)).unwrap_or_default();
        Seen { is_flagged: transaction.tx("flag").is_some(), names: list("names"), values: list("values"), files: list("files") }
    }
}

/// Returns values in hexadecimal digits, with a blank before each.
fn from_hex_list(list: &str) -> Vec<Vec<u8>> {
    list.split(' ').skip(1).map(from_hex).collect()
}

pub fn from_hex(digits: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap_or_else(|_| panic!("no digits: {digits}"));
    digits.as_bytes().chunks(2).map(byte).collect()
}

/// Returns values for people.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.names.iter().zip(&self.values) {
            write!(f, " {}={}", name.escape_ascii(), value.escape_ascii())?;
        }
        let others = self.values.iter().skip(self.names.len()).chain(&self.files);
        others.map(|value| value.escape_ascii()).try_for_each(|value| write!(f, " {value}"))
    }
}
