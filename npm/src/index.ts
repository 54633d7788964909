export {
  classify,
  type ClassifyOptions,
  isTransientError,
  mayRepeat,
  type RepeatOptions,
  type Verdict,
} from './classify.js'
export { engine } from './engine/index.js'
