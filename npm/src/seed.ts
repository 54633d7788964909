/** `seed`, or a random one. Drawn when first needed, never at import. */
export function seedOr(seed: number | undefined): number {
  return seed ?? Math.floor(Math.random() * 2 ** 53)
}
