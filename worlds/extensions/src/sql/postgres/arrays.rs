//! Arrays of PostgreSQL, as it writes them: `{1,NULL,"a \"b\"",{2}}`, and `[0:1]={1,2}` where they do not begin at 1.

use super::super::value::Value;

/// Limit of dimensions: PostgreSQL's own is 6.
const MAX_DEPTH: usize = 6;

/// Reads an array, or returns `None` if it is not one.
pub(super) fn array(text: &[u8], element: impl Fn(&[u8]) -> Value) -> Option<Value> {
    let start = if text.first() == Some(&b'[') { text.iter().position(|byte| *byte == b'=')? + 1 } else { 0 };
    let mut reader = Reader { rest: text.get(start..)?, element };
    let value = reader.list(MAX_DEPTH)?;
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a, F> {
    rest: &'a [u8],
    element: F,
}

impl<F: Fn(&[u8]) -> Value> Reader<'_, F> {
    fn list(&mut self, depth: usize) -> Option<Value> {
        let mut values = Vec::new();
        if self.next()? != b'{' || depth == 0 {
            return None;
        }
        if self.rest.first() == Some(&b'}') {
            self.next()?;
            return Some(Value::List(values));
        }
        loop {
            values.push(match self.rest.first()? {
                b'{' => self.list(depth - 1)?,
                b'"' => self.quoted()?,
                _ => self.plain()?,
            });
            match self.next()? {
                b',' => {}
                b'}' => return Some(Value::List(values)),
                _ => return None,
            }
        }
    }

    fn quoted(&mut self) -> Option<Value> {
        self.next()?;
        let mut text = Vec::new();
        loop {
            match self.next()? {
                b'"' => return Some((self.element)(&text)),
                b'\\' => text.push(self.next()?),
                byte => text.push(byte),
            }
        }
    }

    fn plain(&mut self) -> Option<Value> {
        let end = self.rest.iter().position(|byte| matches!(byte, b',' | b'}'))?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(if text.eq_ignore_ascii_case(b"NULL") { Value::Null } else { (self.element)(text) })
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_lists() {
        let read = |text: &str| array(text.as_bytes(), |text| Value::text(text));
        let list = |values: &[Value]| Some(Value::List(values.to_vec()));
        let text = |text: &str| Value::text(text);
        assert_eq!(read("{}"), list(&[]));
        assert_eq!(read("{443,NULL,\"NULL\"}"), list(&[text("443"), Value::Null, text("NULL")]));
        assert_eq!(read(r#"{"a,b","c\"\\d",e f}"#), list(&[text("a,b"), text("c\"\\d"), text("e f")]));
        assert_eq!(read("[0:1]={1,2}"), list(&[text("1"), text("2")]));
        assert_eq!(read("{{1},{2}}"), list(&[Value::List(vec![text("1")]), Value::List(vec![text("2")])]));
        for wrong in ["", "{", "{1", "{1}x", "{\"", "1", "{1}{", "[0:1]", "{{{{{{{1}}}}}}}"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
