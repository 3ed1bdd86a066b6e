//! The limits of bodies: how much of a chunk is taken in, and what happens to the rest.

use crate::engine::Evaluation;
use crate::graph::LimitAction;
use crate::vocabulary::Limit;

/// The longest body that is taken in where there is no limit, in bytes.
const LARGEST_BODY: usize = u32::MAX as usize;

/// A body's limit and how much of it is used.
pub struct BodyLimit {
    /// `Request` or `Response`, for messages.
    pub name: &'static str,
    pub kind: Limit,
    /// In bytes; the largest number for no limit.
    pub limit: usize,
    pub action: LimitAction,
    /// How much was taken in before, in bytes.
    pub gathered: usize,
}

/// What becomes of a chunk.
pub struct Admission {
    /// How many of its bytes are taken in.
    pub taken: usize,
    /// Whether it is longer than the limit allows.
    pub exceeds: bool,
}

/// Decides about a chunk of so many bytes; where the settings say so, the exchange is stopped.
pub fn admit(eval: &mut Evaluation<'_>, length: usize, body: &BodyLimit) -> Admission {
    let name = body.name;
    let space = body.limit.min(LARGEST_BODY).saturating_sub(body.gathered);
    eval.debug(9, || format!("Appending {} body: {length} bytes. Limit set to: {}", name.to_lowercase(), shown_limit(body.limit)));
    if length <= space {
        return Admission { taken: length, exceeds: false };
    }
    eval.exceed(body.kind);
    eval.debug(5, || format!("{name} body is bigger than the maximum expected."));
    let taken = match body.action {
        LimitAction::ProcessPartial => {
            eval.debug(5, || format!("{name} body limit is marked to process partial"));
            space
        }
        LimitAction::Reject => {
            eval.reject(&format!("{name} body limit is marked to reject the request"));
            0
        }
        LimitAction::Ignore => 0,
    };
    Admission { taken, exceeds: true }
}

/// A limit as ModSecurity v3 prints it: a number with six decimals, 0 for none.
pub fn shown_limit(limit: usize) -> String {
    format!("{}.000000", if limit == usize::MAX { 0 } else { limit })
}
