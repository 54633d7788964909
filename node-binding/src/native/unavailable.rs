//! What a client is told that no worker can serve.

/// A whole answer 503, after which the connection is closed.
pub(super) fn unavailable(retry_after: u64) -> String {
    let body = "Service Unavailable";
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: {retry_after}\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
