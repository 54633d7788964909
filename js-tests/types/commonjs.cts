import seawall = require('seawall')

const kind: 'native' | 'wasm' = seawall.engineKind()

export = kind
