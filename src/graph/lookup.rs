//! Operators that look at more than a value.

use crate::body::xml::{Dtd, DtdError, Schema, SchemaError};
use crate::operator::BlockList;
use crate::script::Script;
use std::path::PathBuf;

/// An operator that a transaction runs, since it looks something up outside of the value, or in the whole body.
#[derive(Debug)]
#[non_exhaustive]
pub enum Lookup {
    /// `@geoLookup`: in the database of [`Settings::geo_database`](super::Settings); fills GEO.
    Place,
    /// `@rbl`: in a block list in the DNS.
    BlockList(BlockList),
    /// `@inspectFile`: a program, given the value as its one argument.
    Program(PathBuf),
    /// `@inspectFile`: a Lua script, given the value.
    Script(Script),
    /// `@validateDTD`: whether the XML body does not follow a DTD. One that cannot be used is followed by no body.
    Dtd(Result<Box<Dtd>, DtdError>),
    /// `@validateSchema`: the same with an XML schema.
    Schema(Result<Box<Schema>, SchemaError>),
}
