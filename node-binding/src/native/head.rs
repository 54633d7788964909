//! What the first bytes of a connection say, for functions that choose by it.

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use seawall::http::{Head, latin1, server_name};

/// `[method, path, version, '1' for HTTP/1, the head itself, name of the TLS server]` and then the
/// names and values of headers; what is not there is empty.
#[napi]
pub fn head_read(bytes: Buffer) -> Vec<String> {
    let head = Head::parse(&bytes);
    let is_http1 = if head.is_http1 { "1" } else { "" };
    let raw = bytes.get(..head.bytes).map(latin1).unwrap_or_default();
    let mut words = vec![
        head.method,
        head.path.unwrap_or_default(),
        head.version.unwrap_or_default(),
        is_http1.into(),
        raw,
        server_name(&bytes).unwrap_or_default(),
    ];
    words.extend(head.headers.into_iter().flat_map(|(name, value)| [name, value]));
    words
}
