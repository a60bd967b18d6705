//! Logs as they lie about: plain, or compressed after a rotation.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::SourceError;

/// Opens a log for reading from its start. It unpacks gzip, bzip2, xz and Zstandard, which it knows by the first bytes and not
/// by the name. Memory is bounded: a file that asks for more than 64 MiB to be unpacked is refused when it is read.
///
/// # Errors
/// When it cannot be opened.
pub fn open_any(path: &Path) -> Result<Box<dyn Read + Send>, SourceError> {
    let opened = open(path).and_then(|file| Ok((Packing::of(&file)?, file)));
    match opened {
        Ok((Some(packing), file)) => Ok(packing.unpack(file)),
        Ok((None, file)) => Ok(Box::new(file)),
        Err(source) => Err(SourceError::Open { path: path.to_path_buf(), source }),
    }
}

/// Opens a file, and nothing else: a FIFO would block, a directory would fail later.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// RFC 1952.
    Gzip,
    /// bzip2(1).
    Bzip2,
    /// xz(1).
    Xz,
    /// RFC 8878.
    Zstandard,
}

/// What unpacking may take: the window of `zstd --ultra -22` is 128 MiB and refused, that of `xz -9` just fits.
const MEMORY: u64 = 64 << 20;

impl Packing {
    /// None where it is plain.
    pub(crate) fn of(file: &File) -> io::Result<Option<Self>> {
        let mut magic = [0; 6];
        let length = file.read_at(&mut magic, 0)?;
        Ok(match magic.get(..length).unwrap_or_default() {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Some(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstandard),
            _ => None,
        })
    }

    /// The content; files that were appended to one another are read as one, as their programs do.
    pub(crate) fn unpack(self, file: File) -> Box<dyn Read + Send> {
        let file = BufReader::with_capacity(64 << 10, file);
        match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
            Self::Xz => {
                let limit = u32::try_from(MEMORY / 1024).unwrap_or(0) + 1024;
                Box::new(lzma_rust2::XzReader::new_mem_limit(file, true, limit))
            }
            Self::Zstandard => {
                let mut decoder = FrameDecoder::new();
                decoder.set_max_window_size(MEMORY);
                Box::new(Zstandard { decoder, file, within: false })
            }
        }
    }
}

/// Frame after frame, block after block.
struct Zstandard<R> {
    decoder: FrameDecoder,
    file: R,
    /// Whether a frame has begun and not been read to its end.
    within: bool,
}

impl<R: BufRead> Zstandard<R> {
    /// Begins the next frame; false at the end.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.file.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.file) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut (&mut self.file).take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Zstandard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.within {
                self.within = self.begin()?;
                if !self.within {
                    return Ok(0);
                }
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if self.decoder.is_finished() {
                self.within = false;
                continue;
            }
            let blocks = BlockDecodingStrategy::UptoBlocks(1);
            self.decoder
                .decode_blocks(&mut self.file, blocks)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }
}
