//! Open objects of a call, under numbers that Lua keeps: a number of an earlier call is invalid.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Maximum number of open objects of a kind.
const MAX_OPEN: usize = 64;

/// Objects of one kind.
pub struct Handles<T> {
    open: RefCell<BTreeMap<u64, T>>,
    last: Cell<u64>,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self { open: RefCell::default(), last: Cell::new(0) }
    }
}

impl<T> Handles<T> {
    /// Stores an object and returns its number; `None` if there are too many.
    pub fn keep(&self, thing: T) -> Option<f64> {
        let mut open = self.open.borrow_mut();
        if open.len() >= MAX_OPEN {
            return None;
        }
        let number = self.last.get().wrapping_add(1);
        self.last.set(number);
        open.insert(number, thing);
        Some(number as f64)
    }

    /// Passes the object with this number to `look`, if it is open.
    pub fn with<R>(&self, number: f64, look: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.open.borrow_mut().get_mut(&(number as u64)).map(look)
    }

    /// Removes the object with this number.
    pub fn end(&self, number: f64) -> Option<T> {
        self.open.borrow_mut().remove(&(number as u64))
    }

    /// Removes all objects.
    pub fn clear(&self) {
        let mut open = self.open.borrow_mut();
        if !open.is_empty() {
            open.clear();
        }
    }
}
