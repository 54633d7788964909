// A key and a certificate that nobody trusts, where there is something to make them with.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

/** Where they are, as `key.pem` and `cert.pem`; gone when the tests have run. */
export const folder = mkdtempSync(join(tmpdir(), 'seawall-tls-'))
after(() => rmSync(folder, { recursive: true, force: true }))

let hasKey = false
try {
  const parameters = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=a.test -keyout'.split(' ')
  const files = [join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
  execFileSync('openssl', [...parameters, ...files], { stdio: 'ignore' })
  hasKey = true
} catch {
  console.error('SKIPPED LOUDLY: TLS through the fronts of workers, for want of openssl')
}

/** For tests that need them. */
export const tls = { skip: !hasKey && 'no openssl' }
