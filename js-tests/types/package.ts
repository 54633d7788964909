import { engine } from 'seawall'

const kind: 'native' | 'wasm' = engine().kind
// @ts-expect-error the kind is one of two words
const wrong: 'steam' = engine().kind

export { kind, wrong }
