import { engineKind } from 'seawall'

const kind: 'native' | 'wasm' = engineKind()
// @ts-expect-error the kind is one of two words
const wrong: 'steam' = engineKind()

export { kind, wrong }
