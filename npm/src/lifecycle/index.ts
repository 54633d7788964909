/** From "please stop" to the end of the process. */
export * from './servers/index.js'
