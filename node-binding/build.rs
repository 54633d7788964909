//! Links the addon the way Node expects.
fn main() {
    // Node's functions are found when the addon is loaded (`dyn-symbols`). For this target napi-build
    // would look for a library of Node to link with, and give up without one.
    let is = |name, value| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "windows") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    napi_build::setup();
}
