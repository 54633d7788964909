export {
  type ClassifyOptions,
  classify,
  isTransientError,
  mayRepeat,
  type RepeatOptions,
  type Verdict,
} from './classify.js'
export { engine } from './engine/index.js'
