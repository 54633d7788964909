//! Of which version this addon is: the package refuses one of another.

use napi_derive::napi;

/// The version of the workspace, which is the package's.
#[napi]
pub fn addon_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
