import seawall = require('seawall')

const kind: 'native' | 'wasm' = seawall.engine().kind

export = kind
