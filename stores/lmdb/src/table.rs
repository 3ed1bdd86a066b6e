//! The database as a table.

use heed::types::Bytes;
use heed::{Database, RoTxn, RwTxn};
use secrule::Down;
use secrule::internals::store::{Pair, Readable, Table};

/// The database, sorted by key.
pub type Entries = Database<Bytes, Bytes>;

/// The table as it is read.
pub struct Reading<'e> {
    pub entries: Entries,
    pub transaction: RoTxn<'e, heed::WithTls>,
}

/// The table as it is changed.
pub struct Writing<'e> {
    pub entries: Entries,
    pub transaction: RwTxn<'e>,
}

/// An error of LMDB.
#[derive(Debug)]
pub struct Failed(heed::Error);

impl From<heed::Error> for Failed {
    fn from(error: heed::Error) -> Self {
        Self(error)
    }
}

impl From<Failed> for Down {
    fn from(Failed(error): Failed) -> Self {
        Down::new(format!("LMDB fails: {error}"))
    }
}

fn first(entries: Entries, transaction: &RoTxn<'_>, prefix: &[u8], from: &[u8]) -> Result<Option<Pair>, Failed> {
    let next = entries.get_greater_than_or_equal_to(transaction, from)?;
    Ok(next.filter(|(key, _)| key.starts_with(prefix)).map(|(key, value)| (key.to_vec(), value.to_vec())))
}

impl Readable for Reading<'_> {
    type Error = Failed;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failed> {
        Ok(self.entries.get(&self.transaction, key)?.map(<[u8]>::to_vec))
    }

    fn first(&self, prefix: &[u8], from: &[u8]) -> Result<Option<Pair>, Failed> {
        first(self.entries, &self.transaction, prefix, from)
    }
}

impl Readable for Writing<'_> {
    type Error = Failed;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Failed> {
        Ok(self.entries.get(&self.transaction, key)?.map(<[u8]>::to_vec))
    }

    fn first(&self, prefix: &[u8], from: &[u8]) -> Result<Option<Pair>, Failed> {
        first(self.entries, &self.transaction, prefix, from)
    }
}

impl Table for Writing<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failed> {
        Ok(self.entries.put(&mut self.transaction, key, value)?)
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Failed> {
        self.entries.delete(&mut self.transaction, key)?;
        Ok(())
    }
}
