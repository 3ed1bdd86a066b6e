#![forbid(unsafe_code)]
pub mod diagnostic;
pub mod seclang;
pub mod source;
pub mod vocabulary;
