//! Rules to load, and options for compiling them.

use crate::graph::PlanPart;
use std::error::Error;
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// An input of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// A rule file.
    File(PathBuf),
    /// Rules as text; `name` is its name in messages.
    Text {
        /// The name in messages.
        name: String,
        /// The rules.
        text: String,
    },
    /// Rules as bytes, which should be UTF-8; `name` is their name in messages.
    Bytes {
        /// The name in messages.
        name: String,
        /// The rules.
        bytes: Vec<u8>,
    },
    /// Rules at an https address.
    Remote {
        /// The address, which is also the name in messages.
        address: String,
        /// The key for the server.
        key: String,
    },
    /// Several inputs that are one load, as if one file included them. Rule sets that inherit them share them.
    Group(Arc<[Input]>),
}

/// Options for compiling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Use of a plan, which changes only the time of verdicts.
    pub planning: Planning,
}

/// Use of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planning {
    /// Rules run as seldom as possible.
    #[default]
    On,
    /// The same without one part of the plan.
    Without(PlanPart),
    /// Every rule tests every value, for comparison.
    Off,
}

impl Planning {
    /// All uses, by their names.
    const NAMES: [(&str, Self); 7] = [
        ("on", Self::On),
        ("off", Self::Off),
        ("no-prefilters", Self::Without(PlanPart::Prefilters)),
        ("no-tx-steps", Self::Without(PlanPart::TxSteps)),
        ("no-scan-memo", Self::Without(PlanPart::ScanMemo)),
        ("no-early-bodies", Self::Without(PlanPart::EarlyBodies)),
        ("no-warm-up", Self::Without(PlanPart::WarmUp)),
    ];

    /// Returns the part of the plan that is left out, if any; `None` if there is no plan.
    pub fn left_out(self) -> Option<Option<PlanPart>> {
        match self {
            Planning::On => Some(None),
            Planning::Without(part) => Some(Some(part)),
            Planning::Off => None,
        }
    }
}

impl FromStr for Planning {
    type Err = UnknownPlanning;

    fn from_str(name: &str) -> Result<Self, UnknownPlanning> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, planning)| *planning).ok_or(UnknownPlanning)
    }
}

/// A name that is no use of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPlanning;

impl Display for UnknownPlanning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Planning::NAMES.map(|(name, _)| name);
        write!(formatter, "unknown plan; one of {}", names.join(", "))
    }
}

impl Error for UnknownPlanning {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_use_has_a_name() {
        assert_eq!("on".parse(), Ok(Planning::default()));
        assert_eq!("no-scan-memo".parse(), Ok(Planning::Without(PlanPart::ScanMemo)));
        let unknown = "maybe".parse::<Planning>().unwrap_err().to_string();
        assert_eq!(unknown, "unknown plan; one of on, off, no-prefilters, no-tx-steps, no-scan-memo, no-early-bodies, no-warm-up");
    }
}
