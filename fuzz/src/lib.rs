//! What the fuzz targets share: how bytes become rules and requests, and how the ends of two transactions are compared.

pub mod differences;
pub mod differential;
pub mod draw;
pub mod host;
pub mod message;
pub mod pattern;
pub mod peer;
pub mod plain;
pub mod plan;
pub mod random;
pub mod reduce;
pub mod request;
pub mod rules;
pub mod script;
pub mod shared_rules;
pub mod words;
