//! The variables that every record of a persistent collection has.

/// A variable that every record has which a transaction opens, as in ModSecurity v2. Rules may set the timeout; the others are read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordField {
    /// Time of its creation, in seconds since 1970.
    CreateTime,
    /// 1 if no earlier transaction wrote to it, otherwise 0.
    IsNew,
    /// Its key.
    Key,
    /// Time of its last change, in seconds since 1970.
    LastUpdateTime,
    /// Time without a change after which it is removed, in seconds. Rules that set it to 0 remove the record; with `SecCollectionTimeout 0` it is 0
    /// and has no end.
    Timeout,
    /// Number of earlier transactions that changed it.
    UpdateCounter,
    /// Average number of changes per minute since its creation; 0 in the first second.
    UpdateRate,
}

impl RecordField {
    /// All of them, sorted by name.
    pub const ALL: [Self; 7] =
        [Self::CreateTime, Self::IsNew, Self::Key, Self::LastUpdateTime, Self::Timeout, Self::UpdateCounter, Self::UpdateRate];

    /// Returns its name, in upper case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateTime => "CREATE_TIME",
            Self::IsNew => "IS_NEW",
            Self::Key => "KEY",
            Self::LastUpdateTime => "LAST_UPDATE_TIME",
            Self::Timeout => "TIMEOUT",
            Self::UpdateCounter => "UPDATE_COUNTER",
            Self::UpdateRate => "UPDATE_RATE",
        }
    }

    /// Returns the one with this name, in any case.
    pub fn find(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name().as_bytes().eq_ignore_ascii_case(name))
    }
}
