//! The fuzzers' inputs that were worth keeping, without a fuzzer: those that reach the most code, and
//! those that once found something.
#![cfg(not(loom))]

use std::fs;
use std::path::PathBuf;

use seawall_tests::fuzz::TARGETS;

fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/kept").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let read = |file: std::io::Result<fs::DirEntry>| {
        let path = file.expect("a readable folder").path();
        (path.display().to_string(), fs::read(&path).expect("a readable file"))
    };
    files.map(read).collect()
}

#[test]
fn every_target_takes_what_was_kept() {
    for (name, target) in TARGETS {
        let inputs = kept(name);
        assert!(!inputs.is_empty(), "nothing is kept for {name}");
        for (path, data) in &inputs {
            // Its beginnings too: what is cut off is what comes from networks and full disks.
            let cuts = (0..data.len()).step_by((data.len() / 16).max(1));
            for end in cuts.chain([data.len()]) {
                let told = std::panic::catch_unwind(|| target(&data[..end]));
                assert!(told.is_ok(), "{name} fails on {path}, cut to {end} bytes");
            }
        }
    }
}
