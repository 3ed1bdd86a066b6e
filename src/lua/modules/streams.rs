//! Compressed streams, for `zlib`. Output counts as memory of the call while it is put together, so that a decompression bomb ends the call.

use super::handles::Handles;
use crate::lua::budget::{Budget, Excess};
use crate::lua::strings::{stopped, string};
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};
use mlua::{Lua, LuaString, Result, Table};
use std::rc::Rc;

/// Memory of a stream, in bytes.
const INFLATING: usize = 64 << 10;
const DEFLATING: usize = 384 << 10;

/// Output bytes at a time. Each piece costs `WORK` times its length in bytes of linear work.
const PIECE: usize = 32 << 10;
const WORK: usize = 8;

/// The magic bytes of a gzip file, its only method, its header flags, and the number of an unknown system.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const DEFLATE: u8 = 8;
const SUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const UNKNOWN_SYSTEM: u8 = 255;

/// Error for data without a gzip header.
const NO_HEAD: &str = "DataError: incorrect header check";

/// Format around the compressed data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrapping {
    Raw,
    Zlib,
    Gzip,
    /// One of the last two, detected by the first byte.
    Found,
}

/// The open streams of a call.
#[derive(Default)]
pub struct Streams {
    inflating: Handles<Inflating>,
    deflating: Handles<Deflating>,
}

impl Streams {
    /// Closes all streams.
    pub fn close(&self) {
        self.inflating.clear();
        self.deflating.clear();
    }
}

struct Inflating {
    wrapping: Wrapping,
    stage: Stage,
    /// `None` before the first byte, and while the gzip header is read.
    engine: Option<Decompress>,
    /// Bytes of an incomplete header or gzip trailer.
    waiting: Vec<u8>,
    sum: Crc,
    read: usize,
    written: usize,
}

struct Deflating {
    engine: Compress,
    wrapping: Wrapping,
    sum: Crc,
    is_begun: bool,
    read: usize,
    written: usize,
}

/// Part of a stream that is read next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Body,
    Tail,
    Ended,
}

/// Result of a piece.
struct Step {
    output: Vec<u8>,
    is_ended: bool,
    /// Numbers of bytes read and written since the stream began.
    read: usize,
    written: usize,
}

/// Adds `inflate`, `deflate`, and their steps. The format is given as zlib's `windowBits`.
pub fn add(lua: &Lua, part: &Table, streams: &Rc<Streams>, budget: &Rc<Budget>) -> Result<()> {
    let (open, own) = (Rc::clone(streams), Rc::clone(budget));
    let function = lua.create_function(move |_, bits: f64| {
        own.fill_memory(INFLATING).map_err(stopped)?;
        Ok(open.inflating.keep(Inflating::new(wrapping(bits))))
    })?;
    part.raw_set("inflate", function)?;

    let (open, own) = (Rc::clone(streams), Rc::clone(budget));
    let function = lua.create_function(move |_, (level, bits): (f64, f64)| {
        own.fill_memory(DEFLATING).map_err(stopped)?;
        Ok(open.deflating.keep(Deflating::new(level, wrapping(bits))))
    })?;
    part.raw_set("deflate", function)?;

    let (open, own) = (Rc::clone(streams), Rc::clone(budget));
    let function = lua.create_function(move |lua, (number, text): (f64, LuaString)| {
        let step = open.inflating.with(number, |stream| stream.step(&text.as_bytes(), &own));
        if has_ended(&step) {
            open.inflating.end(number);
        }
        answer(lua, step)
    })?;
    part.raw_set("step_inflate", function)?;

    let (open, own) = (Rc::clone(streams), Rc::clone(budget));
    let function = lua.create_function(move |lua, (number, text, flush): (f64, LuaString, Option<LuaString>)| {
        let flush = match flush.as_ref().map(|flush| flush.as_bytes().to_vec()).as_deref() {
            Some(b"finish") => FlushCompress::Finish,
            Some(b"full") => FlushCompress::Full,
            Some(b"sync") => FlushCompress::Sync,
            _ => FlushCompress::None,
        };
        let step = open.deflating.with(number, |stream| stream.step(&text.as_bytes(), flush, &own));
        if has_ended(&step) {
            open.deflating.end(number);
        }
        answer(lua, step)
    })?;
    part.raw_set("step_deflate", function)
}

/// Result of a piece, or why it is invalid; a Lua error ends the call.
type Stepped = Result<std::result::Result<Step, &'static str>>;

/// Returns `true` at the end of a stream, which is then closed.
fn has_ended(step: &Option<Stepped>) -> bool {
    matches!(step, Some(Ok(Ok(step))) if step.is_ended)
}

/// Reason why a step failed, or `nil`; then the output, `true` at the end of the stream, bytes read and written.
type Told = (Option<&'static str>, Option<LuaString>, bool, usize, usize);

fn answer(lua: &Lua, step: Option<Stepped>) -> Result<Told> {
    Ok(match step.unwrap_or(Ok(Err("IllegalState: stream is closed")))? {
        Ok(step) => (None, Some(string(lua, &step.output)?), step.is_ended, step.read, step.written),
        Err(message) => (Some(message), None, false, 0, 0),
    })
}

/// Reads zlib's `windowBits`.
fn wrapping(bits: f64) -> Wrapping {
    match bits {
        ..0.0 => Wrapping::Raw,
        0.0..16.0 => Wrapping::Zlib,
        16.0..32.0 => Wrapping::Gzip,
        _ => Wrapping::Found,
    }
}

impl Inflating {
    fn new(wrapping: Wrapping) -> Self {
        Self { wrapping, stage: Stage::Head, engine: None, waiting: Vec::new(), sum: Crc::new(), read: 0, written: 0 }
    }

    /// Reads a piece of compressed data.
    fn step(&mut self, text: &[u8], budget: &Budget) -> Stepped {
        let mut input = std::mem::take(&mut self.waiting);
        input.extend_from_slice(text);
        charge(input.len(), &input, budget)?;
        self.read = self.read.saturating_add(text.len());
        let mut rest = input.as_slice();
        let mut output = Vec::new();
        while self.stage != Stage::Ended {
            let known = match self.stage {
                Stage::Head => self.head(&mut rest),
                Stage::Body => self.body(&mut rest, &mut output, budget)?,
                Stage::Tail => self.tail(&mut rest),
                Stage::Ended => Ok(true),
            };
            match known {
                Ok(true) => {}
                Ok(false) => {
                    self.waiting = rest.to_vec();
                    break;
                }
                Err(message) => return Ok(Err(message)),
            }
        }
        self.written = self.written.saturating_add(output.len());
        let is_ended = self.stage == Stage::Ended;
        // Bytes after the stream are not read.
        let unread = if is_ended { rest.len() } else { 0 };
        self.read = self.read.saturating_sub(unread);
        Ok(Ok(Step { output, is_ended, read: self.read, written: self.written }))
    }

    /// Reads the header. Returns `false` if more bytes are needed, as the next two functions do.
    fn head(&mut self, rest: &mut &[u8]) -> std::result::Result<bool, &'static str> {
        if self.wrapping == Wrapping::Found {
            let Some(first) = rest.first() else { return Ok(false) };
            self.wrapping = if *first == GZIP[0] { Wrapping::Gzip } else { Wrapping::Zlib };
        }
        if self.wrapping == Wrapping::Gzip {
            let Some(behind) = behind_head(rest)? else { return Ok(false) };
            *rest = behind;
        }
        self.engine = Some(Decompress::new(self.wrapping == Wrapping::Zlib));
        self.stage = Stage::Body;
        Ok(true)
    }

    fn body(&mut self, rest: &mut &[u8], output: &mut Vec<u8>, budget: &Budget) -> Result<std::result::Result<bool, &'static str>> {
        let Some(engine) = &mut self.engine else { return Ok(Err("IllegalState: stream is closed")) };
        let mut piece = [0; PIECE];
        loop {
            let (read, written) = (engine.total_in(), engine.total_out());
            let Ok(status) = engine.decompress(rest, &mut piece, FlushDecompress::None) else {
                return Ok(Err("DataError: invalid compressed data"));
            };
            let (read, written) = (engine.total_in().saturating_sub(read) as usize, engine.total_out().saturating_sub(written) as usize);
            *rest = rest.get(read..).unwrap_or_default();
            let written = piece.get(..written).unwrap_or_default();
            charge(read + written.len(), output, budget)?;
            output.extend_from_slice(written);
            if self.wrapping == Wrapping::Gzip {
                self.sum.update(written);
            }
            if status == Status::StreamEnd {
                self.stage = if self.wrapping == Wrapping::Gzip { Stage::Tail } else { Stage::Ended };
                return Ok(Ok(true));
            } else if read == 0 && written.is_empty() {
                return Ok(Ok(false));
            }
        }
    }

    fn tail(&mut self, rest: &mut &[u8]) -> std::result::Result<bool, &'static str> {
        let Some((tail, behind)) = rest.split_first_chunk::<8>() else { return Ok(false) };
        let [a, b, c, d, e, f, g, h] = *tail;
        if u32::from_le_bytes([a, b, c, d]) != self.sum.sum() || u32::from_le_bytes([e, f, g, h]) != self.sum.amount() {
            return Err("DataError: incorrect data check");
        }
        *rest = behind;
        self.stage = Stage::Ended;
        Ok(true)
    }
}

/// Returns the bytes after the header of a gzip file (RFC 1952, 2.3); `None` if more bytes are needed.
fn behind_head(text: &[u8]) -> std::result::Result<Option<&[u8]>, &'static str> {
    let Some((head, mut rest)) = text.split_first_chunk::<10>() else {
        return if GZIP.starts_with(text.get(..2).unwrap_or(text)) { Ok(None) } else { Err(NO_HEAD) };
    };
    let [a, b, method, flags, ..] = *head;
    if [a, b] != GZIP || method != DEFLATE {
        return Err(NO_HEAD);
    }
    if flags & EXTRA != 0 {
        let Some((length, behind)) = rest.split_first_chunk::<2>() else { return Ok(None) };
        let Some(behind) = behind.get(usize::from(u16::from_le_bytes(*length))..) else { return Ok(None) };
        rest = behind;
    }
    for field in [NAME, COMMENT] {
        if flags & field != 0 {
            let Some(end) = memchr::memchr(0, rest) else { return Ok(None) };
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }
    if flags & SUM != 0 {
        let Some(behind) = rest.get(2..) else { return Ok(None) };
        rest = behind;
    }
    Ok(Some(rest))
}

impl Deflating {
    /// A negative level means the default.
    fn new(level: f64, wrapping: Wrapping) -> Self {
        let level = if level < 0.0 { Compression::default() } else { Compression::new(level.min(9.0) as u32) };
        let engine = Compress::new(level, matches!(wrapping, Wrapping::Zlib | Wrapping::Found));
        Self { engine, wrapping, sum: Crc::new(), is_begun: false, read: 0, written: 0 }
    }

    /// Compresses a piece of data.
    fn step(&mut self, text: &[u8], flush: FlushCompress, budget: &Budget) -> Stepped {
        let mut output = Vec::new();
        let is_gzip = self.wrapping == Wrapping::Gzip;
        if is_gzip && !std::mem::replace(&mut self.is_begun, true) {
            output.extend_from_slice(&[GZIP[0], GZIP[1], DEFLATE, 0, 0, 0, 0, 0, 0, UNKNOWN_SYSTEM]);
        }
        let mut rest = text;
        let mut piece = [0; PIECE];
        let is_ended = loop {
            let (read, written) = (self.engine.total_in(), self.engine.total_out());
            let Ok(status) = self.engine.compress(rest, &mut piece, flush) else {
                return Ok(Err("StreamError: the stream cannot go on"));
            };
            let read = self.engine.total_in().saturating_sub(read) as usize;
            let written = self.engine.total_out().saturating_sub(written) as usize;
            let (taken, behind) = rest.split_at_checked(read).unwrap_or((rest, &[]));
            rest = behind;
            charge(read + written, &output, budget)?;
            output.extend_from_slice(piece.get(..written).unwrap_or_default());
            if is_gzip {
                self.sum.update(taken);
            }
            let is_ended = status == Status::StreamEnd;
            if is_ended || rest.is_empty() && written < PIECE || read == 0 && written == 0 {
                break is_ended;
            }
        };
        if is_gzip && is_ended {
            output.extend_from_slice(&self.sum.sum().to_le_bytes());
            output.extend_from_slice(&self.sum.amount().to_le_bytes());
        }
        self.read = self.read.saturating_add(text.len());
        self.written = self.written.saturating_add(output.len());
        Ok(Ok(Step { output, is_ended, read: self.read, written: self.written }))
    }
}

/// Charges the cost of a piece, and checks that the output fits into the call's memory.
fn charge(bytes: usize, held: &[u8], budget: &Budget) -> Result<()> {
    budget.spend_on(bytes.saturating_mul(WORK)).map_err(stopped)?;
    if held.len() > budget.memory() {
        return Err(stopped(budget.exceed(Excess::Memory)));
    }
    Ok(())
}
