//! What each process makes for itself: a host may load rules and then fork, and a child must not use the threads, files and connections of its parent.

use arc_swap::ArcSwapOption;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// A value that is made by the first use in each process. Later uses take no lock.
pub struct OncePerProcess<T> {
    made: ArcSwapOption<(u32, Arc<T>)>,
    /// Held while it is made.
    making: Mutex<()>,
}

impl<T> OncePerProcess<T> {
    /// Nothing is made yet.
    pub fn new() -> Self {
        Self { made: ArcSwapOption::empty(), making: Mutex::new(()) }
    }

    /// Returns the value of this process, if it is made.
    pub fn made(&self) -> Option<Arc<T>> {
        let process = std::process::id();
        self.made.load().as_ref().filter(|made| made.0 == process).map(|made| Arc::clone(&made.1))
    }

    /// Takes out the value that a parent process made: where a child can close it without harm to the parent, it should.
    pub fn take_inherited(&self) -> Option<Arc<T>> {
        let process = std::process::id();
        let inherited = self.made.load_full().filter(|made| made.0 != process)?;
        self.made.compare_and_swap(&inherited, None);
        Some(Arc::clone(&inherited.1))
    }

    /// Returns the value of this process, and makes it if there is none. That of a parent process is left alone: dropping it would close what the parent
    /// still uses.
    ///
    /// # Errors
    /// If it cannot be made; the next use tries again.
    pub fn get_or_make<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        match self.made() {
            Some(made) => Ok(made),
            None => self.make_under(self.making.lock().unwrap_or_else(PoisonError::into_inner), make),
        }
    }

    /// As [`get_or_make`](Self::get_or_make), but returns `None` at once while another thread makes it.
    ///
    /// # Errors
    /// If it cannot be made; the next use tries again.
    pub fn try_get_or_make<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Option<Arc<T>>, E> {
        if let Some(made) = self.made() {
            return Ok(Some(made));
        }
        match self.making.try_lock() {
            Ok(making) => self.make_under(making, make).map(Some),
            Err(TryLockError::Poisoned(making)) => self.make_under(making.into_inner(), make).map(Some),
            Err(TryLockError::WouldBlock) => Ok(None),
        }
    }

    fn make_under<E>(&self, _making: MutexGuard<'_, ()>, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        if let Some(made) = self.made() {
            return Ok(made);
        }
        let value = Arc::new(make()?);
        let made = Arc::new((std::process::id(), Arc::clone(&value)));
        if let Some(of_parent) = self.made.swap(Some(made)) {
            std::mem::forget(of_parent);
        }
        Ok(value)
    }
}

impl<T> Drop for OncePerProcess<T> {
    fn drop(&mut self) {
        let made = self.made.swap(None);
        if let Some(of_parent) = made.filter(|made| made.0 != std::process::id()) {
            std::mem::forget(of_parent);
        }
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
        assert_eq!(value.made(), None);
        assert_eq!(value.get_or_make(|| Ok::<_, ()>(1)).map(|value| *value), Ok(1));
        assert_eq!(value.get_or_make(|| Ok::<_, ()>(2)).map(|value| *value), Ok(1));
        assert_eq!(value.made().map(|value| *value), Some(1));
    }
}
