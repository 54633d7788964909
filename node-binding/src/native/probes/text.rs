//! Numbers and texts as JSON and as labels.

use std::fmt::Write;

/// Adds a text in quotes.
pub(super) fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            letter if letter < ' ' => {
                let _ = write!(out, "\\u{:04x}", letter as u32);
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

/// Adds `,"name":`.
pub(super) fn key(out: &mut String, name: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
}

/// Adds a text under a name.
pub(super) fn word(out: &mut String, name: &str, text: &str) {
    key(out, name);
    quoted(out, text);
}

/// Adds a number under a name, to a thousandth; null where it is none.
pub(super) fn number(out: &mut String, name: &str, number: f64) {
    key(out, name);
    if number.is_finite() {
        let _ = write!(out, "{}", (number * 1000.0).round() / 1000.0);
    } else {
        out.push_str("null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_json() {
        let mut out = String::new();
        quoted(&mut out, "a \"b\" \\ \n\t\u{1} é");
        assert_eq!(out, "\"a \\\"b\\\" \\\\ \\n\\u0009\\u0001 é\"");
        let parsed: String = serde_json_free(&out);
        assert_eq!(parsed, "a \"b\" \\ \n\t\u{1} é");
    }

    /// What JSON makes of the text, for the few escapes used here.
    fn serde_json_free(text: &str) -> String {
        let inner = text.trim_matches('"');
        let mut out = String::new();
        let mut letters = inner.chars();
        while let Some(letter) = letters.next() {
            if letter != '\\' {
                out.push(letter);
                continue;
            }
            match letters.next() {
                Some('n') => out.push('\n'),
                Some('u') => {
                    let code: String = letters.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&code, 16).unwrap_or(0);
                    out.push(char::from_u32(code).unwrap_or('?'));
                }
                Some(other) => out.push(other),
                None => {}
            }
        }
        out
    }

    #[test]
    fn numbers_have_three_places_and_no_infinity() {
        let mut out = String::new();
        number(&mut out, "a", 1.23456);
        number(&mut out, "b", f64::INFINITY);
        number(&mut out, "c", 5.0);
        assert_eq!(out, ",\"a\":1.235,\"b\":null,\"c\":5");
    }
}
