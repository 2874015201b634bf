//! The inner product of two f32 vectors, as fast as this processor does it.

/// `Σ a[i]·b[i]` over the shorter of the two.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: AVX2 and FMA were just detected.
        return unsafe { dot_avx2(a, b) };
    }
    dot_portable(a, b)
}

/// The vector's length; what does not fit f32 is infinite.
pub(super) fn length(a: &[f32]) -> f32 {
    dot(a, a).sqrt()
}

/// `a` made one long.
pub(super) fn unit(a: &[f32]) -> Vec<f32> {
    let inverse = length(a).recip();
    a.iter().map(|x| x * inverse).collect()
}

fn dot_portable(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0f32; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_whole.iter().zip(b_whole) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn dot_avx2(a: &[f32], b: &[f32]) -> f32 {
    use std::arch::x86_64::*;
    let n = a.len().min(b.len());
    let whole = n - n % 32;
    let mut sums = [_mm256_setzero_ps(); 4];
    for at in (0..whole).step_by(32) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            // SAFETY: at + lane * 8 + 8 ≤ whole ≤ the length of both slices.
            let (x, y) = unsafe {
                (
                    _mm256_loadu_ps(a.as_ptr().add(at + lane * 8)),
                    _mm256_loadu_ps(b.as_ptr().add(at + lane * 8)),
                )
            };
            *sum = _mm256_fmadd_ps(x, y, *sum);
        }
    }
    let sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    let mut lanes = [0f32; 8];
    // SAFETY: `lanes` holds the eight f32 that are stored.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
    let rest: f32 = a[whole..n].iter().zip(&b[whole..n]).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_way_gives_the_same(pairs in prop::collection::vec((-1f32..1.0, -1f32..1.0), 0..200)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let exact: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            prop_assert!((f64::from(dot_portable(&a, &b)) - exact).abs() < 1e-4);
            prop_assert!((f64::from(dot(&a, &b)) - exact).abs() < 1e-4);
        }
    }

    #[test]
    fn a_unit_vector_is_one_long() {
        assert!((length(&unit(&[3.0, 4.0, 12.0])) - 1.0).abs() < 1e-6);
        assert_eq!(length(&[3.0, 4.0]), 5.0);
    }
}
