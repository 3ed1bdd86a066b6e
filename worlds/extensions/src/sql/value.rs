//! Results of queries.

/// Limit of the values of a result, in bytes.
pub(super) const MAX_RESULT: usize = 16 << 20;

/// A result: columns by name, and rows with a value for each column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Names of the columns: as given, and in lower case where they were written without quotation marks.
    pub columns: Vec<String>,
    /// Rows in the order of the database. Each has as many values as there are columns.
    pub rows: Vec<Vec<Value>>,
    /// `true` if rows were left out, because of [`Query::limit`](super::Query::limit) or because the values exceed 16 MiB.
    pub is_cut: bool,
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `NULL`, or `null` of JSON.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number. `numeric` of PostgreSQL is one where it is whole and fits.
    Integer(i64),
    /// A number. `numeric` with a fraction is the nearest one, because `avg` gives it and scripts compare it.
    Real(f64),
    /// A text, a time as the database writes it, or bytes. PostgreSQL's whole numbers beyond 64 bits, too.
    Text(Vec<u8>),
    /// An array of PostgreSQL or JSON.
    List(Vec<Value>),
    /// An object of JSON, sorted by name.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// Makes a text.
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Text(text.into())
    }

    /// Reads JSON. What is not JSON, or is nested more than 128 levels deep, is a text.
    pub(super) fn from_json(text: &[u8]) -> Self {
        serde_json::from_slice(text).map_or_else(|_| Self::text(text), Self::from_tree)
    }

    fn from_tree(tree: serde_json::Value) -> Self {
        match tree {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(is_true) => Self::Boolean(is_true),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Integer(number),
                None => Self::Real(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Array(values) => Self::List(values.into_iter().map(Self::from_tree).collect()),
            serde_json::Value::Object(map) => Self::Map(map.into_iter().map(|(name, value)| (name, Self::from_tree(value))).collect()),
        }
    }

    /// Returns what the value takes in memory, in bytes.
    fn size(&self) -> usize {
        let own = size_of::<Self>();
        match self {
            Self::Text(text) => own + text.len(),
            Self::List(values) => own + values.iter().map(Self::size).sum::<usize>(),
            Self::Map(values) => own + values.iter().map(|(name, value)| size_of::<String>() + name.len() + value.size()).sum::<usize>(),
            _ => own,
        }
    }
}

/// Collects rows up to the limits of a query.
pub(super) struct Collector {
    rows: Rows,
    limit: usize,
    left: usize,
}

impl Collector {
    pub fn new(columns: Vec<String>, limit: usize) -> Self {
        Self { rows: Rows { columns, ..Rows::default() }, limit, left: MAX_RESULT }
    }

    /// Takes a row, or returns `false` if the limits leave it and all that follow out.
    pub fn add(&mut self, row: Vec<Value>) -> bool {
        let size = size_of::<Vec<Value>>() + row.iter().map(Value::size).sum::<usize>();
        if self.rows.rows.len() >= self.limit || size > self.left {
            self.rows.is_cut = true;
            return false;
        }
        self.left -= size;
        self.rows.rows.push(row);
        true
    }

    /// Returns the number of rows.
    #[cfg(feature = "postgres")]
    pub fn len(&self) -> usize {
        self.rows.rows.len()
    }

    pub fn into_rows(self) -> Rows {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_a_tree() {
        let read = Value::from_json(br#"{"b": [1, 2.5, "x", null, true], "a": {}}"#);
        let list = vec![Value::Integer(1), Value::Real(2.5), Value::text("x"), Value::Null, Value::Boolean(true)];
        assert_eq!(read, Value::Map(vec![("a".to_owned(), Value::Map(Vec::new())), ("b".to_owned(), Value::List(list))]));
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert_eq!(Value::from_json(&deep), Value::Text(deep));
    }

    #[test]
    fn rows_beyond_the_limit_or_beyond_the_bytes_are_left_out() {
        let mut collector = Collector::new(vec!["a".into()], 2);
        assert!(collector.add(vec![Value::Null]) && collector.add(vec![Value::Null]) && !collector.add(vec![Value::Null]));
        assert!(collector.into_rows().is_cut);
        let mut collector = Collector::new(vec!["a".into()], 20);
        let megabytes = || vec![Value::Text(vec![b'a'; 6 << 20])];
        assert!(collector.add(megabytes()) && collector.add(megabytes()) && !collector.add(megabytes()));
        let rows = collector.into_rows();
        assert_eq!((rows.rows.len(), rows.is_cut), (2, true));
    }
}
