//! Operators that need more than a value.

#[cfg(feature = "xml-validation")]
use crate::body::xml::{Dtd, DtdError, Schema, SchemaError};
use crate::operator::BlockList;
use crate::script::Script;
use std::path::PathBuf;

/// An operator that a transaction runs, because it needs data outside of the value, or the whole body.
#[derive(Debug)]
#[non_exhaustive]
pub enum Lookup {
    /// `@geoLookup`: in the database of [`Settings::geo_database`](super::Settings); fills GEO.
    Place,
    /// `@rbl`: in a block list in the DNS.
    BlockList(BlockList),
    /// `@inspectFile`: a program, with the value as its only argument.
    Program(PathBuf),
    /// `@inspectFile`: a Lua script, with the value.
    Script(Script),
    /// `@validateDTD`: matches an XML body that does not conform to the DTD. With an unusable DTD it matches every body.
    #[cfg(feature = "xml-validation")]
    Dtd(Result<Box<Dtd>, DtdError>),
    /// `@validateSchema`: the same with an XML schema.
    #[cfg(feature = "xml-validation")]
    Schema(Result<Box<Schema>, SchemaError>),
}
