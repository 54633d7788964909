/** Folders of a primary. It removes them when it ends; those of one that was killed the next one removes. */
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'seawall-'

/** With what goes into it, the path of a Unix socket is at most 107 bytes on Linux, 103 on macOS. */
const LONGEST_PLACE = 72
/** The same where the name of the folder says whose it is. */
const LONGEST_NAMED = 50

/** A folder for the sockets between the processes, for this user alone. @internal */
export function makeFolder(): string {
  return folderIn(tmpdir().length > LONGEST_PLACE ? '/tmp' : tmpdir())
}

/** A new folder in `place`, for this user alone. @internal */
export function folderIn(place: string): string {
  const realm = place.length > LONGEST_NAMED ? undefined : findRealm()
  if (realm === undefined) return mkdtempSync(join(place, PREFIX))
  sweep(place, `${PREFIX}${realm}-`)
  return mkdtempSync(join(place, `${PREFIX}${realm}-${process.pid}-`))
}

/**
 * Among whom the number of a process says who it is: since the machine was started, and in one
 * container. Nothing where the system does not tell.
 */
function findRealm(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 6)
    const [space] = /\d+/.exec(readlinkSync('/proc/self/ns/pid')) ?? []
    return space && `${boot}${Number(space).toString(36)}`
  } catch {
    return undefined
  }
}

function sweep(place: string, ours: string): void {
  try {
    for (const name of readdirSync(place)) {
      if (!name.startsWith(ours)) continue
      const pid = Number.parseInt(name.slice(ours.length), 10)
      if (pid > 0 && !isThere(pid)) remove(join(place, name))
    }
  } catch {
    // Not to be read.
  }
}

/** A folder of this user: another one could change theirs while it is removed. */
function remove(folder: string): void {
  try {
    const found = lstatSync(folder)
    if (!found.isDirectory() || found.uid !== process.getuid?.()) return
    rmSync(folder, { recursive: true, force: true })
  } catch {
    // Gone already.
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
