import { builtin } from '../pressure/host.js'

/** Deletes a socket file on which nobody listens, as a process leaves it that is killed. @internal */
export async function removeLeftOver(path: string): Promise<boolean> {
  const fs = builtin<typeof import('node:fs')>('node:fs')
  const net = builtin<typeof import('node:net')>('node:net')
  if (!fs || !net) return false
  try {
    if (!fs.lstatSync(path).isSocket() || !(await isRefused(net, path))) return false
    fs.unlinkSync(path)
    return true
  } catch {
    return false
  }
}

function isRefused(net: typeof import('node:net'), path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect({ path })
    const answer = (refused: boolean): void => {
      socket.destroy()
      resolve(refused)
    }
    socket.once('connect', () => answer(false))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => answer(code === 'ECONNREFUSED'))
  })
}
