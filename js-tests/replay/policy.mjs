import { policy } from 'seawall'

export class World {
  step(step) {
    try {
      policy(step.policy)[Symbol.dispose]()
      return {}
    } catch (error) {
      if (error.code !== 'SEAWALL_INVALID_OPTION') throw error
      const { other } = step.expect
      const named = error.message.includes(`\`${other}\``) ? other : error.message
      return { option: error.option, other: named }
    }
  }
}
