//! The Lua states of a thread, kept for its next call.

use super::state::State;
use super::{Call, Failure, Host, Returned};
use std::cell::RefCell;

thread_local! {
    /// The state without a sandbox, and the one with a sandbox.
    static STATES: RefCell<[Option<Box<State>>; 2]> = const { RefCell::new([None, None]) };
}

/// Runs a script in the thread's state; a state that a script spoiled is not reused.
pub fn run(call: &Call<'_>, host: &mut dyn Host) -> Result<Returned, Failure> {
    let place = usize::from(call.sandboxed);
    let kept = STATES.try_with(|states| states.try_borrow_mut().ok()?.get_mut(place)?.take()).ok().flatten();
    let mut state = match kept {
        Some(state) => state,
        None => Box::new(State::new(call.sandboxed).map_err(|error| Failure::Script(error.to_string()))?),
    };
    let result = state.run(call, host);
    if state.is_sound() {
        // A thread that is ending keeps no state.
        let _ = STATES.try_with(|states| {
            if let Some(kept) = states.try_borrow_mut().ok().as_mut().and_then(|states| states.get_mut(place)) {
                *kept = Some(state);
            }
        });
    }
    result
}
