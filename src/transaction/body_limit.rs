//! The limits of bodies: the bytes of a chunk that are accepted, and the action for the rest.

use crate::engine::Evaluation;
use crate::graph::LimitAction;
use crate::vocabulary::Limit;

/// Maximum length of a body if there is no limit, in bytes.
const LARGEST_BODY: usize = u32::MAX as usize;

/// The limit of a body, and the bytes accepted so far.
pub struct BodyLimit {
    /// `Request` or `Response`, for messages.
    pub name: &'static str,
    pub kind: Limit,
    /// Limit in bytes; the largest number for no limit.
    pub limit: usize,
    pub action: LimitAction,
    /// Number of bytes accepted so far.
    pub gathered: usize,
}

/// Result for a chunk.
pub struct Admission {
    /// Number of its bytes that are accepted.
    pub taken: usize,
    /// `true` if it exceeds the limit.
    pub exceeds: bool,
}

/// Checks a chunk of this length against the limit, and stops the exchange if the settings say so.
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

/// Returns a limit as ModSecurity v3 prints it: a number with six decimals, 0 for none.
pub fn shown_limit(limit: usize) -> String {
    format!("{}.000000", if limit == usize::MAX { 0 } else { limit })
}
