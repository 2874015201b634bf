//! Vectors for tests, spread like those of the default model: far off the origin, in clusters, with few directions
//! that matter.

/// `n` unit vectors of `dimension` around a mean about .89 long; the same for the same seed.
pub(super) fn off_centre(n: usize, dimension: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = Random(seed);
    // The cone and its clusters are the same for every seed, so that queries of another seed fall among them.
    let mut cone = Random(0x5eed);
    let gaussian = |random: &mut Random, decay: f32| -> Vec<f32> {
        (0..dimension).map(|at| random.gaussian() * (-(at as f32) * decay / dimension as f32).exp()).collect()
    };
    let scaled = |mut vector: Vec<f32>, to: f32| -> Vec<f32> {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x *= to / length);
        vector
    };
    let mean = scaled(gaussian(&mut cone, 0.0), 0.89);
    let topics: Vec<Vec<f32>> = (0..40).map(|_| scaled(gaussian(&mut cone, 4.0), 0.3)).collect();
    (0..n)
        .map(|_| {
            let topic = &topics[(random.next() >> 33) as usize % topics.len()];
            let own = scaled(gaussian(&mut random, 4.0), 0.33);
            let sum = mean.iter().zip(topic).zip(&own).map(|((a, b), c)| a + b + c).collect();
            scaled(sum, 1.0)
        })
        .collect()
}

/// A small generator with a fixed sequence.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 32)
    }

    /// Uniform in 0..1.
    pub(super) fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Close to normal: the sum of twelve uniform numbers.
    pub(super) fn gaussian(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}
