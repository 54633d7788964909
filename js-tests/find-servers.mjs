// Where the database servers of this machine lie, if it has any. Starts nothing.
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The folder with `initdb` and `postgres`, or undefined. */
export function postgresBin() {
  return folders().find(folder => runs(folder, 'initdb') && runs(folder, 'postgres'))
}

/** The path of MariaDB's server, or undefined. */
export function mariadbServer() {
  const folder = folders().find(folder => runs(folder, 'mariadbd'))
  return folder && join(folder, 'mariadbd')
}

/** The path of a server that is one program, or undefined. */
export function program(name) {
  const folder = folders().find(folder => runs(folder, name))
  return folder && join(folder, name)
}

/** Which of the servers that tests want are here. */
export function findServers() {
  const servers = {
    PostgreSQL: postgresBin(),
    MariaDB: mariadbServer(),
    Redis: program('redis-server'),
    memcached: program('memcached'),
  }
  const names = Object.keys(servers)
  return {
    found: names.filter(name => servers[name] !== undefined),
    missing: names.filter(name => servers[name] === undefined),
  }
}

/** The search path, and where Debian keeps servers. A name may have a versioned folder of its own. */
function folders() {
  const path = (process.env.PATH ?? '').split(delimiter)
  const postgres = '/usr/lib/postgresql'
  const versions = list(postgres).sort((a, b) => Number(b) - Number(a))
  return [...versions.map(version => join(postgres, version, 'bin')), ...path, '/usr/sbin']
}

function list(folder) {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function runs(folder, program) {
  try {
    accessSync(join(folder, program), constants.X_OK)
    return true
  } catch {
    return false
  }
}
