//! What each process makes for itself: a host may load rules and then fork, and a child must not use the threads, files and connections of its parent.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A value that is made by the first use in each process.
pub struct OncePerProcess<T> {
    made: Mutex<Option<(u32, Arc<T>)>>,
}

impl<T> OncePerProcess<T> {
    /// Nothing is made yet.
    pub const fn new() -> Self {
        Self { made: Mutex::new(None) }
    }

    /// Returns the value of this process, and makes it if there is none. That of a parent process is left alone: dropping it would close what the parent
    /// still uses.
    ///
    /// # Errors
    /// If it cannot be made; the next use tries again.
    pub fn get_or_make<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let process = std::process::id();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((maker, value)) if *maker == process => return Ok(Arc::clone(value)),
            _ => {}
        }
        let value = Arc::new(make()?);
        if let Some(of_parent) = made.replace((process, Arc::clone(&value))) {
            std::mem::forget(of_parent);
        }
        Ok(value)
    }
}

impl<T> Default for OncePerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for OncePerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OncePerProcess").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_again_after_a_failure() {
        let value = OncePerProcess::new();
        assert_eq!(value.get_or_make(|| Err::<u8, _>("not now")), Err("not now"));
        assert_eq!(value.get_or_make(|| Ok::<_, ()>(1)).map(|value| *value), Ok(1));
        assert_eq!(value.get_or_make(|| Ok::<_, ()>(2)).map(|value| *value), Ok(1));
    }
}
