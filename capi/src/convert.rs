//! Conversions between C and Rust: strings and bytes in both directions; no panic reaches C.

use std::ffi::{CStr, c_char, c_uchar, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the work of one call. A panic ends here: Rust's panic hook reports it on standard error, and the host gets `otherwise`.
pub fn guarded<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    // A panic may leave a transaction or a rule set unfinished; their owners handle that behind their locks.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(otherwise)
}

/// Returns the bytes of a NUL-terminated string; empty for NULL.
///
/// # Safety
///
/// `text` is NULL or points to NUL-terminated bytes that do not change as long as the result is used.
pub unsafe fn string<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: the caller promises a NUL-terminated string.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// Returns the bytes of a string of unsigned characters.
///
/// # Safety
///
/// As for [`string`].
pub unsafe fn unsigned_string<'a>(text: *const c_uchar) -> &'a [u8] {
    // SAFETY: the caller promises the same.
    unsafe { string(text.cast()) }
}

/// Returns `length` bytes; empty for NULL.
///
/// # Safety
///
/// `bytes` is NULL or points to `length` bytes that do not change as long as the result is used.
pub unsafe fn bytes<'a>(bytes: *const c_uchar, length: usize) -> &'a [u8] {
    // No object is larger than that: a larger length is a host's negative number.
    if bytes.is_null() || isize::try_from(length).is_err() {
        return &[];
    }
    // SAFETY: the caller promises `length` readable bytes.
    unsafe { std::slice::from_raw_parts(bytes, length) }
}

/// Returns a copy for the host, which releases it with `free`; NULL if there is no memory. A NUL byte in the text ends it for most readers.
pub fn copy_for_host(text: &[u8]) -> *mut c_char {
    let Some(size) = text.len().checked_add(1) else { return std::ptr::null_mut() };
    // SAFETY: the memory is large enough for the text and its NUL, and has no other user yet.
    unsafe {
        let copy = libc::malloc(size).cast::<u8>();
        if !copy.is_null() {
            std::ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
            copy.add(text.len()).write(0);
        }
        copy.cast()
    }
}

/// Releases a copy of [`copy_for_host`].
///
/// # Safety
///
/// `copy` is NULL, or came from `malloc` and is not used again.
pub unsafe fn release(copy: *mut c_void) {
    // SAFETY: the caller promises that this came from `malloc`.
    unsafe { libc::free(copy) }
}

/// Makes a handle that the host owns.
pub fn into_raw<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Takes a handle and its content back; `None` for NULL.
///
/// # Safety
///
/// `handle` is NULL, or came from [`into_raw`] and is not used again.
pub unsafe fn from_raw<T>(handle: *mut T) -> Option<Box<T>> {
    // SAFETY: the caller promises that this is a handle of ours, and its last use.
    (!handle.is_null()).then(|| unsafe { Box::from_raw(handle) })
}

/// Returns free memory to the system, which glibc does only when the end of its heap happens to be free.
pub fn return_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: this only uses the allocator's own data, under its locks.
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
        let (max, one) = (std::hint::black_box(u8::MAX), std::hint::black_box(1));
        assert_eq!(guarded(-1, || i32::from(max + one)), -1);
    }

    #[test]
    fn null_and_negative_lengths_are_empty() {
        // SAFETY: NULL is allowed, and the one pointer with a length points to that many bytes or is not read.
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
        // SAFETY: the copy is a string of ours, and is released once.
        unsafe {
            assert_eq!(string(copy), b"text");
            release(copy.cast());
        }
    }
}
