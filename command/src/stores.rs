//! The kinds of stores that this build has.

use secrule::{StoreKind, WafBuilder};

/// The kinds, besides memory.
pub const KINDS: &[StoreKind] = &[
    #[cfg(feature = "lmdb")]
    secrule_lmdb::LmdbStore::KIND,
    #[cfg(feature = "redis")]
    secrule_redis::RedisStore::KIND,
];

/// Adds all kinds to a builder.
pub fn known(builder: WafBuilder) -> WafBuilder {
    KINDS.iter().fold(builder, |builder, kind| builder.store_kind(*kind))
}
