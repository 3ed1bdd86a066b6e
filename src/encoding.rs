//! Numbers and byte strings in a row, as bytes: for entries of a store, and for messages between processes.

/// Appends parts.
#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

/// Reads parts, in the order in which they were appended.
#[derive(Debug)]
pub struct Reader<'b>(pub &'b [u8]);

impl Writer {
    /// Appends a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Appends bytes with their length.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends bytes that may be missing.
    pub fn option(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        self.0.push(u8::from(bytes.is_some()));
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self,
        }
    }
}

impl<'b> Reader<'b> {
    /// Reads a number.
    pub fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    /// Reads bytes with their length.
    pub fn bytes(&mut self) -> Option<&'b [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (bytes, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Reads bytes that may be missing.
    pub fn option(&mut self) -> Option<Option<&'b [u8]>> {
        let (is_there, rest) = self.0.split_first()?;
        self.0 = rest;
        if *is_there == 0 { Some(None) } else { self.bytes().map(Some) }
    }
}
