//! What the fuzz targets share: how bytes become rules and requests, and how the ends of two transactions are compared.

pub mod draw;
#[path = "../../tests/common/ending.rs"]
pub mod ending;
pub mod pattern;
pub mod plan;
pub mod request;
pub mod rules;
pub mod words;
