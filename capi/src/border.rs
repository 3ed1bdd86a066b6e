//! What crosses the border: strings and bytes in both directions, and no panic.

use std::ffi::{CStr, c_char, c_uchar, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the work of one call. A panic ends here: it is reported on standard error by Rust's panic hook, and the host gets `otherwise`.
pub fn guarded<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    // What a panic leaves half done is a transaction or a rule set behind its own lock; their owners look after that.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

/// The bytes of a string that ends with NUL; none for NULL.
///
/// # Safety
///
/// `text` is NULL or points to bytes that end with NUL and stay as they are for as long as the result is used.
pub unsafe fn string<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: the caller promises a NUL-terminated string.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// The same for the hosts' unsigned characters.
///
/// # Safety
///
/// As for [`string`].
pub unsafe fn unsigned_string<'a>(text: *const c_uchar) -> &'a [u8] {
    // SAFETY: the caller's promise is handed on.
    unsafe { string(text.cast()) }
}

/// So many bytes; none for NULL.
///
/// # Safety
///
/// `bytes` is NULL or points to `length` bytes that stay as they are for as long as the result is used.
pub unsafe fn bytes<'a>(bytes: *const c_uchar, length: usize) -> &'a [u8] {
    // No object is larger than that, so that a larger length is a host's negative number.
    if bytes.is_null() || isize::try_from(length).is_err() {
        return &[];
    }
    // SAFETY: the caller promises `length` readable bytes.
    unsafe { std::slice::from_raw_parts(bytes, length) }
}

/// A copy for the host, which releases it with `free`. NULL when there is no memory. A NUL byte in the text ends it for most readers.
pub fn copy_for_host(text: &[u8]) -> *mut c_char {
    let Some(size) = text.len().checked_add(1) else { return std::ptr::null_mut() };
    // SAFETY: the memory is large enough for the text and its NUL, and nobody else knows it yet.
    unsafe {
        let copy = libc::malloc(size).cast::<u8>();
        if !copy.is_null() {
            std::ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
            copy.add(text.len()).write(0);
        }
        copy.cast()
    }
}

/// Releases what [`copy_for_host`] made.
///
/// # Safety
///
/// `copy` is NULL, or came from `malloc` and is not used again.
pub unsafe fn release(copy: *mut c_void) {
    // SAFETY: the caller promises that this is `malloc`'s.
    unsafe { libc::free(copy) }
}

/// Makes a handle that the host owns.
pub fn hand_out<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Takes a handle back with what it holds; `None` for NULL.
///
/// # Safety
///
/// `handle` is NULL, or came from [`hand_out`] and is not used again.
pub unsafe fn take_back<T>(handle: *mut T) -> Option<Box<T>> {
    // SAFETY: the caller promises that the handle is one of ours and its last use.
    (!handle.is_null()).then(|| unsafe { Box::from_raw(handle) })
}

/// Gives memory that is free back to the system, which glibc puts off until the end of its heap happens to be free.
pub fn return_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: this only looks at the allocator's own books, under its locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_other_answer() {
        assert_eq!(guarded(-1, || panic!("a test")), -1);
        assert_eq!(guarded(-1, || 1), 1);
    }

    #[test]
    fn a_sum_that_does_not_fit_becomes_the_other_answer() {
        let (most, one) = (std::hint::black_box(u8::MAX), std::hint::black_box(1));
        assert_eq!(guarded(-1, || i32::from(most + one)), -1);
    }

    #[test]
    fn null_and_negative_lengths_are_empty() {
        // SAFETY: NULL is allowed, and the one pointer with a length points to so many bytes or is not read.
        unsafe {
            assert_eq!(string(std::ptr::null()), b"");
            assert_eq!(bytes(std::ptr::null(), 7), b"");
            assert_eq!(bytes(b"abc".as_ptr(), usize::MAX), b"");
            assert_eq!(bytes(b"abc".as_ptr(), 2), b"ab");
        }
    }

    #[test]
    fn a_copy_ends_with_nul_and_is_the_hosts() {
        let copy = copy_for_host(b"text");
        // SAFETY: the copy is a string of ours, released once.
        unsafe {
            assert_eq!(string(copy), b"text");
            release(copy.cast());
        }
    }
}
