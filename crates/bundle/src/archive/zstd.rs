//! zstd: frames, one behind the other (RFC 8878), some of which hold nothing.
//!
//! A frame says how far back it refers, and so how much a decoder must keep; it is asked before anything is kept. Its
//! checksum and its size, where it has them, are compared by us: the decoder leaves that to its caller.

use std::io::Read as _;

use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::BUFFER_BYTES;
use super::format::{ZSTD, is_skippable};
use super::input::Input;
use super::unpacked::Unpacked;
use crate::error::BundleError;

/// The farthest a frame may refer back, in bytes: 8 MiB, which RFC 8878 (3.1.1.1.2) asks every decoder for and every encoder to
/// stay within. All levels up to 19 do; `--ultra` and `--long` would cost up to 128 MiB for each bundle that is read.
const MAX_WINDOW_BYTES: u64 = 8 << 20;

/// The most frames. Some tools begin one for each file or few megabytes; an empty one takes 9 bytes.
const MAX_FRAMES: u32 = 1 << 20;

pub(super) fn unpack(input: &mut Input<'_>, tar: &mut Unpacked<'_>) -> Result<(), BundleError> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(MAX_WINDOW_BYTES);
    let mut output = vec![0; BUFFER_BYTES];
    for _ in 0..MAX_FRAMES {
        if input.has_ended()? {
            return Ok(());
        }
        let at = input.at();
        let magic: [u8; 4] = input.exact("a frame's header")?;
        if is_skippable(magic) {
            let len: [u8; 4] = input.exact("a frame's header")?;
            input.skip(u64::from(u32::from_le_bytes(len)), "a skippable frame")?;
        } else if magic == ZSTD {
            input.seek_to(at)?;
            frame(input, &mut decoder, &mut output, tar)?;
        } else {
            return Err(input.subject().invalid("there is more after its end"));
        }
    }
    Err(input.subject().invalid("it has too many frames"))
}

fn frame(
    input: &mut Input<'_>,
    decoder: &mut FrameDecoder,
    output: &mut [u8],
    tar: &mut Unpacked<'_>,
) -> Result<(), BundleError> {
    let subject = input.subject();
    let begins_at = tar.bytes();
    let announced = announced(input)?;
    decoder.init(&mut *input).map_err(|error| match error {
        FrameDecoderError::WindowSizeTooBig { requested, max } => BundleError::WindowTooLarge {
            path: subject.path.to_owned(),
            window_bytes: requested,
            limit_bytes: max,
        },
        FrameDecoderError::DictNotProvided { .. } => {
            subject.invalid("it was compressed with a dictionary, which isn't in it")
        }
        error => input.explain("a frame's header", error),
    })?;
    while !decoder.is_finished() {
        decoder
            .decode_blocks(&mut *input, BlockDecodingStrategy::UptoBytes(output.len()))
            .map_err(|error| input.explain("a frame", error))?;
        loop {
            let read = decoder
                .read(output)
                .map_err(|error| subject.undecodable(error))?;
            if read == 0 {
                break;
            }
            tar.push(&output[..read])?;
        }
    }
    if let Some(expected) = decoder.get_checksum_from_data()
        && decoder.get_calculated_checksum() != Some(expected)
    {
        return Err(subject.damaged("a frame"));
    }
    if announced.is_some_and(|bytes| tar.bytes() - begins_at != bytes) {
        return Err(subject.invalid("a frame is not as long as it says"));
    }
    Ok(())
}

/// How long the frame says it is, if it does. The decoder tells no frame of unknown size from an empty one.
fn announced(input: &mut Input<'_>) -> Result<Option<u64>, BundleError> {
    let at = input.at();
    input.skip(ZSTD.len() as u64, "a frame's header")?;
    let [descriptor] = input.exact("a frame's header")?;
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        input.skip(1, "a frame's header")?;
    }
    let dictionary: u64 = [0, 1, 2, 4][usize::from(descriptor & 3)];
    input.skip(dictionary, "a frame's header")?;
    let len: usize = match descriptor >> 6 {
        0 => usize::from(is_single_segment),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    let mut bytes = [0; 8];
    input.exact_into(&mut bytes[..len], "a frame's header")?;
    input.seek_to(at)?;
    let size = u64::from_le_bytes(bytes);
    Ok(match len {
        0 => None,
        // Smaller ones fit into one byte.
        2 => Some(size + 256),
        _ => Some(size),
    })
}
