// Parts of Rust sources, cut by braces: enough for code that rustfmt has laid out.

/** Without comments, and without the tests at the end of a file; lines keep their numbers. */
export function withoutTests(text) {
  const code = text.replace(/\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, blank)
  return code.replace(/^#\[cfg\(test\)\]\nmod tests \{[\s\S]*?^\}/gm, blank)
}

/** Without the bodies that make text for people: `Display`, `Debug` and `Error`. */
export function withoutDisplay(code) {
  return code.replace(/^impl\S* .*\b(Display|Debug|Error) for [\s\S]*?^\}/gm, blank)
}

function blank(text) {
  return text.replace(/[^\n]/g, '')
}
