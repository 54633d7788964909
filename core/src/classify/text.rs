//! Reading text without the searchers of the standard library, which cost the WASM engine several
//! kilobytes of panic messages that cannot happen here.

/// The pieces of a text between ASCII separators, empty ones included.
pub(crate) struct Pieces<'a> {
    rest: Option<&'a str>,
    separators: &'static [u8],
}

/// The pieces of `text` between any of `separators`, which must be ASCII.
pub(crate) const fn pieces<'a>(text: &'a str, separators: &'static [u8]) -> Pieces<'a> {
    Pieces { rest: Some(text), separators }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.take()?;
        match text.bytes().position(|byte| self.separators.contains(&byte)) {
            Some(at) => {
                self.rest = text.get(at.saturating_add(1)..);
                text.get(..at)
            }
            None => Some(text),
        }
    }
}

/// Whether `needle` stands anywhere in `text`.
pub(crate) fn contains(text: &str, needle: &str) -> bool {
    holds_bytes(text.as_bytes(), needle.as_bytes())
}

pub(crate) fn holds_bytes(text: &[u8], needle: &[u8]) -> bool {
    let mut rest = text;
    loop {
        if rest.starts_with(needle) {
            return true;
        }
        match rest.split_first() {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
}

/// What follows `prefix`, whatever the case of its ASCII letters.
pub(crate) fn strip_prefix_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_those_of_split() {
        for text in ["", " ", "a", "a b", " a,b ", "é, ü ", "a  b,,"] {
            let ours: Vec<_> = pieces(text, b" ,").collect();
            let theirs: Vec<_> = text.split([' ', ',']).collect();
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn contains_is_that_of_str() {
        for (text, needle) in
            [("", ""), ("a", ""), ("", "a"), ("xaby", "ab"), ("xa", "ab"), ("éü", "ü")]
        {
            assert_eq!(contains(text, needle), text.contains(needle), "{text} {needle}");
        }
    }

    #[test]
    fn prefixes_of_any_case() {
        assert_eq!(strip_prefix_any_case("X-Reset", "x-"), Some("Reset"));
        assert_eq!(strip_prefix_any_case("é", "x"), None);
        assert_eq!(strip_prefix_any_case("", "x"), None);
    }
}
