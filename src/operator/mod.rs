//! Takes an operator and its argument and gives a compiled test on bytes, with captures; imports `pattern` and `prefilter`.
//!
//! [`OperatorKind`] names the operators. [`Operator`] is one with its argument, compiled once and shared by all transactions. A test returns `true`
//! or `false`, and on request [`Findings`] with offsets and captures.
//!
//! Operators that need more than a value (a database, the DNS, the whole body) are run by `engine`; their pure parts are here: [`GeoDatabase`],
//! [`BlockList`].

mod address;
mod block_list;
mod compiled;
mod encoding;
mod error;
mod findings;
mod fuzzy_hash;
mod geography;
mod identity_number;
mod injection;
mod kind;
mod number;
mod piecewise_hash;
mod regular_expression;
mod text;
mod words;

pub use address::{AddressSet, canonical_network};
pub use block_list::{BlockList, BlockListQuestion, Listing};
pub use compiled::{Operator, OperatorLimits};
pub use encoding::{url_encoding_fault, utf8_fault};
pub use error::{DataLine, OperatorError};
pub use findings::{Capture, CapturedValue, Findings, Wanted};
pub use fuzzy_hash::{FuzzyHashArgument, fuzzy_hash_argument};
pub use geography::{GeoDatabase, GeoDatabaseError, Place, Region};
pub use kind::{ArgumentKind, OperatorKind};
pub use number::{Relation, leading_integer};
