//! An ordered table of bytes: all that a store on this machine needs of what keeps its entries.

use super::Down;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Bound;

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// A table of keys and values, sorted by key, as it is read.
pub trait Readable {
    /// Why a call failed.
    type Error: Into<Down>;

    /// Returns the value of a key.
    ///
    /// # Errors
    /// If the table cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Returns the first key that is not below `from`, and its value, if it begins with `prefix`.
    ///
    /// # Errors
    /// If the table cannot be read.
    fn first(&self, prefix: &[u8], from: &[u8]) -> Result<Option<Pair>, Self::Error>;
}

/// A table that is changed. Calls see the changes of earlier ones.
pub trait Table: Readable {
    /// Sets the value of a key.
    ///
    /// # Errors
    /// If the table cannot be written.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Self::Error>;

    /// Removes a key, if it is there.
    ///
    /// # Errors
    /// If the table cannot be written.
    fn remove(&mut self, key: &[u8]) -> Result<(), Self::Error>;
}

impl Readable for BTreeMap<Box<[u8]>, Box<[u8]>> {
    type Error = Infallible;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(BTreeMap::get(self, key).map(|value| value.to_vec()))
    }

    fn first(&self, prefix: &[u8], from: &[u8]) -> Result<Option<Pair>, Infallible> {
        let mut following = self.range::<[u8], _>((Bound::Included(from), Bound::Unbounded));
        let next = following.next().filter(|(key, _)| key.starts_with(prefix));
        Ok(next.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }
}

impl Table for BTreeMap<Box<[u8]>, Box<[u8]>> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Infallible> {
        match self.get_mut(key) {
            Some(known) => *known = value.into(),
            None => drop(self.insert(key.into(), value.into())),
        }
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Infallible> {
        BTreeMap::remove(self, key);
        Ok(())
    }
}
